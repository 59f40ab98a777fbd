"""Say in words what was read, chosen, found and written."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from citytune.evaluation import Scores
    from citytune.frame import SensorFrame

OPTIONS = "time|sensor|target|covariates|quantity|unit|timezone|missing|country|days|horizon"


def about(frame: SensorFrame) -> str:
    """What was read, in one line."""
    import numpy as np

    rows, last = len(frame), len(frame) - 1
    missing = float(np.isnan(frame.values).mean())
    return (
        f"{frame.source}: {frame.quantity}, {count(len(frame.sensors), 'sensor')}, "
        f"{count(rows, 'row')} of {frame.clock.freq} from {frame.clock.text(0)} to "
        f"{frame.clock.text(last)}, {percent(missing)} missing"
    )


def findings(frame: SensorFrame) -> str:
    """How much was found wrong, in a few words; empty if nothing."""
    number = sum(fault.severity == "warning" for fault in frame.faults)
    return f"{count(number, 'warning')}, listed by `citytune check`" if number else ""


def comparison(scores: Scores) -> list[str]:
    """How good it is: against a simple rule, against the model untouched, and its intervals."""
    said = [_sentence(scores.sentence())]
    if scores.best_naive and "zero-shot" in scores.models:
        saved = scores.skill("zero-shot")
        word = "less" if saved > 0 else "more"
        if abs(saved) < 0.005:
            said.append(f"As much error as {scores.call('zero-shot')}.")
        elif math.isfinite(saved):
            said.append(f"{percent(abs(saved))} {word} error than {scores.call('zero-shot')}.")
    held = scores.models["tuned"]["coverage_90"]
    if math.isfinite(held):
        warned = "; they are too narrow, so leave more room than they say" if held < 0.86 else ""
        said.append(f"Its 90 % intervals held {percent(held)} of what was measured{warned}.")
    return said


def rare(scores: Scores) -> list[str]:
    """How rare values and alerts were foretold: a sentence and small tables, line by line."""
    lines = scores.rare_lines()
    said = filter(None, [scores.rare_sentence(), scores.price_sentence()])
    return [*said, *lines, ""] if lines else []


def change(scores: Scores, rival: str | None) -> str:
    """The tuned model's error against another's, for a table: "−31 %"."""
    if rival is None or rival not in scores.models or not math.isfinite(scores.skill(rival)):
        return "–"
    per_cent = round(-100 * scores.skill(rival))
    return f"{per_cent:+d} %".replace("-", "−") if per_cent else "0 %"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names in a row, the tail counted.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], most=2)
    ('a, b and c', 'a, b and 1 more')
    """
    shown = [*names[:most], *([f"{len(names) - most:,} more"] if len(names) > most else [])]
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def number(value: float | None) -> str:
    """Three digits, thousands parted; a dash for what is not known.

    >>> number(12345.6), number(3.14159), number(0.012345), number(None)
    ('12,346', '3.14', '0.0123', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    places = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(max(places, 0), 6)}f}"


def not_at_hand(names: Sequence[str]) -> str:
    """Which backbones were not tried, in one line; empty if all were."""
    if not names:
        return ""
    return f"Not at hand: {', '.join(sorted(names))}; `citytune models` says how to get them."


def for_terminal(text: str) -> str:
    """Name options as one types them here, rather than as Python's arguments.

    >>> for_terminal("pass time= if not so, or missing=-1"), for_terminal("outtime=3")
    ('pass --time if not so, or --missing -1', 'outtime=3')
    """
    return re.sub(r"\b(OPTIONS)=(?=(\S?))".replace("OPTIONS", OPTIONS), _option, text)


def _option(found: re.Match[str]) -> str:
    return f"--{found[1]}{' ' if found[2].strip('.,;:)') else ''}"


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "row"), count(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """A share in per cent, with a decimal where it matters.

    >>> percent(0.3149), percent(0.0012), percent(0.0)
    ('31 %', '0.1 %', '0 %')
    """
    return f"{100 * share:.1f} %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
