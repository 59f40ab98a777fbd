"""Forecasts: every one that was issued is kept, value by value."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from citytune.serving.database._tables import QUANTILES, Forecast, ForecastValue

if TYPE_CHECKING:
    import polars as pl

    from citytune.forecasting import Forecast as Made

NUMBERS = ("mean", "point", *QUANTILES)


def put_forecast(
    session: Session, made: Made, *, run_id: int, version_id: int, now: dt.datetime, **facts: Any
) -> int:
    """Keep a forecast; gives its number."""
    clock = made.clock
    known = {
        "quantity": made.quantity.name, "unit": made.quantity.unit, "timezone": clock.timezone,
        "step": clock.step.total_seconds(), "steps": len(made.mean), "model": made.model,
        "sensors": len(made.sensors), "notes": list(made.notes), **facts,
    }  # fmt: skip
    issued = clock.start.replace(tzinfo=dt.UTC)
    issue = Forecast(
        run_id=run_id, version_id=version_id, issued_at=issued, created_at=now, facts=known
    )
    session.add(issue)
    session.flush()
    session.execute(insert(ForecastValue), _rows(made, issue.id))
    return int(issue.id)


def forget_forecasts(session: Session, run_id: int, before: dt.datetime) -> None:
    """Delete what was issued before a moment, but for the newest forecast."""
    newest = select(func.max(Forecast.id)).where(Forecast.run_id == run_id).scalar_subquery()
    old = (Forecast.run_id == run_id, Forecast.created_at < before, Forecast.id < newest)
    session.execute(delete(Forecast).where(*old))


def newest_forecast(
    session: Session, run_id: int, as_of: dt.datetime | None = None
) -> Forecast | None:
    """The forecast of a run that was known at a moment, by default the newest one."""
    asked = select(Forecast).where(Forecast.run_id == run_id)
    if as_of is not None:
        asked = asked.where(Forecast.created_at <= as_of)
    found: Forecast | None = session.scalars(asked.order_by(Forecast.id.desc()).limit(1)).first()
    return found


def table_of_forecast(session: Session, forecast_id: int) -> pl.DataFrame:
    """The values of a forecast: sensor, time (UTC, without a zone), numbers, quality, chances."""
    import polars as pl

    names = ("sensor", "time", *NUMBERS, "quality", "chances")
    asked = (
        select(*(getattr(ForecastValue, name) for name in names))
        .where(ForecastValue.forecast_id == forecast_id)
        .order_by(ForecastValue.sensor, ForecastValue.time)
    )
    rows = session.execute(asked).all()
    chances = [row.chances or {} for row in rows]
    kinds: dict[str, Any] = dict.fromkeys(NUMBERS, pl.Float64)
    schema = {"sensor": pl.String, "time": pl.Datetime("us", "UTC"), **kinds, "quality": pl.String}
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    table = pl.DataFrame(dict(zip(schema, columns, strict=False)), schema=schema)
    more = {name: [one.get(name) for one in chances] for name in (chances[0] if chances else ())}
    table = table.with_columns(pl.Series(name, one, pl.Float64) for name, one in more.items())
    return table.with_columns(pl.col("time").dt.replace_time_zone(None))


def _rows(made: Made, forecast_id: int) -> list[dict[str, Any]]:
    """As the table takes them; what is not known is empty."""
    import polars as pl

    table = made.to_polars()
    if "point" not in table.columns:
        table = table.with_columns(point=pl.col("q50"))
    chances = [name for name in table.columns if name.startswith("p_")]
    rows = []
    for row in table.iter_rows(named=True):
        likely = {name: _known(row[name]) for name in chances} or None
        numbers = {name: _known(row[name]) for name in NUMBERS}
        facts = {name: row[name] for name in ("sensor", "quality")}
        time = row["time"] if row["time"].tzinfo else row["time"].replace(tzinfo=dt.UTC)
        rows.append(
            {"forecast_id": forecast_id, "time": time, **facts, **numbers, "chances": likely}
        )
    return rows


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
