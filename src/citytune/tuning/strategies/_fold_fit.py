"""Train on purged folds, then on everything: gradient steps for a network without quantiles.

How far to go from the pretrained weights toward the tuned ones is chosen out of fold.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from citytune.training import Loop, TrainingRecord, decay, minimise, stopping_early
from citytune.tuning.closed_form._choose_penalty import choose_penalty
from citytune.tuning.examples._batch import FEATURES
from citytune.tuning.experts._expert import Candidate, forecasts_of
from citytune.tuning.experts._finetuned import FineTuned
from citytune.tuning.strategies._trainable import Trainable
from citytune.tuning.task._task import Task
from citytune.windows import Fold, evenly, purged_folds

if TYPE_CHECKING:
    from citytune.tuning.strategies._gradient import GradientStrategy

SHARES = (1.0, 0.75, 0.5, 0.25)
"""How far toward the tuned weights; less is safer, so it comes later, like a larger λ."""
EPOCHS, WINDOWS, FOLDS, L2_SP = 8, 1000, 3, 0.01
"""What is taken where the loss is not the network's own, unless a person says otherwise."""
EARLY_STOPPING_SHARE = 0.2
"""Share of the windows learnt from, the most recent, on which training is stopped early."""
TOO_FEW_WINDOWS = (
    "{windows} windows over {days:.0f} days are too few for folds, so no weight of the network was "
    "moved; bring more history"
)
NO_GAIN = "moving weights gained nothing out of fold, so none was moved"


class FoldFit:
    """One fit of a strategy to a task."""

    def __init__(self, way: GradientStrategy, task: Task) -> None:
        self.way, self.task = way, task
        self.rate: float | None = way.rate
        self.notes: list[str] = []
        self.runs = 0
        names = [expert.name for expert in task.experts]
        self.untouched = task.forecast_of(way.lens if way.lens in names else task.prior)
        self.folds = _folds(task, way.folds or FOLDS)

    def candidates(self) -> tuple[list[Candidate], list[str]]:
        """The expert, with forecasts of every window from weights that had not seen it."""
        task = self.task
        if not self.folds:
            return [], [TOO_FEW_WINDOWS.format(windows=len(task.examples), days=task.days)]
        with stopping_early() as self.stop:
            return self._candidates()

    def _candidates(self) -> tuple[list[Candidate], list[str]]:
        task, way = self.task, self.way
        trials = torch.zeros(len(SHARES), *task.actual.shape)
        best: list[int] = []
        shares = SHARES if way.interpolate else SHARES[:1]
        for fold in self.folds:
            tuned, record = self._train(*_held_back(task, fold.train), epochs=way.epochs or EPOCHS)
            best.append(record.best)
            for i, share in enumerate(shares):
                part = tuned.toward_pretrained(task.backbone, share)
                trials[i, fold.test] = self._forecast(part, fold.test)
        epochs = max(1, round(statistics.median(best)))
        chosen = self._share(trials) if way.interpolate else 1.0
        if chosen is None:
            return [], [*self.notes, NO_GAIN]
        everything = torch.arange(len(task.examples))
        tuned, _ = self._train(everything, None, epochs=epochs)
        tuned = tuned.toward_pretrained(task.backbone, chosen)
        return [Candidate(tuned, trials[SHARES.index(chosen)])], self.notes

    def _share(self, trials: Tensor) -> float | None:
        """How far to go: the least that is within one standard error of the best."""
        task, prior = self.task, self.task.forecast_of(self.task.prior)
        place = choose_penalty(
            (trials - prior) / task.scale,
            (task.actual - prior) / task.scale,
            torch.ones(()),
            self.folds,
        )
        return None if place is None else SHARES[place]

    def _forecast(self, tuned: FineTuned, which: Tensor) -> Tensor:
        task, live = self.task, self.task.live.pick(which)
        if tuned.head is not None and tuned.prior is None:  # it reads the pretrained network
            live = replace(live, computed={FEATURES: task.features[which]})
        known = {task.prior: task.forecast_of(task.prior)[which]}
        return forecasts_of([tuned], live, known)[tuned.name]

    def _train(
        self, train: Tensor, held: Tensor | None, *, epochs: int
    ) -> tuple[FineTuned, TrainingRecord]:
        task, way = self.task, self.way
        train = train[evenly(len(train), way.windows or WINDOWS)]
        trainable = Trainable(task, way.lens, train, closed_form=way.closed_form())
        phases = way.phases(trainable, task.settings.seed)
        records = []
        for i, groups in enumerate(phases):
            moving = [weight for group in groups for weight in group.parameters]
            trainable.free(moving)
            records.append(
                minimise(
                    groups,
                    self._loss(trainable, train, moving),
                    len(train),
                    self._loop(max(1, round(epochs / len(phases))), len(phases)),
                    seed=task.settings.seed + i,
                    held=self._held(trainable, held),
                    watch=self._watch(held, (i, len(phases), epochs)),
                    note=self.notes.append,
                    stop=self.stop,
                )
            )
            self.rate = records[0].rate
        self.runs += 1
        best = sum(record.best for record in records)
        return trainable.fine_tuned(), replace(records[-1], best=best)

    def _loop(self, epochs: int, phases: int) -> Loop:
        way, most = self.way, self.task.settings.max_seconds
        return Loop(
            epochs=epochs,
            batch=way.batch,
            rate=self.rate,
            patience=way.patience,
            decay=L2_SP if way.l2_sp is None else way.l2_sp,
            clip=1.0,
            max_seconds=None if most is None else most / (len(self.folds) + 1) / phases,
        )

    def _loss(
        self, trainable: Trainable, train: Tensor, moving: list[Tensor]
    ) -> Callable[[Tensor], Tensor]:
        way = self.way

        def loss(batch: Tensor) -> Tensor:
            found = self._error(trainable, train[batch], squared=way.loss == "mse")
            return found + decay(moving, way.weight_decay) if way.weight_decay else found

        return loss

    def _error(self, trainable: Trainable, which: Tensor, *, squared: bool = False) -> Tensor:
        """Mean error in units of usual spread, over what was measured."""
        return self._size(trainable.forecast(which), which, squared=squared)

    def _size(self, forecast: Tensor, which: Tensor, *, squared: bool = False) -> Tensor:
        task = self.task
        error = (forecast - task.actual[which]) / task.scale[which]
        counted = (~error.isnan()).float()
        if task.target_weight is not None:
            counted = counted * task.target_weight[which]
        error = error.nan_to_num(0.0)
        size = error.square() if squared else error.abs()
        return (size * counted).sum() / counted.sum().clamp_min(1e-9)

    def _held(self, trainable: Trainable, held: Tensor | None) -> Callable[[], float] | None:
        if held is None:
            return None

        def error() -> float:
            with torch.no_grad():
                parts = held.split(256)
                return sum(float(self._error(trainable, p)) * len(p) for p in parts) / len(held)

        return error

    def _watch(
        self, held: Tensor | None, phase: tuple[int, int, int]
    ) -> Callable[[int, float, float], None]:
        """Tell the loss, and those of zero-shot and of the best rule."""
        task, (place, phases, epochs) = self.task, phase
        runs = len(self.folds) + 1
        others = ""
        if held is not None and task.progress is not None:
            rule = task.forecast_of(task.better_rule or task.best_rule)
            untouched = float(self._size(self.untouched[held], held))
            naive = float(self._size(rule[held], held))
            others = f" (zero-shot {untouched:.3f}, naive {naive:.3f})"

        def tell(epoch: int, trained: float, scored: float) -> None:
            if task.progress is None:
                return
            share = (place + min(1.0, epoch * phases / epochs)) / phases
            found = scored if held is not None else trained
            stage = f"fold {self.runs + 1} of {runs - 1}" if held is not None else "all windows"
            text = f"taking gradient steps, {stage}: error {found:.3f}{others}"
            task.progress(text, 0.1 + 0.8 * (self.runs + share) / runs)

        return tell


def _folds(task: Task, count: int) -> list[Fold]:
    found = purged_folds(task.examples.origin, horizon=task.spec.horizon, folds=count)
    # A fold from which not even a few windows can be learnt shows nothing.
    return found if len(found) > 1 and all(len(fold.train) >= 8 for fold in found) else []


def _held_back(task: Task, which: Tensor) -> tuple[Tensor, Tensor]:
    """Windows to learn from, and the most recent ones to stop early on; their targets are apart."""
    origin = task.examples.origin[which]
    order = origin.sort().values
    first = order[int((1 - EARLY_STOPPING_SHARE) * (len(order) - 1))]
    held, train = which[origin >= first], which[origin <= first - task.spec.horizon]
    return (train, held) if len(train) else (which, held)
