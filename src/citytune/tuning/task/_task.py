"""What every strategy is given: a frozen backbone, a city's windows, and forecasts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from citytune.backbones import Backbone, Probabilistic, reads_together
from citytune.settings import Progress, Settings
from citytune.tuning.closed_form._head import HeadData
from citytune.tuning.examples._batch import DEVIATIONS, SENSOR, Batch
from citytune.tuning.examples._choice import Choice, rows_looked_at
from citytune.tuning.examples._memory import Memory, Windows, joined_values
from citytune.tuning.examples._remember import level_and_spread, remembered
from citytune.tuning.examples._timetable import Timetable
from citytune.tuning.examples._training_windows import Span, training_windows
from citytune.tuning.experts._best_rule import rule_beating
from citytune.tuning.experts._expert import Expert, deviations_of, learnt_of, unfitted
from citytune.tuning.experts._lens import PLAIN
from citytune.tuning.experts._mixture import Mixture
from citytune.tuning.stacking._pool import Pool, PoolWindows
from citytune.tuning.task._answers import (
    Answers,
    ask_again,
    ask_experts,
    ask_features,
    head_data_of,
    replayed,
)
from citytune.tuning.task._work import Work
from citytune.windows import SEASONAL, Examples, History, WindowSpec, target_weights

USUAL_RULE = "day-kind"
"""The seasonal rule to take where none has shown to be better."""
MOST_VALUES = 600_000
"""Most values of one expert, window times step, to learn from."""


@dataclass(frozen=True, eq=False)
class Task:
    """One fit: the windows to learn from, and what the frozen model and the rules forecast."""

    backbone: Backbone
    history: History
    """All that is learnt from: up to four years (see `rows_learnt_from`)."""
    spec: WindowSpec
    settings: Settings
    """`on` the frame that was laid out."""
    progress: Progress | None = None
    memory: Memory | None = None
    """Of an earlier fit: its windows are learnt from too, without their history."""
    earlier: tuple[Expert, ...] = ()
    """Experts of the earlier fit, some of which stay as they are."""
    most: int | None = None
    """Windows to learn from, where that is to be quick."""
    part_of: Choice | None = None
    """The windows, where they were chosen before."""
    answers: Answers = field(default_factory=Answers)
    work: Work = field(default_factory=Work)

    @cached_property
    def choice(self) -> Choice:
        """The windows to learn from."""
        usual = min(self.backbone.card.max_examples, max(200, MOST_VALUES // self.spec.horizon))
        most, whole = min(usual, self.most or usual), reads_together(self.backbone)
        return self.part_of or Choice.of(self.recent, self.spec, most, self.memory, whole=whole)

    @cached_property
    def recent(self) -> History:
        """The last part of the history, which the evidence for a mixture looks at."""
        rows = rows_looked_at(self.spec, self.history.steps_per_day)
        return self.history.since(self.history.length - rows)

    def training(self, most: int, *, but: Sequence[Span] = ()) -> Examples:
        """Windows of all of `history`, to learn many weights from; see `training_windows`.

        `examples`, the evidence for a mixture, are of recent days only.
        """
        return training_windows(self.history, self.spec, most, but=but)

    @property
    def windows(self) -> Windows:
        """The windows to learn from; remembered ones come first."""
        return self.choice.windows

    @property
    def live(self) -> Batch:
        """The windows whose history is at hand: all of them, without a memory."""
        choice = self.choice
        own = {SENSOR: self.windows.sensor[len(self.windows.sensor) - len(choice.live) :]}
        return Batch(self.backbone, choice.seasonal, choice.live, self.spec, computed=own)

    @cached_property
    def examples(self) -> Examples:
        """The windows to learn from; origins below 0 lie before the history."""
        return Examples(self.windows.sensor, self.windows.origin - self.history.first)

    @property
    def actual(self) -> Tensor:
        """(example, horizon) what was measured then; NaN is missing."""
        return self.windows.actual

    @property
    def known(self) -> Tensor:
        """(example, horizon) bool."""
        return ~self.actual.isnan()

    @property
    def day(self) -> Tensor:
        """(example,) long: local day of each origin."""
        return self.windows.day

    @cached_property
    def days(self) -> float:
        """How many days the windows' origins span."""
        if not len(self.examples):
            return 0.0
        first, last = self.windows.origin.aminmax()
        return float(last - first) / self.history.steps_per_day + 1

    @cached_property
    def age(self) -> Tensor:
        """(example,) days since each origin."""
        return (self.history.end - self.windows.origin) / self.history.steps_per_day

    @cached_property
    def recency(self) -> Tensor:
        """(example,) how much each window counts for its age."""
        if self.settings.forget is None:
            return torch.ones_like(self.age)
        return 2.0 ** (-self.age / self.settings.forget)

    @cached_property
    def values(self) -> Tensor:
        """(sensor, time) what was measured in all rows that a fit to everything looks at."""
        rows = rows_looked_at(self.spec, self.history.steps_per_day)
        return joined_values(self.recent, self.memory, rows)

    @cached_property
    def pool(self) -> Pool:
        """How much each sensor and each window counts in what all share."""
        windows = PoolWindows(self.windows.sensor, self.windows.origin, len(self.history.raw))
        names = SEASONAL if self.backbone.card.horizon is None else (PLAIN, *SEASONAL)
        return Pool.of(self.forecasts_of(names), self.actual, windows)

    @cached_property
    def target_weight(self) -> Tensor | None:
        """(example, horizon) how much each target counts, with a mean of 1; None is all alike."""
        rare, windows = self.settings.rarity, self.windows
        if rare is None or not rare.moves_fit:
            return None
        day = self.history.steps_per_day
        return target_weights(rare, self.values, windows.sensor, windows.slot, windows.actual, day)

    @cached_property
    def _level_and_spread(self) -> tuple[Tensor, Tensor]:
        return level_and_spread(self.history)

    @property
    def level(self) -> Tensor:
        """(example, 1) usual level of each window's sensor, in the unit of the data."""
        return self._level_and_spread[0][self.windows.sensor]

    @property
    def spread(self) -> Tensor:
        """(sensor,) usual spread of each sensor, in the unit of the data; never 0."""
        return self._level_and_spread[1]

    @cached_property
    def scale(self) -> Tensor:
        """(example, 1) spread of each window's sensor."""
        return self.spread[self.windows.sensor][:, None]

    @cached_property
    def timetable(self) -> Timetable:
        """What is known ahead, of the memory and of the history."""
        found = Timetable.of(self.recent)
        old = None if self.memory is None else self.memory.timetable
        return found if old is None else old.then(found)

    # Forecasts

    @cached_property
    def experts(self) -> tuple[Expert, ...]:
        """Those that need no fitting."""
        return unfitted(self.backbone.card, self.history.steps_per_day)

    def expert(self, name: str) -> Expert:
        """One of them."""
        return next(expert for expert in self.experts if expert.name == name)

    def forecast_of(self, name: str) -> Tensor:
        """(example, horizon) of one expert."""
        return self.forecasts_of((name,))[..., 0]

    def forecasts_of(self, names: Sequence[str]) -> Tensor:
        """(example, horizon, expert) of some experts; each is asked of each window once."""
        found = self.answers.forecasts
        wanted = (*names, DEVIATIONS) if PLAIN in names and self.knows_spread else names
        if lacking := tuple(name for name in wanted if name not in found):
            found.update(ask_experts(self, lacking))
        return torch.stack([found[name] for name in names], -1)

    def forecast_again(self, expert: Expert) -> Tensor:
        """(example, horizon) of one fitted earlier; of remembered windows what was noted then."""
        if expert.name not in self.answers.forecasts:
            self.note(expert.name, *ask_again(self, expert))
        return self.answers.forecasts[expert.name]

    def note(self, name: str, out_of_fold: Tensor, deviations: Tensor | None = None) -> None:
        """Keep an expert's forecasts (example, horizon) of the windows, as if not fitted on them.

        And its quantiles (example, horizon, level) less these. What is noted goes into the memory.
        """
        self.answers.forecasts[name] = out_of_fold
        if deviations is not None:
            self.answers.forecasts[deviations_of(name)] = deviations

    def deviations_of(self, expert: Expert) -> Tensor | None:
        """(example, horizon, level) a fitted expert's quantiles less its forecast, if noted."""
        return self.answers.forecasts.get(deviations_of(expert.name))

    def corrected(self, residual: Tensor) -> Tensor:
        """The prior corrected by `residual`, in spreads of the windows (both example, horizon)."""
        return self.forecast_of(self.prior) + self.head_data.window_spread * self.scale * residual

    @cached_property
    def knows_spread(self) -> bool:
        """Whether the pretrained model gives quantiles of every window."""
        old = self.memory
        remembers = old is None or DEVIATIONS in old.forecasts or not len(old.windows.origin)
        forecasts = self.backbone.card.horizon is not None
        return isinstance(self.backbone, Probabilistic) and forecasts and remembers

    @property
    def deviations(self) -> Tensor | None:
        """(example, horizon, level) its quantiles less its forecast; None if it has none."""
        if not self.knows_spread:
            return None
        self.forecasts_of((PLAIN,))
        return self.answers.forecasts[DEVIATIONS]

    # Around the prior

    @cached_property
    def prior(self) -> str:
        """The expert that stands for "as pretrained"."""
        return PLAIN if self.backbone.card.horizon is not None else self.best_rule

    @property
    def has_learnt(self) -> bool:
        """Whether the network itself was tuned here."""
        return bool(learnt_of(self.backbone.card, self.answers.fitted.values()))

    @cached_property
    def best_rule(self) -> str:
        """The seasonal rule with the least error on the windows, if it repeats from day to day."""
        if not len(self.examples):
            return USUAL_RULE
        return rule_beating(self, self.forecast_of(USUAL_RULE)) or USUAL_RULE

    @cached_property
    def better_rule(self) -> str | None:
        """The seasonal rule that beats the prior by most, if that repeats from day to day."""
        return rule_beating(self, self.forecast_of(self.prior))

    @property
    def teachable(self) -> bool:
        """Whether there are features of every window, or can be."""
        old = self.choice.remembered
        return old is None or old.features is not None or not len(old.windows.origin)

    @property
    def features(self) -> Tensor:
        """(example, feature); each window is passed through the backbone once."""
        if self.answers.features is None:
            self.answers.features, self.answers.window_spread = ask_features(self)
        return self.answers.features

    @cached_property
    def head_data(self) -> HeadData:
        """What a new last layer learns from."""
        return head_data_of(self)

    def part(self, which: Tensor, *, max_seconds: float | None = None) -> Task:
        """Some of the windows, by index, with what was already computed of them."""
        some = replace(self, part_of=self.choice.pick(which), answers=self.answers.pick(which))
        return replace(some, settings=replace(self.settings, max_seconds=max_seconds))

    def replay(self, mixture: Mixture) -> Tensor:
        """(example, horizon) what a mixture forecasts of the windows, asking nothing twice."""
        return replayed(self, mixture)

    def remember(self, known_ahead: Sequence[str] = ()) -> Memory:
        """What the next fit needs of this one; the history's covariates are named."""
        return remembered(self, known_ahead)
