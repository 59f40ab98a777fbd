"""Open a saved model."""

from __future__ import annotations

from pathlib import Path

from citytune.forecasting import _store
from citytune.forecasting._model import TunedModel


def load(folder: str | Path) -> TunedModel:
    """Read a model written by `TunedModel.save`, or the one in a run folder.

    Raises:
        RunError: the folder is not a saved model, or it is damaged, or of another version.
        MissingWeights: its backbone is not here.
    """
    return _store.read(folder, TunedModel)
