"""Find the one format in which a column writes its times, by trying it on every distinct cell."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import polars as pl

from citytune.readers.cells._time_words import TIME
from citytune.readers.cells._usual_dates import is_unusual, usual
from citytune.readers.cells._vocabulary import tokens
from citytune.readers.cells._zone_names import BEHIND

_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y",
          "%m-%d-%Y", "%d.%m.%Y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%d.%m.%y",
          "%d %b %Y", "%d %b %y", "%d-%b-%Y", "%d-%b-%y", "%d/%b/%Y", "%d %B %Y", "%b %d, %Y",
          "%B %d, %Y", "%b %d %Y", "%G-W%V-%u", "%y-%m-%d", "%y/%m/%d", "%y.%m.%d")  # fmt: skip
_CLOCKS = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S%.f", "%I:%M %p", "%I:%M:%S %p", "%I:%M:%S%.f %p",
           "%I:%M%p", "%H.%M", "%H.%M.%S", "%H%M", "%H%M%S")  # fmt: skip
_GLUES = (" ", "T", "", ":", ", ", " - ", "-", " @ ")
_SHAPE = re.compile(
    r"\d{1,4}[-/. ]\w{1,9}[-/. ,]+\d{1,4}|\d{8}|[A-Za-z]{3,9} \d{1,2},? \d{4}|"
    r"\d{1,2}[A-Za-z]{3}\d{4}|[\d元] ?[年년]|\d\.?[ /-](de )?[^\W\d]{3,13}\.?[ /-](de )?\d|"
    r"^(19|20)\d\d[-:]?[0-3]\d\d([ T:]\d|$)|^\d{4}-?W\d\d|"
    r"\d{4}(?: ?m)?\. ?(gada \d{1,2}\. ?)?[^\W\d_]{3,13}"
)
_OF_YEAR = r"^(19|20)\d\d-\d{3}$"
"""A day of a year, which as well may number something."""
_SANE_SECONDS = (-2_208_988_800, 7_289_654_399)
"""Seconds since 1970, from the begin of 1900 to the end of 2200."""


_SIGNS = {"%Y": r"\d{4}", "%y": r"\d{2}(?!\d)", "%b": "[A-Za-z]{3}", "%B": "[A-Za-z]{3,}",
          "%p": "[AaPp][Mm]", "%G": r"\d{4}", "%V": r"\d{2}", "%u": r"\d",
           "%.f": r"(?:\.\d+)?"}  # fmt: skip
_AGAIN = r"(0?[0-4](?::\d{2})*)[*x]"
"""A time of the hour that comes twice in autumn, with the mark of the second one: 02*, 02X."""
_OFFSET = re.compile(r"(?<=\d) ?[+-]\d{2}(:?\d{2})?$")


def _shape(pattern: str) -> re.Pattern[str]:
    """A regular expression of what a strftime pattern writes, each number of usual width."""
    compact = bool(re.search(r"%[a-zA-Z]%[mdHMS]", pattern))
    number = r"\d{2}" if compact else r"\d{1,2}"
    parts = re.split(r"(%\.?[a-zA-Z])", pattern)
    return re.compile(
        "".join(_SIGNS.get(p, number if p[:1] == "%" else re.escape(p)) for p in parts)
    )


_DATE_SHAPES = {date: _shape(date) for date in _DATES}
_CLOCK_SHAPES = {clock: _shape(clock) for clock in _CLOCKS if clock}


class Format(NamedTuple):
    """How a column of text writes its moments."""

    pattern: str
    """In the signs of strftime, for the normalised text."""
    aware: bool
    """Whether each time carries its offset from UTC."""
    rival: str | None = None
    """Another pattern that fits every cell: the cells do not tell day from month."""
    clear: bool = True
    """Whether the rows' order tells which of the two is meant."""
    odd: bool = False
    """Whether the text must be made usual first."""


def normalised(cells: pl.Series, *, odd: bool) -> pl.Series:
    """Text with its spaces, its bare hours and its Z made uniform, for parsing."""
    text = pl.col("cell").cast(pl.String).str.strip_chars().str.replace_all(r"\s+", " ")
    text = text.map_elements(usual, return_dtype=pl.String) if odd else text
    text = text.str.replace(r"(?i)([ T-])(\d{1,2}) ?([ap])\.?m\.?$", "${1}${2}:00 ${3}m")
    text = text.str.replace(BEHIND, "").str.replace(r"^##?\s*", "")
    text = text.str.replace(r"(?i)(\d)Z$", "${1}+00:00").str.replace(" UTC$| GMT$", "+00:00")
    text = text.str.replace(r"^(\d{8}T\d{2})(\+|$)", "${1}:00${2}")
    text = text.str.replace(rf"(?i)^(.*\d[-/.]\d{{1,4}}[ T]){_AGAIN}$", "${1}${2}")
    text = text.str.replace(r"(?i)^(.*\d[-/.]\d{1,4}[ T])(\d{1,2})$", "${1}${2}:00")
    return cells.rename("cell").to_frame().select(text).to_series()


def parsed(cells: pl.Series, form: Format) -> pl.Series:
    """Seconds since 1970 (UTC, or wall time if not aware); null where a cell does not fit."""
    return _seconds(normalised(cells, odd=form.odd), form)


def with_bare_midnights(distinct: pl.Series, form: Format) -> pl.Series:
    """As `parsed`, where the times of midnight may be left away, as R writes them.

    That is so if no cell says midnight, all that do not fit are dates, and with them the times
    follow one another as regularly.
    """
    text = normalised(distinct, odd=form.odd)
    found = _seconds(text, form)
    others = text.filter(found.is_null()).drop_nulls()
    if not len(others) or form.aware or bool((found % 86_400 == 0).any()):
        return found
    date = Format(re.split(r"[ T,:@-]*%[HI]", form.pattern)[0], aware=False, odd=form.odd)
    midnights = _seconds(others, date)
    times, every = found.drop_nulls().sort(), pl.concat([found, midnights]).unique().sort()
    if midnights.null_count() or _regularity(every) < _regularity(times):
        return found
    return found.zip_with(found.is_not_null(), _seconds(text, date))


def find_format(cells: pl.Series) -> Format | None:
    """The format that fits the most of some distinct cells; None if none fits any.

    Where day and month could be swapped in every cell, the reading under which the cells follow
    one another more regularly is taken.
    """
    return _format_and_text(cells)[0]


def _format_and_text(cells: pl.Series) -> tuple[Format | None, pl.Series]:
    """As `find_format`, and the normalised text of the cells, which is made once."""
    cells = cells.drop_nulls()
    odd = any(is_unusual(cell) for cell in cells.head(5).cast(pl.String))
    text = normalised(cells, odd=odd)
    form = _fitting(text)
    return None if form is None else form._replace(odd=odd), text


def _fitting(text: pl.Series) -> Format | None:
    fits = {}
    for form in _candidates(text):
        missed = int(_seconds(text, form).null_count())
        if missed < len(text):
            fits[form] = missed
    if not fits:
        return None
    fewest = min(fits.values())
    best = [form for form, missed in fits.items() if missed == fewest]
    rivals = [form for form in best[1:] if _is_swapped(best[0].pattern, form.pattern)]
    form = _more_regular(text, best[0], rivals[0]) if rivals else best[0]
    year_first = next((one for one in best if one.pattern.startswith("%y")), form)
    if year_first is form:
        return form
    return max((form, year_first), key=lambda one: _order(text, one))


def looks_like_moments(cells: pl.Series) -> bool:
    """Whether most of some cells are moments in a format we know, or seconds since 1970."""
    if cells.dtype.is_numeric():
        from citytune.readers.cells._epochs import epoch_unit

        return epoch_unit(cells) is not None
    few = cells.drop_nulls().head(100)
    if not len(few) or sum(bool(_SHAPE.search(cell)) for cell in few) < len(few) / 2:
        return False
    if bool(few.str.contains(_OF_YEAR).any()) and not {*tokens(cells.name)} & {*TIME}:
        return False
    form, text = _format_and_text(few)
    return form is not None and _seconds(text, form).null_count() <= len(few) / 2


def looks_like_dates(cells: pl.Series) -> bool:
    """Whether text cells are dates without a time of the day."""
    form, text = _format_and_text(cells.drop_nulls().head(500))
    return form is not None and bool((_seconds(text, form).drop_nulls() % 86_400 == 0).all())


def _candidates(text: pl.Series) -> list[Format]:
    """Formats whose shape fits at least one of the first few cells."""
    forms: dict[Format, None] = {}
    for cell in text.head(5):
        for date, shape in _DATE_SHAPES.items():
            if found := shape.match(cell):
                forms |= dict.fromkeys(_with_clock(date, cell[found.end() :]))
    return [*forms]


def _with_clock(date: str, rest: str) -> list[Format]:
    """The formats of a date followed by `rest`, a time of the day and perhaps an offset."""
    if not rest:
        return [Format(date, aware=False)]
    offset = _OFFSET.search(rest)
    clock = rest[: offset.start()] if offset else rest
    ending = "" if offset is None else " %#z" if offset[0].startswith(" ") else "%#z"
    return [
        Format(date + glue + pattern + ending, aware=offset is not None)
        for glue in _GLUES
        if clock.startswith(glue)
        for pattern, shape in _CLOCK_SHAPES.items()
        if shape.fullmatch(clock[len(glue) :])
    ]


def _seconds(text: pl.Series, form: Format) -> pl.Series:
    """As `parsed`, of normalised text."""
    cell = pl.col(text.name)
    moment = cell.str.replace(r"([ T])24([:.]00)", "${1}00${2}").str.to_datetime(
        form.pattern, strict=False, exact=True, time_unit="us"
    )
    both = text.to_frame().select(
        cell=moment.dt.epoch("s"), end_of_day=cell.str.contains(r"[ T]24[:.]00")
    )
    begin, late = pl.col("cell"), 86_400 * pl.col("end_of_day").cast(pl.Int64)
    return both.select(pl.when(begin.is_between(*_SANE_SECONDS)).then(begin + late)).to_series()


def _is_swapped(one: str, other: str) -> bool:
    mark = {"%d": "%m", "%m": "%d"}
    return re.sub("%[dm]", lambda found: mark[found[0]], one) == other


def _more_regular(text: pl.Series, one: Format, other: Format) -> Format:
    first, second = (_regularity(_seconds(text, form)) for form in (one, other))
    if first == second and len(text) > 1:
        first, second = (_closeness(_seconds(text, form)) for form in (one, other))
    chosen, rival = (one, other) if first >= second else (other, one)
    return chosen._replace(rival=rival.pattern, clear=first != second)


def _order(text: pl.Series, form: Format) -> tuple[float, float]:
    """How regularly, and how near, moments follow one another."""
    seconds = _seconds(text, form)
    return _regularity(seconds), _closeness(seconds)


def _closeness(seconds: pl.Series) -> float:
    """How near moments follow one another: 1/8 and 1/9 are days rather than months."""
    return -float(np.abs(np.diff(seconds.drop_nulls().to_numpy())).sum())


def _regularity(seconds: pl.Series) -> float:
    """Share of the commonest step between distinct moments, as they follow in the file."""
    steps = np.diff(seconds.drop_nulls().to_numpy())
    if not len(steps):
        return 0.0
    _, counts = np.unique(steps, return_counts=True)
    return float(counts.max() / len(steps))
