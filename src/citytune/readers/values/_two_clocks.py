"""Refuse a table in which sensors, or parts of the time, keep to clocks of their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from citytune._text import listed
from citytune.frame import Clock, spell
from citytune.readers.cells._findings import Findings


def refuse_two_clocks(gaps: pl.DataFrame, sensors: Sequence[str], findings: Findings) -> None:
    """Add the error of rows whose gaps keep to one step here and to another there.

    `gaps` counts each gap (sensor, block of time, gap in seconds, n); a gap of 0 is no usual one.
    """
    own = (
        gaps.filter(pl.col("gap") > 0)
        .group_by("sensor", "block", "gap").agg(pl.col("n").sum())
        .with_columns(share=pl.col("n") / pl.col("n").sum().over("sensor", "block"))
        .filter((pl.col("share") >= 0.9) & (pl.col("n") >= 3))
        .group_by("sensor", "gap").agg(blocks=pl.len(), n=pl.col("n").sum())
        .filter((pl.col("blocks") >= 2) & (pl.col("n") >= 8))
    )  # fmt: skip
    clocks = {
        dt.timedelta(seconds=gap): [sensors[i] for i in sorted(part["sensor"])] if sensors else []
        for (gap,), part in own.group_by("gap")
    }
    _refuse(clocks, findings)


def refuse_sparse_sensors(
    by_sensor: NDArray[np.float32], sensors: Sequence[str], clock: Clock, findings: Findings
) -> None:
    """Add the error of a table in which some sensors fill every step and others every k-th only.

    `by_sensor` holds the readings, (sensor, time).
    """
    clocks: dict[dt.timedelta, list[str]] = {}
    for name, values in zip(sensors, by_sensor, strict=True):
        if stride := _own_stride(np.flatnonzero(~np.isnan(values))):
            clocks.setdefault(stride * clock.step, []).append(name)
    _refuse(clocks, findings)


def _own_stride(filled: NDArray[np.int64]) -> int:
    """The number of steps from one reading of a sensor to the next; 0 if it is irregular."""
    if len(filled) < 20:
        return 0
    gaps = np.diff(filled)
    if (gaps == 1).mean() > 0.05:
        return 1
    stride = int(np.median(gaps))
    return stride if (gaps == stride).mean() >= 0.95 else 0


def _refuse(clocks: Mapping[dt.timedelta, list[str]], findings: Findings) -> None:
    if len(clocks) < 2:
        return
    parts = [
        f"{spell(step)} ({listed(clocks[step], 3, quoted=True)})" if clocks[step] else spell(step)
        for step in sorted(clocks)[:4]
    ]
    findings.error(
        "two-clocks",
        f"{len(clocks)} time steps are mixed: {' and '.join(parts)}",
        "put them in separate files, or convert all to the coarser step first",
        count=len(clocks),
    )
