"""Classes of traffic side by side without a total: added up where they make up one, else asked."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Sequence

import polars as pl

from citytune._text import counted, listed
from citytune.readers.cells._columns import Columns, look
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import CLOCK_TIME, DATE_PARTS, TIME
from citytune.readers.cells._vocabulary import (
    LATITUDE,
    LONGITUDE,
    SENSOR,
    SENSOR_PARTS,
    goes_beside,
    plain_name,
    tokens,
)
from citytune.readers.columns._folded import number_of
from citytune.readers.columns._kinds import kind_among
from citytune.readers.columns._measures import ALL, holds, one_of, proposed
from citytune.readers.columns._registers import with_registers_added
from citytune.readers.columns._wide import likely

_CLASSES = {
    "cars?|passenger_cars?|pkw|autos?|voitures?|coches|turismos|carros|personbil\\w*|"
    "personenauto_?s?|cars_and_taxis|cars_taxis": "car",
    "vans?|lgvs?|light_goods_vehicles?|light_trucks?|lieferwagen|lfw|bestelauto_?s?|furgon\\w*|"
    "utilitaires?|light_commercial_vehicles?|lcvs?|pick_?ups?": "van",
    "trucks?|lorr(?:y|ies)|camion\\w*|hgvs?|heavy_goods_vehicles?|caminhoes|lastbil\\w*|"
    "vrachtwagens?": "lorry articulated",
    "lkw|rigid_trucks?|single_unit_trucks?|single_unit": "lorry",
    "sattel(?:zug|zuge|kfz)?|articulated(?:_trucks?)?|combination(?:_trucks?)?|"
    "lastzug|lastzuge": "articulated",
    "bus|buses|coach|coaches|buses_and_coaches|buses_coaches|autobus\\w*|busse|autocars?": "bus",
    "motor_?cycles?|motor_?bikes?|motos?|krads?|motorrad\\w*|kraftrad\\w*|motos?cicletas?|mc|"
    "two_wheeled_motor_vehicles|motociclet\\w*|two_wheelers?|motorfiets\\w*": "motorcycle",
    "vl|light_vehicles?|leichtverkehr|lv|light": "car van",
    "pl|sv|heavy_vehicles?|schwerverkehr|poids_lourds?|heavy": "lorry articulated bus",
    "bikes?|bicycles?|cyclists?|pedal_cycles?|velos?|rad|rader|fahrrad\\w*|bicis?|bicicletas?|"
    "fietsen|cykl\\w*|sykl\\w*": "bicycle",
    "peds?|pedestrians?|fuss\\w*|pietons?|peatones|voetgangers|fodgaengere|fotgangare|"
    "jalankulkijat|people": "pedestrian",
}  # fmt: skip
"""Plain names of classes → the kinds of road users that they count."""
_PATTERNS = [(re.compile(words), tuple(kinds.split())) for words, kinds in _CLASSES.items()]
_SLOW = frozenset(["bicycle", "pedestrian"])
_COUNTED = re.compile(
    r"^(nb|n|num|number_of|count_of|anzahl|no_of|total_of|all)_|"
    r"_(count|counts|volume|vol|flow|total_count|anzahl|veh|vehicles|h|traffic)$"
)
"""What a name may say apart from the class."""
_NUMBERED = re.compile(
    r"(?:(?:vehicle|veh|fahrzeug)_)?(?:class|klasse|clase|classe|categorie|category)_?(\d{1,2})"
)
_FEWEST = 2
_LETTERS = frozenset("qv")
"""Of flow and speed, where names hold both."""
_BESIDE = ("speed", "occupancy")
"""What is measured of the same vehicles."""


def with_parts_added(table: SourceTable, named: Collection[str], findings: Findings) -> SourceTable:
    """The table with the sum of registers that take turns, and of classes of motor vehicles.

    Columns that the person `named` stay.
    """
    return _with_classes_added(with_registers_added(table, findings), named, findings)


def _with_classes_added(
    table: SourceTable, named: Collection[str], findings: Findings
) -> SourceTable:
    """The table with the sum of its classes of motor vehicles, if nothing else counts them.

    They are added up only where each kind of vehicle is in one of them, and all hold counts.
    """
    classes = {name: said for name in table.schema if (said := class_of(name))}
    kinds = [kind for said in classes.values() for kind in said]
    apart = len(classes) >= _FEWEST and len({*kinds}) == len(kinds) and not {*kinds} & _SLOW
    if not apart or "car" not in kinds or {*classes} & {*named}:
        return table
    columns = look(table)
    names = [name for name in classes if columns.kind(name) == "number"]
    counts = all(columns.by_name[name].whole and columns.by_name[name].low >= 0 for name in names)
    if (
        len(names) < _FEWEST
        or not counts
        or any(_may_measure(columns, n, classes) for n in columns.kinds)
    ):
        return table
    every = pl.sum_horizontal(number_of(table, name) for name in names)
    filled = [number_of(table, name).is_not_null() for name in names]
    there = pl.all_horizontal(filled)
    some = table.rows.select((pl.any_horizontal(filled) & ~there).sum())
    lacking = int(some.collect(engine="streaming").item())
    rows = f", and missing in {counted(lacking, 'row')} where one of them is missing"
    findings.warn(
        "classes",
        f"{listed(names, quoted=True)} are classes of vehicles, and no column holds all of them",
        f"they were added up{rows if lacking else ''}; pass target={names[0]!r} for one of them"
        + (", or write 0 where none was counted" if lacking else ""),
        count=len(names),
    )
    added = pl.when(there).then(every).alias(f"vehicles ({' + '.join(names)})")
    return table.with_other_columns(table.rows.with_columns(added).drop([*classes]))


def _may_measure(columns: Columns, name: str, classes: Collection[str]) -> bool:
    """Whether a column of numbers is none of the classes, and seems to be a reading."""
    column, plain = columns.by_name[name], plain_name(name)
    words = {*tokens(name)}
    return not (
        name in classes
        or column.kind not in ("number", "empty")
        or column.counter
        or column.constant
        or goes_beside(name)
        or words & SENSOR_PARTS
        or words & {"id", "code", "nr", "no", "number"}
        or plain in {*SENSOR, *TIME, *CLOCK_TIME, *LATITUDE, *LONGITUDE}
        or any(plain in part for part in DATE_PARTS)
        or kind_among(name, "flow") in _BESIDE
    )


def of_one_class(table: SourceTable, names: list[str], long: bool, findings: Findings) -> list[str]:
    """The column of all vehicles, or of one class, where the others are classes of traffic.

    Where bicycles or people stand next to vehicles, these are several quantities, of which the
    likeliest is read. Of motor vehicles that could not be added up nobody knows which are counted
    twice: nothing is read, which is said.
    """
    classes = [name for name in names if class_of(name)]
    rest = [name for name in names if name not in classes]
    if not long and (crossed := _of_places(names)):
        mixed = any(" " in kind for kind in crossed)
        what = "kinds of counts and speeds" if mixed else "classes of vehicles"
        findings.error(
            "which-target",
            f"the columns are {len(crossed)} {what} of the same places: "
            + "; ".join(listed(some, 3, quoted=True) for some in crossed.values()),
            "name those of one class with "
            + " or ".join(f"target={some!r}" for some in crossed.values())
            + ", or add columns of their sums",
            count=len(names),
        )
        return []
    if len(classes) < _FEWEST:
        return names
    totals = [name for name in rest if {*plain_name(name).split("_")} & ALL]
    if len(totals) == 1 and holds(table, totals[0], classes):
        return [one_of(totals[0], [name for name in names if name != totals[0]], findings)]
    if not all(goes_beside(name) or kind_among(name, "flow") in _BESIDE for name in rest):
        return names
    if any({*class_of(name)} & _SLOW for name in classes):
        chosen = min(classes, key=likely)
        return [one_of(chosen, [name for name in classes if name != chosen], findings)]
    every = "" if long else f", or all with target={classes!r} if each is a sensor"
    findings.error(
        "which-target",
        f"{listed(classes, quoted=True)} are classes of traffic, and no column holds all of them",
        f"name one with {proposed(classes)}{every}, or add a column of their sum",
        count=len(classes),
    )
    return []


def _of_places(names: Sequence[str]) -> dict[str, list[str]]:
    """Class of motor vehicles → its columns, where each place has one of every class.

    >>> _of_places(["A cars", "A lorries", "B cars", "B lorries"])
    {'cars': ['A cars', 'B cars'], 'lorries': ['A lorries', 'B lorries']}
    >>> _of_places(["1 q cars", "1 v cars", "1 q vans", "1 v vans", "2 q cars", "2 v cars"])
    {}
    >>> _of_places(["A cars", "B lorries"]), _of_places(["cars", "lorries"])
    ({}, {})
    """
    groups: dict[str, list[str]] = {}
    places: dict[str, set[tuple[str, ...]]] = {}
    both = {word for name in names for word in tokens(name)} >= _LETTERS
    for name in (one for one in names if not goes_beside(one)):
        words = tokens(name)
        said = [word for word in words if {*class_of(word)} - _SLOW]
        if len(said) != 1:
            return {}
        key = " ".join([said[0], *(word for word in words if both and word in _LETTERS)])
        rest = (word for word in words if word not in (key, *key.split()))
        groups.setdefault(key, []).append(name)
        places.setdefault(key, set()).add(tuple(rest))
    alike = len({frozenset(some) for some in places.values()}) == 1
    several = len(groups) >= _FEWEST and all(len(some) > 1 for some in places.values())
    return groups if alike and several else {}


def refuse_class_rows(column: str, values: Sequence[str], findings: Findings) -> None:
    """Raise the error of rows of several classes of motor vehicles, of which none is the total."""
    kinds = {value: {*class_of(value)} - _SLOW for value in values}
    some = [value for value, said in kinds.items() if said]
    if len(some) < _FEWEST or any({*plain_name(value).split("_")} & ALL for value in values):
        return
    findings.fail(
        "which-target",
        f"column {column!r} holds classes of traffic ({listed(values, 8, quoted=True)}), and none "
        "of them is all vehicles",
        f"name one with {proposed(some)}, or add up the rows of each time first",
    )


@functools.lru_cache(maxsize=1 << 17)
def class_of(name: str) -> tuple[str, ...]:
    """The kinds of road users that a column counts, if its name says a class and nothing else.

    >>> class_of("Cars"), class_of("LKW"), class_of("nb_pl"), class_of("cars north")
    (('car',), ('lorry',), ('lorry', 'articulated', 'bus'), ())
    """
    plain = _COUNTED.sub("", plain_name(name))
    if numbered := _NUMBERED.fullmatch(plain):
        return (f"class {numbered[1]}",)
    return next((kinds for words, kinds in _PATTERNS if words.fullmatch(plain)), ())
