"""How often a true gain is taken and a false one is: the gate and the learnt share, simulated.

Days of evidence are drawn whose gains scatter as they do on cities: those of one day by 12 % for
all sensors together and by 12 % more for each one, neighbouring days correlated by 0.35. A gain
counts as taken where the forecast goes half of the way or more; the mean way gone stands next to
it. *Gate* is what decides on mixtures, *learnt* what decides on the network that was fine-tuned
here, of which something is expected beforehand.

    python benchmarks/power.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from citytune.settings import Settings
from citytune.tuning.stacking._pool import Pool
from citytune.tuning.trust._gate import gate
from citytune.tuning.trust._learnt import share_of

if TYPE_CHECKING:
    from citytune.tuning.task._task import Task

HORIZON = DAY = 24
ALL, OWN, NEXT = 0.12, 0.12, 0.4
"""Scatter of a day's gain, of all sensors and of each one; share of the day before in a day's."""
ACROSS = 0.0125
"""Share of forecasts that come to lie on the other side of what is measured; half-way to them the
error is next to none, so that this is what half-way gains beyond the mean of both ends."""
GAINS = (0.06, 0.03, 0.0, -0.03, -0.06)
HISTORIES = ((28, 21), (90, 76), (365, 120))
"""Days of history, and of evidence."""


def task_of(history: int, evidence: int, sensors: int) -> Task:
    """A window a day and sensor, of which the pretrained forecast is off by 1."""
    count, sensor = evidence * sensors, torch.arange(sensors).repeat_interleave(evidence)
    found = SimpleNamespace(
        actual=torch.zeros(count, HORIZON),
        known=torch.ones(count, HORIZON, dtype=torch.bool),
        scale=torch.ones(count, 1),
        day=torch.arange(evidence).repeat(sensors),
        windows=SimpleNamespace(sensor=sensor),
        pool=Pool(torch.ones(sensors), torch.ones(count)),
        recency=torch.ones(count),
        age=torch.arange(evidence, 0, -1).repeat(sensors).float(),
        settings=Settings(horizon=HORIZON),
        prior="plain",
        forecast_of=lambda name: torch.ones(count, HORIZON),
        spec=SimpleNamespace(horizon=HORIZON),
        history=SimpleNamespace(steps_per_day=DAY, first=0, end=history * DAY),
        memory=None,
    )
    return cast("Task", found)


def errors_of(gain: float, evidence: int, sensors: int, draw: np.random.Generator) -> Tensor:
    """(window, step) a forecast of 0 that gains so much, but for chance."""
    chance = np.zeros((sensors, evidence))
    for scatter, rows in ((ALL, 1), (OWN if sensors > 1 else 0.0, sensors)):
        bumps = draw.standard_normal((rows, evidence + 1))
        chance += scatter * (bumps[:, 1:] + NEXT * bumps[:, :-1]) / (1 + NEXT**2) ** 0.5
    side = np.where(draw.random((chance.size, HORIZON)) < ACROSS, -1, 1)
    return torch.from_numpy(side * (1 - gain - chance).reshape(-1, 1)).float()


def ways(task: Task, errors: Tensor) -> tuple[float, float]:
    """How far the gate goes, and the learnt share."""
    every = torch.ones(len(errors), dtype=torch.bool)
    return float(gate(task, errors, every).mean()), float(share_of(task, errors).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each history and number of sensors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    draws = parser.parse_args(arguments).draws
    head = "".join(f"{gain:>+16.0%}" for gain in GAINS)
    print(f"{'taken (mean way) of a gain of':34s}{head}")
    for history, evidence in HISTORIES:
        for sensors in (1, 6):
            task, draw = task_of(history, evidence, sensors), np.random.default_rng(0)
            found = np.array(
                [
                    [ways(task, errors_of(gain, evidence, sensors, draw)) for _ in range(draws)]
                    for gain in GAINS
                ]
            )
            for name, way in zip(("gate", "learnt"), np.moveaxis(found, -1, 0), strict=True):
                row(f"{history} days, {sensors} sensor(s), {name}", way)


def row(name: str, ways: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    """How often half of the way or more is gone, and the mean way, for each gain."""
    cells = "".join(f"{(one >= 0.5).mean():>8.0%} ({one.mean():.2f})" for one in ways)
    print(f"{name:34s}{cells}")


if __name__ == "__main__":
    main()
