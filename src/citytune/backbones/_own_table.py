"""Windows as a table with the columns unique_id, ds and y, and a forecast of that kind read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from citytune._errors import InputError
from citytune.backbones._protocol import Past

MONDAY = np.datetime64("2024-01-01T00:00:00", "us")
ID, TIME, VALUE = "unique_id", "ds", "y"


def table_of(shown: Tensor, past: Past, kind: Literal["pandas", "polars"]) -> Any:
    """Windows (window, time) as one long table; the weekday and the hour of `ds` are right."""
    count, length = shown.shape
    first = past.calendar[:, 0, :2].double().numpy() if past.calendar.shape[1] else None
    days = np.zeros(count) if first is None else first[:, 1] + first[:, 0]
    steps = days[:, None] + np.arange(length) / past.steps_per_day
    times = MONDAY + np.round(steps * 86_400).astype("timedelta64[s]").astype("timedelta64[us]")
    columns = {
        ID: np.repeat(np.arange(count), length),
        TIME: times.ravel(),
        VALUE: shown.numpy().ravel(),
    }
    return nw.from_dict(columns, backend=kind).to_native()


def answer_of(
    found: object, count: int, horizon: int, levels: Sequence[float]
) -> NDArray[np.float64]:
    """A table of a forecast as (window, horizon), or (window, horizon, level)."""
    table = _opened(found)
    lacking = [name for name in (ID, TIME) if name not in table.columns]
    if lacking:
        raise InputError(
            f"gave a table with the columns {', '.join(map(str, table.columns))}: it lacks "
            f"{' and '.join(lacking)}"
        )
    if len(table) != count * horizon:
        raise InputError(f"gave {len(table)} rows: give {horizon} for each of {count} windows")
    wanted = [f"{level:g}" for level in levels] or _the_points(table)
    if absent := [name for name in wanted if name not in table.columns]:
        raise InputError(f"gave no column {', '.join(absent)}: name one for each of its levels")
    table = table.sort(ID, TIME)
    if not np.array_equal(table[ID].to_numpy(), np.repeat(np.arange(count), horizon)):
        raise InputError("gave other values of unique_id than it was given")
    values = np.stack([table[name].to_numpy().astype(np.float64) for name in wanted], -1)
    shaped = values.reshape(count, horizon, len(wanted))
    return shaped if levels else shaped[..., 0]


def _opened(found: object) -> nw.DataFrame[Any]:
    try:
        return nw.from_native(found, eager_only=True)
    except TypeError:
        raise InputError(f"gave a {type(found).__name__}: give a table as it was given") from None


def _the_points(table: nw.DataFrame[Any]) -> list[str]:
    others = [name for name in table.columns if name not in (ID, TIME)]
    if len(others) != 1:
        raise InputError(
            f"gave the columns {', '.join(others) or 'none'} besides unique_id and ds: give one of "
            "points, or say the `levels` of its quantiles"
        )
    return others
