"""Bring files and tables in: bytes from outside become a `SensorFrame`."""

from citytune.readers import (  # each registers the kind of file it reads
    _duckdb,  # noqa: F401
    _excel,  # noqa: F401
    _hdf,  # noqa: F401
    _json,  # noqa: F401
    _nem12,  # noqa: F401
    _postgres,  # noqa: F401
    _sqlite,  # noqa: F401
    _xml,  # noqa: F401
    _zip,  # noqa: F401
)
from citytune.readers._containers import open_bytes, register
from citytune.readers._databases import (
    Driver,
    driver_of,
    is_database,
    register_database,
    with_secrets,
)
from citytune.readers._explain import ColumnRole, Explanation, explain, in_one_line
from citytune.readers._files import as_given, download, first_bytes, is_address, masked, told
from citytune.readers._partitions import (
    BadFile,
    Columns,
    Partition,
    key_of_sensors,
    partitions_of,
    spelt,
)
from citytune.readers._read import check, framed, read
from citytune.readers._readings import natural
from citytune.readers._request import ColumnName
from citytune.readers._rows import Rows, rows_of
from citytune.readers._vocabulary import SENSOR as SENSOR_WORDS

__all__ = [
    "BadFile",
    "ColumnName",
    "ColumnRole",
    "Columns",
    "Driver",
    "Explanation",
    "Partition",
    "Rows",
    "SENSOR_WORDS",
    "as_given",
    "check",
    "download",
    "driver_of",
    "explain",
    "first_bytes",
    "framed",
    "in_one_line",
    "is_address",
    "is_database",
    "key_of_sensors",
    "masked",
    "natural",
    "open_bytes",
    "partitions_of",
    "read",
    "register",
    "register_database",
    "rows_of",
    "spelt",
    "told",
    "with_secrets",
]
