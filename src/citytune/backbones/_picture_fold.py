"""Fold a window into an image: rows are days, columns the time within the day.

As TimesNet (Wu et al. 2023, arXiv:2210.02186) and VisionTS (Chen et al. 2024, arXiv:2408.17253)
fold a series by its period, so that a network pretrained on pictures sees the days under one
another: a daily cycle is a vertical stripe, a weekend a band, a change a broken line.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate, pad

from citytune.backbones._network import standardise
from citytune.backbones._protocol import COARSE

GREY_SPREADS = 3.0
"""Standard deviations from mid-grey to black and to white."""


def fold(values: Tensor, steps_per_day: int, *, pixels: int) -> Tensor:
    """Grey images (example, 1, pixels, pixels) in 0…1, oldest day on top, the origin bottom right.

    A row is 24 hours ending at the origin (7 days on a clock with too few steps a day), so that
    the k-th column is always as far ahead of the forecast. Only whole rows are shown. Each window
    is standardised by its own mean and spread; a constant one is grey.
    """
    scaled, _, _ = standardise(values)
    period = steps_per_day if steps_per_day >= COARSE else 7 * steps_per_day
    scaled = pad(scaled, (max(0, period - scaled.shape[1]), 0))
    rows = scaled.shape[1] // period
    image = scaled[:, -rows * period :].unflatten(1, (rows, period))
    grey = (image.clamp(-GREY_SPREADS, GREY_SPREADS) / GREY_SPREADS + 1) / 2
    return interpolate(grey[:, None], size=(pixels, pixels), mode="bilinear", antialias=True)
