"""Fine-tune by gradient steps: which weights move is the strategy's matter, all else is here.

Every such strategy minimises Σ loss(y, f(x; θ, φ)) + λ‖φ − φ₀‖² over its own φ. It is trained once
for each of a few purged folds, for forecasts as if unseen, and then on everything; how far to go
from the pretrained weights toward the tuned ones is chosen out of fold
(`FineTuned.toward_pretrained`); and what comes of it is one expert among others.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from citytune._errors import InputError
from citytune.backbones import Backbone
from citytune.training import Group, Loop, TrainingRecord, decay, minimise
from citytune.tuning._blend import Blend, Candidate
from citytune.tuning._choose_penalty import choose_penalty
from citytune.tuning._finetuned import MOVED, FineTuned
from citytune.tuning._mixture import Mixture
from citytune.tuning._strategy import Learned, once
from citytune.tuning._task import Task
from citytune.tuning._trainable import Trainable
from citytune.windows import Fold, purged_folds

SHARES = (1.0, 0.75, 0.5, 0.25)
"""How far toward the tuned weights; less is safer, so it comes later, like a larger λ."""
HELD = 0.2
"""Share of the windows learnt from, the most recent, on which training is stopped early."""
TOO_FEW = (
    "{windows} windows over {days:.0f} days are too few for folds, so no weight of the network was "
    "moved; bring more history"
)
NO_GAIN = "moving weights gained nothing out of fold, so none was moved"
GOLDEN = (5**0.5 - 1) / 2

Lens = Literal["plain", "squashed", "squashed-minus-week", "squashed-minus-kind"]


@dataclass(frozen=True, kw_only=True)
class GradientStrategy:
    """Options of every strategy that moves weights of the network itself."""

    stack: bool = True
    """Whether the forecast enters the blend's stack, and so stays safe; else it stands alone."""
    interpolate: bool = True
    """Whether to go back toward the pretrained weights as far as the folds say (WiSE-FT)."""
    lens: Lens = "plain"
    """How the series is shown to the network."""
    loss: Literal["mae", "mse"] = "mae"
    """Of errors in units of each sensor's usual spread."""
    epochs: int = 8
    """Most passes over the windows."""
    batch: int = 64
    """Windows a step."""
    rate: float | None = None
    """Highest learning rate; by default found by a range test."""
    weight_decay: float = 0.0
    """λ of ‖φ‖²."""
    l2_sp: float = 0.01
    """λ of ‖φ − φ₀‖², the distance to the pretrained weights (Xuhong et al. 2018)."""
    patience: int = 3
    """Epochs without gain, on the most recent windows, after which training stops."""
    windows: int = 1000
    """Most windows to learn from."""
    folds: int = 3
    """Purged folds."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience", "windows"):
            if getattr(self, name) < 1:
                raise InputError(f"option {name!r} must be at least 1, got {getattr(self, name)}")
        if self.folds < 2:
            raise InputError(f"option 'folds' must be at least 2, got {self.folds}")
        if self.rate is not None and not self.rate > 0:
            raise InputError(f"option 'rate' must be positive, got {self.rate}")
        for name in ("weight_decay", "l2_sp"):
            if not getattr(self, name) >= 0:
                raise InputError(f"option {name!r} must be at least 0, got {getattr(self, name)}")

    def phases(self, subject: Trainable, seed: int) -> list[list[Group]]:
        """The weights that move, phase after phase; most strategies have one."""
        raise NotImplementedError

    def cannot(self, backbone: Backbone) -> str:
        """Why this strategy cannot tune `backbone`; empty if it can."""
        return "it has no weights to move" if not list(backbone.blocks()) else ""

    def closed_form(self) -> bool:
        """Whether a head in closed form comes first."""
        return False

    def fit(self, task: Task) -> Learned:
        """Train on folds and on everything, then let the stack weigh what comes of it."""
        guest, notes = _Fit(self, task).guest()
        if guest is not None:
            task.note(MOVED, guest.says)
        learned = KeepWeights(guest and guest.moved, stack=self.stack).fit(task)
        return learned._replace(notes=(*once(notes), *learned.notes))


@dataclass(frozen=True, eq=False)
class KeepWeights:
    """Weights that were moved before, and stay: only the stack is fitted."""

    moved: FineTuned | None
    """None if none were."""
    stack: bool = True

    def fit(self, task: Task) -> Learned:
        """What the moved network says of the windows is known to the task."""
        if self.moved is None and not self.stack:
            alone = Mixture.of_one(task.prior, task.prior, task.spec.horizon)
            return Learned(alone, task.said_by(task.prior))
        if self.moved is None:
            return Blend().fit(task)
        says = task.said_by(MOVED)
        if self.stack:
            return Blend().fit(task, guests=(Candidate(MOVED, says, moved=self.moved),))
        alone = Mixture.of_one(MOVED, task.prior, task.spec.horizon, moved=self.moved)
        return Learned(alone, says)


class _Fit:
    """One fit of a strategy to a task."""

    def __init__(self, way: GradientStrategy, task: Task) -> None:
        self.way, self.task = way, task
        self.rate: float | None = way.rate
        self.notes: list[str] = []
        self.runs = 0
        self.untouched = task.said_by(way.lens if way.lens in task.experts else task.prior)
        self.folds = _folds(task, way.folds)

    def guest(self) -> tuple[Candidate | None, list[str]]:
        """The expert, with forecasts of every window from weights that had not seen it."""
        task, way = self.task, self.way
        if not self.folds:
            return None, [TOO_FEW.format(windows=len(task.examples), days=task.days)]
        trials = torch.zeros(len(SHARES), *task.actual.shape)
        best: list[int] = []
        shares = SHARES if way.interpolate else SHARES[:1]
        for fold in self.folds:
            moved, course = self._train(*_held_back(task, fold.train), epochs=way.epochs)
            best.append(course.best)
            for i, share in enumerate(shares):
                part = moved.toward_pretrained(task.backbone, share)
                trials[i, fold.test] = self._says(part, fold.test)
        epochs = max(1, round(statistics.median(best)))
        chosen = self._share(trials) if way.interpolate else 1.0
        if chosen is None:
            return None, [*self.notes, NO_GAIN]
        everything = torch.arange(len(task.examples))
        moved, _ = self._train(everything, None, epochs=epochs)
        moved = moved.toward_pretrained(task.backbone, chosen)
        return Candidate(MOVED, trials[SHARES.index(chosen)], moved=moved), self.notes

    def _share(self, trials: Tensor) -> float | None:
        """How far to go: the least that is within one standard error of the best."""
        task, prior = self.task, self.task.said_by(self.task.prior)
        place = choose_penalty(
            (trials - prior) / task.scale,
            (task.actual - prior) / task.scale,
            torch.ones(()),
            self.folds,
        )
        return None if place is None else SHARES[place]

    def _says(self, moved: FineTuned, which: Tensor) -> Tensor:
        task = self.task
        prior = task.said_by(task.prior)[which]
        seasonal, examples = task.place
        return moved.forecast(task.backbone, seasonal, examples.pick(which), task.spec, prior)

    def _train(
        self, train: Tensor, held: Tensor | None, *, epochs: int
    ) -> tuple[FineTuned, TrainingRecord]:
        task, way = self.task, self.way
        train = _thinned(train, way.windows)
        subject = Trainable(task, way.lens, train, closed_form=way.closed_form())
        phases = way.phases(subject, task.settings.seed)
        courses = []
        for i, groups in enumerate(phases):
            moving = [weight for group in groups for weight in group.parameters]
            subject.free(moving)
            courses.append(
                minimise(
                    groups,
                    self._loss(subject, train, moving),
                    len(train),
                    self._loop(max(1, round(epochs / len(phases))), len(phases)),
                    seed=task.settings.seed + i,
                    held=self._held(subject, held),
                    watch=self._watch(held, (i, len(phases), epochs)),
                    note=self.notes.append,
                )
            )
            self.rate = courses[0].rate
        self.runs += 1
        best = sum(course.best for course in courses)
        return subject.moved(), replace(courses[-1], best=best)

    def _loop(self, epochs: int, phases: int) -> Loop:
        way, most = self.way, self.task.settings.max_seconds
        return Loop(
            epochs=epochs,
            batch=way.batch,
            rate=self.rate,
            patience=way.patience,
            decay=way.l2_sp,
            clip=1.0,
            max_seconds=None if most is None else most / (len(self.folds) + 1) / phases,
        )

    def _loss(
        self, subject: Trainable, train: Tensor, moving: list[Tensor]
    ) -> Callable[[Tensor], Tensor]:
        way = self.way

        def loss(batch: Tensor) -> Tensor:
            found = self._error(subject, train[batch], squared=way.loss == "mse")
            return found + decay(moving, way.weight_decay) if way.weight_decay else found

        return loss

    def _error(self, subject: Trainable, which: Tensor, *, squared: bool = False) -> Tensor:
        """Mean error in units of usual spread, over what was measured."""
        return self._size(subject.forecast(which), which, squared=squared)

    def _size(self, said: Tensor, which: Tensor, *, squared: bool = False) -> Tensor:
        task = self.task
        error = (said - task.actual[which]) / task.scale[which]
        counted = (~error.isnan()).float()
        if task.target_weight is not None:
            counted = counted * task.target_weight[which]
        error = error.nan_to_num(0.0)
        size = error.square() if squared else error.abs()
        return (size * counted).sum() / counted.sum().clamp_min(1e-9)

    def _held(self, subject: Trainable, held: Tensor | None) -> Callable[[], float] | None:
        if held is None:
            return None

        def error() -> float:
            with torch.no_grad():
                parts = held.split(256)
                return sum(float(self._error(subject, p)) * len(p) for p in parts) / len(held)

        return error

    def _watch(
        self, held: Tensor | None, phase: tuple[int, int, int]
    ) -> Callable[[int, float, float], None]:
        """Tell the loss beside that of zero-shot and of the best rule."""
        task, (place, phases, epochs) = self.task, phase
        runs = len(self.folds) + 1
        beside = ""
        if held is not None and task.progress is not None:
            rule = task.said_by(task.better_rule or task.best_rule)
            untouched = float(self._size(self.untouched[held], held))
            naive = float(self._size(rule[held], held))
            beside = f" (zero-shot {untouched:.3f}, naive {naive:.3f})"

        def tell(epoch: int, trained: float, scored: float) -> None:
            if task.progress is None:
                return
            share = (place + min(1.0, epoch * phases / epochs)) / phases
            found = scored if held is not None else trained
            stage = f"fold {self.runs + 1} of {runs - 1}" if held is not None else "all windows"
            said = f"taking gradient steps, {stage}: error {found:.3f}{beside}"
            task.progress(said, 0.1 + 0.8 * (self.runs + share) / runs)

        return tell


def _folds(task: Task, count: int) -> list[Fold]:
    found = purged_folds(task.examples.origin, horizon=task.spec.horizon, folds=count)
    # A fold from which not even a few windows can be learnt shows nothing.
    return found if len(found) > 1 and all(len(fold.train) >= 8 for fold in found) else []


def _held_back(task: Task, which: Tensor) -> tuple[Tensor, Tensor]:
    """Windows to learn from, and the most recent ones to stop early on; their targets are apart."""
    origin = task.examples.origin[which]
    order = origin.sort().values
    first = order[int((1 - HELD) * (len(order) - 1))]
    held, train = which[origin >= first], which[origin <= first - task.spec.horizon]
    return (train, held) if len(train) else (which, held)


def _thinned(which: Tensor, most: int) -> Tensor:
    """At most `most` windows, evenly spread over time and sensors."""
    if len(which) <= most:
        return which
    turn = torch.arange(len(which), dtype=torch.float64) * GOLDEN % 1
    return which[turn.argsort()[:most].sort().values]
