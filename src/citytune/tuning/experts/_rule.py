"""The seasonal expert: a forecast read off earlier days and weeks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from citytune._errors import UnknownName
from citytune.backbones import Card
from citytune.tuning.examples._batch import Batch
from citytune.tuning.experts._expert import Expert, register
from citytune.windows import SEASONAL

RULE_WORDS = {
    "yesterday": "yesterday's values",
    "last-week": "last week's values",
    "days": "the mean of the last seven days",
    "day-kind": "the mean of the last like days",
    "weeks": "the mean of the last four weeks",
    "days+level": "the last seven days, moved to today's level",
    "day-kind+level": "the last like days, moved to today's level",
    "weeks+level": "the last four weeks, moved to today's level",
    "weeks+fading": "the last four weeks, with today's deviation fading out",
    "day-kind+fading": "the last like days, with today's deviation fading out",
}


@dataclass(frozen=True)
class SeasonalExpert(Expert):
    """The forecast of one seasonal rule."""

    rule: str

    def __post_init__(self) -> None:
        if self.rule not in SEASONAL:
            raise UnknownName("seasonal rule", self.rule, SEASONAL)

    @property
    def name(self) -> str:
        """That of the rule."""
        return self.rule

    @property
    def words(self) -> str:
        """What is read off."""
        return RULE_WORDS[self.rule]

    def forecast(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """Read it off."""
        return batch.rules[self.rule]

    @classmethod
    def unfitted(cls, card: Card, steps_per_day: int) -> Iterable[Expert]:
        """All of them, whatever the backbone."""
        return map(cls, SEASONAL)


register("seasonal", SeasonalExpert)
