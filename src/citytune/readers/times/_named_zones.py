"""Times whose zone stands behind each, or in a column next to them: EST and EDT, CET and CEST."""

from __future__ import annotations

import re

import polars as pl

from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._zone_names import NAMED, Zones, meanings, zones_named
from citytune.readers.times._offset_columns import offset_seconds
from citytune.readers.times._zone_columns import zone_columns

_OFFSET = r"([+-]\d{2}:?\d{2}|[+-]\d{2}|Z| UTC| GMT)$"


def of_cells(
    cells: pl.Series, name: str, timezone: str | None, findings: Findings
) -> tuple[pl.Expr, str] | None:
    """Seconds ahead of UTC of each text cell of a series `cell`, and the zone; None if not told."""
    zone = pl.col("cell").str.strip_chars().str.extract(NAMED, 1)
    found = cells.rename("cell").to_frame().select(zone).to_series()
    if timezone is None and len(found) and found.n_unique() == 1 and found[0] is not None:
        _say_unused(found[0], name, findings)
    return _settled(found, zone, name, findings)


def of_column(
    table: SourceTable, columns: Columns, timezone: str | None, findings: Findings
) -> tuple[pl.Expr, str] | None:
    """Seconds ahead of UTC of each row by the column of offsets or of zones' names, and the zone.

    One offset throughout says at which one a clock stays all year; without a `timezone` times are
    taken as written then.
    """
    names = zone_columns(columns)
    offsets = {n: ahead for n in sorted(names) if (ahead := offset_seconds(columns.by_name[n]))}
    if offsets:
        return _of_offsets(*next(iter(offsets.items())), timezone, findings)
    if len(names) != 1:
        return None
    (name,) = names
    zone = pl.col(name).cast(pl.String).str.strip_chars()
    found = table.rows.select(zone.unique()).collect(engine="streaming").to_series()
    return _settled(found, zone, name, findings)


def _of_offsets(
    name: str, seconds: dict[str, int], timezone: str | None, findings: Findings
) -> tuple[pl.Expr, str] | None:
    said = {second: _spelt(second) for second in sorted({*seconds.values()})}
    if len(said) == 1 and timezone is None:
        _say_unused(next(iter(said.values())), name, findings)
        return None
    zone = timezone or "UTC"
    findings.note(
        "mixed-offsets",
        f"the times are in {listed([*said.values()], quoted=True)}, as column {name!r} says",
        "every time was converted by its own offset"
        + ("" if timezone else "; add timezone= for local days and holidays (now UTC)"),
        count=len(said),
    )
    cell = pl.col(name).cast(pl.String)
    return cell.replace_strict(seconds, default=None, return_dtype=pl.Int64), zone


def _spelt(seconds: int) -> str:
    """Seconds ahead of UTC as text: -5:00, +5:30."""
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60}:{minutes % 60:02d}"


def _say_unused(zone: str, name: str, findings: Findings) -> None:
    several = f", which may be that of {places}," if (places := meanings(zone)) else ""
    findings.note(
        "zone-name",
        f"the times in column {name!r} are called {zone}{several} and were taken as written",
        "add timezone= (such as Europe/Oslo) to have them in UTC, with local days and holidays",
    )


def _settled(
    found: pl.Series, zone: pl.Expr, name: str, findings: Findings
) -> tuple[pl.Expr, str] | None:
    """Nothing where some cells have no zone or all the same: they are taken as written."""
    if found.null_count() or found.n_unique() < 2:
        return None
    names = found.unique().sort().to_list()
    meant = zones_named(names)
    if isinstance(meant, str):
        findings.error(
            "which-zone",
            f"{meant!r} in column {name!r} may be the time of {meanings(meant)}, next to "
            f"{listed([one for one in names if one != meant], 4, quoted=True)}",
            "write the offset behind each time (2024-03-31T14:00+01:00)",
        )
        return None
    if meant is None:
        return None
    return _told(meant, names, zone, name, findings)


def _told(
    meant: Zones, names: list[str], zone: pl.Expr, name: str, findings: Findings
) -> tuple[pl.Expr, str]:
    findings.note(
        "mixed-offsets",
        f"the times are in {listed(names, quoted=True)}, as column {name!r} says",
        "every time was converted by its own offset; "
        + (
            "add timezone= for local days and holidays (now UTC)"
            if meant.zone == "UTC"
            else f"days are those of {meant.zone}; pass timezone= for another place"
        ),
        count=len(names),
    )
    return zone.replace_strict(meant.ahead, default=None, return_dtype=pl.Int64), meant.zone


def zone_at(ahead: int) -> str:
    """The zone of times with one offset, where there is one for it; else UTC."""
    return f"Etc/GMT{-ahead // 3600:+d}" if ahead and ahead % 3600 == 0 else "UTC"


def zone_of_offsets(distinct: pl.Series, timezone: str | None, findings: Findings) -> str:
    """The zone of times that carry offsets: the offset if there is one, otherwise UTC."""
    texts = distinct.str.strip_chars().str.extract(_OFFSET).drop_nulls().unique().sort().to_list()
    offsets = sorted({_offset_hours(text) for text in texts})
    if len(offsets) > 1:
        findings.note(
            "mixed-offsets",
            f"the times carry {len(offsets)} different offsets from UTC "
            f"({listed(texts, quoted=True)})",
            "every time was converted by its own offset"
            + ("" if timezone else "; add timezone= for local days and holidays (now UTC)"),
            count=len(offsets),
        )
        return "UTC"
    return zone_at(round(3600 * offsets[0])) if offsets else "UTC"


def _offset_hours(text: str) -> float:
    digits = re.sub(r"[^\d]", "", text)
    size = int(digits[:2] or 0) + int(digits[2:4] or 0) / 60
    return -size if text.startswith("-") else size
