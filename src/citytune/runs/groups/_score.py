"""Score group by group: every group is scored as if with all others, and the sums are added."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from citytune._errors import InputError
from citytune.engines import Engine
from citytune.runs._progress import Progress, begin
from citytune.runs.groups._part import Part
from citytune.runs.groups._source import parts_of

if TYPE_CHECKING:
    from citytune.evaluation import GroupScores, Holdout, Totals
    from citytune.forecasting import TunedModel
    from citytune.frame import SensorFrame

NOT_COMPARED = (
    "by groups, models are compared with rules that look at one sensor at a time; the intervals of "
    "these are not scored"
)


@dataclass(frozen=True, eq=False)
class ScoreGroup:
    """Scores models on a group."""

    models: dict[str, TunedModel]
    holdout: Holdout
    names: tuple[str, ...]
    copula: bool = False

    def __call__(self, part: Part) -> Totals | None:
        """None if none of its sensors is known to the model."""
        from citytune.evaluation import score_part

        frame = part.read().frame
        known = {*self.models["tuned"].sensors}
        own = [] if frame is None else [name for name in frame.sensors if name in known]
        if frame is None or not own:
            return None
        models = {name: model.part(own) for name, model in self.models.items()}
        with warnings.catch_warnings():  # what is done to all is said once
            warnings.simplefilter("ignore", UserWarning)
            return score_part(models, frame, self.holdout, self.names, copula=self.copula)


def score_groups(
    model: TunedModel,
    frame: SensorFrame,
    engine: Engine,
    group: int,
    *,
    days: float | None = None,
    against: Sequence[str] | None = None,
    copula: bool = False,
    progress: Progress | None = None,
) -> GroupScores:
    """Score a model on the rows it has not seen, as `backtest` does with all sensors at once.

    Args:
        model: It is not fitted anew.
        frame: What was measured, of all sensors.
        engine: Does the groups.
        group: Sensors of a group.
        days: Only the last so many.
        against: Rules of `BY_GROUPS` to compare with; all by default.
        copula: Whether to say how errors go together, in the totals.
        progress: Called with the stage and the share done.

    Raises:
        InputError: there are too few rows after those that the model has learnt from.
    """
    from citytune.evaluation import BY_GROUPS, GroupScores, Totals, as_it_came, holdout_of

    names = tuple(BY_GROUPS if against is None else against)
    if other := [name for name in names if name not in BY_GROUPS]:
        raise InputError(
            f"{other[0]!r} learns from all sensors at once, so it is not compared with by groups; "
            f"name some of {', '.join(BY_GROUPS)}, or leave engine= out"
        )
    tell = begin(progress, "Scoring")
    holdout = holdout_of(model, frame, days)
    models, notes = {"tuned": replace(model, memory=None, copula=None)}, [NOT_COMPARED]
    try:
        models["zero-shot"] = _untouched(model, frame.until(holdout.blocks[0].train_end))
    except InputError as error:
        notes.append(f"not compared with the pretrained model without fine-tuning: {error}")
    work, found = ScoreGroup(models, holdout, names, copula), list[Totals]()
    groups = -(-len(frame.sensors) // group)
    for done, one in enumerate(engine.map(work, parts_of(frame, group)), 1):
        found += [] if one is None else [one]
        tell("", done / groups)
    if not found:
        raise InputError(f"{frame.source} has none of the model's sensors; give it others")
    origins, clock = holdout.origins, frame.clock
    return GroupScores(
        totals=functools.reduce(Totals.then, found),
        holdout_start=clock.text(int(origins[0])),
        holdout_end=clock.text(int(origins[-1]) + model.spec.horizon - 1),
        origins=len(origins),
        unit=model.quantity.unit,
        notes=(*notes, *holdout.notes, *as_it_came(model)),
    )


def _untouched(model: TunedModel, frame: SensorFrame) -> TunedModel:
    """The pretrained model, whose intervals learn from a sample of windows of all sensors."""
    from citytune.forecasting import refit

    if model.strategy == "zero-shot":
        return replace(model, memory=None, copula=None)
    known = {*model.sensors}
    names = [name for name in frame.sensors if name in known]
    frame = frame if len(names) == len(frame.sensors) else frame.select(names)
    return replace(refit(model, frame, strategy="zero-shot"), memory=None)
