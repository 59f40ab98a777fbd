"""The strategies of a few lines each: a choice of which weights are trained, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from citytune._errors import InputError
from citytune.backbones import Backbone
from citytune.training import Group
from citytune.tuning.strategies._gradient import GradientStrategy
from citytune.tuning.strategies._strategy import Learned, Strategy, alone, strategies
from citytune.tuning.strategies._trainable import Trainable
from citytune.tuning.task._task import Task

NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, _BatchNorm)


@dataclass(frozen=True, kw_only=True)
class ZeroShot:
    """The pretrained model zero-shot; for one that cannot forecast, the best seasonal rule."""

    def fit(self, task: Task) -> Learned:
        """Learn nothing but how wide its intervals must be."""
        return Learned(alone(task), task.forecast_of(task.prior))


@dataclass(frozen=True, kw_only=True)
class Bias(GradientStrategy):
    """φ are the biases and the head (Ben Zaken et al. 2022, BitFit, arXiv:2106.10199)."""

    def phases(self, trainable: Trainable, seed: int) -> list[list[Group]]:
        """All of them together."""
        biases = [
            weight
            for block in trainable.body()
            for name, weight in block.named_parameters()
            if name.rpartition(".")[2] == "bias"
        ]
        return [[Group([*biases, *trainable.head()])]]


@dataclass(frozen=True, kw_only=True)
class Norms(GradientStrategy):
    """φ are scale and shift of the normalisation layers, and the head.

    As Lu et al. 2022 (Frozen pretrained transformers, arXiv:2103.05247) and Zhou et al. 2023 (One
    fits all, arXiv:2302.11939) tune them. What a batch norm has counted stays as it was.
    """

    def phases(self, trainable: Trainable, seed: int) -> list[list[Group]]:
        """All of them together."""
        scales = [
            weight
            for block in trainable.body()
            for module in block.modules()
            if isinstance(module, NORMS)
            for weight in module.parameters(recurse=False)
        ]
        return [[Group([*scales, *trainable.head()])]]


@dataclass(frozen=True, kw_only=True)
class LastBlocks(GradientStrategy):
    """φ are the last `blocks` blocks and the head (Yosinski et al. 2014, arXiv:1411.1792)."""

    blocks: int = 1
    """How many blocks below the head."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.blocks < 1:
            raise InputError(f"option 'blocks' must be at least 1, got {self.blocks}")

    def phases(self, trainable: Trainable, seed: int) -> list[list[Group]]:
        """All of them together."""
        body = [w for block in trainable.body()[-self.blocks :] for w in block.parameters()]
        return [[Group([*body, *trainable.head()])]]


@dataclass(frozen=True, kw_only=True)
class Full(GradientStrategy):
    """φ are all weights; learning rates may decay with depth (Howard and Ruder 2018, ULMFiT)."""

    layer_decay: float = 1.0
    """Share of its rate that each block passes on to the one below it; 1 moves all alike."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.layer_decay <= 1:
            raise InputError(f"option 'layer_decay' lies in 0…1, got {self.layer_decay}")

    def phases(self, trainable: Trainable, seed: int) -> list[list[Group]]:
        """Head, then block after block downward, then what no block owns."""
        groups = [trainable.head()]
        groups += [list(block.parameters()) for block in reversed(trainable.body())]
        owned = {id(weight) for group in groups for weight in group}
        groups.append([w for w in trainable.root.parameters() if id(w) not in owned])
        shares = [self.layer_decay**depth for depth in range(len(groups))]
        return [[Group(g, share) for g, share in zip(groups, shares, strict=True) if g]]


@dataclass(frozen=True, kw_only=True)
class Gradual(GradientStrategy):
    """φ grows: first a linear head is solved exactly, then blocks are freed from the top down.

    Linear probing before fine-tuning keeps features whole (Kumar et al. 2022, LP-FT,
    arXiv:2202.10054); gradual unfreezing at falling rates is ULMFiT's (Howard and Ruder 2018,
    arXiv:1801.06146).
    """

    phases_down: int = 3
    """Phases; the head and the first block move in the first, more blocks in each one after."""
    falling: float = 2.6
    """How many times smaller the rate is one group further down."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.phases_down < 1 or not self.falling >= 1:
            raise InputError("options 'phases_down' and 'falling' must be at least 1")

    def closed_form(self) -> bool:
        """It does."""
        return True

    def phases(self, trainable: Trainable, seed: int) -> list[list[Group]]:
        """Each phase frees more of the blocks, evenly, and keeps what was free."""
        body = list(reversed(trainable.body()))
        count = min(self.phases_down, max(1, len(body)))
        ends = [round(len(body) * (i + 1) / count) for i in range(count)]
        return [
            [
                Group(weights, self.falling**-depth)
                for depth, weights in enumerate(
                    [trainable.head(), *(list(block.parameters()) for block in body[:end])]
                )
                if weights
            ]
            for end in ends
        ]


def reason_against(strategy: Strategy, backbone: Backbone) -> str:
    """Why the strategy cannot tune the backbone, and what can; empty if it can."""
    why = strategy.cannot(backbone) if isinstance(strategy, GradientStrategy) else ""
    if not why:
        return ""
    name = next((n for n in strategies if type(strategies.make(n)) is type(strategy)), "this")
    return (
        f"strategy {name!r} cannot tune {backbone.card.name!r}: {why}; "
        f"it can be tuned by {', '.join(strategies_for(backbone))}"
    )


def strategies_for(backbone: Backbone) -> list[str]:
    """Names of the strategies that can tune the backbone."""
    made = ((name, strategies.make(name)) for name in strategies)
    return [
        n for n, way in made if not (isinstance(way, GradientStrategy) and way.cannot(backbone))
    ]


strategies.add("zero-shot", ZeroShot)
strategies.add("bias", Bias)
strategies.add("norms", Norms)
strategies.add("last-blocks", LastBlocks)
strategies.add("full", Full)
strategies.add("gradual", Gradual)
