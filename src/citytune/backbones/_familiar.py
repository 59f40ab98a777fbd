"""What a backbone was trained on, in numbers: the file `familiar.json` next to its card."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.backbones._protocol import Card
from citytune.backbones.city import SHIPPED

FAMILIAR = "familiar.json"
FORMAT = 1


class Familiar(NamedTuple):
    """Windows of the corpus as the backbone's own features describe them."""

    windows: int
    """How many were looked at."""
    clocks: tuple[str, ...]
    """Steps that the corpus was shown at, such as "15min"."""
    mean: Tensor  # (feature,)
    variance: Tensor  # (feature,)
    far: float
    """Distance that 95 % of them keep within; see `distance`."""
    daily: tuple[float, float]
    """Share of a window's variance that its mean day explains: 5 % of them are below, 5 % above."""

    @classmethod
    def of(cls, features: Tensor, daily: Tensor, clocks: Iterable[str]) -> Familiar:
        """The numbers of a corpus.

        Args:
            features: (example, feature) of some of its windows.
            daily: (example,) share that the mean day explains of each; see `daily_share`.
            clocks: Steps it was shown at.
        """
        mean, variance = features.mean(0), features.var(0)
        low, high = daily.quantile(torch.tensor([0.05, 0.95])).tolist()
        found = cls(len(features), tuple(sorted(set(clocks))), mean, variance, 0.0, (0.0, 1.0))
        far = float(found.distance(features).quantile(0.95))
        return found._replace(far=round(far, 4), daily=(round(low, 4), round(high, 4)))

    def distance(self, features: Tensor) -> Tensor:
        """(example,) how far features (example, feature) lie from the corpus; 1 is usual there.

        The root mean square of standardised features: Mahalanobis' distance along the axes.
        """
        usual = self.variance.sqrt().clamp_min(1e-6)
        return ((features - self.mean) / usual).square().mean(1).sqrt()


def familiar_of(card: Card) -> Familiar | None:
    """The numbers kept in a backbone's card; None where only words are."""
    folders = [Path(name) for name in card.folders]
    folders += [SHIPPED] if card.name == SHIPPED.name else []
    for folder in folders:
        try:
            facts = json.loads((folder / FAMILIAR).read_text(encoding="utf-8"))
            if facts["format"] != FORMAT:
                continue
            return Familiar(
                facts["windows"],
                tuple(facts["clocks"]),
                torch.tensor(facts["mean"]),
                torch.tensor(facts["variance"]),
                facts["far"],
                (facts["daily"][0], facts["daily"][1]),
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            continue
    return None


def write_familiar(folder: Path, found: Familiar) -> None:
    """Keep the numbers next to a card, to five digits."""

    def rounded(values: Tensor) -> list[float]:
        return [float(f"{value:.5g}") for value in values.tolist()]

    facts = found._asdict() | {
        "format": FORMAT,
        "mean": rounded(found.mean),
        "variance": rounded(found.variance),
    }
    draft = (folder / FAMILIAR).with_suffix(".part")
    draft.write_text(json.dumps(facts, indent=None) + "\n", encoding="utf-8")
    draft.replace(folder / FAMILIAR)


def daily_share(past: Tensor, steps_per_day: int) -> Tensor:
    """(example,) share of the variance of `past` (example, context) that its mean day explains.

    >>> round(float(daily_share(torch.tensor([[1.0, 5, 1, 5, 1, 5]]), 2)), 3)
    1.0
    """
    days = past.shape[1] // steps_per_day
    if steps_per_day < 2 or days < 2:
        return torch.zeros(len(past))
    days_of = past[:, -days * steps_per_day :].unflatten(1, (days, steps_per_day))
    total = days_of.flatten(1).var(1, correction=0)
    return days_of.mean(1).var(1, correction=0) / total.clamp_min(1e-12)
