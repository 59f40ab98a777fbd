"""The training loop of tuning: minibatches, one cycle of the rate, and the best weights kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from citytune.training._best_weights import BestWeights
from citytune.training._budget import StepBudget
from citytune.training._groups import Group, as_groups, optimiser_of
from citytune.training._listeners import next_training, tell
from citytune.training._machine import Machine, device, seeded
from citytune.training._micro_batches import MicroBatches
from citytune.training._penalty import toward
from citytune.training._rate import FEWEST_RANGE_TEST_STEPS, RANGE_TEST_STEPS, find_rate
from citytune.training._stepper import Stepper

MOST_FAULTS = 5
"""Steps without a finite loss or gradient after which a training is given up."""
RANGE_TEST_SHARE = 0.5
"""Of a limit of seconds, at most."""


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
    """Which."""
    decay: float = 0.0
    """λ of λ‖φ − φ₀‖² toward where the weights began (L2-SP), added to the loss."""
    weight_decay: float = 0.0
    """Share of the rate by which AdamW shrinks every weight at each step, apart from the loss."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Memory of AdamW, of gradients and of their squares."""
    warm: int | None = None
    """Steps in which the rate rises, to fall by a cosine to 2 % after them; None: one cycle."""
    clip: float | None = None
    """Longest gradient (Pascanu et al. 2013); a longer one is shortened to it."""
    patience: int | None = None
    """Epochs without a better loss on held-back data after which to stop; None: never."""
    max_seconds: float | None = None
    """Time it may take, evaluations and range test included; None: no clock decides anything."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience", "warm"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        for name in ("rate", "clip", "max_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"the {name} must be positive, got {value}")
        if not 0 <= self.decay < math.inf:
            raise ValueError(f"the decay must be 0 or more, got {self.decay}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"the weight decay must be 0 or more, got {self.weight_decay}")
        if self.optimiser not in ("adamw", "sgd"):
            raise ValueError(f"the optimiser is 'adamw' or 'sgd', got {self.optimiser!r}")


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """The course that a training took."""

    losses: tuple[float, ...]
    """Mean training loss of each epoch; NaN if no step of it could be taken."""
    held: tuple[float, ...]
    """Loss on held-back data at the start and after each epoch; empty if nothing was held back."""
    best: int
    """Epochs after which the kept weights stood; 0: they are those of the start."""
    rate: float
    """Highest learning rate, as given or found, before any halving."""
    notes: tuple[str, ...]
    """What a person should know of it, one sentence each."""


def never() -> bool:
    """False."""
    return False


def minimise(
    groups: Iterable[Tensor | Group],
    loss: Callable[[Tensor], Tensor],
    examples: int,
    loop: Loop,
    *,
    seed: int = 0,
    held: Callable[[], float] | None = None,
    watch: Callable[[int, float, float], None] | None = None,
    note: Callable[[str], None] | None = None,
    stop: Callable[[], bool] = never,
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
        seed: Of the order of the examples and of all random numbers within `loss`.
        held: Loss on data held back, asked at the start and after each epoch: the weights with
            the lowest one are kept. Without it the last ones are.
        watch: Called after each epoch with its number, training loss and held-back loss (NaN
            without `held`).
        note: Called with each note, one sentence, as it arises.
        stop: Asked before each step: whether to leave it at the weights as they are.

    Raises:
        ValueError: there is no example.
    """
    if examples < 1:
        raise ValueError(f"there must be at least 1 example to learn from, got {examples}")
    descent = _Descent(as_groups(groups), loss, examples, loop, seed, held, note, stop)
    with seeded(descent.weights, seed):
        return descent.run(watch)


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
        stop: Callable[[], bool],
    ) -> None:
        self.groups, self.weights = groups, [one for group in groups for one in group.parameters]
        self.loop, self.examples, self.seed = loop, examples, seed
        self.note, self.stop = note, stop
        self.notes: list[str] = []
        self.losses: list[float] = []
        self.faults = 0
        machine = Machine(half=device().type == "cuda" and torch.cuda.is_bf16_supported())
        machine.agree(self.weights)
        steps = loop.epochs * -(-examples // loop.batch)
        self.budget = StepBudget(steps, loop.max_seconds, machine, loop.warm)
        penalised = _penalised(loss, self.weights, loop.decay)
        self.pieces = MicroBatches(penalised, self.weights, loop.batch, machine, self.tell)
        self.machine = machine
        self.kept = BestWeights(self.weights, held and (lambda: machine.agreed(float(held()))))

    def tell(self, text: str) -> None:
        self.notes.append(text)
        if self.note is not None:
            self.note(text)

    def run(self, watch: Callable[[int, float, float], None] | None) -> TrainingRecord:
        found = self.rate = self.loop.rate or self._highest()
        self.stepper = self._stepper(self.budget.height, rate=found)
        shuffle, number = torch.Generator().manual_seed(self.seed), next_training()
        while self._goes() and not self._is_patience_over():
            order = torch.randperm(self.examples, generator=shuffle)
            self.losses.append(self._epoch(order.split(self.loop.batch)))
            if self.faults < MOST_FAULTS:
                self.kept.look(len(self.losses))
            epoch = len(self.losses), self.losses[-1], ([math.nan, *self.kept.history])[-1]
            if watch is not None:
                watch(*epoch)
            tell(number, *epoch)
        self._say_why_it_stopped()
        self.kept.restore()
        for weight in self.weights:
            weight.grad = None
        return TrainingRecord(
            losses=tuple(self.losses),
            held=tuple(self.kept.history),
            best=self.kept.best,
            rate=found,
            notes=tuple(self.notes),
        )

    def _stepper(
        self, height: Callable[[int], float], *, rate: float = 1.0, done: int = 0
    ) -> Stepper[Tensor]:
        """A stepper with a fresh optimiser."""
        loop = self.loop
        optimiser = optimiser_of(
            self.groups, loop.optimiser, rate, shrink=loop.weight_decay, betas=loop.betas
        )
        gradients, clip = self.pieces.gradients, self.loop.clip
        return Stepper([optimiser], gradients, height, self.machine, clip=clip, done=done)

    def _highest(self) -> float:
        shuffle = torch.Generator().manual_seed(self.seed)
        batches = torch.randperm(self.examples, generator=shuffle).split(self.loop.batch)
        limited = self.loop.max_seconds is not None
        steps = FEWEST_RANGE_TEST_STEPS if limited else RANGE_TEST_STEPS
        goes = lambda: self.budget.used() < RANGE_TEST_SHARE  # noqa: E731 - shorter than a def
        return find_rate(self._stepper, batches, steps=steps, goes=goes)

    def _goes(self) -> bool:
        allowed = self.budget.allows(self.stepper.step) and self.faults < MOST_FAULTS
        return allowed and not self.stop()

    def _is_patience_over(self) -> bool:
        held, patience = self.kept.history, self.loop.patience
        return bool(held) and patience is not None and len(self.losses) - self.kept.best >= patience

    def _epoch(self, batches: Iterable[Tensor]) -> float:
        """Steps on every batch; the mean loss of those that could be taken."""
        losses: list[float] = []
        for batch in batches:
            step = self.stepper.take(batch)
            if step.fault:
                self._step_back(step.fault)
            else:
                losses.append(step.loss)
            if not self._goes():
                break
        return sum(losses) / len(losses) if losses else math.nan

    def _step_back(self, what: str) -> None:
        self.faults += 1
        self.kept.restore()
        self.rate /= 2
        done = self.stepper.step
        self.stepper = self._stepper(self.budget.height, rate=self.rate, done=done)
        goes = "went on at half the rate" if self.faults < MOST_FAULTS else "gave up"
        self.tell(
            f"{what} became NaN in epoch {len(self.losses) + 1}: stepped back to the weights of "
            f"{self._best()} and {goes}"
        )

    def _best(self) -> str:
        return f"epoch {self.kept.best}" if self.kept.best else "the start"

    def _say_why_it_stopped(self) -> None:
        if self.faults == MOST_FAULTS or self._is_patience_over():
            return
        if self.budget.used() >= 1:
            why = f"as the {self.loop.max_seconds:g} s it may take are used up"
        elif self.stop():
            why = "as you asked by Ctrl-C"
        else:
            return
        self.tell(
            f"stopped in epoch {len(self.losses)} of {self.loop.epochs}, {why}: the weights of "
            f"{self._best()} are kept"
        )


def _penalised(
    loss: Callable[[Tensor], Tensor], weights: list[Tensor], decay: float
) -> Callable[[Tensor], Tensor]:
    if decay == 0:
        return loss
    start = [weight.detach().clone() for weight in weights]
    return lambda batch: loss(batch) + toward(weights, start, decay)
