"""TabPFN-TS: each window a small table of times and values, read by a network made for tables."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune.backbones._guest import Shown, SureGuest
from citytune.backbones._lags import CARD as LAGS
from citytune.backbones._lags import Lags
from citytune.backbones._network import place_of, silence
from citytune.backbones._protocol import LEVELS, Backbone, Card
from citytune.backbones.guests._kind import Kind, add_kind, released

FILE = "tabpfn-v2-regressor-2noar4o2.ckpt"
"""The weights that TabPFN-TS 0.1 asks."""
CONTEXT = 1000
"""Rows of a table: as many as its package takes on a processor."""
HORIZON = 720
"""Steps ahead; it is asked of times, and could go further."""
LOOKS = 1
"""How often the same table is read, each time prepared in another way; more is slower."""
FEWEST_VALUES = 2
"""Different values without which a table says nothing."""
COMMON: dict[str, Any] = {
    "title": "TabPFN-TS, a network for tables that reads times and calendar; slow",
    "licence": "the Prior Labs License",
    "restricted": "is Apache-2.0 and asks whoever passes on the weights, or what is built on them, "
    "to say “Built with PriorLabs-TabPFN” (https://huggingface.co/Prior-Labs/TabPFN-v2-reg)",
    "trained_on": "synthetic tables only",
    "source": "Hoo et al. 2025, TabPFN-TS, arXiv:2501.02945; "
    "https://huggingface.co/Prior-Labs/TabPFN-v2-reg",
    "packages": ("tabpfn",),
    "get": "run `pip install 'citytune[tabpfn]'`",
}


class TabPfn(SureGuest):
    """TabPFN as a backbone for series.

    It learns each window anew, as a table: a row for each value that was measured, with its number,
    the time of day and the weekday as waves, and whether the day is a holiday. It is then asked for
    the rows to come. No gradient passes through: its weights do not move, and the features of a
    head are those of `lags`.
    """

    chunk, gaps = 8, True

    def __init__(self, card: Card, specs: Any, reader: Any) -> None:
        super().__init__(card, specs.model)
        self.specs, self.reader = specs, reader

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its quantiles (example, horizon, level) at `LEVELS`."""
        tables = table_of(shown, horizon)
        pairs = zip(shown.values, tables, strict=True)
        return torch.stack([self._asked(values, table, horizon) for values, table in pairs])

    def _asked(self, values: Tensor, table: Tensor, horizon: int) -> Tensor:
        known = values.isfinite()
        found = values[known]
        if len(found.unique()) < FEWEST_VALUES:
            return found[-1:].expand(horizon, len(LEVELS))
        reader = self.reader(
            model_path=self.specs,
            n_estimators=LOOKS,
            device=str(place_of(self.network)),
            random_state=0,
            ignore_pretraining_limits=True,
        )
        rows, times = table[: len(values)][known].numpy(), table[len(values) :].numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.fit(rows, found.numpy())
            answer = reader.predict(times, output_type="quantiles", quantiles=[*LEVELS])
        return torch.stack([torch.as_tensor(level).float() for level in answer], -1)

    def state(self, shown: Shown) -> Tensor:
        """Those of `lags` (example, feature)."""
        return Lags().features(shown.past)

    def blocks(self) -> Sequence[nn.Module]:
        """None through which a gradient could pass."""
        return ()


def table_of(shown: Shown, horizon: int) -> Tensor:
    """Tables (example, time + horizon, column): number, day and week as waves, holiday."""
    length = shown.values.shape[1]
    first = shown.past.values.shape[1] - length
    day, weekday, holiday = shown.past.calendar[:, first : first + length + horizon].unbind(-1)
    number = torch.arange(length + horizon).expand_as(day)
    turns = [2 * math.pi * day, 2 * math.pi * (weekday + day) / 7]
    waves = [wave for turn in turns for wave in (turn.sin(), turn.cos())]
    return torch.stack([number.float(), *waves, holiday], -1)


def _make(card: Card, folder: Path) -> Backbone:
    os.environ.setdefault("TABPFN_DISABLE_TELEMETRY", "1")  # which older versions of it have
    with silence():
        from tabpfn import TabPFNRegressor
        from tabpfn.base import ModelSpecs, initialize_tabpfn_model
    models, shapes, bars, how = initialize_tabpfn_model(str(folder / FILE), "regressor")
    return TabPfn(card, ModelSpecs(models[0], shapes[0], how, bars), TabPFNRegressor)


CARD = released(
    COMMON,
    name="tabpfn-ts",
    parameters=11_081_864,
    context=CONTEXT,
    horizon=HORIZON,
    features=LAGS.features,
    files=(FILE,),
    sha256=("e2d4a06eeb4521dee71fc68d819e277ffb97614cc3695dc9ac3030dd9da36c21",),
    hub="Prior-Labs/TabPFN-v2-reg",
    max_examples=50,
)
KIND = Kind("tabpfn-ts", lambda _config: False, lambda _config: {}, _make, COMMON)
add_kind(KIND, [CARD])
