"""Branches that a graph cannot have: what is computed in any case while a model is exported."""

from __future__ import annotations

import torch
from torch import Tensor


def exporting() -> bool:
    """Whether a graph is being made of what is computed."""
    return torch.compiler.is_exporting()


def anywhere(mask: Tensor) -> bool:
    """Whether a mask holds anywhere; a graph must be ready for that, so there it is taken to."""
    return exporting() or bool(mask.any())
