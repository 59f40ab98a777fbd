"""The lens expert: the frozen model, shown the series in one of several ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from citytune._errors import UnknownName
from citytune.backbones import Card
from citytune.tuning.examples._batch import MIDDLE, Batch
from citytune.tuning.examples._lenses import FINE, LENSES
from citytune.tuning.experts._expert import Expert, Start, register

PLAIN, TAMED = "plain", "squashed"
ADAPTING = (PLAIN, TAMED)
"""Lenses of a model that adapts to the clock: it finds like days, and looks far back, by itself.

The others take a profile off first; shown its deviation from like days, its errors were 4 to 27 %
larger on 14 of 15 sets.
"""
LENS_WORDS = {
    PLAIN: "the pretrained model's own forecast",
    TAMED: "the pretrained model with bursts tamed",
    "squashed-minus-week": "last weeks' profile, corrected by the model",
    "squashed-minus-kind": "the profile of like days, corrected by the model",
    "coarse": "the profile of like days, corrected by the model at hourly means",
}


@dataclass(frozen=True)
class LensExpert(Expert):
    """The frozen model's forecast through one lens."""

    lens: str

    def __post_init__(self) -> None:
        if self.lens not in LENSES:
            raise UnknownName("lens", self.lens, LENSES)

    @property
    def name(self) -> str:
        """That of the lens."""
        return self.lens

    @property
    def words(self) -> str:
        """What the model is shown."""
        return LENS_WORDS[self.lens]

    @property
    def asks_again(self) -> bool:
        """For all but the forecast as pretrained, whose quantiles are asked for anyway."""
        return self.lens != PLAIN

    def forecast(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """Ask the model; the middle of its quantiles, where these are wanted as well."""
        if self.lens == PLAIN and batch.spread:
            return batch.quantiles[..., MIDDLE]
        return LENSES[self.lens](batch.backbone, batch.shown)

    def start(self, card: Card) -> Start:
        """The model with bursts tamed is as safe as the model."""
        return Start.TWIN if self.lens == TAMED else Start.REST

    @classmethod
    def unfitted(cls, card: Card, steps_per_day: int) -> Iterable[Expert]:
        """Those that suit the model and the clock."""
        if card.horizon is None:
            return ()
        if card.context_days is not None:
            return map(cls, ADAPTING)
        return [cls(lens) for lens in LENSES if lens != "coarse" or steps_per_day >= FINE]


register("lens", LensExpert)
