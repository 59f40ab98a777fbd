"""Write OGC SensorThings (18-088): a Datastream for the mean and for each quantile of a sensor."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import numpy as np
import polars as pl

from citytune._errors import InputError
from citytune._text import counted
from citytune.readers import masked
from citytune.writers._http import TRIES, Server, UnansweredError, check_server, pause, server
from citytune.writers._table import ForecastTable, refuse_unknown_zone
from citytune.writers._writer import Choice, Writer, document, refuse_wide, register

_MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
_COMPONENTS = ["phenomenonTime", "resultTime", "result"]
Entity = dict[str, Any]
PAGE = 1000
"""Observations that are asked for at once."""


def things(table: ForecastTable) -> list[Entity]:
    """A Thing for each sensor, with its Datastreams, and their Observations in them."""
    refuse_unknown_zone(table, "SensorThings")
    parts = table.rows.partition_by("sensor", maintain_order=True)
    return [_thing(table, part) for part in parts]


def made(table: ForecastTable) -> tuple[bytes, str]:
    """The Datastreams with their Observations, as a server gives them expanded."""
    streams = [
        stream | {"Thing": {"name": thing["name"]}}
        for thing in things(table)
        for stream in thing["Datastreams"]
    ]
    text = json.dumps({"value": streams}, ensure_ascii=False, indent=1, allow_nan=False)
    return f"{text}\n".encode(), _words(streams)


def post(table: ForecastTable, target: str, choice: Choice) -> str:
    """Add the Observations at a server; Things and Datastreams that are not there are made.

    What is there of the forecast, by result time and time, is not added again, nor is what a server
    took without answering.
    """
    found = things(table)
    words = _words([stream for thing in found for stream in thing["Datastreams"]])
    if choice.dry_run:
        first = json.dumps(found[0]["Datastreams"][0], ensure_ascii=False)
        return f"would post {words} to {masked(target)}; the first: {first}"
    with server(target) as place:
        there = sum(not _post_thing(place, thing) for thing in found)
    said = f"; {counted(there, 'sensor')} had this forecast already" if there else ""
    return f"{words} posted to {masked(target)}{said}"


def _thing(table: ForecastTable, rows: pl.DataFrame) -> Entity:
    sensor = str(rows["sensor"][0])
    streams = [_stream(table, rows, name, sensor) for name in ("mean", *table.levels)]
    name = f"{table.run}/{sensor}" if table.run else sensor
    return {"name": name, "description": f"Forecasts for {sensor}", "Datastreams": streams}


def _stream(table: ForecastTable, rows: pl.DataFrame, column: str, sensor: str) -> Entity:
    quantity = table.quantity
    what = "mean" if column == "mean" else f"{int(column[1:])} % quantile"
    end, issued = np.timedelta64(table.clock.step, "us"), _iso(table.clock.start)
    observations = [
        {"phenomenonTime": f"{_iso(time)}/{_iso(np.datetime64(time, 'us') + end)}",
         "resultTime": issued, "result": float(f"{value:.7g}"),
         "resultQuality": quality}
        for time, value, quality in rows.select("time", column, "quality").iter_rows()
        if math.isfinite(value)
    ]  # fmt: skip
    return {
        "name": f"{sensor}: {quantity.name}, {what}",
        "description": f"Forecast of {quantity.name} at {sensor}: {what}",
        "observationType": _MEASUREMENT,
        "unitOfMeasurement": {
            "name": quantity.unit or "unknown", "symbol": quantity.unit or None,
            "definition": quantity.unit or None,
        },
        "ObservedProperty": {
            "name": quantity.name, "definition": f"urn:citytune:{quantity.name}",
            "description": quantity.name,
        },
        "Sensor": {
            "name": "citytune", "description": table.model or "forecast", "metadata": table.model,
            "encodingType": "text/plain",
        },
        "Observations": observations,
    }  # fmt: skip


def _post_thing(place: Server, thing: Entity) -> bool:
    """Whether anything was added; what is there, also of a try without an answer, is left out."""
    for count in range(1, TRIES + 1):
        try:
            streams = _streams(place, thing)
            lacking = [one for stream in thing["Datastreams"]
                       if (one := _lacking(place, streams[stream["name"]], stream))]  # fmt: skip
            if lacking:
                _refuse_errors(place, thing, place.post_once("CreateObservations", lacking).json())
            return bool(lacking) or count > 1 or not _holds_any(thing)
        except UnansweredError:
            if count == TRIES:
                raise
            pause(count)
    raise AssertionError("the last try returns or raises")


def _holds_any(thing: Entity) -> bool:
    return any(stream["Observations"] for stream in thing["Datastreams"])


def _refuse_errors(place: Server, thing: Entity, answer: list[Any]) -> None:
    refused = [one for one in answer if str(one).startswith("error")]
    if refused:
        raise InputError(
            f"{place.name} refused {len(refused)} observations of {thing['name']!r}: {refused[0]}; "
            "write once more, and only those that are not there are added"
        )


def _streams(place: Server, thing: Entity) -> dict[str, Entity]:
    """Name of each Datastream → how it is at the server, after those that lack are made."""
    issued = next(
        (one["resultTime"] for s in thing["Datastreams"] for one in s["Observations"]), None
    )
    found = _known(place, thing["name"], issued)
    if found is None:
        bare = [{k: v for k, v in s.items() if k != "Observations"} for s in thing["Datastreams"]]
        place.post_once("Things", thing | {"Datastreams": bare})
        found = _known(place, thing["name"], issued) or {}
    if lacking := [s["name"] for s in thing["Datastreams"] if s["name"] not in found]:
        raise InputError(
            f"the Thing {thing['name']!r} at {place.name} has no Datastream {lacking[0]!r}; rename "
            "that Thing, or delete it, and it is made anew"
        )
    return found


def _known(place: Server, name: str, issued: str | None) -> dict[str, Entity] | None:
    """The Datastreams of a Thing, with what they hold of a forecast; None if there is no Thing."""
    escaped = name.replace("'", "''")
    inner = "" if issued is None else f";$expand=Observations({_of_forecast(issued, ';')})"
    params = {"$filter": f"name eq '{escaped}'", "$expand": f"Datastreams($top=100{inner})"}
    things = place.get("Things", params).get("value", [])
    if not things:
        return None
    return {one["name"]: one for one in things[0].get("Datastreams", [])}


def _of_forecast(issued: str, glue: str) -> str:
    """What to ask for of the Observations of a forecast, by its result time."""
    select = "$select=phenomenonTime,resultTime"
    return glue.join([f"$filter=resultTime eq {issued}", select, f"$top={PAGE}"])


def _lacking(place: Server, there: Entity, stream: Entity) -> Entity | None:
    """The Observations that a Datastream does not hold yet, as a data array."""
    observations = stream["Observations"]
    if not observations:
        return None
    issued = observations[0]["resultTime"]
    held = {
        _begin(one["phenomenonTime"])
        for one in _held(place, there, issued)
        if _begin(one.get("resultTime") or issued) == _begin(issued)
    }
    rest = [one for one in observations if _begin(one["phenomenonTime"]) not in held]
    return _array(there["@iot.id"], rest) if rest else None


def _held(place: Server, there: Entity, issued: str) -> list[Entity]:
    """All Observations of a forecast in a Datastream, however many pages they are."""
    found: list[Entity] = list(there.get("Observations", []))
    if not there.get("Observations@iot.nextLink"):
        return found
    path = f"Datastreams({_literal(there['@iot.id'])})/Observations"
    params = dict(part.split("=", 1) for part in _of_forecast(issued, ";").split(";"))
    found = []
    while True:
        page = place.get(path, params | {"$orderby": "id", "$skip": str(len(found))})
        found += page.get("value", [])
        if not page.get("value") or not page.get("@iot.nextLink"):
            return found


def _begin(time: str) -> dt.datetime:
    """The moment, or the first of an interval, however many decimals a server writes."""
    return dt.datetime.fromisoformat(time.partition("/")[0].replace("Z", "+00:00"))


def _array(identity: Any, observations: list[Entity]) -> Entity:
    rows = [[one[name] for name in _COMPONENTS] for one in observations]
    return {"Datastream": {"@iot.id": identity}, "components": _COMPONENTS,
            "dataArray@iot.count": len(rows), "dataArray": rows}  # fmt: skip


def _literal(identity: Any) -> str:
    return f"'{identity}'" if isinstance(identity, str) else str(identity)


def _words(streams: list[Entity]) -> str:
    count = sum(len(stream["Observations"]) for stream in streams)
    return f"{counted(count, 'observation')} of {counted(len(streams), 'data stream')}"


def _iso(moment: Any) -> str:
    return f"{np.datetime64(moment, 'us').astype('datetime64[s]')}Z"


def check(target: str, choice: Choice) -> None:
    """Refuse what is no address, or a wide table."""
    refuse_wide(target, choice)
    check_server(target)


register((".sta.json",), document("SensorThings", made))
register(
    ("sensorthings+https://", "sensorthings+http://"),
    Writer(name="SensorThings server", write=post, check=check),
)
