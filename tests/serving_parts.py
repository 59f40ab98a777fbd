"""What tests of serving share: a database, a folder of a server, a city in it."""

# ruff: noqa: E402 - without the packages nothing else can be imported

from __future__ import annotations

import datetime as dt
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

NEEDED = (
    "alembic",
    "argon2",
    "croniter",
    "fastapi",
    "httpx",
    "prometheus_client",
    "sqlalchemy",
    "uvicorn",
)
for name in NEEDED:
    pytest.importorskip(
        name, reason="the extra `serve` is not installed: pip install citytune[serve]"
    )

import httpx
import sqlalchemy as sa
import uvicorn

from citytune.frame import SensorFrame
from citytune.serving._config import Configuration
from citytune.serving.database import Database, Job, Pushed, Run, Source, open_database
from citytune.serving.http import add_token, create_app, settings
from citytune.serving.jobs._queue import claim
from citytune.serving.jobs._worker import do
from citytune.serving.web import add_pages

T0 = dt.datetime(2024, 3, 31, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
PLAIN = {"horizon": 24, "backbone": "lags", "strategy": "zero-shot"}
"""Settings of a run that is made in no time."""


@contextmanager
def new_database(address: str) -> Iterator[Database]:
    """A database with empty tables."""
    found = open_database(address)
    try:
        if not found.is_sqlite:
            with found.engine.begin() as connection:
                connection.execute(sa.text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
        found.upgrade()
        yield found
    finally:
        found.close()


def new_folder(folder: Path, database: Database) -> Configuration:
    """The folder of a server with that database."""
    address = database.engine.url.render_as_string(hide_password=False)
    made = Configuration(folder=folder, database=address.replace("+psycopg", ""), keep=2)
    made.make_folders()
    return made


def a_source(database: Database, name: str = "loops", **facts: Any) -> int:
    """A source of readings that are pushed."""
    said = {"kind": "readings", "reading": {}, **facts}
    with database.writing() as session:
        source = Source(name=name, created_at=T0, **said)
        session.add(source)
        session.flush()
        return int(source.id)


def a_run(database: Database, source: int, name: str = "loops", **settings: Any) -> int:
    """A run without a version."""
    with database.writing() as session:
        run = Run(source_id=source, name=name, settings=PLAIN | settings, alerts=["top 5%"],
                  created_at=T0)  # fmt: skip
        session.add(run)
        session.flush()
        return int(run.id)


def readings_of(frame: SensorFrame, first: int = 0, until: int | None = None) -> list[Pushed]:
    """What a frame holds, as it would be pushed."""
    moments = frame.clock.moments(0, len(frame)).tolist()
    return [
        Pushed(sensor, moments[row].replace(tzinfo=dt.UTC), float(frame.values[row, column]))
        for row in range(len(frame))[first:until]
        for column, sensor in enumerate(frame.sensors)
        if np.isfinite(frame.values[row, column])
    ]


OF_CITY: dict[str, Any] = {
    "reading": {"quantity": "traffic_volume", "unit": "veh/h", "timezone": "Europe/Oslo"}
}
"""How the readings of `city` are to be read."""
City = Callable[..., SensorFrame]


class Served(NamedTuple):
    """A server that runs, and what is behind it."""

    url: str
    database: Database
    config: Configuration
    app: Any

    def client(self, role: str | None = None, days: float | None = None) -> httpx.Client:
        """A client with a new token of a role, or with none."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.token(role, days)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=False)

    def token(self, role: str, days: float | None = None) -> str:
        """A new token."""
        with self.database.writing() as session:
            name = f"{role} {secrets.token_hex(4)}"
            return add_token(session, name, role, self.database.now(session), days)[1]

    def do_jobs(self) -> list[int]:
        """Do all jobs that wait, in this process; gives their numbers."""
        done = []
        with self.database.writing() as session:
            session.execute(sa.update(Job).values(not_before=Job.created_at))
        while (leased := claim(self.database)) is not None:
            do(self.config, leased)
            done.append(leased.job_id)
        return done


@contextmanager
def serving(database: Database, config: Configuration, **options: Any) -> Iterator[Served]:
    """A real server on a free port, in a thread."""
    app = add_pages(create_app(database, config, **options))
    server = uvicorn.Server(settings(app, "127.0.0.1", 0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}", database, config, app)
    finally:
        server.should_exit = True
        thread.join()
