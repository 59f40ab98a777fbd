"""`citytune serve`, `worker` and `token`: forecasts for programs and other machines."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from citytune._errors import InputError
from citytune.cli._console import note, say
from citytune.serving import opened, run_worker, send_test
from citytune.serving import serve as serve_at

HOME = Path("citytune-data")
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        show_default=False,
        help="Address of a PostgreSQL database, instead of SQLite in FOLDER.",
    ),
]
Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER",
        show_default=str(HOME),
        help="Holds uploads, runs, `serve.toml` and the database; made if it is not there.",
    ),
]
Workers = Annotated[
    int, typer.Option(metavar="N", min=0, max=64, help="Jobs to do at the same time.")
]


class Action(StrEnum):
    """What to do with tokens."""

    add = "add"
    list = "list"
    revoke = "revoke"


class Role(StrEnum):
    """What a token allows; each also what those before it do."""

    read = "read"
    write = "write"
    admin = "admin"


def serve(
    folder: Folder = HOME,
    *,
    database: Database = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65_535, help="Port to listen on.")
    ] = 8417,
    workers: Workers = 1,
    test_notice: Annotated[
        bool,
        typer.Option(
            "--test-notice", help="Send a test by every channel of `serve.toml`, and end."
        ),
    ] = False,
) -> None:
    """Serve forecasts on web pages and over HTTP, and do what is asked for in jobs.

    At 127.0.0.1 only this machine can ask, and needs no token. At any other address every request
    needs one, and the server does not start before there is one. All routes are in
    `/v1/openapi.json`, and docs/operate.md says how to run it in earnest.

    ```
    citytune serve
    citytune token add dashboard --role read
    citytune serve --host 0.0.0.0 --port 8417
    citytune serve /srv/city --database 'postgresql://city:${DB_PASSWORD}@db/city' --workers 2
    ```
    """
    if test_notice:
        for name, to, why in send_test(folder):
            say(f"{name}, {to}: {why or 'arrived'}")
        return
    serve_at(folder, database=database, host=host, port=port, workers=workers, say=say)


def worker(folder: Folder = HOME, *, database: Database = None, workers: Workers = 1) -> None:
    """Do the jobs of a server on this machine too.

    It needs the server's database, which is PostgreSQL on more than one machine, and its FOLDER on
    a disk that they share.

    ```
    citytune worker /srv/city --database 'postgresql://city:${DB_PASSWORD}@db/city' --workers 4
    ```
    """
    run_worker(folder, database=database, workers=workers)


def token(
    action: Annotated[Action, typer.Argument(show_default=False, help="add, list or revoke.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", show_default=False, help="What the token is called."),
    ] = None,
    *,
    role: Annotated[
        Role, typer.Option(metavar="ROLE", help="What it allows: read, write or admin.")
    ] = Role.read,
    days: Annotated[
        float | None,
        typer.Option(metavar="DAYS", show_default=False, help="How long it stays valid."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="A source that it sees, with its runs; may be repeated. By default all.",
        ),
    ] = None,
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the server.")] = HOME,
    database: Database = None,
) -> None:
    """Make, list or revoke the tokens that let others use a server.

    A token is shown once, when it is made; only a hash of it is kept.

    ```
    citytune token add dashboard --role read --days 365
    citytune token add gateway --role write --source loops
    citytune token list
    citytune token revoke dashboard
    ```
    """
    if (name is None) != (action is Action.list):
        raise InputError("add and revoke need the NAME of a token, and list takes none")
    _, data = opened(folder, database)
    from citytune.serving._people import list_tokens, make_token, revoke_token

    try:
        if action is Action.add:
            say(make_token(data, str(name), role.value, days, source or ()))
            note("this is the only time that it is shown; send it as Authorization: Bearer …")
        elif action is Action.revoke:
            revoke_token(data, str(name))
            say(f"The token {name!r} counts no longer.")
        else:
            for one in list_tokens(data):
                only = "" if one.sources is None else f", sources: {', '.join(one.sources)}"
                say(f"{one.name}: {one.role}, {one.state}{only}")
    finally:
        data.close()
