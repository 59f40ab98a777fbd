"""How the errors were measured, and how long everything took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from citytune.reporting._material import Material
from citytune.reporting._numbers import duration, plural, seconds

if TYPE_CHECKING:
    from citytune.evaluation import Scores


def method(material: Material) -> dict[str, Any]:
    """The holdout in words and numbers, and the seconds of each stage."""
    scores, model = material.scores, material.model
    until = model.clock.text(model.clock.index(model.trained_until))
    facts = [] if scores is None else _holdout(material, scores)
    return {
        "how": _how(scores),
        "facts": [*facts, ("Model fitted on all up to", until)],
        "seconds": [
            (name.replace("_", " "), seconds(took)) for name, took in model.seconds.items()
        ],
    }


def _how(scores: Scores | None) -> str:
    if scores is None:
        return (
            "Nothing was measured: holding part of so short a history back would have left too "
            "little to learn from."
        )
    if scores.refitted:
        return (
            "The last part of the history was set aside. A model fitted only on what came before "
            "it made the forecasts that are scored here; the model that forecasts onward was then "
            "fitted on everything."
        )
    return "The model was scored as it is, on readings newer than any it was fitted on."


def _holdout(material: Material, scores: Scores) -> list[tuple[str, str]]:
    actual, step = scores.detail.actual, material.frame.clock.step
    origins = plural(scores.origins, "origin")
    known = int(np.isfinite(actual).sum())
    return [
        ("Held out", f"{scores.holdout_start} to {scores.holdout_end}"),
        ("Forecasts made", f"from {origins}, each {duration(actual.shape[1] * step)} ahead"),
        ("Values compared", f"{known:,}; missing ones do not count"),
    ]
