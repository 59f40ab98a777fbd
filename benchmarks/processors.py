"""Whether another processor, more threads or a busy machine change the answer.

Tunes each bundled sample with everything on `auto`, once for every way that a processor may add up
the same numbers: torch's kernels without vectors, with AVX2 and with AVX-512, one thread and two,
OpenBLAS as for older cores, and with three other processes keeping the cores busy. Shown are the
backbone and the strategy that were taken, and the largest difference of the forecasts from those of
the first row, as a share of each sensor's mean level; more than 0.001 is marked.

    python benchmarks/processors.py
    python benchmarks/processors.py --samples air --backbone citytune-base
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from citytune._sample import SAMPLES, sample

TOLERANCE = 1e-3
"""Largest difference of a forecast, as a share of the sensor's mean level."""
BUSY = 3
"""Processes that keep the cores busy."""
TUNE = """
import sys, json, numpy as np, citytune as ct
name, horizon, backbone, strategy, out = sys.argv[1:]
frame = ct.read(name)
model = ct.tune(frame, horizon=horizon, backbone=backbone, strategy=strategy)
forecast = model.forecast(frame)
np.savez(out, mean=forecast.mean, quantiles=forecast.quantiles, level=np.nanmean(frame.values, 0))
print(json.dumps([model.card.name, model.strategy, model.fold_error]))
"""


class Machine(NamedTuple):
    """One way to compute."""

    name: str
    settings: dict[str, str]
    busy: bool = False


def machines() -> list[Machine]:
    """The first is what the others are compared with."""
    one, two = {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2"}
    return [
        Machine("avx2, 1 thread", {**one, "ATEN_CPU_CAPABILITY": "avx2"}),
        Machine("avx2, 2 threads", {**two, "ATEN_CPU_CAPABILITY": "avx2"}),
        Machine("no vectors, 1 thread", {**one, "ATEN_CPU_CAPABILITY": "default"}),
        Machine("no vectors, 2 threads", {**two, "ATEN_CPU_CAPABILITY": "default"}),
        Machine("best, 2 threads", two),
        Machine("best, Haswell's BLAS", {**one, "OPENBLAS_CORETYPE": "Haswell"}),
        Machine("best, Prescott's BLAS", {**one, "OPENBLAS_CORETYPE": "Prescott"}),
        Machine("MKL as for AVX2", {**one, "MKL_ENABLE_INSTRUCTIONS": "AVX2", "MKL_CBWR": "AVX2"}),
        Machine("MKL as for SSE", {**one, "MKL_CBWR": "COMPATIBLE"}),
        Machine("best, 2 threads, busy", two, busy=True),
    ]


class Answer(NamedTuple):
    """What one machine says."""

    backbone: str
    strategy: str
    fold_error: float
    mean: np.ndarray  # (step, sensor)
    quantiles: np.ndarray
    level: np.ndarray  # (sensor,)


@contextmanager
def others(count: int) -> Iterator[None]:
    """Keep the cores busy with so many processes."""
    spin = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spin:
            process.kill()
            process.wait()


def answer(machine: Machine, name: str, horizon: str, backbone: str, strategy: str) -> Answer:
    """Tune and forecast in a process of its own, with nothing cached."""
    environment = os.environ | {"CITYTUNE_CACHE": "off"} | machine.settings
    with tempfile.TemporaryDirectory() as folder, others(BUSY if machine.busy else 0):
        out = Path(folder) / "said.npz"
        command = [sys.executable, "-c", TUNE, str(sample(name)), horizon, backbone, strategy]
        done = subprocess.run(
            [*command, str(out)], env=environment, capture_output=True, text=True, check=True
        )
        said = np.load(out)
        return Answer(
            *json.loads(done.stdout.splitlines()[-1]),
            said["mean"],
            said["quantiles"],
            said["level"],
        )


def apart(one: Answer, other: Answer) -> tuple[float, float]:
    """Largest difference of two forecasts, and of their quantiles, by the sensors' levels."""
    level = np.abs(one.level)
    mean = np.abs(one.mean - other.mean) / level
    quantiles = np.abs(one.quantiles - other.quantiles).max(-1) / level
    return float(np.nanmax(mean)), float(np.nanmax(quantiles))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table; 1 if any answer is not the first one's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", nargs="+", default=[*SAMPLES], choices=[*SAMPLES])
    parser.add_argument("--horizon", default="24h")
    parser.add_argument("--backbone", default="auto")
    parser.add_argument("--strategy", default="auto")
    options = parser.parse_args(arguments)
    failed = 0
    for name in options.samples:
        print(f"\n{name:24s}{'backbone':20s}{'strategy':12s}{'fold error':>11s}"
              f"{'mean':>11s}{'quantiles':>11s}", flush=True)  # fmt: skip
        first: Answer | None = None
        for machine in machines():
            said = answer(machine, name, options.horizon, options.backbone, options.strategy)
            first = first or said
            mean, quantiles = apart(first, said)
            same = said[:2] == first[:2] and max(mean, quantiles) <= TOLERANCE
            failed += not same
            print(f"{machine.name:24s}{said.backbone:20s}{said.strategy:12s}"
                  f"{said.fold_error:11.6f}{mean:11.1e}{quantiles:11.1e}"
                  f"{'' if same else '  differs'}", flush=True)  # fmt: skip
    print(f"\n{failed} differ by more than {TOLERANCE:g} of a sensor's level, or chose otherwise")
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
