"""Options of the command line that are fields of `Settings`: made from them, not written again."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any

import typer

from citytune.cli._completion import values_of
from citytune.settings import Settings

EVERY = tuple(one.name for one in fields(Settings))


def takes_settings(
    *names: str,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each of these fields, gathered into its argument `settings`.

    Args:
        names: Of the fields; by default all of them.
    """
    chosen = [one for one in fields(Settings) if one.name in (names or EVERY)]

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        kept = [p for p in own.parameters.values() if p.name != "settings"]

        @functools.wraps(command)
        def gathered(**given: Any) -> None:
            said = {one.name: given.pop(one.name) for one in chosen}
            known = {name: value for name, value in said.items() if value is not None}
            command(settings=Settings(**known), **given)

        parameters = [*kept, *(option_of(one) for one in chosen)]
        gathered.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        gathered.__annotations__ = {p.name: p.annotation for p in parameters}
        return gathered

    return wrap


def option_of(one: Field[Any]) -> inspect.Parameter:
    """The option of one field."""
    kind = _kind(one)
    default = None if one.default is MISSING or kind not in (int, float, str) else one.default
    required = one.default is MISSING and one.default_factory is MISSING
    option = typer.Option(
        f"--{'option' if one.name == 'options' else one.name.replace('_', '-')}",
        metavar=one.metadata["metavar"],
        show_default=default is not None,
        help=one.metadata["help"],
        autocompletion=values_of(one, Settings),
    )
    annotation = kind if required or default is not None else kind | None
    return inspect.Parameter(
        one.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if required else default,
        annotation=Annotated[annotation, option],
    )


def _kind(one: Field[Any]) -> Any:
    """What typer reads: a number, a text, or several texts."""
    if one.metadata["repeated"]:
        return list[str]
    hint = typing.get_type_hints(Settings)[one.name]
    parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return str if str in parts else next(part for part in parts if part is not type(None))


_forget = next(one for one in fields(Settings) if one.name == "forget")
Forget = option_of(_forget).annotation
"""The same option, by itself."""
