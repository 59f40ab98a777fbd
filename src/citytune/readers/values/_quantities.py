"""Guess what is measured, in which unit and range, from the words in names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from citytune.frame import Quantity
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._units import (
    AIR,
    ENERGY,
    FLOW_OF_VOLUME,
    POWER,
    SPEED,
    VOLUME,
    as_told,
    is_price,
    unit_in,
)
from citytune.readers.cells._vocabulary import PLACES, bidding_areas, goes_beside, plain_name
from citytune.readers.columns._asked_unit import check_unit
from citytune.readers.columns._kinds import called_after_places
from citytune.readers.columns._measures import MEANS
from citytune.readers.columns._request import Request
from citytune.readers.values._grid import Grid

_MARKERS = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0)

_KINDS = (
    (r"travel_time|link_times?|journey_time", Quantity("travel_time", "s", 0, None, "traffic")),
    (r"wind_?(speed|velocity)|wspd|wind_?gusts?", Quantity("wind_speed", "", 0, None, "other")),
    (r"(average_?vehicle_?|avg_|mean_|traffic_|vehicle_)?(speed|velocity)|v85",
     Quantity("speed", "", 0, None, "traffic")),
    (r"geschwindigkeit|vitesse|v_(kfz|pkw|lkw|sv|lv)",
     Quantity("speed", "km/h", 0, None, "traffic")),
    (r"traffic|volume|flow|vehicles?|veh|cars?|kfz|pkw|lkw|aadt|heavy|lorr(y|ies)|trucks?",
     Quantity("traffic_volume", "veh", 0, None, "traffic")),
    (r"parking", Quantity("parking", "vehicles", 0, None, "traffic")),
    (r"pedestrians?|ped|footfall|people|visitors?|fuss\w*|fodgaengere|fotgangare|jalankulkijat|pietons?",
     Quantity("pedestrians", "people", 0, None, "traffic")),
    (r"passengers?|ridership|boardings?|inflow|outflow|metro(?!_cub)|taxi",
     Quantity("passengers", "people", 0, None, "traffic")),
    (r"bikes?|bicycles?|cyclists?|velos?|rented|rentals",
     Quantity("bikes", "bikes", 0, None, "traffic")),
    (r"occupancy", Quantity("occupancy", "", 0, None, "traffic")),
    (r"counts?|cnt|trips", Quantity("count", "", 0, None, "traffic")),
    (r"pm25", Quantity("pm2.5", "µg/m³", 0, None, "air")),
    (r"pm10", Quantity("pm10", "µg/m³", 0, None, "air")),
    (r"(no2|nox|no|o3|ozone|so2|bc|black_carbon)", Quantity("", "µg/m³", 0, None, "air")),
    (r"co(?!2)", Quantity("co", "mg/m³", 0, None, "air")),
    (r"aqi", Quantity("aqi", "", 0, None, "air")),
    (r"usage|consumption|energy|electricity|meter", Quantity("energy", "kWh", 0, None, "energy")),
    (r"load|demand|nd|tsd", Quantity("load", "MW", 0, None, "energy")),
    (r"power|appliances|building|consumer|households?|homes?",
     Quantity("power", "kW", 0, None, "energy")),
    (r"solar|pv|wind_power|generation", Quantity("generation", "MW", 0, None, "energy")),
    (r"heat", Quantity("heat", "kWh", 0, None, "energy")),
    (r"gas", Quantity("gas", "", 0, None, "energy")),
)  # fmt: skip
_ATTRIBUTE = re.compile(r"\.(PV|CV|MV|SP)$")
"""What control systems write behind a tag: process value, current value."""
_STREET = re.compile(
    rf"(^|_)(no|co|bc|ozone|heat|gas|power)_({'|'.join(PLACES - {'station'})})(?=_|$)"
)
"""A street or park that is called after what could be a quantity."""
_OF_TIME = re.compile(r"[(\[ _](?:(mins?|minut\w*)|(hours?|hrs?|h))[)\]]?$", re.IGNORECASE)
"""Minutes or hours at the end of a name."""
_COUNTED = frozenset(["veh", "people", "bikes"])
"""What is counted; of several together there is no unit."""
_STRANGE = re.compile(
    r"[(\[]((?:pp\w{1,4}|[^)\]]*(?:\w/\w|m-?3|m³|\bmol|gram|parts|partes|parti)[^)\]]*))[)\]]$",
    re.I,
)
"""What seems to be a unit of air in brackets behind the name of a pollutant."""
_NUMBER_OF = re.compile(r"[(\[]\s*(\d[\d.,]*\s?[kMGT]?Wh?)\s*[)\]]$", re.IGNORECASE)
"""A power or an energy: what its readings count, or how large what is measured is."""
_PER = {"1h": "h", "1D": "day", "7D": "week", "1min": "min"}


def known_quantities() -> list[str]:
    """What a quantity is called where it is told by the name of a column."""
    return list(dict.fromkeys(one.name for _, one in _KINDS if one.name))


def guess_quantity(
    columns: Sequence[str], stem: str, grid: Grid, request: Request, findings: Findings
) -> Quantity:
    """The quantity named by the targets' names, or else by the file's.

    If the person says what the quantity is called, their word is kept, and only its unit and range
    are guessed.
    """
    told = request.quantity
    columns = [_ATTRIBUTE.sub("", name) for name in columns]
    if bidding_areas(columns) and not told:
        columns, stem = [""], ""
    found = _by_name(told) if told else _of_all(columns) or _of_file(stem, columns, grid)
    spelt = "" if _are_letters(columns) else columns[0]
    if found and not told and _is_of_other(found, unit_in(spelt)):
        found = None
    guess = _with_unit(found or _by_unit(spelt) or _of_counts(columns, grid), spelt, grid)
    if guess.name == "speed" and unit_in(spelt) is None and request.country:
        guess = replace(guess, unit="mph" if _drives_in_miles(request.country) else "km/h")
    found = found or (guess if guess.unit else None)
    if request.unit:
        check_unit(request.unit, spelt, replace(guess, name=told or guess.name), findings)
    name, unit = told or guess.name, guess.unit if request.unit is None else request.unit
    chosen = replace(guess, name=name, unit=unit)
    if found and not told:
        low = "" if settle_range(chosen, grid.values).low is None else ", never below 0"
        findings.note(
            "guessed-quantity",
            f"the readings were read as {chosen} of domain {chosen.domain!r}{low}",
            "use quantity= and unit= if this is wrong",
        )
    if not chosen.unit and (strange := _strange_unit(guess, spelt)):
        findings.warn(
            "no-unit",
            f"{strange!r} is no unit that is known, so no unit is shown",
            "say it with unit=, such as unit='µg/m³' or unit='kWh'",
        )
    if chosen.name == "speed" and not chosen.unit:
        findings.note(
            "no-unit",
            "nothing says whether the speeds are in km/h or mph, so no unit is shown",
            "say it with unit='km/h' or unit='mph'",
        )
    return chosen


def _with_unit(guess: Quantity, column: str, grid: Grid) -> Quantity:
    """The unit a column's name spells; counts are per step; small loads are kW, not MW."""
    spelt = unit_in(column)
    if guess.unit == "s" and not spelt and (time := _OF_TIME.search(column)):
        return replace(guess, unit="min" if time[1] else "h")
    if spelt and (guess.domain == "energy") >= (spelt in ENERGY | POWER):
        return replace(guess, unit=spelt, name=_fitting(guess.name, spelt))
    if not spelt and _strange_unit(guess, column):
        return replace(guess, unit="")
    if guess.unit in ("veh", "people", "bikes"):
        freq = grid.clock.freq
        return replace(guess, unit=f"{guess.unit}/{_PER.get(freq, freq)}")
    some = grid.values[:: max(1, len(grid.values) // 1000)]
    if guess.unit == "MW" and _high(some) < 20:
        return replace(guess, unit="kW")
    return guess


def _strange_unit(guess: Quantity, column: str) -> str:
    """What a column says that seems to be a unit, where it is none that is known.

    >>> no2 = Quantity("no2", "µg/m³", 0, None, "air")
    >>> [_strange_unit(no2, name) for name in ("NO2 (nmol/l)", "NO2 [µg/m³]", "NO2 (A)")]
    ['nmol/l', '', '']
    >>> _strange_unit(Quantity("load", "MW", 0, None, "energy"), "Demand [100 kW]")
    '100 kW'
    """
    if unit_in(column) or guess.unit in _COUNTED:
        return ""
    if told := as_told(column):
        return "" if told == guess.unit else told
    found = (_STRANGE if guess.domain == "air" else _NUMBER_OF).search(column)
    return found[1] if found else ""


def _is_of_other(quantity: Quantity, unit: str | None) -> bool:
    """Whether a unit shows that a word such as volume does not say traffic."""
    return is_price(unit or "") or (
        quantity.domain == "traffic" and unit in ENERGY | POWER | AIR | VOLUME | FLOW_OF_VOLUME
    )


def _fitting(name: str, unit: str) -> str:
    """A quantity's name, or that of what its unit measures if this is the other of two.

    >>> _fitting("power", "kWh"), _fitting("load", "MWh")
    ('energy', 'load')
    >>> _fitting("energy", "m³")
    'consumption'
    """
    if name == "energy" and unit in VOLUME:
        return "consumption"  # of water or gas
    if name in ("power", "energy") and unit in ENERGY | POWER:
        return "energy" if unit in ENERGY else "power"
    return name


def _high(values: NDArray[np.floating]) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(np.quantile(finite, 0.95)) if len(finite) else np.inf


def settle_range(quantity: Quantity, values: NDArray[np.floating]) -> Quantity:
    """Loads may be negative where there are solar roofs: keep low=0 only if none ever was.

    Markers such as -1 do not count.
    """
    if quantity.domain != "energy" or quantity.low is None:
        return quantity
    negative = values[values < 0]
    if (
        not len(negative)
        or np.isin(np.unique(negative.astype(np.float32)), np.array(_MARKERS, np.float32)).all()
    ):
        return quantity
    return replace(quantity, low=None)


def _are_letters(columns: Sequence[str]) -> bool:
    """Whether the sensors are called W, K, L or zone_k, zone_l: letters that are no units."""
    if any(re.search(r"[(\[]", column) for column in columns):
        return False
    ends = {plain_name(column).split("_")[-1] for column in columns}
    return len(ends) > 1 and all(len(end) == 1 and end.isalpha() for end in ends)


def _of_all(columns: Sequence[str]) -> Quantity | None:
    """The quantity, if every column's name speaks of one domain: a single name may be a place's."""
    if called_after_places(columns):
        return None
    found = [_by_name(column) for column in columns]
    domains = {quantity.domain if quantity else "" for quantity in found}
    counted = {quantity.unit for quantity in found if quantity}
    if len(domains) == 1 and len(counted) > 1 and counted <= _COUNTED:
        return Quantity("count", "", 0, None, "traffic")
    return found[0] if len(domains) == 1 else None


def _of_file(stem: str, columns: Sequence[str], grid: Grid) -> Quantity | None:
    """The quantity that the file is called after, unless the columns' names say another one.

    A mean with decimals of what is only called traffic may as well be that of speeds.
    """
    found, unit = _by_name(stem), unit_in(columns[0])
    if unit in ("°C", "°F", "K") or any(re.search(r"(^|_)temp", plain_name(n)) for n in columns):
        return None  # temperatures fall below zero, which loads and pollutants do not
    if found and found.name == "traffic_volume" and plain_name(columns[0]) in MEANS:
        return found if _are_counts(grid) else None
    if found is None or found.domain != "air":
        return found
    return None if unit not in (None, "%", *AIR) or any(map(goes_beside, columns)) else found


def _by_name(name: str) -> Quantity | None:
    """What a name says, or the formula in brackets behind it: Stickstoffdioxid (NO₂)."""
    for part in (name, *re.findall(r"\w ?\((?!NO\)|CO\))(\w+)\)", name)):  # Oslo (NO)
        plain = _STREET.sub("", plain_name(part))
        for pattern, quantity in _KINDS:
            found = re.search(rf"(?:^|_)({pattern})(?:_|\d|$)", plain)
            if found and not (found[1] in ("no", "co") and plain[found.end(1) :][:1].isdigit()):
                return quantity if quantity.name else replace(quantity, name=found[1])
    return None


def _by_unit(column: str) -> Quantity | None:
    """What a unit alone tells: kWh are energy, µg/m³ are air, veh/h are traffic."""
    unit = unit_in(column) or ""
    if is_price(unit):
        return Quantity("price", unit, None, None, "other")
    if unit in ENERGY:
        return Quantity("energy", unit, 0, None, "energy")
    sure = unit == column.strip() or bool(re.search(r"[(\[]", column))
    if unit in POWER - {"W", "VA"} or (unit in POWER and sure):
        return Quantity("power", unit, 0, None, "energy")
    if unit in AIR:
        return Quantity("concentration", unit, 0, None, "air")
    if unit in FLOW_OF_VOLUME:
        return Quantity("flow", unit, None, None, "other")
    if unit.startswith("veh/"):
        return Quantity("traffic_volume", unit, 0, None, "traffic")
    return Quantity("speed", unit, 0, None, "traffic") if unit in SPEED else None


def _of_counts(columns: Sequence[str], grid: Grid) -> Quantity:
    """Whole numbers that are never below 0 are counts, whatever their sensors are called."""
    if any(goes_beside(column) for column in columns):
        return Quantity()
    return Quantity(low=0) if _are_counts(grid) else Quantity()


def _are_counts(grid: Grid) -> bool:
    """Whether all readings are whole and none is below 0, but for markers."""
    some = grid.values[:: max(1, len(grid.values) // 2000)]
    some = some[np.isfinite(some)]
    some = some[~np.isin(some, _MARKERS)]
    return bool(len(some)) and float(some.min()) >= 0 and bool((some == some.round()).all())


def _drives_in_miles(country: str | None) -> bool:
    return bool(country) and str(country).split("-")[0] in ("US", "GB", "UK")
