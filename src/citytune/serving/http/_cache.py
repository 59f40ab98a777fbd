"""The newest forecast of each run in memory, ready to be sent."""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from citytune._tables import in_zone
from citytune.serving.database import (
    NUMBERS,
    Database,
    Forecast,
    newest_forecast,
    table_of_forecast,
)

if TYPE_CHECKING:
    import polars as pl

FRESH = 1.0
"""Seconds after which it is asked again whether there is a newer one."""
LONGEST = 5.0
"""Seconds that the former one is served while that is asked: not everybody waits for the answer."""
KEPT = 16
"""Forecasts in memory: those asked for last."""
DIGITS = 7
"""Of a number that is sent: those of single precision."""
FORM = "%Y-%m-%dT%H:%M:%S"


class Ready(NamedTuple):
    """A forecast as it is sent."""

    number: int
    tag: str
    """Of no other forecast, also after a backup was restored."""
    head: bytes
    """What holds for all of it, as JSON without its end."""
    sensors: dict[str, bytes]
    """Sensor → its values, as JSON."""
    table: pl.DataFrame
    """The long table, times in the zone of the data."""

    def document(self, sensors: Sequence[str]) -> bytes:
        """Of some sensors, in JSON."""
        return self.head + b"[" + b",".join(self.sensors[one] for one in sensors) + b"]}"


class Cache:
    """Forecasts that were asked for lately."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._newest: dict[int, tuple[float, str]] = {}
        self._looks: set[int] = set()
        self._ready: OrderedDict[str, Ready] = OrderedDict()
        self._lock = threading.Lock()

    def at_once(self, run_id: int) -> Ready | None:
        """The newest forecast of a run, if that was asked for a moment ago, or is being asked."""
        at, tag = self._newest.get(run_id, (-math.inf, ""))
        age = time.monotonic() - at
        holds = age < FRESH or (age < LONGEST and run_id in self._looks)
        return self._used(tag) if holds else None

    def is_due(self, run_id: int) -> bool:
        """Whether somebody should `look`: what is known will soon be too old, and nobody does."""
        at, _ = self._newest.get(run_id, (-math.inf, ""))
        if time.monotonic() - at < FRESH / 2 or run_id in self._looks:
            return False
        self._looks.add(run_id)
        return True

    def look(self, run_id: int) -> None:
        """Ask anew; after `is_due`."""
        try:
            self.newest(run_id)
        finally:
            self._looks.discard(run_id)

    def newest(self, run_id: int) -> Ready | None:
        """The newest forecast of a run; None if there is none."""
        began = time.monotonic()
        with self.database.reading() as session:
            row = newest_forecast(session, run_id)
        if row is None:
            self._newest.pop(run_id, None)
            return None
        found = self.of(row)
        self._newest[run_id] = (began, found.tag)
        return found

    def of(self, row: Forecast) -> Ready:
        """A forecast of the database."""
        tag = tag_of(row)
        found = self._used(tag)
        if found is None:
            with self._lock:  # whoever asks at the same moment waits for the one who reads it
                found = self._used(tag) or self._read(row)
                self._ready[tag] = found
                while len(self._ready) > KEPT:
                    self._ready.popitem(last=False)
        return found

    def _used(self, tag: str) -> Ready | None:
        """A forecast in memory, which is the last one to go from now on."""
        found = self._ready.get(tag)
        if found is not None:
            with contextlib.suppress(KeyError):  # another thread took it out just now
                self._ready.move_to_end(tag)
        return found

    def _read(self, row: Forecast) -> Ready:
        with self.database.reading() as session:
            table = table_of_forecast(session, row.id)
        return ready(row, table)


def tag_of(row: Forecast) -> str:
    """What tells a forecast from all others: its number, and when it was made."""
    return f"{row.id}-{row.created_at:%Y%m%dT%H%M%S%f}"


def ready(row: Forecast, table: pl.DataFrame) -> Ready:
    """A forecast as it is sent."""
    import polars as pl

    zone = row.facts.get("timezone")
    table = in_zone(table, "time", zone)
    form = FORM + ("%:z" if zone else "")
    said = table.with_columns(
        pl.col("time").dt.strftime(form), pl.col(pl.Float64).round_sig_figs(DIGITS)
    )
    sensors = {
        str(key[0]): _json({"sensor": str(key[0]), **_columns(part)})
        for key, part in said.group_by("sensor", maintain_order=True)
    }
    facts = {
        "forecast": row.id, "run": row.run_id, "version": row.version_id,
        "issued_at": said["time"][0] if len(said) else None,
        "created_at": row.created_at.isoformat(), **row.facts,
    }  # fmt: skip
    head = _json(facts)[:-1] + b',"forecasts":'
    return Ready(row.id, tag_of(row), head, sensors, table)


def _columns(part: pl.DataFrame) -> dict[str, list[Any]]:
    """What there is, column by column."""
    numbers = [name for name in part.columns if name in NUMBERS or name.startswith("p_")]
    return {name: part[name].to_list() for name in ("time", *numbers, "quality")}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
