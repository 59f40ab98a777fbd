"""Collect what is wrong with pictures, and tell all of it at once."""

from __future__ import annotations

from collections.abc import Sequence

from citytune._errors import TableError
from citytune._text import counted, listed

LONGEST_NAME = 100
"""Characters of a name that are told, the last ones; a cell may hold a whole picture as text."""


def sentence(what: str, names: Sequence[str]) -> str:
    """A fault, of how many pictures and of which."""
    ends = [name if len(name) <= LONGEST_NAME else f"…{name[-LONGEST_NAME:]}" for name in names]
    return f"{what}: {counted(len(names), 'picture')}, {listed(ends, 5)}"


class Faults:
    """The faults of a source, told together."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[str] = []

    def add(self, what: str, names: Sequence[str]) -> None:
        """A fault of some pictures, if there are any."""
        if names:
            self.problems.append(sentence(what, names))

    def say(self, what: str) -> None:
        """A fault of the whole."""
        self.problems.append(what)

    def stop(self) -> None:
        """Raise what was found."""
        if self.problems:
            raise TableError(self.source, self.problems)
