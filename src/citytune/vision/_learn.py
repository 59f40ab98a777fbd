"""Learn from pictures whose features are known, and test on groups that were left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.training import Loop
from citytune.tuning import (
    MOST_DAILY_GAIN,
    Conformal,
    Estimate,
    Head,
    HeadData,
    fit_head,
    shares,
    train_head,
)
from citytune.vision._poisson import fit_poisson
from citytune.vision._target import Target
from citytune.vision._usual import Usual
from citytune.windows import Fold, purged_folds

ARTICLE = Loop(epochs=100, batch=32, rate=0.03, optimiser="sgd")
"""The article's loop: SGD, 100 epochs; at a lower rate where that would diverge."""
FEWEST_GROUPS = 3
RANDOM_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Examples:
    """Pictures as numbers."""

    features: Tensor
    """(picture, feature), of the frozen network."""
    values: Tensor
    """(picture, label), in the unit of the data."""
    places: tuple[str, ...]
    hours: Tensor | None
    """(picture,) 0 … 23."""
    group: Tensor
    """(picture,) long, which group it is of."""

    def pick(self, which: Tensor) -> Examples:
        """Some of the pictures."""
        hours = None if self.hours is None else self.hours[which]
        places = tuple(self.places[i] for i in which.tolist())
        return Examples(self.features[which], self.values[which], places, hours, self.group[which])

    @property
    def origin(self) -> Tensor:
        """(picture,) long: origins whose folds are of whole groups."""
        return self.group.unique(return_inverse=True)[1] * self.values.shape[1]

    def usual(self, usual: Usual) -> Tensor:
        """(picture, label) what needs no picture."""
        return usual.answer(self.places, self.hours)

    def folds(self, count: int) -> list[Fold]:
        """Folds of whole groups; the groups of a fold are neighbours in the data."""
        labels = self.values.shape[1]
        return purged_folds(self.group * labels, horizon=labels, folds=count)


@dataclass(frozen=True, eq=False)
class Fit:
    """What was learnt from some pictures."""

    usual: Usual
    head: Head
    """What the features say of the difference from the usual, in units of `scale`."""
    scale: float

    def learnt(self, target: Target, examples: Examples) -> Tensor:
        """(picture, label) the answer of the picture alone, on the scale that is learnt on."""
        usual = target.linked(examples.usual(self.usual))
        return usual + self.scale * self.head.residual(examples.features).double()


def fit_exact(
    target: Target, examples: Examples, *, usual: Usual | None = None, by_steps: Loop | None = None
) -> Fit:
    """A new last layer on frozen features: the minimiser of its loss + λ‖φ‖², λ chosen by groups.

    The loss is the mean square; of a target linked by "poisson" see `fit_poisson`.

    Args:
        target: What is learnt.
        examples: All are learnt from.
        usual: What needs no picture; by default it is learnt from them too.
        by_steps: Take gradient steps to it, as the article does, instead of solving it.
    """
    usual = usual or choose_usual(target, examples)
    if target.link == "poisson":
        head = fit_poisson(
            examples.features, examples.values, examples.usual(usual), examples.origin
        )
        return Fit(usual, head, 1.0)
    difference = target.linked(examples.values) - target.linked(examples.usual(usual))
    scale = max(float(difference.std()), 1e-9)
    head_data = head_data_of(examples, difference / scale)
    labels = examples.values.shape[1]
    head, _ = fit_head(head_data, horizon=labels)
    if by_steps is not None and math.isfinite(head.penalty):
        seen = head.view(head_data.features)
        weights = train_head(seen, head_data, head.penalty, steady(by_steps, seen, head.penalty))
        head = Head(head.view, weights, head.penalty)
    return Fit(usual, head, scale)


def steady(loop: Loop, seen: Tensor, penalty: float) -> Loop:
    """The loop at a rate at which steps on a ridge of `seen` do not diverge.

    The picture that is farthest out sets it: a step on a few such ones is the steepest.
    """
    steepest = float(seen.square().sum(1).max()) + penalty
    return replace(loop, rate=min(loop.rate or 1.0, 2 / steepest))


def head_data_of(examples: Examples, residual: Tensor) -> HeadData:
    """Pictures as what a head learns from; a group is an origin, so that folds are of groups."""
    one = torch.ones(len(residual))
    return HeadData(examples.features, residual.float(), one[:, None], examples.origin, one)


def choose_usual(target: Target, examples: Examples) -> Usual:
    """The camera's hour mean if it was nearer on groups left out, otherwise the mean."""
    folds = examples.folds(RANDOM_FOLDS)
    lost = {"mean": 0.0, "hour mean": 0.0}
    for fold in folds:
        train, test = examples.pick(fold.train), examples.pick(fold.test)
        for kind in lost:
            usual = usual_of(train, kind)
            lost[kind] += float(target.losses(test.usual(usual), test.values).sum())
    better = lost["hour mean"] < 0.999 * lost["mean"]
    return usual_of(examples, "hour mean" if better else "mean")


def usual_of(examples: Examples, kind: str) -> Usual:
    """The usual of one kind, of some pictures."""
    return Usual.fit(examples.values, examples.places, examples.hours, kind)  # type: ignore[arg-type]


class CrossFit(NamedTuple):
    """Answers to pictures of groups that were not learnt from, in the unit of the data."""

    usual: Tensor  # (picture, label) what needs no picture, as chosen
    seen: Tensor  # (picture, label) what the picture says, on the scale that is learnt on
    base: Tensor  # (picture, label) `usual` on that scale
    mean: Tensor  # (picture, label) the mean
    hour_mean: Tensor  # (picture, label) the camera's hour mean
    known: Tensor  # (picture,) bool: whether it was ever left out


def cross_fit(
    target: Target,
    examples: Examples,
    folds: Sequence[Fold],
    learn: Callable[[Examples, Tensor], tuple[Fit, Callable[[Tensor], Tensor]]],
    progress: Callable[[float], None] = lambda _share: None,
) -> CrossFit:
    """Learn on every fold's other groups, all over again, and answer to its own.

    Args:
        target: What is learnt.
        examples: All of the pictures.
        folds: Of whole groups.
        learn: Gives a fit to some pictures, and what answers to others.
        progress: Told the share that is done.
    """
    shape = examples.values.shape
    parts = [torch.zeros(shape, dtype=torch.float64) for _ in range(5)]
    usual, seen, base, mean, hour_mean = parts
    known = torch.zeros(shape[0], dtype=torch.bool)
    for i, fold in enumerate(folds):
        progress(i / len(folds))
        train, test = examples.pick(fold.train), examples.pick(fold.test)
        fit, answer = learn(train, fold.train)
        usual[fold.test] = test.usual(fit.usual)
        base[fold.test] = target.linked(usual[fold.test])
        seen[fold.test] = answer(fold.test)
        mean[fold.test] = test.usual(usual_of(train, "mean"))
        hour_mean[fold.test] = test.usual(usual_of(train, "hour mean"))
        known[fold.test] = True
    return CrossFit(usual, seen, base, mean, hour_mean, known)


def gate(target: Target, examples: Examples, found: CrossFit, caution: float) -> Tensor:
    """(group + 1,) how far to follow the picture away from the usual, 0 … 1.

    The last one is judged by all groups; each other one by the groups that it is not, so that a
    score on a group owes nothing to the group.
    """
    before = target.losses(found.usual, examples.values)
    after = target.losses(target.back(found.seen), examples.values)
    groups = int(examples.group.max()) + 1
    count = torch.bincount(examples.group, minlength=groups).clamp_min(1)
    lost, left = (
        torch.zeros(groups, dtype=torch.float64).index_add(0, examples.group, one.double()) / count
        for one in (before, after)
    )
    usual = lost.mean().clamp_min(1e-12)
    gain = ((lost - left) / usual).clamp(-MOST_DAILY_GAIN, MOST_DAILY_GAIN)
    total, squares = gain.sum(), gain.square().sum()
    number = torch.full((groups + 1,), groups - 1.0, dtype=torch.float64)
    number[-1] = groups
    sums = torch.cat([total - gain, total[None]]) / number
    powers = torch.cat([squares - gain.square(), squares[None]]) / number
    variance = (powers - sums.square()).clamp_min(0) / (number - 1).clamp_min(0.5)
    return shares(Estimate(sums, variance), caution).double()


def intervals(target: Target, answers: Tensor, examples: Examples) -> Conformal:
    """How far answers to groups left out missed; a group's errors count as those of a day."""
    actual, mean = target.even(examples.values).float(), target.even(answers).float()
    nothing = torch.zeros(len(actual), dtype=torch.long)
    age = examples.group.unique(return_inverse=True)[1].float()
    return Conformal.fit(
        actual, mean, nothing, nothing[:, None], age, steps_per_day=1, half_life=math.inf
    )


def quantiles(target: Target, conformal: Conformal, answers: Tensor) -> Tensor:
    """(picture, level) at `LEVELS`, in the unit of the data."""
    nothing = torch.zeros(len(answers), dtype=torch.long)
    even = conformal.quantiles(target.even(answers).float(), nothing, nothing[:, None])
    return target.uneven(even[:, 0]).double()


def random_groups(examples: Examples, seed: int) -> Examples:
    """The same pictures, each a group of its own in a random order: how leakage is made."""
    shuffle = torch.Generator().manual_seed(seed)
    return replace(examples, group=torch.randperm(len(examples.values), generator=shuffle))
