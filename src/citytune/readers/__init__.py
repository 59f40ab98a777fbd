"""Bring files and tables in: bytes from outside become a `SensorFrame`."""

from citytune.readers import _excel, _json, _xml, _zip  # noqa: F401 - each registers itself
from citytune.readers._containers import open_bytes, register
from citytune.readers._read import check, read

__all__ = ["check", "open_bytes", "read", "register"]
