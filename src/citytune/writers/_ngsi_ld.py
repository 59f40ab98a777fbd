"""Write NGSI-LD: an entity for each sensor and step, as Smart Data Models define them.

`AirQualityForecast` is that of dataModel.Environment. For traffic there is no such model, only the
request for one (dataModel.Transportation, issue 35), so `TrafficFlowForecast` and `EnergyForecast`
follow the pattern of AirQualityForecast, with the names of TrafficFlowObserved. Entities are
normalised (ETSI GS CIM 009); units are those of UN/CEFACT Recommendation 20.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np

from citytune._errors import InputError
from citytune._text import counted
from citytune.frame import convert, plain_letters
from citytune.readers import masked
from citytune.writers._http import Server, check_server, server
from citytune.writers._table import ForecastTable, refuse_unknown_zone
from citytune.writers._writer import Choice, Writer, document, refuse_wide, register

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld"
_MODELS = "https://raw.githubusercontent.com/smart-data-models/dataModel.{}/master/context.jsonld"
BATCH = 100
"""Entities in a request."""
_KINDS = {
    "air": ("AirQualityForecast", "Environment"),
    "traffic": ("TrafficFlowForecast", "Transportation"),
    "energy": ("EnergyForecast", "Energy"),
}
"""Domain → type of the entity, and the subject whose names it uses."""
_NAMES = {
    "trafficvolume": "intensity", "flow": "intensity", "volume": "intensity",
    "speed": "averageVehicleSpeed", "occupancy": "occupancy",
}  # fmt: skip
"""Names of TrafficFlowObserved."""
_CODES = {
    "µg/m³": "GQ", "mg/m³": "GP", "ppm": "59", "ppb": "61", "kW": "KWT", "W": "WTT", "MW": "MAW",
    "kWh": "KWH", "Wh": "WHR", "MWh": "MWH", "km/h": "KMH", "m/s": "MTS", "°C": "CEL", "%": "P1",
}  # fmt: skip


def entities(table: ForecastTable) -> Iterator[dict[str, Any]]:
    """An entity for each sensor and step that has a forecast."""
    refuse_unknown_zone(table, "NGSI-LD")
    kind, subject = _KINDS.get(table.quantity.domain, ("Forecast", "MachineLearning"))
    name, code, factor = _attribute(table)
    context = [CORE, _MODELS.format(subject)]
    end = np.timedelta64(table.clock.step, "us")
    issued = _iso(np.datetime64(table.clock.start, "us"))
    for row in table.rows.iter_rows(named=True):
        if math.isnan(row["mean"]):
            continue
        start = np.datetime64(row["time"], "us")
        yield {
            "id": _urn(kind, table.run, row["sensor"], start),
            "type": kind,
            "name": _property(row["sensor"]),
            "dataProvider": _property(f"citytune: {table.model}" if table.model else "citytune"),
            "dateIssued": _moment(issued),
            "validFrom": _moment(_iso(start)),
            "validTo": _moment(_iso(start + end)),
            "validity": _property(f"{_iso(start)}/{_iso(start + end)}"),
            name: _property(_round(row["mean"] * factor)) | ({"unitCode": code} if code else {}),
            "quantiles": _property(
                {f"0.{level[1:]}": _round(row[level] * factor) for level in table.levels}
            ),
            "quality": _property(row["quality"]),
            **{_camel(chance): _property(_round(row[chance])) for chance in table.chances},
            "@context": context,
        }


def made(table: ForecastTable) -> tuple[bytes, str]:
    """The entities as a document."""
    found = list(entities(table))
    text = json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False)
    return f"{text}\n".encode(), _words(found)


def post(table: ForecastTable, target: str, choice: Choice) -> str:
    """Create or renew the entities at a broker, in batches."""
    found = list(entities(table))
    batches = [found[first : first + BATCH] for first in range(0, len(found), BATCH)]
    words = f"{_words(found)} in {counted(len(batches), 'request')}"
    if choice.dry_run:
        first = json.dumps(found[0], ensure_ascii=False) if found else "none"
        return f"would post {words} to {masked(target)}; the first: {first}"
    with server(target) as broker:
        for number, batch in enumerate(batches):
            _upsert(broker, batch, number * BATCH)
    return f"{words} posted to {masked(target)}"


def _words(found: list[dict[str, Any]]) -> str:
    return "1 entity" if len(found) == 1 else f"{len(found):,} entities"


def _upsert(broker: Server, batch: list[dict[str, Any]], before: int) -> None:
    path = "entityOperations/upsert?options=update"
    answer = broker.post(path, batch, Content_Type="application/ld+json")
    if answer.status_code != 207:
        return
    errors = answer.json().get("errors") or [{}]
    error = errors[0].get("error") or {}
    said = error.get("detail") or error.get("title") or "it does not say why"
    raise InputError(
        f"{broker.name} took {before + len(batch) - len(errors)} entities and refused "
        f"{len(errors)}: {said}. Posting again is safe: entities are replaced, not doubled"
    )


def _attribute(table: ForecastTable) -> tuple[str, str | None, float]:
    """Name of what is forecast, the code of its unit, and the factor into that unit.

    A vehicle count is that of the step, as in TrafficFlowObserved, and not that of an hour.
    """
    quantity = table.quantity
    plain = plain_letters(quantity.name)
    name = _NAMES.get(plain, plain) if quantity.domain == "traffic" else plain
    factor = 1.0
    if name == "intensity" and convert(np.ones(1, np.float32), quantity.unit, "veh/h") is not None:
        factor = table.clock.step.total_seconds() / 3600
    return name or "value", _CODES.get(quantity.unit), factor


def _property(value: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value}


def _moment(text: str) -> dict[str, Any]:
    return _property({"@type": "DateTime", "@value": text})


def _iso(moment: np.datetime64) -> str:
    return f"{moment.astype('datetime64[s]')}Z"


def _round(value: float) -> float | None:
    """Seven digits, which single precision has; None where there is no forecast."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _urn(kind: str, run: str, sensor: str, start: np.datetime64) -> str:
    parts = [quote(part, safe="") for part in (run, sensor) if part]
    return f"urn:ngsi-ld:{kind}:{':'.join([*parts, _iso(start)])}"


def _camel(name: str) -> str:
    """`p_above_150` as `probabilityAbove150`."""
    return name.replace("p_above_", "probabilityAbove").replace("p_below_", "probabilityBelow")


def check(target: str, choice: Choice) -> None:
    """Refuse what is no address, or a wide table."""
    refuse_wide(target, choice)
    check_server(target)


register((".jsonld",), document("NGSI-LD", made))
register(("ngsi-ld+https://", "ngsi-ld+http://"), Writer(name="broker", write=post, check=check))
