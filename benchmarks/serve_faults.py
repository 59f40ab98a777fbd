"""Kill the server and its workers at random moments: python benchmarks/serve_faults.py --kills 30.

A client pushes readings and asks for jobs all the time, and notes what was accepted. Every few
seconds the server, a worker or the process of a job is killed (SIGKILL); a killed server is started
again. At the end nothing that was accepted may be missing, every job must have ended once, and a
failed one must have been told once. No answer may be an internal error.

With --postgres two servers share a PostgreSQL of their own, which is killed (SIGKILL of its first
process) and started again, too: --victims database does only that.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

T0 = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
VICTIMS = ("server", "worker", "job", "database")


class Receiver:
    """Takes notices, and counts them by their ids."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()
        ids = self.ids

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["content-length"])))
                ids[said["id"]] += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"


class Postgres:
    """A PostgreSQL server in a new folder, which is killed and started again."""

    def __init__(self, folder: Path) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: p.parts[-2])
        self.folder, self.programs = folder, found[-1]
        folder.mkdir()
        root = os.geteuid() == 0  # it refuses to run as root
        self.owner = ["runuser", "-u", "postgres", "--"] if root else []
        if root:
            shutil.chown(folder, "postgres")
            for parent in folder.parents[:-2]:
                parent.chmod(0o755)
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self._do("initdb", "-D", folder / "data", "-U", "postgres", "-E", "UTF8", "--auth=trust")
        self.start()
        self._do("createdb", "-U", "postgres", "-h", folder, "-p", self.port, "city")
        self.url = f"postgresql://postgres@/city?host={folder}&port={self.port}"

    def start(self) -> None:
        """Start it; what is left of a killed one may hold it up for a moment."""
        options = f"-k {self.folder} -p {self.port} -c listen_addresses="
        until = time.monotonic() + 120
        while True:
            try:
                self._do("pg_ctl", "-D", self.folder / "data", "-o", options, "-w", "-l",
                         self.folder / "log", "start")  # fmt: skip
            except subprocess.CalledProcessError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.3)
            else:
                return

    def kill(self) -> None:
        """Kill its first process; the others end by themselves."""
        first = (self.folder / "data" / "postmaster.pid").read_text().split()[0]
        os.kill(int(first), signal.SIGKILL)
        self.start()

    def stop(self) -> None:
        """End it."""
        self._do("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")

    def _do(self, program: str, *words: object) -> None:
        command = [*self.owner, str(self.programs / program), *map(str, words)]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, timeout=180)


class Served:
    """A server in a process of its own, which is killed and started again."""

    def __init__(self, folder: Path, database: str | None, workers: int) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        more = ["--database", database] if database else []
        self.command = [sys.executable, "-m", "citytune", "serve", str(folder), "--port",
                        str(self.port), "--workers", str(workers), *more]  # fmt: skip
        self.log = (folder.parent / "log").open("ab")
        self.ups: list[float] = []
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        began = time.monotonic()
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)
        while time.monotonic() < began + 300:
            try:
                httpx.get(f"{self.url}/v1/health", timeout=5).raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                self.ups.append(time.monotonic() - began)
                return
        raise SystemExit("the server did not start")

    def kill(self, victim: str, draw: np.random.Generator) -> str:
        """Kill it, one of its workers, or what one of those does; gives what was killed."""
        workers = [one for one in psutil.Process(self.process.pid).children() if _is_worker(one)]
        jobs = [job for one in workers for job in one.children() if _is_worker(job)]
        found = {"server": [], "worker": workers, "job": jobs or workers}[victim]
        if not found:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.start()
            return "server"
        found[draw.integers(len(found))].kill()
        return victim


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:
        return False


class Client:
    """Pushes and asks until told to stop; notes what was accepted."""

    def __init__(self, urls: list[str]) -> None:
        self.urls, self.stop = urls, threading.Event()
        self.answers: Counter[int] = Counter()
        self.accepted: set[int] = set()
        self.jobs: list[int] = []
        self.thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        number = turn = 0
        with httpx.Client(timeout=30) as http:
            while not self.stop.wait(0.02):
                rows = [
                    {"sensor": "a", "time": (T0 + i * dt.timedelta(minutes=1)).isoformat(),
                     "value": i}
                    for i in range(number, number + 50)
                ]  # fmt: skip
                url, turn = self.urls[turn % len(self.urls)], turn + 1
                try:
                    self._ask(http, f"{url}/v1/readings", {"source": 1, "readings": rows})
                    self.accepted.update(range(number, number + 50))
                    number += 50
                    if number % 500 == 0:
                        which = 1 + number // 500 % 2
                        self.jobs.append(self._ask(http, f"{url}/v1/sources/{which}/checks")["id"])
                except httpx.HTTPError:
                    time.sleep(0.1)

    def _ask(self, http: httpx.Client, url: str, body: Any = None) -> Any:
        answer = http.post(url, json=body)
        self.answers[answer.status_code] += 1
        return answer.raise_for_status().json()


def main() -> int:
    """Do it, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", help="postgresql://… of an empty database")
    parser.add_argument("--postgres", action="store_true", help="two servers on one of its own")
    parser.add_argument("--victims", help=f"some of {','.join(VICTIMS)}")
    asked = parser.parse_args()
    victims = asked.victims.split(",") if asked.victims else VICTIMS[: 3 + asked.postgres]
    draw = np.random.default_rng(asked.seed)
    with tempfile.TemporaryDirectory() as name:
        folder, receiver = Path(name) / "city", Receiver()
        folder.mkdir()
        lines = f'hosts = ["127.0.0.1"]\n[[notices.webhooks]]\nurl = "{receiver.url}"\n'
        (folder / "serve.toml").write_text(lines)
        postgres = Postgres(Path(name) / "pg") if asked.postgres else None
        database = asked.database if postgres is None else postgres.url
        each = 1 if asked.postgres else 2
        servers = [Served(folder, database, each) for _ in range(1 + asked.postgres)]
        with httpx.Client(base_url=servers[0].url, timeout=30) as http:
            for one in ("a", "b"):  # of the second one nothing is pushed: its checks fail
                body = {"name": one, "reading": {"timezone": "UTC"}}
                http.post("/v1/sources", json=body).raise_for_status()
        client = Client([one.url for one in servers])
        client.thread.start()
        killed: Counter[str] = Counter()
        for _ in range(asked.kills):
            time.sleep(draw.uniform(0.2, 3))
            victim = victims[draw.integers(len(victims))]
            if victim == "database" and postgres is not None:
                postgres.kill()
            else:
                victim = servers[draw.integers(len(servers))].kill(victim, draw)
            killed[victim] += 1
            print(f"{dict(killed)}, {len(client.accepted):,} readings", flush=True)
        client.stop.set()
        client.thread.join()
        failures = _judge(servers[0].url, client, receiver)
        ups = np.sort([up for one in servers for up in one.ups])
        print(f"killed: {dict(killed)}; up again after {np.median(ups):.1f} s (median), "
              f"{ups[-1]:.1f} s (longest)")  # fmt: skip
        for one in servers:
            one.process.terminate()
        for one in servers:
            one.process.wait(60)
        if postgres is not None:
            postgres.stop()
    return failures


def _judge(url: str, client: Client, receiver: Receiver) -> int:
    with httpx.Client(base_url=url, timeout=60) as http:
        there: set[int] = set()
        cursor: dict[str, str] = {}
        while True:
            page = http.get("/v1/sources/1/readings", params={"limit": 1000, **cursor}).json()
            there.update(int(one["value"]) for one in page["items"])
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        states: Counter[str] = Counter()
        twice = 0
        for job in sorted(set(client.jobs)):
            until = time.monotonic() + 180
            while True:
                found = http.get(f"/v1/jobs/{job}").json()
                if found["state"] in ("done", "failed") or time.monotonic() > until:
                    break
                time.sleep(0.3)
            states[found["state"]] += 1
            lines = [one["text"] for one in http.get(f"/v1/jobs/{job}/log").json()["items"]]
            twice += sum(one == "done" for one in lines) > 1
        time.sleep(8)  # until a worker has told of the last one
        notices = http.get("/v1/notices").json()["items"]
    lost = len(client.accepted - there)
    print(f"answers: {dict(client.answers)}")
    print(f"readings: {len(client.accepted):,} accepted, {lost} lost")
    print(f"jobs: {dict(states)}, {twice} done twice")
    told = {one["event"] for one in notices if one["kind"] == "job"}
    print(f"notices of failed jobs: {len(told)}; arrived: {dict(receiver.ids)}")
    bad = states.get("queued", 0) + states.get("running", 0)
    repeated = sum(count > 1 for count in receiver.ids.values())
    return lost + twice + bad + repeated + (len(told) > 1) + client.answers[500]


if __name__ == "__main__":
    sys.exit(min(main(), 1))
