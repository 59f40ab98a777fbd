"""What a model reads off pictures: a table that goes straight into `citytune tune`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from torch import Tensor

from citytune._files import new_file
from citytune._tables import pandas_of
from citytune.tuning import LEVELS
from citytune.vision._frame import PictureFrame
from citytune.vision._target import Target

if TYPE_CHECKING:
    import pandas as pd

SHOWN = {"q05": 0.05, "q50": 0.5, "q95": 0.95}
"""Columns of quantiles."""


@dataclass(frozen=True, eq=False)
class Readings:
    """A row for each picture: sensor, time, the answer, and how sure it is."""

    table: pl.DataFrame
    """Columns sensor, time (if known), the target, q05, q50, q95; of classes p_… for each."""
    notes: tuple[str, ...] = ()
    """What was left out or converted."""

    def __len__(self) -> int:
        """Number of readings."""
        return len(self.table)

    def to_polars(self) -> pl.DataFrame:
        """The table of polars."""
        return self.table

    def to_pandas(self) -> pd.DataFrame:
        """The same of pandas."""
        return pandas_of(self.table)

    def write_csv(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the table as CSV, whole or not at all, for `citytune tune`."""
        place = Path(path)
        with new_file(place, overwrite=overwrite) as draft:
            self.table.write_csv(draft, float_precision=4)
        return place


def readings(
    frame: PictureFrame, target: Target, answers: Tensor, levels: Tensor | None
) -> Readings:
    """Readings of answers (picture, label) and quantiles (picture, level)."""
    columns: dict[str, Sequence[object]] = {"sensor": list(frame.places)}
    if frame.times is not None:
        columns["time"] = [moment.isoformat(sep=" ") for moment in frame.wall()]
    else:
        columns["picture"] = list(frame.names)
    if target.kind == "class":
        columns[target.name] = [target.classes[i] for i in answers.argmax(1).tolist()]
        for i, name in enumerate(target.classes):
            columns[f"p_{name}"] = answers[:, i].tolist()
    else:
        columns[target.name] = answers[:, 0].tolist()
    if levels is not None:
        for name, level in SHOWN.items():
            columns[name] = levels[:, LEVELS.index(level)].tolist()
    return Readings(pl.DataFrame(columns), frame.notes)
