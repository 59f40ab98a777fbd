"""Where readings come from: what a client may name, and how it is read."""

from citytune.serving.sources._check import OPTIONS, check_source, reading_of
from citytune.serving.sources._open import frame_of, opened, with_all_pushed, with_pushed
from citytune.serving.sources._public import fetch, post

__all__ = [
    "OPTIONS",
    "check_source",
    "fetch",
    "frame_of",
    "opened",
    "post",
    "reading_of",
    "with_all_pushed",
    "with_pushed",
]
