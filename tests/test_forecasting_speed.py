"""The promise: a city of ordinary size is tuned in seconds on a laptop."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from citytune.backbones import at_hand, load_backbone, missing
from citytune.forecasting import fit_model
from citytune.frame import SensorFrame

BUSY = 3.0
"""How much slower than on a quiet machine a test may find it."""


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["citytune-base", "ttm-r2", "lags", "efficientnet-lite0"])
def test_a_month_of_hours_from_24_sensors_is_tuned_in_ten_seconds(
    backbone: str, weights: None, city: Callable[..., SensorFrame]
) -> None:
    if backbone not in at_hand():
        pytest.skip(missing()[backbone])
    frame = city(24, 28)
    load_backbone(backbone)  # reading weights is done once a process
    started = time.perf_counter()
    model = fit_model(frame, horizon=48, backbone=backbone)
    tuned = time.perf_counter()
    forecast = model.forecast(frame)
    done = time.perf_counter()
    print(f"{backbone}: tuned in {tuned - started:.1f} s, forecast in {done - tuned:.2f} s")
    assert np.isfinite(forecast.mean).all()
    assert tuned - started < 10 * BUSY
    assert done - tuned < 1 * BUSY
