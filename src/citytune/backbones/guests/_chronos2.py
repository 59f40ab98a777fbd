"""Chronos-2: up to 8,192 steps of past to 21 quantiles of up to 1,024 steps ahead."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from citytune.backbones._guest import Shown, SureGuest
from citytune.backbones._network import ask, silence
from citytune.backbones._protocol import CROSS, Backbone, Card, Past
from citytune.backbones.guests._chronos import INSTALL, is_chronos, load
from citytune.backbones.guests._kind import Config, Kind, add_kind, released

COMMON: dict[str, Any] = {
    "title": "Chronos-2, a forecaster that also reads what is known ahead",
    "licence": "Apache-2.0",
    "trained_on": "open sets of the Chronos paper and of GIFT-Eval's pretraining, and synthetic "
    "series, many of several variables",
    "source": "Ansari et al. 2025, Chronos-2, arXiv:2510.15821; "
    "https://huggingface.co/amazon/chronos-2",
    "packages": ("chronos",),
    "max_examples": 300,
    "get": INSTALL,
}
LEVELS = (0.01, *(round(n / 20, 2) for n in range(1, 20)), 0.99)


class Rows(NamedTuple):
    """Series as the network takes them; those of one group look at each other."""

    context: Tensor  # (row, time), NaN where nothing was measured
    future: Tensor  # (row, horizon), NaN where nothing is known ahead
    group: Tensor  # (row,) long


class Chronos2(SureGuest):
    """Chronos-2 as a backbone.

    It reads the longest past it was trained for, NaN where nothing was measured, and, next to each
    window, what is known ahead: which days are holidays, and covariates, each of them where it
    tells anything. Windows do not look at each other: a forecast must not hang on what else is
    asked.
    """

    chunk, gaps, patch, covariates = 16, True, 16, True

    def series(self, past: Past) -> int:
        """Its own, and each of what is known ahead."""
        return 1 if past.covariates is None else 2 + past.covariates.shape[1]

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its quantiles (example, horizon, level)."""
        rows, patches = _rows(shown, horizon), -(-horizon // self.patch)

        def question(context: Tensor, future: Tensor, group: Tensor) -> Tensor:
            found = self.network(
                context=context,
                future_covariates=future,
                group_ids=group.long(),
                num_output_patches=patches,
            )
            return found.quantile_preds[: len(shown.values), :, :horizon].transpose(1, 2)

        return ask(self.network, question, *rows)

    def state(self, shown: Shown) -> Tensor:
        """What the encoder gives (example, 2 · width): of the past, and of the next day."""
        day = max(1, min(shown.past.steps_per_day, self.card.horizon or 1))
        patches = -(-day // self.patch)

        def question(values: Tensor) -> Tensor:
            network: Any = self.network
            found, _, _, count = network.encode(context=values, num_output_patches=patches)
            return torch.cat([found[0][:, count], found[0][:, -patches:].mean(1)], 1)

        return ask(self.network, question, shown.values)

    def blocks(self) -> Sequence[nn.Module]:
        """Patches, encoder, quantiles."""
        network: Any = self.network
        return [
            network.shared,
            network.input_patch_embedding,
            *network.encoder.block,
            network.encoder.final_layer_norm,
            network.output_patch_embedding,
        ]


class Chronos2Cross(Chronos2):
    """Chronos-2 that reads the windows of all sensors at one moment together: cross-learning.

    A forecast then follows from the other sensors too, so it is asked of all of them, always. Its
    weights are tuned as those of Chronos-2, which reads each window by itself.
    """

    @property
    def alone(self) -> Chronos2:
        """The same network, reading each window by itself."""
        return Chronos2(self.card, self.network)

    def blocks(self) -> Sequence[nn.Module]:
        """None: no strategy moves its weights."""
        return []


def _rows(shown: Shown, horizon: int) -> Rows:
    """The windows, and after them what is known ahead of each, where it tells anything."""
    count, length = shown.values.shape
    which, past, ahead = _told(shown, horizon)
    nothing = torch.full((count, horizon), torch.nan)
    group = torch.arange(count) // shown.past.together
    silent = ~shown.past.measured[:, -length:].any(1)  # it tells the others nothing
    group = torch.where(silent, count + torch.arange(count), group)
    return Rows(
        torch.cat([shown.values, past]),
        torch.cat([nothing, ahead]),
        torch.cat([group, group[which]]),
    )


def _told(shown: Shown, horizon: int) -> tuple[Tensor, Tensor, Tensor]:
    """(row,) of which window, (row, time) and (row, horizon) of holidays and covariates."""
    length, start = shown.values.shape[1], shown.past.values.shape[1]
    known = shown.past.calendar[:, None, :, 2].float()
    if shown.past.covariates is not None:
        known = torch.cat([known, shown.past.covariates.float()], 1)
    known = known[:, :, max(0, start - length) : start + horizon]
    least, most = (known.nan_to_num(edge) for edge in (torch.inf, -torch.inf))
    tells = least.amin(2) < most.amax(2)  # not if it is one number throughout, or unknown
    if known.shape[2] < length + horizon:
        tells = torch.zeros_like(tells)
        known = known.new_zeros(*known.shape[:2], length + horizon)
    past, ahead = known[tells].split([length, horizon], 1)
    return tells.nonzero()[:, 0], past, ahead


def facts(config: Config) -> dict[str, Any]:
    """What a config says of the card of a Chronos-2."""
    own = config["chronos_config"]
    return {
        "context": own["context_length"],
        "horizon": own["max_output_patches"] * own["output_patch_size"],
        "levels": tuple(own["quantiles"]),
        "features": 2 * config["d_model"],
    }


def _make(card: Card, folder: Path) -> Backbone:
    with silence():
        from chronos.chronos2.model import Chronos2Model
    kind = Chronos2Cross if card.name.endswith(CROSS) else Chronos2
    return kind(card, load(Chronos2Model, folder))


CARD = released(
    COMMON,
    name="chronos-2",
    parameters=119_477_664,
    context=8192,
    horizon=1024,
    features=2 * 768,
    levels=LEVELS,
    hub="amazon/chronos-2",
)
TOGETHER = replace(
    CARD,
    name=CARD.name + CROSS,
    title="Chronos-2, reading all sensors of a city together",
    folders=(CARD.name,),
)
KIND = Kind("chronos-2", functools.partial(is_chronos, "Chronos2Pipeline"), facts, _make, COMMON)
add_kind(KIND, [CARD, TOGETHER])
