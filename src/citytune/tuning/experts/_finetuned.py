"""The fine-tuned expert: a network some of whose weights were changed; only those are kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from citytune._errors import UnknownName
from citytune.backbones import Backbone, Card, Probabilistic, root_of
from citytune.tuning.closed_form._head import Head
from citytune.tuning.examples._batch import FEATURES, MIDDLE, Batch
from citytune.tuning.examples._lenses import LENSES, quantiles
from citytune.tuning.experts._expert import Candidate, Expert, Start, register

if TYPE_CHECKING:
    from citytune.tuning.task._task import Task


@dataclass(frozen=True, eq=False)
class FineTuned(Expert):
    """φ of a gradient strategy, and how its forecast is read."""

    lens: str
    """The lens it was tuned, and is asked, through."""
    values: Mapping[str, Tensor]
    """Name of a weight → what it became."""
    low_rank: Mapping[str, tuple[Tensor, Tensor]]
    """Name of a weight → B (out, rank) and A (rank, in), whose product is added to it (LoRA)."""
    head: Head | None = None
    """Of a model that forecasts: corrects it from what the pretrained network sees. Of one that
    cannot: makes the forecast from what the fine-tuned network sees, around the prior."""
    prior: str | None = None
    """What a model that cannot forecast adds to."""
    probabilistic: bool = False
    """Whether its own quantiles were tuned, and are its distribution."""
    wider: float = 1.0
    """How many times as far from its forecast its quantiles lie as the network says: it knows its
    own past too well to know how sure it is."""

    def __post_init__(self) -> None:
        if self.lens not in LENSES:
            raise UnknownName("lens", self.lens, LENSES)
        if not 0 < self.wider < float("inf"):
            raise ValueError(f"quantiles cannot be {self.wider} times as wide")

    @property
    def name(self) -> str:
        """Of the kind; there is one."""
        return "fine-tuned"

    @property
    def words(self) -> str:
        """What it is."""
        return "the model fine-tuned here"

    @property
    def needs(self) -> tuple[str, ...]:
        """The prior, if the model cannot forecast; features, if a head reads them."""
        return (*((self.prior,) if self.prior else ()), *((FEATURES,) if self.head else ()))

    def start(self, card: Card) -> Start:
        """It is the prior itself, fine-tuned where that has shown to help."""
        return Start.LEARNT if self.probabilistic else Start.SHARED

    @property
    def asks_again(self) -> bool:
        """With the weights that were tuned."""
        return True

    def forecast(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """The fine-tuned forecast."""
        return self.forecast_by(_applied(self, batch.backbone), batch, so_far)  # type: ignore[arg-type]

    def forecast_by(self, applied: Backbone, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """The same, with the fine-tuned weights `applied`."""
        if self.prior is not None:
            seen, found = replace(batch, backbone=applied, computed={}), so_far[self.prior]
        else:
            seen, found = batch, LENSES[self.lens](applied, batch.shown)
        if self.head is None:
            return found
        return found + batch.window_spread * self.head.residual(seen.features)

    @property
    def has_quantiles(self) -> bool:
        """Where they were tuned."""
        return self.probabilistic

    def quantiles(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """Those of the fine-tuned network."""
        return self.quantiles_of(batch)

    def quantiles_of(self, batch: Batch) -> Tensor:
        """(example, horizon, level) in the unit of the data, ascending; windows by the chunk."""
        return self.quantiles_by(_applied(self, batch.backbone), batch)  # type: ignore[arg-type]

    def quantiles_by(self, applied: Probabilistic, batch: Batch) -> Tensor:
        """The same, with the fine-tuned weights `applied`."""
        parts = [quantiles(applied, one.shown) for one in batch.chunks()]
        found = torch.cat(parts).sort(-1).values
        return torch.lerp(found[..., [MIDDLE]], found, self.wider)

    @classmethod
    def fit(cls, task: Task) -> Iterable[Candidate]:
        """Weights that were changed by an earlier fit stay; other ones take a gradient strategy."""
        for expert in task.earlier:
            if isinstance(expert, cls):
                forecasts = task.forecast_again(expert)
                yield Candidate(expert, forecasts, task.deviations_of(expert))

    def toward_pretrained(self, backbone: Backbone, share: float) -> FineTuned:
        """Part of the way only, in the space of weights: θ₀ + share · (θ − θ₀).

        Wortsman et al. 2022, WiSE-FT, arXiv:2109.01903. 0 is the model as pretrained, but for a
        head, which is scaled with it.
        """
        before = dict(root_of(backbone).named_parameters())
        head = self.head
        return replace(
            self,
            values={
                n: torch.lerp(before[n].detach().cpu(), v, share) for n, v in self.values.items()
            },
            low_rank={n: (share * b, a) for n, (b, a) in self.low_rank.items()},
            head=None if head is None else replace(head, weights=share * head.weights),
            wider=1 + share * (self.wider - 1),
        )

    def on_top_of(self, first: FineTuned) -> FineTuned:
        """What was learnt `first`, and then this, whose low-rank changes are of what that left."""
        low_rank = dict(self.low_rank)
        for name, (b, a) in first.low_rank.items():
            pairs = [(b, a), *([low_rank[name]] if name in low_rank else [])]
            low_rank[name] = torch.cat([b for b, _ in pairs], 1), torch.cat([a for _, a in pairs])
        return replace(self, values={**first.values, **self.values}, low_rank=low_rank)

    def applied(self, backbone: Backbone) -> Backbone:
        """A copy of `backbone` with the fine-tuned weights in it."""
        copied = copy.deepcopy(backbone)
        weights = dict(root_of(copied).named_parameters())
        for name, value in self.values.items():
            weights[name].data.copy_(value)
        for name, (b, a) in self.low_rank.items():
            weights[name].data.add_((b @ a).to(weights[name].device))
        return copied

    def unfit(self, backbone: Callable[[], Backbone]) -> str:
        """A weight that is none of the backbone's, or of another shape or type."""
        before = dict(root_of(backbone()).named_parameters())
        found = dict(self.values)
        for name, (b, a) in self.low_rank.items():
            if not (b.ndim == a.ndim == 2 and b.shape[1] == a.shape[0] and b.dtype == a.dtype):
                return f"the low-rank change of {name!r} is no product of two matrices"
            found[name] = b.new_empty(len(b), a.shape[1])
        for name, value in found.items():
            own = before.get(name)
            if own is None or (own.shape, own.dtype) != (value.shape, value.dtype):
                return f"the backbone has no weight {name!r} of such a shape"
        return ""


def mean_of(parts: Sequence[FineTuned], backbone: Backbone) -> FineTuned:
    """The network whose weights are the mean of those of several, tuned from the same beginning.

    Low-rank changes are put next to each other, whose sum is the same.
    """
    before = dict(root_of(backbone).named_parameters())
    names = dict.fromkeys(name for part in parts for name in part.values)
    values = {
        name: torch.stack([part.values.get(name, before[name].detach()) for part in parts]).mean(0)
        for name in names
    }
    adapted = dict.fromkeys(name for part in parts for name in part.low_rank)
    low_rank = {}
    for name in adapted:
        pairs = [part.low_rank[name] for part in parts if name in part.low_rank]
        low_rank[name] = (
            torch.cat([b / len(parts) for b, _ in pairs], 1),
            torch.cat([a for _, a in pairs]),
        )
    return replace(parts[0], values=values, low_rank=low_rank)


@lru_cache(maxsize=2)
def _applied(tuned: FineTuned, backbone: Backbone) -> Backbone:
    return tuned.applied(backbone)


register("fine-tuned", FineTuned)
