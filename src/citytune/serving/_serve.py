"""Start a server with its workers, or a worker on another machine."""

from __future__ import annotations

import contextlib
import ipaddress
import multiprocessing
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citytune._errors import InputError
from citytune.serving._channels import check_secrets
from citytune.serving._config import Configuration, read_configuration

if TYPE_CHECKING:
    from citytune.serving.database import Database

GRACE = 10.0
"""Seconds that workers have to put their jobs back."""


def opened(folder: Path, database: str | None = None) -> tuple[Configuration, Database]:
    """The configuration and the database of a folder, made or brought up to date.

    Raises:
        InputError: the extra is not installed, or the folder or the database cannot be used.
    """
    try:
        from citytune.serving.jobs import database_of
    except ModuleNotFoundError as error:
        raise _lacking(error) from None
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder to keep everything in")
    folder.mkdir(parents=True, exist_ok=True)
    config = read_configuration(folder, database)
    config.make_folders()
    found = database_of(config)
    found.upgrade()
    return config, found


def serve(
    folder: Path,
    *,
    database: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8417,
    workers: int = 1,
    say: Callable[[str], None] = lambda _text: None,
) -> None:
    """Serve until stopped.

    Args:
        folder: Holds uploads, runs, `serve.toml` and, by default, the database.
        database: postgresql://… instead.
        host: Any but 127.0.0.1 needs a token, which must be there already.
        port: Of the server.
        workers: Processes that do jobs; 0 if `citytune worker` does them elsewhere.
        say: Told where it listens.

    Raises:
        InputError: nobody could use it, as there is no token; or a watch cannot be imported.
    """
    config, data = opened(folder, database)
    from citytune.serving.http import count_tokens, run
    from citytune.serving.jobs import import_watches

    import_watches(config)
    check_secrets(config.notices)

    needs_token = not _is_here(host)
    with data.reading() as session:
        if needs_token and not count_tokens(session, data.now(session)):
            raise InputError(
                f"at {host} others can reach the server, so it needs a token, and there is none; "
                f"make one: citytune token add NAME --role admin --folder {folder}"
            )
    _check_free(host, port)
    app = application(config, data, needs_token=needs_token)
    say(f"Serving {folder} at http://{host}:{port} (stop it with Ctrl-C)")
    with _workers(config, workers):
        run(app, host, port)
    data.close()


def application(config: Configuration, database: Database, *, needs_token: bool) -> Any:
    """The HTTP interface with the pages."""
    from citytune.serving.http import create_app
    from citytune.serving.web import add_pages

    return add_pages(create_app(database, config, needs_token=needs_token))


def send_test(folder: Path) -> list[tuple[str, str, str]]:
    """Send a test notice by every channel of `serve.toml`.

    Gives the channel, where it leads, and what went wrong; empty where it arrived.

    Raises:
        InputError: there is no channel, or none of them takes it.
    """
    config = read_configuration(folder)
    try:
        from citytune.serving.notices import names_of, try_channels
    except ModuleNotFoundError as error:
        raise _lacking(error) from None
    where, found = names_of(config.notices), try_channels(config)
    if all(found.values()):
        raise InputError("no notice arrived: " + "; ".join(found.values()))
    return [(name, where[name], why) for name, why in found.items()]


def _lacking(error: ModuleNotFoundError) -> InputError:
    return InputError(
        f"serving needs the package {error.name}; install it with: pip install 'citytune[serve]'"
    )


def _check_free(host: str, port: int) -> None:
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(place)
    except OSError as error:
        raise InputError(
            f"the server cannot listen at {host}:{port} ({error.strerror or error}); if another "
            "one runs there, choose a --port of its own"
        ) from None


def run_worker(folder: Path, *, database: str | None = None, workers: int = 1) -> None:
    """Do jobs until stopped, with the database and the folder of a server."""
    config, data = opened(folder, database)
    data.close()
    from citytune.serving.jobs import import_watches

    import_watches(config)
    check_secrets(config.notices)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _workers(config, workers):
        stop.wait()


@contextlib.contextmanager
def _workers(config: Configuration, count: int) -> Iterator[None]:
    """Processes that do jobs, started anew if they die; they put their jobs back at the end."""
    done = threading.Event()
    guard = threading.Thread(target=_keep_up, args=(config, count, done), daemon=True)
    guard.start()
    try:
        yield
    finally:
        done.set()
        guard.join(2 * GRACE)


def _keep_up(config: Configuration, count: int, done: threading.Event) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes: list[Any] = []
    while not done.wait(1.0 if processes or not count else 0.0):
        processes = [one for one in processes if one.is_alive()]
        for _ in range(count - len(processes)):
            processes.append(spawn.Process(target=work_until_told, args=(config,)))
            processes[-1].start()
    for one in processes:
        one.terminate()
    for one in processes:
        one.join(GRACE)
        if one.is_alive():
            one.kill()


def work_until_told(config: Configuration) -> None:
    """Do jobs until SIGTERM; the target of a new process, which ends with the one it is for."""
    from multiprocessing.connection import wait

    from citytune.serving.jobs import work

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started it says when
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            wait([parent.sentinel])
            stop.set()

    threading.Thread(target=watch, daemon=True).start()
    work(config, stop)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
