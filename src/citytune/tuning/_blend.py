"""`blend`: the model through its lenses, seasonal rules and fitted experts, safely weighed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from citytune.tuning._boosted import lacking
from citytune.tuning._expert import Candidate, Start, kinds
from citytune.tuning._gate import gate, in_words
from citytune.tuning._mixture import Mixture, mix
from citytune.tuning._stack import Caution, Evidence, fit_stack
from citytune.tuning._strategy import Learned, strategies
from citytune.tuning._task import Task
from citytune.windows import purged_folds

STACK_FOLDS = 3
ROUNDING = 2048


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
    rule_share: float = 0.3
    """Weight that goes to the best seasonal rule instead where it beats the prior day after day;
    less of it from a week of windows on."""

    def fit(self, task: Task, given: Sequence[Candidate] = ()) -> Learned:
        """Ask every expert, then weigh them; folds say how it does on windows not weighed.

        Args:
            task: What to learn from.
            given: Experts that a strategy has fitted already.
        """
        candidates = self._candidates(task, given)
        forecasts = torch.stack([one.out_of_fold for one in candidates], -1)
        weights, mixed, unseen = self._weigh(task, candidates, forecasts)
        trust = torch.as_tensor(gate(task, mixed, unseen), dtype=torch.float32).reshape(-1)
        experts = tuple(one.expert for one in candidates)
        mixture = Mixture(experts, weights, task.prior, trust)
        home = forecasts[..., mixture.names.index(task.prior)]
        out_of_fold = torch.lerp(home, mixed, mixture.trust_of(task.windows.sensor))
        notes = (*in_words(float(trust.mean()), task, unseen), *lacking(task))
        return Learned(mixture, out_of_fold, notes)

    def _candidates(self, task: Task, given: Sequence[Candidate]) -> list[Candidate]:
        """Every expert: those that need no fitting, those given, and those that can be fitted."""
        found = [Candidate(one, task.forecast_of(one.name)) for one in task.experts]
        found += given
        enough = task.days >= self.head_days or task.backbone.card.horizon is None
        for kind in kinds():
            there = any(isinstance(one.expert, kind) for one in given)
            if not there and (enough or not kind.many_weights):
                found += kind.fit(task)
        return found

    def _weigh(
        self, task: Task, candidates: Sequence[Candidate], forecasts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Fit the weights, on everything and on folds.

        Returns:
            Weights (band, sensor, expert), forecasts (example, horizon) mixed by weights of other
            folds, and (example,) bool, which windows these had not seen.
        """
        evidence = Evidence(
            says=_rounded(forecasts / task.scale[..., None]),
            actual=_rounded(task.actual / task.scale),
            sensor=task.examples.sensor,
            day=task.day,
            target_weight=task.target_weight,
            pool_weight=task.pool.weight,
        )
        span: dict[str, Any] = {
            "days": task.days,
            "sensors": len(task.history.raw),
            "forget": task.settings.forget,
        }
        caution = self._caution(task, candidates)
        weights = fit_stack(evidence, caution, **span)
        sensor = task.windows.sensor
        mixed = mix(forecasts, weights, sensor)
        unseen = torch.zeros(len(forecasts), dtype=torch.bool)
        origin, horizon = task.examples.origin, task.spec.horizon
        for fold in purged_folds(origin, horizon=horizon, folds=STACK_FOLDS):
            found = fit_stack(evidence.pick(fold.train), caution, **span)
            mixed[fold.test] = mix(forecasts[fold.test], found, sensor[fold.test])
            unseen[fold.test] = True
        return weights, mixed, unseen

    def _caution(self, task: Task, candidates: Sequence[Candidate]) -> Caution:
        """w₀: mostly the pretrained forecast and its tamed twin, a little of everything."""
        names = [one.expert.name for one in candidates]
        prior = torch.tensor(self._shares(task, candidates))
        prior = prior / prior.sum()
        if (rule := task.better_rule) is not None:
            # With more days the evidence itself moves the weights, and moves them better.
            moved = self.rule_share * min(1.0, 7.0 / max(task.days, 1.0))
            prior = (1 - moved) * prior
            prior[names.index(rule)] += moved
        anchor = torch.tensor([float(name == task.prior) for name in names])
        pull = min(max(0.8 / max(task.days, 1.0), 0.02), 0.4)
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
        usual = {Start.TWIN: twin, Start.SHARED: same, Start.REST: each}
        return [
            same if one.expert.name == task.prior else usual[start]
            for one, start in zip(candidates, starts, strict=True)
        ]


def _rounded(values: Tensor) -> Tensor:
    """To the nearest 1/2048 of a spread, beyond which the same forecast may come out differently.

    The weights of a sensor with few windows hang on ties, which noise must not decide.
    """
    return (values * ROUNDING).round() / ROUNDING


strategies.add("blend", Blend)
