"""Collect what is found wrong, guessed or corrected while a table is read."""

from __future__ import annotations

from typing import NoReturn

from citytune._errors import TableError
from citytune.frame import Fault

_RANK = {"error": 0, "warning": 1, "note": 2}


class Findings:
    """The growing list of faults of one source; the errors among them stop the reading."""

    def __init__(self, source: str) -> None:
        self.source = source
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
        self._faults.append(Fault(kind, "note", message, remedy, sensor, count, first))

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
        self._faults.append(Fault(kind, "warning", message, remedy, sensor, count, first))

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
        self._faults.append(Fault(kind, "error", message, remedy, sensor, count, first))

    def stop_on_errors(self) -> None:
        """Raise `TableError` with every error found so far, if there is one."""
        if problems := [str(fault) for fault in self.faults if fault.severity == "error"]:
            raise TableError(self.source, problems)

    def adopt(self, error: TableError) -> None:
        """Keep the errors of a second source, which stopped the reading of this one."""
        if error.source != self.source:
            for problem in error.problems:
                self.error("covariate-source", f"{error.source}: {problem}", "see there")

    def fail(self, kind: str, message: str, remedy: str) -> NoReturn:
        """An error after which nothing more can be looked at."""
        self.error(kind, message, remedy)
        self.stop_on_errors()
        raise AssertionError("an error was just added")
