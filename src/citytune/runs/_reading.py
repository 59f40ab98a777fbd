"""How a source is to be read, and how that is kept with a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from citytune._errors import InputError, UnknownName
from citytune.settings import setting

if TYPE_CHECKING:
    from citytune.frame import Fault, SensorFrame
    from citytune.readers import Explanation

Names: TypeAlias = str | Sequence[str] | None
ELSEWHERE = "covariates_elsewhere"
"""In a run, covariates that were no columns of the file itself; never read again by themselves."""

COVARIATES, SEVERAL = ("covariates", ELSEWHERE), ("time", "sensor", "target")
"""What is kept as names, always several or one or several."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The options of `read`; what is not said is guessed."""

    time: Names = setting(
        None, "Column of times, or of their parts", metavar="COLUMN", repeated=True
    )
    sensor: Names = setting(
        None, "Column of sensor names in a long table", metavar="COLUMN", repeated=True
    )
    target: Names = setting(None, "Column to forecast", metavar="COLUMN", repeated=True)
    covariates: Any = setting(
        (),
        "Column, or second file, known ahead, such as a weather forecast, which must reach a "
        "horizon beyond the last reading",
        metavar="COLUMN",
        repeated=True,
    )
    quantity: str | None = setting(
        None, "What is measured: traffic_volume, pm25, load, …", metavar="NAME"
    )
    unit: str | None = setting(None, "Its unit: veh/h, µg/m³, kW, …", metavar="UNIT")
    timezone: str | None = setting(
        None, "Time zone of times without an offset: Europe/Oslo", metavar="ZONE"
    )
    missing: float | Sequence[float] | None = setting(
        None, "Value that stands for no data, such as -1", metavar="VALUE", repeated=True
    )
    stamp: Literal["begin", "end"] | None = setting(
        None,
        "Whether a time names the begin or the end of what was measured",
        metavar="begin|end",
    )
    date_order: Literal["day", "month"] | None = setting(
        None,
        "Whether the day or the month comes first in dates such as 03/04/2026",
        metavar="day|month",
    )
    valid: Mapping[str, Sequence[str]] | None = setting(
        None,
        "Column that says whether a reading is valid, and its cells that mean so, such as "
        "Validity=1,2",
        metavar="COLUMN=CELLS",
        repeated=True,
    )
    country: str | None = setting(
        None, "Country whose public holidays count: NO, US-MN", metavar="CODE"
    )
    table: str | None = setting(None, "Of a database, the table to read", metavar="NAME")
    query: str | None = setting(None, "Of a database, the rows to read, in SQL", metavar="SQL")

    def read(self, source: object) -> SensorFrame:
        """Read a source as asked; a frame, which was read before, is taken as it is."""
        from citytune.frame import SensorFrame
        from citytune.readers import read

        if not isinstance(source, SensorFrame):
            return read(source, **self._options())
        if said := sorted(self.said()):
            raise InputError(
                f"the frame was read already, so {said[0]}= comes too late; pass it to read"
            )
        return source

    def check(self, source: object) -> list[Fault]:
        """Every fault of a source read as asked."""
        from citytune.readers import check

        return list(check(source, **self._options()))

    def explain(self, source: object) -> Explanation:
        """How a source is understood, column by column."""
        from citytune.readers import explain

        return explain(source, **self._options())

    def said(self) -> dict[str, Any]:
        """What was said, by name."""
        return {name: value for name, value in self._options().items() if _is_said(value)}

    def over(self, earlier: Reading, source: object) -> Reading:
        """This reading of a source where it says something, an earlier one where it does not.

        A file has no tables, and a query takes the place of a table.
        """
        from citytune.readers import is_database

        said = self.said()
        if not is_database(source) or {"table", "query"} & {*said}:
            earlier = replace(earlier, table=None, query=None)
        return replace(earlier, **said)

    def for_run(self, source: object, kept: Mapping[str, Any] | None, folder: Path) -> SensorFrame:
        """A source read as that of a run was; see `like_run`."""
        with self.like_run(source, kept, folder) as reading:
            return reading.read(source)

    @contextmanager
    def like_run(
        self, source: object, kept: Mapping[str, Any] | None, folder: Path
    ) -> Iterator[Reading]:
        """How a source is read as that of a run was, where this reading says nothing else.

        Args:
            source: What `read` takes; what is done with the reading is to read it.
            kept: What the run keeps of how its own source was read, if it keeps anything.
            folder: Of the run, for messages.

        Raises:
            InputError: the run was made with covariates from elsewhere, and they are not given;
                or the source has other columns.
        """
        from citytune.frame import SensorFrame

        if isinstance(source, SensorFrame) or kept is None:
            yield self
            return
        elsewhere = kept.get(ELSEWHERE, ())
        if elsewhere and "covariates" not in self.said():
            raise InputError(
                f"{folder} was made with covariates from {', '.join(elsewhere)}, which is only "
                f"read if it is named again; pass covariates={elsewhere[0]}"
            )
        earlier = Reading.of_run(kept)
        try:
            yield self.over(earlier, source)
        except UnknownName as error:
            if self.target is not None or error.name != earlier.target:
                raise
            raise InputError(
                f"{error} {folder} was made from that column; if another one holds the same, "
                "name it with target="
            ) from error

    def kept(self, frame: SensorFrame) -> dict[str, Any]:
        """What was said, as JSON, to be kept with the run of `frame`.

        So is which table and column were guessed, which another source may have more of.
        """
        said = self.said()
        table, column = frame.origin.table, frame.origin.column
        said |= {"table": table} if table and "query" not in said else {}
        said |= {"target": column} if column and "target" not in said else {}
        covariates = [_named(one) for one in _listed(said.pop("covariates", ()))]
        columns = [name for name in covariates if name in frame.covariates]
        elsewhere = [name for name in covariates if name not in columns]
        plain = {name: _plain(value) for name, value in said.items()}
        plain |= {"covariates": columns} if columns else {}
        return plain | ({ELSEWHERE: elsewhere} if elsewhere else {})

    @classmethod
    def of_run(cls, facts: Mapping[str, Any]) -> Self:
        """What a run keeps, as a reading: covariates are columns of the file, and never paths.

        Raises:
            TypeError: it is not what `kept` gives.
        """
        from citytune.readers import ColumnName

        _check_kept(facts)
        known = {name: value for name, value in facts.items() if name != ELSEWHERE}
        columns = tuple(map(ColumnName, facts.get("covariates", ())))
        return cls(**known | {"covariates": columns})

    def _options(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(Reading)}


def _is_said(value: Any) -> bool:
    """Whether an option holds something; tables have no truth value of their own."""
    return value is not None and not (isinstance(value, str | list | tuple | dict) and not value)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set) else [value]


def _plain(value: Any) -> Any:
    """An option as JSON."""
    if isinstance(value, Mapping):
        return {column: list(cells) for column, cells in value.items()}
    return value if isinstance(value, str) else _listed(value)


def _named(covariate: Any) -> str:
    from citytune.readers import masked

    is_path = isinstance(covariate, str | os.PathLike)
    return masked(covariate) if is_path else f"a {type(covariate).__name__}"


def _check_kept(facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        if name not in KEPT or not _fits(name, value):
            raise TypeError(f"{name} cannot be {str(value)[:50]!r}")


def _fits(name: str, value: Any) -> bool:
    if name == "valid":
        return isinstance(value, dict) and all(_fits("covariates", one) for one in value.values())
    if name == "missing" or name in COVARIATES or (name in SEVERAL and isinstance(value, list)):
        kind = int | float if name == "missing" else str
        return isinstance(value, list) and all(isinstance(one, kind) for one in value)
    return isinstance(value, str)


KEPT = {ELSEWHERE, *(one.name for one in fields(Reading))}
