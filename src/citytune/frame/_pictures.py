"""Pictures of what was measured: a calendar, and how it varies by hour, weekday and month.

In the manner of `calendarPlot` and `timeVariation` of openair (Carslaw and Ropkins 2012,
doi:10.1016/j.envsoft.2011.09.008).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError, UnknownName
from citytune._text import number
from citytune.pictures import BAND, BLUE, GRID, SCALE, Chart, dressed, panels

if TYPE_CHECKING:
    from citytune.frame._frame import SensorFrame

Values = NDArray[np.float64]
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HOW: dict[str, Callable[[Values], Any]] = {
    "mean": np.nanmean,
    "max": np.nanmax,
    "min": np.nanmin,
    "sum": np.nansum,
}
MOST_MONTHS = 12
COLUMNS = 4


def calendar_picture(frame: SensorFrame, sensor: str | None, how: str) -> Chart:
    """Each day of the last twelve months as a square, darker where more was measured."""
    import plotly.graph_objects as go

    if how not in HOW:
        raise UnknownName("way to sum up a day", how, HOW)
    name, values = _of(frame, sensor)
    days, daily = _daily(frame, values, how)
    months = np.unique(days.astype("datetime64[M]"))[-MOST_MONTHS:]
    rows = math.ceil(len(months) / COLUMNS)
    titles = [f"{MONTHS[month.item().month - 1]} {month.item().year}" for month in months]
    figure = panels(
        rows=rows, cols=COLUMNS, subplot_titles=titles, horizontal_spacing=0.05,
        vertical_spacing=0.3 / rows if rows > 1 else 0,
    )  # fmt: skip
    for i, month in enumerate(months):
        z, text = _month(month, days, daily)
        square = go.Heatmap(
            z=z, text=text, x=[day[:1] + " " * k for k, day in enumerate(WEEKDAYS)],
            y=[str(week + 1) for week in range(len(z))], texttemplate="%{text}",
            coloraxis="coloraxis", xgap=1, ygap=1, hovertemplate="day %{text}: %{z:,.4~r}",
        )  # fmt: skip
        figure.add_trace(square, row=i // COLUMNS + 1, col=i % COLUMNS + 1)
    dressed(figure, f"{name}: daily {how} of {frame.quantity.name.replace('_', ' ')}{_zone(frame)}",
            height=120 + 190 * rows, width=900)  # fmt: skip
    shown = daily[np.isin(days.astype("datetime64[M]"), months)]
    title = f"daily {how}" + (f", {frame.quantity.unit}" if frame.quantity.unit else "")
    bar = {"title": {"text": title}, "orientation": "h", "y": -0.1, "len": 0.4, "x": 0.2}
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    figure.update_layout(
        coloraxis={"colorscale": SCALE, "cmin": low, "cmax": max(high, low + 1e-9), "colorbar": bar}
    )
    figure.update_yaxes(autorange="reversed", showticklabels=False, showgrid=False)
    figure.update_xaxes(showgrid=False)
    return figure


def variation_picture(frame: SensorFrame, sensor: str | None) -> Chart:
    """Mean by hour of the week, hour, month and weekday, with its 95 % interval."""
    if frame.clock.steps_per_day < 2:
        raise InputError(
            f"{frame.source} has one value a day or fewer, and hours need more; "
            "plot_calendar draws days"
        )
    name, values = _of(frame, sensor)
    calendar = frame.calendar()
    a_day = frame.clock.steps_per_day
    months = frame.clock.local(0, len(frame)).astype("datetime64[M]").astype(int) % 12
    hour, weekday = calendar.slot * 24 / a_day, calendar.weekday.astype(int)
    figure = panels(
        rows=2, cols=3, specs=[[{"colspan": 3}, None, None], [{}, {}, {}]],
        subplot_titles=["By hour of the week", "By hour", "By month", "By weekday"],
        vertical_spacing=0.22, horizontal_spacing=0.07,
    )  # fmt: skip
    week = weekday * a_day + calendar.slot
    _mean_line(figure, values, week, calendar.day, week * 24 / a_day, (1, 1))
    _mean_line(figure, values, calendar.slot, calendar.day, hour, (2, 1))
    _mean_line(figure, values, months, calendar.day, months.astype(float), (2, 2))
    _mean_line(figure, values, weekday, calendar.day, weekday.astype(float), (2, 3))
    quantity = frame.quantity
    dressed(figure, f"{name}: how {quantity.name.replace('_', ' ')} varies", height=560, width=900)
    figure.update_layout(showlegend=True)
    noons = [24 * day + 12 for day in range(7)]
    figure.update_xaxes(tickvals=noons, ticktext=WEEKDAYS, title=f"weekday and hour{_zone(frame)}",
                        row=1, col=1)  # fmt: skip
    figure.update_xaxes(tickvals=[0, 6, 12, 18, 24], title=f"hour{_zone(frame)}", row=2, col=1)
    figure.update_xaxes(tickvals=list(range(12)), ticktext=[m[0] for m in MONTHS], title="month",
                        row=2, col=2)  # fmt: skip
    figure.update_xaxes(tickvals=list(range(7)), ticktext=WEEKDAYS, title="weekday", row=2, col=3)
    for row, column in ((1, 1), (2, 1)):
        label = quantity.unit or quantity.name
        figure.update_yaxes(title=label, row=row, col=column)
    for day in range(1, 7):
        figure.add_vline(x=24 * day, line={"color": GRID, "width": 1}, layer="below", row=1, col=1)
    return figure


def _of(frame: SensorFrame, sensor: str | None) -> tuple[str, Values]:
    """One sensor's values, or the mean of all at each step; refused where nothing is known."""
    name = sensor or (frame.sensors[0] if len(frame.sensors) == 1 else None)
    part = frame.values if name is None else frame.select([name]).values
    known = np.isfinite(part)
    if not known.any():
        raise InputError(
            f"nothing was measured by {name or 'any sensor'}; there is nothing to draw"
        )
    count = known.sum(1)
    total = np.where(known, part, 0).sum(1, dtype=np.float64)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return name or f"Mean of {len(frame.sensors)} sensors", mean


def _zone(frame: SensorFrame) -> str:
    return f" (local time, {frame.clock.timezone})" if frame.clock.timezone else ""


def _daily(frame: SensorFrame, values: Values, how: str) -> tuple[NDArray[np.datetime64], Values]:
    """Each day and its value; NaN where nothing was measured."""
    days = frame.clock.local(0, len(frame)).astype("datetime64[D]")
    distinct, first = np.unique(days, return_index=True)
    parts = np.split(values, first[1:])
    found = [float(HOW[how](part)) if np.isfinite(part).any() else math.nan for part in parts]
    return distinct, np.array(found)


def _month(
    month: np.datetime64, days: NDArray[np.datetime64], daily: Values
) -> tuple[Values, list[list[str]]]:
    """(week, weekday) values of a month, and the number of each day; six weeks, Monday first."""
    first = month.astype("datetime64[D]")
    length = int(((month + 1).astype("datetime64[D]") - first).astype(int))
    start = (int(first.astype(int)) + 3) % 7
    z, text = np.full((6, 7), np.nan), [[""] * 7 for _ in range(6)]
    known = dict(zip(days.tolist(), daily.tolist(), strict=True))
    for day in range(length):
        week, weekday = divmod(start + day, 7)
        z[week, weekday] = known.get((first + day).item(), math.nan)
        text[week][weekday] = str(day + 1)
    return z, text


def _mean_line(
    figure: Chart,
    values: Values,
    group: NDArray[Any],
    day: NDArray[np.int64],
    at: NDArray[np.float64],
    cell: tuple[int, int],
) -> None:
    """The mean of each group of steps with its 95 % interval, days taken as independent."""
    import plotly.graph_objects as go

    x: list[float | None] = []
    mean: list[float] = []
    reach: list[float] = []
    last = 0
    for one in range(int(group.max()) + 1):
        inside = (group == one) & np.isfinite(values)
        if not inside.any():
            continue
        if x and one - last > 1:  # a line does not cross what was never measured
            x, mean, reach = [*x, None], [*mean, math.nan], [*reach, math.nan]
        last = one
        by_day = np.unique(day[inside], return_inverse=True)[1]
        means = np.bincount(by_day, values[inside]) / np.bincount(by_day)
        x.append(float(at[group == one][0]))
        mean.append(float(values[inside].mean()))
        spread = means.std(ddof=1) if len(means) > 1 else math.nan
        reach.append(1.96 * spread / math.sqrt(len(means)))
    low, high = np.array(mean) - np.nan_to_num(reach), np.array(mean) + np.nan_to_num(reach)
    edge_x, edge_y = _outlines(x, low, high)
    once = cell == (1, 1)
    outline = go.Scatter(
        x=edge_x, y=edge_y, fill="toself", fillcolor=BAND, mode="lines",
        line={"width": 0, "color": BAND}, name="95 % interval of the mean", hoverinfo="skip",
        showlegend=once,
    )  # fmt: skip
    line = go.Scatter(
        x=x, y=[one if math.isfinite(one) else None for one in mean],
        mode="lines" if len(x) > 16 else "lines+markers", name="mean",
        line={"color": BLUE, "width": 2}, showlegend=once, marker={"size": 6},
        hovertemplate="%{y:,.4~r}", text=[number(one) for one in mean],
    )  # fmt: skip
    for trace in (outline, line):
        figure.add_trace(trace, row=cell[0], col=cell[1])


def _outlines(
    x: list[float | None], low: Values, high: Values
) -> tuple[list[float | None], list[float | None]]:
    """A band as closed outlines, one for each stretch without a gap."""
    gaps = [i for i, one in enumerate(x) if one is None]
    edge_x: list[float | None] = []
    edge_y: list[float | None] = []
    for first, last in itertools.pairwise([-1, *gaps, len(x)]):
        part = slice(first + 1, last)
        edge_x += [*x[part], *reversed(x[part]), None]
        edge_y += [*high[part].tolist(), *reversed(low[part].tolist()), None]
    return edge_x, edge_y
