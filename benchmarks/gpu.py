"""What a GPU gains: forecasting and tuning on it and on the processor, and how far numbers differ.

Each device has a process of its own, with `CITYTUNE_DEVICE` set. Shown are windows a second of the
frozen network (its quantiles, and its features), sensors a second of a tuned forecast with all its
experts, seconds of fitting the blend and of fine-tuning the whole network; then the largest
difference of the tuned forecast from the first device's, as a share of the largest value, with the
weights of the first. It takes under five minutes with one GPU.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --devices cpu --tiny      # everything but the line of the GPU
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SHARE = 0.01
"""Largest difference that is not marked: single precision is rounded otherwise on a GPU."""


class Size(NamedTuple):
    """How much is asked."""

    windows: int
    sensors: int
    tuned: int
    days: int


USUAL, TINY = Size(8192, 2000, 24, 120), Size(16, 4, 2, 35)
COLUMNS = ("quantiles/s", "features/s", "sensors/s", "blend s", "full s", "GPU MB")


def city(sensors: int, days: int) -> Any:
    """The bundled traffic counts, repeated with other sizes, other hours and noise."""
    import citytune as ct
    from citytune.frame import SensorFrame

    frame = ct.read(ct.sample("traffic"), target="traffic_volume")
    base = frame.values[-24 * (days + 1) :, 0]
    base = np.where(np.isfinite(base), base, np.nanmean(base))
    draw, rows = np.random.default_rng(0), 24 * days
    begin = draw.integers(0, 24, sensors)
    values = base[begin + np.arange(rows)[:, None]] * draw.uniform(0.05, 2, sensors)
    values = values * np.exp(0.15 * draw.standard_normal(values.shape))
    names = tuple(f"s{i}" for i in range(sensors))
    return SensorFrame(values.astype(np.float32), frame.clock, names, frame.quantity)


def rate(done: Callable[[], object], count: int) -> float:
    """How many a second, once all is warm."""
    done()
    started = time.perf_counter()
    done()
    return count / (time.perf_counter() - started)


def measure(size: Size, backbone: str, folder: Path, *, first: bool) -> dict[str, float]:
    """One device, which the environment names."""
    import torch

    from citytune.backbones import Probabilistic, load_backbone
    from citytune.forecasting import fit_model, load
    from citytune.tuning import Batch
    from citytune.windows import History, Seasonal, WindowSpec, all_sensors

    network = load_backbone(backbone)
    frame, few = city(size.sensors, size.days), city(size.tuned, size.days)
    spec = WindowSpec(context=network.card.context_at(24), horizon=24)
    history = History.of(frame, ahead=24)
    each = -(-size.windows // size.sensors)
    origins = history.length - 24 * torch.arange(1, each + 1)
    examples = all_sensors(history, origins).pick(
        torch.arange(min(size.windows, each * size.sensors))
    )
    past = Batch(network, Seasonal(history), examples, spec).past(torch.arange(len(examples)))
    found = {"features/s": rate(lambda: network.features(past), len(examples))}
    if isinstance(network, Probabilistic):
        found["quantiles/s"] = rate(lambda: network.quantiles(past, 24), len(examples))
    started = time.perf_counter()
    model = fit_model(
        few, horizon=24, backbone=backbone, strategy="blend", options={"fine_tune": False}
    )
    found["blend s"] = time.perf_counter() - started
    started = time.perf_counter()
    fit_model(few, horizon=24, backbone=backbone, strategy="full", effort="quick")
    found["full s"] = time.perf_counter() - started
    if first:
        model.save(folder / "model", memory=False)
    model = load(folder / "model")
    places = tuple(i % size.tuned for i in range(size.sensors))
    wide = _spread(model, frame.sensors, places)
    found["sensors/s"] = rate(lambda: wide.forecast(frame), size.sensors)
    name = os.environ["CITYTUNE_DEVICE"].replace(":", "-")
    np.save(folder / f"{name}.npy", wide.forecast(frame).quantiles)
    used = torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else 0.0
    return found | {"GPU MB": used}


def _spread(model: Any, sensors: tuple[str, ...], places: tuple[int, ...]) -> Any:
    """A model of a few sensors as one of many."""
    from dataclasses import replace

    return replace(model, sensors=sensors, places=places, copula=None)


def ask(device: str, asked: argparse.Namespace, folder: Path, *, first: bool) -> dict[str, float]:
    """A device, in a process of its own."""
    words = [sys.executable, __file__, "--device", device, "--folder", str(folder)]
    words += ["--backbone", asked.backbone, *(["--tiny"] if asked.tiny else [])]
    words += ["--first"] if first else []
    environment = os.environ | {"CITYTUNE_DEVICE": device, "CITYTUNE_CACHE": "off"}
    answer = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found


def differs(folder: Path, one: str, other: str) -> float:
    """The largest difference, as a share of the largest value."""
    first, second = (np.load(folder / f"{name.replace(':', '-')}.npy") for name in (one, other))
    return float(np.nanmax(np.abs(first - second)) / np.nanmax(np.abs(first)))


def devices() -> list[str]:
    """The processor, and a GPU if there is one."""
    import torch

    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", nargs="+", default=None)
    parser.add_argument("--backbone", default="citytune-base")
    parser.add_argument("--tiny", action="store_true", help="next to nothing, to try the script")
    parser.add_argument("--device", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    size = TINY if asked.tiny else USUAL
    if asked.device:
        print(json.dumps(measure(size, asked.backbone, asked.folder, first=asked.first)))
        return
    print(f"{asked.backbone}: {size.windows} windows, {size.sensors} sensors, {size.days} days")
    print(f"{'device':<8}" + "".join(f"{name:>13}" for name in COLUMNS) + "  differs")
    with tempfile.TemporaryDirectory() as temporary:
        every = asked.devices or devices()
        for device in every:
            found = ask(device, asked, Path(temporary), first=device == every[0])
            off = differs(Path(temporary), every[0], device)
            row = "".join(f"{found.get(name, float('nan')):>13.1f}" for name in COLUMNS)
            print(f"{device:<8}{row}  {off:.1e}{' !' if off > SHARE else ''}", flush=True)


if __name__ == "__main__":
    main()
