"""What the shell completes: values that are known beforehand, asked of whoever knows them.

Nothing is imported before somebody presses the key.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import Field
from typing import Any

AUTO = "auto"


def _backbones() -> Iterable[str]:
    from citytune.backbones import shelf

    return AUTO, *shelf()


def _strategies() -> Iterable[str]:
    from citytune.tuning import strategies

    return AUTO, *strategies


def _quantities() -> Iterable[str]:
    from citytune.readers import known_quantities

    return known_quantities()


def _engines() -> Iterable[str]:
    from citytune.engines import engine_names

    return engine_names()


KNOWN: dict[str, Callable[[], Iterable[str]]] = {
    "backbone": _backbones, "engine": _engines, "quantity": _quantities, "strategy": _strategies,
}  # fmt: skip
"""Option → the values that it may have; of those that say them in their type, that does."""


def values_of(one: Field[Any], owner: type) -> Callable[[str], list[str]] | None:
    """Completes the option of a field; None where its values are not known beforehand."""
    if one.name in KNOWN:
        return completing(one.name)
    found = tuple(_literals(typing.get_type_hints(owner)[one.name]))
    return (lambda incomplete: _beginning(incomplete, found)) if found else None


def completing(option: str) -> Callable[[str], list[str]]:
    """Completes an option of `KNOWN`."""
    return lambda incomplete: _beginning(incomplete, KNOWN[option]())


def targets(incomplete: str) -> list[str]:
    """Where a forecast may go: a name with each ending, or the beginnings of addresses."""
    from citytune.writers import marks

    folder, slash, stem = incomplete.rpartition("/")
    name = folder + slash + (stem.partition(".")[0] or "forecast")
    files = [name + one for one in marks() if one.startswith(".") and ":" not in incomplete]
    return _beginning(incomplete, [*files, *(one for one in marks() if "://" in one)])


def _beginning(incomplete: str, values: Iterable[str]) -> list[str]:
    return [one for one in values if one.startswith(incomplete)]


def _literals(hint: Any) -> list[str]:
    """The words that a type names."""
    if typing.get_origin(hint) is typing.Literal:
        return [one for one in typing.get_args(hint) if isinstance(one, str)]
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return [word for part in typing.get_args(hint) for word in _literals(part)]
    return []
