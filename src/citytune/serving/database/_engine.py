"""One database, SQLite in a file or PostgreSQL: opened, brought up to date, read and written."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import create_engine, event, func, select
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from citytune._errors import InputError
from citytune.readers import masked, with_secrets
from citytune.serving.database._scope import limited_session

FILE = "citytune.db"
"""Name of the SQLite database in the folder of a server."""
WAIT = 30.0
"""Seconds that a writer waits for another one."""
MIGRATIONS = Path(__file__).with_name("migrations")
WRITES = "citytune_writes"
NO_ANSWER = (InterfaceError, OperationalError, NoConnection)
"""What is raised where the database is away, or busy for too long."""
AGAIN = 1.0
"""Seconds after which it is asked again."""
Result = TypeVar("Result")
_log = logging.getLogger("citytune.serving")


class Database:
    """What a server, its workers and its commands share."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"

    @property
    def sources(self) -> frozenset[int] | None:
        """The only sources, with all that is of them, that sessions see; None: all."""
        return None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state, and changes nothing."""
        with self._session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes all count at the end, or after a failure none.

        On SQLite it is the only one that writes from its beginning on.
        """
        connection = self.engine.connect().execution_options(**{WRITES: True})
        with connection, self._session(connection) as session:
            yield session
            session.commit()

    def write(self, change: Callable[[Session], Result], patience: float) -> Result:
        """What `change` gives; it is tried again while the database does not answer.

        Args:
            change: Writes in a session of its own, all or nothing.
            patience: Seconds after which `NO_ANSWER` is raised.
        """
        until = time.monotonic() + patience
        while True:
            try:
                with self.writing() as session:
                    return change(session)
            except NO_ANSWER as error:
                if time.monotonic() > until:
                    raise
                _log.warning("the database does not answer: %s", error)
                time.sleep(AGAIN)

    def now(self, session: Session) -> dt.datetime:
        """The moment, by the clock that all who share the database go by."""
        if self.is_sqlite:
            return dt.datetime.now(dt.UTC)
        found: dt.datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return found.astimezone(dt.UTC)

    def upgrade(self) -> None:
        """Make the tables, or bring those of an older citytune up to date.

        Raises:
            InputError: the tables are of a newer citytune.
        """
        from alembic import command
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError

        config = _alembic()
        with self._changing_tables() as connection:
            if not self.is_sqlite:  # two servers that start at once: one waits for the other
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20110427)")
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError:
                newest = ScriptDirectory.from_config(config).get_current_head()
                raise InputError(
                    f"the database is of a newer citytune than this one, which knows tables up to "
                    f"{newest}; update citytune, or restore the backup from before"
                ) from None

    @contextmanager
    def _changing_tables(self) -> Iterator[Connection]:
        """A transaction in which, on SQLite, a table that is made anew takes nothing with it."""
        with self.engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            if self.is_sqlite:
                raw.execute("PRAGMA foreign_keys=OFF")
            try:
                with connection.begin():
                    yield connection
            finally:
                if self.is_sqlite:
                    raw.execute("PRAGMA foreign_keys=ON")

    def close(self) -> None:
        """Let all connections go."""
        self.engine.dispose()

    def _session(self, bind: Engine | Connection) -> Session:
        if self.sources is None:
            return Session(bind, expire_on_commit=False)
        return limited_session(bind, self.sources)


def open_database(address: str) -> Database:
    """The database of an address such as `sqlite:///folder/citytune.db` or `postgresql://…`.

    Raises:
        InputError: it cannot be reached, or its driver is not installed.
    """
    try:
        url = make_url(with_secrets(address))
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("sqlite", "postgresql"):
        raise InputError(
            f"{masked(address)} is no database that citytune keeps its things in; give "
            "postgresql://user:${PASSWORD}@host/name, or a folder for SQLite"
        )
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return Database(_reached(url, masked(address)))


def in_folder(folder: Path) -> str:
    """The address of the SQLite database of a folder."""
    return f"sqlite:///{folder.resolve() / FILE}"


def _reached(url: Any, name: str) -> Engine:
    sqlite = url.get_backend_name() == "sqlite"
    options: dict[str, Any] = {"connect_args": {"timeout": WAIT}} if sqlite else {}
    try:
        engine = create_engine(url, pool_pre_ping=not sqlite, pool_size=20, **options)
        if sqlite:
            _set_up_sqlite(engine)
        with engine.connect():
            return engine
    except ModuleNotFoundError:
        raise InputError(
            "PostgreSQL needs the package psycopg; install it with: pip install "
            "'citytune[serve,postgres]'"
        ) from None
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0][:200]
        raise InputError(
            f"{name} cannot be reached ({reason}); is it up, and the name right?"
        ) from None


def _set_up_sqlite(engine: Engine) -> None:
    """Readers do not wait for a writer, what is committed is on the disk, and we say BEGIN."""

    @event.listens_for(engine, "connect")
    def opened(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _alembic() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
