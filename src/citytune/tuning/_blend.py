"""`blend`: the model seen through lenses, the seasonal rules and the head, safely weighed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from citytune.tuning._covariates import COMPARED_RULES, KnownAhead, Usual, design_of, fit_known
from citytune.tuning._finetuned import MOVED, FineTuned
from citytune.tuning._gate import gate, in_words
from citytune.tuning._head import Head, fit_head
from citytune.tuning._mixture import HEAD, KNOWN, Mixture, mix_in_season
from citytune.tuning._stack import Caution, Evidence, fit_stack
from citytune.tuning._strategy import Learned, strategies
from citytune.tuning._task import Task
from citytune.windows import Examples, purged_folds

STACK_FOLDS = 3
SAME = (KNOWN, MOVED)
"""Experts that are the prior itself, corrected or fine-tuned."""


class Candidate(NamedTuple):
    """An expert that a strategy brings."""

    name: str
    says: Tensor  # (example, horizon), forecasts of the task's windows, as if unseen
    # What its forecast is made from:
    head: Head | None = None
    moved: FineTuned | None = None


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

    def fit(self, task: Task, guests: Sequence[Candidate] = ()) -> Learned:
        """Ask every expert, then weigh them; folds say how it does on windows not weighed."""
        heard, parts = self._ask(task, guests)
        names, says = tuple(heard), torch.stack(list(heard.values()), -1)
        evidence = Evidence(
            says=_rounded(says / task.scale[..., None]),
            actual=_rounded(task.actual / task.scale),
            sensor=task.examples.sensor,
            day=task.day,
            target_weight=task.target_weight,
            pool_weight=task.pool.weight,
        )
        caution = self._caution(task, names)
        sensors = len(task.history.raw)
        span: dict[str, Any] = {
            "days": task.days,
            "sensors": sensors,
            "forget": task.settings.forget,
        }
        weights = fit_stack(evidence, caution, **span)
        mixed = torch.zeros_like(task.actual)
        unseen = torch.zeros(len(says), dtype=torch.bool)
        for fold in purged_folds(
            task.examples.origin, horizon=task.spec.horizon, folds=STACK_FOLDS
        ):
            found = fit_stack(evidence.pick(fold.train), caution, **span)
            mixed[fold.test] = self._weigh(task, fold.test, says, found, names)
            unseen[fold.test] = True
        rest = (~unseen).nonzero()[:, 0]
        mixed[rest] = self._weigh(task, rest, says, weights, names)
        trust = gate(task, mixed, unseen)  # (sensor,)
        mixture = Mixture(names, weights, task.prior, **parts, trust=trust)
        out_of_fold = torch.lerp(heard[task.prior], mixed, trust[task.examples.sensor, None])
        return Learned(mixture, out_of_fold, notes=in_words(float(trust.mean()), task, unseen))

    def _weigh(
        self, task: Task, which: Tensor, says: Tensor, weights: Tensor, names: tuple[str, ...]
    ) -> Tensor:
        season, sensor = task.windows.season[which], task.windows.sensor[which]
        return mix_in_season(season, sensor, says[which], weights, names)

    def _ask(
        self, task: Task, guests: Sequence[Candidate]
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Every expert's forecasts by its name, and what was fitted of those that help."""
        heard = dict(zip(task.experts, task.says.unbind(-1), strict=True))
        prior = heard[task.prior]
        heard |= {guest.name: guest.says for guest in guests}
        parts: dict[str, Any] = {}
        for guest in guests:
            parts |= {"head": guest.head} if guest.head else {}
            parts |= {"moved": guest.moved} if guest.moved else {}
        able = task.backbone.card.horizon is not None
        old_enough = HEAD not in heard and (task.days >= self.head_days or not able)
        if old_enough and not task.teachable:
            warnings.warn(
                f"the model knows {task.days:.0f} days by now, from which a new last layer could "
                "be learnt as well, but it does not remember enough of them; tune anew to have it",
                stacklevel=2,
            )
        elif old_enough:
            head, residual = fit_head(task.head_data, horizon=task.spec.horizon)
            if head.penalty < torch.inf:
                heard[HEAD] = prior + task.head_data.unit * task.scale * residual
                parts[HEAD] = head
        if len(task.history.covariates):
            known, residual = self._fit_known(task, prior)
            if known.penalty < torch.inf:
                heard[KNOWN] = prior + task.scale * residual
                parts["known"] = known
        return heard, parts

    def _fit_known(self, task: Task, prior: Tensor) -> tuple[KnownAhead, Tensor]:
        ahead = task.timetable
        usual, beside = Usual.of(ahead), task.says_of(COMPARED_RULES)
        examples = Examples(task.windows.sensor, task.windows.origin - ahead.first)
        design = design_of(ahead, usual, examples, prior, beside, task.scale)
        residual = (task.actual - prior) / task.scale
        counts = task.recency * task.pool.weight
        return fit_known(design, residual, examples.origin, usual, task.spread, counts)

    def _caution(self, task: Task, names: tuple[str, ...]) -> Caution:
        """w₀: mostly the pretrained forecast and its tamed twin, a little of everything."""
        safe = [name for name in (task.prior, "squashed") if name in names]
        rest = [name for name in names if name not in safe]
        card = task.backbone.card
        own = card.horizon is not None and card.context_days is not None
        if own:
            share = {"squashed": (1 - self.own_share) / 2, task.prior: self.own_share}
        else:
            share = {name: self.prior_share * 2 / len(safe) for name in safe}
        if like := [name for name in SAME if name in names and (own or name == MOVED)]:
            # The same forecast, corrected where that has shown to help.
            share |= dict.fromkeys((task.prior, *like), share[task.prior] / (1 + len(like)))
            rest = [name for name in rest if name not in like]
        spread = (1 - sum(share.values())) / max(len(rest), 1)
        prior = torch.tensor([share.get(name, spread) for name in names])
        prior = prior / prior.sum()
        if (rule := task.better_rule) is not None:
            # With more days the evidence itself moves the weights, and moves them better.
            moved = self.rule_share * min(1.0, 7.0 / max(task.days, 1.0))
            prior = (1 - moved) * prior
            prior[names.index(rule)] += moved
        anchor = torch.tensor([float(name == task.prior) for name in names])
        pull = min(max(0.8 / max(task.days, 1.0), 0.02), 0.4)
        return Caution(prior=prior, anchor=anchor, risk=task.settings.caution, pull=pull)


def _rounded(values: Tensor) -> Tensor:
    """To the nearest 1/2048 of a spread, beyond which the same forecast may come out differently.

    The weights of a sensor with few windows hang on ties, which noise must not decide.
    """
    return (values * ROUNDING).round() / ROUNDING


strategies.add("blend", Blend)
