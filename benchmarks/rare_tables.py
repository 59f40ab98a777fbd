"""Add up what forecasts with and without emphasis on rare values gave, and print it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from cutoffs import DOMAINS, geometric
from levels import Counts, Levels
from numpy.typing import NDArray

from citytune.evaluation import Alert

RARE, ALL, REGIONS = "rare", "all", ("few", "medium", "many")
WITH, WITHOUT, MOVED = "tuned", "tuned-plain", "moved"
USUAL, EQUAL, HINDSIGHT = "usual", "equal", "hindsight"
WORDS = {
    WITHOUT: "without: forecast passes",
    MOVED: "with: moved forecast passes",
    USUAL: "with: probability ≥ usual level",
    EQUAL: "with: equal precision, level from the past",
    HINDSIGHT: "with: equal precision in hindsight",
}
"""How an alert is decided."""
LEVEL = Alert(0.0).level
"""The level of an alert of which nothing else was said."""
EDGES = (0.0, 0.05, 0.2, 0.5, 0.8, 1.0)
"""Bins of probability: most chances of something rare are small."""

Found: TypeAlias = dict[str, Any]
"""What one fit gave: sums and counts, so that those of several cutoffs can be added."""


class Table:
    """The cutoffs of one set and amount of history, added up."""

    def __init__(self, found: Sequence[Found]) -> None:
        self.name, self.domain, self.days = (found[0][key] for key in ("set", "domain", "days"))
        self.rare, self.cutoffs = found[0]["rare"], len(found)
        self.power = float(np.mean([one["power"] for one in found]))
        self.errors: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(3))
        for one in found:
            for region, sums in one["errors"].items():
                self.errors[region] += sums
        levels = [Levels(**one["chances"]) for one in found]
        self.levels = Levels.sum(levels)
        self.alerts = {
            name: Counts.sum(Counts(*one["alerts"][name]) for one in found)
            for name in (WITHOUT, MOVED)
        }
        self.alerts[USUAL] = self.levels.above(LEVEL)
        cut = [own.above(one["level"]) for own, one in zip(levels, found, strict=True)]
        self.alerts[EQUAL] = Counts.sum(cut)
        best = self.levels.level_of(self.alerts[WITHOUT].precision)
        self.alerts[HINDSIGHT] = self.levels.above(best)
        own, usual = np.sum([one["brier"] for one in found], 0)
        self.brier_skill = 1 - own / usual if usual else np.nan

    def ratio(self, region: str) -> float:
        """Error with over error without; NaN where nothing came."""
        _, with_, without = self.errors[region]
        return float(with_ / without) if without else np.nan

    @property
    def share(self) -> float:
        """Of the values scored, that of the rare ones."""
        return float(self.errors[RARE][0] / max(self.errors[ALL][0], 1))

    @property
    def tells(self) -> bool:
        """Whether alerts without care are right more often than ones raised at random."""
        return self.alerts[WITHOUT].precision > self.share


def tables_of(found: Sequence[Found]) -> list[Table]:
    """One for each set and amount of history, in the order of the fits."""
    groups: dict[tuple[int, str], list[Found]] = defaultdict(list)
    for one in found:
        groups[one["days"], one["set"]].append(one)
    return [Table(group) for group in groups.values()]


def show(found: Sequence[Found]) -> None:
    """Print a table of errors and one of alerts for each amount of history."""
    tables = tables_of(found)
    for days in dict.fromkeys(one.days for one in tables):
        print(f"\n{days} days of history")
        own = [one for one in tables if one.days == days]
        show_errors(own)
        show_alerts(own)


def show_errors(tables: Sequence[Table]) -> None:
    """Errors with over errors without, set by set and as geometric means."""
    columns = (RARE, *REGIONS, ALL)
    print(f"{'error with / without':34s}{'cutoffs':>7s}{'share':>7s}{'power':>7s}"
          + "".join(f"{column:>8s}" for column in columns))  # fmt: skip
    for one in tables:
        print(f"{one.name:27s}{one.rare:>7s}{one.cutoffs:7d}{one.share:7.1%}{one.power:7.2f}"
              + "".join(f"{one.ratio(column):8.3f}" for column in columns))  # fmt: skip
    for domain in (*DOMAINS, "all"):
        if own := of_domain(tables, domain):
            ratios = [geometric(known(one.ratio(column) for one in own)) for column in columns]
            print(f"{f'{domain} ({len(own)})':34s}{'':21s}" + "".join(f"{r:8.3f}" for r in ratios))


def show_alerts(tables: Sequence[Table]) -> None:
    """Precision, recall and F1 of every way to decide, set by set and as means."""
    print("\nprecision, recall, F1 of alerts")
    for i, (name, word) in enumerate(WORDS.items()):
        print(f"  ({i + 1}) {word}" + (f" {LEVEL:g}" if name == USUAL else ""))
    print(f"{'':27s}" + "".join(f"{f'({i + 1})':>17s}" for i in range(len(WORDS))))
    for one in tables:
        rows = [one.alerts[way] for way in WORDS]
        print(f"{one.name:27s}" + "".join(cells(row) for row in rows)
              + ("" if one.tells else "   no better than chance without: in no mean"))  # fmt: skip
    for domain in (*DOMAINS, "all"):
        if own := [one for one in of_domain(tables, domain) if one.tells]:
            rows = [np.mean([one.alerts[way].shares for one in own], 0) for way in WORDS]
            print(f"{f'{domain} ({len(own)})':27s}" + "".join(triple(row) for row in rows))


def show_chances(found: Sequence[Found]) -> None:
    """Print in bins how likely the tuned model called what came, and how often it came true."""
    print(f"\n{'called':27s}{'':8s}" + "".join(f"{a:9.0%}–{b:<6.0%}" for a, b in pairwise(EDGES)))
    for one in tables_of(found):
        values, said, came = one.levels.bins(EDGES)
        print(f"{one.name:27s}{one.days:3d} days, Brier skill {one.brier_skill:.3f}")
        for word, sums in (("said", said), ("came", came)):
            shares = sums / np.maximum(values, 1)
            print(f"{word:>35s}" + "".join(f"{share:12.1%}    " for share in shares))
        print(f"{'values':>35s}" + "".join(f"{count:12,.0f}    " for count in values))


def cells(counts: Counts) -> str:
    """Precision, recall and F1 of one way to decide."""
    return triple(counts.shares)


def triple(shares: Iterable[float]) -> str:
    return "  " + "".join(f"{share:5.2f}" for share in shares)


def known(ratios: Iterable[float]) -> list[float]:
    """Those that are numbers."""
    return [ratio for ratio in ratios if np.isfinite(ratio) and ratio > 0]


def of_domain(tables: Sequence[Table], domain: str) -> list[Table]:
    """The tables of a domain, or all."""
    return [one for one in tables if domain in (one.domain, "all")]
