"""A network some of whose weights were moved by gradient steps: only those are kept."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from citytune.backbones import Backbone
from citytune.tuning._experts import ask, features, window_unit
from citytune.tuning._head import Head
from citytune.windows import Examples, Seasonal, WindowSpec

MOVED = "moved"
"""The expert that is the fine-tuned network's own forecast."""


@dataclass(frozen=True, eq=False)
class FineTuned:
    """φ of a gradient strategy, and how its forecast is read."""

    lens: str
    """The lens it was tuned, and is asked, through."""
    values: dict[str, Tensor]
    """Name of a weight → what it became."""
    low_rank: dict[str, tuple[Tensor, Tensor]]
    """Name of a weight → B (out, rank) and A (rank, in), whose product is added to it (LoRA)."""
    head: Head | None = None
    """Of a model that forecasts: corrects it from what the untouched network sees. Of one that
    cannot: makes the forecast from what the moved network sees, around the prior."""

    def toward_pretrained(self, backbone: Backbone, share: float) -> FineTuned:
        """Part of the way only, in the space of weights: θ₀ + share · (θ − θ₀).

        Wortsman et al. 2022, WiSE-FT, arXiv:2109.01903. 0 is the model as pretrained, but for a
        head, which is scaled with it.
        """
        before = dict(root_of(backbone).named_parameters())
        head = self.head
        return replace(
            self,
            values={n: torch.lerp(before[n].detach(), v, share) for n, v in self.values.items()},
            low_rank={n: (share * b, a) for n, (b, a) in self.low_rank.items()},
            head=None if head is None else replace(head, weights=share * head.weights),
        )

    def applied(self, backbone: Backbone) -> Backbone:
        """A copy of `backbone` with the moved weights in it."""
        copied = copy.deepcopy(backbone)
        weights = dict(root_of(copied).named_parameters())
        for name, value in self.values.items():
            weights[name].data.copy_(value)
        for name, (b, a) in self.low_rank.items():
            weights[name].data.add_(b @ a)
        return copied

    def forecast(
        self,
        backbone: Backbone,
        seasonal: Seasonal,
        examples: Examples,
        spec: WindowSpec,
        prior: Tensor,
    ) -> Tensor:
        """The fine-tuned forecast (example, horizon), in the unit of the data.

        Args:
            backbone: As pretrained.
            seasonal: The seasonal rules over the history.
            examples: The windows to forecast.
            spec: Context and horizon.
            prior: (example, horizon) the forecast that stands for "as pretrained".
        """
        moved = _applied(self, backbone)  # type: ignore[arg-type]
        where = (seasonal, examples, spec.horizon, spec.context)
        forecasts = backbone.card.horizon is not None
        said = ask(moved, *where, (self.lens,))[self.lens] if forecasts else prior
        if self.head is None:
            return said
        seen = features(backbone if forecasts else moved, *where)
        unit = window_unit(seasonal, examples, spec.context)
        return said + unit * self.head.residual(seen)


@lru_cache(maxsize=2)
def _applied(moved: FineTuned, backbone: Backbone) -> Backbone:
    return moved.applied(backbone)


def root_of(backbone: Backbone) -> nn.Module:
    """The network with all of its weights; an adapter keeps it as `network`, or as its blocks."""
    network = getattr(backbone, "network", None)
    return network if isinstance(network, nn.Module) else nn.ModuleList(backbone.blocks())
