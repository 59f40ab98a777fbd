"""Columns that are no sensors of one quantity: flags of others, and quantities side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

import polars as pl

from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._units import SPEED, unit_in
from citytune.readers.cells._vocabulary import (
    PLACES,
    TARGETS,
    bidding_areas,
    family,
    goes_beside,
    plain_name,
    target_rank,
    tokens,
)
from citytune.readers.columns._kinds import COMPUTED

MOST_QUANTITIES = 12
"""Columns up to which they may be quantities of one place; networks have more."""
RATIO_OF_UNLIKE = 20.0
"""Ratio of the largest values of two columns from which they seem to be of two quantities."""
FEWEST_SIGNS, FEWEST_WEATHER = 2, 3
"""Differences of columns of several quantities; columns of weather next to the speed of wind."""
FEWEST_ROWS = 48
"""Numbers one after the other from which they are those of the rows."""
_FLAG = re.compile(r"q|qc|qf|qn|qa|k|s|f|st|flag|status|state|valid|quality|ind|indicator")
_AGAIN = re.compile(r" \(\d+\)$")
"""What is added to a name that comes again."""
_WEATHER = frozenset(
    ["temp", "temperature", "humidity", "hum", "dew", "dewpoint", "pressure", "barometer", "wind",
     "gust", "rain", "precip"]
)  # fmt: skip
_STATIONS = frozenset(["station", "stations", "stationsname", "estacion", "stazione", "stn"])
_ELECTRICAL = frozenset("uipfqs")
_BARE = re.compile(
    r"(column|field|value|val|wert|valor|valeur|waarde|data|input|ch|chan|channel|kanal|ai|adc|"
    r"analog|v|x|y)[_ ]?\d+",
    re.IGNORECASE,
)
"""Names that say nothing, neither what was measured nor where."""
_FIELD = re.compile(r"field[_ ]?\d", re.IGNORECASE)
"""Those of ThingSpeak's channels, whose fields are seldom of one quantity."""
_CODE = re.compile(r"[A-Z][A-Z0-9]{0,4}")
"""Names of a service's own, such as those of KNMI."""
_CALENDAR = re.compile(r"year|month|day|hour|minute|week\w*|dayofweek|season|holiday")


def flags_of_others(columns: Columns) -> frozenset[str]:
    """Columns in which few small whole numbers stand under another's name and a word: QT next to T.

    So do all columns of one name that stand by others, such as the coverage of each.
    """
    by_each = _standing_by_each(columns)
    plain = {plain_name(n) for n, one in columns.by_name.items() if one.kind in ("number", "empty")}
    return frozenset(
        name
        for name, one in columns.by_name.items()
        if _bare(name) in by_each or (_is_small(one) and _flags_one(_bare(name), plain, columns))
    )


def _is_small(column: Column) -> bool:
    """Whether a column holds whole numbers of one digit, and few of them."""
    return column.whole and column.low >= 0 and column.high <= 9 and len(column.cells) <= 9


def _flags_one(bare: str, names: Collection[str], columns: Columns) -> bool:
    """Whether a name is one of some plain ones and a word, or is a word that comes again."""
    plain = plain_name(bare)
    if _FLAG.fullmatch(plain) and f"{bare} (2)" in columns.by_name:
        return True  # one before or behind each reading
    parts = {part for i in range(1, len(plain)) for part in (plain[:i], plain[i:])}
    rests = (plain.replace(one, "", 1).strip("_") for one in parts if one in names)
    return any(map(_FLAG.fullmatch, rests))


def _standing_by_each(columns: Columns) -> set[str]:
    """Names that say no quantity and come again behind, or before, other names each."""
    again = {name for name in map(_bare, columns.by_name) if f"{name} (2)" in columns.by_name}
    again = {name for name in again & {*columns.by_name} if target_rank(name) is None}
    numbers = columns.numbers()
    return _with_their_own(again, numbers) | _with_their_own(again, numbers[::-1])


def _with_their_own(some: Collection[str], names: Sequence[str]) -> set[str]:
    """Of some names those before each of which another column stands, called as none else."""
    own, owners = "", {name: list[str]() for name in some}
    again = {_bare(name) for name in names if _AGAIN.search(name)}
    for name in names:
        bare = _bare(name)
        if bare in owners:
            owners[bare].append(own)
        if bare not in again:
            own = name
    return {name for name, all_ in owners.items() if "" not in all_ and len({*all_}) == len(all_)}


def _bare(name: str) -> str:
    return _AGAIN.sub("", name)


def numbers_rows(column: Column, columns: Columns) -> bool:
    """Whether the first column counts the rows from 0 or 1, whatever it is called: STT, Lp."""
    if column.name != next(iter(columns.by_name)) or not column.whole:
        return False
    told = target_rank(column.name) is not None or unit_in(column.name) is not None
    cells = column.cells.cast(pl.Float64, strict=False)
    first = cells[0] in (0, 1) and len(cells) >= FEWEST_ROWS
    return first and not told and bool((cells.diff().drop_nulls() == 1).all())


def is_speed_of_wind(name: str, columns: Columns) -> bool:
    """Whether a column called speed stands among columns of weather."""
    if plain_name(name) not in ("speed", "avg_speed"):
        return False
    weather = [n for n in columns.by_name if _WEATHER & {*tokens(n)}]
    return len(weather) >= FEWEST_WEATHER


def refuse_unlike(chosen: Sequence[str], columns: Columns, findings: Findings) -> None:
    """Columns of names of their own that all say a quantity, or stand by weather and are unlike."""
    bare = all(_BARE.fullmatch(name) for name in chosen)
    fields = all(_FIELD.fullmatch(name) for name in chosen)
    electrical = _are_electrical(chosen)
    alone = bare or electrical or len({family(name) or name for name in chosen}) == len(chosen)
    if not (2 <= len(chosen) <= MOST_QUANTITIES and alone) or bidding_areas(chosen):
        return
    if not (bare or electrical) and _are_named(chosen):
        return
    told = all(goes_beside(name) or target_rank(name) is not None for name in chosen)
    said = electrical or fields or (told and not bare) or _some_spell_a_unit(chosen)
    placed = any(_is_place(column) for column in columns.by_name.values())
    near = [n for n in columns.numbers() if goes_beside(n) and not _CALENDAR.fullmatch(family(n))]
    signs = _differences(chosen, columns)
    signs += FEWEST_SIGNS * (bare and _lie_apart(chosen, columns))
    if (not said and signs < FEWEST_SIGNS - placed) or not (
        said or near or bare or placed or (_one_is_known(chosen) and signs > FEWEST_SIGNS)
    ):
        return
    full = [n for n in chosen if columns.kind(n) != "empty" and not columns.by_name[n].constant]
    ordered = sorted(full or chosen, key=lambda n: (goes_beside(n), target_rank(n) is None))
    every = f", or all with target={[*chosen]!r} if each is a sensor" if fields else ""
    findings.error(
        "which-target",
        f"{len(ordered)} columns could be the readings, and they "
        f"{'may be' if fields and not signs else 'are'} of several quantities: "
        + "; ".join(sight(columns.by_name[name]) for name in ordered),
        "name one with " + " or ".join(f"target={name!r}" for name in ordered) + every,
        count=len(ordered),
    )


def refuse_code(
    chosen: Sequence[str], numbers: Sequence[str], columns: Columns, findings: Findings
) -> None:
    """The only column that is left as its code is unknown, where the others are codes of weather.

    Of FH next to T and RH nobody knows that it is the wind.
    """
    some = [n for n in numbers if columns.kind(n) == "number" and not columns.by_name[n].constant]
    unknown = len(chosen) == 1 and target_rank(chosen[0]) is None and unit_in(chosen[0]) is None
    near = [n for n in some if n not in chosen and goes_beside(n)]
    if not (unknown and near and all(map(_CODE.fullmatch, {*some, *chosen}))):
        return
    ordered = [*chosen, *near]
    findings.error(
        "which-target",
        f"{len(ordered)} columns could be the readings, and they are of several quantities: "
        + "; ".join(sight(columns.by_name[name]) for name in ordered[:8]),
        "name one with " + " or ".join(f"target={name!r}" for name in ordered[:8]),
        count=len(ordered),
    )


def _are_electrical(names: Sequence[str]) -> bool:
    """Whether names end with letters of current, power and frequency: DC1 U, DC1 I, AC1 P."""
    words = [tokens(name) for name in names]
    ends = {some[-1] for some in words if len(some) > 1}
    sure = "p" in ends and bool(ends & {"u", "i"}) and len(ends) > 2
    return sure and ends <= _ELECTRICAL and all(len(some) > 1 for some in words)


def sight(column: Column) -> str:
    """A column with its range and its first values."""
    examples = ", ".join(str(cell) for cell in column.cells.head(3).to_list())
    return f"{column.name!r} ({column.low:g} to {column.high:g}: {examples}, …)"


def _is_place(column: Column) -> bool:
    """Whether a column says throughout at which one station the readings were taken."""
    return column.kind == "text" and column.constant and bool({*tokens(column.name)} & _STATIONS)


def _are_named(names: Sequence[str]) -> bool:
    """Whether names share a word, as those of substations do, or one is that of a place."""
    words = [{w for w in tokens(name) if not COMPUTED.search(w)} for name in names]
    return bool(set.intersection(*words) or set().union(*words) & PLACES)


def _lie_apart(names: Sequence[str], columns: Columns) -> bool:
    """Whether all readings of one column are above all those of another."""
    some = [columns.by_name[name] for name in names if columns.kind(name) != "empty"]
    return bool(some) and max(one.low for one in some) > min(one.high for one in some)


def _some_spell_a_unit(names: Sequence[str]) -> bool:
    """Whether few names spell a unit of speed and the others none: cars, vans, speed (km/h)."""
    spelt = [n for n in names if re.search(r"[(\[]", n) and unit_in(n) in SPEED]
    return bool(spelt) and not any(unit_in(n) for n in names if n not in spelt)


def _one_is_known(names: Sequence[str]) -> bool:
    """Whether few names say a quantity next to some that do not: demand, exchange."""
    known = [name for name in names if {*tokens(name)} & {*TARGETS}]
    return 0 < len(known) < len(names)


def _differences(names: Sequence[str], columns: Columns) -> int:
    """In how many ways columns differ: level, decimals, sign, standing still."""
    some = [columns.by_name[name] for name in names]
    live = [column for column in some if not column.constant and column.kind != "empty"]
    highest = [max(abs(column.low), abs(column.high)) for column in live]
    return sum(
        (
            bool(live) and max(highest) > RATIO_OF_UNLIKE * min(highest),
            len({column.whole for column in live}) > 1,
            len({column.low < 0 for column in live}) > 1,
            len(live) < len(some),
        )
    )


def are_unlike(some: Sequence[str], others: Sequence[str], columns: Columns) -> bool:
    """Whether each of some columns differs from all of others: in level, decimals or sign."""
    return bool(others) and all(
        all(_differences([one, other], columns) > 0 for other in some) for one in others
    )


def mixture(chosen: Sequence[str]) -> list[str]:
    """Name parts that say that the columns of a wide table are not of one kind."""
    beside = [name for name in chosen if goes_beside(name)]
    ranks = Counter(family(n) for n in chosen if target_rank(n) is not None)
    if beside and len({family(n) for n in chosen}) > 1:
        return sorted({family(n) for n in beside})
    return sorted(ranks) if len(ranks) > 1 else []


def stands_beside(name: str, live: Sequence[str]) -> bool:
    """Whether a name says something about one of others, or of its place: flow_status, A total."""
    return any(_flags(name, one) for one in live) or _of_others(name, live)


def _flags(name: str, other: str) -> bool:
    """Whether a name is another one with a word before or behind it: K_flow, flow_status."""
    rest = name.removesuffix(other) if name.endswith(other) else name.removeprefix(other)
    return rest != name and bool(re.fullmatch(r"[A-Za-z]+[_ .-]|[_ .-][A-Za-z]+", rest))


def _of_others(name: str, live: Sequence[str]) -> bool:
    """Whether a name says a place of others, and not what all of them say: A total, A free."""
    words, said = {*tokens(name)}, [{*tokens(one)} for one in live]
    shared = set.intersection(*said) if len(said) > 1 else set()
    return not shared <= words and any(words & (some - shared) for some in said)
