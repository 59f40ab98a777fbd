"""The engine of this process: one group after the other, each with all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from citytune.engines._engine import Found, Part, refuse_address, register_engine

NAME = "local"


class LocalEngine:
    """Takes one part after the other; memory holds one of them at a time."""

    def __init__(self, asked: str = NAME) -> None:
        refuse_address(NAME, asked)

    def map(self, function: Callable[[Part], Found], parts: Iterable[Part]) -> Iterator[Found]:
        """See `Engine`."""
        for part in parts:
            yield function(part)

    def close(self) -> None:
        """Nothing was taken."""


register_engine(NAME, LocalEngine)
