"""Fine-tune on all of a city's history by the network's own loss: cross-fitted, then finished.

The network was pretrained by the pinball loss of its quantiles, in units of each window's spread;
so it is tuned, by the same optimiser and a schedule in small. The evidence of a mixture is cut into
blocks of two weeks, which are dealt to a few folds. For each fold a scout is tuned on everything
but its blocks, which it then forecasts as if unseen, with what was learnt as fresh as it is in use;
together they show, on all of the evidence, what tuning gains. They began alike and have learnt
nearly the same, so that the average of their weights is a good network too (Wortsman et al. 2022,
model soups, arXiv:2203.05482). From there one network learns on, from everything, and half-way
between the two is the one that takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.backbones import LEVELS, Backbone, Probabilistic
from citytune.settings import Effort
from citytune.training import Group, Loop, Machine, device, minimise, pinball, stopping_early
from citytune.tuning.examples._batch import MIDDLE, Batch
from citytune.tuning.examples._own_unit import in_own_unit
from citytune.tuning.examples._training_windows import Span
from citytune.tuning.experts._expert import Candidate
from citytune.tuning.experts._finetuned import FineTuned, mean_of
from citytune.tuning.experts._lens import PLAIN
from citytune.tuning.strategies._trainable import Trainable
from citytune.tuning.task._task import Task
from citytune.tuning.task._work import BACK
from citytune.windows import Seasonal, cut_future, evenly

WORK: dict[Effort, int] = {"quick": 3_000, "usual": 16_000, "thorough": 160_000}
"""Windows to pass through the network and back, with a year and a horizon of a day …"""
YEAR, SHORTEST, LONGEST = 365.0, 0.25, 1.5
"""… and with other histories in proportion, but within these times as many."""
MOST_PER_DAY = 8
"""Windows of a sensor and day that still differ enough."""
ENOUGH, MOST_PASSES = 2_000, 2
"""Windows of which one pass is enough, for in a second one a network learns its past by heart; and
passes over fewer, where effort is left."""
FOLDS, FEW_FOLDS, FOLD_DAYS = 2, 3, 180
"""Folds of the evidence; more with a history of fewer days, of which each is a larger part …"""
BLOCK_DAYS = 14
"""… and the days of their blocks. A network that has not seen the last two months would show less
than one in use gains: much of it is the season, and what is new."""
LARGEST_TARGET = 8.0
"""Targets further from a window's level, in spreads, count as this far, as in pretraining."""
QUIET = 0.05
"""A sensor that counts less than this for the others, such as a dead, doubled or broken one, or one
of noise, teaches the network nothing."""
COMPARED, MOST_WIDER = 400, 2.0
"""Windows on which it is seen how much too narrow its quantiles are, and the most that counts."""
FEWEST_WINDOWS = 32
"""Windows of which something can be learnt."""
LEARNING = "fine-tuning the network on the whole history"

Phases = Callable[[Trainable, int], list[list[Group]]]
"""The weights that move, phase after phase."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a network is tuned to a city."""

    passes: int = 1
    windows: int = 4096
    """To learn from …"""
    scouted: float = 0.5
    """… and the share of them that the network of a fold learns from."""
    folds: int = FOLDS
    rate: float = 8e-4
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
        most = max(FEWEST_WINDOWS, round(MOST_PER_DAY * len(history.raw) * days * known))
        work = WORK[task.settings.effort] * min(max(days / YEAR, SHORTEST), LONGEST)
        work = work / (1 + folds / 2) / (0.8 + 0.2 * horizon / 24)
        passes = 1 if most >= ENOUGH else min(max(1, round(work / most)), MOST_PASSES)
        windows = min(most, max(2 * FEWEST_WINDOWS, round(work / passes)))
        scouted = min(max(0.5, work / 2 / windows), 1.0)
        return cls(passes=passes, windows=windows, scouted=scouted, folds=folds)

    @property
    def scout(self) -> Plan:
        """Less, for the network of a fold."""
        if self.passes > 1:
            return replace(self, passes=self.passes // 2)
        some = max(round(self.scouted * self.windows), 2 * FEWEST_WINDOWS)
        return replace(self, windows=min(self.windows, some))

    def needed(self, task: Task) -> int:
        """Passes: to learn, and to ask what came of it, quantiles and a step ago too."""
        return BACK * self.work + 4 * len(task.live.examples.origin)

    @property
    def work(self) -> int:
        """Windows to pass through the network and back."""
        scout = self.scout
        return self.passes * self.windows + self.folds * scout.passes * scout.windows


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
        self.stopped = False

    def candidates(self) -> tuple[list[Candidate], list[str]]:
        task, scout = self.task, self.plan.scout
        if len(self.folds) < 2:
            return [], self.notes
        ready = [_Fold.of(self, scout, spans) for _, spans in self.folds]
        if any(len(fold.windows.examples) < FEWEST_WINDOWS for fold in ready):
            return [], self.notes
        with stopping_early() as self.early:
            scouts = self._side_by_side(ready)
            first = mean_of(scouts, task.backbone)
            expert = mean_of([first, self._finished(first)], task.backbone)
        quantiles = torch.zeros(*task.actual.shape, len(LEVELS))
        for (which, _), found in zip(self.folds, scouts, strict=True):
            quantiles[which] = found.quantiles_of(task.live.pick(which))
            task.work.tell(task.progress, LEARNING, len(which))
        middle = quantiles[..., MIDDLE]
        deviations = quantiles - middle[..., None]
        expert = replace(expert, wider=self._wider(expert, deviations))
        task.note(expert.name, middle, deviations)
        return [Candidate(expert, middle, deviations)], self.notes

    def _finished(self, first: FineTuned) -> FineTuned:
        """Tuned on from there, on everything."""
        rest = _Fold.of(self, self.plan, (), first.applied(self.task.backbone))
        return self._tuned(rest).on_top_of(first)

    def _wider(self, tuned: FineTuned, unseen: Tensor) -> float:
        """How much wider the scouts' quantiles are, where they had not seen what came."""
        some = evenly(len(unseen), COMPARED)
        own = tuned.quantiles_of(self.task.live.pick(some))
        scale = self.task.scale[some]
        wide, narrow = (
            ((one[..., -1] - one[..., 0]) / scale).mean() for one in (unseen[some], own)
        )
        return min(max(float(wide / narrow.clamp_min(1e-9)), 1.0), MOST_WIDER)

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
                self._loop(fold),
                seed=self.task.settings.seed + i,
                note=self.notes.append,
                stop=self.early,
            )
        return replace(fold.trainable.fine_tuned(), probabilistic=True)

    def _loop(self, fold: _Fold) -> Loop:
        plan, most, phases = fold.plan, self.task.settings.max_seconds, len(fold.phases)
        share = plan.passes * len(fold.windows.examples) / self.plan.work
        return Loop(
            epochs=max(1, round(plan.passes / phases)),
            batch=plan.batch,
            rate=plan.rate,
            betas=(0.9, 0.98),
            weight_decay=plan.weight_decay,
            decay=plan.l2_sp,
            warm=20,
            clip=1.0,
            max_seconds=None if most is None else most * min(1.0, share) / phases,
        )

    def _loss(self, trainable: Trainable, windows: Batch) -> Callable[[Tensor], Tensor]:
        """The network's own, of a minibatch of windows."""
        task, backbone = self.task, trainable.backbone
        assert isinstance(backbone, Probabilistic), "so it was asked"
        horizon = task.spec.horizon

        def loss(batch: Tensor) -> Tensor:
            if self.stopped:
                raise InterruptedError
            shown = in_own_unit(windows.past(batch))
            ahead = cut_future(task.history.raw, windows.examples.pick(batch), horizon)
            ahead = ((ahead - shown.level) / shown.spread).float()
            ahead = ahead.clamp(-LARGEST_TARGET, LARGEST_TARGET)
            task.work.tell(task.progress, LEARNING, BACK * len(batch))
            return pinball(backbone.quantiles(shown.past, horizon), ahead, LEVELS)

        return loss


class _Fold(NamedTuple):
    """A network that may move, and all that it learns from."""

    plan: Plan
    trainable: Trainable
    phases: list[list[Group]]
    windows: Batch

    @classmethod
    def of(
        cls, fit: _CrossFit, plan: Plan, spans: Sequence[Span], first: Backbone | None = None
    ) -> _Fold:
        """From everything but some spans, as pretrained or from what was learnt `first`."""
        task = fit.task
        examples = task.training(plan.windows, but=spans)
        examples = examples.pick(task.pool.voice[examples.sensor] > QUIET)
        trainable = Trainable(task, PLAIN, torch.arange(0), first=first)
        phases = fit.phases(trainable, task.settings.seed)
        batch = Batch(task.backbone, fit.seasonal, examples, task.spec)
        return cls(plan, trainable, phases, batch)


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
