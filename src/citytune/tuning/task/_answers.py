"""What is computed of a task's windows: each expert is asked of each window once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from citytune.backbones import identity_of, reads_ahead
from citytune.tuning.closed_form._head import HeadData
from citytune.tuning.examples._batch import DEVIATIONS, FEATURES
from citytune.tuning.examples._cache import cached, key_of
from citytune.tuning.experts._expert import Candidate, Expert, deviations_of, forecasts_of
from citytune.tuning.experts._lens import LensExpert

if TYPE_CHECKING:
    from citytune.tuning.experts._mixture import Mixture
    from citytune.tuning.task._task import Task

OWN_CODE = __name__.partition(".")[0]
"""Package whose code names the entries on disk; those of others are asked anew."""


@dataclass(eq=False)
class Answers:
    """What was computed of a task's windows; filled as it is asked for."""

    forecasts: dict[str, Tensor] = field(default_factory=dict)
    """Expert → (example, horizon); and the deviations of a model's own quantiles."""
    features: Tensor | None = None
    """(example, feature)."""
    window_spread: Tensor | None = None
    """(example, 1)."""
    signals: Tensor | None = None
    """(example, near step, signal), see `LastHour`."""

    fitted: dict[str, Candidate] = field(default_factory=dict)
    """Expert → what the present blend has fitted."""

    def pick(self, which: Tensor) -> Self:
        """Of some of the windows, by index."""
        return replace(
            self,
            fitted={},
            forecasts={name: part[which] for name, part in self.forecasts.items()},
            features=None if self.features is None else self.features[which],
            window_spread=None if self.window_spread is None else self.window_spread[which],
            signals=None if self.signals is None else self.signals[which],
        )


def ask_experts(task: Task, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Name → (example, horizon), of experts that need no fitting."""
    own = tuple(name for name in names if _is_own(task, name))
    found = dict(_cached(task, own, lambda lacking: _ask(task, lacking))) if own else {}
    if others := tuple(name for name in names if name not in own):
        found |= _ask(task, others)
    return {name: _after_remembered(task, name, new) for name, new in found.items()}


def ask_again(task: Task, expert: Expert) -> tuple[Tensor, Tensor | None]:
    """(example, horizon) of a fitted expert that stays as it is, and its quantiles less these."""
    needed, own = [one for one in task.experts if one.name in expert.needs], expert.has_quantiles
    found = forecasts_of([*needed, expert], replace(task.live, spread=own))
    forecasts = _after_remembered(task, expert.name, found[expert.name])
    name = deviations_of(expert.name)
    return forecasts, _after_remembered(task, name, found[name]) if own else None


def ask_features(task: Task) -> tuple[Tensor, Tensor]:
    """(example, feature) of the frozen backbone, and (example, 1) the spread of each past."""
    old, live = task.choice.remembered, task.live
    new = _cached(task, (FEATURES,), lambda _: _features(task))[FEATURES]
    if old is None or old.features is None or old.window_spread is None:
        return new, live.window_spread
    return torch.cat([old.features, new]), torch.cat([old.window_spread, live.window_spread])


def head_data_of(task: Task) -> HeadData:
    """What a new last layer learns from."""
    features, spread = task.features, task.answers.window_spread
    assert spread is not None, "it comes with the features"
    residual = (task.actual - task.forecast_of(task.prior)) / spread
    origin, counts = task.windows.origin, task.recency * task.pool.weight
    return HeadData(features, residual, spread / task.scale, origin, counts, task.target_weight)


def replayed(task: Task, mixture: Mixture) -> Tensor:
    """(example, horizon) what a mixture forecasts of a task's windows, asking nothing twice."""
    assert task.memory is None, "remembered windows have no history to forecast from"
    own = {expert.name for expert in task.experts}
    known = {one.name: task.forecast_of(one.name) for one in mixture.needed if one.name in own}
    computed = {FEATURES: task.features} if mixture.uses(FEATURES) else {}
    if (own_spread := task.answers.forecasts.get(DEVIATIONS)) is not None:
        computed[DEVIATIONS] = own_spread
    live = task.live
    return mixture.forecast(replace(live, computed={**live.computed, **computed}), known).mean


def _is_own(task: Task, name: str) -> bool:
    made = next((type(expert) for expert in task.experts if expert.name == name), None)
    return made is None or made.__module__.partition(".")[0] == OWN_CODE


def _ask(task: Task, names: tuple[str, ...]) -> dict[str, Tensor]:
    wanted = [expert for expert in task.experts if expert.name in names]
    passes, told = passes_of(task, wanted), 0.0
    if task.work.total < task.work.done + passes:
        task.work.expect(passes)

    def tell(share: float) -> None:
        nonlocal told
        task.work.tell(task.progress, "asking the pretrained model", passes * (share - told))
        told = share

    found = forecasts_of(wanted, replace(task.live, spread=DEVIATIONS in names), progress=tell)
    return {name: found[name] for name in names}


def passes_of(task: Task, some: Sequence[Expert]) -> int:
    """Passes of the network that experts need who are asked of every window."""
    asked = sum(isinstance(one, LensExpert) for one in some)
    return len(task.live.examples.origin) * max(1, asked)


def _features(task: Task) -> dict[str, Tensor]:
    return {FEATURES: task.live.features}


def _after_remembered(task: Task, name: str, new: Tensor) -> Tensor:
    old = task.choice.remembered
    if old is None or not len(old.windows.origin):  # of which nothing was asked
        return new
    return torch.cat([old.forecasts[name], new])


def _cached(
    task: Task,
    names: tuple[str, ...],
    compute: Callable[[tuple[str, ...]], Mapping[str, Tensor]],
) -> Mapping[str, Tensor]:
    """Answers of the backbone, from the disk if they are there."""
    choice = task.choice
    history = choice.seasonal.history
    if not reads_ahead(task.backbone):
        history = replace(history, covariates=history.covariates[:0])
    where = history, choice.live, task.spec.horizon, task.spec.context
    return cached(key_of(identity_of(task.backbone), *where), names, compute)
