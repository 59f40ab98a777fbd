"""Chronos-2: up to 8,192 steps of past to 21 quantiles of up to 1,024 steps ahead."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from citytune.backbones._guest import Shown, SureGuest
from citytune.backbones._network import ask, silence
from citytune.backbones._protocol import Backbone, Card
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

    It reads the longest past it was trained for, NaN where nothing was measured, and, next to a
    window with a holiday in it or ahead, which days are holidays, as a covariate known ahead.
    Windows do not look at each other: a forecast must not hang on what else is asked.
    """

    chunk, gaps, patch = 16, True, 16

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


def _rows(shown: Shown, horizon: int) -> Rows:
    """The windows, and after them the holidays of those that have any."""
    count, length = shown.values.shape
    start = shown.past.values.shape[1]
    holiday = shown.past.calendar[:, :, 2].float()
    holiday = holiday[:, max(0, start - length) : start + horizon]
    which = (holiday != holiday[:, :1]).any(1).nonzero()[:, 0]
    nothing = torch.full((count, horizon), torch.nan)
    if holiday.shape[1] < length + horizon:
        which = which[:0]
    past, ahead = holiday[which].split([length, horizon], 1) if len(which) else (holiday[:0],) * 2
    return Rows(
        torch.cat([shown.values, past[:, :length].reshape(-1, length)]),
        torch.cat([nothing, ahead[:, :horizon].reshape(-1, horizon)]),
        torch.cat([torch.arange(count), which]),
    )


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
    return Chronos2(card, load(Chronos2Model, folder))


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
KIND = Kind("chronos-2", functools.partial(is_chronos, "Chronos2Pipeline"), facts, _make, COMMON)
add_kind(KIND, [CARD])
