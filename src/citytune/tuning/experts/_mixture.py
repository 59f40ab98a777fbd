"""The tuned forecast: a convex mixture of experts, with weights of its own in each band ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from citytune._text import percent
from citytune.tuning.examples._batch import COVARIATES, DEVIATIONS, FEATURES, Batch
from citytune.tuning.experts._expert import Expert, deviations_of, forecasts_of
from citytune.tuning.stacking._stack import bands
from citytune.windows import Axes

NEGLIGIBLE = 0.004
"""Shares below this are left out of a forecast, and of asking."""
NOT_WORTH = 0.02
"""The same of an expert for which the network is asked once more, of every sensor: that takes as
long as all else together, and changes a forecast by so much of the distance between two good ones
at most."""


class Mixed(NamedTuple):
    """What is forecast of some windows."""

    mean: Tensor  # (example, horizon)
    deviations: Tensor | None  # (example, horizon, level), see `DEVIATIONS`


@dataclass(frozen=True, eq=False)
class Mixture:
    """φ of every strategy: the experts, and how much each of them counts.

    "zero-shot" is all weight on the prior, "head" all weight on the head.
    """

    experts: tuple[Expert, ...]
    """Those that are mixed, and those that these look at, which come before them."""
    weights: Annotated[Tensor, Axes("band", "sensor|1", "any")]
    """(band, sensor, expert), each row sums to 1; the bands are those of `bands(horizon)`, and one
    sensor stands for all where all share their weights."""
    prior: str
    """The expert that stands for "as pretrained": the model's own forecast, or, for a model that
    cannot forecast, the best seasonal rule."""
    trust: Annotated[Tensor, Axes("sensor|1")] = field(default_factory=lambda: torch.ones(1))
    """(sensor,) share of the way that the forecast goes from the prior to what the weights say,
    0 … 1; one sensor stands for all where all share it."""

    def __post_init__(self) -> None:
        if self.weights.ndim != 3 or self.weights.shape[-1] != len(self.experts):
            raise ValueError(f"the weights are not of {len(self.experts)} experts")
        if self.prior not in self.names:
            raise ValueError(f"the prior {self.prior!r} is none of the experts")
        before = {FEATURES, COVARIATES}
        for expert in self.experts:
            if lacking := set(expert.needs) - before:
                raise ValueError(f"{expert.name!r} looks at {min(lacking)!r}, which is not there")
            if expert.name in before:
                raise ValueError(f"there are two experts called {expert.name!r}")
            before.add(expert.name)

    @classmethod
    def of_one(
        cls, expert: Expert, prior: str, horizon: int, *, among: Sequence[Expert] = ()
    ) -> Mixture:
        """All weight on one expert; the prior and what it looks at are `among` the others."""
        wanted = {prior, *expert.needs} - {expert.name}
        found = (*(one for one in among if one.name in wanted), expert)
        weights = torch.zeros(len(bands(horizon)), 1, len(found))
        weights[..., -1] = 1.0
        return cls(found, weights, prior)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the experts."""
        return tuple(expert.name for expert in self.experts)

    @property
    def words(self) -> dict[str, str]:
        """Expert → what it is, for people."""
        return {expert.name: expert.words for expert in self.experts}

    @cached_property
    def counted(self) -> tuple[str, ...]:
        """The experts with more than a negligible share somewhere."""
        most = self.followed.amax((0, 1)).tolist()
        return tuple(
            one.name
            for one, share in zip(self.experts, most, strict=True)
            if share > (NOT_WORTH if one.asks_again else NEGLIGIBLE)
        )

    @cached_property
    def needed(self) -> tuple[Expert, ...]:
        """The experts that have to be asked: those that count, and those that these look at."""
        wanted = {*self.counted, *((self.prior,) if bool((self.trust < 1).any()) else ())}
        for expert in reversed(self.experts):
            if expert.name in wanted:
                wanted.update(expert.needs)
        return tuple(expert for expert in self.experts if expert.name in wanted)

    def uses(self, part: str) -> bool:
        """Whether a forecast looks at `FEATURES` or `COVARIATES`."""
        return any(part in expert.needs for expert in self.needed)

    def forecast(
        self,
        batch: Batch,
        so_far: Mapping[str, Tensor] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Mixed:
        """The mixed forecast, in the unit of the data.

        Args:
            batch: The windows; with its `spread`, the model's own quantiles come along.
            so_far: Forecasts of experts that are known already, which are not asked for again.
            progress: Called with the share done, 0 … 1.
        """
        found = forecasts_of(self.needed, batch, so_far, progress)
        names, sensor = self.counted, batch.sensor
        which = [self.names.index(name) for name in names]
        each = torch.stack([found[name] for name in names], -1)
        mean = mix(each, self.weights[..., which], sensor)
        if bool((self.trust < 1).any()):
            mean = torch.lerp(found[self.prior], mean, self.trust_of(sensor))
        return Mixed(mean, self.deviations(found, sensor))

    def deviations(self, found: Mapping[str, Tensor], sensor: Tensor) -> Tensor | None:
        """Quantiles (example, horizon, level) less the forecast; None if nobody gives any.

        They are the pretrained model's, and those of each expert that has its own as far as that
        counts.

        Args:
            found: `DEVIATIONS`, and those of experts, by `deviations_of`.
            sensor: (example,) long.
        """
        if (total := found.get(DEVIATIONS)) is None:
            return None
        home, own = total, (one for one in self.experts if deviations_of(one.name) in found)
        for expert in own:
            share = self.followed[..., self.names.index(expert.name)]
            part = by_step(share, total.shape[1], sensor)[..., None]
            total = total + part * (found[deviations_of(expert.name)] - home)
        return total

    def trust_of(self, sensor: Tensor) -> Tensor:
        """(example, 1) the trust of each window's sensor."""
        return self.trust[sensor if len(self.trust) > 1 else torch.zeros_like(sensor), None]

    def trusted(self, share: Tensor | float) -> Mixture:
        """The same, followed so far: a share for all, or (sensor,) one for each."""
        return replace(self, trust=torch.as_tensor(share, dtype=torch.float32).reshape(-1))

    @cached_property
    def followed(self) -> Tensor:
        """(band, sensor, expert) how much each counts in the forecast."""
        home = torch.tensor([float(name == self.prior) for name in self.names])
        return torch.lerp(home, self.weights, self.trust[:, None])

    def shares(self, horizon: int) -> dict[str, dict[str, float]]:
        """Band such as "0-6" → expert → share over all sensors, the largest first."""
        return {
            f"{start}-{end}": {
                name: share
                for name, share in sorted(
                    zip(self.names, row.tolist(), strict=True), key=lambda item: -item[1]
                )
                if share > NEGLIGIBLE
            }
            for (start, end), row in zip(bands(horizon), self.followed.mean(1), strict=True)
        }


def mix(forecasts: Tensor, weights: Tensor, sensor: Tensor) -> Tensor:
    """Weigh experts (example, horizon, expert) by band and sensor: (example, horizon).

    Args:
        forecasts: Of each expert.
        weights: (band, sensor, expert); one sensor stands for all.
        sensor: (example,) long.
    """
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-9)
    own = weights[:, sensor] if weights.shape[1] > 1 else weights.expand(-1, forecasts.shape[0], -1)
    parts = [
        (forecasts[:, start:end] @ row[..., None])[..., 0]
        for (start, end), row in zip(bands(forecasts.shape[1]), own, strict=True)
    ]
    return torch.cat([forecasts[:, :0, 0], *parts], 1)


def by_step(share: Tensor, horizon: int, sensor: Tensor) -> Tensor:
    """(example, horizon) a share (band, sensor), where one sensor stands for all."""
    own = share[:, sensor] if share.shape[1] > 1 else share.expand(-1, sensor.shape[0])
    return own[[i for i, (start, end) in enumerate(bands(horizon)) for _ in range(start, end)]].T


def in_words(shares: Mapping[str, float], words: Mapping[str, str], most: int = 3) -> str:
    """The main parts of a mixture: "62 % last week's values, 20 % …".

    >>> in_words({"a": 0.62, "b": 0.38}, {"a": "yesterday", "b": "last week"})
    '62 % yesterday, 38 % last week'
    """
    parts = [f"{percent(share)} {words[name]}" for name, share in shares.items()]
    rest = 1 - sum(list(shares.values())[:most])
    others = [f"{percent(rest)} others"] if len(parts) > most else []
    return ", ".join(parts[:most] + others)
