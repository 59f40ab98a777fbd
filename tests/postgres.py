"""A PostgreSQL server of the tests' own: a new one in a temporary folder, stopped at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

OWNER, SECRET = "postgres", "s3cr3t-of-the-test"


class Server(NamedTuple):
    """Where it listens: by a socket, to everyone; by a port, to who knows the password."""

    folder: Path
    port: int

    @property
    def address(self) -> str:
        return f"postgresql://{OWNER}@/city?host={self.folder}&port={self.port}"

    @property
    def other(self) -> str:
        """Of a second empty database, which a test may clear."""
        return self.address.replace("/city?", "/town?")

    @property
    def guarded(self) -> str:
        """Needs the password, from the environment or in a `.format` of it."""
        return f"postgresql://{OWNER}:${{DB_PASSWORD}}@127.0.0.1:{self.port}/city"


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`; None if there is no server here."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[4])
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    return Path(named).parent if named else None


def as_owner() -> list[str]:
    """The server refuses to run as root, so it is run as its own user there."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return ["runuser", "-u", OWNER, "--"] if root else []


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def running(where: Path) -> Iterator[Server]:
    """A server with two empty databases, `city` and `town`."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data, port = folder / "data", free_port()
    (folder / "secret").write_text(SECRET)
    if as_owner():
        import pwd  # which Windows has not

        owner = pwd.getpwnam(OWNER)
        for path in (folder, folder / "secret"):
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def do(*words: object) -> None:
        command = [*as_owner(), *map(str, words)]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=120)

    try:
        do(where / "initdb", "-D", data, "-U", OWNER, "-E", "UTF8", "--auth-local=trust",
           "--auth-host=scram-sha-256", f"--pwfile={folder / 'secret'}")  # fmt: skip
        options = f"-k {folder} -p {port} -c listen_addresses=127.0.0.1 -c fsync=off"
        do(where / "pg_ctl", "-D", data, "-o", options, "-w", "-l", folder / "log", "start")
        try:
            for name in ("city", "town"):
                do(where / "createdb", "-U", OWNER, "-h", folder, "-p", port, name)
            yield Server(folder, port)
        finally:
            do(where / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
