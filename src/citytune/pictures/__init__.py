"""Draw pictures: one look, offline, and saved without a browser."""

from citytune.pictures._chart import Chart
from citytune.pictures._style import (
    BAND,
    BLUE,
    DARK,
    GREEN,
    GRID,
    INK,
    LINES,
    ORANGE,
    SCALE,
    THRESHOLD_COLOUR,
    dressed,
    panels,
)

__all__ = [
    "BAND",
    "BLUE",
    "Chart",
    "DARK",
    "GREEN",
    "GRID",
    "INK",
    "LINES",
    "ORANGE",
    "SCALE",
    "THRESHOLD_COLOUR",
    "dressed",
    "panels",
]
