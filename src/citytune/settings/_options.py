"""A strategy's options, by name or in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, get_args

from citytune._errors import InputError

Plain: TypeAlias = bool | int | float | str | None
Options: TypeAlias = Mapping[str, Plain]
"""A strategy's options by name."""


def read_options(given: Options | Sequence[str] | None) -> dict[str, Plain]:
    """By name; from words such as "rank=8", whose values are as JSON has them, or text.

    Raises:
        InputError: they are neither, or a value is no number, text or truth value.

    >>> read_options(["rank=8", "rate=1e-3", "stack=false", "loss=mae"])
    {'rank': 8, 'rate': 0.001, 'stack': False, 'loss': 'mae'}
    """
    if isinstance(given, Mapping):
        return {str(name): _plain(name, value) for name, value in given.items()}
    texts = () if given is None else given
    if not isinstance(texts, list | tuple) or not all(isinstance(one, str) for one in texts):
        raise InputError(
            "options are names and values, such as {'rank': 8} or ['rank=8']; got "
            f"{str(given)[:100]!r}"
        )
    return dict(map(_in_words, texts))


def _in_words(text: str) -> tuple[str, Plain]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise InputError(f"an option is given as NAME=VALUE, such as rank=8; got {text!r}")
    try:
        plain = json.loads(value)
    except (ValueError, RecursionError):
        plain = value
    found = value if isinstance(plain, list | dict) else plain
    return name.strip().replace("-", "_"), found


def _plain(name: object, value: Any) -> Plain:
    """A value as Python's own, also of a number of numpy."""
    found = value.item() if getattr(value, "shape", None) == () else value
    if not isinstance(found, get_args(Plain)):
        raise InputError(
            f"the option {str(name)[:50]!r} is a number, a text or a truth value; got "
            f"{str(value)[:100]!r}"
        )
    return found
