"""Workers: each takes a job, does it in a process of its own, and watches over that."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from citytune._errors import CitytuneError
from citytune.runs import Progress
from citytune.serving._config import LOCKS, Configuration
from citytune.serving._outage import FULL, is_full
from citytune.serving._process import make_way
from citytune.serving.database import (
    NO_ANSWER,
    Database,
    Job,
    Run,
    Source,
    in_folder,
    open_database,
)
from citytune.serving.jobs._caretaker import taking_care
from citytune.serving.jobs._kinds import KINDS, Task
from citytune.serving.jobs._queue import (
    LEASE,
    Leased,
    LeaseLost,
    beat,
    claim,
    fail,
    log,
    tell,
    wait_for_source,
)
from citytune.serving.jobs._schedules import enqueue_due
from citytune.serving.jobs._watch import import_watches

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from threading import Event

IDLE = 0.5
"""Seconds between two looks at the queue."""
BEAT = LEASE.total_seconds() / 6
"""Seconds between two signs of life."""
PATIENCE = LEASE.total_seconds()
"""Seconds that a database may be away while a job runs."""
TOLD = 0.5
"""Fewest seconds between two words on progress."""
GRACE = 5.0
"""Seconds that a process has to end when it is asked to."""
ORPHANED = 70
"""Exit code of a process whose worker is gone."""
QUICK = ("check",)
"""Kinds of jobs that are done next to another one: somebody waits for them, and they are short."""
_log = logging.getLogger("citytune.serving")


def database_of(config: Configuration) -> Database:
    """The database of a configuration, opened."""
    return open_database(config.database or in_folder(config.folder))


def work(config: Configuration, stop: Event, *, once: bool = False) -> int:
    """Do jobs until asked to stop; gives how many were done.

    Quick ones do not wait for a long one.

    Args:
        config: Where and what.
        stop: Set to stop; the job at hand is put back.
        once: End as soon as no job may begin; one at a time.
    """
    database, count = database_of(config), 0
    care = nullcontext() if once else taking_care(database, config)
    quick = nullcontext() if once else _doing_quick_ones(database, config, stop)
    try:
        with care, quick:
            while not stop.is_set():
                leased = _next(database)
                if leased is not None:
                    count += 1
                    _watch_over(database, config, leased, stop)
                elif once:
                    break
                else:
                    stop.wait(IDLE)
    finally:
        database.close()
    return count


@contextmanager
def _doing_quick_ones(database: Database, config: Configuration, stop: Event) -> Iterator[None]:
    """Do the quick jobs in a thread."""

    def work_on() -> None:
        while not stop.wait(IDLE):
            while (leased := _next(database, QUICK)) is not None:
                _watch_over(database, config, leased, stop)

    thread = threading.Thread(target=work_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(2 * GRACE if stop.is_set() else 0)


def _next(database: Database, kinds: Collection[str] | None = None) -> Leased | None:
    """The next job to do; None also while the database does not answer."""
    try:
        enqueue_due(database)
        return claim(database, kinds)
    except NO_ANSWER as error:
        _log.warning("the database does not answer: %s", error)
        return None


def _watch_over(database: Database, config: Configuration, leased: Leased, stop: Event) -> None:
    """Start the process of a job, and give signs of life for it until it ends."""
    process = multiprocessing.get_context("spawn").Process(target=do, args=(config, leased))
    process.start()
    why, again, pulse = "", False, Pulse(database, leased)
    until = time.monotonic() + 3600 * config.job_hours
    while process.is_alive() and not why:
        process.join(0.2)
        if stop.is_set():
            why, again = "the worker was stopped", True
        elif time.monotonic() > until:
            why = f"it took longer than {config.job_hours} hours"
        else:
            why, again = pulse.lost(), True
    if why:
        _end(process)
    elif process.exitcode:
        why, again = f"its process ended with code {process.exitcode}", True
    if why:
        _failed(database, leased, why, again)


def _failed(database: Database, leased: Leased, why: str, again: bool) -> None:
    try:
        fail(database, leased, why, again=again)
    except NO_ANSWER as error:  # its lease runs out, and then another worker takes it
        _log.error("job %d: %s, which cannot be noted: %s", leased.job_id, why, error)


class Pulse:
    """Signs of life of a job, as long as its lease can be kept up."""

    def __init__(self, database: Database, leased: Leased) -> None:
        self._database, self._leased = database, leased
        self._last = self._tried = time.monotonic()

    def lost(self) -> str:
        """Why the job is not this worker's any more; empty if it is.

        While the database does not answer nobody else can take the job either, so it goes on until
        the lease is over.
        """
        try:
            if time.monotonic() > self._tried + BEAT or self._asked_to_stop():
                self._tried = time.monotonic()
                if not beat(self._database, self._leased):
                    return "stopped"
            self._last = time.monotonic()
        except NO_ANSWER as error:
            _log.warning("job %d: the database does not answer: %s", self._leased.job_id, error)
            if time.monotonic() > self._last + PATIENCE:
                return f"the database did not answer for {PATIENCE:g} seconds"
        return ""

    def _asked_to_stop(self) -> bool:
        with self._database.reading() as session:
            job = session.get(Job, self._leased.job_id)
            return job is not None and job.cancel


def _end(process: BaseProcess) -> None:
    process.terminate()
    process.join(GRACE)
    if process.is_alive():
        process.kill()
        process.join()


def do(config: Configuration, leased: Leased) -> None:
    """Do one job; the target of a new process, which makes way for the server."""
    if (worker := multiprocessing.parent_process()) is not None:
        _die_with(worker)
        make_way()
    from filelock import FileLock, Timeout

    database = database_of(config)
    # Also a worker that is dead by the clock, but not quite, keeps others from its source.
    lock = FileLock(config.place(LOCKS, f"source-{leased.source_id}"))
    try:
        import_watches(config)
        with lock.acquire(timeout=GRACE):
            _do(database, config, leased)
    except Timeout:
        wait_for_source(database, leased)
    except LeaseLost:
        pass
    except NO_ANSWER as error:
        _failed(database, leased, f"the database did not answer: {error}"[:200], True)
    except CitytuneError as error:
        _failed(database, leased, str(error), False)
    except Exception as error:  # noqa: BLE001 - whatever it is, the job ends and says so
        with suppress(*NO_ANSWER), database.writing() as session:
            log(session, leased.job_id, traceback.format_exc()[-2000:], database.now(session))
        why = f"an internal error (a bug in citytune): {type(error).__name__}"
        if is_full(error):
            why = FULL
        _failed(database, leased, why, False)
    finally:
        database.close()


def _do(database: Database, config: Configuration, leased: Leased) -> None:
    with database.reading() as session:
        job = session.get(Job, leased.job_id)
        source = session.get(Source, leased.source_id)
        if job is None or source is None:
            raise LeaseLost
        run = session.get(Run, job.run_id) if job.run_id is not None else None
        params = dict(job.params)
    progress = _teller(database, leased)
    KINDS[leased.kind](Task(database, config, leased, source, run, params, progress))


def _teller(database: Database, leased: Leased) -> Progress:
    last: list[Any] = [0.0, ""]

    def told(stage: str, share: float) -> None:
        name = stage.partition(": ")[0]
        now = time.monotonic()
        if name != last[1] or now - last[0] > TOLD:
            last[:] = [now, name]
            with suppress(*NO_ANSWER):  # how far it is may be said later
                tell(database, leased, stage, share)

    return told


def _die_with(worker: BaseProcess) -> None:
    """End at once if the worker is gone: somebody else does this job then."""

    def watch() -> None:
        wait([worker.sentinel])
        os._exit(ORPHANED)

    threading.Thread(target=watch, daemon=True).start()
