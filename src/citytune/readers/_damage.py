"""Say that a Parquet or Arrow file is damaged, wherever that is found out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from citytune.readers._findings import Findings

_DAMAGE = re.compile(
    r"(?i)parquet|thrift|ipc|arrow|out.of.spec|metadata|buffer|offset|utf8|range|overflow|panic|"
    r"timezone|time zone|recordbatch|unwrap|bounds|decompress|snappy|zstd|page|dictionary"
)


@contextmanager
def damage_told(findings: Findings) -> Iterator[None]:
    """Turn a damaged Parquet or Arrow file, found out when its rows are read, into one fault."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).strip().splitlines()[0][:160]
        if not _DAMAGE.search(reason):
            raise
        findings.fail(
            "damaged-file",
            "the file is damaged" + ("" if "unwrap" in reason else f" ({reason})"),
            "copy or export it once more; it may have been cut short",
        )
