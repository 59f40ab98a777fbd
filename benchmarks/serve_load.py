"""How fast a server answers and takes readings on this machine: python benchmarks/serve_load.py.

Forecasts of many sensors are put into a new SQLite database (or --database URL), a server is
started in a process of its own, and clients in others ask it for the newest forecast of one sensor,
and push readings. What is printed is for the machine it ran on.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import multiprocessing
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from citytune.serving._config import Configuration
from citytune.serving._process import make_way
from citytune.serving.database import (
    NUMBERS,
    Forecast,
    ForecastValue,
    Run,
    Source,
    Version,
    in_folder,
    open_database,
)

T0 = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def fill(address: str, sensors: int, steps: int) -> None:
    """A source, a run and one forecast."""
    database = open_database(address)
    database.upgrade()
    with database.writing() as session:
        source = Source(name="load", kind="readings", reading={"timezone": "UTC"}, created_at=T0)
        session.add(source)
        session.flush()
        run = Run(source_id=source.id, name="load", settings={}, alerts=[], created_at=T0)
        session.add(run)
        session.flush()
        version = Version(run_id=run.id, number=1, folder="x", made_by="tune", created_at=T0)
        session.add(version)
        session.flush()
        facts = {"unit": "veh/h", "timezone": "UTC"}
        made = Forecast(
            run_id=run.id, version_id=version.id, issued_at=T0, created_at=T0, facts=facts
        )
        session.add(made)
        session.flush()
        numbers = dict.fromkeys(NUMBERS, 123.456)
        session.execute(
            ForecastValue.__table__.insert(),
            [
                {"forecast_id": made.id, "sensor": f"s{i}", "time": T0 + k * HOUR,
                 "quality": "model", "chances": None, **numbers}
                for i in range(sensors)
                for k in range(steps)
            ],
        )  # fmt: skip
    database.close()


def serve(config: Configuration, port: int) -> None:
    """A server without workers."""
    from citytune.serving.http import create_app, run

    app = create_app(open_database(config.database), config, needs_token=False)
    run(app, "127.0.0.1", port)


def ask(url: str, seconds: float, clients: int, sensors: int, answers: Any) -> None:
    """Ask for forecasts from several threads; puts seconds of each answer into a queue."""
    spent: list[float] = []

    def client(seed: int) -> None:
        draw = np.random.default_rng(seed)
        with httpx.Client(base_url=url, timeout=60) as http:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                began = time.perf_counter()
                path = f"/v1/runs/1/forecast?sensor=s{draw.integers(sensors)}"
                http.get(path).raise_for_status()
                spent.append(time.perf_counter() - began)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    answers.put(spent)


def ask_at(url: str, seconds: float, rate: float, clients: int, sensors: int, answers: Any) -> None:
    """Ask so often a second, whatever is answered; each answer's seconds count from its turn."""
    asyncio.run(_ask_at(url, seconds, rate, clients, sensors, answers))


async def _ask_at(
    url: str, seconds: float, rate: float, clients: int, sensors: int, answers: Any
) -> None:
    import aiohttp

    draw, spent = np.random.default_rng(0), []
    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(url, connector=connector) as http:

        async def one(turn: float) -> None:
            path = f"/v1/runs/1/forecast?sensor=s{draw.integers(sensors)}"
            async with http.get(path) as answer:
                await answer.read()
                answer.raise_for_status()
            spent.append(loop.time() - turn)

        loop = asyncio.get_running_loop()
        asked, begin = [], loop.time()
        for i in range(round(seconds * rate)):
            turn = begin + i / rate
            await asyncio.sleep(max(0.0, turn - loop.time()))
            asked.append(asyncio.create_task(one(turn)))
        await asyncio.gather(*asked)
    answers.put(spent)


def push(url: str, batches: int, size: int) -> float:
    """Readings a second that are taken, in batches of some size."""
    bodies = [
        {
            "source": 1,
            "readings": [
                {"sensor": f"s{i % 1000}", "time": (T0 - (b * size + i) // 1000 * HOUR).isoformat(),
                 "value": float(i)}
                for i in range(size)
            ],
        }
        for b in range(batches)
    ]  # fmt: skip
    with httpx.Client(base_url=url, timeout=600) as http:
        began = time.perf_counter()
        for body in bodies:
            http.post("/v1/readings", json=body).raise_for_status()
    return batches * size / (time.perf_counter() - began)


def tune_on() -> None:
    """Tune to the sample again and again, as a job of a worker next to the server does."""
    import os

    import citytune as ct

    os.environ["CITYTUNE_CACHE"] = "off"
    make_way()
    frame = ct.read(ct.sample("air"))
    while True:
        ct.tune(frame.since(len(frame) - 24 * 90), horizon=24, progress=False)


def work_of(process: Any) -> float:
    """Seconds of a processor that a process has taken."""
    import psutil

    spent = psutil.Process(process.pid).cpu_times()
    return float(spent.user + spent.system)


def memory_of(process: Any) -> float:
    """Megabytes that a process holds."""
    import psutil

    return float(psutil.Process(process.pid).memory_info().rss / 1e6)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", help="postgresql://… of an empty database")
    parser.add_argument("--sensors", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, help="requests a second; else at once again")
    parser.add_argument("--tuning", action="store_true", help="while a model is tuned")
    asked = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), 8499
        address = asked.database or in_folder(folder)
        fill(address, asked.sensors, 24)
        config = Configuration(folder=folder, database=address, rate=100_000)
        config.make_folders()
        server = spawn.Process(target=serve, args=(config, port), daemon=True)
        server.start()
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        begin = memory_of(server)
        taken = push(url, 8, 20_000)
        tuning = spawn.Process(target=tune_on, daemon=True)
        if asked.tuning:
            tuning.start()
        answers = spawn.Queue()
        often = (asked.rate,) if asked.rate else ()
        arguments = (url, asked.seconds, *often, asked.clients, asked.sensors, answers)
        client = spawn.Process(target=ask_at if asked.rate else ask, args=arguments)
        before = work_of(server)
        client.start()
        spent = np.sort(answers.get())
        client.join()
        work = 1000 * (work_of(server) - before) / len(spent)
        print_table(
            {
                f"forecasts served a second, to {asked.clients} clients":
                    f"{len(spent) / asked.seconds:,.0f}",
                "half of the answers within": f"{1000 * np.median(spent):,.0f} ms",
                "99 of 100 answers within (p99)": f"{1000 * np.quantile(spent, 0.99):,.0f} ms",
                "processor time of the server for one": f"{work:.2f} ms",
                "readings taken a second, 20,000 at a time": f"{taken:,.0f}",
                "memory of the server at the start": f"{begin:,.0f} MB",
                "memory of the server at the end": f"{memory_of(server):,.0f} MB",
            }
        )  # fmt: skip
        for one in (tuning, server) if asked.tuning else (server,):
            one.terminate()
            one.join()


def print_table(rows: dict[str, str]) -> None:
    """What was measured, a line each."""
    names, values = max(map(len, rows)), max(map(len, rows.values()))
    for name, value in rows.items():
        print(f"{name:<{names}}  {value:>{values}}")


def wait_for(url: str) -> None:
    """Until it answers."""
    for _ in range(600):
        try:
            httpx.get(f"{url}/v1/health").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
