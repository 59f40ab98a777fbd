"""Read the measurement files of LabVIEW (.lvm): a begin, and seconds since then."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence

import polars as pl

from citytune.readers.cells._encodings import decoded
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import unit_of
from citytune.readers.containers._openers import register

_END = "***End_of_Header***"
_MARKS = {"comma": ",", "semicolon": ";"}
_DATE = re.compile(r"(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d+))?")


def is_lvm(data: bytes) -> bool:
    """Whether a file begins as LabVIEW writes it."""
    return data[:64].lstrip(b"\xef\xbb\xbf \r\n").startswith(b"LabVIEW Measurement")


def read_lvm(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each sample: the moment at which it was taken, and a column a channel."""
    lines = decoded(data).splitlines()
    ends = [i for i, line in enumerate(lines) if line.strip().startswith(_END)]
    if len(ends) != 2 or len(lines) < ends[1] + 3:
        findings.fail(
            "several-tables" if len(ends) > 2 else "header-only",
            f"the LabVIEW file holds {max(len(ends) - 1, 0)} segments of samples",
            "write one segment into a file",
        )
    of_file = _header(lines[: ends[0]], "\t" if "\t" in lines[1] else lines[1][14:15])
    mark = _MARKS.get(of_file.get("separator", [""])[0].lower(), "\t")
    header = _header(lines[ends[0] + 1 : ends[1]], mark)
    names = [cell.strip() for cell in lines[ends[1] + 1].split(mark)]
    rows = [line.split(mark) for line in lines[ends[1] + 2 :] if line.strip()]
    try:
        return _table(names, rows, header, (name, stem))
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        findings.fail(
            "damaged-file",
            f"the LabVIEW file has no samples with one begin and one column of times ({error})",
            "save it with one header and one column of times (X_Columns One)",
        )


def _header(lines: Sequence[str], mark: str) -> dict[str, list[str]]:
    """Word → what is said for each channel."""
    cells = ([cell.strip() for cell in line.split(mark or "\t")] for line in lines)
    return {row[0].lower(): row[1:] for row in cells if row[0]}


def _table(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    header: Mapping[str, list[str]],
    called: tuple[str, str],
) -> SourceTable:
    count = int(header["channels"][0])
    channels = list(names[1 : count + 1])
    if names[0] != "X_Value" or "X_Value" in channels or len(channels) < count:
        raise ValueError("its line of names does not begin with X_Value alone")
    begins = {*map(_begin, header["date"][:count], header["time"][:count])}
    if len(begins) != 1:
        raise ValueError("its channels begin at different times")
    first, step = (_number(header.get(word, ["0"])[0]) for word in ("x0", "delta_x"))
    if step <= 0 and not all(row[0].strip() for row in rows):
        raise ValueError("nothing says when its samples were taken")
    since = [_number(row[0]) if row[0].strip() else first + i * step for i, row in enumerate(rows)]
    begin = begins.pop()
    times = [begin + dt.timedelta(microseconds=round(second * 1e6)) for second in since]
    columns = {channel: pl.Series([_cell(row, i) for row in rows], dtype=pl.Float64)
               for i, channel in enumerate(channels, 1)}  # fmt: skip
    table = pl.DataFrame({"X_Value time": pl.Series(times, dtype=pl.Datetime("us")), **columns})
    said = zip(channels, header.get("y_unit_label", []), strict=False)
    units = {channel: unit_of(unit) or unit for channel, unit in said if unit}
    name, stem = called
    return SourceTable(table.lazy(), table.schema, name, stem, units=units)


def _begin(date: str, clock: str) -> dt.datetime:
    day, time = _DATE.fullmatch(date), _CLOCK.fullmatch(clock)
    if day is None or time is None:
        raise ValueError(f"{date} {clock} is no begin such as 2024/03/31 14:00:00")
    micro = int(((time[4] or "") + "000000")[:6])
    year, month, of_month, hour, minute, second = map(int, (*day.groups(), *time.groups()[:3]))
    return dt.datetime(year, month, of_month, hour, minute, second, micro)


def _cell(row: Sequence[str], place: int) -> float | None:
    return _number(row[place]) if place < len(row) and row[place].strip() else None


def _number(text: str) -> float:
    """A number with a decimal point or comma, whichever LabVIEW wrote."""
    return float(text.strip().replace(",", "."))


register(is_lvm, read_lvm)
