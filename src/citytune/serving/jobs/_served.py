"""The record of what was served: forecasts of the database, and what was measured since."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from citytune._tables import in_zone
from citytune.runs import measured, read_filled
from citytune.serving.database import Forecast, table_of_forecast

if TYPE_CHECKING:
    import polars as pl

    from citytune.frame import SensorFrame
    from citytune.runs import Run

MOST_FORECASTS = 2000
"""The newest forecasts, of which those are verified that follow each other."""
MOST_ROWS = 200_000
"""Values that are verified at most, so that it takes a second or two."""


def whole_record(session: Session, run_id: int, run: Run, frame: SensorFrame) -> pl.DataFrame:
    """The record of a run folder with what was served besides, as `Run.record` has it.

    Of forecasts that overlap, as where one follows every reading, the last one of each horizon is
    taken, from the newest back. Limits of alerts are those of the folder.
    """
    import polars as pl

    record = read_filled(run.path, frame)
    tables = [
        _as_record(table_of_forecast(session, one.id), one, frame)
        for one in _one_after_the_other(session, run_id, frame)
    ]
    if not tables:
        return record
    served = _with_limits(pl.concat(tables, how="diagonal"), run)
    if record.is_empty():
        return served
    served = served.join(record, on=["sensor", "moment"], how="anti")
    return pl.concat([record, served], how="diagonal_relaxed").sort("issued", maintain_order=True)


def _one_after_the_other(session: Session, run_id: int, frame: SensorFrame) -> list[Forecast]:
    """Forecasts whose time has begun and that do not overlap, the oldest first."""
    asked = select(Forecast).where(Forecast.run_id == run_id)
    newest = session.scalars(asked.order_by(Forecast.id.desc()).limit(MOST_FORECASTS)).all()
    end = frame.clock.moments(len(frame), 1)[0].item().replace(tzinfo=dt.UTC)
    found: list[Forecast] = []
    rows = 0
    for one in sorted(newest, key=lambda one: (one.issued_at, one.id), reverse=True):
        steps = int(one.facts["steps"])
        last = one.issued_at + steps * dt.timedelta(seconds=one.facts["step"])
        if one.issued_at >= end or (found and last > found[-1].issued_at):
            continue
        rows += steps * int(one.facts["sensors"])
        if found and rows > MOST_ROWS:
            break
        found.append(one)
    return found[::-1]


def _as_record(table: pl.DataFrame, issue: Forecast, frame: SensorFrame) -> pl.DataFrame:
    """A forecast as a record has it: wall times, what came, and the last day measured before."""
    import numpy as np
    import polars as pl

    sensors, moments = table["sensor"].to_list(), table["time"].to_numpy()
    step = np.timedelta64(round(1e6 * issue.facts["step"]), "us")
    issued = np.datetime64(issue.issued_at.replace(tzinfo=None), "us")
    number = (moments - issued) // step
    days = number // frame.clock.steps_per_day + 1
    before = (moments - days * frame.clock.steps_per_day * step).astype("datetime64[us]")
    made = table.rename({"time": "moment"}).with_columns(
        pl.lit(issue.issued_at.replace(tzinfo=None)).cast(pl.Datetime("us")).alias("issued"),
        pl.Series("step", number.astype(np.int32)),
        pl.Series("actual", measured(frame, moments, sensors)),
        pl.Series("naive", measured(frame, before, sensors)),
        time=pl.col("moment"),
    )  # fmt: skip
    for name in ("issued", "time"):
        local = in_zone(made, name, issue.facts.get("timezone"))
        made = local.with_columns(pl.col(name).dt.replace_time_zone(None))
    return made.with_columns(pl.col(pl.Float64).fill_null(float("nan")))


def _with_limits(table: pl.DataFrame, run: Run) -> pl.DataFrame:
    """With the limits of the alerts; the chance of another alert says nothing any more."""
    import polars as pl

    sensors = table["sensor"].unique(maintain_order=True).to_list()
    watches = {one.alert.column: one for one in run.watches(sensors)}
    others = [n for n in table.columns if n.startswith("p_") and n not in watches]
    limits = {
        f"limit_{name}": pl.col("sensor").replace_strict(
            dict(zip(sensors, map(float, one.thresholds), strict=True)),
            default=float("nan"), return_dtype=pl.Float64,
        )
        for name, one in watches.items() if name in table.columns
    }  # fmt: skip
    return table.drop(others).with_columns(**limits)
