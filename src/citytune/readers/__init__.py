"""Bring files and tables in: bytes from outside become a `SensorFrame`."""

from citytune.readers import (  # each registers the kind of file it reads
    _excel,  # noqa: F401
    _hdf,  # noqa: F401
    _json,  # noqa: F401
    _nem12,  # noqa: F401
    _xml,  # noqa: F401
    _zip,  # noqa: F401
)
from citytune.readers._containers import open_bytes, register
from citytune.readers._explain import ColumnRole, Explanation, explain, in_one_line
from citytune.readers._read import check, framed, read
from citytune.readers._request import ColumnName
from citytune.readers._source import source_name

__all__ = [
    "ColumnName",
    "ColumnRole",
    "Explanation",
    "check",
    "explain",
    "framed",
    "in_one_line",
    "open_bytes",
    "read",
    "register",
    "source_name",
]
