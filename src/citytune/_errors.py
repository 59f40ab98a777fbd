"""The exceptions a person may meet, all under one base class.

CitytuneError
├── InputError          the person's input cannot be used (the command line exits with 2)
│   ├── TableError      a table has faults; carries every one of them
│   ├── UnknownName     a name nobody knows; suggests the nearest one (also a LookupError)
│   ├── MissingWeights  a backbone is known, but its weights or its package are not here
│   ├── NothingNew      a source ends where it ended before, so a run is up to date
│   ├── OlderSource     a source ends before what a run has read
│   └── RunError        a run folder is damaged, foreign, in the way, or does not fit the file
└── (anything else that escapes is a bug in citytune; the command line exits with 1)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CitytuneError(Exception):
    """Base of every exception citytune raises on purpose."""


class InputError(CitytuneError, ValueError):
    """The person's input cannot be used: the message says what, the rule, and what to do."""


class TableError(InputError):
    """A table has faults that no honest reading can work around."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(
            f"{source} cannot be used:\n" + "\n".join(f"  - {problem}" for problem in self.problems)
        )


class UnknownName(InputError, LookupError):  # noqa: N818 - reads as what it says
    """A name that is not on the list, answered with the nearest one that is."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.name = name
        names = sorted(known)
        self._made_of = kind, name, names
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        shown = [f'"{one}"' if "," in one else one for one in names[:20]]
        listed = ", ".join(shown) + (", …" if len(names) > 20 else "")
        choice = "" if close and len(names) > 100 else f" Known: {listed or 'none'}."
        super().__init__(f"no {kind} is called {name!r}.{hint}{choice}")

    def __reduce__(self) -> tuple[type[UnknownName], tuple[str, str, list[str]]]:
        """It passes from one process to another."""
        return UnknownName, self._made_of


class MissingWeights(InputError):  # noqa: N818 - reads as what it says
    """A backbone is known, but its weights or its package are not on this machine."""


class NothingNew(InputError):  # noqa: N818 - reads as what it says
    """A source ends where it ended when a run read it last: there is nothing to do yet."""


class OlderSource(InputError):  # noqa: N818 - reads as what it says
    """A source ends before what a run has read, from another one perhaps."""


class RunError(InputError):
    """A run folder is damaged, foreign, in the way, or does not fit the file it was given."""
