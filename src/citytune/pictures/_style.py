"""One look for every picture: colours, letters, grids, axes that say unit and time zone."""

from __future__ import annotations

import html
from typing import Any

from citytune.pictures._chart import Chart

DARK = "#1f2328"
INK, GRID = "#424a53", "#d8dee4"
BLUE, ORANGE, GREEN, PINK = "#0072b2", "#b34700", "#00775a", "#a0477a"
"""After Okabe and Ito's palette, safe for colour-blind readers and dark enough for lines."""
LINES = (BLUE, ORANGE, GREEN, PINK, DARK)
THRESHOLD_COLOUR = "#b3261e"
"""Of a threshold."""
BAND = "rgba(0,114,178,0.20)"
SCALE = [[0.0, "#f3f7fb"], [0.25, "#b5d3ea"], [0.5, "#5ba3d0"], [0.75, "#1f6fa8"], [1.0, "#08306b"]]
"""From little to much, ever darker, so that it can be printed in grey."""


def panels(**layout: Any) -> Chart:
    """Panels in a grid; arguments as those of plotly's `make_subplots`."""
    from plotly.subplots import make_subplots

    figure: Chart = make_subplots(figure=Chart(), **layout)
    return figure


def dressed(figure: Chart, title: str, *, height: int, width: int | None = None) -> Chart:
    """The figure with a title, which is escaped, and the look that all have."""
    figure.update_layout(
        template="none",
        title={"text": html.escape(title), "x": 0, "xanchor": "left", "font": {"size": 16}},
        height=height,
        width=width,
        margin={"l": 70, "r": 20, "t": 80, "b": 60},
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        legend={"orientation": "h", "y": -0.12, "yanchor": "top", "x": 0},
    )
    look = {"gridcolor": GRID, "zeroline": False, "automargin": True, "ticklabelstandoff": 4}
    figure.update_xaxes(**look)
    figure.update_yaxes(**look)
    return figure
