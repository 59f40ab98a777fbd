"""Fine-tune on all of a city's history by the network's own loss: cross-fitted, then averaged.

The network was pretrained by the pinball loss of its quantiles, in units of each window's spread;
so it is tuned, by the same optimiser and a schedule in small. The evidence of a mixture is cut into
blocks of two weeks, which are dealt to a few folds. For each fold a network is tuned on everything
but its blocks, which it then forecasts as if unseen, with what was learnt as fresh as it is in use;
together they show, on all of the evidence, what tuning gains. What takes part is the average of
their weights (Wortsman et al. 2022, model soups, arXiv:2203.05482): they began alike and have
learnt nearly the same, and their average has seen every block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from threading import Lock
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.backbones import LEVELS, Past, Probabilistic
from citytune.settings import Effort
from citytune.training import Group, Loop, Machine, device, minimise, pinball
from citytune.tuning._batch import MIDDLE, Batch
from citytune.tuning._expert import Candidate
from citytune.tuning._finetuned import FineTuned, mean_of
from citytune.tuning._lens import PLAIN
from citytune.tuning._task import Task
from citytune.tuning._trainable import Trainable
from citytune.tuning._training_windows import Span
from citytune.windows import Seasonal, cut_future

WORK: dict[Effort, int] = {"quick": 3_000, "usual": 16_000, "thorough": 160_000}
"""Windows to pass through the network and back, with a year and a horizon of a day …"""
YEAR, LEAST, MOST = 365.0, 0.25, 1.5
"""… and with other histories in proportion, but within these times as many: years gain most."""
PASSES, MOST_PASSES = 2, 4
"""Passes over the windows; more where there are few windows and effort is left."""
MOST_PER_DAY = 4
"""Windows of a sensor and day that still differ enough."""
FOLDS, FEW_FOLDS, FOLD_DAYS = 2, 3, 180
"""Folds of the evidence; more with a history of fewer days, of which each is a larger part …"""
BLOCK_DAYS = 14
"""… and the days of their blocks. A network that has not seen the last two months would show less
than one in use gains: much of it is the season, and what is new."""
FAR = 8.0
"""Targets further from a window's level, in spreads, count as this far, as in pretraining."""
QUIET = 0.05
"""A sensor that counts less than this for the others, such as a dead, doubled or broken one, or one
of noise, teaches the network nothing."""
FEWEST = 32
"""Windows of which something can be learnt."""

Phases = Callable[[Trainable, int], list[list[Group]]]
"""The weights that move, phase after phase."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a network is tuned to a city."""

    passes: int = PASSES
    windows: int = 4096
    """To learn from, in each fold."""
    folds: int = FOLDS
    rate: float = 3e-4
    batch: int = 64
    weight_decay: float = 0.01
    """Of AdamW, apart from the loss."""
    l2_sp: float = 0.0

    @classmethod
    def of(cls, task: Task) -> Plan:
        """As much as the effort that was asked for allows."""
        history, horizon = task.history, task.spec.horizon
        days = history.length / history.steps_per_day
        folds = FOLDS if days >= FOLD_DAYS else FEW_FOLDS
        known = float((~history.raw.isnan()).float().mean())
        most = max(FEWEST, round(MOST_PER_DAY * len(history.raw) * days * known))
        work = WORK[task.settings.effort] * min(max(days / YEAR, LEAST), MOST)
        work = work / folds / (0.8 + 0.2 * horizon / 24)
        passes = min(max(PASSES, round(work / most)), MOST_PASSES)
        return cls(passes=passes, windows=min(most, max(FEWEST, round(work / passes))), folds=folds)


def everything(trainable: Trainable, seed: int) -> list[list[Group]]:
    """All weights move, together."""
    return [[Group(list(trainable.root.parameters()))]]


def can_cross_fit(task: Task) -> bool:
    """Whether the network gives quantiles, to which its own loss belongs, and has weights."""
    card, backbone = task.backbone.card, task.backbone
    able = isinstance(backbone, Probabilistic) and card.horizon is not None
    near = able and task.spec.horizon <= (card.horizon or 0)
    return near and bool(list(backbone.blocks())) and task.target_weight is None


def cross_fit(
    task: Task, plan: Plan, phases: Phases = everything
) -> tuple[list[Candidate], list[str]]:
    """The fine-tuned network, with forecasts of every window of evidence as if unseen; notes.

    No candidate where there is too little to learn from.
    """
    return _CrossFit(task, plan, phases).candidates()


class _CrossFit:
    def __init__(self, task: Task, plan: Plan, phases: Phases) -> None:
        self.task, self.plan, self.phases = task, plan, phases
        self.seasonal = Seasonal(task.history)
        self.folds = _folds(task, plan.folds)
        self.notes: list[str] = []
        self.done, self.lock, self.stopped = 0, Lock(), False

    def candidates(self) -> tuple[list[Candidate], list[str]]:
        task = self.task
        if len(self.folds) < 2:
            return [], self.notes
        ready = [_Fold.of(self, spans) for _, spans in self.folds]
        if any(len(fold.windows.examples) < FEWEST for fold in ready):
            return [], self.notes
        tuned = self._side_by_side(ready)
        quantiles = torch.zeros(*task.actual.shape, len(LEVELS))
        for (which, _), found in zip(self.folds, tuned, strict=True):
            quantiles[which] = found.quantiles_of(task.live.pick(which))
        expert = mean_of(tuned, task.backbone)
        middle = quantiles[..., MIDDLE]
        deviations = quantiles - middle[..., None]
        task.note(expert.name, middle, deviations)
        return [Candidate(expert, middle, deviations)], self.notes

    def _side_by_side(self, ready: Sequence[_Fold]) -> list[FineTuned]:
        """Each fold tuned, one per thread: so small a network gains little from more for itself.

        A GPU, or several processes that share each step, take one after the other.
        """
        threads = torch.get_num_threads()
        alone = device().type != "cpu" or Machine().processes > 1
        workers = 1 if alone else min(threads, len(ready))
        if workers == 1:
            return [self._tuned(fold) for fold in ready]
        one_each = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        try:
            with torch.random.fork_rng(devices=[]), one_each as pool:
                try:
                    return _results([pool.submit(self._tuned, fold) for fold in ready])
                except BaseException:  # an interruption too must not wait for the others
                    self.stopped = True
                    raise
        finally:
            torch.set_num_threads(threads)  # which the workers have changed for threads to come

    def _tuned(self, fold: _Fold) -> FineTuned:
        for i, groups in enumerate(fold.phases):
            fold.trainable.free([weight for group in groups for weight in group.parameters])
            minimise(
                groups,
                self._loss(fold.trainable, fold.windows),
                len(fold.windows.examples),
                self._loop(len(fold.phases)),
                seed=self.task.settings.seed + i,
                note=self.notes.append,
            )
        return replace(fold.trainable.fine_tuned(), probabilistic=True)

    def _loop(self, phases: int) -> Loop:
        plan, most = self.plan, self.task.settings.max_seconds
        return Loop(
            epochs=max(1, round(plan.passes / phases)),
            batch=plan.batch,
            rate=plan.rate,
            betas=(0.9, 0.98),
            weight_decay=plan.weight_decay,
            decay=plan.l2_sp,
            warm=20,
            clip=1.0,
            max_seconds=None if most is None else most / len(self.folds) / phases,
        )

    def _loss(self, trainable: Trainable, windows: Batch) -> Callable[[Tensor], Tensor]:
        """The network's own, of a minibatch of windows."""
        task, backbone = self.task, trainable.backbone
        assert isinstance(backbone, Probabilistic), "so it was asked"
        horizon, total = task.spec.horizon, self.plan.passes * len(windows.examples)

        def loss(batch: Tensor) -> Tensor:
            if self.stopped:
                raise InterruptedError
            shown = in_own_unit(windows.past(batch))
            ahead = cut_future(task.history.raw, windows.examples.pick(batch), horizon)
            ahead = ((ahead - shown.level) / shown.spread).float().clamp(-FAR, FAR)
            self._tell(len(batch), total)
            return pinball(backbone.quantiles(shown.past, horizon), ahead, LEVELS)

        return loss

    def _tell(self, count: int, total: int) -> None:
        with self.lock:
            self.done += count
            if self.task.progress is not None:
                share = 0.1 + 0.8 * min(1.0, self.done / (total * len(self.folds)))
                self.task.progress("fine-tuning the network on the whole history", share)


class _Fold(NamedTuple):
    """A network that may move, and all that it learns from."""

    trainable: Trainable
    phases: list[list[Group]]
    windows: Batch

    @classmethod
    def of(cls, fit: _CrossFit, spans: Sequence[Span]) -> _Fold:
        """From everything but some spans."""
        task = fit.task
        examples = task.training(fit.plan.windows, but=spans)
        examples = examples.pick(task.pool.voice[examples.sensor] > QUIET)
        trainable = Trainable(task, PLAIN, torch.arange(0))
        phases = fit.phases(trainable, task.settings.seed)
        return cls(trainable, phases, Batch(task.backbone, fit.seasonal, examples, task.spec))


@dataclass(frozen=True)
class _Shown:
    past: Past
    level: Tensor  # (example, 1) float64
    spread: Tensor  # (example, 1) float64; NaN where there is none, so that nothing counts


def in_own_unit(past: Past) -> _Shown:
    """Windows around the mean of what was measured, in units of its spread."""
    known, exact = past.measured.double(), past.values.double()
    count = known.sum(1, keepdim=True).clamp_min(1)
    level = (exact * known).sum(1, keepdim=True) / count
    spread = (((exact - level) * known).square().sum(1, keepdim=True) / count).sqrt()
    flat = spread <= 1e-6 * (exact * known).abs().amax(1, keepdim=True)
    shown = torch.where(flat, 0.0, (exact - level) / torch.where(flat, 1.0, spread)).float()
    return _Shown(past._replace(values=shown), level, spread.masked_fill(flat, torch.nan))


def _results(some: Sequence[Future[FineTuned]]) -> list[FineTuned]:
    """What comes of all, or the first fault; it looks up now and then, to be interrupted."""
    while wait(some, timeout=0.2, return_when=FIRST_EXCEPTION).not_done:
        for one in some:
            if one.done():
                one.result()
    return [one.result() for one in some]


def _folds(task: Task, count: int) -> list[tuple[Tensor, list[Span]]]:
    """Which windows of the evidence (window,) long each fold tests on, and the spans of targets."""
    day, horizon = task.day, task.spec.horizon
    first, last = day.aminmax()
    two_each = -(-int(last + 1 - first) // (2 * count))
    length = max(min(BLOCK_DAYS, two_each), -(-horizon // task.history.steps_per_day))
    block = (day - first).div(length, rounding_mode="floor")
    found = []
    for fold in range(count):
        spans = []
        for one in block.unique().tolist():
            if one % count == fold:
                ends = task.windows.origin[block == one].aminmax()
                spans.append(Span(int(ends.min), int(ends.max) + horizon))
        if spans:
            found.append(((block % count == fold).nonzero()[:, 0], spans))
    return found
