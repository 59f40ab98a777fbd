"""Draw a forecast: recent measurements, the forecast, and its intervals."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError, UnknownName
from citytune._text import percent
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.pictures import BLUE, DARK, GRID, INK, THRESHOLD_COLOUR, Chart, panels

if TYPE_CHECKING:
    from citytune.forecasting._forecast import Forecast

BANDS = ((0.9, "rgba(0,114,178,0.18)"), (0.5, "rgba(0,114,178,0.30)"))
"""Central intervals drawn, widest first, with their fill."""
MOST_POINTS = 800
"""More steps than this are averaged in blocks: a screen shows no more."""
MOST_SENSORS = 6
"""Panels drawn when nobody says which sensors."""


def plot_forecast(
    forecast: Forecast,
    recent: SensorFrame | None = None,
    sensors: Sequence[str] | None = None,
    *,
    sensor: str | None = None,
    threshold: float | None = None,
) -> Chart:
    """Chart a forecast with its 50 % and 90 % intervals, one panel a sensor.

    Args:
        forecast: What to draw.
        recent: The measurements before it, and after it where they are known by now, on the
            forecast's own clock; they may start and end anywhere.
        sensors: Which sensors, in which order; the first six if not given.
        sensor: One sensor alone.
        threshold: A line to draw, in the unit of the data.

    Returns:
        A plotly figure in the unit of the data and in local time; `layout.meta["steps"]` is how
        many steps one drawn point stands for (over 1 where there are too many to draw).
    """
    names = _chosen(forecast, sensors if sensor is None else [sensor])
    if recent is not None:
        _check_clock(forecast, recent)
    figure = panels(
        rows=len(names),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.22 / len(names),
        subplot_titles=[html.escape(name) for name in names],
    )
    named: set[str] = set()
    for row, name in enumerate(names, start=1):
        for trace in _traces(forecast, recent, name):
            figure.add_trace(trace.update(showlegend=trace.name not in named), row=row, col=1)
            named.add(trace.name)
    _lay_out(figure, forecast, len(names))
    if recent is not None and _stretch(forecast, recent)[0] < 0:
        start = _text(forecast.clock.local(0, 1))[0]
        figure.add_vline(x=start, line={"color": INK, "width": 1, "dash": "dot"})
    if threshold is not None:
        if not math.isfinite(threshold):
            raise InputError(f"a threshold is a number to draw a line at, got {threshold!r}")
        figure.add_hline(
            y=threshold, line={"color": THRESHOLD_COLOUR, "width": 1.5, "dash": "dash"}
        )
    figure.update_layout(meta={"steps": _block(forecast, recent)})
    return figure


def _check_clock(forecast: Forecast, recent: SensorFrame) -> None:
    """Refuse measurements that do not fit the forecast's clock."""
    ours, theirs = forecast.clock, recent.clock
    if ours.step != theirs.step or (ours.timezone is None) != (theirs.timezone is None):
        raise InputError(
            f"{recent.source} has another clock ({_describe(theirs)}) than the forecast "
            f"({_describe(ours)}); use the table that the forecast was made from"
        )


def _describe(clock: Clock) -> str:
    return f"a row every {clock.freq}, {clock.timezone or 'no time zone'}"


def _block(forecast: Forecast, recent: SensorFrame | None) -> int:
    """Steps averaged into one point of the chart; 1 if every step is drawn."""
    before = 0 if recent is None else max(0, -_stretch(forecast, recent)[0])
    return -(-(len(forecast.mean) + before) // MOST_POINTS)


def _chosen(forecast: Forecast, sensors: Sequence[str] | None) -> list[str]:
    if sensors is None:
        return list(forecast.sensors[:MOST_SENSORS])
    for name in sensors:
        if name not in forecast.sensors:
            raise UnknownName("sensor", name, forecast.sensors)
    return list(sensors)


def _traces(forecast: Forecast, recent: SensorFrame | None, name: str) -> list[Any]:
    column = forecast.sensors.index(name)
    size = _block(forecast, recent)
    values = np.column_stack([forecast.point[:, column], forecast.quantiles[:, column]])
    times, drawn = _points(forecast.clock, 0, values, size)
    point, quantiles = drawn[:, 0], drawn[:, 1:]  # (point,), (point, level)
    traces = [
        _band(times, _at(quantiles, forecast.levels, 0.5 - share / 2),
              _at(quantiles, forecast.levels, 0.5 + share / 2), share, fill)
        for share, fill in BANDS
    ]  # fmt: skip
    traces.append(_line(times, point, quantiles[:, [0, -1]], forecast.quantity.unit))
    if recent is not None and name in recent.sensors:
        traces.append(_measured(forecast, recent, name, size))
    return traces


def _points(
    clock: Clock, first: int, values: NDArray[Any], size: int
) -> tuple[list[str], NDArray[np.float64]]:
    """Wall times and values to draw from step `first` on; a line breaks where wall time goes back.

    In the hour that autumn repeats, each of the two passes is a line of its own.
    """
    times = clock.local(first, len(values))[::size]
    drawn = _thin(values, size)
    back = np.flatnonzero(np.diff(times) < np.timedelta64(0)) + 1
    return _text(np.insert(times, back, times[back])), np.insert(drawn, back, np.nan, axis=0)


def _at(quantiles: NDArray[Any], levels: Sequence[float], level: float) -> NDArray[np.float64]:
    """The quantile at `level`, interpolated between the two levels that carry it."""
    right = int(np.clip(np.searchsorted(levels, level), 1, len(levels) - 1))
    share = (level - levels[right - 1]) / (levels[right] - levels[right - 1])
    return np.asarray((1 - share) * quantiles[..., right - 1] + share * quantiles[..., right])


def _stretch(forecast: Forecast, recent: SensorFrame) -> tuple[int, int]:
    """First and last (exclusive) step of `recent` to draw, counted from the forecast's step 0."""
    horizon, a_day = len(forecast.mean), forecast.clock.steps_per_day
    origin = recent.clock.index(forecast.clock.start)
    before = max(3 * a_day, horizon, 28 if a_day == 1 else 0)
    first, last = max(0, origin - before), min(len(recent), origin + horizon)
    return first - origin, max(first, last) - origin


def _measured(forecast: Forecast, recent: SensorFrame, name: str, size: int) -> Any:
    import plotly.graph_objects as go

    origin = recent.clock.index(forecast.clock.start)
    first, last = (origin + edge for edge in _stretch(forecast, recent))
    # Blocks are counted back from the forecast's start, so that none straddles it.
    first += (origin - first) % size
    column = recent.sensors.index(name)
    times, values = _points(recent.clock, first, recent.values[first:last, column], size)
    return go.Scatter(
        x=times,
        y=_short(values),
        name="measured",
        mode="lines",
        line={"color": DARK, "width": 1.6},
        hovertemplate="%{y:,.4~r}",
    )


def _band(times: list[str], low: NDArray[Any], high: NDArray[Any], share: float, fill: str) -> Any:
    import plotly.graph_objects as go

    x: list[str | None] = []
    y: list[float | None] = []
    for run in _runs(np.isfinite(low) & np.isfinite(high)):
        there = times[run]
        x += [*there, *reversed(there), None]
        y += [*_short(high[run]), *reversed(_short(low[run])), None]
    return go.Scatter(
        x=x, y=y, name=f"{percent(share)} interval", fill="toself", fillcolor=fill,
        mode="lines", line={"width": 0, "color": fill}, hoverinfo="skip",
    )  # fmt: skip


def _line(times: list[str], mean: NDArray[Any], edges: NDArray[Any], unit: str) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        x=times,
        y=_short(mean),
        customdata=[_short(edge) for edge in edges],
        name="forecast",
        mode="lines" if np.isfinite(mean).sum() > 1 else "markers",
        line={"color": BLUE, "width": 2, "dash": "6px,2px"},
        hovertemplate=f"%{{y:,.4~r}} {html.escape(unit)}".rstrip()
        + " (90 %: %{customdata[0]:,.4~r} to %{customdata[1]:,.4~r})",
    )


def _lay_out(figure: Chart, forecast: Forecast, panels: int) -> None:
    figure.update_layout(
        template="none",
        height=320 if panels == 1 else 60 + 210 * panels,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        hovermode="x unified",
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        legend={
            "orientation": "h",
            "y": -(0.2 if forecast.clock.timezone is None else 0.3) / panels,
            "yanchor": "top",
            "x": 0,
            "traceorder": "reversed",
        },
    )
    shared = {
        "gridcolor": GRID,
        "automargin": True,
        "zeroline": False,
        "ticklabelstandoff": 4,
    }
    figure.update_xaxes(type="date", hoverformat="%a %Y-%m-%d %H:%M", **shared)
    if forecast.clock.timezone is not None:
        zone = f"local time, {forecast.clock.timezone}"
        figure.update_xaxes(
            title={"text": zone, "standoff": 4, "font": {"size": 12}}, row=panels, col=1
        )
    figure.update_yaxes(
        title={"text": _label(forecast.quantity), "standoff": 8, "font": {"size": 13}},
        rangemode=_range(forecast), separatethousands=True, exponentformat="power", **shared,
    )  # fmt: skip


def _label(quantity: Quantity) -> str:
    return html.escape(str(quantity).replace("_", " "))


def _range(forecast: Forecast) -> str:
    return "tozero" if forecast.quantity.low == 0 else "normal"


def _runs(there: NDArray[np.bool_]) -> list[slice]:
    """The stretches of True, as slices."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _thin(values: NDArray[Any], size: int) -> NDArray[np.float64]:
    """Means of blocks of `size` rows, over what is measured; NaN where nothing is."""
    if size == 1:
        return values.astype(np.float64)
    rows = -(-len(values) // size)
    padded = np.full((rows * size, *values.shape[1:]), np.nan)
    padded[: len(values)] = values
    blocks = padded.reshape(rows, size, *values.shape[1:])
    count = np.isfinite(blocks).sum(1)
    total = np.where(np.isfinite(blocks), blocks, 0.0).sum(1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _text(times: NDArray[np.datetime64]) -> list[str]:
    return [str(time) for time in times.astype("datetime64[s]")]


def _short(values: NDArray[Any]) -> list[float | None]:
    """Six significant digits: what a chart can show, at a third of the size; None for NaN."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
