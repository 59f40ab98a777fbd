"""`blend`: the model through its lenses, seasonal rules and fitted experts, safely weighed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from citytune.tuning.examples._batch import DEVIATIONS
from citytune.tuning.experts._boosted import lacking
from citytune.tuning.experts._expert import Candidate, Start, deviations_of, kinds, learnt_of
from citytune.tuning.experts._finetuned import FineTuned
from citytune.tuning.experts._last_hour import LastHour
from citytune.tuning.experts._mixture import Mixture, by_step, mix
from citytune.tuning.stacking._losses import Evidence
from citytune.tuning.stacking._stack import Caution, bands, fit_stack
from citytune.tuning.strategies._cross_fit import Plan, can_cross_fit, cross_fit
from citytune.tuning.strategies._strategy import Learned, once, strategies
from citytune.tuning.task._answers import passes_of
from citytune.tuning.task._task import Task
from citytune.tuning.trust._gate import gate, in_words
from citytune.tuning.trust._learnt import share_of
from citytune.windows import purged_folds

FEWEST_STEPS_PER_DAY = 6
"""Of a clock on which the network is fine-tuned; what it gains on coarser ones was not measured."""
STACK_FOLDS = 3
PULL_DAYS = 0.8
"""How strongly weights are drawn to those without evidence, over the days of evidence there are."""


@dataclass(frozen=True, kw_only=True)
class Blend:
    """Weigh experts by what repeats from day to day; the default."""

    head_days: float = 60.0
    """Days of windows from which the closed-form head is one of the experts; it always is for a
    model that cannot forecast by itself."""
    prior_share: float = 0.3
    """Weight of the pretrained forecast, and of its tamed twin, without evidence."""
    own_share: float = 0.9
    """The same of the forecast of a model that knows the calendar by itself; half of what is left
    goes to its tamed twin. The weight that such a model gives away without evidence is lost."""
    fine_tune: bool = True
    """Whether the network itself is fine-tuned, where its own loss is known and …"""
    tune_days: float = 60.0
    """… the history has so many days."""
    rule_share: float = 0.3
    """Weight that goes to the best seasonal rule instead where it beats the prior day after day;
    less of it from a week of windows on."""

    def fit(self, task: Task, given: Sequence[Candidate] = ()) -> Learned:
        """Ask every expert, then weigh them; folds say how it does on windows not weighed.

        Args:
            task: What to learn from.
            given: Experts that a strategy has fitted already.
        """
        given, notes = self._fine_tuned(task, given)
        candidates = self._candidates(task, given)
        forecasts = torch.stack([one.out_of_fold for one in candidates], -1)
        home = home_of(task, candidates)
        weights, mixed, unseen = self._weigh(task, candidates, forecasts, home)
        stay = mix(forecasts, home, task.windows.sensor)
        experts = tuple(one.expert for one in candidates)
        if learnt_of(task.backbone.card, candidates):
            # What is not followed goes to a mixture, not to one expert.
            trust = _gate_by_band(task, mixed, unseen, stay)
            weights = torch.lerp(home.expand_as(weights), weights, trust[..., None])
            mixture = Mixture(experts, weights, task.prior)
        else:
            trust = gate(task, mixed, unseen, stay)[None]
            mixture = Mixture(experts, weights, task.prior, trust[0])
            notes = (*notes, *in_words(float(trust.mean()), task, unseen))
        part = by_step(trust.expand(len(weights), -1), task.spec.horizon, task.windows.sensor)
        out_of_fold = torch.lerp(stay, mixed, part)
        notes = (*notes, *lacking(task))
        return Learned(mixture, out_of_fold, notes, spread_of(mixture, task, candidates))

    def _fine_tuned(
        self, task: Task, given: Sequence[Candidate]
    ) -> tuple[Sequence[Candidate], tuple[str, ...]]:
        """What is given, and the fine-tuned network where it pays to make it; notes."""
        day = task.history.steps_per_day
        long = task.history.length >= self.tune_days * day and day >= FEWEST_STEPS_PER_DAY
        if not self.fine_tune or not long or task.memory is not None:
            return given, ()
        there = any(isinstance(one.expert, FineTuned) for one in given)
        if there or task.part_of is not None or not can_cross_fit(task):
            return given, ()
        plan = Plan.of(task)
        task.work.expect(passes_of(task, task.experts) + plan.needed(task))
        found, notes = cross_fit(task, plan)
        return [*given, *found], tuple(once(notes))

    def _candidates(self, task: Task, given: Sequence[Candidate]) -> list[Candidate]:
        """Every expert: those that need no fitting, those given, and those that can be fitted."""
        found = [Candidate(one, task.forecast_of(one.name)) for one in task.experts]
        fitted = task.answers.fitted
        fitted.clear()

        def take(new: Iterable[Candidate]) -> None:
            for one in new:
                found.append(one)
                fitted[one.expert.name] = one

        take(given)
        enough = task.days >= self.head_days or task.backbone.card.horizon is None
        for kind in sorted(kinds(), key=lambda kind: kind is not FineTuned):  # others ask for it
            there = any(isinstance(one.expert, kind) for one in given)
            new_layer = enough and not task.has_learnt
            if not there and (new_layer or not kind.many_weights):
                take(kind.fit(task))
        return found

    def _weigh(
        self, task: Task, candidates: Sequence[Candidate], forecasts: Tensor, home: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Fit the weights, on everything and on folds.

        Returns:
            Weights (band, sensor, expert), forecasts (example, horizon) mixed by weights of other
            folds, and (example,) bool, which windows these had not seen.
        """
        evidence = Evidence(
            says=forecasts / task.scale[..., None],
            actual=task.actual / task.scale,
            sensor=task.examples.sensor,
            day=task.day,
            target_weight=task.target_weight,
            pool_weight=task.pool.weight,
        )
        origin, horizon = task.examples.origin, task.spec.horizon
        folds = purged_folds(origin, horizon=horizon, folds=STACK_FOLDS)
        weights, *unaware = fit_stack(
            evidence,
            self._caution(task, candidates, home),
            days=task.days,
            sensors=len(task.history.raw),
            forget=task.settings.forget,
            parts=[fold.train for fold in folds],
        )
        sensor = task.windows.sensor
        mixed = mix(forecasts, weights, sensor)
        unseen = torch.zeros(len(forecasts), dtype=torch.bool)
        for fold, found in zip(folds, unaware, strict=True):
            mixed[fold.test] = mix(forecasts[fold.test], found, sensor[fold.test])
            unseen[fold.test] = True
        return weights, mixed, unseen

    def _caution(
        self, task: Task, candidates: Sequence[Candidate], home: Tensor | None = None
    ) -> Caution:
        """w₀: mostly the pretrained forecast and its tamed twin, a little of everything."""
        names = [one.expert.name for one in candidates]
        prior = torch.tensor(self._shares(task, candidates))
        prior = prior / prior.sum()
        anchor = (home_of(task, candidates) if home is None else home).mean(1)
        prior = prior + prior[names.index(task.prior)] * (anchor - _only(task.prior, names))
        if (rule := task.better_rule) is not None:
            # With more days the evidence itself moves the weights, and moves them better.
            moved = self.rule_share * min(1.0, 7.0 / max(task.days, 1.0))
            prior = (1 - moved) * prior
            prior[:, names.index(rule)] += moved
        pull = min(PULL_DAYS / max(task.days, 1.0), 0.4)
        return Caution(prior=prior, anchor=anchor, risk=task.settings.caution, pull=pull)

    def _shares(self, task: Task, candidates: Sequence[Candidate]) -> list[float]:
        """How much each expert counts without evidence."""
        card = task.backbone.card
        starts = [one.expert.start(card) for one in candidates]
        twins = starts.count(Start.TWIN)
        if card.horizon is not None and card.context_days is not None:
            share, twin = self.own_share, (1 - self.own_share) / 2
        else:
            share = twin = self.prior_share * 2 / (1 + twins)
        same = share / (1 + starts.count(Start.SHARED))
        rest = 1 - share - twins * twin
        each = rest / max(starts.count(Start.REST) - 1, 1)  # the prior itself is one of these
        usual = {Start.TWIN: twin, Start.SHARED: same, Start.REST: each, Start.LEARNT: 0.0}
        return [
            same if one.expert.name == task.prior else usual[start]
            for one, start in zip(candidates, starts, strict=True)
        ]


def home_of(task: Task, candidates: Sequence[Candidate]) -> Tensor:
    """(band, sensor, expert) where the forecast stays without evidence for more: as pretrained.

    A network that was tuned here takes the place of the pretrained one as far as it is to be
    expected to gain; one row stands for all sensors where there is none. What corrects the first
    steps of either by the last hour is followed as far as it gained itself, band by band.
    """
    names = [one.expert.name for one in candidates]
    home = _only(task.prior, names).repeat(len(bands(task.spec.horizon)), 1, 1)
    learnt = learnt_of(task.backbone.card, candidates)
    for one in learnt:
        share = share_of(task, one.out_of_fold)[..., None]
        home = torch.lerp(home, _only(one.expert.name, names), share)
    for one in candidates:
        if learnt and isinstance(one.expert, LastHour):
            now, corrected = names.index(one.expert.name), names.index(one.expert.around)
            home[0, :, now] = home[0, :, corrected]
            home[0, :, corrected] = 0.0
    return home


def _gate_by_band(task: Task, mixed: Tensor, unseen: Tensor, stay: Tensor) -> Tensor:
    """(band, sensor) how far a mixture is followed: the first steps may gain, and no others."""
    parts = [slice(*band) for band in bands(task.spec.horizon)]
    return torch.stack([gate(task, mixed, unseen, stay, part) for part in parts])


def _only(name: str, names: Sequence[str]) -> Tensor:
    """(expert,) all weight on one."""
    return torch.tensor([float(one == name) for one in names])


def spread_of(mixture: Mixture, task: Task, candidates: Sequence[Candidate]) -> Tensor | None:
    """(example, horizon, level) the quantiles of a mixture less its forecast, as if unseen."""
    if task.deviations is None:
        return None
    own = {
        deviations_of(one.expert.name): one.deviations
        for one in candidates
        if one.deviations is not None
    }
    return mixture.deviations({DEVIATIONS: task.deviations, **own}, task.windows.sensor)


strategies.add("blend", Blend)
