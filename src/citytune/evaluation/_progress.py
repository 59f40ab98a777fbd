"""Tell a person how far a backtest is."""

from __future__ import annotations

from dataclasses import dataclass

from citytune._progress import Progress


@dataclass
class Tell:
    """Turns finished pieces of work into a share of the whole."""

    progress: Progress | None
    total: int
    done: int = 0
    stage: str = ""

    def start(self, stage: str) -> None:
        """Begin the next piece."""
        self.stage = stage
        self.within("", 0.0)

    def within(self, part: str, share: float) -> None:
        """Progress inside the current piece; also what a fit reports to."""
        if self.progress is not None:
            said = f"{self.stage}: {part}" if part else self.stage
            self.progress(said, min(1.0, (self.done + share) / self.total))

    def finish(self) -> None:
        """End the current piece."""
        self.done += 1
        self.within("", 0.0)

    def end(self) -> None:
        """Everything is done."""
        self.done, self.stage = self.total, "done"
        self.within("", 0.0)
