"""The options that say how a file is to be read, made from the fields of `Reading`."""

from __future__ import annotations

import csv
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields
from typing import Annotated, Any

import typer

from citytune._errors import InputError, UnknownName
from citytune.cli._completion import values_of
from citytune.runs import Reading

PANEL = "How to read the file (guessed, and the guess is reported)"
SEVERAL = "repeat it, or separate by commas"
File = Annotated[
    str,  # a path would lose the slashes of an address
    typer.Argument(
        metavar="FILE",
        show_default=False,
        help="File, folder, pattern, address or database: CSV, Parquet, Excel, JSON, PostgreSQL "
        "and more; long or wide.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print a machine-readable result on stdout instead of words.")
]


def reads_a_file(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Reading`, gathered into its argument `reading`."""
    own = inspect.signature(command, eval_str=True)
    kept = [p for p in own.parameters.values() if p.name != "reading"]

    @functools.wraps(command)
    def gathered(**given: Any) -> None:
        said = {one.name: given.pop(one.name) for one in fields(Reading)}
        try:
            command(reading=reading_of(**said), **given)
        except UnknownName as error:
            raise _with_quotes(error, said) from error

    parameters = [*kept, *map(_option_of, fields(Reading))]
    gathered.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    gathered.__annotations__ = {p.name: p.annotation for p in parameters}
    return gathered


def reading_of(**words: Any) -> Reading:
    """A reading from words as they are typed; None and () say nothing.

    >>> reading_of(covariates=['rain, "wind speed, m/s"', "sun"]).covariates
    ('rain', 'wind speed, m/s', 'sun')
    """
    said: dict[str, Any] = {}
    for name, given in words.items():
        if isinstance(given, str):
            said[name] = given
        elif name == "valid":
            said[name] = _cells(given)
        elif given and (parts := tuple(part for word in given for part in _split(word))):
            said[name] = tuple(map(_number, parts)) if name == "missing" else parts
    return Reading(**said)


def words_of(reading: Reading) -> list[str]:
    """A reading as it is typed.

    >>> words_of(Reading(timezone="Europe/Oslo", missing=(-1.0,), valid={"ok": ["1", "2"]}))
    ['--timezone', 'Europe/Oslo', '--missing', '-1', '--valid', 'ok=1,2']
    >>> words_of(Reading(date_order="day"))
    ['--date-order', 'day']
    """
    found: list[str] = []
    for name, value in reading.said().items():
        if isinstance(value, Mapping):
            parts = [f"{column}={_joined(cells)}" for column, cells in value.items()]
        elif isinstance(value, str):
            parts = [value]
        else:
            parts = [_joined([f"{one:g}" if isinstance(one, float) else one for one in value])]
        option = f"--{name.replace('_', '-')}"
        found += [word for part in parts for word in (option, part)]
    return found


def _joined(names: Sequence[str]) -> str:
    """Names separated by commas, as `_split` takes them apart."""
    return ",".join(f'"{name}"' if "," in name else name for name in names)


def _option_of(one: Field[Any]) -> inspect.Parameter:
    """The option of one field."""
    facts = one.metadata
    text = f"{facts['help']}; {_several(one)}." if facts["repeated"] else f"{facts['help']}."
    option = typer.Option(
        metavar=facts["metavar"],
        help=text,
        rich_help_panel=PANEL,
        show_default=False,
        autocompletion=values_of(one, Reading),
    )
    kind: Any = list[str] | None if facts["repeated"] else str | None
    return inspect.Parameter(
        one.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind, option],
    )


def _several(one: Field[Any]) -> str:
    """How an option is given several times; the cells of `valid` are separated by commas."""
    return "repeat it for several columns" if one.name == "valid" else SEVERAL


def _split(word: str) -> list[str]:
    """Names separated by commas; one that has a comma itself stands in double quotes."""
    parts = next(csv.reader([word], skipinitialspace=True), [])
    return [part.strip() for part in parts if part.strip()]


def _with_quotes(error: UnknownName, said: Mapping[str, Any]) -> InputError:
    """An unknown name with a word on commas, if one of them may have cut it short."""
    for name, words in said.items():
        for word in words if isinstance(words, list) else ():
            if "," in word and '"' not in word and error.name in _split(word):
                return InputError(
                    f"{error} If it is one name with a comma in it, put it in double quotes inside "
                    f"the quotes of the shell: --{name} '\"{word}\"'"
                )
    return error


def _cells(words: Sequence[str] | None) -> dict[str, list[str]] | None:
    """`Validity=1,2` as a column and its cells."""
    found = {}
    for word in words or ():
        column, mark, cells = word.rpartition("=")
        if not mark or not column.strip() or not _split(cells):
            raise InputError(
                "--valid takes a column and its cells that mean valid, such as Validity=1,2, got "
                f"{word!r}"
            )
        found[column.strip()] = _split(cells)
    return found or None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"--missing takes a number that stands for no data, such as -1, got {text!r}; words "
            "such as n/a or nodata are known to mean that"
        ) from None
