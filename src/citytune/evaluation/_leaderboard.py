"""A table of models by their error, and which of the differences are more than chance."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from citytune._errors import UnknownName
from citytune._tables import html_block, html_lines, html_table, pandas_of
from citytune._text import counted, listed, number, percent
from citytune.evaluation._detail import Detail
from citytune.evaluation._metrics import METRICS
from citytune.evaluation._significance import (
    FEWEST_FORECASTS,
    Series,
    block_length,
    diebold_mariano,
    holm,
    ratio_interval,
)
from citytune.evaluation._text import as_sentences, table
from citytune.evaluation._tidy import tidy

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from citytune.pictures import Chart

Verdict: TypeAlias = Literal["better", "worse", "within noise", "reference", "too few forecasts"]
CHANCE = 0.05
"""A difference that chance would bring less often than this is called one."""
HEAD = (
    "model",
    "mae",
    "in 90 %",
    "ratio",
    "95 % range",
    "p (Holm)",
    "verdict",
)


@dataclass(frozen=True)
class Standing:
    """One model's row."""

    model: str
    """Its name."""
    mae: float
    """Mean absolute error, in the unit of the data."""
    rmse: float
    """Root of the mean squared error, in the same unit."""
    mase: float
    """Error relative to yesterday's values on the history."""
    wql: float
    """Weighted quantile loss."""
    coverage_90: float
    """Share of measurements in the 90 % interval."""
    width_90: float
    """Mean width of that interval."""
    ratio: float
    """Its absolute error over that of the reference; below 1 is better."""
    ratio_low: float
    """Where the 95 % confidence interval of the ratio begins (block bootstrap)."""
    ratio_high: float
    """Where it ends."""
    dm: float
    """Diebold-Mariano statistic against the reference, with Harvey, Leybourne and Newbold's
    correction; below 0 is better."""
    p_value: float
    """Its two-sided p-value."""
    p_holm: float
    """The same, corrected after Holm for there being several models."""
    verdict: Verdict
    """Against the reference: "better" or "worse" only if `p_holm` is below 0.05 and the interval
    of the ratio leaves 1 out."""
    near_best: bool
    """Whether its difference from the best model is within noise."""


@dataclass(frozen=True, eq=False, repr=False)
class Leaderboard:
    """Models by mean absolute error, the best first; print it for words.

    Example:
        >>> board = ct.compare(["blend", "naive-week"], "loops.csv", horizon=24)  # doctest: +SKIP
        >>> board.to_pandas()[["model", "ratio", "p_holm"]]                       # doctest: +SKIP
    """

    standings: tuple[Standing, ...]
    """A row for each model."""
    reference: str
    """The model that the others are compared with."""
    detail: Detail
    """Every forecast with what happened."""
    notes: tuple[str, ...] = ()
    """What was not compared, and why."""

    @property
    def best(self) -> str:
        """The model with the least error."""
        return self.standings[0].model

    def __getitem__(self, model: str) -> Standing:
        """A model's row; an unknown name is answered with the nearest."""
        known = {one.model: one for one in self.standings}
        if model not in known:
            raise UnknownName("model on this leaderboard", str(model), known)
        return known[model]

    def to_polars(self) -> pl.DataFrame:
        """A row for each model, with the fields of a `Standing` as columns."""
        import polars as pl

        return pl.DataFrame([dataclasses.asdict(one) for one in self.standings])

    def to_pandas(self) -> pd.DataFrame:
        """The same table of pandas, which must be installed."""
        return pandas_of(self.to_polars())

    def errors(
        self, by: Sequence[str] = ("model", "sensor"), metrics: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Errors by sensor, origin or lead, tidy; as `Scores.to_polars` has them."""
        totals = {
            one.model: {n: v for n, v in dataclasses.asdict(one).items() if isinstance(v, float)}
            for one in self.standings
        }
        return tidy(self.detail, totals, by, metrics or ("mae", "rmse", "bias"))

    def plot(self) -> Chart:
        """Each model's error over that of the reference, with its confidence interval."""
        from citytune.evaluation._pictures import board_picture

        return board_picture(self)

    def sentences(self) -> list[str]:
        """Which differences are more than noise, in words."""
        origins = len(self.detail.origin_index)
        unit = self.detail.frame.quantity.unit
        error = f"{number(self.standings[0].mae)}{f' {unit}' if unit else ''}"
        said = [
            f"{self.best} has the lowest mean error, {error}, in {counted(origins, 'forecast')}."
        ]
        if origins < FEWEST_FORECASTS:
            return [
                *said,
                f"With fewer than {FEWEST_FORECASTS} forecasts nothing can be said of chance.",
            ]
        near = [one.model for one in self.standings[1:] if one.near_best]
        if near:
            said.append(f"Within noise of it: {listed(near)}.")
        told = near if self.best == self.reference else []
        for verdict in ("better", "worse", "within noise"):
            names = [one.model for one in self.standings if one.verdict == verdict]
            names = [name for name in names if name not in told]
            if names:
                how = "not distinguishable from" if verdict == "within noise" else f"{verdict} than"
                said.append(f"{listed(names)}: {how} {self.reference}.")
        return said

    def _rows(self) -> list[list[str]]:
        return [
            [
                one.model, number(one.mae, 4), percent(one.coverage_90), number(one.ratio),
                f"{number(one.ratio_low)}–{number(one.ratio_high)}",
                number(one.p_holm, 2), one.verdict,
            ]
            for one in self.standings
        ]  # fmt: skip

    def __repr__(self) -> str:
        return (
            f"<Leaderboard: {', '.join(one.model for one in self.standings)}; print it for words>"
        )

    def __str__(self) -> str:
        return "\n".join(
            [*table([list(HEAD), *self._rows()]), *self.sentences(), *as_sentences(self.notes)]
        )

    def _repr_html_(self) -> str:
        quantity = self.detail.frame.quantity
        words = html_lines([*self.sentences(), *as_sentences(self.notes)])
        return html_block(f"Leaderboard: {quantity}", html_table(HEAD, self._rows()), words)


def leaderboard_of(
    models: Mapping[str, Mapping[str, float]],
    detail: Detail,
    reference: str,
    notes: tuple[str, ...] = (),
) -> Leaderboard:
    """Rank models that were measured at the same moments.

    Args:
        models: Name → metric → value.
        detail: Their forecasts.
        reference: Which of them the others are compared with.
        notes: What to say besides.
    """
    if reference not in models:
        raise UnknownName("model to compare with", reference, models)
    order = sorted(models, key=lambda name: (math.isnan(models[name]["mae"]), models[name]["mae"]))
    losses = {name: _losses(detail, name) for name in order}
    tests = {name: _test(detail, losses[name], losses[reference]) for name in order}
    corrected = dict(zip(order, holm([
        math.nan if name == reference else tests[name].p_value for name in order
    ]), strict=True))  # fmt: skip
    near = _near(detail, losses, order)
    standings = [
        Standing(
            name,
            **{metric: models[name][metric] for metric in METRICS},
            **tests[name]._asdict(),
            p_holm=corrected[name],
            verdict="reference" if name == reference else _verdict(tests[name], corrected[name]),
            near_best=name in near,
        )
        for name in order
    ]
    return Leaderboard(tuple(standings), reference, detail, notes)


class _Test(NamedTuple):
    """Two models' errors against each other; fields as those of a `Standing`."""

    ratio: float
    ratio_low: float
    ratio_high: float
    dm: float
    p_value: float


def _losses(detail: Detail, name: str) -> Series:
    """(origin,) sum of a model's absolute errors over leads and sensors."""
    error = np.abs(detail.points[name].astype(np.float64) - detail.fair)
    return np.asarray(np.where(np.isfinite(error), error, 0).sum((1, 2)))


def _test(detail: Detail, own: Series, other: Series) -> _Test:
    total = float(other.sum())
    ratio = float(own.sum()) / total if total > 0 else math.nan
    overlap, a_day = _neighbours(detail)
    block = block_length(len(own), overlap, a_day)
    values = max(1, int(np.isfinite(detail.fair).sum())) / len(own)
    found = diebold_mariano((own - other) / values, max(overlap, a_day))
    return _Test(ratio, *ratio_interval(own, other, block), *found)


def _neighbours(detail: Detail) -> tuple[int, int]:
    """How many origins in a row have forecasts that overlap, and how many lie in a day."""
    rows = detail.origin_index
    stride = max(1, int(np.diff(rows).min())) if len(rows) > 1 else detail.actual.shape[1]
    a_day = detail.frame.clock.steps_per_day
    return -(-detail.actual.shape[1] // stride), max(1, round(a_day / stride))


def _near(detail: Detail, losses: Mapping[str, Series], order: list[str]) -> set[str]:
    """Models whose difference from the best is within noise, the best among them."""
    tests = [_test(detail, losses[order[0]], losses[name]) for name in order[1:]]
    corrected = holm([test.p_value for test in tests])
    judged = zip(order[1:], tests, corrected, strict=True)
    return {order[0]} | {name for name, test, p in judged if _verdict(test, p) != "better"}


def _verdict(test: _Test, chance: float) -> Verdict:
    low, high = test.ratio_low, test.ratio_high
    if not (math.isfinite(chance) and math.isfinite(low)):
        return "too few forecasts"
    if chance < CHANCE and (high < 1 or low > 1):
        return "better" if high < 1 else "worse"
    return "within noise"
