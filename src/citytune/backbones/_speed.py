"""How fast a backbone is on this machine."""

from __future__ import annotations

import math
import time

import torch

from citytune.backbones._protocol import Backbone, Past

WINDOWS, HORIZON, HOURS = 32, 24, 24
"""What is timed: so many windows of an hourly clock, so many steps ahead."""


def speed_of(backbone: Backbone, *, windows: int = WINDOWS) -> float:
    """Windows of an hourly clock that it forecasts a day ahead in a second, on this machine.

    One that cannot forecast is timed on its features. Each window is as long as it can use.

    >>> from citytune.backbones import load_backbone
    >>> speed_of(load_backbone("lags")) > 1
    True
    """
    card = backbone.card
    length = card.context_at(HOURS)
    steps = torch.arange(length + HORIZON)
    values = (2 + torch.sin(2 * math.pi * steps[:length] / HOURS)).expand(windows, -1)
    values = values * torch.arange(1, windows + 1)[:, None]
    calendar = torch.stack([steps % HOURS / HOURS, steps // HOURS % 7, 0.0 * steps], -1)
    known = torch.ones(windows, length, dtype=torch.bool)
    past = Past(values, known, calendar.float().expand(windows, -1, -1), HOURS)
    _ask(backbone, Past(values[:2], known[:2], past.calendar[:2], HOURS))
    started = time.perf_counter()
    _ask(backbone, past)
    return windows / max(time.perf_counter() - started, 1e-9)


def _ask(backbone: Backbone, past: Past) -> None:
    if backbone.card.horizon is None:
        backbone.features(past)
    else:
        backbone.forecast(past, min(HORIZON, backbone.card.horizon))
