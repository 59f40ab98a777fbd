"""What mixtures of experts lose, by band, sensor and block of days; and the slope of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import torch
from torch import Tensor

from citytune.tuning.stacking._stats import t_inflation

LONGEST_ROW = 4096
"""Longest row in which the targets of one block are laid out."""
LEAST_COUNT = 1e-9
"""What a block counts at least: one without targets is nothing over this."""


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


@dataclass(frozen=True, eq=False)
class Losses:
    """Mean absolute errors of mixtures, by group (band, or band and sensor) and block of days.

    Targets lie in rows of equal length, some of whose places are empty; those of a row are of one
    group and one block. Parts of the evidence share the table, and count what is theirs.
    Numbers are of float64: a descent enlarges what is rounded, and that differs between processors.
    """

    miss: Tensor  # (row, place, expert) what each expert says above what came
    times: Tensor  # (row, part, place) how much the error counts; 0 where it is not of the part
    cell: Tensor  # (row,) long, group · blocks + block
    count: Tensor  # (group, part, block) of targets, each as much as it counts
    weight: Tensor  # (group, part, block), sums to 1 over blocks; 0 where there is no target

    @classmethod
    def of(
        cls,
        evidence: Evidence,
        steps: Sequence[Tensor],
        parts: Sequence[Tensor] = (),
        *,
        half_life: float,
        block_days: int = 1,
        sensors: int = 1,
    ) -> Self:
        """Look at some `steps` ahead in each band, by sensor if there are several.

        A block's weight halves over `half_life` days, and is less where less was measured. The
        first part is everything; `parts` are further ones, (example,) long.
        """
        found, block = (evidence.day // block_days).unique(return_inverse=True)
        target = _Targets.of(evidence, steps, sensors)
        groups, blocks = len(steps) * sensors, len(found)
        cell = target.group * blocks + block[target.example]
        times = _membership(parts, len(block))[:, target.example]
        if sensors == 1 and evidence.pool_weight is not None:
            times = times * evidence.pool_weight[target.example]
        count = torch.stack([torch.bincount(cell, one, groups * blocks) for one in times])
        count = count.view(-1, groups, blocks).movedim(0, 1)
        usual = count.where(count > 0, torch.nan).nanmedian(-1, keepdim=True).values
        age = (found.max() - found).double() * block_days
        weight = 2.0 ** (-age / half_life)
        weight = weight * (count / usual.nan_to_num(1.0)).clamp_max(1.0)
        weight = weight / weight.sum(-1, keepdim=True).clamp_min(1e-9)
        row = _Rows.of(cell, groups * blocks)
        times = row.lay(times.T if target.weight is None else (times * target.weight).T)
        return cls(row.lay(target.miss), times.mT.contiguous(), row.cell, count, weight)

    def by_block(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """(group, part, block) mean absolute errors of the mixtures `w` (group, part, expert).

        Further (row, part, expert) by how much the sum of each row's errors changes with `w`.
        """
        own = w[self.group]
        slopes = (torch.bmm(own, self.miss.mT).sign_() * self.times).bmm(self.miss)
        total = w.new_zeros(self.share.numel() // w.shape[1], w.shape[1])
        total = total.index_add(0, self.cell, (slopes * own).sum(-1))
        return total.view(len(w), -1, w.shape[1]).mT * self.share, slopes

    def slope(self, slopes: Tensor, by_mean: Tensor) -> Tensor:
        """(group, part, expert) slope by the weights, given that by the means of the blocks.

        Args:
            slopes: Those of `by_block`.
            by_mean: (group, part, block).
        """
        each = (by_mean * self.share).mT.flatten(0, 1)[self.cell]  # (row, part)
        found = slopes.new_zeros(len(by_mean), *slopes.shape[1:])
        return found.index_add(0, self.group, slopes * each[..., None])

    def mean(self, blocks: Tensor) -> Tensor:
        """(group, part, 1) mean over blocks, by their weights."""
        return (self.weight * blocks).sum(-1, keepdim=True)

    @cached_property
    def group(self) -> Tensor:
        """(row,) long."""
        return self.cell // self.count.shape[-1]

    @cached_property
    def share(self) -> Tensor:
        """(group, part, block) what one target counts in the mean of its block."""
        return 1 / self.count.clamp_min(LEAST_COUNT)

    @cached_property
    def allowance(self) -> Tensor:
        """(group, part, 1) standard errors per standard deviation, larger where blocks are few."""
        freedom = ((self.count > 0).sum(-1, keepdim=True) - 1).clamp_min(1)
        each = [t_inflation(free) / free**0.5 for free in range(1, int(freedom.max()) + 1)]
        return self.count.new_tensor(each)[freedom - 1]


class _Targets(NamedTuple):
    """What was measured, at the steps that are looked at."""

    miss: Tensor  # (target, expert)
    example: Tensor  # (target,) long
    group: Tensor  # (target,) long
    weight: Tensor | None  # (target,)

    @classmethod
    def of(cls, evidence: Evidence, steps: Sequence[Tensor], sensors: int) -> Self:
        found, weight = [], evidence.target_weight
        for band, some in enumerate(steps):
            actual = evidence.actual[:, some]
            known = ~actual.isnan()
            example = known.nonzero()[:, 0]
            group = evidence.sensor[example] if sensors > 1 else torch.zeros_like(example)
            miss = evidence.says[:, some][known].double() - actual[known][:, None]
            own = torch.ones(0) if weight is None else weight[:, some][known].double()
            found.append((miss, example, group + band * sensors, own))
        miss, example, group, own = (torch.cat(each) for each in zip(*found, strict=True))
        return cls(miss, example, group, None if weight is None else own)


def _membership(parts: Sequence[Tensor], examples: int) -> Tensor:
    """(1 + part, example) 1 where an example is of the part, which the first is of all."""
    found = torch.zeros(1 + len(parts), examples, dtype=torch.float64)
    found[0] = 1.0
    for i, which in enumerate(parts, 1):
        found[i, which] = 1.0
    return found


class _Rows(NamedTuple):
    """Where targets lie in rows about as long as most cells are."""

    cell: Tensor  # (row,) long
    place: Tensor  # (target,) long, row · length + place in it
    length: int

    @classmethod
    def of(cls, cell: Tensor, cells: int) -> Self:
        size = torch.bincount(cell, minlength=cells)
        usual = int(size[size > 0].median()) if len(cell) else 1
        length = min(usual, LONGEST_ROW)
        rows = -(-size // length)
        order = cell.argsort(stable=True)
        inside = torch.arange(len(cell)) - (size.cumsum(0) - size)[cell[order]]
        place = torch.empty_like(cell)
        place[order] = (rows.cumsum(0) - rows)[cell[order]] * length + inside
        return cls(torch.arange(cells).repeat_interleave(rows), place, length)

    def lay(self, values: Tensor) -> Tensor:
        """(row, place, any) values of the targets (target, any), and 0 where there is none."""
        found = values.new_zeros(len(self.cell) * self.length, values.shape[1])
        found[self.place] = values
        return found.view(len(self.cell), self.length, values.shape[1])
