"""Engines: what does the same work on many groups of sensors, here or on other machines."""

from citytune.engines import (  # each registers itself
    _local,  # noqa: F401
    _ray,  # noqa: F401
)
from citytune.engines._engine import (
    SIZE,
    Engine,
    How,
    check_engine,
    check_group,
    engine_names,
    opened,
    opened_if,
    register_engine,
)

__all__ = [
    "Engine",
    "How",
    "SIZE",
    "check_engine",
    "check_group",
    "engine_names",
    "opened",
    "opened_if",
    "register_engine",
]
