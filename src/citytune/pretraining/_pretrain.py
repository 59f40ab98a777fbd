"""Pretrain the city network: pinball loss, checkpoints to go on from, scores against naive."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from citytune._errors import InputError
from citytune.backbones import LEVELS
from citytune.backbones.city import CityInput, CityNetwork, look
from citytune.pretraining._batches import Sampler
from citytune.pretraining._checkpoint import Checkpoint
from citytune.pretraining._recipe import Recipe
from citytune.pretraining._scores import Examiner, Score, split
from citytune.pretraining._source import Source
from citytune.training import Machine, Stepper, pinball

AHEAD = 3
"""Batches made ahead of the step that takes them."""
LONGEST_STEP = 1.0
"""Longest gradient; a longer one is shortened to it."""


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """Where a run stands: told at its start, every ten steps, and at every checkpoint."""

    step: int
    """Steps done, of `steps`."""
    steps: int
    begun: int
    """Steps done before this session."""
    loss: float = 0.0
    """Running mean of the pinball loss, in units of a window's spread."""
    windows: int = 0
    """Windows learnt from in this session."""
    seconds: float = 0.0
    """Of this session."""
    score: Score | None = None
    """Of the averaged weights at the last checkpoint of this session."""
    saved: bool = False
    """Whether this is a checkpoint, from which the run can go on."""

    @property
    def speed(self) -> float:
        """Windows a second in this session."""
        return self.windows / max(self.seconds, 1e-9)

    @property
    def left(self) -> float:
        """Seconds to the end, as far as this session tells; NaN at its start."""
        done = self.step - self.begun
        return self.seconds / done * (self.steps - self.step) if done else math.nan


class TrainBatch(NamedTuple):
    """A batch as the network takes it."""

    view: CityInput
    future: Tensor  # (example, horizon) in units of spread; NaN does not count


def optimisers_of(network: CityNetwork, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for all else.

    Jordan et al. 2024, Muon; Liu et al. 2025, arXiv:2502.16982, for its step in AdamW's size. In
    the first hundreds of steps it was twice as fast as AdamW alone.
    """
    matrices = [weight for weight in network.layers.parameters() if weight.ndim == 2]
    of_layers = {id(weight) for weight in matrices}
    others = [weight for weight in network.parameters() if id(weight) not in of_layers]
    return [
        torch.optim.Muon(
            matrices,
            lr=recipe.rate,
            weight_decay=recipe.decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(others, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.decay),
    ]


def train(
    sources: Sequence[Source],
    recipe: Recipe,
    checkpoint: Path,
    *,
    fingerprint: str = "",
    weights: dict[str, float] | None = None,
    start: CityNetwork | None = None,
    every: int = 500,
    compiled: bool = False,
    precision: str = "auto",
    tell: Callable[[RunStatus], None] | None = None,
) -> CityNetwork:
    """Pretrain, or go on from `checkpoint`, and return the network with its averaged weights.

    A run that was killed and started again ends with the same weights as one that was not.
    Several processes, started by `accelerate launch`, share the work of each step.

    Args:
        sources: What to draw windows from.
        recipe: How.
        checkpoint: File kept up to date every `every` steps.
        fingerprint: Of the corpus; a checkpoint of another one is refused.
        weights: Set → how often it is drawn, against 1 of the others of its domain.
        start: A network to go on from instead of fresh weights; it is not moved itself.
        every: Steps between checkpoints and scores.
        compiled: Whether to compile the network first (a minute, then steps a quarter shorter).
        precision: "bf16", "no", or "auto": bfloat16 where the hardware multiplies in it.
        tell: Called at every checkpoint, and every tenth step in between without a score.

    Raises:
        RunError: the checkpoint is of another recipe, corpus, start or version, or damaged.
        InputError: the GPU cannot take products in this precision.
    """
    machine = machine_for(precision)
    torch.manual_seed(recipe.seed)
    network = _network(start, recipe).to(machine.device)
    average = copy.deepcopy(network)
    optimisers = optimisers_of(network, recipe)
    origin = "" if start is None else digest(start)
    saved = Checkpoint(checkpoint, recipe, fingerprint, dict(weights or {}), origin)
    begun = saved.load(network, average, optimisers)
    machine.agree(list(network.parameters()))
    if compiled:
        network.compile(dynamic=True)
    stepper = stepper_of(network, optimisers, recipe, machine, done=begun.step)
    first, whole = split(sources, recipe.held)
    examiner = Examiner(whole, recipe.held)
    sampler = Sampler(first, recipe.seed, recipe.synthetic, recipe.tokens, weights=saved.weights)
    mark = RunStatus(step=begun.step, steps=recipe.steps, begun=begun.step, loss=begun.loss)
    began = perf_counter()
    for step, batch in _batches(sampler, begun.step, recipe.steps, machine):
        loss = _running(mark.loss, stepper.take(batch).loss, step)
        _follow(average, network, min(recipe.average, (step + 1) / (step + 10)))
        done, windows = step + 1, mark.windows + len(batch.future) * machine.processes
        at_rest = done % every == 0 or done == recipe.steps
        seconds = perf_counter() - began
        mark = replace(mark, step=done, loss=loss, windows=windows, seconds=seconds, saved=at_rest)
        if at_rest and machine.is_main:
            saved.save(done, loss, network, average, optimisers)
            mark = replace(mark, score=examiner.score(_asked(average, machine)))
        if tell is not None and machine.is_main and (at_rest or done % 10 == 0):
            tell(mark)
    return average.cpu()


def machine_for(precision: str) -> Machine:
    """Where to train: this process alone, or among those that were started with it.

    Raises:
        InputError: the GPU cannot take products in this precision.
    """
    half = precision == "bf16"
    if torch.cuda.is_available():
        knows = torch.cuda.is_bf16_supported()
        if half and not knows:
            raise InputError("precision 'bf16' cannot be used on this GPU: leave it to 'auto'")
    else:  # where the processor does not know bfloat16 it is slow, though right
        knows = torch.cpu._is_amx_tile_supported()  # noqa: SLF001 - there is no public word for it
    return Machine(half=half or (precision == "auto" and knows))


def stepper_of(
    network: CityNetwork,
    optimisers: Sequence[torch.optim.Optimizer],
    recipe: Recipe,
    machine: Machine,
    *,
    done: int = 0,
) -> Stepper[TrainBatch]:
    """What takes steps on batches: each process has its own, and their mean is the step's loss."""

    def gradients(batch: TrainBatch) -> float:
        with machine.autocast():
            ahead = network(batch.view)[:, : batch.future.shape[1]]
            loss = pinball(ahead, batch.future, LEVELS) / machine.processes
        loss.backward()
        return float(loss.detach())

    for group in (group for one in optimisers for group in one.param_groups):
        group["initial_lr"] = recipe.rate  # a checkpoint holds the rate of its step
    return Stepper(optimisers, gradients, recipe.height, machine, clip=LONGEST_STEP, done=done)


def digest(network: CityNetwork) -> str:
    """SHA-256 over the weights."""
    found = hashlib.sha256()
    for weight in network.state_dict().values():
        found.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def _network(start: CityNetwork | None, recipe: Recipe) -> CityNetwork:
    """Fresh weights, or a copy of `start` that is free to move."""
    if start is None:
        return CityNetwork(recipe.width, recipe.layers, recipe.heads)
    return copy.deepcopy(start).requires_grad_(True).train()


def _on(view: CityInput, machine: Machine) -> CityInput:
    """The view where the network is; in float32, as not every device knows more."""
    return CityInput(*(part.to(machine.device, torch.float32) for part in view))


def _asked(network: CityNetwork, machine: Machine) -> Callable[[CityInput], Tensor]:
    """The network as something asked and answering in plain memory."""
    return lambda view: network(_on(view, machine)).cpu()


def _running(loss: float, found: float, step: int) -> float:
    """The running mean of losses; one that is no number does not spoil it."""
    if not math.isfinite(found):
        return loss
    return found if step == 0 else 0.99 * loss + 0.01 * found


def _batches(
    sampler: Sampler, begin: int, end: int, machine: Machine
) -> Iterator[tuple[int, TrainBatch]]:
    """Batches of the steps from `begin` to `end`, made ahead by another thread."""

    def make(step: int) -> TrainBatch:
        batch = sampler.batch(step * machine.processes + machine.rank)
        view = look(batch.past, batch.future.shape[1])
        return TrainBatch(_on(view, machine), batch.future.to(machine.device))

    with ThreadPoolExecutor(1) as pool:
        coming = [pool.submit(make, step) for step in range(begin, min(begin + AHEAD, end))]
        for step in range(begin, end):
            batch = coming.pop(0).result()
            if step + AHEAD < end:
                coming.append(pool.submit(make, step + AHEAD))
            yield step, batch


def _follow(average: nn.Module, network: nn.Module, memory: float) -> None:
    """Move the averaged weights a little towards the newest."""
    follow = get_ema_multi_avg_fn(memory)
    follow(list(average.parameters()), list(network.parameters()), 0)
