"""A corpus: the series of many sets as arrays, and what a card says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLED_VALUES, SAMPLED_STEPS = 512, 16
"""Values of each source, and steps of its calendar, that enter the fingerprint."""


@dataclass(frozen=True, eq=False)
class Source:
    """The series of one set on one clock, with the calendar of every step."""

    name: str
    """The set's name; the same set on a coarser clock keeps it."""
    domain: str
    """Such as "traffic", "energy" or "air"; domains are sampled with equal shares."""
    values: NDArray[np.float32]
    """(sensor, time), in the unit of the data; NaN is missing."""
    share: NDArray[np.float32]
    """(time,) how much of the local day has passed, 0 … 1."""
    weekday: NDArray[np.uint8]
    """(time,) Monday 0 … Sunday 6."""
    holiday: NDArray[np.bool_]
    """(time,) public holiday."""
    steps_per_day: int
    """Steps of the clock a day; 1 for a daily clock."""

    @property
    def length(self) -> int:
        """Steps."""
        return self.values.shape[1]


@dataclass(frozen=True)
class Skipped:
    """A set, or some sensors of one, that nothing is learnt from."""

    name: str
    """Of the set."""
    why: str
    """One sentence."""
    whole: bool = True
    """The whole set, and not only some of its sensors."""

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class SetFacts:
    """What a model's card says of one set."""

    name: str
    """As its sources are called."""
    domain: str
    """Such as "traffic"."""
    quantity: str
    """What was measured, with its unit."""
    clock: str
    """The set's own clock, such as "5min"."""
    clocks: tuple[str, ...]
    """All clocks it is given on."""
    sensors: int
    """Sensors used."""
    steps: int
    """Steps of its own clock, from the first measured to the last."""
    measured: int
    """Values of these sensors that were measured, on its own clock."""
    first: str
    """Wall time of the first step."""
    last: str
    """Wall time of the last step."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Times the listing keeps out of it, from and to."""
    weight: float = 1.0
    """How often it is drawn, against 1 of the others of its domain."""
    licence: str = ""
    """Of the data, if the listing says."""
    citation: str = ""
    """Whom to name, if the listing says."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """The series of many sets, each on its own clock and on coarser ones."""

    sources: tuple[Source, ...]
    """What windows are drawn from; a set has one source for each of its clocks."""
    skipped: tuple[Skipped, ...]
    """What could not be used, and why: for the caller to show."""
    sets: tuple[SetFacts, ...]
    """One for each set used, for the model's card."""
    fingerprint: str
    """Hash over names, shapes and sampled values: equal for an equal corpus."""


def fingerprint(sources: Sequence[Source]) -> str:
    """SHA-256 over names, shapes and evenly sampled values of `sources`, in order."""
    digest = hashlib.sha256()
    for source in sources:
        about = (source.name, source.domain, source.steps_per_day, *source.values.shape)
        digest.update(repr(about).encode())
        flat = source.values.reshape(-1)
        digest.update(flat[_evenly(flat.size, SAMPLED_VALUES)].astype("<f4").tobytes())
        steps = _evenly(source.length, SAMPLED_STEPS)
        for times in (source.share.astype("<f4"), source.weekday, source.holiday):
            digest.update(times[steps].tobytes())
    return digest.hexdigest()


def _evenly(size: int, count: int) -> NDArray[np.int64]:
    return np.linspace(0, size - 1, count).astype(np.int64)
