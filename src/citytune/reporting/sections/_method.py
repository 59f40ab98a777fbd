"""How the errors were measured, and how long everything took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from citytune._text import counted, duration, elapsed
from citytune.reporting._material import Material

if TYPE_CHECKING:
    from citytune.evaluation import Scores


def method(material: Material) -> dict[str, Any]:
    """The test in words and numbers, and the seconds of each stage."""
    scores, model = material.scores, material.model
    until = model.clock.text(model.clock.index(model.trained_until))
    facts = [] if scores is None else _holdout(material, scores)
    final = material.fitted_again
    return {
        "how": _how(scores, final),
        "facts": [*facts, (f"{'Final model' if final else 'Model'} fitted on data up to", until)],
        "seconds": [
            (name.replace("_", " "), elapsed(took)) for name, took in model.seconds.items()
        ],
    }


def _how(scores: Scores | None, final: bool) -> str:
    if scores is None:
        return (
            "Nothing was tested: the history is so short that a test period would have left too "
            "little to learn from."
        )
    if final:
        return (
            "The last part of the history was set aside as the test period. A model fitted only on "
            "the days before it made the forecasts that are scored here. The model for the future "
            "was then fitted on everything."
        )
    return "The model was scored on a test period after the last day it was fitted on."


def _holdout(material: Material, scores: Scores) -> list[tuple[str, str]]:
    actual, step = scores.detail.actual, material.frame.clock.step
    origins = counted(scores.origins, "origin")
    known = int(np.isfinite(actual).sum())
    return [
        ("Test period", f"{scores.holdout_start} to {scores.holdout_end}"),
        ("Forecasts made", f"from {origins}, each {duration(actual.shape[1] * step)} ahead"),
        ("Values compared", f"{known:,}, without the missing ones"),
    ]
