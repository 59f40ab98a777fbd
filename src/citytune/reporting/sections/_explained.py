"""Why the forecast that matters most is what it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from citytune._text import number, percent
from citytune.forecasting import is_safe
from citytune.reporting._material import Material

KINDS = {"expert": "expert", "past": "past", "covariate": "known ahead"}


def explained(material: Material) -> dict[str, Any] | None:
    """The explanation of the first sensor of the outlook that has one; None without any."""
    explainer = material.forecast.explainer
    if explainer is None:
        return None
    there = {*explainer.admitted.present}
    names = [row.sensor for row in material.outlook.rows if row.sensor in there]
    sensor = next((name for name in names if _has_forecast(material, name)), None)
    if sensor is None:
        return None
    found = material.forecast.explain(sensor)
    effects = (*found.experts, *found.past, *found.covariates)
    return {
        "sensor": sensor,
        "words": found.words(),
        "figure": found.plot(),
        "unit": material.unit,
        "rows": [
            [
                KINDS[one.kind],
                one.words,
                percent(one.share) if one.kind == "expert" else "",
                number(one.mean),
                number(one.size),
            ]
            for one in effects
        ],
    }


def _has_forecast(material: Material, sensor: str) -> bool:
    column = material.forecast.sensors.index(sensor)
    known = bool(np.isfinite(material.forecast.point[:, column]).any())
    return known and not is_safe(material.forecast.quality[0, column])
