"""What the axes of a tensor are, said where it is declared, so that a file can be checked by it."""

from __future__ import annotations

import torch


class Axes:
    """In `Annotated[Tensor, Axes("sensor", "slot")]`: what its axes run over, and its type.

    Axes of one name are of one length in all of a model; "sensor|1" may also have length 1, and the
    length of "any" is free.
    """

    def __init__(self, *names: str, dtype: torch.dtype = torch.float32) -> None:
        self.names, self.dtype = names, dtype
