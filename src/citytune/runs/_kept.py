"""What a run's folder holds, for whoever wants to read it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from citytune._errors import RunError
from citytune.runs._folder import REPORT, SCORES, Seal, own_file
from citytune.runs._record import read_record

if TYPE_CHECKING:
    import polars as pl


class Kept(ABC):
    """The part of a `Run` that is its files."""

    path: Path

    @property
    @abstractmethod
    def _seal(self) -> Seal | None: ...

    @property
    def report(self) -> Path:
        """The page to open in a browser."""
        return self.file(REPORT)

    def file(self, name: str) -> Path:
        """The path of one of its files; a `RunError` if it is not there, or a link."""
        if self._seal is None:
            raise RunError(
                f"{self.path} is not a run of citytune: it holds no {name}; give a FILE, or name a "
                "folder that `citytune tune` wrote"
            )
        return own_file(self.path, name)

    def changed(self, *names: str) -> tuple[str, ...]:
        """Files, of these names or of all, that are no longer what was written.

        A model renewed by `TunedModel.save` is among them; one that is damaged is refused.
        """
        return () if self._seal is None else self._seal.changed(self.path, names)

    @property
    def record(self) -> pl.DataFrame:
        """Every forecast that was written, with what was measured since as `actual`.

        Raises:
            RunError: its files are not as they were written.
        """
        self.file(SCORES)
        if self._seal is not None:
            self._seal.check_record(self.path)
        return read_record(self.path)
