"""The picture of an explanation: bars of what moved a forecast."""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from citytune.forecasting._explanation import Explanation
    from citytune.pictures import Chart

LABELS = {
    "expert": "a part of the model", "past": "what was measured", "covariate": "what is known ahead"
}  # fmt: skip
MOST_BARS = 12
LABEL_LETTERS = 24
"""Letters of a line of a label: so short a one leaves a phone room for bars."""
LINE_HEIGHT, AROUND = 17, 110
"""Pixels of a line of a label, and of what stands above and below the bars."""


def plot_explanation(found: Explanation) -> Chart:
    """Bars, the largest at the top; in colour what kind of thing each is."""
    import plotly.graph_objects as go

    from citytune.pictures import BLUE, GREEN, GRID, INK, ORANGE, Chart

    colours = {"expert": BLUE, "past": GREEN, "covariate": ORANGE}
    effects = sorted((*found.experts, *found.past, *found.covariates), key=lambda e: e.size)[
        -MOST_BARS:
    ]
    figure = Chart()
    for kind, label in LABELS.items():
        own = [one for one in effects if one.kind == kind]
        if own:
            figure.add_trace(
                go.Bar(
                    x=[float(f"{one.mean:.6g}") for one in own],
                    y=[_label(one.words) for one in own],
                    orientation="h", name=label, marker={"color": colours[kind]},
                    hovertemplate="%{x:+,.3~r}",
                )
            )  # fmt: skip
    names = [_label(one.words) for one in effects]
    lines = max((name.count("<br>") + 1 for name in names), default=1)
    unit = f" ({html.escape(found.quantity.unit)})" if found.quantity.unit else ""
    figure.update_layout(
        template="none", margin={"l": 10, "r": 10, "t": 30, "b": 40}, barmode="overlay",
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        height=AROUND + LINE_HEIGHT * lines * len(names),
    )  # fmt: skip
    look = {"gridcolor": GRID, "automargin": True}
    figure.update_xaxes(
        title={"text": f"moved by{unit}, on average", "font": {"size": 13}},
        zerolinecolor=INK,
        nticks=5,
        **look,
    )
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=names,
        **look,
    )
    return figure


def _label(words: str) -> str:
    return "<br>".join(map(html.escape, textwrap.wrap(words, LABEL_LETTERS)))
