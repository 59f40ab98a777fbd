"""Keep the scores of a test period in a file, and read them back."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from citytune._errors import RunError
from citytune.evaluation._alerts import AlertScore
from citytune.evaluation._detail import Detail
from citytune.evaluation._rare import Region
from citytune.evaluation._scores import Scores
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.settings import Alert

FORMAT = 1
PLAIN = ("models", "holdout_start", "holdout_end", "origins", "refitted", "anchored", "notes")
"""Fields of `Scores` that JSON has as they are."""
POINTS, MEANS = "points/", "means/"


def keep_scores(scores: Scores, path: Path) -> None:
    """Write scores to a file, with every forecast of the test and what was measured then.

    Of the frame, only the rows of the test period and its facts are kept.
    """
    from safetensors.numpy import save_file

    detail = scores.detail
    first = int(detail.origin_index[0])
    tensors: dict[str, Any] = {POINTS + name: found for name, found in detail.points.items()}
    tensors |= {MEANS + name: found for name, found in detail.means.items()}
    tensors |= {
        "actual": detail.actual,
        "quantiles": detail.quantiles,
        "origin_index": detail.origin_index - first,
        "values": detail.frame.values[first:],
    }
    facts = {name: getattr(scores, name) for name in PLAIN}
    facts |= {
        "format": FORMAT,
        "regions": [asdict(one) for one in scores.regions],
        "alerts": [asdict(one) for one in scores.alerts],
        "frame": _kept_frame(detail.frame.since(first)),
    }
    packed = {name: _contiguous(found) for name, found in tensors.items()}
    save_file(packed, path, {"scores": json.dumps(facts)})


def kept_scores(path: Path) -> Scores:
    """What `keep_scores` wrote.

    Raises:
        RunError: the file is damaged, or of another version.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            facts = json.loads(file.metadata()["scores"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _opened(facts, tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"{path} is damaged, or of another version of citytune ({error}); restore it from a "
            "copy, or tune anew"
        ) from error


def _opened(facts: dict[str, Any], tensors: dict[str, Any]) -> Scores:
    if facts["format"] != FORMAT:
        raise ValueError(f"format {facts['format']}")
    points = _named(POINTS, tensors)
    order = [*facts["models"], *sorted(points)]
    detail = Detail(
        actual=tensors["actual"],
        points={name: points[name] for name in dict.fromkeys(order) if name in points},
        quantiles=tensors["quantiles"],
        origin_index=tensors["origin_index"],
        frame=_opened_frame(facts["frame"], tensors["values"]),
        means=_named(MEANS, tensors),
    )
    return Scores(
        **{name: facts[name] for name in PLAIN if name != "notes"},
        notes=tuple(facts["notes"]),
        detail=detail,
        regions=tuple(Region(**one) for one in facts["regions"]),
        alerts=tuple(_opened_alert(one) for one in facts["alerts"]),
    )


def _named(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    """Those whose names begin so, under the rest of their names."""
    return {
        name.removeprefix(prefix): found
        for name, found in tensors.items()
        if name.startswith(prefix)
    }


def _opened_alert(facts: dict[str, Any]) -> AlertScore:
    return AlertScore(**facts | {"alert": Alert(**facts["alert"])})


def _kept_frame(frame: SensorFrame) -> dict[str, Any]:
    clock = frame.clock
    return {
        "start": clock.start.isoformat(),
        "step": clock.step.total_seconds(),
        "timezone": clock.timezone,
        "sensors": frame.sensors,
        "quantity": asdict(frame.quantity),
        "country": frame.country,
        "source": frame.source,
    }


def _opened_frame(facts: dict[str, Any], values: Any) -> SensorFrame:
    start, step = dt.datetime.fromisoformat(facts["start"]), dt.timedelta(seconds=facts["step"])
    return SensorFrame(
        values=values,
        clock=Clock(start, step, facts["timezone"]),
        sensors=tuple(facts["sensors"]),
        quantity=Quantity(**facts["quantity"]),
        country=facts["country"],
        source=facts["source"],
    )


def _contiguous(values: Any) -> Any:
    import numpy as np

    return np.ascontiguousarray(values)
