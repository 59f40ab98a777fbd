"""Forecast sensors a model has never seen: the pretrained model needs no training for that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from citytune.backbones import Backbone
from citytune.frame import SensorFrame
from citytune.settings import Settings
from citytune.tuning import Task, Tuned, fit, make_strategy
from citytune.windows import History, WindowSpec

CALIBRATION_DAYS = 120
"""Days of the new sensors' own past that their intervals are calibrated on."""


def untuned(
    backbone: Backbone, spec: WindowSpec, settings: Settings, frame: SensorFrame
) -> tuple[Tuned, SensorFrame]:
    """The pretrained model zero-shot, with intervals from the frame's own past, and the frame.

    For a backbone that cannot forecast it is the seasonal rule that was best in that past.
    """
    frame = _long_enough(replace(frame, covariates={}), spec.horizon + 1)
    rows = frame.since(max(0, len(frame) - CALIBRATION_DAYS * frame.clock.steps_per_day))
    zero_shot = replace(settings, strategy="zero-shot", options={}, rare=None)
    history = History.of(rows, ahead=spec.horizon)
    task = Task(backbone=backbone, history=history, spec=spec, settings=zero_shot)
    return fit(task, make_strategy("zero-shot", {})), frame


def _long_enough(frame: SensorFrame, rows: int) -> SensorFrame:
    """The frame with empty rows before the first, if there are too few for one window."""
    if (lacking := rows - len(frame)) <= 0:
        return frame
    empty = np.full((lacking, len(frame.sensors)), np.nan, np.float32)
    clock = frame.clock.shifted(-lacking)
    return replace(frame, values=np.concatenate([empty, frame.values]), clock=clock)
