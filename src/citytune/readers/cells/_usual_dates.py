"""Dates as people write them for people, made usual: weekdays, months by name, other eras."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

from citytune.readers.cells._month_names import month_of, without_accents


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = _words("""
mo mon monday montag di tue tues tuesday dienstag mi wed wednesday mittwoch do thu thur thurs
thursday donnerstag fr fri friday freitag sa sat saturday samstag sonnabend so sun sunday sonntag
lun lundi lunes lunedi mar mardi martes martedi mer mercredi mercoledi mie miercoles jeu jeudi jue
jueves gio giovedi ven vendredi venerdi vie viernes sam samedi sab sabado sabato dim dimanche dom
domingo domenica ma maandag mandag dinsdag tirsdag tir wo woensdag onsdag ons donderdag torsdag tor
vr vrijdag fredag fre za zaterdag lordag lor zo zondag sondag son
maanantai ti tiistai ke keskiviikko to torstai pe perjantai la lauantai su sunnuntai
""")
_WORD_FIRST = re.compile(r"^([^\W\d]{2,12})[.,]*\s+(?=[^\W_])")
_MONTH_FIRST = re.compile(r"^([^\W\d]{3,10})[.,]*\s+\d{1,2},?\s+\d{4}(?!\d)")
_NAME = r"([^\W\d_]{3,13})"
_SPELT = re.compile(
    rf"^(\d{{1,2}})\.?[ /-](?:de )?{_NAME}\.?[ /-](?:de )?(\d{{2,4}})(?!\d)"
    r"(?:\.(?= |$)| ?(?:г|р|года|року|roku)\.?(?=[ ,]|$))?,?"
)
_YEAR_FIRST = re.compile(rf"^(\d{{4}})(?: ?m)?\. ?{_NAME} (\d{{1,2}})\.?(?: d\.)?(?=[ ,]|$),?")
_OF_YEAR = re.compile(rf"^(\d{{4}})\. gada (\d{{1,2}})\. {_NAME}(?=[ ,]|$),?")
_LENGTH = re.compile(r"/P[\dTDHMS.]+$")
_TAIWAN = re.compile(r"^(1\d\d)(?=[-/.]\d{1,2}[-/.]\d|年)|^(?:中華)?民國 ?(\d{1,3})(?= ?年)")
_REIWA = re.compile(r"^令和 ?(\d{1,2}|元)(?= ?年)")
_ERA = re.compile(r"^([RH])(\d{1,2})(?=[./]\d{1,2}[./]\d{1,2})")
"""Reiwa or Heisei by their letters."""
_BUDDHIST = re.compile(r"^(\d{1,2}[-/. ]\w{1,9}[-/. ])?(2[45]\d\d)(?=[-/.]\d|$| )")


_HOURS = re.compile(
    r"^(\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4}),? (\d{1,2}) ?[-–] ?(\d{1,2})( ?h| Uhr)?$"
)
"""A date with an hour and the next one."""


def _in_english(found: re.Match[str]) -> str:
    return _date(found, found[1], found[2], found[3])


def _date(found: re.Match[str], day: str, name: str, year: str) -> str:
    month = month_of(name)
    return f"{day} {_ENGLISH[month - 1]} {year}" if month else found[0]


def _of_day(found: re.Match[str]) -> str:
    """The date of the day of a year: 2024-091."""
    first = dt.date(int(found[1]), 1, 1)
    day = first + dt.timedelta(days=int(found[2]) - 1)
    return day.isoformat() + " " * found[0].endswith(":") if day.year == first.year else found[0]


def _of_week(found: re.Match[str]) -> str:
    """The date of the day of a week, or its Monday: 2024W053, 2024-W05."""
    try:
        return dt.date.fromisocalendar(*(int(part or 1) for part in found.groups())).isoformat()
    except ValueError:
        return found[0]


_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"^((?:19|20)\d\d)-?(\d{3})(?=$|[ T]\d)"), _of_day),
    (re.compile(r"^((?:19|20)\d\d):(\d{3}):(?=\d\d:)"), _of_day),
    (re.compile(r"^(\d{4})-?W(\d\d)(?:-?([1-7]))?(?=$|[ T]\d)"), _of_week),
    (_SPELT, _in_english),
    (_YEAR_FIRST, lambda at: _date(at, at[3], at[2], at[1])),
    (_OF_YEAR, lambda at: _date(at, at[2], at[3], at[1])),
    (_TAIWAN, lambda year: str(int(year[1] or year[2]) + 1911)),
    (_REIWA, lambda year: str(int(year[1].replace("元", "1")) + 2018)),
    (_ERA, lambda at: str(int(at[2]) + (2018 if at[1] == "R" else 1988))),
    (re.compile(r"(?<=\d),? kl\.? ?(?=\d{1,2}\b)", re.IGNORECASE), " "),
    (re.compile(r"(?<=\d[:.]\d\d) ?(Uhr|uur|h)$"), ""),
    (_HOURS, lambda at: f"{at[1]} {at[2]}:00" if int(at[3]) - int(at[2]) in (1, -23) else at[0]),
    (_BUDDHIST, lambda found: f"{found[1] or ''}{int(found[2]) - 543}"),
    (re.compile(r"^(\d{1,2})([A-Za-z]{3})(\d{4})[: ]?"), r"\1-\2-\3 "),
    (re.compile(r"^([A-Za-z]{3}) +(\d{1,2}) (\d{1,2}:\d\d:\d\d)( [A-Z]{3,4})? (\d{4})$"),
     r"\2 \1 \5 \3\4"),  # as C and Java print it
    (re.compile(r"^(.{9,11} \d{1,2})\.(\d\d)\.(\d\d)\.\d{3,9} ([AP]M)$"), r"\1:\2:\3 \4"),  # Oracle
    (re.compile(r"^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([SW])$"),
     lambda at: f"20{at[1]}-{at[2]}-{at[3]} {at[4]}:{at[5]}:{at[6]}+0{1 + (at[7] == 'S')}:00"),
    (re.compile(r"^(\d{1,2}:\d\d(?::\d\d)?),? (\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{4}-\d\d-\d\d)$"),
     r"\2 \1"),  # as Vietnam and the Caucasus write it
    (re.compile(r"^(\d{4})\. ?(\d{1,2})\. ?(\d{1,2})\.(?: |$)"), r"\1.\2.\3 "),
    (re.compile(r"^(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일] ?"), r"\1-\2-\3 "),
    (re.compile(r"(\d{1,2}) ?[时時시点點](?: ?(\d{1,2}) ?[分분])?$"),
     lambda at: f"{at[1]}:{int(at[2] or 0):02d}"),
)  # fmt: skip
"""What makes a date usual, one after the other."""


def is_unusual(cell: str) -> bool:
    """Whether a cell may be a date that must be made usual before it is read."""
    return usual(cell) != cell.strip()


def usual(cell: str) -> str:
    """A moment as it is usually written; any other text stays as it is.

    >>> usual("2024年1月8日 0时"), usual("08JAN2024:00:00"), usual("2024. 1. 8. 0:00")
    ('2024-1-8 0:00', '08-JAN-2024 00:00', '2024.1.8 0:00')
    >>> usual("jeu. 1 févr. 2024 00:00"), usual("Thu 01 Feb 2024"), usual("5 de mayo de 2024")
    ('1 Feb 2024 00:00', '01 Feb 2024', '5 May 2024')
    >>> usual("Fri Mar 01 00:15:00 CET 2024"), usual("01-MAR-24 12.15.00.000000 AM")
    ('01 Mar 2024 00:15:00 CET', '01 Mar 24 12:15:00 AM')
    >>> usual("1. ožujka 2026. 00:00"), usual("1 марта 2026 г."), usual("2026. március 1.")
    ('1 Mar 2026 00:00', '1 Mar 2026', '1 Mar 2026')
    >>> usual("Mar 05, 2024 13:00"), usual("mar. 5 mars 2024")
    ('Mar 05, 2024 13:00', '5 Mar 2024')
    >>> usual("14:00 31/03/2024"), usual("14:00:00, 2024-03-31")
    ('31/03/2024 14:00', '2024-03-31 14:00:00')
    >>> usual("1 Mar 2024 07:00 Uhr"), usual("2024-03-31 kl 07-08"), usual("R6.2.1 0:00")
    ('1 Mar 2024 07:00', '2024-03-31 07:00', '2024.2.1 0:00')
    >>> usual("2024-091 14:00"), usual("2024091T1405"), usual("2024W053T14"), usual("2024-W05")
    ('2024-03-31 14:00', '2024-03-31T1405', '2024-01-31T14', '2024-01-29')
    >>> usual("112/05/01 03:00"), usual("01/05/2566"), usual("令和6年2月1日")
    ('2023/05/01 03:00', '01/05/2023', '2024-2-1')
    """
    text = _without_weekday(_LENGTH.sub("", cell.strip()))  # a begin and a length
    for pattern, plain in _RULES:
        text = pattern.sub(plain, text)
    return text.strip()


def _without_weekday(text: str) -> str:
    """Without the name of a weekday before it, unless that may be a month: Mar 05, 2024."""
    day, month = _WORD_FIRST.match(text), _MONTH_FIRST.match(text)
    if day is None or len(text) <= 10 or without_accents(day[1]) not in _WEEKDAYS:
        return text
    return text if month and month_of(month[1]) else text[day.end() :]


def is_of_other_era(cell: str) -> bool:
    """Whether a date counts its years otherwise: 112/05/01, 01/05/2566, 令和6年2月1日."""
    return any(era.search(cell.strip()) for era in (_TAIWAN, _REIWA, _ERA, _BUDDHIST))
