"""Put the readings that a run has kept before those of a source that begins too late."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from citytune._errors import InputError
from citytune._text import number
from citytune.runs._changes import KNOWN, MOMENT
from citytune.runs._record import last_readings

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from citytune.forecasting import TunedModel
    from citytune.frame import SensorFrame

OTHER_SIZE, FEWEST = 20.0, 12
"""How many times as large is another unit, and the readings of a sensor by which it is told."""
MOST_DAYS_BETWEEN = 28
"""Days without readings, between those kept and the source, from which they are not joined."""


class Joined(NamedTuple):
    """A source, with what was kept before it."""

    frame: SensorFrame
    """In the model's unit and zone, if anything was put before it."""
    rows: int
    """How many steps were put before it."""
    said: str
    """That in a sentence; empty if nothing was."""


def joined(model: TunedModel, frame: SensorFrame, folder: Path) -> Joined:
    """A source that begins after the readings that a run keeps, as a weekly export does.

    What the source has counts; what was kept is put before it.

    Args:
        model: Of the run.
        frame: As it was read.
        folder: Of the run.
    """
    from citytune.forecasting import admit

    kept = last_readings(folder)
    if kept is None or frame.clock.step != model.clock.step or not _knows_all(kept, frame):
        return Joined(frame, 0, "")
    moments = kept[MOMENT].to_numpy().astype("datetime64[us]")
    start = frame.clock.moments(0, 1)[0].astype("datetime64[us]")
    between = (start - moments[-1]).astype("timedelta64[h]").astype(int) / 24
    if start <= moments[0] or between > MOST_DAYS_BETWEEN:
        return Joined(frame, 0, "")
    admitted = admit(model, frame, new="not kept")
    whole = admitted.whole
    rows = -whole.clock.index(moments[0])
    _check_size(kept, whole)
    found = _with(kept, whole, rows)
    said = (
        f"the readings before {whole.clock.text(0)}, where {frame.source} begins, are those that "
        f"the run has kept, from {found.clock.text(0)} on"
    )
    again = {*admit(model, found, new="not kept").said}  # what is said when it is forecast
    for sentence in admitted.said:
        if sentence not in again:
            warnings.warn(sentence, UserWarning, stacklevel=2)
    return Joined(found, rows, said)


def _check_size(kept: pl.DataFrame, frame: SensorFrame) -> None:
    """Refuse readings in another unit than those before, of which there is no other sign.

    Raises:
        InputError: in the middle of the sensors they are so much larger or smaller.
    """
    import numpy as np

    ratios = []
    for i, name in enumerate(frame.sensors):
        now = np.abs(frame.values[:, i][np.isfinite(frame.values[:, i])])
        before = np.abs(kept[name].to_numpy()) if name in kept.columns else now[:0]
        before = before[np.isfinite(before)]
        if min(len(now), len(before)) >= FEWEST and before.mean() > 0 and now.mean() > 0:
            ratios.append(float(now.mean() / before.mean()))
    usual = float(np.median(ratios)) if ratios else 1.0
    if not 1 / OTHER_SIZE < usual < OTHER_SIZE:
        raise InputError(
            f"the readings of {frame.source} are {number(usual, 2)} times those that the run has "
            f"kept, as after a change of unit; the run is in {frame.quantity.unit or 'no unit'}, "
            "so give them in that, or name their unit by unit="
        )


def _knows_all(kept: pl.DataFrame, frame: SensorFrame) -> bool:
    """Whether what a source knows ahead was kept, too, and was not another for each sensor."""
    widths = {name: len(_kept(kept, name)) for name in frame.covariates}
    return all(
        widths[name] and (widths[name] == 1 or table.shape[1] > 1)
        for name, table in frame.covariates.items()
    )


def _kept(kept: pl.DataFrame, covariate: str) -> list[str]:
    """The columns of what was known ahead: one for all sensors, or one for each in their order."""
    return [name for name in kept.columns if name.startswith(f"{KNOWN}{covariate}{KNOWN}")]


def _with(kept: pl.DataFrame, frame: SensorFrame, rows: int) -> SensorFrame:
    from dataclasses import replace

    sensors = [name for name in kept.columns if name != MOMENT and not name.startswith(KNOWN)]

    def before(covariate: str, width: int) -> list[str]:
        columns = _kept(kept, covariate)
        if len(columns) == 1:
            return columns * width
        of = dict(zip(sensors, columns, strict=True))
        return [of.get(name, "") for name in frame.sensors]

    covariates = {
        name: _after(kept, table, before(name, table.shape[1]), rows)
        for name, table in frame.covariates.items()
    }
    return replace(
        frame,
        values=_after(kept, frame.values, frame.sensors, rows),
        clock=frame.clock.shifted(-rows),
        covariates=covariates,
    )


def _after(
    kept: pl.DataFrame, table: NDArray[np.float32], names: Sequence[str], rows: int
) -> NDArray[np.float32]:
    """A table after the first rows of what was kept; NaN where nothing was."""
    import numpy as np

    found = np.full((rows, len(names)), np.nan, np.float32)
    there = min(rows, len(kept))
    for i, name in enumerate(names):
        if name in kept.columns:
            found[:there, i] = kept[name].to_numpy()[:there]
    return np.concatenate([found, table])
