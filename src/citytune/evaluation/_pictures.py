"""Pictures of a backtest: who is better by how much, and when the forecast is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from citytune.evaluation._detail import Detail
from citytune.pictures import BLUE, INK, LINES, Chart, dressed, panels

if TYPE_CHECKING:
    from citytune.evaluation._leaderboard import Leaderboard

Floats = NDArray[Any]


def board_picture(board: Leaderboard, call: Callable[[str], str] = str) -> Chart:
    """Each model's error over that of the reference, with its confidence interval."""
    import plotly.graph_objects as go

    rows = [one for one in reversed(board.standings) if math.isfinite(one.ratio)]
    ratio = [one.ratio for one in rows]

    def reach(ends: list[float]) -> list[float]:
        gaps = np.abs(np.array(ends) - ratio)
        return [float(gap) if math.isfinite(gap) else 0.0 for gap in gaps]

    figure = panels(rows=1, cols=1)
    figure.add_trace(
        go.Scatter(
            x=ratio, y=list(range(len(rows))), mode="markers", marker={"color": BLUE, "size": 10},
            error_x={
                "type": "data", "array": reach([one.ratio_high for one in rows]),
                "arrayminus": reach([one.ratio_low for one in rows]), "color": BLUE,
            },
            text=[one.verdict for one in rows], hovertemplate="%{x:.3f}, %{text}",
            showlegend=False,
        )
    )  # fmt: skip
    dressed(figure, f"Mean absolute error over that of {call(board.reference)}",
            height=180 + 38 * len(rows), width=900)  # fmt: skip
    names = [f"{one.model} ({one.verdict})" for one in rows]
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=names)
    figure.update_xaxes(title="ratio of errors with its 95 % interval; left is better")
    figure.update_layout(margin={"l": 30 + 7 * max(map(len, names), default=0)})
    figure.add_vline(x=1, line={"color": INK, "width": 1, "dash": "dot"})
    return figure


def hours_picture(detail: Detail, models: Sequence[str]) -> Chart:
    """Mean absolute error by how far ahead, and by hour of the day, a line for each model."""
    import plotly.graph_objects as go

    clock, fair = detail.frame.clock, detail.fair
    steps = detail.origin_index[:, None] + np.arange(fair.shape[1])
    hours = 24 / clock.steps_per_day
    first = int(steps.min())
    slot = detail.frame.calendar(first, int(steps.max()) + 1 - first).slot[steps - first]
    figure = panels(rows=1, cols=2, horizontal_spacing=0.09,
                    subplot_titles=["By how far ahead", "By hour of the day"])  # fmt: skip
    for i, name in enumerate(models):
        error = np.abs(detail.points[name].astype(float) - fair)
        lead = _means(error, np.broadcast_to(np.arange(fair.shape[1]), slot.shape), fair.shape[1])
        day = _means(error, slot, clock.steps_per_day)
        ahead = hours * np.arange(1, len(lead) + 1)
        for column, (x, y) in enumerate(((ahead, lead), (hours * np.arange(len(day)), day)), 1):
            dash = ("solid", "dash", "dot")[i % 3]
            look = {"color": LINES[i % len(LINES)], "width": 2, "dash": dash}
            line = go.Scatter(x=x.tolist(), y=_listed(y), name=name, mode="lines", line=look,
                              showlegend=column == 1, hovertemplate="%{y:,.4~r}")  # fmt: skip
            figure.add_trace(line, row=1, col=column)
    quantity = detail.frame.quantity
    said = "" if len(set((detail.origin_index % clock.steps_per_day).tolist())) > 1 else (
        "; all forecasts begin at one hour, so both panels show the same"
    )  # fmt: skip
    dressed(figure, f"Mean absolute error of {quantity.name.replace('_', ' ')}{said}",
            height=420, width=900)  # fmt: skip
    zone = f" (local time, {clock.timezone})" if clock.timezone else ""
    figure.update_xaxes(title="hours ahead", row=1, col=1)
    figure.update_xaxes(title=f"hour{zone}", tickvals=[0, 6, 12, 18, 24], row=1, col=2)
    figure.update_yaxes(rangemode="tozero")
    figure.update_yaxes(title=quantity.unit or quantity.name, row=1, col=1)
    return figure


def _means(error: Floats, group: Floats, count: int) -> Floats:
    """Mean of (origin, horizon, sensor) by a group for each (origin, horizon)."""
    known = np.isfinite(error)
    total = np.bincount(group.ravel(), np.where(known, error, 0).sum(2).ravel(), count)
    values = np.bincount(group.ravel(), known.sum(2).ravel(), count)
    return np.where(values > 0, total / np.maximum(values, 1), np.nan)


def _listed(values: Floats) -> list[float | None]:
    return [float(one) if math.isfinite(one) else None for one in values]
