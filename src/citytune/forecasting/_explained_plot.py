"""The picture of an explanation: bars of what moved a forecast."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from citytune.forecasting._explanation import Explanation
    from citytune.pictures import Chart

LABELS = {"expert": "expert", "past": "past", "covariate": "ahead"}
COLOURS = {"expert": "#0072b2", "past": "#00775a", "covariate": "#b34700"}
MOST = 12


def plot_explanation(found: Explanation) -> Chart:
    """Bars, the largest at the top; in colour what kind of thing each is."""
    import plotly.graph_objects as go

    from citytune.pictures import Chart

    effects = sorted((*found.experts, *found.past, *found.covariates), key=lambda e: e.size)[-MOST:]
    figure = Chart()
    for kind, label in LABELS.items():
        own = [one for one in effects if one.kind == kind]
        if own:
            figure.add_trace(
                go.Bar(
                    x=[float(f"{one.mean:.6g}") for one in own],
                    y=[html.escape(one.words) for one in own],
                    orientation="h", name=label, marker={"color": COLOURS[kind]},
                    hovertemplate="%{x:+,.3~r}",
                )
            )  # fmt: skip
    unit = f" ({html.escape(found.quantity.unit)})" if found.quantity.unit else ""
    figure.update_layout(template="plotly_white", margin={"l": 10, "r": 10, "t": 30, "b": 40})
    figure.update_xaxes(title=f"moved the forecast on average by{unit}")
    figure.update_yaxes(
        automargin=True, categoryorder="array",
        categoryarray=[html.escape(one.words) for one in effects],
    )  # fmt: skip
    return figure
