"""A sparkline: a forecast and its 90 % interval in a small inline SVG of a few hundred bytes."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 120, 100
"""Of the drawing, in its own units, which a style sheet stretches; whole numbers are enough."""
MOST_POINTS = 30


def spark(
    low: NDArray[np.float32],
    middle: NDArray[np.float32],
    high: NDArray[np.float32],
    threshold: float = math.nan,
) -> str:
    """The path data of a sparkline: band, line, and a threshold if it lies in sight.

    Args:
        low: (step,) lower edge of the interval; NaN where there is no forecast.
        middle: (step,) the forecast.
        high: (step,) upper edge.
        threshold: What an alert asks about.

    Returns:
        SVG, hidden from screen readers, as the numbers stand next to it; empty without a forecast.
    """
    every = -(-len(middle) // MOST_POINTS)
    rows = np.stack([low, middle, high]).astype(float)[:, ::every]
    known = np.isfinite(rows).all(0)
    if not known.any():
        return ""
    bottom, top = _range(rows[:, known], threshold)
    across = (
        np.linspace(1, WIDTH - 1, rows.shape[1]) if rows.shape[1] > 1 else np.array([WIDTH / 2])
    )
    down = HEIGHT - 4 - (rows - bottom) / (top - bottom) * (HEIGHT - 8)
    parts = []
    for run in _runs(known):
        there = list(range(run.start, run.stop))
        edge = [(across[i], down[2, i]) for i in there]
        back = [(across[i], down[0, i]) for i in reversed(there)]
        parts.append(f'<path class="b" d="{_path(edge + back)}z"/>')
        parts.append(f'<path class="l" d="{_path([(across[i], down[1, i]) for i in there])}"/>')
    if bottom <= threshold <= top:
        at = HEIGHT - 4 - (threshold - bottom) / (top - bottom) * (HEIGHT - 8)
        parts.append(f'<path class="t" d="M0 {at:.0f}H{WIDTH}"/>')
    drawn = "".join(parts)
    return (
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
        f'aria-hidden="true">{drawn}</svg>'
    )


def _range(rows: NDArray[np.float64], threshold: float) -> tuple[float, float]:
    """What is in sight; a threshold not far beyond the interval, too."""
    bottom, top = float(rows.min()), float(rows.max())
    reach = 0.5 * (top - bottom)
    if bottom - reach <= threshold <= top + reach:
        bottom, top = min(bottom, threshold), max(top, threshold)
    return (bottom, top) if top > bottom else (bottom - 1, top + 1)


def _path(points: list[tuple[float, float]]) -> str:
    """Where the first point is, and how far each is from the one before, which is shorter."""
    whole = [(round(float(x)), round(float(y))) for x, y in points]
    steps = [(x - a, y - b) for (a, b), (x, y) in itertools.pairwise(whole)]
    said = " ".join(f"{x} {y}" for x, y in steps).replace(" -", "-")
    return f"M{whole[0][0]} {whole[0][1]}" + (f"l{said}" if said else "")


def _runs(there: NDArray[np.bool_]) -> list[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
