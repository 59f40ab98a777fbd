"""A map of the next day, as inline SVG: a mark a sensor, no streets, and nothing is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from citytune._text import number
from citytune.serving.web._outlook import Day

WIDTH, LEAST, MOST = 720, 200, 540
"""Width of the drawing, and its smallest and largest height."""
PAD = 40
SMALL, LARGE = 5.0, 14.0
"""Radius of the mark of the lowest and of the highest peak."""
NAMED = 12
"""So many sensors have their names in the map; of more, a mark says its own."""


def place_map(days: Sequence[Day], places: Mapping[str, Sequence[float]]) -> Markup:
    """The peaks of sensors whose place is known; empty if fewer than two are.

    Args:
        days: The next day of each sensor.
        places: Sensor → latitude and longitude in degrees.
    """
    shown = [one for one in days if one.sensor in places and math.isfinite(one.peak)]
    if len(shown) < 2:
        return Markup("")
    north, east = ([float(places[one.sensor][i]) for one in shown] for i in (0, 1))
    shrink = max(0.05, math.cos(math.radians(sum(north) / len(north))))
    wide = max((max(east) - min(east)) * shrink, 1e-6)
    high = max(max(north) - min(north), 1e-6)
    scale = min((WIDTH - 2 * PAD) / wide, (MOST - 2 * PAD) / high)
    height = max(LEAST, round(high * scale) + 2 * PAD)
    left, top = (WIDTH - wide * scale) / 2, (height - high * scale) / 2
    low = min(one.peak for one in shown)
    span = max(one.peak for one in shown) - low or 1.0
    parts = []
    # Those that matter first are drawn last, over the others.
    for one, lat, lon in reversed(list(zip(shown, north, east, strict=True))):
        x = left + (lon - min(east)) * shrink * scale
        y = top + (max(north) - lat) * scale
        size = SMALL + (LARGE - SMALL) * (one.peak - low) / span
        said = escape(f"{one.sensor}: {number(one.peak)}")
        parts.append(
            f'<circle class="{one.tone}" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}">'
            f"<title>{said}</title></circle>"
        )
        if len(shown) <= NAMED:
            side = "start" if x < WIDTH / 4 else "end" if x > WIDTH * 3 / 4 else "middle"
            place = f'x="{x:.1f}" y="{y - size - 4:.1f}"'
            parts.append(f'<text class="{side}" {place}>{escape(one.sensor)}</text>')
    return Markup(  # noqa: S704 - numbers and words of ours; names are escaped
        f'<svg class="places" viewBox="0 0 {WIDTH} {height}" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )
