"""The options that say how a file is to be read, the same for every command that reads one."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from citytune._errors import InputError, UnknownName

if TYPE_CHECKING:
    from citytune.frame import Fault, SensorFrame
    from citytune.readers import Explanation

_Read = TypeVar("_Read")

SEVERAL = "repeat it, or separate by commas"
LISTS = ("time", "sensor", "target", "covariates", "missing")
PANEL = "How to read the file (guessed, and the guess is reported)"
File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        show_default=False,
        help="File, folder, pattern or address: CSV, Parquet, Excel, JSON and more; long or wide.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print a machine-readable result on stdout instead of words.")
]


def _option(metavar: str, words: str) -> Any:
    return typer.Option(metavar=metavar, help=words, rich_help_panel=PANEL, show_default=False)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a person wants a file to be read; what is not said is guessed."""

    time: Annotated[
        list[str] | None, _option("COLUMN", f"Column of times, or of their parts; {SEVERAL}.")
    ] = None
    sensor: Annotated[
        list[str] | None, _option("COLUMN", f"Column of sensor names in a long table; {SEVERAL}.")
    ] = None
    target: Annotated[list[str] | None, _option("COLUMN", f"Column to forecast; {SEVERAL}.")] = None
    covariates: Annotated[
        list[str] | None,
        _option(
            "COLUMN",
            f"Column, or second file, known ahead, such as a weather forecast; {SEVERAL}. It must "
            "reach a horizon beyond the last reading.",
        ),
    ] = None
    quantity: Annotated[
        str | None, _option("NAME", "What is measured: traffic_volume, pm25, load, …")
    ] = None
    unit: Annotated[str | None, _option("UNIT", "Its unit: veh/h, µg/m³, kW, …")] = None
    timezone: Annotated[
        str | None, _option("ZONE", "Time zone of times without an offset: Europe/Oslo.")
    ] = None
    missing: Annotated[
        list[str] | None,
        _option("VALUE", f"Value that stands for no data, such as -1; {SEVERAL}."),
    ] = None
    stamp: Annotated[
        str | None,
        _option("begin|end", "Whether a time names the begin or the end of what was measured."),
    ] = None
    valid: Annotated[
        list[str] | None,
        _option(
            "COLUMN=CELLS",
            "Column that says whether a reading is valid, and its cells that mean so, such as "
            "Validity=1,2; repeat it for several columns.",
        ),
    ] = None
    country: Annotated[
        str | None, _option("CODE", "Country whose public holidays count: NO, US-MN.")
    ] = None

    def options(self, *, whole: bool = False) -> dict[str, Any]:
        """The options as `citytune.readers.read` takes them.

        Args:
            whole: Whether a comma with a space behind it belongs to the name.
        """
        found = asdict(self) | {name: _split(getattr(self, name), whole) for name in LISTS}
        found["covariates"] = found["covariates"] or ()
        found["missing"] = [_number(text) for text in found["missing"] or ()] or None
        found["valid"] = _cells(self.valid)
        return found

    def read(self, source: object) -> SensorFrame:
        """Read a file or table as asked."""
        from citytune.readers import read

        return self._tried(read, source)

    def check(self, source: object) -> list[Fault]:
        """Every fault of a file or table read as asked."""
        from citytune.readers import check

        return list(self._tried(check, source))

    def explain(self, source: object) -> Explanation:
        """How a file or table is understood, column by column."""
        from citytune.readers import explain

        return self._tried(explain, source)

    def _tried(self, act: Callable[..., _Read], source: object) -> _Read:
        """Try names as they are split at commas, then with commas in them: "Main St, north"."""
        try:
            return act(source, **self.options())
        except InputError as error:
            if self.options() == (whole := self.options(whole=True)):
                raise
            try:
                return act(source, **whole)
            except UnknownName:
                raise error from None

    def said(self) -> dict[str, Any]:
        """What was said, as plain values, to be kept with a run."""
        return {name: value for name, value in asdict(self).items() if value}

    def over(self, earlier: Mapping[str, Any]) -> Reading:
        """This reading where it says something, an earlier one where it does not."""
        known = {field.name for field in fields(self)}
        return replace(Reading(**{k: v for k, v in earlier.items() if k in known}), **self.said())


def reads_a_file(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the reading options of `Reading`, gathered into its argument `reading`."""
    own = inspect.signature(command, eval_str=True)
    hints = get_type_hints(Reading, include_extras=True)
    options = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hints[field.name]
        )
        for field in fields(Reading)
    ]
    kept = [p for p in own.parameters.values() if p.name != "reading"]

    @functools.wraps(command)
    def gathered(**given: Any) -> None:
        said = {option.name: given.pop(option.name) for option in options}
        command(reading=Reading(**said), **given)

    parameters = [*kept, *options]
    gathered.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    gathered.__annotations__ = {p.name: p.annotation for p in parameters}
    return gathered


def _split(words: list[str] | None, whole: bool) -> list[str] | None:
    """Repeated or comma-separated names as one list; None if nothing was said."""
    parts = [
        part.strip()
        for word in words or ()
        for part in (re.split(r",(?! )", word) if whole else word.split(","))
    ]
    return [part for part in parts if part] or None


def _cells(said: list[str] | None) -> dict[str, list[str]] | None:
    """`Validity=1,2` as a column and its cells."""
    found = {}
    for word in said or ():
        column, mark, cells = word.rpartition("=")
        if not mark or not column.strip() or not cells.strip():
            raise InputError(
                f"--valid takes a column and its cells that mean valid, such as Validity=1,2, got "
                f"{word!r}"
            )
        found[column.strip()] = [cell.strip() for cell in cells.split(",")]
    return found or None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"--missing takes a number that stands for no data, such as -1, got {text!r}; words "
            "such as n/a or nodata are known to mean that"
        ) from None
