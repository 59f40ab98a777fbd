"""Draw the report's charts as plotly figures, all in one palette that also works in the dark."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from citytune._text import percent, plain
from citytune.forecasting import LEVELS
from citytune.frame import Quantity, SensorFrame
from citytune.reporting._measures import Profile, SensorError
from citytune.reporting._words import WEEKDAYS

if TYPE_CHECKING:
    import plotly.graph_objects as go

INK_COLOUR, GRID_COLOUR, MEASURED = "#424a53", "#d8dee4", "#1f2328"
TUNED, ZERO_SHOT, NAIVE = "#0072b2", "#b34700", "#00775a"
DARK = {
    INK_COLOUR: "#b7bfc8", GRID_COLOUR: "#343b43", MEASURED: "#f0f3f6",
    TUNED: "#6cb8f0", ZERO_SHOT: "#ff9a52", NAIVE: "#4fd1a5",
    "rgba(0,114,178,0.18)": "rgba(108,184,240,0.28)",
    "rgba(0,114,178,0.30)": "rgba(108,184,240,0.42)",
}  # fmt: skip
"""Each colour of a light page and the one it becomes on a dark page."""

# Lines differ in colour, dashes and marks, so that any one of the three is enough.
_LOOKS = {
    "tuned": {"line": {"color": TUNED, "width": 2.5}, "marker": {"symbol": "circle", "size": 7}},
    "zero-shot": {
        "line": {"color": ZERO_SHOT, "width": 2, "dash": "6px,3px"},
        "marker": {"symbol": "square-open", "size": 7},
    },
    "naive": {
        "line": {"color": NAIVE, "width": 2, "dash": "2px,3px"},
        "marker": {"symbol": "diamond-open", "size": 8},
    },
}


def look(name: str) -> str:
    """Which look a model's line has: its own, or that of the naive forecasts."""
    return name if name in _LOOKS else "naive"


def error_profile(
    profile: Profile, names: Mapping[str, str], quantity: Quantity, axis: str, **layout: Any
) -> go.Figure:
    """Mean absolute error along an axis, one line a model; the page carries the legend."""
    import plotly.graph_objects as go

    figure = go.Figure()
    marks = len(profile.at) <= 31
    for name, errors in profile.errors.items():
        figure.add_trace(
            go.Scatter(
                x=profile.at, y=[float(f"{error:.6g}") for error in errors],
                name=html.escape(names[name]), mode="lines+markers" if marks else "lines",
                hovertemplate="%{y:,.3~r}", **_LOOKS[look(name)],
            )
        )  # fmt: skip
    unit = f" ({quantity.unit})" if quantity.unit else ""
    _lay_out(figure, x=axis, y=f"mean error{html.escape(unit)}")
    figure.update_layout(showlegend=False)
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(**layout)
    return figure


def hour_ticks(profile: Profile) -> dict[str, Any]:
    """Axis settings for hours of the day."""
    at = list(range(0, 24, 3))
    return {"tickvals": at, "ticktext": [f"{hour:02d}:00" for hour in at], "range": [-0.5, 23.5]}


def weekday_ticks(profile: Profile) -> dict[str, Any]:
    """Axis settings for weekdays."""
    return {
        "tickvals": list(range(7)),
        "ticktext": list(WEEKDAYS),
        "range": [profile.at.min() - 0.5, profile.at.max() + 0.5],
    }


def calibration(observed: NDArray[np.float64]) -> go.Figure:
    """How often the measurement was below each quantile, against how often it should be."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(
        x=[0, 100], y=[0, 100], name="perfect", mode="lines", hoverinfo="skip",
        line={"color": INK_COLOUR, "width": 1.5, "dash": "2px,3px"},
    )  # fmt: skip
    figure.add_scatter(
        x=[100 * level for level in LEVELS], y=np.round(100 * observed, 2), name="observed",
        mode="lines+markers", line={"color": TUNED, "width": 2.5}, marker={"size": 8},
        hovertemplate="expected %{x:.0f} %, observed %{y:.1f} %<extra></extra>",
    )  # fmt: skip
    _lay_out(figure, x="expected below (%)", y="observed below (%)")
    figure.update_layout(hovermode="closest", legend={"y": -0.17})
    figure.update_xaxes(range=[0, 100], tickvals=[0, 25, 50, 75, 100])
    figure.update_yaxes(range=[0, 101], tickvals=[0, 25, 50, 75, 100])
    return figure


def error_map(frame: SensorFrame, sensors: Sequence[SensorError]) -> go.Figure | None:
    """Errors at their places, the larger the larger the mark; None for fewer than two places."""
    errors = {sensor.name: 100 * sensor.relative for sensor in sensors}
    said = {sensor.name: f"error {percent(sensor.relative)} of its level" for sensor in sensors}
    return place_map(frame, errors, said, "error, % of level", sized=True)


def place_map(
    frame: SensorFrame,
    values: Mapping[str, float],
    said: Mapping[str, str],
    heading: str,
    *,
    sized: bool = False,
) -> go.Figure | None:
    """Values at their places, without a street map; None for fewer than two places.

    Args:
        frame: Knows the places.
        values: Sensor → what its colour means.
        said: Sensor → the same in words.
        heading: Of the colours.
        sized: Whether larger values have larger marks.
    """
    import plotly.graph_objects as go

    placed = located(frame, values)
    if len(placed) < 2:
        return None
    shown = np.array([values[name] for name, _, _ in placed])
    size = 9 + 15 * (shown - shown.min()) / max(float(np.ptp(shown)), 1e-9)
    figure = go.Figure(
        go.Scatter(
            x=[east for _, _, east in placed], y=[north for _, north, _ in placed],
            text=[_label(name) for name, _, _ in placed],
            customdata=[html.escape(said[name]) for name, _, _ in placed],
            mode="markers+text" if len(placed) <= 12 else "markers",
            textposition="top center", cliponaxis=False,
            hovertemplate="%{text}: %{customdata}<extra></extra>",
            marker={
                "size": size if sized else 16 if len(placed) <= 60 else 10,
                "color": [float(f"{value:.4g}") for value in shown],
                "colorscale": "Cividis", "reversescale": True,
                "line": {"color": INK_COLOUR, "width": 1},
                "colorbar": {
                    "title": {"text": html.escape(heading), "side": "top", "font": {"size": 13}},
                    "orientation": "h", "thickness": 12, "len": 0.6,
                    "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom",
                },
            },
        )
    )  # fmt: skip
    _lay_out(figure, x="", y="")
    _same_scale(figure, placed)
    return figure


def located(frame: SensorFrame, values: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """Sensors with a known place and value, as (sensor, latitude, longitude)."""
    if frame.places is None:
        return []
    places = dict(zip(frame.sensors, frame.places.tolist(), strict=True))
    found = []
    for name, value in values.items():
        north, east = places.get(name, (math.nan, math.nan))
        if math.isfinite(value + north + east):
            found.append((name, north, east))
    return found


def by_week(
    weeks: Sequence[str], lines: Mapping[str, Sequence[float]], axis: str, aim: float | None = None
) -> go.Figure:
    """A number for each week: the first line is the forecast's, the second what it is to match.

    Args:
        weeks: Mondays.
        lines: Name → a value a week.
        axis: What is drawn, with its unit.
        aim: Where the line should be.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for (name, values), style in zip(lines.items(), ("tuned", "naive"), strict=False):
        figure.add_scatter(
            x=list(weeks), y=[plain(value, 4) for value in values], name=html.escape(name),
            mode="lines+markers", hovertemplate="%{y:,.3~r}", **_LOOKS[style],
        )  # fmt: skip
    if aim is not None:
        figure.add_hline(aim, line={"color": INK_COLOUR, "width": 1.5, "dash": "2px,3px"})
    _lay_out(figure, x="week from", y=axis)
    figure.update_layout(showlegend=len(lines) > 1)
    figure.update_xaxes(type="date", hoverformat="%Y-%m-%d", tickformat="%Y-%m-%d", nticks=6)
    return figure.update_yaxes(rangemode="tozero")


def _same_scale(figure: go.Figure, placed: Sequence[tuple[str, float, float]]) -> None:
    """A kilometre north as long as a kilometre east, with room for marks at the edge."""
    north = [place[1] for place in placed]
    east = [place[2] for place in placed]
    shrink = max(0.05, math.cos(math.radians(sum(north) / len(north))))
    pad = 0.15 * max(max(north) - min(north), (max(east) - min(east)) * shrink, 1e-3)
    figure.update_layout(hovermode="closest", showlegend=False)
    figure.update_yaxes(
        range=[min(north) - pad, max(north) + pad], scaleanchor="x", scaleratio=1 / shrink,
        tickformat=".3~f", ticksuffix="°", nticks=6,
    )  # fmt: skip
    figure.update_xaxes(
        range=[min(east) - pad / shrink, max(east) + pad / shrink],
        tickformat=".3~f", ticksuffix="°", nticks=6,
    )  # fmt: skip


def _label(name: str) -> str:
    return html.escape(name if len(name) <= 18 else name[:17] + "…")


def dress(figure: go.Figure) -> go.Figure:
    """Let a figure take on the page's own background."""
    clear = "rgba(0,0,0,0)"
    return figure.update_layout(
        paper_bgcolor=clear,
        plot_bgcolor=clear,
        hoverlabel={"namelength": -1},
        modebar={"bgcolor": clear, "color": INK_COLOUR, "activecolor": MEASURED},
    )


def _lay_out(figure: go.Figure, *, x: str, y: str) -> None:
    figure.update_layout(
        template="none", margin={"l": 8, "r": 16, "t": 8, "b": 8},
        hovermode="x unified", showlegend=True,
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK_COLOUR},
        legend={"orientation": "h", "y": -0.27, "yanchor": "top", "x": 0},
    )  # fmt: skip
    shared = {
        "gridcolor": GRID_COLOUR,
        "automargin": True,
        "zeroline": False,
        "ticklabelstandoff": 4,
    }
    figure.update_xaxes(title={"text": x, "standoff": 8, "font": {"size": 13}}, **shared)
    figure.update_yaxes(
        title={"text": y, "standoff": 8, "font": {"size": 13}},
        separatethousands=True, exponentformat="power", **shared,
    )  # fmt: skip
