"""Forecasts of the sensors to look at first: best, median, worst, busiest, too new."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from citytune._text import duration, number, percent
from citytune.evaluation import compared
from citytune.forecasting import Forecast, plot_forecast
from citytune.reporting import _measures as measures
from citytune.reporting import _words as words
from citytune.reporting._material import Material
from citytune.reporting._measures import SensorError

MOST_ROWS = 24
"""Longest table of a forecast."""


def forecasts(material: Material) -> list[dict[str, Any]]:
    """One entry a sensor: why it is shown, its forecast, and how it did on past days."""
    scored = {sensor.name: sensor for sensor in material.sensors}
    return [
        {
            "name": name,
            "why": _why(material, roles, scored.get(name)),
            "next": _next(material, name),
            "replay": _replay(material, name) if name in scored else None,
        }
        for name, roles in _chosen(material).items()
    ]


def _chosen(material: Material) -> dict[str, list[str]]:
    """Sensor → why it is shown, in the page's order."""
    known = material.forecast.sensors
    picked = measures.first_looks(material.sensors)
    chosen = {pick.sensor.name: [*pick.roles] for pick in picked if pick.sensor.name in known}
    if not chosen and known:
        chosen[_busiest(material)] = ["busiest"] if len(known) > 1 else []
    for name in material.fallback:
        if name in chosen:
            chosen[name].append("fallback")
    if material.fallback and not set(material.fallback) & set(chosen):
        chosen[material.fallback[0]] = ["fallback"]
    return chosen


def _busiest(material: Material) -> str:
    """The sensor with the highest forecast, among those with enough history if there are any."""
    level = np.abs(material.forecast.mean).mean(0)
    names = dict(zip(material.forecast.sensors, level.tolist(), strict=True))
    able = [name for name in names if name not in material.fallback]
    return max(able or names, key=lambda name: names[name])


def _why(material: Material, roles: Sequence[str], sensor: SensorError | None) -> str:
    why = words.role(roles, material.frame.quantity.domain) if roles else ""
    if sensor is None:
        return why and f"{why}."
    said = f"{why}: mean error {number(sensor.mae)} {material.unit}".rstrip()
    if math.isfinite(sensor.relative):
        said += f", {percent(sensor.relative)} of its level"
    if material.naive and sensor.rival > 0:
        said += f"; {compared(1 - sensor.mae / sensor.rival, material.call(material.naive))}"
    return f"{said}."


def _next(material: Material, name: str) -> dict[str, Any]:
    forecast, frame = material.forecast, material.frame
    figure = plot_forecast(forecast, frame if name in frame.sensors else None, [name])
    return {
        "figure": _bare(figure),
        "note": _note(figure, forecast),
        "rows": _rows(forecast, name),
        "horizon": duration(len(forecast.mean) * forecast.clock.step),
        "simple": name in material.fallback,
    }


def _replay(material: Material, name: str) -> dict[str, Any]:
    assert material.scores is not None  # only scored sensors have something to replay
    again = measures.replay(material.scores.detail, name)
    frame = material.scores.detail.frame
    # Only what the forecasts are compared with, not the days before.
    meanwhile = frame.since(frame.clock.index(again.clock.start))
    figure = plot_forecast(again, meanwhile, [name])
    return {"figure": _bare(figure), "note": _note(figure, again)}


def _bare(figure: Any) -> Any:
    """Without what the page says by itself: legend, title and time zone."""
    figure.layout.annotations = ()  # an update would merge, and keep them
    figure.update_layout(showlegend=False, margin_t=8)
    return figure.update_xaxes(title=None)


def _note(figure: Any, forecast: Forecast) -> str:
    steps = figure.layout.meta["steps"]
    return (
        ""
        if steps == 1
        else f"Each point is the mean over {duration(steps * forecast.clock.step)}."
    )


def _rows(forecast: Forecast, name: str) -> list[list[str]]:
    """The forecast in numbers: time, forecast, and the edges of the 90 % interval."""
    column, every = forecast.sensors.index(name), -(-len(forecast.mean) // MOST_ROWS)
    return [
        [
            forecast.clock.text(step),
            number(float(forecast.point[step, column])),
            number(float(forecast.quantiles[step, column, 0])),
            number(float(forecast.quantiles[step, column, -1])),
        ]
        for step in range(0, len(forecast.mean), every)
    ]
