"""What an expert is: one forecast among those that a mixture weighs, whatever it is made from.

To add one, write a frozen dataclass that has these methods and `register` it: it is then fitted,
weighed, forecast, saved, loaded and updated like all the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from citytune._registry import Registry
from citytune.backbones import LEVELS, Backbone, Card
from citytune.tuning.examples._batch import DEVIATIONS, MIDDLE, Batch

if TYPE_CHECKING:
    from citytune.tuning.task._task import Task


def deviations_of(name: str) -> str:
    """Next to an expert that has quantiles of its own: these, less its forecast."""
    return f"{name} {DEVIATIONS}"


class Start(Enum):
    """Where an expert's weight comes from as long as nothing is known of its gains."""

    TWIN = "as safe as the pretrained forecast"
    SHARED = "a share of the weight of the pretrained forecast, which it corrects"
    LEARNT = "the place of the pretrained forecast, as far as its gains have repeated"
    REST = "an equal share of the little that is left"


class Expert(Protocol):
    """A forecast that takes part; its fields are all that is saved of it."""

    many_weights: ClassVar[bool] = False
    """Whether fitting it takes many days, so that a blend waits for them."""

    @property
    def name(self) -> str:
        """Unique within a mixture."""
        ...

    @property
    def words(self) -> str:
        """What it is, for people."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of experts whose forecasts it looks at, and `FEATURES` or `COVARIATES`."""
        return ()

    @property
    def asks_again(self) -> bool:
        """Whether the network is asked once more for it."""
        return False

    def forecast(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """Forecasts (example, horizon), in the unit of the data.

        Args:
            batch: The windows, and all that may be known of them.
            so_far: Expert → the same of those it needs.
        """
        ...

    @property
    def has_quantiles(self) -> bool:
        """Whether it has a distribution of its own, which counts as much as its forecast."""
        return False

    def quantiles(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """Quantiles (example, horizon, level) at `LEVELS`, ascending; the middle is its forecast.

        Asked only of one that `has_quantiles`; the arguments are those of `forecast`.
        """
        raise TypeError(f"{self.name!r} has no quantiles of its own")

    def start(self, card: Card) -> Start:
        """Where its weight comes from without evidence, around a backbone with such a card."""
        return Start.REST

    def unfit(self, backbone: Callable[[], Backbone]) -> str:
        """Why it cannot have been made from this backbone; empty if it can."""
        return ""

    @classmethod
    def unfitted(cls, card: Card, steps_per_day: int) -> Iterable[Expert]:
        """Experts of this kind that need no fitting."""
        return ()

    @classmethod
    def fit(cls, task: Task) -> Iterable[Candidate]:
        """Experts of this kind that were fitted to a task; none where that does not help."""
        return ()


class Candidate(NamedTuple):
    """A fitted expert that a mixture may weigh."""

    expert: Expert
    out_of_fold: Tensor  # (example, horizon), forecasts of the task's windows, as if unseen
    deviations: Tensor | None = None  # (example, horizon, level) its quantiles less these


def learnt_of(card: Card, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Those that are the network itself, tuned here by its own loss."""
    return [one for one in candidates if one.expert.start(card) is Start.LEARNT]


experts: Registry[type[Expert]] = Registry("expert")


def register(kind: str, made: type[Expert]) -> None:
    """Let experts of a kind take part in every blend."""
    experts.add(kind, lambda: made)


def kinds() -> list[type[Expert]]:
    """Every kind, in the order of their names: it must not matter which was registered first."""
    return [experts.make(name) for name in sorted(experts)]


def unfitted(card: Card, steps_per_day: int) -> tuple[Expert, ...]:
    """The experts that need no fitting on such a clock."""
    return tuple(one for kind in kinds() for one in kind.unfitted(card, steps_per_day))


def forecasts_of(
    some: Sequence[Expert],
    batch: Batch,
    so_far: Mapping[str, Tensor] | None = None,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Tensor]:
    """What experts forecast (example, horizon) by name, each after those it needs.

    Args:
        some: In an order in which no one needs a later one.
        batch: The windows; with its `spread`, `DEVIATIONS` (example, horizon, level) are added.
        so_far: Forecasts that are known already, of experts among these or needed by them.
        progress: Called with the share done, 0 … 1.
    """
    known = dict(so_far or {})
    lacking = [expert for expert in some if expert.name not in known]
    horizon, count = batch.spec.horizon, batch.examples.origin.shape[0]
    found = {expert.name: [torch.empty(0, horizon)] for expert in lacking}
    spread = [deviations_of(one.name) for one in lacking if one.has_quantiles]
    if batch.spread:
        found |= {name: [torch.empty(0, horizon, len(LEVELS))] for name in (DEVIATIONS, *spread)}
    done = 0
    for part in batch.chunks():
        size = part.examples.origin.shape[0]
        emitted = {name: whole[done : done + size] for name, whole in known.items()}
        for expert in lacking:
            if batch.spread and expert.has_quantiles:
                own = expert.quantiles(part, emitted)
                emitted[expert.name] = own[..., MIDDLE]
                emitted[deviations_of(expert.name)] = own - own[..., MIDDLE, None]
            else:
                emitted[expert.name] = expert.forecast(part, emitted)
        if batch.spread:
            emitted[DEVIATIONS] = part.deviations
        for name, parts in found.items():
            parts.append(emitted[name])
        done += size
        if progress is not None:
            progress(done / count)
    return known | {name: torch.cat(parts) for name, parts in found.items()}
