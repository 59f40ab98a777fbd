"""Collect what is found wrong, guessed or corrected while a table is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal, NoReturn, TypeAlias

from citytune._errors import TableError
from citytune.frame import Fault

Severity: TypeAlias = Literal["error", "warning", "note"]
ESCAPED = r"\u200b"
"""The mark of a guarded name in a quoted text."""
_RANK = {"error": 0, "warning": 1, "note": 2}


class Findings:
    """The growing list of faults of one source; the errors among them stop the reading.

    Errors of the kinds that are `moot` are none of this source.
    """

    def __init__(self, source: str, moot: Collection[str] = ()) -> None:
        self.source, self._moot = source, moot
        self._faults: list[Fault] = []

    @property
    def faults(self) -> list[Fault]:
        """Everything found so far: errors first, then warnings, then notes."""
        return sorted(self._faults, key=lambda fault: _RANK[fault.severity])

    def note(
        self,
        kind: str,
        message: str,
        remedy: str,
        *,
        sensor: str | None = None,
        count: int = 1,
        first: str | None = None,
    ) -> None:
        """A guess, or a correction that loses nothing."""
        self._add("note", kind, message, remedy, sensor, count, first)

    def warn(
        self,
        kind: str,
        message: str,
        remedy: str,
        *,
        sensor: str | None = None,
        count: int = 1,
        first: str | None = None,
    ) -> None:
        """Something the person should look at."""
        self._add("warning", kind, message, remedy, sensor, count, first)

    def error(
        self,
        kind: str,
        message: str,
        remedy: str,
        *,
        sensor: str | None = None,
        count: int = 1,
        first: str | None = None,
    ) -> None:
        """Something that makes the file unusable; all such errors are reported together."""
        if kind not in self._moot:
            self._add("error", kind, message, remedy, sensor, count, first)

    def _add(
        self,
        severity: Severity,
        kind: str,
        message: str,
        remedy: str,
        sensor: str | None,
        count: int,
        first: str | None,
    ) -> None:
        said, todo = (text.replace("\u200b", "").replace(ESCAPED, "") for text in (message, remedy))
        whose = None if sensor is None else sensor.replace("\u200b", "")
        self._faults.append(Fault(kind, severity, said, todo, whose, count, first))

    def keep(self, faults: Iterable[Fault]) -> None:
        """Add what was found in a part of the source, each kind of it once."""
        known = {(fault.kind, fault.message) for fault in self._faults}
        self._faults += [fault for fault in faults if (fault.kind, fault.message) not in known]

    def stop_on_errors(self) -> None:
        """Raise `TableError` with every error found so far, if there is one."""
        if problems := [str(fault) for fault in self.faults if fault.severity == "error"]:
            raise TableError(self.source, problems)

    def adopt(self, error: TableError) -> None:
        """Keep the errors of a second source, which stopped the reading of this one."""
        if error.source != self.source:
            for problem in error.problems:
                message, _, remedy = problem.rpartition("; ")
                self.error("covariate-source", f"{error.source}: {message}", remedy)

    def fail(self, kind: str, message: str, remedy: str) -> NoReturn:
        """An error after which nothing more can be looked at."""
        self.error(kind, message, remedy)
        self.stop_on_errors()
        raise AssertionError("an error was just added")
