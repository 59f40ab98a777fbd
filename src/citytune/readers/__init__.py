"""Bring files and tables in: bytes from outside become a `SensorFrame`."""

from citytune.readers._explain import ColumnRole, Explanation, explain, in_one_line
from citytune.readers._known_ahead import KnownAhead, known_ahead, told_apart
from citytune.readers._read import check, framed, read
from citytune.readers._rows import Rows, in_utc, rows_of
from citytune.readers.cells._vocabulary import SENSOR as SENSOR_WORDS
from citytune.readers.columns._request import ColumnName
from citytune.readers.containers._files import (
    as_given,
    download,
    first_bytes,
    is_address,
    masked,
    told,
)
from citytune.readers.containers._openers import open_bytes, register
from citytune.readers.containers._partitions import (
    BadFile,
    Columns,
    Partition,
    key_of_sensors,
    partitions_of,
    spelt,
)
from citytune.readers.databases._drivers import (
    Driver,
    driver_of,
    is_database,
    register_database,
    with_secrets,
)
from citytune.readers.values._mending import mended
from citytune.readers.values._quantities import known_quantities
from citytune.readers.values._readings import natural

__all__ = [
    "BadFile",
    "ColumnName",
    "ColumnRole",
    "Columns",
    "Driver",
    "Explanation",
    "KnownAhead",
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
    "in_utc",
    "is_address",
    "is_database",
    "key_of_sensors",
    "known_ahead",
    "known_quantities",
    "masked",
    "mended",
    "natural",
    "open_bytes",
    "partitions_of",
    "read",
    "register",
    "register_database",
    "rows_of",
    "spelt",
    "told",
    "told_apart",
    "with_secrets",
]
