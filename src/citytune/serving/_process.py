"""What work that may wait does for the server next to it."""

from __future__ import annotations

import os

NICE = 10
"""Added to the niceness: on a busy machine it then gets a tenth of what the server may have."""


def make_way() -> None:
    """Let the server, and whatever else is waited for, go first; where the system knows how."""
    if hasattr(os, "nice"):
        os.nice(NICE)
