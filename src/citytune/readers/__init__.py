"""Bring files and tables in: bytes from outside become a `SensorFrame`."""

from citytune.readers._read import check, read

__all__ = ["check", "read"]
