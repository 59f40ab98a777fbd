"""Which of day and month comes first in dates such as 03/04/2026, where their cells do not tell."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

import polars as pl

from citytune._errors import InputError
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._formats import Format, find_format, parsed
from citytune.readers.cells._month_names import month_of, weekday_of
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import DATE_PARTS
from citytune.readers.cells._vocabulary import plain_name, tokens

Order: TypeAlias = Literal["day", "month"]
"""Whether the day or the month comes first in dates such as 03/04/2026."""


def _words(text: str) -> list[str]:
    return text.split()


OTHER_ORDER: dict[Order, Order] = {"day": "month", "month": "day"}
NEAR_ANOTHER_DATE = dt.timedelta(days=3)
"""Within which another date of a row, such as that of its update, lies."""
_LANGUAGES = frozenset(
    _words("""
datum zeit zeitstempel zeitpunkt uhrzeit stunde messzeit verkehr verbrauch wert leistung strom
fecha hora valor consumo intensidad estacion data ora valore consumi portata heure horodate valeur
debit consommation tijd verbruik waarde uur tid tidspunkt dato forbruk forbrug verdi godzina czas
wartosc hodina cas aika kello saat tarih deger consum putere hodnota
""")
)
"""Words of names in languages of countries that write the day first."""
_THEIR_LETTERS = re.compile("[À-ÖØ-öø-ɏΑ-Ϋα-λν-ώЀ-ӿ\u0e00-\u0e7f]")
_THEIR_ZONES = re.compile(r"\b(CES?T|MES?Z|WES?T|EES?T|BST|MSK|SAST|AE[SD]T|NZ[SD]T)\b")
_US_ZONES = re.compile(r"\b([ECMP][SD]T|EPT|AK[SD]T)\b")
_US = frozenset(
    _words("""
America/New_York America/Detroit America/Chicago America/Denver America/Phoenix
America/Los_Angeles America/Anchorage Pacific/Honolulu
""")
)
_DATE = re.compile(
    r"(?<!\d)(?:19|20)\d\d([-_./]?)(0[1-9]|1[0-2])(?!\d)|"
    r"(?<!\d)(?:19|20)\d\d([-_./]?)(0[1-9]|1[0-2])\3(?:[0-2]\d|3[01])(?!\d)"
)


def settle_order(
    table: SourceTable,
    name: str,
    cells: pl.Series,
    form: Format,
    told: Order | None,
    timezone: str | None,
    findings: Findings,
) -> Format:
    """The format of a column's dates with the one order of day and month that is meant.

    Args:
        table: Holds the column, and what else may tell.
        name: Of the column.
        cells: Its distinct cells.
        form: As the cells tell it.
        told: What the person says.
        timezone: Zone that the person says.
        findings: Told what decided; an error if nothing did.

    Raises:
        InputError: The dates cannot be read as the person says.
    """
    if form.rival is None:
        _refuse_contradiction(name, cells, form, told)
        return form
    both = {
        _order(pattern): form._replace(pattern=pattern) for pattern in (form.pattern, form.rival)
    }
    if told is not None:
        return both[told]
    days = {order: _days(cells, one) for order, one in both.items()}
    if days["day"] == days["month"]:
        return form
    chosen, why = _order(form.pattern), "so that the rows follow one another regularly"
    if not form.clear:
        said = dict(_evidence(table, name, cells, form, days, timezone))
        if len(said) != 1:
            _refuse(name, cells, days, findings)
            return form
        ((chosen, why),) = said.items()
    findings.note(
        "guessed-date-order",
        f"every date in column {name!r} could be read day first or month first; {chosen} first was "
        f"assumed, {why}",
        f"pass date_order={OTHER_ORDER[chosen]!r} if this is wrong",
    )
    return both[chosen]


def _refuse_contradiction(name: str, cells: pl.Series, form: Format, told: Order | None) -> None:
    starts = form.pattern[:2]
    if told is not None and starts in ("%d", "%m") and _order(form.pattern) != told:
        if re.match(r"%d.%[bB]", form.pattern):
            return
        raise InputError(
            f"column {name!r} holds dates such as {cells.drop_nulls()[0]!r}, which cannot all be "
            f"read {told} first; leave date_order= out"
        )


def _refuse(
    name: str, cells: pl.Series, days: dict[Order, list[dt.date]], findings: Findings
) -> None:
    one = cells.drop_nulls()[0]
    findings.error(
        "which-date-order",
        f"the dates in column {name!r}, such as {one!r}, could be {days['day'][0]:%-d %B %Y} or "
        f"{days['month'][0]:%-d %B %Y}, and nothing tells which",
        "pass date_order='day' for the first or date_order='month' for the second, or write the "
        "year first (2024-03-31)",
    )


def _order(pattern: str) -> Order:
    return "day" if pattern.index("%d") < pattern.index("%m") else "month"


def _days(cells: pl.Series, form: Format) -> list[dt.date]:
    found = parsed(cells, form).drop_nulls()
    return pl.from_epoch(found, "s").dt.date().unique(maintain_order=True).to_list()


def _evidence(
    table: SourceTable,
    name: str,
    cells: pl.Series,
    form: Format,
    days: dict[Order, list[dt.date]],
    timezone: str | None,
) -> Iterator[tuple[Order, str]]:
    """Each order that something else than the dates speaks for, and what that is."""
    some = " ".join(cells.drop_nulls().head(5))
    if "%p" in form.pattern and "/" in form.pattern:
        yield "month", "as its times are written with AM and PM"
    if _US_ZONES.search(some) or timezone in _US:
        yield "month", "as in the United States"
    elif _THEIR_ZONES.search(some) or str(timezone).startswith(("Europe/", "Australia/")):
        yield "day", "as in its time zone"
    if table.commas:
        yield "day", "as numbers have a decimal comma"
    foreign = [
        one for one in table.schema if {*tokens(one)} & _LANGUAGES or _THEIR_LETTERS.search(one)
    ]
    if foreign:
        yield "day", f"as in the language of {foreign[0]!r}"
    lines = [line for line in (*table.titles, table.stem) if line]
    for order, own in days.items():
        if told := next(
            (line for line in lines if _names_month(line, own, days[OTHER_ORDER[order]])), None
        ):
            yield order, f"as {told[:60]!r} says"
        if other := _beside(table, name, form, order, days):
            yield order, f"as column {other!r} says"


def _names_month(line: str, days: list[dt.date], others: list[dt.date]) -> bool:
    """Whether a text names the month of some days, and not that of others."""
    words = re.findall(r"[^\W\d_]{3,}", line)
    named = {month for word in words if (month := month_of(word)) and len(word) > 2}
    named |= {int(found[2] or found[4]) for found in _DATE.finditer(line)}
    own, other = ({day.month for day in some} for some in (days, others))
    return bool(named & own) and not named & other


def _beside(
    table: SourceTable, name: str, form: Format, order: Order, days: dict[Order, list[dt.date]]
) -> str | None:
    """A column whose first cells are dates near those of one order, its month or its weekday."""
    first = table.rows.head(1).collect().row(0, named=True)
    if not isinstance(first.get(name), str):
        return None
    mine, theirs = days[order][0], days[OTHER_ORDER[order]][0]
    for one, cell in first.items():
        if one == name or cell is None:
            continue
        if plain_name(one) in DATE_PARTS[1] and str(cell).strip().isdigit():
            if int(cell) == mine.month != theirs.month:
                return one
        elif (weekday := weekday_of(str(cell))) is not None:
            if weekday == mine.weekday() != theirs.weekday():
                return one
        elif (day := _clear_day(cell)) and abs(day - mine) <= NEAR_ANOTHER_DATE < abs(day - theirs):
            return one
    return None


def _clear_day(cell: object) -> dt.date | None:
    """The day of a cell that can be read in one way only."""
    if isinstance(cell, dt.datetime | dt.date):
        return cell.date() if isinstance(cell, dt.datetime) else cell
    if not isinstance(cell, str) or not re.search(r"\d", cell):
        return None
    found = find_format(pl.Series("cell", [cell]))
    if found is None or found.rival is not None:
        return None
    return next(iter(_days(pl.Series("cell", [cell]), found)), None)
