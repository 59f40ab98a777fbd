"""Spell units one way, whatever a file calls them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from citytune.frame import convert
from citytune.readers.cells._vocabulary import plain_name

UNITS = {
    "$": "$", "€": "€", "£": "£",
    "wh": "Wh", "kwh": "kWh", "mwh": "MWh", "gwh": "GWh", "twh": "TWh", "w": "W", "kw": "kW",
    "mw": "MW", "gw": "GW", "万kw": "万kW", "萬瓩": "万kW",
    "va": "VA", "kva": "kVA", "mva": "MVA", "kvar": "kvar",
    "kvarh": "kvarh", "j": "J", "kj": "kJ", "mj": "MJ", "gj": "GJ", "tj": "TJ", "therm": "therm",
    "therms": "therm", "btu": "BTU", "mmbtu": "MMBTU", "m3": "m³", "ft3": "ft³",
    "ccf": "ccf", "l": "l", "gal": "gal", "gals": "gal", "gallon": "gal", "gallons": "gal",
    "kgal": "kgal", "nm3": "Nm³", "sm3": "Sm³",
    "mph": "mph", "mi/h": "mph", "mi/hr": "mph", "miles/hour": "mph", "milesperhour": "mph",
    "km/h": "km/h", "kmh": "km/h", "kph": "km/h", "m/s": "m/s",
    "meters/second": "m/s", "metres/second": "m/s", "kilometers/hour": "km/h",
    "vph": "veh/h", "veh/h": "veh/h", "vehh": "veh/h", "veh/hr": "veh/h", "veh/5min": "veh/5min",
    "veh/15min": "veh/15min",
    "kfz/h": "veh/h", "fzg/h": "veh/h", "vehicles/h": "veh/h", "vehicles/hour": "veh/h",
    "xe/giờ": "veh/h", "araç/saat": "veh/h", "veh/hora": "veh/h", "vehículos/h": "veh/h",
    "vehículos/hora": "veh/h", "veículos/h": "veh/h", "poj/h": "veh/h", "fordon/h": "veh/h",
    "辆/小时": "veh/h", "台/時": "veh/h", "台/h": "veh/h", "대/시": "veh/h",
    "véh/h": "veh/h", "cars/h": "veh/h", "autos/h": "veh/h", "mvt/h": "veh/h",
    "kwhr": "kWh", "kw-hr": "kWh", "kw-h": "kWh", "kwhrs": "kWh", "kw-hours": "kWh",
    "mw-hr": "MWh", "w-hr": "Wh", "w-h": "Wh", 'קוט"ש': "kWh", "קוט״ש": "kWh", "קוטש": "kWh",
    "千瓦时": "kWh", "千瓦時": "kWh", "兆瓦时": "MWh", "兆瓦時": "MWh", "千瓦": "kW", "兆瓦": "MW",
    "microg/m3": "µg/m³", "ug/m3": "µg/m³", "ugm3": "µg/m³", "mg/m3": "mg/m³",
    "mgm3": "mg/m³", "ng/m3": "ng/m³", "ppb": "ppb", "ppm": "ppm", "%": "%", "pct": "%",
    "ppbv": "ppb", "ppmv": "ppm", "nmol/mol": "ppb", "µmol/mol": "ppm", "umol/mol": "ppm",
    "micrograms/cubicmeter": "µg/m³", "milligramspercubicmeter": "mg/m³",
    "milligramspercubicmetre": "mg/m³", "partespormillon": "ppm", "partespormillón": "ppm",
    "kilowattstunde": "kWh", "kilowattstunden": "kWh", "megawattstunden": "MWh",
    "megawattstunde": "MWh", "wattstunde": "Wh", "wattstunden": "Wh", "kilowatt": "kW",
    "megawatt": "MW", "gigawatt": "GW", "watt": "W", "kilowattuur": "kWh", "liter": "l",
    "liters": "l", "litre": "l", "litres": "l", "kubikmeter": "m³", "cubicmeters": "m³",
    "cubicmetres": "m³", "pphm": "pphm", "partsperhundredmillion": "pphm",
    "percent": "%", "°c": "°C", "degc": "°C", "celsius": "°C", "°f": "°F", "degf": "°F", "k": "K",
    "microgramspercubicmeter": "µg/m³", "microgramspercubicmetre": "µg/m³", "µgm3": "µg/m³",
    "partsperbillion": "ppb", "partspermillion": "ppm", "kilowatthours": "kWh", "watthours": "Wh",
    "megawatthours": "MWh", "gigawatthours": "GWh", "watts": "W", "wattage": "W", "kilowatts": "kW",
    "megawatts": "MW", "gigawatts": "GW", "kv": "kV", "hz": "Hz",
    "volt": "V", "volts": "V", "amp": "A", "amps": "A",
    "вт": "W", "квт": "kW", "мвт": "MW", "гвт": "GW", "квтч": "kWh", "мвтч": "MWh", "гвтч": "GWh",
    "квтгод": "kWh", "мвтгод": "MWh", "гвтгод": "GWh", "мкг/м3": "µg/m³", "мг/м3": "mg/m³",
    "m3/h": "m³/h", "m3/hr": "m³/h", "m3/s": "m³/s", "m3/d": "m³/day", "m3/day": "m³/day",
    "m3/min": "m³/min", "cbm/h": "m³/h", "nm3/h": "Nm³/h", "l/s": "l/s", "l/min": "l/min",
    "l/h": "l/h", "lps": "l/s", "lpm": "l/min", "gpm": "gal/min", "gal/min": "gal/min",
    "m3h": "m³/h", "m3s": "m³/s", "cmh": "m³/h",
    "cfs": "ft³/s", "ft3/s": "ft³/s", "cfm": "ft³/min", "ft3/min": "ft³/min",
}  # fmt: skip
"""Spelling in lower case, without spaces → unit."""
CODES = {
    "gq": "µg/m³", "gp": "mg/m³", "whr": "Wh", "wtt": "W", "kwt": "kW", "maw": "MW", "mtq": "m³",
    "cel": "°C", "p1": "%", "59": "ppm", "61": "ppb",
}  # fmt: skip
"""UN/CEFACT's, as NGSI-LD has them; in the name of a column they are no units: P1 and P2."""
_PRICE = re.compile(
    r"(?<![^\W_])(eur|€|usd|\$|gbp|£|chf|sek|nok|dkk|pln|czk|huf|ron|inr|jpy|aud|cad|brl|zł|kr|ct|"
    r"cents?|c|p|öre|øre)\s?(?:/|per)\s?([km]?wh|m³|m3)(?![^\W_])",
    re.IGNORECASE,
)
"""Of energy or gas: EUR/MWh, ct/kWh."""
ENERGY = frozenset(["Wh", "kWh", "MWh", "GWh", "TWh", "J", "kJ", "MJ", "GJ", "TJ", "therm", "kvarh",
                    "BTU", "MMBTU"])  # fmt: skip
POWER = frozenset(["W", "kW", "MW", "GW", "万kW", "VA", "kVA", "MVA", "kvar"])
AIR = frozenset(["µg/m³", "mg/m³", "ng/m³", "ppb", "ppm", "pphm"])
_LETTERS = 1
"""Letters up to which what stands before a bracket is too little to be a unit."""
_FIRST = ("W", "Wh", "µg/m³", "ppb", "m/s", "m³", "Pa")
VOLUME = frozenset(["m³", "ft³", "ccf", "l", "gal", "kgal", "Nm³", "Sm³"])
FLOW_OF_VOLUME = frozenset(["m³/h", "m³/s", "m³/day", "m³/min", "Nm³/h", "l/s", "l/min", "l/h",
                            "gal/min", "ft³/s", "ft³/min"])  # fmt: skip
"""Of water, gas or air; that of vehicles is FLOW."""
SPEED = frozenset(["mph", "km/h", "m/s"])
FLOW = frozenset(["veh/h", "veh/5min", "veh/15min"])
_GLUED = re.compile(r"[\u0400-\uffff]([A-Za-zµ°%][A-Za-z0-9/³%]*)$")
"""A unit right behind a word of another script: 使用量kWh."""
_WORD_OF_UNITS = r"\b(?:units?|einheit|unidad|unités?|unità|eenheid|jednostka|enhet|enhed)"
_TITLE_UNIT = re.compile(rf"{_WORD_OF_UNITS}\s*[:=]\s*((\S+)[^/;,:]*)", re.IGNORECASE)
_LINE_OF_UNIT = re.compile(rf"\W*(?:\w+\s)?{_WORD_OF_UNITS}\s(\S+)\W*", re.IGNORECASE)
"""A line of a name and a unit, in cells of their own."""
UNIT_COLUMNS = frozenset(
    ["unit", "units", "uom", "unit_code", "unitcode", "unit_of_measurement", "unit_of_measure",
     "unit_of_measurement_symbol",
     "measurement_unit", "measure_unit", "units_of_measure", "einheit", "unidad", "enhet", "unite",
     "unita", "eenhed", "eenheid", "jednostka", "unidade",
     "yksikko", "yksikkotyyppi", "unit_type", "birim", "mertekegyseg", "единица", "μοναδα",
     "单位", "單位", "単位", "단위", "หน่วย", "unite_de_mesure", "unit_symbol", "units_short",
     "value_units", "value_unit", "units_abbreviation", "unit_abbreviation",
     "unidade_de_medida", "unidad_de_medida", "unita_di_misura",
     "mjerna_jedinica"]
)  # fmt: skip
"""Plain names of columns that hold the unit of each row."""


def unit_of(text: str) -> str | None:
    """The usual spelling of a unit; None if it is none.

    >>> unit_of("ug/m^3"), unit_of("KWH"), unit_of("µg·m⁻³"), unit_of("north")
    ('µg/m³', 'kWh', 'µg/m³', None)
    >>> unit_of("m.s-1"), unit_of("km h⁻¹")
    ('m/s', 'km/h')
    >>> unit_of("Parts Per Million ( ppm )"), unit_of("Micrograms/cubic meter (25 C)")
    ('ppm', 'µg/m³')
    """
    bare = text.strip().lower().replace("μ", "µ").replace("³", "3").replace("µg", "ug")
    bare = re.sub(r"[·.*]?\s*m\s*(\^?\(?-3\)?|⁻3|⁻³)$", "/m3", bare)
    bare = re.sub(r"^(k?m|m3|l)[\s·.*]*([sh])\^?\(?[-⁻][1¹]\)?$", r"\1/\2", bare)
    bare = re.sub(r"[\s^()\[\]_·]", "", bare)
    found = CODES.get(bare) or UNITS.get(bare) or UNITS.get(bare.replace("/", ""))
    plain = text.partition("(")[0].strip()
    aside = not found and len(plain) > _LETTERS and plain != text.strip() and text.count("(") == 1
    return unit_of(plain) if aside else found


def are_units(cells: Iterable[str]) -> bool:
    """Whether cells may be units; R051 and R079 number parts of a network.

    >>> are_units(["km/h", "veh"]), are_units(["people"]), are_units(["R051", "R079"])
    (True, True, False)
    """
    some = list(cells)
    return any(map(unit_of, some)) or not all(re.search(r"\d\d", cell) for cell in some)


def kind_of_unit(unit: str) -> str:
    """What a unit measures, so far as that is known, or the unit itself.

    >>> kind_of_unit("kW") == kind_of_unit("MW"), kind_of_unit("kW") == kind_of_unit("%")
    (True, False)
    """
    kinds = {"energy": ENERGY, "power": POWER, "air": AIR, "speed": SPEED}
    return next((kind for kind, units in kinds.items() if unit in units), unit)


def factor_between(unit: str, other: str) -> float | None:
    """What a value in one unit is multiplied by to be in another; None if nobody knows.

    >>> factor_between("W", "kW"), factor_between("kW", "kWh"), factor_between("°C", "°F")
    (0.001, None, None)
    """
    ends = convert(np.array([0.0, 1.0], np.float32), unit, other)
    return None if ends is None or ends[0] else float(f"{ends[1]:.7g}")


def scale_of(unit: str) -> str:
    """What units that are converted into each other have in common: the first of them.

    >>> scale_of("MW"), scale_of("ppm"), scale_of("mg/m³")
    ('W', 'ppb', 'µg/m³')
    """
    return next((one for one in _FIRST if factor_between(unit, one) is not None), unit)


def unit_in(name: str) -> str | None:
    """The unit that a column's name spells, in brackets or at its end.

    >>> unit_in("load_kva"), unit_in("power [W]"), unit_in("NO2 (ug/m3)"), unit_in("zone_w")
    ('kVA', 'W', 'µg/m³', 'W')
    """
    if price := _PRICE.search(name):
        return f"{price[1]}/{UNITS[price[2].lower().replace('³', '3')]}"
    for part in re.findall(r"[(\[](.+?)[)\]]", name):
        if part.lower() not in CODES and (found := unit_of(part.split(",")[-1])):
            return found
    bare = re.sub(r"[(\[].*?[)\]]", "", name)
    parts = (unit_of(part) or "" for part in bare.split(",")[1:])
    behind = [found for found in parts if len(found) > 1 or found == "%"]
    if behind or ((glued := _GLUED.search(name)) and (found := unit_of(glued[1]))):
        return behind[0] if behind else found
    last = name.rsplit(maxsplit=1)[-1] if " " in name.strip() else ""
    if "/" in last and (found := unit_of(last)):
        return found
    words = plain_name(name).split("_")
    pair = unit_of("/".join(words[-2:])) if len(words) > 1 else None
    return pair or (UNITS.get(words[-1]) if not words[-1].isdigit() else None)


def with_unit(name: str, unit: str) -> str:
    """A name with the unit that a table tells apart from it, which may be none that is known.

    >>> with_unit("load", "kW"), with_unit("load", "MWh/h"), as_told(with_unit("load", "MWh/h"))
    ('load [kW]', 'load [=MWh/h]', 'MWh/h')
    """
    return f"{name} [{unit}]" if unit_of(unit) or is_price(unit) else f"{name} [={unit}]"


def as_told(name: str) -> str:
    """The unit told apart from a name, if it is none that is known."""
    found = re.search(r"\[=([^\]]*)\]$", name)
    return found[1] if found else ""


def is_price(unit: str) -> bool:
    """Whether a unit is that of a price.

    >>> is_price("EUR/MWh"), is_price("MWh/h")
    (True, False)
    """
    return bool(_PRICE.fullmatch(unit))


def unit_of_titles(titles: Iterable[str]) -> str:
    """The one unit that the lines above a table tell; nothing if they tell none or several.

    >>> unit_of_titles(["Pollutant: NO2", "Units: ppb - parts per billion"])
    'ppb'
    >>> unit_of_titles(["Units: Parts per billion (ppb) // Unités: parties par milliard (ppb)"])
    'ppb'
    >>> unit_of_titles(["Measurement unit ppb"]), unit_of_titles(["unit costs of GW"])
    ('ppb', '')
    """
    found = [pair for line in titles for pair in _said_in(line)]
    said = {
        unit_of(word) or unit_of(phrase) or unit_of(phrase.partition("(")[2])
        for phrase, word in found
        if len(word) > 1 and not re.search(r"^[^/]*\d$", word)
    }
    return said.pop() or "" if len(said) == 1 else ""


def _said_in(line: str) -> list[tuple[str, str]]:
    """What a line says behind a word for units, each with its first word."""
    alone = _LINE_OF_UNIT.fullmatch(line)
    return [(alone[1], alone[1])] if alone else _TITLE_UNIT.findall(line)
