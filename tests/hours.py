"""CSV text of readings with a daily rhythm, for tests and benchmarks of commands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def hours(days: float = 20, step: int = 60, sensors: Sequence[str] = ("north", "south")) -> str:
    """Readings every `step` minutes from 1 January 2024 on, each sensor 20 above the one before."""
    draw = np.random.default_rng(5)
    start = np.datetime64("2024-01-01T00:00")
    moments = start + np.arange(round(days * 1440 / step)) * np.timedelta64(step, "m")
    lines = [",".join(["time", *sensors])]
    for i, moment in enumerate(moments):
        level = 100 + 40 * np.sin(2 * np.pi * i * step / 1440)
        values = (f"{level + 20 * k + draw.normal(0, 3):.1f}" for k in range(len(sensors)))
        lines.append(",".join([str(moment).replace("T", " "), *values]))
    return "\n".join(lines) + "\n"
