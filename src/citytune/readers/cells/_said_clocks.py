"""Numbers that count from another day than they seem to, as a name, a title or themselves tell.

GPS counts seconds from 1980 on and knows no leap seconds; spreadsheets of the Macintosh counted
days from 1904 on. Read as seconds since 1970 and as days since 1900 both are moments of the past,
ten and four years off.
"""

from __future__ import annotations

import datetime as dt
import re
import time

import polars as pl

from citytune.readers.cells._epochs import GPS_BEGIN, OF_SPREADSHEETS, Epoch, epoch_seconds
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import tokens

OF_1904 = "date system of 1904"
"""What is said of a workbook whose dates count from 1904."""
_OR_1904 = ", four years earlier than those since 1904"
_SINCE_1904 = Epoch("days since 1904, as spreadsheets of the Macintosh counted them", first=24_107)
_SAYS_1904 = re.compile(r"1904.?(date|epoch|system)|(date|epoch|system|excel|mac)\w*\W+(of )?"
                        r"1904|1904-01-01|^(mac|date|time)_?1904$", re.IGNORECASE)  # fmt: skip
_SAYS_GPS = re.compile(r"gps[ _-]?(s|sec|seconds|epoch|week|tow)\b|1980-01-06|"
                       r"(s|sec|seconds)[ _-](of[ _-])?gps", re.IGNORECASE)  # fmt: skip
_NAMES_GPS = re.compile(r"(?<![a-z])gps(?![a-z])|^gps(time|sec)", re.IGNORECASE)
_MINUTE, _DAY = 60, 86_400


def as_said(
    epoch: Epoch, numbers: pl.Series, name: str, table: SourceTable, findings: Findings
) -> Epoch:
    """What the numbers of a column count, where something tells that it is not what they seem to.

    Args:
        epoch: What they were taken for.
        numbers: Some of them.
        name: Of the column.
        table: Its unit and titles may say it too.
        findings: Told if nothing tells.
    """
    around = (name, table.units.get(name, ""), *table.titles)
    if epoch == OF_SPREADSHEETS:
        named = not {"mac", "macintosh"}.isdisjoint(tokens(name))
        since_1904 = named or any(map(_SAYS_1904.search, around))
        return _SINCE_1904 if since_1904 else epoch._replace(words=f"{epoch.words}{_OR_1904}")
    if epoch.pattern is not None or epoch.begin or epoch.first is not None:
        return epoch
    gps = epoch._replace(
        words=f"{epoch.words.partition(' ')[0]} of GPS since 1980", begin=GPS_BEGIN, utc=True,
        leaps=True,
    )  # fmt: skip
    there, other = _spelt(numbers, epoch), _spelt(numbers, gps)
    said, named = any(map(_SAYS_GPS.search, around)), bool(_NAMES_GPS.search(name))
    minutes = len(there) > 0 and _on_minutes(other) and not _on_minutes(there)
    if not (said or named or minutes) or not len(there):
        return epoch
    if int(other.max()) > time.time() + _DAY:  # type: ignore[arg-type]
        return epoch
    if not (said or (named and minutes)):
        findings.fail(
            "which-origin",
            f"the numbers in column {name!r} are times from {_day(there)} on in {epoch.words}, and "
            f"from {_day(other)} on in {gps.words}" + ("" if named else ", on full minutes"),
            f"call the column 'gps_seconds' or '{epoch.words.partition(' ')[0]} since 1970-01-01', "
            "or write times such as 2024-03-31 14:00",
        )
    return gps


def _spelt(numbers: pl.Series, epoch: Epoch) -> pl.Series:
    cells = numbers.rename("cell").to_frame()
    return cells.select(epoch_seconds(pl.col("cell"), epoch)).to_series().drop_nulls()


def _on_minutes(seconds: pl.Series) -> bool:
    """Whether all of several moments are full minutes."""
    return seconds.n_unique() > 2 and bool((seconds % _MINUTE == 0).all())


def _day(seconds: pl.Series) -> str:
    first = dt.datetime.fromtimestamp(int(seconds.min()), dt.UTC)  # type: ignore[arg-type]
    return f"{first:%Y-%m-%d}"
