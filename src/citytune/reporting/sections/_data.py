"""The data: what was read, its faults and its gaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from citytune._text import counted, duration, listed, percent
from citytune.frame import Fault, SensorFrame
from citytune.reporting import _words as words
from citytune.reporting._material import Material

MOST_ROWS = 200
"""Longest list."""
_SEVERITY = {"error": 0, "warning": 1, "note": 2}


def data(material: Material) -> dict[str, Any]:
    """Facts about the table, its faults by kind, and the gaps of its sensors."""
    frame = material.frame
    return {"facts": _facts(material), "faults": _faults(frame.faults), "gaps": _gaps(frame)}


def _facts(material: Material) -> list[tuple[str, str]]:
    frame = material.frame
    clock, count = frame.clock, len(frame)
    missing = float(np.isnan(frame.values).mean()) if frame.values.size else 0.0
    every = duration(clock.step).removeprefix("1 ")
    zone = f"local time of {clock.timezone}" if clock.timezone else "times as written in the source"
    holidays = f"public holidays of {frame.country}" if frame.country else "not known"
    return [
        ("Source", material.source),
        ("Measured", str(frame.quantity).replace("_", " ")),
        ("Sensors", f"{len(frame.sensors):,}: {listed(frame.sensors, 8)}"),
        ("Period", f"{clock.text(0)} to {clock.text(count - 1)} ({counted(count, 'step')})"),
        ("Clock", f"one value every {every}; {zone}"),
        (
            "Missing",
            f"{percent(missing)} of all values; never filled in where forecasts are scored",
        ),
        ("Known ahead", listed(tuple(frame.covariates))),
        ("Holidays", holidays),
    ]


def _faults(faults: Sequence[Fault]) -> list[dict[str, Any]]:
    """Faults of a kind as one row: which sensors, how many, since when, what to do."""
    groups: dict[tuple[int, str, str], list[Fault]] = defaultdict(list)
    for fault in faults:
        groups[_SEVERITY[fault.severity], fault.severity, fault.kind].append(fault)
    return [
        {
            "severity": severity,
            "kind": kind.replace("-", " "),
            "message": words.for_page(found[0].message),
            "others": len(found) - 1,
            "sensors": listed([f.sensor for f in found if f.sensor is not None], 5)
            or "whole table",
            "count": f"{sum(f.count for f in found):,}",
            "first": min((f.first for f in found if f.first), default="–"),
            "remedy": words.for_page(found[0].remedy),
            "all": [words.for_page(str(f)) for f in found[:MOST_ROWS]] if len(found) > 1 else [],
        }
        for (_, severity, kind), found in sorted(groups.items(), key=lambda item: item[0])
    ]


def _gaps(frame: SensorFrame) -> list[dict[str, str]]:
    """Sensors with anything missing, those with the most first."""
    missing = np.isnan(frame.values)
    share = missing.mean(0) if len(frame) else np.zeros(len(frame.sensors))
    order = [int(i) for i in np.argsort(-share, kind="stable") if share[i] > 0][:MOST_ROWS]
    return [
        {
            "name": frame.sensors[i],
            "share": percent(float(share[i])),
            "longest": _longest(frame, missing[:, i]),
            "last": _last(frame, missing[:, i]),
        }
        for i in order
    ]


def _longest(frame: SensorFrame, missing: NDArray[np.bool_]) -> str:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(np.int8)))
    first, last = edges[::2], edges[1::2]
    widest = int(np.argmax(last - first))
    span = duration(int(last[widest] - first[widest]) * frame.clock.step)
    return f"{span} from {frame.clock.text(int(first[widest]))}"


def _last(frame: SensorFrame, missing: NDArray[np.bool_]) -> str:
    there = np.flatnonzero(~missing)
    return frame.clock.text(int(there[-1])) if len(there) else "never"
