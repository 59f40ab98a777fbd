"""The risk-averse stack: few convex weights that leave the anchor only on gains that repeat.

Per band of the horizon the weights w = softmax(θ) minimise

    mean_b L_b(w) + κ · SE_b(L_b(w) − L_b(anchor)) + τ · KL(w ‖ w₀)

over day blocks b; first for all sensors together, then for each one with the shared weights as
its anchor and w₀. The penalty is mean-variance portfolio choice (Markowitz 1952) on the gains;
the pull toward w₀ is the article's λ‖φ‖² in the geometry of convex weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from citytune.tuning.stacking._losses import Evidence, Losses

ADAM_STEPS, AVERAGED = 100, 40
"""Adam steps of one fit, and how many of the last ones are averaged: at a kink of the absolute
error they go back and forth, and which way they went last hangs on the last digits."""
RATE, LAST_RATE, BETAS = 0.15, 0.05, (0.9, 0.999)
"""The rate falls along a line, to a share of the first."""
OWN_BLOCK = 4
"""Days in a block of one sensor's own evidence."""
OWN_PULL = 0.04
"""τ of a sensor's own weights, toward the shared ones."""
STEPS_PER_BAND = 12
"""Most steps of a band it looks at; neighbours miss alike."""


def bands(horizon: int) -> list[tuple[int, int]]:
    """Bands of the horizon with weights of their own: [0, 6), [6, 24), then twice as far each.

    >>> bands(48)
    [(0, 6), (6, 24), (24, 48)]
    """
    edges = [0, 6, 24, 48]
    while edges[-1] < horizon:
        edges.append(2 * edges[-1])
    return [(a, min(b, horizon)) for a, b in pairwise(edges) if a < horizon]


@dataclass(frozen=True, kw_only=True, eq=False)
class Caution:
    """What keeps the weights where they are."""

    prior: Tensor
    """(expert,) or (band, expert) w₀, where the weights stay without evidence."""
    anchor: Tensor
    """The same of the mixture against which gains must repeat."""
    risk: float
    """κ: what an unreliable gain costs."""
    pull: float
    """τ: how strongly the weights are drawn to w₀."""


def fit_stack(
    evidence: Evidence,
    caution: Caution,
    *,
    days: float,
    sensors: int,
    forget: float | None = None,
    parts: Sequence[Tensor] = (),
) -> Tensor:
    """Weights (1 + part, band, sensor, expert), each row summing to 1: of everything, and of parts.

    All sensors first share one set of weights; then each moves away from it, as far as its own
    gains over the shared weights repeat. Whatever the part, band and sensor, all weights take each
    step together: they are many and small.

    Args:
        days: Length of the history; evidence counts half after a quarter of it, 7 to 21 days.
        sensors: How many there are; one without evidence keeps the shared weights.
        forget: Days after which evidence counts half, if that is less.
        parts: (example,) long each: examples that weights are fitted on alone.
    """
    half_life = min(max(days / 4, 7.0), 21.0, forget or math.inf)
    found = bands(evidence.actual.shape[1])
    steps = [
        torch.linspace(start, end - 1, min(STEPS_PER_BAND, end - start)).round().long()
        for start, end in found
    ]
    prior, anchor = (
        part.double().expand(len(found), -1)[:, None].repeat(1, 1 + len(parts), 1)
        for part in (caution.prior, caution.anchor)
    )
    losses = Losses.of(evidence, steps, parts, half_life=half_life)
    weights = _descend(losses, caution, prior, anchor)
    if sensors > 1:
        evidence, place, sensors = _told_apart(evidence, sensors)
        losses = Losses.of(
            evidence, steps, parts, half_life=half_life, block_days=OWN_BLOCK, sensors=sensors
        )
        weights = weights.repeat_interleave(sensors, 0)
        weights = _descend(losses, replace(caution, pull=OWN_PULL), weights, weights)
        return weights.unflatten(0, (len(found), sensors)).movedim(2, 0).float()[:, :, place]
    return weights[:, None].movedim(2, 0).float()


def _told_apart(evidence: Evidence, sensors: int) -> tuple[Evidence, Tensor, int]:
    """The evidence by those sensors that have some; all others are alike, and count as one.

    Returns:
        The evidence, (sensor,) where each is now, and how many are left.
    """
    some, where = evidence.sensor.unique(return_inverse=True)
    place = torch.full((sensors,), len(some))
    place[some] = torch.arange(len(some))
    return replace(evidence, sensor=where), place, min(len(some) + 1, sensors)


def _descend(losses: Losses, caution: Caution, prior: Tensor, anchor: Tensor) -> Tensor:
    """The weights (group, part, expert) that minimise the goal, from `prior`, alike, on.

    Adam (Kingma and Ba 2015, arXiv:1412.6980), with the goal's slope written out: it is small, and
    recording it anew at every step takes longer than working it out.
    """
    reference, _ = losses.by_block(anchor)
    size = losses.mean(reference).clamp_min(1e-9)
    prior = prior.clamp_min(1e-6)
    theta, found = prior.log(), torch.zeros_like(prior)
    first, second = torch.zeros_like(theta), torch.zeros_like(theta)
    for step in range(1, ADAM_STEPS + 1):
        w = theta.softmax(-1)
        loss, slopes = losses.by_block(w)
        gain = (loss - reference) / size
        around = gain - losses.mean(gain)
        unit = (losses.mean(around.square()) + 1e-12).sqrt()
        risk = caution.risk * losses.allowance / unit * around
        slope = losses.slope(slopes, losses.weight * (1 + risk) / size)
        slope = slope + caution.pull * (w.clamp_min(1e-9) / prior).log()
        slope = w * (slope - (w * slope).sum(-1, keepdim=True))  # through the softmax
        first = first.lerp(slope, 1 - BETAS[0])
        second = second.lerp(slope.square(), 1 - BETAS[1])
        mean, power = first / (1 - BETAS[0] ** step), second / (1 - BETAS[1] ** step)
        rate = RATE * (1 - (1 - LAST_RATE) * step / ADAM_STEPS)
        theta = theta - rate * mean / (power.sqrt() + 1e-8)
        if step > ADAM_STEPS - AVERAGED:
            found = found + theta.softmax(-1) / AVERAGED
    return found
