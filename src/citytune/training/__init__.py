"""Take gradient steps; nothing here knows of cities."""

from citytune.training._balanced import balanced_mse
from citytune.training._loop import Loop, minimise

__all__ = ["Loop", "balanced_mse", "minimise"]
