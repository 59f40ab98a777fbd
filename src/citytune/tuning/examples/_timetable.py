"""What is known ahead of a history, step by step."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from citytune.windows import Axes, History

COVARIATE_DAYS = 120
"""Days from which a covariate's usual level and spread are taken."""


class Timetable(NamedTuple):
    """What is known ahead, step by step."""

    covariates: Annotated[Tensor, Axes("covariate", "sensor|1", "time")]
    # (covariate, sensor, time); NaN where unknown
    slot: Annotated[Tensor, Axes("time", dtype=torch.long)]  # (time,) long, step of the local day
    first: int  # absolute step of the first one, see `History.first`
    end: int  # absolute step after the last one that is past
    steps_per_day: int

    @classmethod
    def of(cls, history: History) -> Timetable:
        """That of a history."""
        day = history.steps_per_day
        return cls(history.covariates, history.slot, history.first, history.end, day)

    def then(self, later: Timetable) -> Timetable:
        """This up to where `later` begins, and then `later`."""
        early = later.first - self.first
        if not 0 < early <= self.covariates.shape[-1]:
            return later
        table = self.covariates[..., :early].expand(-1, later.covariates.shape[1], -1)
        return later._replace(
            covariates=torch.cat([table, later.covariates], -1),
            slot=torch.cat([self.slot[:early], later.slot]),
            first=self.first,
        )

    def recent(self, horizon: int) -> Timetable:
        """The part that `Usual` and the design of recent windows look at."""
        day = self.steps_per_day
        back = (COVARIATE_DAYS + 8 + -(-horizon // day)) * day
        cut = max(0, self.end - back - self.first)
        table = self.covariates[..., cut:]
        alike = torch.equal(table.nan_to_num(), table[:, :1].expand_as(table).nan_to_num())
        return self._replace(
            covariates=(table[:, :1] if alike else table).clone(),
            slot=self.slot[cut:].clone(),
            first=self.first + cut,
        )
