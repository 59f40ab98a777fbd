"""Pictures of places at times, with what was counted on them: the one type that is passed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from citytune._text import counted
from citytune.vision._picture import Picture


@dataclass(frozen=True, eq=False)
class PictureFrame:
    """Pictures, checked once: whoever holds one need not check it again."""

    pictures: tuple[Picture, ...]
    """Path or bytes of each."""
    names: tuple[str, ...]
    """What each is called in messages."""
    places: tuple[str, ...]
    """Camera or place of each."""
    times: NDArray[np.datetime64] | None = None
    """(picture,) when each was taken: in UTC if `timezone` is known, as written otherwise."""
    timezone: str | None = None
    """IANA zone of the cameras."""
    values: NDArray[Any] | None = None
    """(picture,) what is to be learnt: numbers, or words for classes; None without labels."""
    groups: tuple[str, ...] = ()
    """(picture,) what goes together, such as a clip, or a camera's day: tested as a whole."""
    target: str = "value"
    """What the values are called."""
    source: str = "pictures"
    """Where they came from, for messages."""
    notes: tuple[str, ...] = ()
    """What was guessed, converted or left out on reading."""

    def __post_init__(self) -> None:
        count = len(self.pictures)
        for name in ("names", "places", "times", "values", "groups"):
            part = getattr(self, name)
            if part is not None and len(part) != count and (name != "groups" or part):
                raise ValueError(f"{len(part)} {name} do not fit {count} pictures")
        if not self.groups:
            object.__setattr__(self, "groups", self._camera_days())

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.pictures)

    def __repr__(self) -> str:
        places = counted(len(set(self.places)), "place")
        groups = counted(len(set(self.groups)), "group")
        labels = "no labels" if self.values is None else f"labels {self.target!r}"
        return f"PictureFrame({counted(len(self), 'picture')} of {places}, {groups}, {labels})"

    def pick(self, which: Sequence[int]) -> PictureFrame:
        """Some of the pictures, by index."""
        index = list(which)

        def some(parts: Any) -> tuple[Any, ...]:
            return tuple(parts[i] for i in index)

        return replace(
            self,
            pictures=some(self.pictures),
            names=some(self.names),
            places=some(self.places),
            groups=some(self.groups),
            times=None if self.times is None else self.times[index],
            values=None if self.values is None else self.values[index],
        )

    def hours(self) -> NDArray[np.int64] | None:
        """(picture,) hour of the day on the wall, 0 … 23; None without times."""
        if self.times is None:
            return None
        return np.array([moment.hour for moment in self.wall()], dtype=np.int64)

    def wall(self) -> list[Any]:
        """(picture,) datetimes on the wall, with their zone if it is known."""
        assert self.times is not None, "the caller has looked"
        moments = self.times.astype("datetime64[us]").tolist()
        if self.timezone is None:
            return list(moments)
        utc, zone = ZoneInfo("UTC"), ZoneInfo(self.timezone)
        return [moment.replace(tzinfo=utc).astimezone(zone) for moment in moments]

    def _camera_days(self) -> tuple[str, ...]:
        if self.times is None:
            return self.places
        pairs = zip(self.places, self.wall(), strict=True)
        return tuple(f"{place} {moment.date()}" for place, moment in pairs)
