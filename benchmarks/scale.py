"""What more sensors cost, on this process alone and on Ray, and whether the numbers stay the same.

A city is made of eight weeks of the bundled traffic counts, repeated with other sizes, other hours
and noise, as a folder of Parquet with 500 sensors a file. A model is fitted to it once. Then each
engine looks into the files, forecasts them into a folder, and scores the last day, each in a
process of its own. Shown are the work of each stage, that is seconds of processors, of Ray's
workers too; seconds of the clock of all stages; the peak memory of the largest process; the bytes
of the files that were opened; the slope of the work over the sensors (1 is "twice the sensors,
twice the work"); and the largest difference from the first engine, as a share of the largest value.
With `--kill`, a worker is killed in the middle.

    python benchmarks/scale.py --sensors 1000 10000 --engines local ray --kill
    python benchmarks/scale.py --sensors 100000 --engines local --no-score --group 1000
    python benchmarks/scale.py --sensors 100000 --engines local --run    # the whole job instead
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ROWS = 8 * 7 * 24
PER_FILE = 500
STAGES = ("read", "fit", "index", "forecast", "score")
OPTIONS = {"horizon": 24, "backbone": "citytune-base", "strategy": "blend"}


def write_city(folder: Path, sensors: int, per_file: int = PER_FILE) -> None:
    """Files of some sensors each: the sample's hours, shifted, scaled, with noise and gaps."""
    import citytune as ct

    base = ct.read(ct.sample("traffic"), target="traffic_volume").values[-ROWS - 24 :, 0]
    base = np.where(np.isfinite(base), base, np.nanmean(base))
    start = np.datetime64("2024-01-01T00:00", "us")
    time = start + np.arange(ROWS) * np.timedelta64(1, "h")
    folder.mkdir(parents=True)
    for first in range(0, sensors, per_file):
        draw = np.random.default_rng(first)
        count = min(per_file, sensors - first)
        begin = draw.integers(0, 24, count)
        values = base[begin[:, None] + np.arange(ROWS)] * draw.uniform(0.05, 2, (count, 1))
        values = np.round(values * np.exp(0.15 * draw.standard_normal(values.shape)))
        values[draw.random(values.shape) < 0.02] = np.nan
        names = [f"loop-{first + i:07d}" for i in range(count) for _ in range(ROWS)]
        table = pl.DataFrame(
            {"time": np.tile(time, count), "sensor": names, "traffic_volume": values.reshape(-1)}
        )
        table.write_parquet(folder / f"part-{first // per_file:05d}.parquet")


class Dies:
    """An engine that kills the worker of the second group, once."""

    def __init__(self, engine: Any, mark: Path) -> None:
        self.engine, self.mark = engine, mark

    def map(self, function: Any, parts: Any) -> Any:
        """See `citytune.Engine`."""
        mark = self.mark

        def deadly(part: Any) -> Any:
            if getattr(part, "number", 0) == 1 and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return function(part)

        return self.engine.map(deadly, parts)

    def close(self) -> None:
        """It is closed by whoever opened it."""


class Watched:
    """Peak memory, in MB, of the largest process among this one and Ray's workers; their work."""

    def __init__(self) -> None:
        self.peak, self.over = 0.0, threading.Event()
        self.workers: dict[int, float] = {}
        self.idle: dict[int, float] = {}

    def watch(self) -> None:
        """Look ten times a second until it is over."""
        while not self.over.wait(0.1):
            self.look()

    def look(self) -> float:
        """Seconds of processors since it began."""
        import psutil

        own = psutil.Process()
        for one in [own, *own.children(recursive=True)]:
            try:
                if one.pid == own.pid or "ray::" in one.name():
                    memory = one.memory_info()
                    held = memory.rss - (memory.shared if one.pid != own.pid else 0)
                    self.peak = max(self.peak, held / 1e6)
                    self.workers[one.pid] = sum(one.cpu_times()[:2])
                    self.idle.setdefault(one.pid, self.workers[one.pid])
            except psutil.Error:
                continue
        return sum(self.workers.values()) - sum(self.idle.values())


@contextmanager
def watched() -> Iterator[Watched]:
    """Of all that happens within."""
    found = Watched()
    found.look()
    thread = threading.Thread(target=found.watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.over.set()
        thread.join()


@contextmanager
def stage(name: str, watch: Watched, work: dict[str, float]) -> Iterator[None]:
    """Notes the work of one stage."""
    before = watch.look()
    yield
    work[name] = watch.look() - before


def cell(
    engine: str, place: Path, group: int, out: Path, *, kill: bool, score: bool
) -> dict[str, Any]:
    """One engine on one city, in this process."""
    import citytune as ct
    from citytune.engines import opened
    from citytune.runs import Reading
    from citytune.runs.groups import grouped

    run, work, mae = ct.open_run(place / "model"), dict[str, float](), math.nan
    run.model.backbone  # noqa: B018 - loaded before the clock starts
    city, started = place / "city", time.perf_counter()
    with opened(engine) as used, watched() as watch:
        asked = Dies(used, out.with_suffix(".killed")) if kill else used
        with stage("index", watch, work):
            grouped(str(city), Reading(unit="veh/h"), used, group)
        with stage("forecast", watch, work):
            written = run.forecast_into(city, out, engine=asked, group=group, unit="veh/h")
        if score:
            with stage("score", watch, work):
                scores = run.score_groups(city, engine=used, group=group, unit="veh/h")
            mae = scores.models["tuned"]["mae"]
    return {"work": work, "seconds": time.perf_counter() - started, "peak": watch.peak,
            "mae": mae, "bytes": written.bytes_read, "bad": len(written.bad)}  # fmt: skip


def whole_job(engine: str, place: Path, group: int) -> dict[str, Any]:
    """`ct.run` by groups, in this process."""
    import citytune as ct

    stages: dict[str, float] = {}
    last, began = "", time.perf_counter()

    def tell(stage: str, _share: float) -> None:
        nonlocal last, began
        name, now = stage.partition(":")[0], time.perf_counter()
        if name != last:
            stages[last] = stages.get(last, 0.0) + now - began
            last, began = name, now

    with watched() as watch:
        run = ct.run(place / "city", out=place / f"run-{engine}", engine=engine, group=group,
                     unit="veh/h", progress=tell, **OPTIONS)  # fmt: skip
        tell("", 1.0)
    scores = run.scores or {}
    return {"seconds": stages, "peak": watch.peak, "mae": scores["models"]["tuned"]["mae"]}


def fit(place: Path) -> dict[str, Any]:
    """A model of all but the last day."""
    from citytune.engines import opened
    from citytune.forecasting import fit_model
    from citytune.runs import Reading
    from citytune.runs.groups import grouped

    work, started = dict[str, float](), time.perf_counter()
    with opened("local") as engine, watched() as watch:
        with stage("read", watch, work):
            frame = grouped(str(place / "city"), Reading(unit="veh/h"), engine).whole(engine)
        with stage("fit", watch, work):
            model = fit_model(frame.until(len(frame) - 24), **OPTIONS)
    model.save(place / "model", memory=False)
    return {"work": work, "seconds": time.perf_counter() - started, "peak": watch.peak,
            "mae": math.nan, "bytes": frame.values.nbytes, "bad": 0}  # fmt: skip


def differs(one: Path, other: Path) -> float:
    """The largest difference of two forecasts, as a share of the largest value."""
    tables = [pl.read_parquet(path / "*.parquet").sort("sensor", "time") for path in (one, other)]
    names = [name for name in tables[0].columns if name[0] == "q" and name[1:].isdigit()]
    values = [table.select("mean", *names).to_numpy() for table in tables]
    return float(np.abs(values[0] - values[1]).max() / np.abs(values[0]).max())


def slope(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Of log seconds over log sensors, between the first and the last."""
    return math.log(seconds[-1] / seconds[0]) / math.log(sizes[-1] / sizes[0])


def in_a_process(*words: object) -> dict[str, Any]:
    """What this script says, asked in a process of its own."""
    command = [sys.executable, __file__, *map(str, words)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def measure(asked: argparse.Namespace, root: Path) -> None:
    """Every size on every engine, and the table."""
    print(f"{'sensors':>8} {'engine':<10} " + "".join(f"{s:>11}" for s in STAGES)
          + f"{'clock':>9}{'peak MB':>10}{'MB read':>9}{'mae':>9}  differs")  # fmt: skip
    taken: dict[tuple[str, str], list[float]] = {}
    for sensors in asked.sensors:
        place = root / str(sensors)
        write_city(place / "city", sensors, asked.per_file)
        fitted = in_a_process("--fit", place)
        show(sensors, "local", fitted, math.nan, taken)
        for name in [*asked.engines, *(["ray, killed"] if asked.kill else [])]:
            engine, _, kill = name.partition(", ")
            out = place / name.replace(", ", "-")
            words = ["--cell", place, engine, out, "--group", asked.group]
            said = [*(["--kill"] if kill else []), *(["--no-score"] if asked.no_score else [])]
            found = in_a_process(*words, *said)
            show(sensors, name, found, differs(place / asked.engines[0], out), taken)
        if not asked.keep:
            shutil.rmtree(place)
    for (name, what), work in taken.items():
        if len(work) == len(asked.sensors) > 1:
            print(f"{'slope':>8} {name:<10} {what:<9} {slope(asked.sensors, work):.2f}")


def show(
    sensors: int,
    name: str,
    found: dict[str, Any],
    off: float,
    taken: dict[tuple[str, str], list[float]],
) -> None:
    """A line of the table; what was done is added to what was `taken`."""
    work = found["work"]
    took = "".join(f"{work[s]:>10.1f}s" if s in work else f"{'':>11}" for s in STAGES)
    rest = f"{found['seconds']:>8.0f}s{found['peak']:>10.0f}{found['bytes'] / 1e6:>9.0f}"
    print(f"{sensors:>8} {name:<10} {took}{rest}{found['mae']:>9.3f}  {off:.1e}", flush=True)
    for what, seconds in work.items():
        taken.setdefault((name, what), []).append(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sensors", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--engines", nargs="+", default=["local", "ray"])
    parser.add_argument("--group", type=int, default=500)
    parser.add_argument("--per-file", type=int, default=PER_FILE)
    parser.add_argument("--kill", action="store_true", help="also with a worker that is killed")
    parser.add_argument("--no-score", action="store_true", help="leave the scores out")
    parser.add_argument("--run", action="store_true", help="the whole job instead")
    parser.add_argument("--keep", type=Path, help="folder to work in, which is kept")
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.fit:
        print(json.dumps(fit(asked.fit)))
    elif asked.cell:
        place, engine, out = asked.cell
        own = {"kill": asked.kill, "score": not asked.no_score}
        print(json.dumps(cell(engine, Path(place), asked.group, Path(out), **own)))
    elif asked.job:
        print(json.dumps(whole_job(asked.job[1], Path(asked.job[0]), asked.group)))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            root = asked.keep or Path(temporary)
            if not asked.run:
                measure(asked, root)
                return
            for sensors in asked.sensors:
                write_city(root / str(sensors) / "city", sensors, asked.per_file)
                for engine in asked.engines:
                    print(sensors, engine, in_a_process("--job", root / str(sensors), engine,
                                                        "--group", asked.group))  # fmt: skip


if __name__ == "__main__":
    main()
