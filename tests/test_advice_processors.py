"""Promise: the same data and seed give the same answer on every processor, however many threads.

The same backbone and strategy are chosen, and forecasts agree within `TOLERANCE` of each sensor's
mean level. `benchmarks/processors.py` shows it for the bundled samples, on a busy machine too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TOLERANCE = 1e-3
TUNE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from conftest import make_city
import citytune as ct
frame = make_city(2, 21, noise=0.1)
model = ct.tune(frame, horizon=12, backbone="lags")
forecast = model.forecast(frame)
level = np.nanmean(frame.values, 0)
print(json.dumps([model.card.name, model.strategy, (forecast.mean / level).tolist()]))
"""
MACHINES = [
    {"ATEN_CPU_CAPABILITY": "avx2", "OMP_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell"},
    {
        "ATEN_CPU_CAPABILITY": "default",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_CORETYPE": "Prescott",
        "MKL_CBWR": "COMPATIBLE",
    },
]


@pytest.mark.extras
def test_every_processor_chooses_and_forecasts_the_same() -> None:
    command = [sys.executable, "-c", TUNE, str(Path(__file__).parent)]
    running = [
        subprocess.Popen(command, env={**os.environ, **machine}, stdout=subprocess.PIPE, text=True)
        for machine in MACHINES
    ]
    answers = [json.loads(one.communicate()[0].splitlines()[-1]) for one in running]
    (backbone, strategy, forecast), *others = answers
    for other in others:
        assert other[:2] == [backbone, strategy]
        np.testing.assert_allclose(other[2], forecast, atol=TOLERANCE)
