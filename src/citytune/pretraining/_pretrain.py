"""Train the city network: pinball loss, checkpoints to go on from, scores against naive."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from citytune.backbones._city_network import LEVELS, CityNetwork
from citytune.backbones._city_view import View, look
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
class Mark:
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
    """Scores of the averaged weights, at a checkpoint."""


class Lesson(NamedTuple):
    """A batch as the network takes it."""

    view: View
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
    tell: Callable[[Mark], None] | None = None,
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
        start: A network to go on from instead of fresh weights.
        every: Steps between checkpoints and scores.
        compiled: Whether to compile the network first (a minute, then half as fast again).
        precision: "bf16", "no", or "auto": bfloat16 where the hardware multiplies in it.
        tell: Called at every checkpoint, and every tenth step in between without a score.

    Raises:
        RunError: the checkpoint is of another recipe, corpus or version, or damaged.
    """
    precision = best_precision() if precision == "auto" else precision
    machine = Accelerator(mixed_precision=precision)
    torch.manual_seed(recipe.seed)
    network = start or CityNetwork(recipe.width, recipe.layers, recipe.heads)
    average = copy.deepcopy(network).to(machine.device)
    optimisers = optimisers_of(network, recipe)
    saved = Checkpoint(checkpoint, recipe, fingerprint)
    begun = saved.load(network, average, optimisers)
    if compiled:
        network.compile(dynamic=True)
    model, *optimisers = machine.prepare(network, *optimisers)
    first, whole = split(sources, recipe.held)
    examiner = Examiner(whole, recipe.held)
    sampler = Sampler(first, recipe.seed, recipe.synthetic, recipe.tokens, weights=weights or {})
    loss, windows, began = begun.loss, 0, perf_counter()
    for step, lesson in _lessons(sampler, begun.step, recipe.steps, machine):
        found = _step(model, optimisers, lesson, recipe.rate_at(step), machine)
        _follow(average, network, min(recipe.average, (step + 1) / (step + 10)))
        loss = found if step == 0 else 0.99 * loss + 0.01 * found
        windows += len(lesson.future) * machine.num_processes
        done = step + 1
        at_rest = done % every == 0 or done == recipe.steps
        if at_rest and machine.is_main_process:
            saved.save(done, loss, network, average, optimisers)
        if tell is not None and machine.is_main_process and (at_rest or done % 10 == 0):
            score = examiner.score(average) if at_rest else None
            tell(Mark(done, loss, windows, perf_counter() - began, score))
    return average.cpu()


def _lessons(
    sampler: Sampler, begin: int, end: int, machine: Accelerator
) -> Iterator[tuple[int, Lesson]]:
    """Lessons of the steps from `begin` to `end`, made ahead by another thread."""

    def make(step: int) -> Lesson:
        batch = sampler.batch(step * machine.num_processes + machine.process_index)
        view = look(batch.past, batch.future.shape[1])
        return Lesson(
            View(*(part.to(machine.device) for part in view)), batch.future.to(machine.device)
        )

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
    lesson: Lesson,
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
    torch._foreach_lerp_(  # noqa: SLF001 - torch's own optimisers call it so
        list(average.parameters()), list(network.parameters()), 1 - memory
    )


def best_precision() -> str:
    """ "bf16" where products in it are faster than in float32, else "no"."""
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    return "bf16" if torch.cpu._is_amx_tile_supported() else "no"  # noqa: SLF001
