"""What a place usually shows: the answers that need no picture, which any network must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from citytune.windows import Axes

PSEUDO = 3.0
"""Pictures that a camera starts from with the mean of all, and an hour with its camera's."""
HOURS = 24


@dataclass(frozen=True, eq=False)
class Usual:
    """The mean of all pictures, or of each camera's hours, drawn toward it where there are few."""

    kind: Literal["mean", "hour mean"]
    """Which of the two it answers with."""
    mean: Annotated[Tensor, Axes("label", dtype=torch.float64)]
    places: tuple[str, ...]
    table: Annotated[Tensor, Axes("place", "any", "label", dtype=torch.float64)]
    """(place, hour, label); one hour alone where no times are known."""

    @classmethod
    def fit(
        cls,
        values: Tensor,
        places: Sequence[str],
        hours: Tensor | None,
        kind: Literal["mean", "hour mean"] = "hour mean",
    ) -> Usual:
        """Means of values (picture, label)."""
        known = tuple(dict.fromkeys(places))
        count = 1 if hours is None else HOURS
        place = torch.tensor([known.index(one) for one in places])
        hour = torch.zeros_like(place) if hours is None else hours
        mean = values.mean(0)
        by_place = _shrunk(values, place, mean.expand(len(known), -1))
        cells = _shrunk(values, place * count + hour, by_place.repeat_interleave(count, 0))
        return cls(kind, mean, known, cells.unflatten(0, (len(known), count)))

    def answer(self, places: Sequence[str], hours: Tensor | None) -> Tensor:
        """(picture, label); a camera that is not known, or an hour, gets the mean."""
        found = self.mean.repeat(len(places), 1)
        if self.kind == "mean":
            return found
        where = {name: i for i, name in enumerate(self.places)}
        for i, name in enumerate(places):
            if name in where:
                cells = self.table[where[name]]
                found[i] = (
                    cells[int(hours[i])] if hours is not None and len(cells) > 1 else cells.mean(0)
                )
        return found


def _shrunk(values: Tensor, cell: Tensor, toward: Tensor) -> Tensor:
    """(cell, label) means, each as if it had seen `PSEUDO` pictures of `toward` before."""
    total = torch.zeros_like(toward).index_add(0, cell, values)
    count = torch.bincount(cell, minlength=len(toward))[:, None]
    return (total + PSEUDO * toward) / (count + PSEUDO)
