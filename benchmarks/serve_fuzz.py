"""Send thousands of cases made from the OpenAPI description: python benchmarks/serve_fuzz.py.

Half of them fit the description and half do not. A server error (5xx), an error that is no problem
document, or no answer is a failure. It runs against a new server with a new SQLite database.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from citytune.serving._config import Configuration
from citytune.serving._people import make_token
from citytune.serving.database import in_folder, open_database
from citytune.serving.http import create_app

LEFT_OUT = ("/v1/jobs/{number}/events",)
"""Streams, which last as long as their job."""
KEPT = ("/v1/tokens/{number}",)
"""Whose DELETE would revoke the token that asks."""


@dataclass
class Found:
    """What came of it."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


def fuzz(cases: int, seed: int) -> Found:
    """Send about so many cases, spread over all operations."""
    found = Found()
    with tempfile.TemporaryDirectory() as name, served(Path(name)) as (url, token):
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=120) as client:
            described = client.get("/v1/openapi.json").json()
            _prepare(client)
            operations = _operations(described)
            each = -(-cases // len(operations))
            for operation in operations:
                _try(operation, client, each, seed, found)
    return found


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[str, str]]:
    """A server in a thread; its address, and a token of an admin."""
    database = open_database(in_folder(folder))
    database.upgrade()
    config = Configuration(folder=folder, rate=100_000)
    config.make_folders()
    app = create_app(database, config, needs_token=True)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", make_token(database, "fuzz", "admin")
    finally:
        server.should_exit = True
        thread.join()
        database.close()


def _prepare(client: httpx.Client) -> None:
    """So that number 1 is there."""
    client.post("/v1/sources", json={"name": "one"}).raise_for_status()
    body = {"source": 1, "name": "one", "settings": {"horizon": 24, "backbone": "lags"}}
    client.post("/v1/runs", json=body).raise_for_status()


def _operations(described: dict[str, Any]) -> list[Any]:
    import schemathesis

    schema = schemathesis.openapi.from_dict(described)
    found = [one.ok() for one in schema.get_all_operations()]
    return [
        one for one in found
        if one.path not in LEFT_OUT and not (one.path in KEPT and one.method == "delete")
    ]  # fmt: skip


def _try(operation: Any, client: httpx.Client, count: int, seed: int, found: Found) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from schemathesis import GenerationMode

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        strategy = operation.as_strategy(generation_mode=mode)

        @seeded(seed)
        @settings(
            max_examples=-(-count // 2),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def one(case: Any) -> None:
            _send(case, client, found)

        try:
            one()
        except Exception as error:  # noqa: BLE001 - an operation without wrong cases has none
            if type(error).__name__ not in ("Unsatisfiable", "SkipTest", "Skipped"):
                found.errors.append(f"{operation.label}: {type(error).__name__}: {error}")


def _send(case: Any, client: httpx.Client, found: Found) -> None:
    said = case.as_transport_kwargs(base_url=str(client.base_url))
    said = {name: one for name, one in said.items() if name in
            ("method", "url", "params", "json", "data", "files", "headers")}  # fmt: skip
    headers = {
        k: v for k, v in (said.pop("headers", None) or {}).items() if k.lower() != "authorization"
    }
    content = said.pop("data", None)
    if isinstance(content, dict):
        said["data"] = content
    elif content is not None:
        said["content"] = content
    try:
        answer = client.request(**said, headers=headers)
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError, AttributeError):
        return  # this client cannot send that
    except httpx.HTTPError as error:
        found.errors.append(f"{case.method} {case.path}: {type(error).__name__}")
        return
    found.cases += 1
    found.statuses[answer.status_code] += 1
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    if answer.status_code >= 500 or (answer.status_code >= 400 and not is_problem):
        found.errors.append(
            f"{case.method} {said['url']} {said.get('params')} {said.get('json')!r}: "
            f"{answer.status_code} {answer.text[:200]}"
        )


def main() -> int:
    """Send them, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    found = fuzz(asked.cases, asked.seed)
    print(f"{found.cases:,} cases; answers: {dict(sorted(found.statuses.items()))}")
    for error in found.errors[:20]:
        print(error)
    print(f"{len(found.errors)} failures")
    return int(bool(found.errors))


if __name__ == "__main__":
    sys.exit(main())
