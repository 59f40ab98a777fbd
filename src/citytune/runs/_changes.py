"""What changed in a source since it was read last, in sentences; what cannot be is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from citytune._errors import InputError, NothingNew, OlderSource
from citytune._text import counted, listed, percent

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from citytune.frame import SensorFrame

MOMENT = "\0moment"
"""Column of times in what is kept of the readings; no sensor is called so."""
KNOWN = "\0"
"""Around the names of what was known ahead, followed by the number of its column."""
SAME = 1e-3
"""Relative difference up to which two readings are one and the same."""
MOST_CORRECTED = 0.2
"""Share of other readings from which a source contradicts what was read before."""


class Overlap(NamedTuple):
    """The readings of both times at the same moments, (time, sensor)."""

    sensors: tuple[str, ...]
    before: NDArray[np.float32]
    now: NDArray[np.float32]


def kept_readings(frame: SensorFrame) -> pl.DataFrame:
    """Readings as a table: times, a column a sensor, and what was known ahead."""
    import polars as pl

    columns = {name: frame.values[:, i] for i, name in enumerate(frame.sensors)}
    known = {
        f"{KNOWN}{name}{KNOWN}{i}": table[: len(frame), i]
        for name, table in frame.covariates.items()
        for i in range(table.shape[1])
    }
    return pl.DataFrame({MOMENT: frame.clock.moments(0, len(frame)), **columns, **known})


def changes(frame: SensorFrame, before: pl.DataFrame) -> list[str]:
    """What is new in a frame, of which an earlier part was read before.

    Args:
        frame: What was read now.
        before: The last weeks of what was read then, as `kept_readings` gives them.

    Raises:
        NothingNew: it ends where it ended before.
        InputError: it ends earlier, or contradicts what was read.
    """
    last = before[MOMENT].to_numpy()[-1].astype("datetime64[us]")
    _check_end(frame, last)
    overlap = _overlap(frame, before)
    corrected = [_gap(frame, last)] if overlap is None else list(_corrected(frame, overlap))
    if frame.clock.moments(len(frame) - 1, 1)[0] == last:
        raise NothingNew(_nothing_new(frame, corrected))
    return [_new(frame, last), *corrected]


def earlier(frame: SensorFrame, before: pl.DataFrame | None) -> list[str]:
    """That a source ends before what a run has read, in a sentence; nothing if it does not."""
    if before is None:
        return []
    last = before[MOMENT].to_numpy()[-1].astype("datetime64[us]")
    if frame.clock.moments(len(frame) - 1, 1)[0] >= last:
        return []
    known = frame.clock.text(frame.clock.index(last))
    said = (
        f"{frame.source} ends at {frame.clock.text(len(frame) - 1)}, but the run has read until "
        f"{known}; this is a forecast of what has come already, by a model that has seen it"
    )
    return [said]


def _check_end(frame: SensorFrame, last: np.datetime64) -> None:
    end = frame.clock.moments(len(frame) - 1, 1)[0]
    known = frame.clock.text(frame.clock.index(last))
    if end < last:
        raise OlderSource(
            f"{frame.source} ends at {frame.clock.text(len(frame) - 1)}, but the run has read "
            f"until {known}; this is an older file, so give the newest one"
        )


def _nothing_new(frame: SensorFrame, corrected: list[str]) -> str:
    said = f"{frame.source} has no rows after {frame.clock.text(len(frame) - 1)}, which the run has"
    if not corrected:
        return f"{said} read already, so the run is up to date"
    return f"{said} read already, but {', '.join(corrected)}; a refit (--refit) would learn that"


def _overlap(frame: SensorFrame, before: pl.DataFrame) -> Overlap | None:
    import numpy as np

    moments = before[MOMENT].to_numpy().astype("datetime64[us]")
    start, step = np.datetime64(frame.clock.start, "us"), np.timedelta64(frame.clock.step, "us")
    row = (moments - start) // step
    inside = (row >= 0) & (row < len(frame))
    where = {name: i for i, name in enumerate(frame.sensors)}
    names = tuple(name for name in before.columns if name in where)
    if not inside.any() or not names:
        return None
    columns = [where[name] for name in names]
    return Overlap(
        names, before.select(names).to_numpy()[inside], frame.values[row[inside]][:, columns]
    )


def _new(frame: SensorFrame, last: np.datetime64) -> str:
    import numpy as np

    first = max(0, frame.clock.index(last) + 1)
    known = float(np.isfinite(frame.values[first:]).mean())
    return (
        f"{counted(len(frame) - first, 'new step')}, from {frame.clock.text(first)} to "
        f"{frame.clock.text(len(frame) - 1)}, {percent(1 - known)} missing"
    )


def _gap(frame: SensorFrame, last: np.datetime64) -> str:
    return (
        f"it begins at {frame.clock.text(0)}, after {frame.clock.text(frame.clock.index(last))}, "
        "where the readings before ended, so it cannot be compared with them"
    )


def _corrected(frame: SensorFrame, overlap: Overlap) -> Iterator[str]:
    """Readings that are others now, that came in late, or that are gone."""
    import numpy as np

    before, now = np.isfinite(overlap.before), np.isfinite(overlap.now)
    both = before & now
    size = np.maximum(np.abs(overlap.before), np.abs(overlap.now))
    other = both & (np.abs(overlap.before - overlap.now) > SAME * size)
    share = float(other.sum() / max(both.sum(), 1))
    names = [n for n, any_ in zip(overlap.sensors, other.any(0), strict=True) if any_]
    if share > MOST_CORRECTED:
        raise InputError(
            f"{frame.source} contradicts what the run has read: {percent(share)} of "
            f"{counted(int(both.sum()), 'reading')} of the same times are others now, of "
            f"{listed(names, 3)}; if the unit or the sensors have changed, or everything was "
            "corrected, tune anew"
        )
    if other.any():
        yield (
            f"{counted(int(other.sum()), 'reading')} read before {_are_others(other)} now, of "
            f"{listed(names, 3)}"
        )
    if late := int((~before & now).sum()):
        yield f"{counted(late, 'reading')} that {'was' if late == 1 else 'were'} missing came in"
    if gone := int((before & ~now).sum()):
        yield f"{counted(gone, 'reading')} read before {'is' if gone == 1 else 'are'} missing now"


def _are_others(which: NDArray[np.bool_]) -> str:
    return "is another" if which.sum() == 1 else "are others"
