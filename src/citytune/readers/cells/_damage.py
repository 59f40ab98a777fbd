"""Say that a file is damaged, wherever in the reading that is found out, and in one sentence."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import polars as pl

from citytune.readers.cells._findings import Findings

_DAMAGE = re.compile(
    r"(?i)parquet|thrift|ipc|arrow|out.of.spec|metadata|buffer|offset|utf8|range|overflow|panic|"
    r"timezone|time zone|recordbatch|unwrap|bounds|decompress|snappy|zstd|page|dictionary"
)
_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
_STDERR = 2


@contextmanager
def damage_told(findings: Findings) -> Iterator[None]:
    """Turn whatever stops polars while rows are read into one fault."""
    try:
        with _HELD:
            yield
    except _ERRORS as error:
        lines = str(error).strip().splitlines()
        reason = lines[0][:160] if lines else type(error).__name__
        if _DAMAGE.search(reason) or isinstance(error, pl.exceptions.PanicException):
            findings.fail(
                "damaged-file",
                "the file is damaged" + ("" if "unwrap" in reason else f" ({reason})"),
                "copy or export it once more; it may have been cut short",
            )
        findings.fail(
            "unreadable",
            f"the table cannot be read ({reason})",
            "give its columns plain types (numbers, text, times), or export it once more as CSV",
        )


class _HeldStderr:
    """Keeps what Rust prints of its panics off the terminal; all else is printed at the end.

    A panic is reported by the thread that meets it, right to file descriptor 2, before Python
    learns of it. Several threads may read at the same time: the first in holds the descriptor, the
    last out lets go of it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._real = -1
        self._held: IO[bytes] | None = None
        self._panicked = False

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                with suppress(OSError):  # there is no standard error, so nothing to hold
                    self._real = os.dup(_STDERR)
                    self._held = tempfile.TemporaryFile()
                    os.dup2(self._held.fileno(), _STDERR)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._lock:
            self._depth -= 1
            self._panicked |= kind is not None and issubclass(kind, pl.exceptions.PanicException)
            if self._depth == 0 and self._held is not None:
                self._let_go(self._held)
                self._held, self._panicked = None, False

    def _let_go(self, held: IO[bytes]) -> None:
        os.dup2(self._real, _STDERR)
        os.close(self._real)
        with held:
            held.seek(0)
            if not self._panicked and (said := held.read()):
                os.write(_STDERR, said)


_HELD = _HeldStderr()
