"""Train the city network: pinball loss, checkpoints to go on from, scores against naive."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from citytune._errors import InputError
from citytune.backbones import LEVELS
from citytune.backbones._city_network import CityNetwork
from citytune.backbones._city_view import CityInput, look
from citytune.pretraining._batches import Sampler
from citytune.pretraining._checkpoint import Checkpoint
from citytune.pretraining._recipe import Recipe
from citytune.pretraining._scores import Examiner, Score, split
from citytune.pretraining._source import Source

AHEAD = 3
"""Batches made ahead of the step that takes them."""
STEEP = 1.0
"""Longest step of the gradient."""


@dataclass(frozen=True)
class TrainingMark:
    """Where a run stands."""

    step: int
    """Steps done."""
    loss: float
    """Running mean of the pinball loss, in units of a window's spread."""
    windows: int
    """Windows learnt from in this session."""
    seconds: float
    """Of this session."""
    score: Score | None
    """Scores of the averaged weights, at a checkpoint, if there is anything to score on."""
    saved: bool = False
    """Whether this is a checkpoint."""


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


def pinball(quantiles: Tensor, future: Tensor) -> Tensor:
    """Mean pinball loss of quantiles (example, horizon, level); NaN in `future` does not count.

    Koenker and Bassett 1978; doubled, so that the median's part is the absolute error.
    """
    known = future.isfinite()
    error = future.nan_to_num(0.0)[..., None] - quantiles
    levels = torch.tensor(LEVELS, device=quantiles.device)
    loss = 2 * torch.maximum(levels * error, (levels - 1) * error).mean(-1)
    return (loss * known).sum() / known.sum().clamp_min(1)


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
    tell: Callable[[TrainingMark], None] | None = None,
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
        InputError: this machine, or what was done before in this process, forbids the precision.
    """
    machine = machine_for(precision)
    torch.manual_seed(recipe.seed)
    network = _network(start, recipe)
    average = copy.deepcopy(network).to(machine.device)
    optimisers = optimisers_of(network, recipe)
    weights = dict(weights or {})
    origin = "" if start is None else digest(start)
    saved = Checkpoint(checkpoint, recipe, fingerprint, weights, origin)
    begun = saved.load(network, average, optimisers)
    if compiled:
        network.compile(dynamic=True)
    model, *optimisers = machine.prepare(network, *optimisers)
    first, whole = split(sources, recipe.held)
    examiner = Examiner(whole, recipe.held)
    sampler = Sampler(first, recipe.seed, recipe.synthetic, recipe.tokens, weights=weights)
    loss, windows, began = begun.loss, 0, perf_counter()
    for step, lesson in _lessons(sampler, begun.step, recipe.steps, machine):
        found = _step(model, optimisers, lesson, recipe.rate_at(step), machine)
        _follow(average, network, min(recipe.average, (step + 1) / (step + 10)))
        loss = _running(loss, found, step)
        windows += len(lesson.future) * machine.num_processes
        done = step + 1
        at_rest = done % every == 0 or done == recipe.steps
        if at_rest and machine.is_main_process:
            saved.save(done, loss, network, average, optimisers)
        if tell is not None and machine.is_main_process and (at_rest or done % 10 == 0):
            score = examiner.score(_asked(average, machine)) if at_rest else None
            tell(TrainingMark(done, loss, windows, perf_counter() - began, score, at_rest))
    return average.cpu()


def machine_for(precision: str) -> Accelerator:
    """Where to train: this process alone, or among those that were started with it.

    Raises:
        InputError: this machine, or what was done before in this process, forbids the precision.
    """
    precision = best_precision() if precision == "auto" else precision
    try:
        return Accelerator(mixed_precision=precision)
    except ValueError as error:
        raise InputError(
            f"precision {precision!r} cannot be used here ({error}): leave it to 'auto'"
        ) from error


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


def _on(view: CityInput, machine: Accelerator) -> CityInput:
    """The view where the network is; in float32, as not every device knows more."""
    return CityInput(*(part.to(machine.device, torch.float32) for part in view))


def _asked(network: CityNetwork, machine: Accelerator) -> Callable[[CityInput], Tensor]:
    """The network as something asked and answering in plain memory."""
    return lambda view: network(_on(view, machine)).cpu()


def _running(loss: float, found: float, step: int) -> float:
    """The running mean of losses; one that is no number does not spoil it."""
    if not math.isfinite(found):
        return loss
    return found if step == 0 else 0.99 * loss + 0.01 * found


def _lessons(
    sampler: Sampler, begin: int, end: int, machine: Accelerator
) -> Iterator[tuple[int, TrainBatch]]:
    """Lessons of the steps from `begin` to `end`, made ahead by another thread."""

    def make(step: int) -> TrainBatch:
        batch = sampler.batch(step * machine.num_processes + machine.process_index)
        view = look(batch.past, batch.future.shape[1])
        return TrainBatch(_on(view, machine), batch.future.to(machine.device))

    with ThreadPoolExecutor(1) as pool:
        coming = [pool.submit(make, step) for step in range(begin, min(begin + AHEAD, end))]
        for step in range(begin, end):
            lesson = coming.pop(0).result()
            if step + AHEAD < end:
                coming.append(pool.submit(make, step + AHEAD))
            yield step, lesson


def _step(
    model: nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    lesson: TrainBatch,
    rate: float,
    machine: Accelerator,
) -> float:
    """One step of the gradient; its loss. A step without a finite gradient is not taken."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
    loss = pinball(model(lesson.view)[:, : lesson.future.shape[1]], lesson.future)
    machine.backward(loss)
    steep = machine.clip_grad_norm_(model.parameters(), STEEP)
    if bool(torch.isfinite(torch.as_tensor(steep))):
        for optimiser in optimisers:
            optimiser.step()
    return float(loss.detach())


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, memory: float) -> None:
    """Move the averaged weights a little towards the newest."""
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - memory)


def best_precision() -> str:
    """Whether products in bfloat16 are faster here than in float32: "bf16" or "no"."""
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    return "bf16" if torch.cpu._is_amx_tile_supported() else "no"  # noqa: SLF001
