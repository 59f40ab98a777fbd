"""Choose the column of readings of a long table."""

from __future__ import annotations

from collections.abc import Sequence

from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import goes_beside, target_rank
from citytune.readers.columns._measures import flows_of, main_reading, proposed, without_channels
from citytune.readers.columns._unlike import sight
from citytune.readers.columns._wide import filled, fullest, likely, relatives


def of_long_table(
    table: SourceTable,
    names: list[str],
    columns: Columns,
    keys: Sequence[str],
    findings: Findings,
) -> list[str]:
    """One column; refused where nothing tells which, with a look at each."""
    names = without_channels(table, names, findings)
    if len(names) == 1:
        return names
    if main := main_reading(table, names, columns, findings):
        return [main]
    names = filled(table, [n for n in names if not columns.by_name[n].constant] or names)
    if len(names) == 1:
        return names
    known = sorted((n for n in names if target_rank(n) is not None), key=likely)
    flows = flows_of(names)
    kin: list[str] = []
    if known and (not flows or known[0] in flows):
        best = fullest(table, known)
        if len(kin := relatives(best, known)) == 1:
            return [best]
    plain = [n for n in names if not goes_beside(n)]
    if len(plain) == 1 and not kin:
        return plain
    some = kin or plain or names
    one = bool(keys) and all(columns.by_name[key].constant for key in keys)
    every = f", or all with target={some!r} if each is a sensor" if one else ""
    findings.error(
        "which-target",
        f"{len(some)} columns could be the readings: "
        + "; ".join(sight(columns.by_name[n]) for n in some[:8]),
        f"name one with {proposed(some)}{every}",
        count=len(some),
    )
    return []
