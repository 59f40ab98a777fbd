"""Tune a network that was pretrained on pictures to what is on a city's own cameras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor

from citytune._errors import InputError, UnknownName
from citytune._progress import Asked, Progress, shows_progress
from citytune._text import counted, listed
from citytune.backbones import Eye, eye_of
from citytune.training import Loop
from citytune.tuning import LEVELS
from citytune.vision._features import features_of
from citytune.vision._frame import PictureFrame
from citytune.vision._learn import (
    ARTICLE,
    FEWEST_GROUPS,
    RANDOM_FOLDS,
    Examples,
    Fit,
    choose_usual,
    cross_fit,
    fit_exact,
    gate,
    intervals,
    quantiles,
    random_groups,
    usual_of,
)
from citytune.vision._model import Network, VisionModel
from citytune.vision._scores import score
from citytune.vision._steps import STEPS, Moved, changed_weights, free_copy, held_back, move
from citytune.vision._target import Target

VisionStrategy: TypeAlias = Literal["head", "head-sgd", "last-blocks", "full"]
FOLDS = {"head": 20, "head-sgd": 5, "last-blocks": 3, "full": 3}
"""Most folds of groups that a strategy is tested on; those that move the network take long."""
MOVING = ("last-blocks", "full")
"""Those that move the network itself."""
CAUTION = 2.0


@shows_progress
def tune_vision(
    pictures: PictureFrame,
    *,
    backbone: Any = "efficientnet-lite0",
    strategy: str = "head",
    kind: str = "auto",
    link: str = "identity",
    pixels: int | None = None,
    folds: int | None = None,
    loop: Loop | None = None,
    caution: float = CAUTION,
    seed: int = 0,
    progress: Asked = None,
) -> VisionModel:
    """Learn what is on pictures: how many vehicles, how full, jam or free.

    The network is frozen and asked once for each picture; a new last layer is then found exactly,
    for every λ of MSE + λ‖φ‖², with λ chosen on groups left out. The whole of it is repeated with
    groups left out (a clip, or a camera's day), which gives the scores and the intervals, and says
    how far the pictures are followed away from the mean or the camera's hour mean: not at all if
    they do not help.

    Args:
        pictures: With labels, from `read_pictures(…, target=…)`.
        backbone: "resnet50", "efficientnet-lite0", or any network that `backbones.eye_of` takes:
            of Keras, of timm, your own.
        strategy: "head" (exact), "head-sgd" (the article's loop: SGD, 100 epochs), "last-blocks" or
            "full" (the network moves, too; minutes to hours without a GPU).
        kind: Of labels; "auto" takes whole numbers from 0 for counts, and words for classes, and
            asks where all are 0 or 1.
        link: How counts are learnt: "identity" by squared errors; "log" by those of
            log(1 + count); "poisson" by the Poisson deviance, its mean's logarithm being linear.
        pixels: Side that pictures are resized to; by default the network's own, 224.
        folds: Most folds of groups.
        loop: How steps are taken, of the strategies that take steps.
        caution: How often a gain must have repeated; 0 trusts every gain.
        seed: The same seed and pictures give the same model.
        progress: Told the stage and the share of it done; False shows nothing.

    Raises:
        InputError: there are no labels, too few groups, or nothing to learn.
        MissingWeights: the network's weights are not here.
    """
    if strategy not in get_args(VisionStrategy):
        raise UnknownName("strategy for pictures", strategy, get_args(VisionStrategy))
    if strategy == "head-sgd" and link == "poisson":
        raise InputError(
            "strategy 'head-sgd' is the article's loop, whose loss is squared errors; take 'head', "
            "which finds the minimum of the Poisson deviance by Newton's method"
        )
    if pictures.values is None:
        raise InputError(
            f"{pictures.source} was read without labels; read it with target=, the column of what "
            "is to be learnt"
        )
    target = Target.of(pictures.target, pictures.values, kind, link)
    names = tuple(dict.fromkeys(pictures.groups))
    if len(names) < FEWEST_GROUPS:
        raise InputError(
            f"the pictures are of {counted(len(names), 'group')} ({listed(list(names))}), and a "
            f"test on what was left out needs {FEWEST_GROUPS} or more: bring pictures of more "
            "days, clips or cameras, or name what belongs together by group="
        )
    if folds is not None and folds < 2:
        raise InputError(f"folds is {folds}: a test needs 2 or more")
    eye = eye_of(backbone, pixels)
    if strategy in MOVING:
        free_copy(eye, strategy)  # so that what cannot be is said before the long work
    told = progress or _nobody
    examples = _examples(eye, pictures, target, names, told)
    return _Tuning(target, eye, pictures, examples, strategy, loop, seed, told).model(
        names, folds or FOLDS[strategy], caution
    )


def _nobody(_stage: str, _share: float) -> None:
    """Nobody asked how far it is."""


def _examples(
    eye: Eye, frame: PictureFrame, target: Target, names: Sequence[str], progress: Progress
) -> Examples:
    progress("Seeing", 0.0)
    features = features_of(eye, frame.pictures, lambda share: progress("Seeing", share))
    if not bool(features.isfinite().all()):
        raise InputError(f"the network {eye.name!r} answers NaN to some pictures; give another one")
    place = {name: i for i, name in enumerate(names)}
    hours = frame.hours()
    assert frame.values is not None, "the caller has looked"
    return Examples(
        features,
        target.values(np.asarray(frame.values)),
        frame.places,
        None if hours is None else torch.from_numpy(hours),
        torch.tensor([place[name] for name in frame.groups]),
    )


@dataclass(frozen=True, eq=False)
class _Tuning:
    """One call of `tune_vision`."""

    target: Target
    eye: Eye
    frame: PictureFrame
    examples: Examples
    strategy: str
    loop: Loop | None
    seed: int
    progress: Progress

    def model(self, names: tuple[str, ...], folds: int, caution: float) -> VisionModel:
        """Test on groups left out, then learn from all."""
        target, examples = self.target, self.examples
        found = cross_fit(
            target, examples, examples.folds(folds), self._learn_fold, self._told("Testing")
        )
        share = gate(target, examples, found, caution)
        answers = target.back(
            found.base + share[examples.group][:, None] * (found.seen - found.base)
        )
        conformal = None if target.kind == "class" else intervals(target, answers, examples)
        levels = None if conformal is None else self._levels(answers)
        scores = score(target, examples, names, found, answers, levels, self._random_split())
        self.progress("Fitting", 0.0)
        everything = torch.arange(len(answers))
        fit, moved = self._fit(examples, everything)
        notes = [*self.frame.notes, *(moved.notes if moved else ())]
        if moved is None and self.strategy in MOVING:
            notes.append("moving the network did not help on groups held back, so it was not moved")
        network = Network(self.eye.name, self.eye.own, self.eye.pixels, self.eye.digest())
        return VisionModel(
            target, network, self.strategy, fit.usual, fit.head, fit.scale, float(share[-1]),
            conformal, changed_weights(self.eye, moved.eye) if moved else {}, scores,
            tuple(notes), moved.eye if moved else self.eye,
        )  # fmt: skip

    def _fit(self, examples: Examples, which: Tensor) -> tuple[Fit, Moved | None]:
        by_steps = (self.loop or ARTICLE) if self.strategy == "head-sgd" else None
        if self.strategy not in MOVING:
            return fit_exact(self.target, examples, by_steps=by_steps), None
        held = held_back(examples.group)
        kept = examples.pick((~held).nonzero()[:, 0])
        usual = choose_usual(self.target, examples)
        fit = fit_exact(self.target, kept, usual=usual_of(kept, usual.kind))
        base = examples.usual(fit.usual)

        def loss(says: Tensor, some: Tensor) -> Tensor:
            return self.target.cost(fit.scale * says, examples.values[some], base[some])

        moved = move(
            self.eye, fit.head, [self.frame.pictures[i] for i in which.tolist()], loss,
            held, self.strategy, self.loop or STEPS, self.seed,
        )  # fmt: skip
        if not moved.improved:  # all pictures teach the last layer then
            return fit_exact(self.target, examples), None
        return Fit(usual, moved.head, fit.scale), moved

    def _learn_fold(self, train: Examples, which: Tensor) -> tuple[Fit, Callable[[Tensor], Tensor]]:
        fit, moved = self._fit(train, which)

        def answer(some: Tensor) -> Tensor:
            shown = self.examples.pick(some)
            if moved is not None:
                pictures = [self.frame.pictures[i] for i in some.tolist()]
                shown = replace(shown, features=features_of(moved.eye, pictures))
            return fit.learnt(self.target, shown)

        return fit, answer

    def _levels(self, answers: Tensor) -> Tensor:
        """(picture, level) quantiles from the errors on other groups."""
        found = torch.zeros(len(answers), len(LEVELS), dtype=torch.float64)
        for one in self.examples.group.unique():
            mine = self.examples.group == one
            rest = self.examples.pick((~mine).nonzero()[:, 0])
            conformal = intervals(self.target, answers[~mine], rest)
            found[mine] = quantiles(self.target, conformal, answers[mine])
        return found

    def _random_split(self) -> float:
        """The error of a new last layer that a test on pictures drawn at random would claim."""
        mixed = random_groups(self.examples, self.seed)

        def learn(train: Examples, _which: Tensor) -> tuple[Fit, Callable[[Tensor], Tensor]]:
            fit = fit_exact(self.target, train)
            return fit, lambda some: fit.learnt(self.target, mixed.pick(some))

        found = cross_fit(
            self.target, mixed, mixed.folds(RANDOM_FOLDS), learn, self._told("Random split")
        )
        return float(self.target.errors(self.target.back(found.seen), mixed.values).mean())

    def _told(self, stage: str) -> Callable[[float], None]:
        return lambda share: self.progress(stage, share)
