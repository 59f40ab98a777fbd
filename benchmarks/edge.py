"""What a model costs at the edge: size, loading, speed and memory, and what 8 bits cost in error.

A blend is tuned on each set, exported twice, and asked on the days after by PyTorch and by
`citytune_edge.py`, each on one thread. Seconds are those of the processor. The memory is that of a
process of its own which reads the file, forecasts and writes, as `citytune-edge` does.

    python benchmarks/edge.py
    python benchmarks/edge.py --sets norway_hourly_volume --sensors 8 --days 28
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sets import CITIES, read

import citytune_edge
from citytune.forecasting import TunedModel, fit_model
from citytune.forecasting.graph import in_eight_bits
from citytune.frame import SensorFrame

SETS = ("norway_hourly_volume", "gefcom2012_load", "ontario_pm25")
TEST_DAYS = 14
ROUNDS = 20
MEMORY = (
    "import sys, time; import citytune_edge as edge; "
    "code = edge.main(sys.argv[1:]); took = time.process_time(); "
    "most = next(line for line in open('/proc/self/status') if line.startswith('VmHWM')); "
    "print(code, int(most.split()[1]) / 1024, took)"
)
"""The peak of its own: what `getrusage` says begins with that of the process it was forked from."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--sensors", type=int, default=8)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--horizon", type=int, default=24)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.sets:
        for row in trial(name, options):
            print(json.dumps(row), flush=True)


def trial(name: str, options: argparse.Namespace) -> list[dict[str, object]]:
    city = next(one for one in CITIES if one.name == name)
    frame = read(city, known_ahead=False)
    day = frame.clock.steps_per_day
    frame = frame.select(frame.sensors[: options.sensors])
    frame = frame.since(max(0, len(frame) - (options.days + TEST_DAYS) * day))
    before = frame.until(len(frame) - TEST_DAYS * day)
    model = fit_model(before, horizon=options.horizon, backbone="citytune-base", strategy="blend")
    with tempfile.TemporaryDirectory() as folder:
        file = write(frame, Path(folder) / "now.csv")
        rows = [of_torch(name, model, frame)]
        start = time.process_time()
        exported = model.export_onnx(Path(folder) / "model.onnx")
        print(f"{name}: exported in {time.process_time() - start:.0f} s", flush=True)
        small = in_eight_bits(exported, Path(folder) / "int8.onnx")
        for what, place in (("ONNX", exported), ("int8", small)):
            rows.append(of_edge(name, model, frame, place, file) | {"what": what})
    return rows


Asked = Callable[[SensorFrame], NDArray[np.float32]]


def errors(frame: SensorFrame, horizon: int, ask: Asked) -> tuple[float, list[NDArray[np.float32]]]:
    """The scaled mean absolute error of the medians from each midnight on, and the medians."""
    day, size, found, said = frame.clock.steps_per_day, np.nanmean(np.abs(frame.values), 0), [], []
    for back in range(TEST_DAYS, 0, -1):
        origin = len(frame) - back * day
        actual = frame.values[origin : origin + horizon]
        said.append(ask(frame.until(origin)))
        found.append(np.abs(said[-1][: len(actual)] - actual) / size)
    return float(np.nanmean(np.concatenate(found))), said


def a_second(ask: Callable[[], object], sensors: int) -> float:
    """Forecasts of a sensor in a second of the processor, the median of some rounds."""
    ask()
    took = []
    for _ in range(ROUNDS):
        start = time.process_time()
        ask()
        took.append(time.process_time() - start)
    return sensors / float(np.median(took))


def of_torch(name: str, model: TunedModel, frame: SensorFrame) -> dict[str, object]:
    def ask(past: SensorFrame) -> NDArray[np.float32]:
        return model.forecast(past).quantiles[..., 5]

    error, _ = errors(frame, model.spec.horizon, ask)
    one = frame.select(frame.sensors[:1])
    return {
        "set": name,
        "what": "PyTorch",
        "mae": round(error, 5),
        "forecasts_s": round(a_second(lambda: ask(frame), len(frame.sensors))),
        "alone_s": round(a_second(lambda: model.forecast(one, sensors=one.sensors), 1)),
        "experts": model.weights,
    }


def of_edge(
    name: str, model: TunedModel, frame: SensorFrame, place: Path, file: Path
) -> dict[str, object]:
    start = time.process_time()
    edge = citytune_edge.Edge(place)
    load = time.process_time() - start

    def ask(past: SensorFrame) -> NDArray[np.float32]:
        return edge.forecast(past.values, past.clock.start, past.sensors).quantiles[..., 5]

    error, said = errors(frame, model.spec.horizon, ask)
    _, own = errors(frame, model.spec.horizon, lambda f: model.forecast(f).quantiles[..., 5])
    size = np.nanmean(np.abs(frame.values), 0)
    far = max(float(np.nanmax(np.abs(a - b) / size)) for a, b in zip(said, own, strict=True))
    one = frame.select(frame.sensors[:1])
    words = [str(place), str(file), "--out", str(file.with_suffix(".out.csv")), "--overwrite"]
    code = [sys.executable, "-c", MEMORY, *words]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    memory, whole = map(float, done.stdout.split()[-2:])
    return {
        "set": name,
        "mae": round(error, 5),
        "apart": far,
        "size_mb": round(place.stat().st_size / 1e6, 1),
        "load_s": round(load, 2),
        "forecasts_s": round(a_second(lambda: ask(frame), len(frame.sensors))),
        "alone_s": round(a_second(lambda: ask(one), 1)),
        "memory_mb": round(memory),
        "command_s": round(whole, 2),
    }


def write(frame: SensorFrame, path: Path) -> Path:
    zone = "" if frame.clock.timezone is None else "+00:00"
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["time", *frame.sensors])
        times = frame.clock.moments(0, len(frame)).astype("datetime64[s]")
        for time_, row in zip(times, frame.values.tolist(), strict=True):
            out.writerow([f"{time_}{zone}", *("" if np.isnan(one) else one for one in row)])
    return path


if __name__ == "__main__":
    main()
