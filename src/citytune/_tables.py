"""Hand a table over as pandas, or laid out as HTML for a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from citytune._errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

CELL = "padding:2px 10px;text-align:"
"""A notebook's own style sheet is not ours to rely on."""


def pandas_of(table: pl.DataFrame) -> pd.DataFrame:
    """The same table of pandas; times keep their zone.

    Raises:
        InputError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise InputError(
            "a table of pandas needs pandas, which is not installed; run `pip install pandas`, or "
            "call to_polars(), which needs nothing more"
        ) from None
    found = pd.DataFrame({column.name: _plain(column) for column in table})
    for name, kind in table.schema.items():
        if zone := getattr(kind, "time_zone", None):
            found[name] = found[name].dt.tz_localize("UTC").dt.tz_convert(zone)
    return found


def native_of(table: pl.DataFrame, library: str) -> Any:
    """The same table of "pandas" or "pyarrow"; as it is for any other library.

    Raises:
        InputError: pandas is not installed.
    """
    if library == "pandas":
        return pandas_of(table)
    return table.to_arrow() if library == "pyarrow" else table


def in_zone(table: pl.DataFrame, column: str, timezone: str | None) -> pl.DataFrame:
    """The table with a column of naive moments in UTC as local time; as it is without a zone."""
    import polars as pl

    if timezone is None:
        return table
    moments = pl.col(column).dt.replace_time_zone("UTC")
    return table.with_columns(moments.dt.convert_time_zone(timezone))


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of text as an HTML table, the first column to the left and escaped like all others."""
    lines = [_row("th", head), *(_row("td", row) for row in rows)]
    return f'<table style="border-collapse:collapse">{"".join(lines)}</table>'


def html_block(title: str, *parts: str) -> str:
    """A title, which is escaped, above parts that are HTML already."""
    return f"<div><p><b>{html.escape(title)}</b></p>{''.join(filter(None, parts))}</div>"


def html_lines(lines: Iterable[str]) -> str:
    """Lines of text, escaped, a paragraph each."""
    return "".join(f"<p>{html.escape(line)}</p>" for line in lines)


def _row(tag: str, cells: Sequence[str]) -> str:
    sides = ["left", *["right"] * (len(cells) - 1)]
    shown = zip(cells, sides, strict=True)
    inner = (f'<{tag} style="{CELL}{side}">{html.escape(text)}</{tag}>' for text, side in shown)
    return f"<tr>{''.join(inner)}</tr>"


def _plain(column: pl.Series) -> Any:
    return column.to_list() if column.dtype.is_(str) else column.to_numpy()
