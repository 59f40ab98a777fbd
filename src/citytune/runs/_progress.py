"""Tell a person which stage a job is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, float], None]
"""Called with the stage ("Scoring", or "Scoring: yesterday") and the share of it done, 0 … 1."""


def begin(progress: Progress | None, stage: str) -> Progress:
    """Begin a stage; what comes back is told what is being done in it, and the share done."""
    if progress is None:
        return lambda _part, _share: None
    progress(stage, 0.0)
    return lambda part, share: progress(f"{stage}: {part}" if part else stage, share)
