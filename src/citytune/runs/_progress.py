"""Tell a person which stage a job is in."""

from __future__ import annotations

from citytune._progress import Asked, Progress, shows_progress

__all__ = ["Asked", "Progress", "begin", "shows_progress"]


def begin(progress: Asked, stage: str) -> Progress:
    """Begin a stage; what comes back is told what is being done in it, and the share done."""
    if not progress:
        return lambda _part, _share: None
    progress(stage, 0.0)
    return lambda part, share: progress(f"{stage}: {part}" if part else stage, share)
