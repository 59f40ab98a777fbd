"""Bring quantiles at a model's own levels to those that forecasts carry."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from citytune._errors import InputError
from citytune.backbones._protocol import LEVELS

MIDDLE = LEVELS.index(0.5)


def to_levels(found: Tensor, levels: Sequence[float]) -> Tensor:
    """Quantiles (…, own level) as quantiles (…, level) at `LEVELS`, in ascending order.

    Between two of its own levels a quantile lies on the line through both, over the scores of a
    normal distribution. Beyond the outermost it is as far from the median, against that one, as it
    would be if errors were normal.

    >>> nine = torch.arange(1.0, 10.0)
    >>> found = to_levels(nine, [n / 10 for n in range(1, 10)])
    >>> [round(value, 2) for value in found[:3].tolist()]
    [-0.13, 1.0, 2.0]
    """
    matrix = _matrix(tuple(levels)).to(found.device, found.dtype)
    return (found @ matrix).sort(-1).values


def check_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """The levels of quantiles, if they can be used.

    Raises:
        InputError: they do not ascend in 0…1, or do not lie on both sides of the median.
    """
    try:
        given = tuple(float(level) for level in levels)
    except (TypeError, ValueError):
        given = ()
    ascend = all(a < b for a, b in itertools.pairwise(given))
    if not given or not ascend or not 0 < given[0] <= 0.5 <= given[-1] < 1:
        raise InputError(
            f"levels are {levels!r}: quantile levels ascend within 0…1 and lie on both sides of "
            "0.5, such as (0.1, 0.5, 0.9)"
        )
    return given


@functools.cache
def _matrix(levels: tuple[float, ...]) -> Tensor:
    """(own level, level): what each quantile asked for is made of."""
    own = torch.special.ndtri(torch.tensor(levels, dtype=torch.float64))
    at = torch.special.ndtri(torch.tensor(LEVELS, dtype=torch.float64))
    if len(levels) == 1:
        return torch.ones(1, len(LEVELS), dtype=torch.float64)
    right = torch.searchsorted(own, at).clamp(1, len(levels) - 1)
    share = (at - own[right - 1]) / (own[right] - own[right - 1])
    eye = torch.eye(len(levels), dtype=torch.float64)
    inside = torch.lerp(eye[right - 1], eye[right], share.clamp(0, 1)[:, None])
    middle, edge = inside[MIDDLE], at.clamp(own[0], own[-1])
    further = torch.where(edge.abs() > 1e-9, at / edge, torch.ones_like(at))
    return torch.lerp(middle.expand_as(inside), inside, further[:, None]).T.contiguous()
