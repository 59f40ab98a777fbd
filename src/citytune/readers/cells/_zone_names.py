"""Short names of zones behind times: which hour is meant where a file writes several of them."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

_HOUR = 3600
_HOURS = {
    "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2,
    "EEST": 3, "MSK": 3, "TRT": 3, "SAST": 2, "CAT": 2, "WAT": 1, "EAT": 3, "IDT": 3, "PKT": 5,
    "NPT": 5.75, "ICT": 7, "WIB": 7, "WITA": 8, "WIT": 9, "SGT": 8, "MYT": 8, "HKT": 8, "PHT": 8,
    "AWST": 8, "JST": 9, "KST": 9, "ACST": 9.5, "ACDT": 10.5, "AEST": 10, "AEDT": 11, "NZST": 12,
    "NZDT": 13, "NST": -3.5, "NDT": -2.5, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "BRT": -3, "ART": -3, "CLT": -4,
    "CLST": -3, "COT": -5, "PET": -5,
}  # fmt: skip
"""Name → hours ahead of UTC."""
_SEVERAL: dict[str, dict[str, tuple[float, frozenset[str]]]] = {
    "CST": {"the United States": (-6, frozenset(["CDT", "EST", "EDT", "MST", "MDT", "PST", "PDT"])),
            "China": (8, frozenset(["HKT"])), "Cuba": (-5, frozenset())},
    "BST": {"Britain": (1, frozenset(["GMT", "UTC"])), "Bangladesh": (6, frozenset())},
    "IST": {"India": (5.5, frozenset()), "Ireland": (1, frozenset(["GMT"])),
            "Israel": (2, frozenset(["IDT"]))},
    "AST": {"Canada": (-4, frozenset(["ADT"])), "Arabia": (3, frozenset())},
    "ADT": {"Canada": (-3, frozenset(["AST"]))},
    "GST": {"the Gulf": (4, frozenset()), "Guam": (10, frozenset())},
}  # fmt: skip
"""Name of zones of several places → of each the hours, and the names that stand next to it."""
_PLACES = {
    frozenset(["EST", "EDT"]): "America/New_York", frozenset(["CST", "CDT"]): "America/Chicago",
    frozenset(["MST", "MDT"]): "America/Denver", frozenset(["PST", "PDT"]): "America/Los_Angeles",
    frozenset(["AST", "ADT"]): "America/Halifax", frozenset(["CET", "CEST"]): "Europe/Berlin",
    frozenset(["MEZ", "MESZ"]): "Europe/Berlin", frozenset(["WET", "WEST"]): "Europe/Lisbon",
    frozenset(["EET", "EEST"]): "Europe/Athens", frozenset(["GMT", "BST"]): "Europe/London",
    frozenset(["GMT", "IST"]): "Europe/Dublin", frozenset(["AEST", "AEDT"]): "Australia/Sydney",
    frozenset(["ACST", "ACDT"]): "Australia/Adelaide",
    frozenset(["NZST", "NZDT"]): "Pacific/Auckland",
}  # fmt: skip
"""Names of winter and summer time of one place → a zone in which the clocks change alike."""
ZONE_NAMES = frozenset([*_HOURS, *_SEVERAL, "EPT", "CPT", "DST"])
COMMON = frozenset(
    ["CET", "CEST", "MEZ", "MESZ", "WET", "WEST", "EET", "EEST", "GMT", "BST", "UTC", "EST", "EDT",
     "CST", "CDT", "MST", "MDT", "PST", "PDT", "AEST", "AEDT", "NZST", "NZDT", "JST", "KST", "IST"]
)  # fmt: skip
"""Those that are seldom anything else."""
_ALL = "|".join(sorted(ZONE_NAMES, key=len, reverse=True))
BEHIND = rf" ?(\[[A-Za-z]+(/[A-Za-z_+-]+)*\]|\(?\b({_ALL})\b\)?)$"
"""A zone's name behind a time."""
NAMED = rf"\(?\b({_ALL})\b\)?$"


OFFSET = re.compile(r"(?:UTC|GMT)?\s?([+−-])\s?(\d{1,2})(?::?([0-5]\d))?")
"""An offset from UTC that stands alone."""
OFFSET_NAMES = frozenset(
    ["utc_offset", "utcoffset", "gmt_offset", "gmtoffset", "tz_offset", "timezone_offset",
     "offset_utc", "utc_offset_hours"]
)  # fmt: skip
"""Plain names of columns of hours ahead of UTC."""


class Zones(NamedTuple):
    """What several names of zones in one column mean."""

    ahead: dict[str, int]
    """Name → seconds ahead of UTC."""
    zone: str
    """Of the one place that they are of, or UTC."""


def zones_named(names: Collection[str]) -> Zones | str | None:
    """What names mean; the one of several meanings if nothing tells which; None if unknown.

    >>> zones_named(["EST", "EDT"]).zone, zones_named(["CST", "CDT"]).ahead["CST"] // 3600
    ('America/New_York', -6)
    >>> zones_named(["IST", "CET"]), zones_named(["EPT", "EST"])
    ('IST', None)
    """
    ahead: dict[str, int] = {}
    for name in names:
        hours = _HOURS.get(name, _offset(name))
        if name in _SEVERAL:
            near = [at for at, beside in _SEVERAL[name].values() if beside & {*names}]
            if len(near) != 1:
                return name
            hours = near[0]
        if hours is None:
            return None
        ahead[name] = round(hours * _HOUR)
    return Zones(ahead, _PLACES.get(frozenset(names), "UTC"))


def _offset(name: str) -> float | None:
    """Hours ahead of UTC of what spells them: UTC-5, GMT+5:30, +01:00."""
    found = OFFSET.fullmatch(name)
    if found is None:
        return None
    hours = int(found[2]) + int(found[3] or 0) / 60
    return -hours if found[1] in "-−" else hours


def meanings(name: str) -> str:
    """The places whose zone a name of several may be; nothing if it has one meaning."""
    return " or ".join(_SEVERAL.get(name, ()))


def zone_in(cell: str) -> str | None:
    """The name of a zone at the end of a cell."""
    found = re.search(NAMED, cell.strip())
    return found[1] if found else None
