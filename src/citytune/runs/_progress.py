"""Tell a person which stage a job is in."""

from __future__ import annotations

from citytune._progress import Asked, Progress, shows_progress

__all__ = ["Asked", "Progress", "begin", "shows_progress"]


def begin(progress: Asked, stage: str) -> Progress:
    """Begin a stage; what comes back is told what is being done in it, and the share done.

    The share that is passed on never falls, whatever the parts of the stage say of themselves.
    """
    if not progress:
        return lambda _part, _share: None
    progress(stage, 0.0)
    most = 0.0

    def told(part: str, share: float) -> None:
        nonlocal most
        most = max(most, min(share, 1.0))
        progress(f"{stage}: {part}" if part else stage, most)

    return told
