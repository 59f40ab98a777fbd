"""The training loop: minibatches, one cycle of the rate, and the best weights kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from citytune.training._best_weights import BestWeights
from citytune.training._budget import StepBudget
from citytune.training._machine import machine_for, own_chance
from citytune.training._micro_batches import MicroBatches
from citytune.training._penalty import toward
from citytune.training._rate import find_rate
from citytune.training._record import TrainingRecord
from citytune.training._stepper import Group, NotFiniteError, Stepper, as_groups

FAILURES = 5
"""Steps without a finite loss or gradient after which a training is given up."""


@dataclass(frozen=True, kw_only=True)
class Loop:
    """How to take gradient steps."""

    epochs: int = 100
    """Passes over the examples, at most."""
    batch: int = 256
    """Examples a step."""
    rate: float | None = 3e-3
    """Highest learning rate; it rises to it and falls to nothing (one cycle, Smith 2018).

    None: found by a range test (Smith 2017), for up to 60 steps more.
    """
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """Which; the penalty is part of the loss, so neither decays weights by itself."""
    decay: float = 0.0
    """λ of λ‖φ − φ₀‖² toward where the weights began (L2-SP), added to the loss."""
    clip: float | None = None
    """Longest gradient (Pascanu et al. 2013); a longer one is shortened to it."""
    patience: int | None = None
    """Epochs without a better loss on held-back data after which to stop; None: never."""
    max_seconds: float | None = None
    """Time it may take, judging and range test included; None: as long as the epochs do."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        for name in ("rate", "clip", "max_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"the {name} must be positive, got {value}")
        if not 0 <= self.decay < math.inf:
            raise ValueError(f"the decay must be 0 or more, got {self.decay}")
        if self.optimiser not in ("adamw", "sgd"):
            raise ValueError(f"the optimiser is 'adamw' or 'sgd', got {self.optimiser!r}")


def minimise(
    groups: Iterable[Tensor | Group],
    loss: Callable[[Tensor], Tensor],
    examples: int,
    loop: Loop,
    *,
    seed: int = 0,
    held: Callable[[], float] | None = None,
    progress: Callable[[float], None] | None = None,
    watch: Callable[[int, float, float], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> TrainingRecord:
    """Move weights to make `loss` small; the same seed takes the same steps.

    Processes started together by `accelerate launch` share the work of each step and end with the
    same weights. A batch that does not fit into memory is passed through in pieces. A step whose
    loss or gradient is not finite is not taken: the kept weights come back, at half the rate.

    Args:
        groups: Tensors that require gradients, or `Group`s of them; nothing else moves.
        loss: Mean loss of a minibatch, given the indices (example,) of its members. Where a batch
            is passed in pieces, or shared, each part's mean counts by its number of examples.
        examples: How many there are, at least 1.
        loop: How to take the steps.
        seed: Of the order of the examples and of all chance within `loss`.
        held: Loss on data held back, asked at the start and after each epoch: the weights with
            the lowest one are kept. Without it the last ones are.
        progress: Called with the share done, 0 … 1, after each epoch.
        watch: Called after each epoch with its number, training loss and held-back loss (NaN
            without `held`).
        note: Called with each note, one sentence, as it arises.
    """
    if examples < 1:
        raise ValueError(f"there must be at least 1 example to learn from, got {examples}")
    descent = _Descent(as_groups(groups), loss, examples, loop, seed, held, note)
    with own_chance(descent.weights, seed):
        return descent.run(progress, watch)


class _Descent:
    """One training, from the first step to the kept weights."""

    def __init__(
        self,
        groups: list[Group],
        loss: Callable[[Tensor], Tensor],
        examples: int,
        loop: Loop,
        seed: int,
        held: Callable[[], float] | None,
        note: Callable[[str], None] | None,
    ) -> None:
        self.weights = [weight for group in groups for weight in group.parameters]
        self.loop, self.seed, self.held, self.examples = loop, seed, held, examples
        self.notes: list[str] = []
        self._note = note
        self.machine = machine_for(self.weights)
        self.machine.agree(self.weights)
        self.epoch_steps = -(-examples // loop.batch)
        steps = loop.epochs * self.epoch_steps
        self.plan = StepBudget(steps, self.epoch_steps, loop.max_seconds, self.machine, self.tell)
        pieces = MicroBatches(loop.batch, self.machine, self.tell)
        penalised = _penalised(loss, self.weights, loop.decay)
        self.stepper = Stepper(groups, penalised, loop.optimiser, loop.clip, pieces)
        self.failures = 0
        self.going = self.patient = True
        self.losses: list[float] = []

    def tell(self, text: str) -> None:
        self.notes.append(text)
        if self._note is not None:
            self._note(text)

    def run(
        self,
        progress: Callable[[float], None] | None,
        watch: Callable[[int, float, float], None] | None,
    ) -> TrainingRecord:
        self.keeper = BestWeights(self.weights, self.held, self.machine, self.plan)
        found = self.rate = self._highest()
        shuffle = torch.Generator().manual_seed(self.seed)
        self.going = self.plan.left() > 0
        for epoch in range(1, self.loop.epochs + 1):
            if not self.going:
                break
            order = torch.randperm(self.examples, generator=shuffle)
            self.losses.append(self._epoch(epoch, order.split(self.loop.batch)))
            self._judge(epoch)
            if watch is not None:
                watch(epoch, self.losses[-1], ([math.nan, *self.keeper.history])[-1])
            if progress is not None:
                progress(epoch / self.loop.epochs)
        if progress is not None and len(self.losses) < self.loop.epochs:
            progress(1.0)
        self._say_why_it_stopped()
        self.keeper.restore()
        for weight in self.weights:
            weight.grad = None
        return TrainingRecord(
            losses=tuple(self.losses),
            held=tuple(self.keeper.history),
            best=self.keeper.best,
            rate=found,
            seconds=self.plan.seconds(),
            notes=tuple(self.notes),
        )

    def _highest(self) -> float:
        if self.loop.rate is not None:
            return self.loop.rate
        return find_rate(
            self.stepper, self.examples, self.loop.batch, seed=self.seed, left=self.plan.left
        )

    def _epoch(self, epoch: int, batches: Iterable[Tensor]) -> float:
        """Mean loss of the steps that could be taken."""
        losses = []
        for batch in batches:
            try:
                losses.append(self.stepper.take(batch, self.rate * self.plan.height()))
            except NotFiniteError as error:
                self._step_back(str(error), epoch)
            self.going = self.plan.taken() and self.failures < FAILURES
            if not self.going:
                break
        return sum(losses) / len(losses) if losses else math.nan

    def _step_back(self, what: str, epoch: int) -> None:
        self.failures += 1
        self.keeper.restore()
        self.stepper.forget()
        self.rate /= 2
        after = f"epoch {self.keeper.best}" if self.keeper.best else "the start"
        goes = "went on at half the rate" if self.failures < FAILURES else "gave up"
        self.tell(
            f"{what} became NaN in epoch {epoch}: stepped back to the weights of {after} and {goes}"
        )

    def _judge(self, epoch: int) -> None:
        if self.failures == FAILURES:
            return
        self.keeper.look(epoch)
        best, patience = self.keeper.best, self.loop.patience
        if self.held is None or patience is None or not self.going or epoch == self.loop.epochs:
            return
        if epoch - best >= patience:
            self.going = False
            self.patient = False

    def _say_why_it_stopped(self) -> None:
        if self.failures == FAILURES or self.plan.step == self.loop.epochs * self.epoch_steps:
            return
        if not self.patient:
            return  # as it should: `TrainingRecord.best` tells which weights were kept
        best = f"epoch {self.keeper.best}" if self.keeper.best else "the start"
        self.tell(
            f"stopped in epoch {len(self.losses)} of {self.loop.epochs}, as the "
            f"{self.loop.max_seconds:g} s it may take are used up: the weights of {best} are kept"
        )


def _penalised(
    loss: Callable[[Tensor], Tensor], weights: list[Tensor], decay: float
) -> Callable[[Tensor], Tensor]:
    if decay == 0:
        return loss
    start = [weight.detach().clone() for weight in weights]
    return lambda batch: loss(batch) + toward(weights, start, decay)
