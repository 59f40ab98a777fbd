"""Where pretrained networks answer: on the processor, or on a GPU that a person asked for."""

from __future__ import annotations

import torch
from torch import nn

from citytune._errors import InputError
from citytune.backbones._protocol import Backbone
from citytune.settings import device_said


def device_of_answers() -> torch.device:
    """The processor, or the GPU that `CITYTUNE_DEVICE` asks for; "auto" is a GPU if there is one.

    Raises:
        InputError: there is no such device.
    """
    said = device_said()
    if said in ("", "cpu") or (said == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    found = torch.device("cuda" if said == "auto" else said)
    count = torch.cuda.device_count()
    if (found.index or 0) >= count:
        raise InputError(
            f"CITYTUNE_DEVICE asks for {said}, and torch sees {count or 'no'} GPU here; set it to "
            "auto or cpu, or install a torch that knows your GPU"
        )
    return found


def placed(backbone: Backbone) -> Backbone:
    """The same backbone, its network where a person asked for it; answers come back from there."""
    where = device_of_answers()
    if where.type != "cpu":
        root_of(backbone).to(where)
    return backbone


def root_of(backbone: Backbone) -> nn.Module:
    """The network with all of its weights; an adapter keeps it as `network`, or as its blocks."""
    network = getattr(backbone, "network", None)
    return network if isinstance(network, nn.Module) else nn.ModuleList(backbone.blocks())
