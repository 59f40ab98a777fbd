"""Turn wall times of a zone into UTC across the hours that summer time skips and repeats."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from citytune._text import counted
from citytune.readers.cells._findings import Findings
from citytune.readers.times._times import wall_text


class _Readings(NamedTuple):
    """The two possible UTC moments of each distinct wall time."""

    wall: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    skipped: NDArray[np.bool_]


def to_utc(
    wall: NDArray[np.int64],
    sensor: NDArray[np.integer] | None,
    filled: NDArray[np.bool_],
    zone: str,
    findings: Findings,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """UTC seconds of wall-time seconds, row by row, and which rows can be kept.

    A doubled hour is told apart by the order of a sensor's rows. A clock that writes the hour
    which summer time skips, and never doubles one, is a clock on standard time all year.

    `filled` tells which rows hold a reading; an empty row at a skipped time is no fault.
    """
    known = _both(np.unique(wall), zone)
    row = np.searchsorted(known.wall, wall)
    twofold = (known.first != known.second)[row] & ~known.skipped[row]
    skipped = known.skipped[row] & filled
    later = np.zeros(len(wall), bool)
    second = _is_second(wall[twofold], None if sensor is None else sensor[twofold])
    later[twofold] = second ^ (_is_twice(wall, sensor) & _descends(wall, sensor))[twofold]
    if skipped.any() and not later.any():
        return _standard_time(wall, int(wall[skipped][0]), int(skipped.sum()), zone, findings)
    _report(wall, twofold, later, skipped, zone, findings)
    utc = np.where(later, known.second[row], known.first[row])
    return utc, ~known.skipped[row]


def follows_ends(
    wall: NDArray[np.int64],
    step: int,
    sensor: NDArray[np.integer] | None,
    filled: NDArray[np.bool_],
    zone: str,
) -> bool:
    """Whether the clock changes as the ends of intervals do, not as their begins.

    An hour that ends at 02:00, or is numbered 2, comes twice where the zone has 02:00 twice; and
    the one that ends at 03:00 follows that of 01:00 where the zone skips 02:00.
    """
    one = np.zeros(len(wall), np.int64) if sensor is None else sensor
    rows = pl.DataFrame({"wall": wall, "sensor": one}).filter(pl.Series(filled))
    doubled = rows.filter(pl.struct("wall", "sensor").is_duplicated())["wall"].unique().to_numpy()
    distinct = np.unique(wall[filled])

    def misfits(by: int) -> int:
        twice, every = _both(doubled + by, zone), _both(distinct + by, zone)
        return int((twice.first == twice.second).sum() + every.skipped.sum())

    return misfits(step) < misfits(0)


def from_midnight(day: NDArray[np.int64], since: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """UTC of times counted from local midnight, right through a change of the clock.

    Args:
        day: (row,) midnight in wall time, as seconds.
        since: (row,) seconds since then; more than a day's on the day that has a further hour.
        zone: IANA name.
    """
    known = _both(np.unique(day), zone)
    return known.first[np.searchsorted(known.wall, day)] + since


def _both(wall: NDArray[np.int64], zone: str) -> _Readings:
    naive = pl.Series("wall", wall * 1_000_000).cast(pl.Datetime("us")).to_frame()
    first, second = (
        naive.select(
            pl.col("wall").dt.replace_time_zone(zone, ambiguous=which, non_existent="null")
        ).to_series().dt.epoch("s")
        for which in ("earliest", "latest")
    )  # fmt: skip
    skipped = first.is_null().to_numpy()
    return _Readings(wall, first.fill_null(0).to_numpy(), second.fill_null(0).to_numpy(), skipped)


def _is_second(wall: NDArray[np.int64], sensor: NDArray[np.integer] | None) -> NDArray[np.bool_]:
    """Of a sensor's rows with one doubled wall time, the second half belongs to winter time."""
    frame = _rows(wall, sensor)
    place = pl.col("wall").cum_count().over("sensor", "wall")
    total = pl.len().over("sensor", "wall")
    return frame.select((place * 2 > total) & (total > 1)).to_series().to_numpy()


def _rows(wall: NDArray[np.int64], sensor: NDArray[np.integer] | None) -> pl.DataFrame:
    return pl.DataFrame({"wall": wall, "sensor": np.zeros(len(wall)) if sensor is None else sensor})


def _is_twice(wall: NDArray[np.int64], sensor: NDArray[np.integer] | None) -> NDArray[np.bool_]:
    """Whether each row's sensor has another row of the same wall time."""
    return _rows(wall, sensor).select(pl.len().over("sensor", "wall") > 1).to_series().to_numpy()


def _descends(wall: NDArray[np.int64], sensor: NDArray[np.integer] | None) -> NDArray[np.bool_]:
    """Whether each row is of a sensor whose rows begin with the newest."""
    step = pl.col("wall").diff().over("sensor")
    share = (step < 0).mean().over("sensor")
    return _rows(wall, sensor).select((share > 0.9).fill_null(value=False)).to_series().to_numpy()


def _standard_time(
    wall: NDArray[np.int64], first: int, count: int, zone: str, findings: Findings
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    here = ZoneInfo(zone)
    moment = dt.datetime.fromtimestamp(first, dt.UTC).replace(tzinfo=here)
    # The skipped hour, read with the offset before the jump, is standard time.
    offset = int((moment.replace(fold=0).utcoffset() or dt.timedelta()).total_seconds())
    findings.warn(
        "standard-time",
        f"{counted(count, 'row')} with a time that {zone} skips in spring, and no hour twice in "
        "autumn: this clock does not change to summer time",
        f"it was read as standard time (UTC{offset / 3600:+g}) all year; correct the times if "
        "this is wrong",
        count=count,
        first=wall_text(first),
    )
    return wall - offset, np.ones(len(wall), bool)


def _report(
    wall: NDArray[np.int64],
    twofold: NDArray[np.bool_],
    later: NDArray[np.bool_],
    skipped: NDArray[np.bool_],
    zone: str,
    findings: Findings,
) -> None:
    if later.any():
        findings.note(
            "doubled-hour",
            f"{counted(int(later.sum()), 'row')} for the hour that {zone} has twice in autumn",
            "of each sensor's two rows the earlier in their order was read as summer time",
            count=int(later.sum()),
            first=wall_text(int(wall[later][0])),
        )
    if (single := twofold & ~later).any() and not later.any():
        findings.note(
            "single-hour",
            f"{int(single.sum())} rows lie in the hour that {zone} has twice in autumn, but "
            "appear only once",
            "read as summer time; the hour after them stays missing",
            count=int(single.sum()),
            first=wall_text(int(wall[single][0])),
        )
    if skipped.any():
        findings.warn(
            "skipped-hour",
            f"{int(skipped.sum())} rows have a local time that {zone} skips in spring",
            "these rows were left out, because no such time exists; check timezone=",
            count=int(skipped.sum()),
            first=wall_text(int(wall[skipped][0])),
        )
