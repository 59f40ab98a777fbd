"""Bring files and tables in: bytes from outside become a `SensorFrame`."""

from citytune.readers._read import check, framed, read
from citytune.readers._request import ColumnName

__all__ = ["ColumnName", "check", "framed", "read"]
