"""Tables one below the other in one text: those with one header are read together, others refused.

Where a title stands above each repeated header, it says what the rows below it are of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._month_names import month_of
from citytune.readers.cells._numbers import NUMBER_LIKE, is_missing
from citytune.readers.containers._label_rows import TIME_LIKE
from citytune.readers.containers._layout import Layout

TITLE = "title"
"""Column of the titles above the parts of a table."""
SHARE_OF_ONE_KIND, FEWEST_ROWS_BELOW_HEADER = 0.8, 3
"""Share of cells of one kind that make a column's, and rows below a header that make a table."""
SHARE_OF_WORDS_IN_HEADER = 0.6
"""Share of the columns of numbers that hold words in a header."""


def titles_of(
    rows: pl.DataFrame, again: pl.Series, above: Sequence[str], name: str
) -> pl.Series | None:
    """The title of the part of a table that each row belongs to; None if the parts have none.

    Args:
        rows: All of them text, with the repeated headers.
        again: Which rows repeat the header.
        above: The titles above the first header.
        name: Of the column of titles.
    """
    headers = again.arg_true().to_list()
    if not headers or not above or name in rows.columns:
        return None
    single = rows.select(pl.sum_horizontal(pl.all().is_not_null()) == 1).to_series()
    first = rows.to_series(0)
    if headers[0] == 0 or not all(i and single[i - 1] and first[i - 1] for i in headers):
        return None
    titles = [above[-1], *(first[i - 1].strip() for i in headers)]
    if len({*titles}) < len(titles):
        return None
    part = again.cast(pl.Int32).cum_sum()
    return pl.Series(name, titles).gather(part)


def with_months(rows: pl.DataFrame, titles: pl.Series) -> pl.DataFrame:
    """The rows with their titles, or with a year and a month where each title is a month."""
    written = {title: _month(title) for title in titles.unique()}
    known = {title: month for title, month in written.items() if month}
    if len(known) < len(written) or {"year", "month"} & {*map(str.lower, rows.columns)}:
        return rows.with_columns(titles)
    parts = [titles.replace_strict({title: str(one[i]) for title, one in known.items()})
             for i in (0, 1)]  # fmt: skip
    return rows.with_columns(parts[0].alias("year"), parts[1].alias("month"))


def _month(title: str) -> tuple[int, int] | None:
    """The year and the month that a title is.

    >>> _month("January 2024"), _month("03/2024"), _month("2024-03"), _month("Main Street 2024")
    ((2024, 1), (2024, 3), (2024, 3), None)
    """
    words = re.split(r"[\s/.,;:_-]+", title.strip().strip(".,;:"))
    year = next((int(word) for word in words if re.fullmatch(r"(19|20)\d\d", word)), None)
    rest = [word for word in words if word != str(year)]
    if year is None or len(rest) != 1:
        return None
    month = int(rest[0]) if re.fullmatch(r"\d{1,2}", rest[0]) else month_of(rest[0]) or 0
    return (year, month) if 1 <= month <= 12 else None


def refuse_other_table(rows: pl.DataFrame, layout: Layout, findings: Findings) -> None:
    """Refuse a text in which another header and other rows stand below those of the first table."""
    names = list(rows.columns)
    if len(names) != len(layout.names):
        return
    body = layout.body[:60]
    kinds = [_kind([row[i] for row in body]) for i in range(len(names))]
    text = [kind == pl.String for kind in rows.dtypes]
    times = [n for n, kind in zip(names, kinds, strict=True) if kind == "time"]
    numbers = [n for n, kind, able in zip(names, kinds, text, strict=True)
               if kind == "number" and able]  # fmt: skip
    if not numbers or not times or any(rows.schema[n] != pl.String for n in times):
        return
    if len(numbers) < SHARE_OF_WORDS_IN_HEADER * kinds.count("number"):
        return
    word = pl.col(numbers).str.contains(r"^\W*[^\W\d]{2}") & ~pl.col(numbers).str.contains(r"\d{3}")
    wordy = pl.sum_horizontal(word) >= max(1, SHARE_OF_WORDS_IN_HEADER * kinds.count("number"))
    label = pl.all_horizontal(pl.col(n).str.contains(r"^\W*[^\W\d]{2}[^\d]*$") for n in times)
    found = rows.select((wordy & label).fill_null(value=False)).to_series().arg_true()
    units = {cell.strip() for cell in layout.units if cell.strip()}
    for place in found.head(20):
        cells = [cell for cell in map(str, rows.select(numbers).row(place)) if cell]
        below = len(rows) - place - 1
        if below < FEWEST_ROWS_BELOW_HEADER or units & {*cells} or all(map(is_missing, cells)):
            continue
        header = [rows[n][place] for n in (*times, *numbers)]
        findings.fail(
            "several-tables",
            f"below the first table stands another one, whose columns are called "
            f"{listed(header, 4, quoted=True)}",
            "write each table into a file of its own",
        )


def _kind(cells: Sequence[str]) -> str:
    present = [cell for cell in cells if not is_missing(cell)]
    for kind, form in (("time", TIME_LIKE), ("number", NUMBER_LIKE)):
        if present and sum(bool(form.match(cell)) for cell in present) > SHARE_OF_ONE_KIND * len(
            present
        ):
            return kind
    return ""
