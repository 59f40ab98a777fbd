"""Promise: what databases, brokers and markets write is read as the table that was in it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from remedies import TIMES, A, B

from citytune import InputError
from citytune.readers import read

UTC = [t.replace(tzinfo=dt.UTC) for t in TIMES]
MILLISECONDS = [int(t.timestamp() * 1000) for t in UTC]


def saved(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_series_under_the_names_of_places_are_sensors(tmp_path: Path) -> None:
    series = {
        place: [{"timestamp": t.timestamp(), "load": v} for t, v in zip(UTC, some, strict=True)]
        for place, some in (("ee", A), ("fi", B))
    }
    frame = read(saved(tmp_path / "nps.json", {"success": True, "data": series}))
    assert frame.sensors == ("ee", "fi")
    assert np.allclose(frame.values, np.stack([A, B], 1))


def test_a_unit_around_the_rows_is_theirs(tmp_path: Path) -> None:
    rows = [{"date": str(t), "value": v} for t, v in zip(TIMES, A, strict=True)]
    meters = {"unit": "W", "meters": [{"type": "Consumption", "values": rows}]}
    assert read(saved(tmp_path / "power.json", {"details": meters})).quantity.unit == "W"


def test_several_lists_share_a_start_and_a_step(tmp_path: Path) -> None:
    document = {"StartPointUTC": MILLISECONDS[0], "EndPointUTC": MILLISECONDS[-1] + 3_600_000,
                "PeriodTickMs": 3_600_000, "Export": [*B], "Consumption": [*A]}  # fmt: skip
    frame = read(saved(tmp_path / "overview.json", document), target="Consumption")
    assert np.allclose(frame.values[:, 0], A)
    assert frame.clock.text(0).startswith("2024-01-08 00:00")


def test_hours_within_objects_are_unfolded(tmp_path: Path) -> None:
    days = A.reshape(-1, 24)
    items = [
        {"Date": f"{TIMES[24 * i]:%Y-%m-%d}",
         "HourlyEntities": [{"Id": "Sistema", "Values": {"code": "Sistema"} | {
             f"Hour{h + 1:02d}": str(v) for h, v in enumerate(day)}}]}
        for i, day in enumerate(days)
    ]  # fmt: skip
    document = {"Metric": {"Id": "DemaReal", "Units": "kWh"}, "Items": items}
    frame = read(saved(tmp_path / "demand.json", document))
    assert np.allclose(frame.values[:, 0], A)
    assert frame.quantity.unit == "kWh"


def test_extended_json_of_mongodb(tmp_path: Path) -> None:
    lines = [
        json.dumps({"_id": {"$oid": f"{i:024x}"}, "meter": "A17",
                    "t": {"$date": {"$numberLong": str(ms)}}, "kwh": {"$numberDecimal": str(v)}})
        for i, (ms, v) in enumerate(zip(MILLISECONDS, A, strict=True))
    ]  # fmt: skip
    lines += [
        json.dumps({"meter": "B03", "t": {"$date": f"{t:%Y-%m-%dT%H:%M:%SZ}"}, "kwh": v})
        for t, v in zip(UTC, B, strict=True)
    ]
    frame = read(saved(tmp_path / "readings.json", "\n".join(lines)))
    assert frame.sensors == ("A17", "B03")
    assert np.allclose(frame.values, np.stack([A, B], 1), atol=1e-4)


CREATE = """-- MySQL dump 10.13
CREATE TABLE `meters` (
  `id` int NOT NULL,
  `place` varchar(20)
);
INSERT INTO `meters` VALUES (1,'O''Hare; (north)'),(2,NULL);
CREATE TABLE `readings` (
  `id` int NOT NULL AUTO_INCREMENT,
  `ts` datetime DEFAULT NULL,
  `kwh` decimal(8,3),
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `readings` VALUES """


def test_a_dump_of_mysql(tmp_path: Path) -> None:
    rows = [f"({i},'{t}',{'NULL' if i == 5 else v})"
            for i, (t, v) in enumerate(zip(TIMES, A, strict=True))]  # fmt: skip
    frame = read(saved(tmp_path / "backup.sql", CREATE + ",".join(rows) + ";\n"))
    assert np.isnan(frame.values[5, 0])
    assert np.allclose(frame.values[6:, 0], A[6:])
    assert frame.quantity.unit == "kWh"


def copied(name: str) -> str:
    lines = [f"{m}\t{t}+00\t{v}" for m, some in ((7, A), (12, B))
             for t, v in zip(TIMES, some, strict=True)]  # fmt: skip
    return f"COPY public.{name} (meter_id, ts, kw) FROM stdin;\n" + "\n".join(lines) + "\n\\.\n\n"


def test_a_dump_of_postgresql(tmp_path: Path) -> None:
    head = "--\n-- PostgreSQL database dump\n--\nSET statement_timeout = 0;\n"
    frame = read(saved(tmp_path / "dump.sql", f"{head}{copied('readings')}-- done\n"))
    assert frame.sensors == ("7", "12")
    assert np.allclose(frame.values, np.stack([A, B], 1))
    with pytest.raises(InputError, match="2 tables"):
        read(saved(tmp_path / "two.sql", f"{head}{copied('one')}{copied('two')}"))


def test_market_documents(tmp_path: Path) -> None:
    root = '<GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0">'
    values = np.repeat(A[::2].round(), 2).astype(int)
    parts = []
    for zone, held in (("10YFR", True), ("10YBE", False)):
        points = [f"<Point><position>{i + 1}</position><quantity>{v + 7 * held}</quantity></Point>"
                  for i, v in enumerate(values) if not (held and i % 2)]  # fmt: skip
        span = f"<start>{UTC[0]:%Y-%m-%dT%H:%MZ}</start><end>2024-01-29T00:00Z</end>"
        parts.append(
            f"<TimeSeries><outBiddingZone_Domain.mRID>{zone}</outBiddingZone_Domain.mRID>"
            "<quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name>"
            f"<curveType>{'A03' if held else 'A01'}</curveType><Period><timeInterval>{span}"
            f"</timeInterval><resolution>PT60M</resolution>{''.join(points)}</Period></TimeSeries>"
        )
    document = f"<?xml version='1.0'?>{root}{''.join(parts)}</GL_MarketDocument>"
    frame = read(saved(tmp_path / "load.xml", document))
    assert frame.sensors == ("10YBE", "10YFR")
    assert (frame.values == values[:, None] + [0, 7]).all()
    assert (frame.quantity.unit, frame.clock.timezone) == ("MW", "UTC")
    with pytest.raises(InputError, match="no step"):
        read(saved(tmp_path / "days.xml", document.replace("PT60M", "P1D")))


def test_messages_of_edifact_are_refused_by_name(tmp_path: Path) -> None:
    text = "UNA:+.? 'UNB+UNOC:3+99:500+98:500'UNH+1+MSCONS:D:04B:UN:2.4c'QTY+220:1'UNZ+1+R'"
    with pytest.raises(InputError, match="EDIFACT"):
        read(saved(tmp_path / "MSCONS.txt", text))
