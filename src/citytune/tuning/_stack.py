"""The risk-averse stack: few convex weights that leave the anchor only on gains that repeat.

Per band of the horizon the weights w = softmax(θ) minimise

    mean_b L_b(w) + κ · SE_b(L_b(w) − L_b(anchor)) + τ · KL(w ‖ w₀)

over day blocks b; first for all sensors together, then for each one with the shared weights as
its anchor and w₀. The penalty is mean-variance portfolio choice (Markowitz 1952) on the gains;
the pull toward w₀ is the article's λ‖φ‖² in the geometry of convex weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import embedding

from citytune.tuning._stats import t_inflation

ADAM_STEPS, AVERAGED = 100, 40
"""Adam steps of one fit, and how many of the last ones are averaged: at a kink of the absolute
error they go back and forth, and which way they went last hangs on the last digits."""
RATE, LAST_RATE, BETAS = 0.15, 0.05, (0.9, 0.999)
"""The rate falls along a line, to a share of the first."""
LONGEST_ROW = 4096
"""Longest row in which the targets of one group are laid out."""
OWN_BLOCK = 4
"""Days in a block of one sensor's own evidence."""
OWN_PULL = 0.04
"""τ of a sensor's own weights, toward the shared ones."""
FEWEST = 1e-9
"""What a block counts at least: one without targets is nothing over this."""
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
class Evidence:
    """What a stack is fitted on; errors are in units of each sensor's usual spread."""

    says: Tensor
    """(example, horizon, expert)."""
    actual: Tensor
    """(example, horizon); NaN is missing."""
    sensor: Tensor
    """(example,) long."""
    day: Tensor
    """(example,) long, local day of each origin."""
    target_weight: Tensor | None = None
    """(example, horizon) how much each target counts, with a mean of 1; None counts all alike."""
    pool_weight: Tensor | None = None
    """(example,) how much each window counts for the shared weights; None counts all alike."""

    def pick(self, which: Tensor) -> Evidence:
        """Some of the examples."""
        return Evidence(
            says=self.says[which],
            actual=self.actual[which],
            sensor=self.sensor[which],
            day=self.day[which],
            target_weight=None if self.target_weight is None else self.target_weight[which],
            pool_weight=None if self.pool_weight is None else self.pool_weight[which],
        )


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
) -> Tensor:
    """Weights (band, sensor, expert), each row summing to 1.

    All sensors first share one set of weights; then each moves away from it, as far as its own
    gains over the shared weights repeat.

    Args:
        days: Length of the history; evidence counts half after a quarter of it, 7 to 21 days.
        sensors: How many there are; one without evidence keeps the shared weights.
        forget: Days after which evidence counts half, if that is less.
    """
    half_life = min(max(days / 4, 7.0), 21.0, forget or math.inf)
    rows, found = [], bands(evidence.actual.shape[1])
    prior, anchor = (part.expand(len(found), -1) for part in (caution.prior, caution.anchor))
    for band, (start, end) in enumerate(found):
        steps = torch.linspace(start, end - 1, min(STEPS_PER_BAND, end - start)).round().long()
        losses = Losses.of(evidence, steps, half_life=half_life)
        weights = _descend(losses, caution, prior[band, None], anchor[band, None])
        if sensors > 1:
            losses = Losses.of(
                evidence, steps, half_life=half_life, block_days=OWN_BLOCK, sensors=sensors
            )
            alone = replace(caution, pull=OWN_PULL)
            weights = weights.expand(sensors, -1)
            weights = _descend(losses, alone, weights, weights)
        rows.append(weights.expand(sensors, -1))
    return torch.stack(rows)


@dataclass(frozen=True, eq=False)
class Losses:
    """Mean absolute errors of mixtures, by group (all sensors, or each one) and block of days."""

    says: Tensor  # (target, expert)
    actual: Tensor  # (target,)
    group: Tensor  # (target,) long
    cell: Tensor  # (target,) long, group · blocks + block
    count: Tensor  # (group, block) of targets, each as much as it counts
    weight: Tensor  # (group, block), sums to 1 over blocks; 0 where there is no target
    target_weight: Tensor | None = None  # (target,), what its error is multiplied by

    @classmethod
    def of(
        cls,
        evidence: Evidence,
        steps: Tensor,
        *,
        half_life: float,
        block_days: int = 1,
        sensors: int = 1,
    ) -> Losses:
        """Look at some steps ahead, with every sensor as a group if there are several.

        A block's weight halves over `half_life` days, and is less where less was measured.
        """
        actual = evidence.actual[:, steps]
        known = ~actual.isnan()
        where = known.nonzero()[:, 0]
        found, block = (evidence.day // block_days).unique(return_inverse=True)
        group = evidence.sensor if sensors > 1 else torch.zeros_like(evidence.sensor)
        cell = (group * len(found) + block)[where]
        counted = (
            None if sensors > 1 or evidence.pool_weight is None else evidence.pool_weight[where]
        )
        count = torch.bincount(cell, counted, minlength=sensors * len(found))
        count = count.view(sensors, -1).float()
        usual = count.where(count > 0, torch.nan).nanmedian(1, keepdim=True).values
        age = (found.max() - found).float() * block_days
        weight = 2.0 ** (-age / half_life)
        weight = weight * (count / usual.nan_to_num(1.0)).clamp_max(1.0)
        weight = weight / weight.sum(1, keepdim=True).clamp_min(1e-9)
        says = evidence.says[:, steps]
        target_weight = counted
        if evidence.target_weight is not None:
            own = evidence.target_weight[:, steps][known]
            target_weight = own if counted is None else own * counted
        return cls(says[known], actual[known], group[where], cell, count, weight, target_weight)

    def by_block(self, w: Tensor) -> Tensor:
        """(group, block) mean absolute error of the mixtures `w` (group, expert)."""
        # Indexing by `w[self.group]` would add up gradients in an order that threads decide.
        own = w[0] if len(w) == 1 else embedding(self.group, w)
        said = (self.says * own).sum(-1)
        error = (said - self.actual).abs()
        error = error if self.target_weight is None else error * self.target_weight
        total = torch.zeros(self.count.numel()).index_add(0, self.cell, error)
        return total.view_as(self.count) / self.count.clamp_min(FEWEST)

    def mean(self, blocks: Tensor) -> Tensor:
        """(group,) mean over blocks, by their weights."""
        return (self.weight * blocks).sum(1)

    @cached_property
    def allowance(self) -> Tensor:
        """(group,) standard errors per standard deviation, larger yet where blocks are few."""
        freedom = ((self.count > 0).sum(1) - 1).clamp_min(1).tolist()
        return torch.tensor([t_inflation(free) / free**0.5 for free in freedom])


def _descend(losses: Losses, caution: Caution, prior: Tensor, anchor: Tensor) -> Tensor:
    """The weights (group, expert) that minimise the goal, from `prior` (group, expert) on.

    Adam (Kingma and Ba 2015, arXiv:1412.6980), with the goal's slope written out: it is small, and
    recording it anew at every step takes longer than working it out.
    """
    table = PaddedTargets.of(losses)
    reference = table.by_block(table.errors(anchor)[0])
    size = losses.mean(reference).clamp_min(1e-9)[:, None]
    prior = prior.clamp_min(1e-6)
    theta, found = prior.log(), torch.zeros_like(prior)
    first, second = torch.zeros_like(theta), torch.zeros_like(theta)
    for step in range(1, ADAM_STEPS + 1):
        w = theta.softmax(1)
        error, sign = table.errors(w)
        gain = (table.by_block(error) - reference) / size
        around = gain - losses.mean(gain)[:, None]
        unit = (losses.mean(around.square()) + 1e-12).sqrt()
        risk = caution.risk * (losses.allowance / unit)[:, None] * around
        slope = table.slope(sign, losses.weight * (1 + risk) / size)
        slope = slope + caution.pull * (w.clamp_min(1e-9) / prior).log()
        slope = w * (slope - (w * slope).sum(1, keepdim=True))  # through the softmax
        first = first.lerp(slope, 1 - BETAS[0])
        second = second.lerp(slope.square(), 1 - BETAS[1])
        mean, power = first / (1 - BETAS[0] ** step), second / (1 - BETAS[1] ** step)
        rate = RATE * (1 - (1 - LAST_RATE) * step / ADAM_STEPS)
        theta = theta - rate * mean / (power.sqrt() + 1e-8)
        if step > ADAM_STEPS - AVERAGED:
            found = found + theta.softmax(1) / AVERAGED
    return found


@dataclass(frozen=True, eq=False)
class PaddedTargets:
    """The targets of `Losses` by group, in rows of equal length, some of whose places are empty."""

    says: Tensor  # (row, place, expert)
    actual: Tensor  # (row, place)
    group: Tensor  # (row,) long
    cell: Tensor  # (row, place) long; empty places have one of their own, the last
    share: Tensor  # (group, block) what a target counts in the mean of its block
    target_weight: Tensor | None  # (row, place) how much each counts on top of that

    @classmethod
    def of(cls, losses: Losses) -> PaddedTargets:
        """Lay the targets out in rows about as long as most groups are."""
        groups = len(losses.count)
        order = losses.group.argsort(stable=True)
        size = torch.bincount(losses.group, minlength=groups)
        usual = float(size[size > 0].float().median()) if len(order) else 1.0
        length = min(max(int(usual), 1), LONGEST_ROW)
        rows = -(-size // length)
        group = torch.arange(groups).repeat_interleave(rows)
        inside = torch.arange(len(order)) - (size.cumsum(0) - size)[losses.group[order]]
        place = (rows.cumsum(0) - rows)[losses.group[order]] * length + inside
        shape = (len(group), length)
        says = losses.says.new_zeros(shape[0] * length, losses.says.shape[1])
        actual, cell = says.new_zeros(len(says)), torch.full((len(says),), losses.count.numel())
        says[place], actual[place] = losses.says[order], losses.actual[order]
        cell[place] = losses.cell[order]
        share, target_weight = 1 / losses.count.clamp_min(FEWEST), None
        if losses.target_weight is not None:
            target_weight = torch.ones_like(actual)
            target_weight[place] = losses.target_weight[order]
            target_weight = target_weight.view(shape)
        says = says.view(*shape, says.shape[1])
        return cls(says, actual.view(shape), group, cell.view(shape), share, target_weight)

    def errors(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """(row, place) absolute errors of the mixtures `w` (group, expert), and their signs.

        Both as often as the target counts.
        """
        found = torch.bmm(self.says, w[self.group, :, None])[..., 0] - self.actual
        if self.target_weight is None:
            return found.abs(), found.sign()
        return self.target_weight * found.abs(), self.target_weight * found.sign()

    def by_block(self, error: Tensor) -> Tensor:
        """(group, block) mean of errors (row, place)."""
        total = error.new_zeros(self.share.numel() + 1)
        total = total.index_add(0, self.cell.view(-1), error.view(-1))
        return total[:-1].view_as(self.share) * self.share

    def slope(self, sign: Tensor, slope: Tensor) -> Tensor:
        """(group, expert) slope by the weights, given that by the blocks' means (group, block)."""
        each = torch.nn.functional.pad((slope * self.share).view(-1), (0, 1))[self.cell] * sign
        row = torch.bmm(each[:, None], self.says)[:, 0]
        return row.new_zeros(len(slope), row.shape[1]).index_add(0, self.group, row)
