"""Charts as inline SVG, drawn on the server: an interval, a forecast, and what was measured."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 240, 58, 8, 16, 26
"""In the drawing's own units; a narrow screen scales it down, and there is a table as well."""
LETTER = 11.5
"""Width of a letter on a narrow screen."""
MOST_DAYS = 8
"""Dates written below a chart."""


class Line(NamedTuple):
    """Values at times; NaN where there is none."""

    kind: str
    """Class in the style sheet: measured or forecast."""
    times: Sequence[dt.datetime]
    values: Sequence[float]


class Band(NamedTuple):
    """An interval at times."""

    times: Sequence[dt.datetime]
    low: Sequence[float]
    high: Sequence[float]


def chart(
    label: str, lines: Sequence[Line], band: Band | None = None, thresholds: Sequence[float] = ()
) -> Markup:
    """A chart; empty if nothing is known.

    Args:
        label: What it shows, for who cannot see it.
        lines: Drawn over the interval, in this order.
        band: The 90 % interval.
        thresholds: Of alerts; drawn across, but for those so far off that little else could be
            seen.
    """
    times = [at for one in lines for at in one.times] + [*(band.times if band else [])]
    values = [v for one in lines for v in one.values] + [*(band.low if band else [])]
    known = [v for v in (*values, *(band.high if band else [])) if math.isfinite(v)]
    if not known or not times:
        return Markup("")
    near = _near(thresholds, min(known), max(known))
    known += near
    scale = _Scale(min(times), max(times), *_rounded(min(known), max(known)))
    parts = [scale.grid()]
    if band is not None:
        parts.append(_area(scale, band))
    across = f"M{scale.left} {{:.1f}}H{WIDTH - RIGHT}"
    parts += [f'<path class="threshold" d="{across.format(scale.y(at))}"/>' for at in near]
    parts += [f'<path class="{one.kind}" d="{_path(scale, one)}"/>' for one in lines]
    return Markup(  # noqa: S704 - numbers and words of ours; the label is escaped
        f'<svg class="graph" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


class _Scale(NamedTuple):
    """From times and values to a place in the drawing."""

    first: dt.datetime
    last: dt.datetime
    bottom: float
    top: float
    unit: float

    @property
    def left(self) -> float:
        """Room for the longest name of a value, in the large letters of a phone."""
        return max(LEFT, 8 + LETTER * max(len(_name(self.bottom)), len(_name(self.top))))

    def x(self, at: dt.datetime) -> float:
        span = max((self.last - self.first).total_seconds(), 1.0)
        share = (at - self.first).total_seconds() / span
        return self.left + share * (WIDTH - self.left - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.bottom) / (self.top - self.bottom)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> str:
        """Lines at round values and at midnights, with their names."""
        parts = []
        for i in range(round((self.top - self.bottom) / self.unit) + 1):
            value = self.bottom + i * self.unit
            y, edge, name = self.y(value), self.left, _name(value)
            parts.append(f'<path class="grid" d="M{edge} {y:.1f}H{WIDTH - RIGHT}"/>')
            parts.append(f'<text class="end" x="{edge - 6}" y="{y + 4:.1f}">{name}</text>')
        days = _midnights(self.first, self.last)
        every = -(-len(days) // MOST_DAYS)
        for day in days[::every]:
            x = self.x(day)
            parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
            if x + 3 + LETTER * len("12-31") < WIDTH:
                parts.append(f'<text x="{x + 3:.1f}" y="{HEIGHT - 8}">{day:%m-%d}</text>')
        return "".join(parts)


def _name(value: float) -> str:
    return f"{value:,.6g}"


def _midnights(first: dt.datetime, last: dt.datetime) -> list[dt.datetime]:
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [day + dt.timedelta(days=i) for i in range((last - first).days + 2)]
    return [one for one in days if first <= one <= last]


def _rounded(low: float, high: float) -> tuple[float, float, float]:
    """Round edges around what is in sight, and the distance of round values; zero is near them."""
    if low > 0 and low < 0.5 * high:
        low = 0.0
    span = (high - low) or abs(high) or 1.0
    size = 10.0 ** math.floor(math.log10(span / 4))
    unit = next(size * f for f in (1, 2, 2.5, 5, 10) if size * f >= span / 4)
    bottom = math.floor(low / unit) * unit
    return bottom, max(math.ceil(high / unit) * unit, bottom + unit), unit


def _near(thresholds: Sequence[float], low: float, high: float) -> list[float]:
    """Those no further from what is in sight than that is high."""
    span = (high - low) or abs(high) or 1.0
    return [one for one in thresholds if low - span <= one <= high + span]


def _path(scale: _Scale, line: Line) -> str:
    """Broken where nothing is known; a single value is a dot."""
    found, pen = [], False
    for at, value in zip(line.times, line.values, strict=True):
        if math.isfinite(value):
            word = "L" if pen else "M"
            found.append(f"{word}{scale.x(at):.1f} {scale.y(value):.1f}" + ("" if pen else "h0"))
        pen = math.isfinite(value)
    return "".join(found)


def _area(scale: _Scale, band: Band) -> str:
    rows = [row for row in zip(band.times, band.low, band.high, strict=True)
            if math.isfinite(row[1]) and math.isfinite(row[2])]  # fmt: skip
    if not rows:
        return ""
    over = [f"{scale.x(at):.1f} {scale.y(high):.1f}" for at, _, high in rows]
    under = [f"{scale.x(at):.1f} {scale.y(low):.1f}" for at, low, _ in reversed(rows)]
    return f'<path class="band" d="M{"L".join([*over, *under])}z"/>'
