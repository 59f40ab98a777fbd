"""Whether the intervals can be trusted: expected against observed shares."""

from __future__ import annotations

from typing import Any

from citytune._text import percent
from citytune.evaluation import describe_coverage
from citytune.forecasting import LEVELS
from citytune.reporting import _charts as charts
from citytune.reporting import _measures as measures
from citytune.reporting._material import Material


def intervals(material: Material) -> dict[str, Any] | None:
    """Observed shares below each quantile; None if nothing was measured."""
    observed = None if material.scores is None else measures.coverage(material.scores.detail)
    if observed is None:
        return None
    return {
        "text": describe_coverage(material.metric("tuned", "coverage_90")),
        "figure": charts.calibration(observed),
        "rows": [
            [percent(level), percent(float(share), 1)]
            for level, share in zip(LEVELS, observed, strict=True)
        ],
    }
