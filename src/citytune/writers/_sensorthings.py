"""Write OGC SensorThings (18-088): a Datastream for the mean and for each quantile of a sensor."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import polars as pl

from citytune._errors import InputError
from citytune._text import counted
from citytune.readers import masked
from citytune.writers._http import Server, check_server, server
from citytune.writers._table import ForecastTable, refuse_unknown_zone
from citytune.writers._writer import Choice, Writer, document, refuse_wide, register

_MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
_COMPONENTS = ["phenomenonTime", "resultTime", "result"]
Entity = dict[str, Any]


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

    A forecast that is there, by its result time, is not added again.
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
    """Whether anything was added."""
    ids = _ids(place, thing)
    first = thing["Datastreams"][0]
    if not any(stream["Observations"] for stream in thing["Datastreams"]):
        return True
    if _has(place, ids[first["name"]], first["Observations"]):
        return False
    arrays = [_array(ids[stream["name"]], stream) for stream in thing["Datastreams"]]
    answer = place.post("CreateObservations", arrays)
    refused = [one for one in answer.json() if str(one).startswith("error")]
    if refused:
        raise InputError(
            f"{place.name} refused {len(refused)} observations of {thing['name']!r}: {refused[0]}"
        )
    return True


def _ids(place: Server, thing: Entity) -> dict[str, Any]:
    """Name of each Datastream → its id, after those that are not there are made."""
    found = _known(place, thing["name"])
    if found is None:
        bare = [{k: v for k, v in s.items() if k != "Observations"} for s in thing["Datastreams"]]
        place.post("Things", thing | {"Datastreams": bare})
        found = _known(place, thing["name"]) or {}
    if lacking := [s["name"] for s in thing["Datastreams"] if s["name"] not in found]:
        raise InputError(
            f"the Thing {thing['name']!r} at {place.name} has no Datastream {lacking[0]!r}; rename "
            "that Thing, or delete it, and it is made anew"
        )
    return found


def _known(place: Server, name: str) -> dict[str, Any] | None:
    """The Datastreams of a Thing; None if there is none of that name."""
    escaped = name.replace("'", "''")
    params = {"$filter": f"name eq '{escaped}'", "$expand": "Datastreams($top=100)"}
    things = place.get("Things", params).get("value", [])
    if not things:
        return None
    return {one["name"]: one["@iot.id"] for one in things[0].get("Datastreams", [])}


def _has(place: Server, identity: Any, observations: list[Entity]) -> bool:
    if not observations:
        return False
    issued = observations[0]["resultTime"]
    params = {"$filter": f"resultTime eq {issued}", "$top": "1"}
    return bool(place.get(f"Datastreams({_literal(identity)})/Observations", params).get("value"))


def _array(identity: Any, stream: Entity) -> Entity:
    rows = [[one[name] for name in _COMPONENTS] for one in stream["Observations"]]
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
