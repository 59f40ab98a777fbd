"""How far a fit is, by what takes its time: windows that pass through the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from citytune.settings import Progress

BACK = 3
"""Passes that it takes to learn from a window: through the network and back."""
MOST_TOLD = 0.95
"""The share at most, for something is left to be done when every window has passed."""


@dataclass(eq=False)
class Work:
    """Passes of windows through the network: those expected, and those done."""

    total: float = 0.0
    done: float = 0.0
    share: float = 0.0
    """The share that was told last, which never falls."""
    lock: Lock = field(default_factory=Lock)

    def __reduce__(self) -> tuple[type[Work], tuple[float, float, float]]:
        """Sent to another process, it has a lock of its own there."""
        return Work, (self.total, self.done, self.share)

    def expect(self, passes: float) -> None:
        """There will be so many more."""
        with self.lock:
            self.total += passes

    def tell(self, progress: Progress | None, what: str, passes: float) -> None:
        """So many were done, and who wants to know is told the share, 0 … 1."""
        share = self._add(passes)
        if progress is not None:
            progress(what, share)

    def _add(self, passes: float) -> float:
        with self.lock:
            self.done += passes
            share = min(MOST_TOLD, self.done / max(self.total, self.done, 1.0))
            self.share = max(self.share, share)
            return self.share
