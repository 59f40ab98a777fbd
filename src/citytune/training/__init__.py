"""Take gradient steps; nothing here knows of cities."""

from citytune.training._loop import Loop, minimise

__all__ = ["Loop", "minimise"]
