"""`lora`: low-rank adapters on the linear layers, and what answers, move."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import torch
from torch import nn

from citytune._errors import InputError
from citytune._prefer_torch import prefer_torch
from citytune.backbones import Backbone, root_of
from citytune.training import Group
from citytune.tuning.strategies._gradient import GradientStrategy
from citytune.tuning.strategies._strategy import strategies
from citytune.tuning.strategies._trainable import Trainable


@dataclass(frozen=True, kw_only=True)
class Lora(GradientStrategy):
    """φ are B and A of W + BA for every linear layer, and the head (Hu et al. 2021, LoRA).

    arXiv:2106.09685. The adapters are peft's; what was learnt is kept as B and A alone, so a saved
    model needs no peft.
    """

    rank: int = 8
    """Of BA."""
    alpha: float = 16.0
    """BA is scaled by alpha / rank."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank < 1 or not self.alpha > 0:
            raise InputError(
                f"options 'rank' and 'alpha' must be positive, got {self.rank} and {self.alpha}"
            )

    def cannot(self, backbone: Backbone) -> str:
        """It needs linear layers, and peft."""
        if not _linear(root_of(backbone), set()):
            return "it has no linear layers to put adapters on"
        if importlib.util.find_spec("peft") is None:
            return "the package peft is not here: run `pip install 'citytune[hf]'`"
        return super().cannot(backbone)

    def phases(self, trainable: Trainable, seed: int) -> list[list[Group]]:
        """Adapters and head together."""
        head = trainable.head()
        adapters = _adapt(trainable.root, {id(weight) for weight in head}, self, seed)
        return [[Group([*adapters, *head])]]


def _linear(root: nn.Module, but: set[int]) -> list[str]:
    """Names of the linear layers in `root`, without those whose weights are in `but`."""
    return [
        name
        for name, module in root.named_modules()
        if isinstance(module, nn.Linear) and id(module.weight) not in but
    ]


def _adapt(root: nn.Module, but: set[int], way: Lora, seed: int) -> list[nn.Parameter]:
    """Put adapters into `root`, in place; their weights."""
    prefer_torch()
    from peft import LoraConfig, inject_adapter_in_model

    names = _linear(root, but)
    config = LoraConfig(
        r=way.rank, lora_alpha=way.alpha, target_modules=names, lora_dropout=0.0, bias="none"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # peft draws A from the world's own chance
        inject_adapter_in_model(config, root)
    return [weight for name, weight in root.named_parameters() if ".lora_" in f".{name}"]


strategies.add("lora", Lora)
