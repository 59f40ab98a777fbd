"""Let the model of a run learn what is new, or fit it anew."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from citytune._errors import NothingNew

if TYPE_CHECKING:
    from citytune.forecasting import Past, TunedModel
    from citytune.frame import SensorFrame
    from citytune.settings import Progress

UPDATED = "The model has learnt what is new"


class Choice(NamedTuple):
    """What was found better."""

    refit: bool
    said: str
    """Which, and why, in a sentence."""
    until: str | None = None
    """When the newest day that was compared, or fitted to, ended, which a run remembers."""
    past: Past | None = None
    """What the model says of the days that are new to it, where it was asked."""
    learnt: TunedModel | None = None
    """The model with what is new learnt, where that was done meanwhile."""


def refitted(
    model: TunedModel, source: SensorFrame, progress: Progress | None, past: Past | None
) -> TunedModel:
    """The same choice of backbone and strategy, fitted anew on all that was read."""
    from citytune.forecasting import admit, learn_copula, refit

    known = model.recall().known_ahead
    frame = admit(model, source, covariates=known, new="not learnt").frame
    new = refit(model, frame, progress=progress)
    if model.copula is None:
        return new
    errors = learn_copula(model, frame, after=model.trained_until, past=past)
    return replace(new, copula=model.copula if errors is None else model.copula.then(errors))


def said_by_forecast() -> AbstractContextManager[None]:
    """Do without what data that meet a model are warned of: the forecast says it.

    What is ignored holds for all threads, so this is for the one that starts the others.
    """
    return warnings.catch_warnings(action="ignore", category=UserWarning)


def updated(
    model: TunedModel, source: SensorFrame, progress: Progress | None
) -> tuple[Past | None, TunedModel]:
    """What a model said of the days that are new to it, if it was asked, and it when it learnt.

    To be asked for within `said_by_forecast`.

    Raises:
        NothingNew: there is nothing.
    """
    from citytune.forecasting import update

    found = update(model, source, progress=progress)
    if not found.learned:
        raise NothingNew(found.why)
    return found.past, found.model
