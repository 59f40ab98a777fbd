"""A `target` that is no column but what several columns measure: NO2, of NO2 A and NO2 B."""

from __future__ import annotations

from dataclasses import replace

from citytune._text import listed
from citytune.readers.cells._columns import look
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import tokens
from citytune.readers.columns._kinds import kinds_of
from citytune.readers.columns._measures import ALL
from citytune.readers.columns._request import Request


def with_columns_of(table: SourceTable, wanted: Request, findings: Findings) -> Request:
    """The request with every column of the quantity that `target` says, if it is no column.

    Columns are taken whose names begin, or end, with it and go on with the name of a place; of one
    that goes on further (NO2 A flag) nobody asked.
    """
    told = [wanted.target] if isinstance(wanted.target, str) else list(wanted.target or ())
    if len(told) != 1 or told[0] in table.schema or not (words := tokens(told[0])):
        return wanted
    names = look(table).numbers()
    rests = {}
    for name in names:
        said, size = tokens(name), len(words)
        if len(said) > size and words in (said[:size], said[-size:]):
            rests[name] = {*(said[size:] if said[:size] == words else said[:-size])}
    found = [n for n, rest in rests.items()
             if not rest & ALL and not any(one < rest for one in rests.values())]  # fmt: skip
    groups = [{*some} for some in kinds_of(names).values() if {*some} & {*found}]
    if len(groups) > 1:  # what was said is the name of a place
        return wanted
    found = [name for name in found if not groups or name in groups[0]]
    if len(found) < 2:
        return wanted
    findings.note(
        "guessed-target",
        f"{listed(found, quoted=True)} are the columns of {told[0]!r}",
        "pass their names as target= if others are meant",
        count=len(found),
    )
    return replace(wanted, target=found)
