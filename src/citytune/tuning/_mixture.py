"""The tuned forecast: a convex mixture of experts, with weights of its own in each band ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.backbones import Backbone
from citytune.tuning._covariates import COMPARED_RULES, KnownAhead
from citytune.tuning._experts import DEVIATIONS, WORDS, ask, features, window_unit
from citytune.tuning._finetuned import MOVED, FineTuned
from citytune.tuning._head import Head
from citytune.tuning._seasonal import Seasonal
from citytune.tuning._stack import bands
from citytune.windows import Examples, WindowSpec

NEGLIGIBLE = 0.004
"""Shares below this are left out of an answer, and of asking."""
HEAD = "head"
"""The expert that is the prior corrected by a new last layer."""
KNOWN = "known-ahead"
"""The expert that is the prior corrected by what is known ahead."""
FITTED = (HEAD, KNOWN, MOVED)
"""Experts that were fitted here."""
STEADY = ("squashed", "squashed-minus-kind")
"""Experts that most of the weight goes to in a holiday season: they follow the last days …"""
SEASON_SHARE = 0.7
"""… and how much of it."""


class Said(NamedTuple):
    """What is forecast of some windows."""

    mean: Tensor  # (example, horizon)
    deviations: Tensor | None  # (example, horizon, level), see `DEVIATIONS`


@dataclass(frozen=True, eq=False)
class Mixture:
    """φ of every strategy: how much each expert counts, and the new last layer if there is one.

    "zero-shot" is all weight on the prior, "head" all weight on the head.
    """

    experts: tuple[str, ...]
    weights: Tensor
    """(band, sensor, expert), each row sums to 1; the bands are those of `bands(horizon)`, and one
    sensor stands for all where all share their weights."""
    prior: str
    """The expert that stands for "as pretrained": the model's own forecast, or, for a model that
    cannot forecast, the best seasonal rule."""
    head: Head | None = None
    known: KnownAhead | None = None
    moved: FineTuned | None = None
    trust: Tensor = field(default_factory=lambda: torch.ones(1))
    """(sensor,) share of the way that the forecast goes from the prior to what the weights say,
    0 … 1; one sensor stands for all."""

    @classmethod
    def of_one(
        cls,
        expert: str,
        prior: str,
        horizon: int,
        *,
        head: Head | None = None,
        moved: FineTuned | None = None,
    ) -> Mixture:
        """All weight on one expert."""
        return cls((expert,), torch.ones(len(bands(horizon)), 1, 1), prior, head, moved=moved)

    def needed(self) -> tuple[str, ...]:
        """The experts that need no fitting and have to be asked, each once."""
        asked = [name for name in self._mixed if name not in FITTED]
        asked += [self.prior] if len(asked) < len(self._mixed) or (self.trust < 1).any() else []
        asked += COMPARED_RULES if KNOWN in self.counted else ()
        return tuple(dict.fromkeys(asked))

    @property
    def counted(self) -> tuple[str, ...]:
        """The experts with more than a negligible share somewhere."""
        most = self._followed.amax((0, 1)).tolist()
        return tuple(
            name for name, share in zip(self.experts, most, strict=True) if share > NEGLIGIBLE
        )

    def forecast(
        self,
        backbone: Backbone,
        seasonal: Seasonal,
        examples: Examples,
        spec: WindowSpec,
        progress: Callable[[float], None] | None = None,
        *,
        spread: bool = False,
    ) -> Said:
        """The mixed forecast, and, with `spread`, the quantiles of the model itself around its own.

        In the unit of the data.
        """
        names = (*self.needed(), DEVIATIONS) if spread else self.needed()
        heard = ask(backbone, seasonal, examples, spec.horizon, spec.context, names, progress)
        if HEAD in self.counted and self.head is not None:
            seen = features(backbone, seasonal, examples, spec.horizon, spec.context)
            unit = window_unit(seasonal, examples, spec.context)
            heard[HEAD] = heard[self.prior] + unit * self.head.residual(seen)
        if MOVED in self.counted and self.moved is not None:
            prior = heard[self.prior]
            heard[MOVED] = self.moved.forecast(backbone, seasonal, examples, spec, prior)
        if KNOWN in self.counted and self.known is not None:
            beside = torch.stack([heard[name] for name in COMPARED_RULES], -1)
            prior = heard[self.prior]
            heard[KNOWN] = self.known.correct(seasonal.history, examples, prior, beside)
        names = self._mixed
        where = [self.experts.index(name) for name in names]
        found = torch.stack([heard[name] for name in names], -1)
        season = seasonal.history.season[examples.origin[:, None] + torch.arange(spec.horizon)]
        mixed = mix_in_season(season, examples.sensor, found, self.weights[..., where], names)
        mean = mixed
        if (self.trust < 1).any():
            mean = torch.lerp(heard[self.prior], mixed, self.trust_of(examples.sensor))
        return Said(mean, heard.get(DEVIATIONS))

    def trust_of(self, sensor: Tensor) -> Tensor:
        """(example, 1) that of the sensors (example,) of some windows."""
        return (self.trust[sensor] if len(self.trust) > 1 else self.trust)[:, None]

    @property
    def _mixed(self) -> tuple[str, ...]:
        """The experts that count, and those that count in a holiday season."""
        leant_on = steady(self.experts) if (self.trust > NEGLIGIBLE).any() else ()
        return tuple(n for n in self.experts if n in self.counted or n in leant_on)

    @property
    def _followed(self) -> Tensor:
        """(band, sensor, expert) how much each counts in the forecast."""
        home = torch.tensor([float(name == self.prior) for name in self.experts])
        return torch.lerp(home, self.weights, self.trust[:, None])

    def shares(self, horizon: int) -> dict[str, dict[str, float]]:
        """Band such as "0-6" → expert → share over all sensors, the largest first."""
        return {
            f"{start}-{end}": {
                name: share
                for name, share in sorted(
                    zip(self.experts, row.tolist(), strict=True), key=lambda item: -item[1]
                )
                if share > NEGLIGIBLE
            }
            for (start, end), row in zip(bands(horizon), self._followed.mean(1), strict=True)
        }


def steady(experts: Sequence[str]) -> tuple[str, ...]:
    """Experts to lean on in a holiday season; none if not all of them are there."""
    return STEADY if set(STEADY) <= set(experts) else ()


def mix_in_season(
    season: Tensor, sensor: Tensor, says: Tensor, weights: Tensor, names: Sequence[str]
) -> Tensor:
    """The mixture (example, horizon) of experts `names`; in a holiday season on steadier weights.

    What repeats from one ordinary day to the next says little of Christmas week: there the seasonal
    rules, which look weeks back, fail first, and most of the weight goes to the model's own view.
    What is known ahead keeps its share. `season` (example, horizon) says where it is; the rest is
    as for `mix`.
    """
    found = mix(says, weights, sensor)
    lean = [names.index(name) for name in steady(names)]
    if not lean or not season.any():
        return found
    kept = torch.tensor([1.0 if name == KNOWN else 1 - SEASON_SHARE for name in names])
    leaning = weights * kept
    leaning[..., lean] += (1 - leaning.sum(-1, keepdim=True)) / len(lean)
    return torch.where(season, mix(says, leaning, sensor), found)


def mix(says: Tensor, weights: Tensor, sensor: Tensor) -> Tensor:
    """Weigh experts (example, horizon, expert) by band and sensor: (example, horizon).

    Args:
        says: What each expert says.
        weights: (band, sensor, expert); one sensor stands for all.
        sensor: (example,) long.
    """
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-9)
    own = weights[:, sensor] if weights.shape[1] > 1 else weights.expand(-1, len(says), -1)
    parts = [
        (says[:, start:end] @ row[..., None])[..., 0]
        for (start, end), row in zip(bands(says.shape[1]), own, strict=True)
    ]
    return torch.cat([says.new_empty(len(says), 0), *parts], 1)


def in_words(shares: dict[str, float], most: int = 3) -> str:
    """The main parts of a mixture: "62 % last week's values, 20 % …".

    >>> in_words({"last-week": 0.62, "plain": 0.38})
    "62 % last week's values, 38 % the pretrained model's own forecast"
    """
    parts = [f"{share:.0%} {WORDS[name]}".replace("%", " %") for name, share in shares.items()]
    rest = 1 - sum(list(shares.values())[:most])
    others = [f"{rest:.0%} others".replace("%", " %")] if len(parts) > most else []
    return ", ".join(parts[:most] + others)
