"""Bring files and tables in: bytes from outside become a `SensorFrame`."""

from citytune.readers._read import check, framed, read

__all__ = ["check", "framed", "read"]
