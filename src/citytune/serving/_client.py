"""A small client of a server, for Python."""

from __future__ import annotations

import datetime as dt
import io
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from citytune._errors import InputError

if TYPE_CHECKING:
    import httpx
    import polars as pl

Row: TypeAlias = dict[str, Any]
"""A source, run, version or job, field by field, as `/v1/openapi.json` has it."""
Reading: TypeAlias = "tuple[str, dt.datetime | str, float | None]"
"""Sensor, time and value."""
LOOK = 0.5
"""Seconds between two looks at a job that is waited for."""
AT_ONCE = 50_000
"""Readings of one request."""
ENDED = ("done", "failed", "cancelled")


def connect(url: str = "http://127.0.0.1:8417", *, token: str | None = None) -> Client:
    """Talk to a server that `citytune serve` started.

    Args:
        url: Where it listens.
        token: As `citytune token add` printed it; none is needed on the same machine.

    Raises:
        InputError: nobody answers there, or the package httpx is not installed.

    Example:
        >>> city = ct.connect("https://forecasts.example.org", token="ct_…")  # doctest: +SKIP
        >>> city.forecast(1, sensors=["Ring road"])                           # doctest: +SKIP
    """
    client = Client(url, token)
    client.health()
    return client


class Client:
    """A connection to a server; see `connect`. Errors are `InputError` with what it said."""

    def __init__(self, url: str, token: str | None = None) -> None:
        try:
            import httpx
        except ModuleNotFoundError:
            raise InputError(
                "ct.connect needs the package httpx; install it with: pip install 'citytune[serve]'"
            ) from None
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=60.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def close(self) -> None:
        """Let the connection go."""
        self._http.close()

    def health(self) -> Row:
        """The server's version; without tokens also how many jobs wait and run."""
        return self._row("GET", "/v1/health")

    def sources(self) -> list[Row]:
        """All sources, the newest first."""
        return [*self._pages("/v1/sources")]

    def runs(self) -> list[Row]:
        """All runs, the newest first."""
        return [*self._pages("/v1/runs")]

    def versions(self, run: int) -> list[Row]:
        """The versions of a run, the newest first."""
        return [*self._pages(f"/v1/runs/{run}/versions")]

    def alarms(self, run: int | None = None, *, standing: bool = True) -> list[Row]:
        """What a person should look at."""
        asked = {"standing": standing} | ({} if run is None else {"run": run})
        return [*self._pages("/v1/alarms", asked)]

    def add_source(
        self,
        name: str,
        *,
        kind: str = "readings",
        place: str | None = None,
        query: str | None = None,
        **reading: Any,
    ) -> Row:
        """Name a source: a path or address, a connection and query, or readings to be pushed."""
        said = {"name": name, "kind": kind, "place": place, "query": query, "reading": reading}
        return self._row("POST", "/v1/sources", json=said)

    def upload(self, path: str | Path, name: str | None = None, **reading: Any) -> Row:
        """Upload a file as a source; `reading` are options of `ct.read`."""
        import json

        file = Path(path)
        if not file.is_file():
            raise InputError(f"there is no file {str(path)!r}")
        said = {"name": name or file.stem, "reading": json.dumps(reading)}
        with file.open("rb") as data:
            return self._row(
                "POST", "/v1/sources/upload", data=said, files={"file": (file.name, data)}
            )

    def check(self, source: int) -> Row:
        """What the last check of a source found: columns, faults, facts."""
        return self._row("GET", f"/v1/sources/{source}/check")

    def push(self, source: int, readings: Iterable[Reading], *, new_sensors: bool = False) -> int:
        """Push readings (sensor, time, value); gives how many. Sent again, they count once.

        A time is a datetime, or text such as "2026-08-10T02:00+02:00".

        None or NaN takes a reading back. Sensors that the source does not know are refused, unless
        it knows none, or `new_sensors` says that they are new.
        """
        rows = [
            {"sensor": sensor, "time": _text(time), "value": _sent(sensor, time, value)}
            for sensor, time, value in readings
        ]
        # One of each sensor first: to a new source, the first part names them all.
        one_each = {id(row) for row in {row["sensor"]: row for row in reversed(rows)}.values()}
        rows.sort(key=lambda row: id(row) not in one_each)
        if len(one_each) > AT_ONCE and not new_sensors:
            new_sensors = self._knows_none(source)
        count = 0
        for first in range(0, len(rows), AT_ONCE):
            part = rows[first : first + AT_ONCE]
            said = {"source": source, "readings": part, "new_sensors": new_sensors}
            count += int(self._row("POST", "/v1/readings", json=said)["accepted"])
        return count

    def run(
        self,
        source: int,
        name: str,
        *,
        alerts: Sequence[str] = (),
        wait: bool = True,
        **settings: Any,
    ) -> Row:
        """Tune a model to a source; gives the run, by default once its first version is there."""
        said = {"source": source, "name": name, "settings": settings, "alerts": list(alerts)}
        started = self._row("POST", "/v1/runs", json=said)
        if wait:
            self.wait(started["job"]["id"])
        return self._row("GET", f"/v1/runs/{started['run']['id']}")

    def start(self, run: int, kind: str, **more: Any) -> Row:
        """Let a run `forecast`, `refresh` or `tune`; gives the job."""
        return self._row("POST", f"/v1/runs/{run}/jobs", json={"kind": kind, **more})

    def job(self, number: int) -> Row:
        """A job: its state, stage, result and error."""
        return self._row("GET", f"/v1/jobs/{number}")

    def wait(
        self,
        job: int,
        *,
        seconds: float = 3600.0,
        progress: Callable[[str, float], None] | None = None,
    ) -> Row:
        """Wait until a job has ended.

        Raises:
            InputError: it failed or was cancelled, or has not ended by then.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.job(job)
            if progress is not None:
                progress(found["stage"], found["share"])
            if found["state"] == "done":
                return found
            if found["state"] in ENDED:
                raise InputError(f"job {job} {found['state']}: {found['error']}")
            time.sleep(LOOK)
        raise InputError(f"job {job} has not ended within {seconds:g} seconds; it goes on")

    def cancel(self, job: int) -> Row:
        """Stop a job."""
        return self._row("POST", f"/v1/jobs/{job}/cancel")

    def promote(self, run: int, version: int) -> Row:
        """Let a version forecast from now on."""
        return self._row("POST", f"/v1/runs/{run}/promote", json={"version": version})

    def roll_back(self, run: int) -> Row:
        """Let the version forecast that did before."""
        return self._row("POST", f"/v1/runs/{run}/roll-back")

    def forecast(
        self, run: int, *, sensors: Sequence[str] = (), as_of: dt.datetime | None = None
    ) -> pl.DataFrame:
        """The newest forecast as a long table: sensor, time, mean, point, q05 … q95, quality."""
        import polars as pl

        asked: dict[str, Any] = {"format": "parquet", "sensor": list(sensors)}
        if as_of is not None:
            asked["as_of"] = as_of.isoformat()
        answer = self._asked("GET", f"/v1/runs/{run}/forecast", params=asked)
        return pl.read_parquet(io.BytesIO(answer.content))

    def proposals(self, run: int | None = None, *, state: str | None = None) -> list[Row]:
        """Proposals to tune a run anew, since its model fits no more, and what came of them."""
        asked = {"run": run, "state": state}
        return [*self._pages("/v1/proposals", {k: v for k, v in asked.items() if v is not None})]

    def start_proposal(self, proposal: int) -> Row:
        """Tune anew, and promote what is better on the newest days; gives the job."""
        return self._row("POST", f"/v1/proposals/{proposal}/start")

    def dismiss_proposal(self, proposal: int) -> Row:
        """Leave the model as it is."""
        return self._row("POST", f"/v1/proposals/{proposal}/dismiss")

    def scores(self, run: int, version: int | None = None) -> Row:
        """How a version did on days it has not seen; by default the one that forecasts."""
        asked = {} if version is None else {"version": version}
        return self._row("GET", f"/v1/runs/{run}/scores", params=asked)

    def _knows_none(self, source: int) -> bool:
        """Whether any sensor may be pushed to a source, as nothing was pushed to it yet."""
        if self._row("GET", f"/v1/sources/{source}")["kind"] != "readings":
            return False
        page = self._row("GET", f"/v1/sources/{source}/readings", params={"limit": 1})
        return not page["items"]

    def _pages(self, path: str, asked: Mapping[str, Any] | None = None) -> Iterator[Row]:
        cursor: str | None = ""
        while cursor is not None:
            more = {"cursor": cursor} if cursor else {}
            page = self._row("GET", path, params={**(asked or {}), **more})
            yield from page["items"]
            cursor = page["next"]

    def _row(self, method: str, path: str, **request: Any) -> Row:
        found: Row = self._asked(method, path, **request).json()
        return found

    def _asked(self, method: str, path: str, **request: Any) -> httpx.Response:
        import httpx

        try:
            answer = self._http.request(method, path, **request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise InputError(
                f"{self.url} cannot be reached ({type(error).__name__}); is the server up?"
            ) from None
        if answer.is_success:
            return answer
        try:
            said = answer.json()
            errors = "".join(f"; {one['where']}: {one['what']}" for one in said.get("errors", ()))
            detail = f"{said['detail']}{errors}"
        except (ValueError, KeyError, TypeError, AttributeError):
            detail = answer.reason_phrase
        raise InputError(f"{self.url} refused ({answer.status_code}): {detail}")


def _text(time: dt.datetime | str) -> str:
    return time if isinstance(time, str) else time.isoformat()


def _sent(sensor: str, time: dt.datetime | str, value: float | None) -> float | None:
    """A value as JSON has it."""
    try:
        if value is None or math.isnan(value):
            return None
    except TypeError:
        what = f"reading of {sensor!r} at {time} is {value!r}"
        raise InputError(f"{what}; send a number, or None to take it back") from None
    if math.isinf(value):
        raise InputError(f"reading of {sensor!r} at {time} is infinite; send NaN to take it back")
    return float(value)
