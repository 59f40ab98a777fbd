"""What fitting and forecasting cost next to the passes of the frozen network that they are made of.

A model is tuned on a set and forecasts it. Seconds of the processor are counted, in all and within
the network (with what it makes of a window before it sees it), and the ratio is of the two, in one
run. Where the rest goes is told by looking a hundred times a second at what is being done.

    python benchmarks/cost.py
    python benchmarks/cost.py --backbone ttm-r2 --strategy blend --days 28 56
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Self

import torch
from sets import CITIES, read

from citytune.backbones import load_backbone
from citytune.forecasting import fit_model
from citytune.frame import SensorFrame

ASKED = ("forecast", "quantiles", "features")
ROUNDS = 5
SHOWN = 8


class Within:
    """Seconds of the processor within the methods of a network, however they call each other."""

    def __init__(self, made: type[Any]) -> None:
        self.seconds, self.calls, self.depth, self.made = 0.0, 0, 0, made
        self.code = set[Any]()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """While this lasts."""
        own = {name: getattr(self.made, name) for name in ASKED if hasattr(self.made, name)}
        self.seconds, self.calls = 0.0, 0
        for name, method in own.items():
            setattr(self.made, name, self._counted(method))
        try:
            yield
        finally:
            for name, method in own.items():
                setattr(self.made, name, method)

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*given: Any, **named: Any) -> Any:
            started, self.depth = time.process_time(), self.depth + 1
            try:
                return method(*given, **named)
            finally:
                self.depth -= 1
                if not self.depth:
                    self.calls += 1
                    self.seconds += time.process_time() - started

        self.code.add(asked.__code__)
        return asked


class Sampled:
    """Where the processor's seconds go, outside of the network."""

    def __init__(self, within: Within) -> None:
        self.within, self.found, self.over = within, Counter[str](), threading.Event()
        self.main = threading.get_ident()

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _look(self) -> None:
        last = time.process_time()
        while not self.over.wait(0.01):
            now = time.process_time()
            frame = sys._current_frames().get(self.main)  # noqa: SLF001 - there is no other way
            self.found[self._place(frame)] += now - last
            last = now

    def _place(self, frame: FrameType | None) -> str:
        """The innermost function of citytune; "" within the network."""
        found = "elsewhere"
        while frame is not None:
            if frame.f_code in self.within.code:
                return ""
            path = Path(frame.f_code.co_filename)
            if (
                found == "elsewhere"
                and "citytune" in path.parts[:-1]
                and "benchmarks" not in path.parts
            ):
                found = f"{path.parent.name}/{path.name}:{frame.f_code.co_name}"
            frame = frame.f_back
        return found

    def words(self, all_of_it: float) -> list[str]:
        """Share of all and place, the largest first."""
        rest = [(place, share) for place, share in self.found.most_common() if place]
        return [f"{share / all_of_it:.0%} {place}" for place, share in rest[:SHOWN]]


def measured(what: str, do: Callable[[], Any], within: Within) -> dict[str, object]:
    """One thing, done once."""
    with within.counting(), Sampled(within) as sampled:
        started = time.process_time()
        do()
        took = time.process_time() - started
    return {
        "what": what,
        "seconds": round(took, 3),
        "network": round(within.seconds, 3),
        "asked": within.calls,
        "ratio": round(took / within.seconds, 2),
        "rest": sampled.words(took),
    }


def trial(name: str, backbone: str, days: int, asked: argparse.Namespace) -> None:
    city = next(one for one in CITIES if one.name == name)
    frame = read(city, known_ahead=False)
    frame = frame.select(frame.sensors[: asked.sensors])
    frame = frame.since(max(0, len(frame) - days * frame.clock.steps_per_day))
    within = Within(type(load_backbone(backbone)))
    models: list[Any] = []

    def fit() -> None:
        options = {"horizon": asked.horizon, "backbone": backbone, "strategy": asked.strategy}
        models.append(fit_model(frame, **options))

    def forecast() -> None:
        for _ in range(ROUNDS):
            models[-1].forecast(frame)

    head = {"set": name, "backbone": backbone, "days": days, "sensors": len(frame.sensors)}
    print(json.dumps(head | measured("fit", fit, within)), flush=True)
    models[-1].forecast(frame)
    print(json.dumps(head | measured(f"{ROUNDS} forecasts", forecast, within)
                     | {"weights": models[-1].weights}), flush=True)  # fmt: skip


def warm(frame: SensorFrame, backbone: str) -> None:
    """Whatever is done once a process."""
    fit_model(frame, horizon=24, backbone=backbone, strategy="zero-shot").forecast(frame)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", nargs="+", default=["norway_hourly_volume"])
    parser.add_argument("--backbone", nargs="+", default=["citytune-base", "ttm-r2"])
    parser.add_argument("--strategy", default="blend")
    parser.add_argument("--days", type=int, nargs="+", default=[56])
    parser.add_argument("--sensors", type=int, default=24)
    parser.add_argument("--horizon", type=int, default=24)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["CITYTUNE_CACHE"] = "off"  # answers of an earlier run would cost nothing
    for name in asked.sets:
        for backbone in asked.backbone:
            city = next(one for one in CITIES if one.name == name)
            few = read(city, known_ahead=False)
            warm(few.select(few.sensors[:2]).since(max(0, len(few) - 24 * 30)), backbone)
            for days in asked.days:
                trial(name, backbone, days, asked)


if __name__ == "__main__":
    main()
