"""Write a forecast to wherever it is wanted, and read back what was written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from citytune._errors import InputError
from citytune.readers import as_given, first_bytes, is_address, masked
from citytune.writers._table import ForecastTable, of_records
from citytune.writers._writer import Choice, writer_of


def write(table: ForecastTable, target: str | os.PathLike[str], choice: Choice) -> str:
    """Write to a file, a database or a broker; gives what was written in words."""
    text = _text(target)
    writer = writer_of(text)
    writer.check(text, choice)
    return writer.write(table, text, choice)


def check_target(target: str | os.PathLike[str], choice: Choice) -> None:
    """Refuse what `write` would refuse, as far as that is known without a forecast."""
    text = _text(target)
    writer_of(text).check(text, choice)


def read(source: str | os.PathLike[str], run: str | None = None) -> ForecastTable:
    """What `write` wrote."""
    import polars as pl

    text = _text(source)
    reader = writer_of(text).read
    name = masked(text)
    if reader is None:
        raise InputError(f"{name} is written for others and not read back; write Parquet as well")
    if not is_address(text):
        first_bytes(Path(text).expanduser())
    try:
        return of_records(reader(text, run), name)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OSError) as error:
        if isinstance(error, InputError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"{name} holds no forecast that can be read ({reason})") from None


def _text(target: Any) -> str:
    return os.fspath(as_given(target))
