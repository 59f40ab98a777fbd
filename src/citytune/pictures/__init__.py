"""Draw pictures: one look, offline, and saved without a browser."""

from citytune.pictures._chart import OFFLINE, Chart
from citytune.pictures._style import (
    BAND,
    BLUE,
    DARK,
    GRID,
    INK,
    LIMIT,
    LINES,
    SCALE,
    dressed,
    panels,
)

__all__ = [
    "BAND",
    "BLUE",
    "Chart",
    "DARK",
    "GRID",
    "INK",
    "LIMIT",
    "LINES",
    "OFFLINE",
    "SCALE",
    "dressed",
    "panels",
]
