"""How forecasts that were made did, once what they forecast has been measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from citytune._text import plain

if TYPE_CHECKING:
    import polars as pl


class Verified(NamedTuple):
    """How forecasts of the past did, on the values measured by now."""

    first: str
    """Wall time of the first of these values …"""
    last: str
    """… and of the last one."""
    values: int
    mae: float
    """Mean absolute error where yesterday's values are known, too, in the unit of the data."""
    naive: float
    """That of yesterday's values; NaN if none are known."""
    coverage: float
    """Share of the values in the 90 % interval."""
    alerts: dict[str, tuple[float, float]]
    """Column of an alert → mean chance, and share of the values that passed."""

    @property
    def saved(self) -> float:
        """Share of the error of yesterday's values that the forecasts saved."""
        return 1 - self.mae / self.naive if self.naive > 0 else float("nan")

    def summary(self) -> dict[str, Any]:
        """As in scores.json: plain numbers, None for NaN."""
        return {
            "first": self.first,
            "last": self.last,
            "values": self.values,
            "mae": plain(self.mae),
            "naive": plain(self.naive),
            "coverage": plain(self.coverage),
            "alerts": {
                name: [plain(said), plain(came)] for name, (said, came) in self.alerts.items()
            },
        }


class Tally(NamedTuple):
    """Sums of forecasts and what came; those of several groups of sensors are added."""

    first: str
    last: str
    values: int
    error: float
    inside: int
    fair: int
    """Values of which yesterday's are known, too …"""
    fair_error: float
    naive: float
    """… with the sums of both errors of them."""
    alerts: dict[str, tuple[int, float, float]]
    """Column of an alert → values, sum of the chances, and how many passed."""

    def then(self, other: Tally) -> Tally:
        """With those of other sensors."""
        names = dict.fromkeys([*self.alerts, *other.alerts])
        none = (0, 0.0, 0.0)
        pairs = {n: (self.alerts.get(n, none), other.alerts.get(n, none)) for n in names}
        return Tally(
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            values=self.values + other.values,
            error=self.error + other.error,
            inside=self.inside + other.inside,
            fair=self.fair + other.fair,
            fair_error=self.fair_error + other.fair_error,
            naive=self.naive + other.naive,
            alerts={n: (a[0] + b[0], a[1] + b[1], a[2] + b[2]) for n, (a, b) in pairs.items()},
        )

    @property
    def verified(self) -> Verified:
        """The means."""
        count, error = (self.fair, self.fair_error) if self.fair else (self.values, self.error)
        return Verified(
            first=self.first,
            last=self.last,
            values=self.values,
            mae=error / count,
            naive=self.naive / self.fair if self.fair else float("nan"),
            coverage=self.inside / self.values,
            alerts={
                name: (said / n, came / n) if n else (float("nan"), float("nan"))
                for name, (n, said, came) in self.alerts.items()
            },
        )


def verified(table: pl.DataFrame) -> Verified | None:
    """How the forecasts of a record, or of a part of it, did; None if nothing was measured yet.

    What was served counts, and of several forecasts of a value the one issued last.
    """
    found = tally(table)
    return None if found is None else found.verified


def tally(table: pl.DataFrame) -> Tally | None:
    """The sums that `verified` is made from; None if nothing was measured yet."""
    import polars as pl

    if table.is_empty():
        return None
    known = newest_forecasts(table).filter(
        pl.col("actual").is_not_nan() & pl.col("point").is_not_nan()
    )
    if known.is_empty():
        return None
    actual = known["actual"]
    fair = known.filter(pl.col("naive").is_not_nan())
    return Tally(
        first=_text(known["time"].min()),
        last=_text(known["time"].max()),
        values=len(known),
        error=_sum((actual - known["point"]).abs()),
        inside=int(((actual >= known["q05"]) & (actual <= known["q95"])).sum()),
        fair=len(fair),
        fair_error=_sum((fair["actual"] - fair["point"]).abs()),
        naive=_sum((fair["actual"] - fair["naive"]).abs()),
        alerts={name: _chance(known, name) for name in known.columns if name.startswith("p_")},
    )


def newest_forecasts(record: pl.DataFrame, *, own: bool = False) -> pl.DataFrame:
    """The rows of a record that count: of several forecasts of a value, the one issued last.

    Args:
        record: As a run has it.
        own: The model's own instead of what was served. Where that was a safe forecast, the column
            `model` has what the model would have said; without it the row does not count.
    """
    table = _own(record) if own else record
    # An hour that comes twice on the wall is two moments.
    moment = "moment" if "moment" in record.columns else "time"
    newest = table.sort("issued", maintain_order=True)
    return newest.unique(["sensor", moment], keep="last", maintain_order=True)


def _own(record: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    model = pl.col("model") if "model" in record.columns else pl.lit(None, pl.Float64)
    table = record.with_columns(own=model.fill_nan(None))
    if "quality" in record.columns:
        served = pl.col("quality").fill_null("").str.contains("fallback")
        table = table.filter(~served | pl.col("own").is_not_null())
    return table.with_columns(point=pl.coalesce("own", "point")).drop("own")


def by_week(table: pl.DataFrame) -> dict[str, Verified]:
    """Monday → how the forecasts of that week did, in the order of time."""
    return {week: one.verified for week, one in tally_by_week(table).items()}


def tally_by_week(table: pl.DataFrame) -> dict[str, Tally]:
    """Monday → the sums of that week."""
    import polars as pl

    if table.is_empty():
        return {}
    weeks = table.with_columns(week=pl.col("time").dt.truncate("1w").dt.strftime("%Y-%m-%d"))
    parts = {str(key[0]): part for key, part in weeks.group_by("week", maintain_order=True)}
    found = {week: tally(part.drop("week")) for week, part in sorted(parts.items())}
    return {week: one for week, one in found.items() if one is not None}


def record_summary(table: pl.DataFrame) -> dict[str, Any] | None:
    """`record` of scores.json: all of a record, and week by week; None before anything came."""
    return tally_summary(tally(table), tally_by_week(table))


def tally_summary(whole: Tally | None, weeks: dict[str, Tally]) -> dict[str, Any] | None:
    """The same of sums."""
    if whole is None:
        return None
    said = {monday: week.verified.summary() for monday, week in sorted(weeks.items())}
    return whole.verified.summary() | {"weeks": said}


def _chance(known: pl.DataFrame, name: str) -> tuple[int, float, float]:
    import polars as pl

    part = known.filter(pl.col(name).is_not_nan() & pl.col(f"limit_{name}").is_not_nan())
    limit, actual = part[f"limit_{name}"], part["actual"]
    above = name.startswith(("p_above", "p_top"))
    passed = actual > limit if above else actual < limit
    return len(part), _sum(part[name]), float(passed.sum())


def _sum(values: pl.Series) -> float:
    import polars as pl

    return float(values.cast(pl.Float64).fill_nan(None).sum())


def _text(moment: object) -> str:
    return str(moment)[:16]
