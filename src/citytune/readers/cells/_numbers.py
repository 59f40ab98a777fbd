"""Tell numbers, missing values and words apart in cells that are text."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl

MISSING = ("", "-", "--", "---", ".", "?", "na", "n/a", "NA", "N/A", "N.A.", "#N/A", "nan", "NaN",
           "NAN", "null", "NULL", "Null", "none", "None", "nil", "missing", "nodata", "no data",
           "No data", "NoData", "*", "**", "#", "##", "#NV", "#VALUE!", "#REF!", "<NA>", "NaT",
           "\\N", "unavailable", "unknown", "n/d", "n/e", "s/d", "k.A.", "invalid",
           "error")  # fmt: skip
PLAIN = r"^\s*[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:inf(inity)?))\s*$"
COMMA = r"^\s*[+-]?(\d+(,\d*)?|,\d+)([eE][+-]?\d+)?\s*$"
_PLAIN = re.compile(PLAIN)
NUMBER_LIKE = re.compile(
    r"^\s*[#]{0,2}[$€£]?\s*[+-]?(\d[\d ,.'\u2019\u00a0\u2009\u202f]*|\.\d+)([eE][+-]?\d+)?\s*%?\s*$"
)
_WORDS = frozenset(word.lower() for word in MISSING)
_MARKS = r"[ '\u2019\u00a0\u2009\u202f]"
_POINT = re.compile(r"\.\d+([eE][+-]?\d+)?$")
_DECIMAL_COMMA = re.compile(
    r"^[+-]?(\d{1,3}([. '\u2019\u00a0\u2009\u202f]\d{3})+|\d*),\d+([eE][+-]?\d+)?$"
)
_GROUPED_POINT = re.compile(r"^[1-9]\d{0,2}(\.\d{3})+$")
_FEWEST_GROUPED, _NEARLY_ALL = 10, 0.99
_FEWEST_ALIKE = 24
_GROUPED_WHOLE = re.compile(r"^[+-]?[1-9](\d{0,2}(,\d{3})+|\d?(,\d\d)+,\d{3})$")
"""Commas between thousands, or also between lakhs and crores: 1,234,567 and 12,34,567."""
_SAYS_NOTHING = re.compile(r"^<|^\d+[eE]")
"""Of the notation: a limit of detection, and what is written with an exponent alone."""
_PADDED = re.compile(r"^[+-]\d{4,5},\d$")
_GROUPED_COMMA = re.compile(
    r"^[+-]?[1-9](\d{0,2}(,\d{3})+|\d?(,\d\d)+,\d{3})(\.\d+)?([eE][+-]?\d+)?$"
)


class Cells(NamedTuple):
    """Two expressions over one text column."""

    number: pl.Expr  # Float64; null where missing or not a number
    wrong: pl.Expr  # Boolean; neither a number nor a word for a missing one  # fmt: skip


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value.

    >>> is_missing(" n/a "), is_missing("0")
    (True, False)
    """
    return cell.strip().lower() in _WORDS


def missing_words() -> list[str]:
    """Words for a missing value, in lower case."""
    return sorted(_WORDS)


def writes_commas(cells: Iterable[str], *, usual: bool, counts: bool = False) -> bool:
    """Whether a column's commas are decimal: one notation for the whole column.

    Args:
        cells: Distinct cells of the column.
        usual: What to take where its cells fit both, such as "1,234" alone.
        counts: Whether the column is called one of whole things, of which 1.424 are 1,424.

    >>> writes_commas(["0,198", "1,204"], usual=False)
    True
    >>> writes_commas(["1,204", "12,345.5"], usual=True)
    False
    """
    cells = [cell.strip() for cell in cells]
    cells = [c for c in cells if NUMBER_LIKE.match(c) and not _SAYS_NOTHING.search(c)]
    if _are_codes(cells):
        return False
    if _group_by(_GROUPED_POINT, cells, counts=counts and usual):
        return True
    if _group_by(_GROUPED_WHOLE, cells):
        return False
    decimal = grouped = 0
    for cell in cells:
        if "," not in cell:
            decimal -= 2 if _POINT.search(cell) and _PLAIN.match(cell) else 0
            grouped += 2 if len(cell) > 3 and cell.isdigit() else 0  # 1234 next to 1,234
            continue
        one, other = _DECIMAL_COMMA.match(cell), _GROUPED_COMMA.match(cell)
        decimal += bool(one) - bool(other)
    if decimal == 0 and grouped:
        return True
    return decimal > 0 if decimal else usual


def may_be_thousands(cells: Sequence[str]) -> bool:
    """Whether every cell is such as 3.456, so that the point may as well part thousands.

    >>> may_be_thousands([f"{n}.500" for n in range(1, 40)]), may_be_thousands(["0.456", "3.456"])
    (True, False)
    """
    return len(cells) >= _FEWEST_ALIKE and all(map(_GROUPED_POINT.match, cells))


def _are_codes(cells: Sequence[str]) -> bool:
    """Whether cells are numbers of one width, each with the code of its quality: +0119,1."""
    padded = [cell for cell in cells if _PADDED.match(cell)]
    return bool(padded) and len(padded) == len(cells) and any(c[1] == "0" for c in padded)


def _group_by(form: re.Pattern[str], cells: Sequence[str], *, counts: bool = False) -> bool:
    """Whether points or commas part thousands: three digits follow each, whole numbers stand by.

    Of numbers with three decimals hardly any is whole; of others, some have one or two decimals.

    >>> hundreds = [*map(str, range(900, 1000))]
    >>> _group_by(_GROUPED_POINT, [*hundreds, *(f"1.{n:03d}" for n in range(100))])
    True
    >>> _group_by(_GROUPED_POINT, [f"{n / 1000:g}" for n in range(2000)])
    False
    """
    grouped = sum(bool(form.match(cell)) for cell in cells)
    whole = sum(cell.isdigit() and len(cell) < 4 for cell in cells)
    most = grouped + whole >= _NEARLY_ALL * len(cells) and grouped >= _FEWEST_GROUPED
    return most and (counts or whole > 0.02 * len(cells))


def cells(column: str | Sequence[str], decimal_comma: bool) -> Cells:
    """How to read a text column, or several of one notation, as numbers, and where that fails."""
    number = _parse(pl.col(column), decimal_comma)
    return Cells(number, number.is_null() & ~_is_missing(column))


def _is_missing(column: str | Sequence[str]) -> pl.Expr:
    cell = pl.col(column)
    bare = cell.str.strip_chars().str.replace(r"^##?\s*", "").str.to_lowercase()
    return cell.is_null() | bare.is_in(missing_words())


def numbers_of(texts: pl.DataFrame, decimal_comma: bool) -> pl.DataFrame:
    """What the cells of text columns of one notation are as numbers: a row a column.

    Args:
        texts: Columns `name` and `cell`.
        decimal_comma: Whether commas are decimal.

    Returns:
        `name`; `share` of the cells that are numbers, of those that are not missing; of the finite
        ones `low` and `high`, null if there are none, and whether there are some, all `whole`.
    """
    number, finite = pl.col("number"), pl.col("number").filter(pl.col("number").is_finite())
    parsed = cells("cell", decimal_comma).number
    found = texts.select("name", number=parsed, missing=_is_missing("cell"))
    count, wrong = number.count(), (number.is_null() & ~pl.col("missing")).sum()
    return found.group_by("name", maintain_order=True).agg(
        share=(count / (count + wrong)).fill_nan(0.0),
        low=finite.min(),
        high=finite.max(),
        whole=(finite == finite.floor()).all() & (finite.count() > 0),
    )


def with_clean_numbers(texts: pl.DataFrame, able: Sequence[str]) -> pl.DataFrame:
    """The rows, some columns as numbers where every cell is one: a bad cell spoils no others."""
    if not able:
        return texts
    column = pl.col(able)
    empty = column.is_in(list(MISSING))
    made = texts.select(pl.when(~empty).then(column).cast(pl.Float64, strict=False))
    lost = texts.select(empty.fill_null(value=True).sum()).row(0)
    null = made.null_count().row(0)
    clean = [n for n, count, others in zip(able, null, lost, strict=True) if count == others]
    return texts.with_columns(made.select(clean))


def with_numbers(
    texts: pl.DataFrame, able: Sequence[str], *, decimal_comma: bool = False
) -> pl.DataFrame:
    """The rows, some columns as numbers where every cell is one in the notation that is told."""
    if not decimal_comma:
        texts = with_clean_numbers(texts, able)
    schema = texts.schema
    rest = [name for name in able if schema[name] == pl.String]
    if not rest:
        return texts
    both = cells(rest, decimal_comma)
    wrong = texts.select(both.wrong.any()).row(0, named=True)
    made = texts.select(both.number).select(n for n in rest if not wrong[n])
    return texts.with_columns(made)


@functools.cache
def _written(decimal_comma: bool) -> tuple[str, str]:
    """Numbers of one notation with marks between thousands, and those without."""
    group, point = (r"\.", ",") if decimal_comma else (",", r"\.")
    thousands = rf"[0-9]{{1,3}}(?:(?:{group}|{_MARKS})[0-9]{{3}})+"
    lakhs = rf"[1-9][0-9]?(?:{group}[0-9][0-9])+{group}[0-9]{{3}}"
    any_point = "[.,]" if decimal_comma else r"\."
    plain = rf"(?:[0-9]+{any_point}?[0-9]*|{any_point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    whole = r"^\s*(?:##?\s*)?(?:[$€£]\s*)?([+-]?(?:{}))(?:\s*[%€£$])?\s*$".format
    grouped = rf"(?:{thousands}|{lakhs})(?:{point}[0-9]+)?"
    return whole(grouped), whole(rf"{plain}|(?i:inf(?:inity)?)")


def _parse(cell: pl.Expr, decimal_comma: bool) -> pl.Expr:
    """Numbers of one notation; a comma or point that does not fit it makes the cell no number."""
    grouped, plain = _written(decimal_comma)
    group = r"\." if decimal_comma else ","
    one = cell.str.extract(grouped, 1).str.replace_all(rf"{group}|{_MARKS}", "")
    other = cell.str.extract(plain, 1)
    if decimal_comma:
        one, other = (text.str.replace(",", ".", literal=True) for text in (one, other))
    return one.fill_null(other).cast(pl.Float64, strict=False)
