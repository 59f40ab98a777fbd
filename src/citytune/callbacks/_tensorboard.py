"""Notes for TensorBoard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from citytune._errors import InputError
from citytune._prefer_torch import prefer_torch
from citytune.callbacks._tracker import Tracker


class TensorBoard(Tracker):
    """A folder for TensorBoard (the extra `tensorboard`): parameters, metrics, losses, report.

    Args:
        folder: Where to write; `tensorboard --logdir FOLDER` shows it.

    Raises:
        InputError: TensorBoard is not installed.

    Example:
        >>> with TensorBoard("logs/loops") as tracker:                       # doctest: +SKIP
        ...     model = ct.tune(frame, horizon=24, progress=tracker)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__()
        self.folder = Path(folder)
        self._writer: Any = None

    def _begin(self) -> None:
        prefer_torch()
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError(
                "TensorBoard is not installed; run `pip install 'citytune[tensorboard]'`"
            ) from None
        self._writer = SummaryWriter(str(self.folder))

    def _finish(self, *, failed: bool) -> None:
        self._writer.close()

    def _params(self, params: Mapping[str, str]) -> None:
        rows = "\n".join(f"| {name} | {value} |" for name, value in params.items())
        self._writer.add_text("parameters", f"| parameter | value |\n|---|---|\n{rows}")

    def _metrics(self, metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def _stage(self, stage: str) -> None:
        self._writer.add_text("stage", stage)

    def _artifact(self, path: Path) -> None:
        # TensorBoard keeps no files: the report lies next to what it reads.
        shutil.copy2(path, self.folder / path.name)
        self._writer.add_text("report", str(self.folder / path.name))
