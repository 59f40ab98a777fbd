"""A column that flags summer time, or the hour that comes again: which of two rows is the later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import plain_name, tokens
from citytune.readers.times._times import Moments


def _words(text: str) -> list[str]:
    return text.split()


_NAMES = frozenset(_words("""
dst isdst dstflag summertime daylight sommerzeit zomertijd sommertid sommertime verano ete sz mesz
cest repeated repeatedhour repeatedhourflag
"""))  # fmt: skip
_PHRASES = frozenset(
    ["summer_time", "heure_d_ete", "horario_de_verano", "ora_legale", "s_w", "sz_wz", "second_hour",
     "doubled_hour", "double_hour", "repeated_hour", "extra_hour", "dst_flag"]
)  # fmt: skip
_SET = frozenset(_words("y yes 1 1.0 true t x j ja o oui s si sí sim da d a"))
_UNSET = frozenset(["", "-", *_words("n no 0 0.0 false f nein non nao não b")])
_SEASONS = {"s": "w", "sz": "wz", "sommer": "winter", "summer": "winter", "été": "hiver",
            "ete": "hiver", "verano": "invierno", "dst": "std", "sommerzeit": "winterzeit",
            "zomer": "winter", "d": "s", "mesz": "mez", "summer time": "standard time",
            "heure d'été": "heure d'hiver", "daylight": "standard",
            "estate": "inverno"}  # fmt: skip
"""Words of summer → those of winter."""
MOST_DOUBLED = 0.05
"""Share of moments that may have both flags; more says something else."""


def in_order_of_flags(
    table: SourceTable, moments: Moments, columns: Columns, findings: Findings
) -> SourceTable:
    """The table in the order of time, of the rows of a doubled hour those of summer time first.

    Where a flag is only ever set in rows whose time comes twice, it marks the second of them.
    """
    if moments.aware:
        return table
    for column in columns.by_name.values():
        if (later := _later(column)) is None:
            continue
        rows = table.rows.select(at=moments.seconds, later=later).drop_nulls()
        found = rows.collect(engine="streaming")
        both = found.group_by("at").agg(pl.col("later").n_unique()).filter(pl.col("later") > 1)
        if not len(both) or len(both) > max(2, MOST_DOUBLED * found["at"].n_unique()):
            continue
        alone = found.filter(~pl.col("at").is_in(both["at"].implode()))
        again = not (~alone["later"]).any()  # a flag that is set in doubled hours alone
        findings.note(
            "doubled-hour",
            f"column {column.name!r} tells which rows of an hour that comes twice are the later",
            "pass timezone= (such as Europe/Oslo) so that both are kept",
            count=len(both),
        )
        order = (~later if again else later).fill_null(value=False)
        return _sorted(table, [moments.seconds, order])
    return table


def _sorted(table: SourceTable, by: Sequence[pl.Expr]) -> SourceTable:
    """The rows in another order, also as they were written."""
    exact = table.exact
    found = table.with_rows(table.rows.sort(by, maintain_order=True))
    if exact is None:
        return found
    keys = table.rows.select(one.alias(str(i)) for i, one in enumerate(by)).with_row_index("row")
    rows = keys.sort("0", "1", maintain_order=True).collect()["row"]
    return replace(found, exact=lambda names: exact(names)[rows])


def _later(column: Column) -> pl.Expr | None:
    """Whether each row is of winter time, where a column flags summer; None if it does not."""
    if column.kind == "bool":
        return ~pl.col(column.name) if _is_named(column.name) else None
    if column.kind not in ("text", "number") or not 1 <= len(column.cells) <= 2:
        return None
    cells = {str(cell).strip().lower() for cell in column.cells}
    text = pl.col(column.name).cast(pl.String).str.strip_chars().str.to_lowercase()
    for summer, winter in _SEASONS.items():
        if cells == {summer, winter} and (len(summer) > 1 or _is_named(column.name, ("zeit",))):
            return text == winter
    if not _is_named(column.name) or not cells <= _SET | _UNSET or not cells & _SET:
        return None
    return ~text.is_in(sorted(_SET)).fill_null(value=False)


def _is_named(name: str, further: tuple[str, ...] = ()) -> bool:
    words = {*tokens(name)}
    return plain_name(name) in _PHRASES or bool(words & {*_NAMES, *further}) or any(
        {*phrase.split("_")} <= words for phrase in _PHRASES
    )  # fmt: skip
