"""Infer the one regular clock behind a source's moments, or say why there is none."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from citytune._text import counted, percent
from citytune.frame import spell
from citytune.readers.cells._findings import Findings
from citytune.readers.times._times import wall_text
from citytune.readers.values._readings import Readings
from citytune.readers.values._two_clocks import refuse_two_clocks

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_USUAL = np.array(
    [n * _MINUTE for n in (1, 2, 2.5, 3, 4, 5, 6, 10, 12, 15, 20, 30)]
    + [n * _HOUR for n in (1, 2, 3, 4, 6, 8, 12)]
    + [_DAY, 7 * _DAY],
    np.int64,
)
_BLOCKS_OF_TIME = 10  # parts of the time span that are compared when looking for a change of clock
_LONGEST_STEP = 8 * _DAY
SHARE_OF_MULTIPLES = 0.95
"""Share of gaps that are multiples of a step from which rows keep to it, however odd it is."""
MOST_DRIFT = 0.02
"""How far off a usual step a clock may go."""


class RegularStep(NamedTuple):
    """A regular clock: moments are `phase` plus a whole number of `step`, in seconds."""

    step: int
    phase: int
    within: bool = False
    """Whether a moment belongs to the step it falls in, not to the nearest one."""

    def steps(self, time: NDArray[np.int64]) -> NDArray[np.int64]:
        """The step number of each moment."""
        half = 0 if self.within else self.step // 2
        return (time - self.phase + half) // self.step


def infer_step(readings: Readings, findings: Findings) -> RegularStep:
    """The step and phase of a source's clock."""
    gaps = _gaps(readings, findings)
    if not len(gaps):
        single = len(np.unique(readings.time)) < 2
        findings.fail(
            "one-row",
            f"there is only one {'moment of readings' if single else 'reading of each sensor'}, so "
            "there is no time step and nothing to learn from",
            "pass a file with at least a few days of readings",
        )
    step = _step(gaps, findings)
    named = readings.sensors if readings.sensor is not None else []
    refuse_two_clocks(_snapped(gaps) if step in _USUAL else gaps, named, findings)
    findings.stop_on_errors()
    return _phase(readings.time, step, findings)


def _gaps(readings: Readings, findings: Findings) -> pl.DataFrame:
    """How often each gap between a sensor's successive moments occurs: sensor, block, gap, n."""
    time, sensor = _sorted(readings, findings)
    gap = np.diff(time)
    real = gap > 0
    if sensor is not None:
        real &= sensor[1:] == sensor[:-1]
    start, span = int(time.min()), int(time.max() - time.min()) + 1
    part = ((time[1:][real] - start) * (_BLOCKS_OF_TIME / span)).astype(np.int32)
    if sensor is not None:
        part += sensor[1:][real] * np.int32(_BLOCKS_OF_TIME)
    counted = _count_pairs(part, gap[real])
    return counted.with_columns(
        sensor=pl.col("part") // _BLOCKS_OF_TIME, block=pl.col("part") % _BLOCKS_OF_TIME
    )


def _count_pairs(part: NDArray[np.int32], gap: NDArray[np.int64]) -> pl.DataFrame:
    """How often each gap occurs in each part; the usual gap is counted the fast way."""
    usual = int(np.median(gap[:: max(1, len(gap) // 100_000)])) if len(gap) else 0
    same = gap == usual
    n = np.bincount(part[same])
    most = pl.DataFrame({"part": np.arange(len(n)), "n": n}).filter(pl.col("n") > 0)
    rest = pl.DataFrame({"part": part[~same].astype(np.int64), "gap": gap[~same]})
    counted = rest.group_by("part", "gap").agg(n=pl.len().cast(pl.Int64))
    usually = most.select("part", pl.lit(usual, pl.Int64).alias("gap"), pl.col("n").cast(pl.Int64))
    return pl.concat([usually, counted]).sort("gap", "part")


def _sorted(
    readings: Readings, findings: Findings
) -> tuple[NDArray[np.int64], NDArray[np.integer] | None]:
    """Moments by sensor, then time; rows that were out of order are counted aloud."""
    time, sensor = readings.time, readings.sensor
    if sensor is None:
        backward = np.diff(time) < 0
        _say_unordered(time, backward, findings)
        return (np.sort(time) if backward.any() else time), None
    if not (sensor[1:] >= sensor[:-1]).all():
        order = np.argsort(sensor, kind="stable")
        time, sensor = time[order], sensor[order]
    backward = (np.diff(time) < 0) & (sensor[1:] == sensor[:-1])
    _say_unordered(time, backward, findings)
    if backward.any():
        order = np.lexsort((time, sensor))
        time, sensor = time[order], sensor[order]
    return time, sensor


def _say_unordered(
    time: NDArray[np.int64], backward: NDArray[np.bool_], findings: Findings
) -> None:
    if count := int(backward.sum()):
        findings.note(
            "unordered-rows",
            f"{counted(count, 'row')} after a later one",
            "the rows were sorted by time",
            count=count,
            first=wall_text(int(time[1:][backward][0])),
        )


def _step(gaps: pl.DataFrame, findings: Findings) -> int:
    """The commonest gap, exact or snapped to a usual step, if it explains the others."""
    step, share, multiple = _commonest(gaps)
    explains = share >= 0.5 or (share >= 0.25 and multiple >= 0.95)
    if explains and not _is_odd(step, multiple, findings):
        return _known(step, findings)
    snapped, share, multiple = _commonest(_snapped(gaps))
    if not (snapped and (share >= 0.5 or (share >= 0.35 and multiple >= 0.95))):
        common = gaps.group_by("gap").agg(pl.col("n").sum()).sort("n", descending=True)["gap"]
        steps = ", ".join(spell(dt.timedelta(seconds=gap)) for gap in common.head(3))
        findings.fail(
            "no-clock",
            "the clock cannot be inferred: no step explains the gaps between readings (the "
            f"most common: {steps})",
            "citytune needs readings at regular steps; if these are events, count or average them "
            "per hour first",
        )
    return _known(snapped, findings)


def _is_odd(step: int, multiple: float, findings: Findings) -> bool:
    """Whether a step divides no day and many gaps are none of its multiples.

    Near a usual step it is a clock that drifts; otherwise the rows are events, which are refused.
    """
    divides = step % _DAY == 0 if step > _DAY else _DAY % step == 0
    if divides or step < 2 * _MINUTE or multiple >= SHARE_OF_MULTIPLES:
        return False
    if float(np.abs(step / _USUAL - 1).min()) > MOST_DRIFT:
        findings.fail(
            "no-clock",
            f"the most common gap between rows is {spell(dt.timedelta(seconds=step))}, which "
            f"divides no day, and {percent(1 - multiple)} of the gaps are no multiple of it: "
            "these seem to be events, such as charging sessions, and not readings",
            "count or add them up per hour or day first",
        )
    return True


def _known(step: int, findings: Findings) -> int:
    if step > _LONGEST_STEP:
        findings.fail(
            "no-clock",
            f"readings are {step / _DAY:g} days apart; months are not steps of equal length",
            "citytune forecasts clocks from seconds to a week; pass finer readings",
        )
    return step


def _commonest(gaps: pl.DataFrame) -> tuple[int, float, float]:
    """The commonest gap, its share, and the share of whole multiples of it."""
    total = gaps.group_by("gap").agg(pl.col("n").sum()).filter(pl.col("gap") > 0).sort("gap")
    if not len(total):
        return 0, 0.0, 0.0
    gap, n = total["gap"].to_numpy(), total["n"].to_numpy()
    everything = int(gaps["n"].sum())
    best = int(gap[n.argmax()])
    return best, float(n.max() / everything), float(n[gap % best == 0].sum() / everything)


def _snapped(gaps: pl.DataFrame) -> pl.DataFrame:
    """Gaps at most a fifth away from a usual step become that step, others 0."""
    gap = gaps["gap"].to_numpy()
    nearest = _USUAL[np.abs(np.log(gap[:, None] / _USUAL)).argmin(1)]
    close = np.abs(gap - nearest) <= 0.2 * nearest
    return gaps.with_columns(gap=pl.Series(np.where(close, nearest, 0)))


def _phase(time: NDArray[np.int64], step: int, findings: Findings) -> RegularStep:
    """Where in a step the moments lie: exactly somewhere, around the full step, or anywhere."""
    every = max(1, len(time) // 1_000_000)
    offsets, counts = np.unique(time[::every] % step, return_counts=True)
    usual = int(offsets[counts.argmax()])
    # Jittery moments have a commonest offset by chance; the full step is the likelier meaning.
    phase = usual if counts.max() >= 0.5 * counts.sum() else 0
    nearest = RegularStep(step, phase)
    away = np.abs(time - phase - nearest.steps(time) * step)
    off = away > 0
    if not off.any():
        return nearest
    within = bool((away > 0.25 * step).mean() > 0.2)
    findings.note(
        "off-grid",
        f"{percent(float(off.mean()))} of the rows are off the regular step of "
        f"{spell(dt.timedelta(seconds=step))}, by up to {int(away.max())} s",
        "each was assigned to the step it falls in"
        if within
        else "each was moved to the nearest step",
        count=int(off.sum()),
        first=wall_text(int(time[off][0])),
    )
    return RegularStep(step, phase % step if not within else 0, within)
