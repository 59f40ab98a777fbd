"""On which device a person wants networks to be: said once for the whole process."""

from __future__ import annotations

import os
import re

from citytune._errors import InputError

VARIABLE = "CITYTUNE_DEVICE"
"""Environment variable that says it."""


def device_said() -> str:
    """Such as "cpu", "cuda", "cuda:1" or "auto"; empty if nothing was said.

    Raises:
        InputError: it is another word.
    """
    said = os.environ.get(VARIABLE, "").strip().lower()
    if said and not re.fullmatch(r"auto|cpu|cuda(:\d+)?", said):
        raise InputError(f"{VARIABLE} is cpu, cuda, cuda:1 or auto, got {said!r}; set it anew")
    return said
