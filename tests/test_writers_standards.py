"""Promise: what leaves for a broker is what the standards say, and arrives whole or is refused.

The schema of AirQualityForecast below states in our own words what Smart Data Models' page
(dataModel.Environment/AirQualityForecast, version 0.0.2, CC BY 4.0) lists: the properties, their
types and bounds. That of NGSI-LD states the normalised form of ETSI GS CIM 009, 4.5.
"""

from __future__ import annotations

import datetime as dt
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest

from citytune import Clock, Forecast, InputError, Quantity
from citytune.forecasting import LEVELS
from citytune.readers import read
from citytune.writers import _http

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
pytestmark = pytest.mark.extras
HOUR = dt.timedelta(hours=1)
START = dt.datetime(2024, 10, 26, 22)
POLLUTANT = {"type": "number", "minimum": 0}
COMMON = {
    "id": {"type": "string", "pattern": r"^[\w\-.{}$+*\[\]`|~^@!,:\\%]+$", "maxLength": 256},
    "dateIssued": {"type": "string", "format": "date-time"},
    "validFrom": {"type": "string", "format": "date-time"},
    "validTo": {"type": "string", "format": "date-time"},
    "validity": {"type": "string"},
    "name": {"type": "string"},
    "dataProvider": {"type": "string"},
}
AIR = {
    "type": "object",
    "required": ["id", "type"],
    "properties": COMMON
    | {"type": {"const": "AirQualityForecast"},
       "airQualityIndex": {"type": "integer", "minimum": 0}, "temperature": {"type": "number"},
       "relativeHumidity": {"type": "number", "minimum": 0, "maximum": 1},
       "windSpeed": POLLUTANT, "precipitation": POLLUTANT}
    | dict.fromkeys(("co2", "no2", "o3", "nox", "so2", "pm10", "pm25"), POLLUTANT),
}  # fmt: skip
NORMALISED = {
    "type": "object",
    "required": ["id", "type", "@context"],
    "properties": {
        "id": {"type": "string", "pattern": '^urn:ngsi-ld:[A-Z][A-Za-z]+:[^ <>"{}|^`]+$'},
        "type": {"type": "string"},
        "@context": {"type": "array", "items": {"type": "string", "format": "uri"}},
    },
    "additionalProperties": {
        "type": "object",
        "required": ["type", "value"],
        "properties": {"type": {"const": "Property"}, "value": {}, "unitCode": {"type": "string"}},
        "additionalProperties": False,
    },
}


def made(
    quantity: Quantity = Quantity("pm2.5", "µg/m³", low=0, domain="air"),  # noqa: B008 - frozen
    step: dt.timedelta = HOUR,
    sensors: tuple[str, ...] = ("Straße 1", "=A:1"),
) -> Forecast:
    """Six steps; the first sensor has no forecast for the first."""
    mean = 10.0 + np.arange(6 * len(sensors)).reshape(6, -1)
    quantiles = mean[..., None] * (0.5 + np.array(LEVELS))
    mean[0, 0] = quantiles[0, 0] = np.nan
    return Forecast(
        mean.astype(np.float32), quantiles.astype(np.float32), Clock(START, step, "Europe/Oslo"),
        sensors, quantity, model="lags, blend", run="city",
    )  # fmt: skip


def written(path: Path, forecast: Forecast) -> Any:
    forecast.write(path)
    return json.loads(path.read_text(encoding="utf-8"))


def key_values(entity: dict[str, Any]) -> dict[str, Any]:
    """The simplified form, which the schemas of Smart Data Models describe."""
    found = {}
    for name, attribute in entity.items():
        value = attribute["value"] if isinstance(attribute, dict) else attribute
        found[name] = value["@value"] if isinstance(value, dict) and "@value" in value else value
    return found


# NGSI-LD.


def test_air_quality_is_forecast_as_smart_data_models_define_it(tmp_path: Path) -> None:
    entities = written(tmp_path / "f.jsonld", made())
    assert len(entities) == 11  # a value that is not there is no entity
    checker = jsonschema.FormatChecker()
    for entity in entities:
        jsonschema.validate(entity, NORMALISED, format_checker=checker)
        jsonschema.validate(key_values(entity), AIR, format_checker=checker)
    first = key_values(entities[5])
    assert first["pm25"] == 11
    assert (first["validFrom"], first["validTo"]) == (
        "2024-10-26T22:00:00Z",
        "2024-10-26T23:00:00Z",
    )
    assert first["validity"] == "2024-10-26T22:00:00Z/2024-10-26T23:00:00Z"
    assert first["quantiles"]["0.05"] == pytest.approx(11 * 0.55)
    assert entities[5]["pm25"]["unitCode"] == "GQ"
    assert first["name"] == "=A:1"
    assert len({entity["id"] for entity in entities}) == 11


@pytest.mark.parametrize(
    ("quantity", "step", "kind", "name", "value"),
    [
        (Quantity("traffic_volume", "veh/h", domain="traffic"), HOUR, "TrafficFlowForecast",
         "intensity", 11),
        (Quantity("traffic_volume", "veh/h", domain="traffic"), HOUR / 4, "TrafficFlowForecast",
         "intensity", 2.75),  # vehicles in a quarter of an hour
        (Quantity("speed", "km/h", domain="traffic"), HOUR / 4, "TrafficFlowForecast",
         "averageVehicleSpeed", 11),
        (Quantity("load", "kW", domain="energy"), HOUR, "EnergyForecast", "load", 11),
        (Quantity("bikes", "", domain="other"), HOUR, "Forecast", "bikes", 11),
    ],
)  # fmt: skip
def test_traffic_and_energy_follow_the_same_pattern(
    quantity: Quantity, step: dt.timedelta, kind: str, name: str, value: float, tmp_path: Path
) -> None:
    entities = written(tmp_path / "f.jsonld", made(quantity, step))
    for entity in entities:
        jsonschema.validate(entity, NORMALISED)
    assert {entity["type"] for entity in entities} == {kind}
    assert entities[5][name]["value"] == value


def test_our_own_reader_reads_what_is_written(tmp_path: Path) -> None:
    """A document of 40 steps is read back as readings: the same values at the same moments."""
    long = made()
    mean = np.tile(long.mean + 1, (7, 1))
    mean[0] = 5
    forecast = replace(long, mean=mean, quantiles=np.repeat(mean[..., None], len(LEVELS), 2),
                       quality=np.array("model", object))  # fmt: skip
    forecast.write(tmp_path / "f.jsonld")
    frame = read(tmp_path / "f.jsonld", time="validFrom", sensor="name", target="pm25")
    assert sorted(frame.sensors) == sorted(forecast.sensors)
    assert frame.clock.start == START
    ours = mean[:, [forecast.sensors.index(name) for name in frame.sensors]]
    np.testing.assert_array_equal(np.isnan(frame.values), np.isnan(ours))
    np.testing.assert_allclose(frame.values, ours)


@pytest.mark.parametrize("name", ["f.jsonld", "f.sta.json"])
def test_times_without_a_zone_are_no_moments_and_are_refused(name: str, tmp_path: Path) -> None:
    plain = replace(made(), clock=Clock(START, HOUR))
    with pytest.raises(InputError, match="takes moments, and the time zone"):
        plain.write(tmp_path / name)
    assert not list(tmp_path.iterdir())


# SensorThings.


def test_sensorthings_has_a_datastream_for_the_mean_and_each_quantile(tmp_path: Path) -> None:
    streams = written(tmp_path / "f.sta.json", made())["value"]
    assert len(streams) == 2 * (1 + len(LEVELS))
    for stream in streams:
        assert {"name", "description", "observationType", "unitOfMeasurement", "Thing", "Sensor",
                "ObservedProperty", "Observations"} <= {*stream}  # fmt: skip
        assert {"name", "symbol", "definition"} == {*stream["unitOfMeasurement"]}
    assert streams[1]["name"] == "Straße 1: pm2.5, 5 % quantile"
    assert len(streams[0]["Observations"]) == 5
    assert streams[12]["Observations"][0] == {
        "phenomenonTime": "2024-10-26T22:00:00Z/2024-10-26T23:00:00Z",
        "resultTime": "2024-10-26T22:00:00Z",
        "result": 11.0,
        "resultQuality": "model",
    }


# A broker and a server, as small as they can be.


LOST = 0
"""Instead of a status: what was sent is taken, and the answer lost."""
PAGE = 4
"""Observations that the server gives at once."""


class Place(http.server.BaseHTTPRequestHandler):
    """Takes NGSI-LD batches and SensorThings entities, and fails as often as it is told to."""

    entities: dict[str, Any]
    things: dict[str, Any]
    observations: dict[int, list[Any]]
    failures: list[tuple[int, dict[str, str], Any]]
    seen: list[tuple[str, dict[str, str]]]

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: Any = None, **headers: str) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, dict(self.headers)))
        if self.failures:
            status, headers, said = self.failures.pop(0)
            if status == LOST:
                self.lose(body, **headers)
            else:
                self.answer(status, said, **headers)
            return
        getattr(self, f"take_{self.path.partition('?')[0].rsplit('/', 1)[-1]}")(body)

    def lose(self, body: Any, arrays: str = "") -> None:
        """Do what is asked for, perhaps for some data arrays only, and never say so."""
        self.answer = lambda *_, **__: None  # type: ignore[method-assign]
        take = self.path.rsplit("/", 1)[-1]
        getattr(self, f"take_{take}")(body[: int(arrays)] if arrays else body)
        self.close_connection = True

    def take_upsert(self, batch: list[Any]) -> None:
        assert self.headers["Content-Type"] == "application/ld+json"
        self.entities.update({entity["id"]: entity for entity in batch})
        self.answer(201, [entity["id"] for entity in batch])

    def take_Things(self, thing: Any) -> None:
        for stream in thing["Datastreams"]:
            stream["@iot.id"] = sum(
                len(t["Datastreams"]) for t in self.things.values()
            ) * 100 + len(self.observations)
            self.observations[stream["@iot.id"]] = []
        self.things[thing["name"]] = thing
        self.answer(201)

    def take_CreateObservations(self, arrays: list[Any]) -> None:
        for array in arrays:
            rows = [dict(zip(array["components"], row, strict=True)) for row in array["dataArray"]]
            self.observations[array["Datastream"]["@iot.id"]] += rows
        self.answer(201, ["https://host/Observations(1)"])

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = parse_qs(url.query)["$filter"][0]
        more = {}
        if url.path.endswith("Things"):
            name = asked.removeprefix("name eq '").removesuffix("'").replace("''", "'")
            found = [self.with_observations(name, url.query)] if name in self.things else []
        else:
            identity = int(unquote(url.path).split("(")[1].split(")")[0])
            skip = int(parse_qs(url.query)["$skip"][0])
            held = self.of_forecast(identity, asked)
            found = held[skip : skip + PAGE]
            more = {"@iot.nextLink": "…"} if skip + PAGE < len(held) else {}
        self.answer(200, {"value": found} | more)

    def with_observations(self, name: str, query: str) -> Any:
        when = parse_qs(query)["$expand"][0].partition("$filter=")[2].partition(";")[0]
        streams = []
        for stream in self.things[name]["Datastreams"]:
            held = self.of_forecast(stream["@iot.id"], when)
            more = {"Observations@iot.nextLink": "…"} if len(held) > PAGE else {}
            streams.append(stream | {"Observations": held[:PAGE]} | more)
        return self.things[name] | {"Datastreams": streams}

    def of_forecast(self, identity: int, asked: str) -> list[Any]:
        when = asked.removeprefix("resultTime eq ")
        return [one for one in self.observations[identity] if one["resultTime"] == when]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[type[Place], str]]:
    """A running server of its own, and its address without the scheme; waiting takes no time."""
    pytest.importorskip("httpx", reason="httpx is not installed: pip install httpx")
    fresh = {"entities": {}, "things": {}, "observations": {}, "failures": [], "seen": []}
    kind = type("Fresh", (Place,), fresh)
    waits: list[float] = []
    monkeypatch.setattr(_http, "_wait", waits.append)
    kind.waits = waits  # type: ignore[attr-defined]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield kind, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_broker_gets_every_entity_in_batches(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, address = place
    monkeypatch.setenv("CITYTUNE_BROKER_TOKEN", "geheim")
    forecast = made(sensors=tuple(f"s{i}" for i in range(40)))
    said = forecast.write(f"ngsi-ld+{address}/ngsi-ld/v1")
    assert said.startswith("239 entities in 3 requests posted to ngsi-ld+http://127.0.0.1")
    assert len(kind.entities) == 239
    path, headers = kind.seen[0]
    assert path == "/ngsi-ld/v1/entityOperations/upsert?options=update"
    assert headers["Authorization"] == "Bearer geheim"
    forecast.write(f"ngsi-ld+{address}/ngsi-ld/v1/")
    assert len(kind.entities) == 239  # again is not twice


def test_a_busy_broker_is_asked_again_after_a_while(place: Any) -> None:
    kind, address = place
    kind.failures += [(503, {}, None), (429, {"Retry_After": "7"}, None), (502, {}, None)]
    made().write(f"ngsi-ld+{address}/v1")
    assert kind.waits == [0.5, 7, 2.0]
    assert len(kind.entities) == 11


def refusal(target: str, forecast: Forecast | None = None) -> str:
    with pytest.raises(InputError) as found:
        (forecast or made()).write(target)
    assert "\n" not in str(found.value)
    return str(found.value)


def test_a_broker_that_stays_busy_or_is_not_there_is_given_up(place: Any) -> None:
    kind, address = place
    kind.failures += 5 * [(503, {}, {"title": "maintenance"})]
    assert "503 Service Unavailable" in refusal(f"ngsi-ld+{address}/v1")
    assert not kind.entities
    assert "cannot be reached (ConnectError), 5 times" in refusal("ngsi-ld+http://127.0.0.1:1/v1")
    with (
        _http.server("sensorthings+http://127.0.0.1:1/v1.1") as nobody,
        pytest.raises(InputError) as told,
    ):
        nobody.post_once("Things", {})
    assert "cannot be reached (ConnectError); is the address right" in str(told.value)


def test_a_broker_that_refuses_is_not_asked_again(place: Any) -> None:
    kind, address = place
    kind.failures += [(401, {}, {"title": "no token"})]
    assert '401 Unauthorized ({"title": "no token"})' in refusal(f"ngsi-ld+{address}/v1")
    assert len(kind.seen) == 1
    errors = [{"entityId": "x", "error": {"title": "BadRequest", "detail": "no such unit"}}]
    kind.failures += [(207, {}, {"success": [], "errors": errors})]
    said = refusal(f"ngsi-ld+{address}/v1")
    assert "took 10 entities and refused 1: no such unit" in said
    kind.failures += [(302, {"Location": "/login"}, None)]
    assert "302 Found" in refusal(f"ngsi-ld+{address}/v1")


def test_a_secret_in_the_address_of_a_broker_is_sent_and_not_shown(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, address = place
    monkeypatch.setenv("BROKER_PASSWORD", "geheim/@")
    target = f"ngsi-ld+{address}/v1".replace("://", "://me:${BROKER_PASSWORD}@")
    assert "geheim" not in made().write(target)
    assert kind.seen[0][1]["Authorization"].startswith("Basic ")
    kind.failures += [(403, {}, None)]
    assert "geheim" not in refusal(target)


def test_a_dry_run_posts_nothing_and_shows_the_first(place: Any) -> None:
    kind, address = place
    said = made().write(f"ngsi-ld+{address}/v1", dry_run=True)
    assert said.startswith("would post 11 entities in 1 request to ngsi-ld+http://127")
    assert '"type": "AirQualityForecast"' in said
    said = made().write(f"sensorthings+{address}/v1.1", dry_run=True)
    assert "would post 132 observations of 24 data streams" in said
    assert not kind.seen


def test_sensorthings_makes_what_is_not_there_and_adds_a_forecast_once(place: Any) -> None:
    kind, address = place
    target = f"sensorthings+{address}/v1.1"
    forecast = made()
    forecast.write(target)
    assert [*kind.things] == ["city/Straße 1", "city/=A:1"]
    assert sum(map(len, kind.observations.values())) == 132
    assert "2 sensors had this forecast already" in forecast.write(target)
    assert sum(map(len, kind.observations.values())) == 132
    replace(forecast, clock=forecast.clock.shifted(1)).write(target)
    assert sum(map(len, kind.observations.values())) == 264


@pytest.mark.parametrize(
    "failures",
    [[(LOST, {}, None)],  # of the Thing
     [(LOST, {"arrays": "5"}, None), (LOST, {"arrays": "7"}, None)],
     [(LOST, {}, None), (LOST, {"arrays": "1"}, None), (LOST, {}, None)]],
)  # fmt: skip
def test_a_lost_answer_and_a_part_that_was_taken_double_nothing(place: Any, failures: Any) -> None:
    kind, address = place
    target = f"sensorthings+{address}/v1.1"
    if failures[0][1]:
        replace(made(), clock=made().clock.shifted(-9)).write(target)  # the Things are there
    before = sum(map(len, kind.observations.values()))
    kind.failures += failures
    made().write(target)
    assert not kind.failures
    assert len(kind.things) == 2
    for held in kind.observations.values():
        times = [(one["resultTime"], one["phenomenonTime"]) for one in held]
        assert len(set(times)) == len(times)
    assert sum(map(len, kind.observations.values())) == before + 132


def test_what_a_server_refused_is_all_that_is_sent_again(place: Any) -> None:
    kind, address = place
    target = f"sensorthings+{address}/v1.1"
    made().write(target)
    for held in kind.observations.values():
        del held[2:4]
    assert "already" not in made().write(target)
    assert sum(map(len, kind.observations.values())) == 132


def test_a_sensorthings_server_that_refuses_is_said(place: Any) -> None:
    kind, address = place
    kind.failures += [(400, {}, {"message": "no Location"})]
    assert "400 Bad Request" in refusal(f"sensorthings+{address}/v1.1")
    made().write(f"sensorthings+{address}/v1.1")
    kind.things["city/Straße 1"]["Datastreams"].pop()
    later = replace(made(), clock=made().clock.shifted(3))
    assert "has no Datastream 'Straße 1: pm2.5, 95 % quantile'" in refusal(
        f"sensorthings+{address}/v1.1", later
    )
