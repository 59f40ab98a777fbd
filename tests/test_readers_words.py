"""Promise: words of units, ends, totals and side values are known in more languages, or asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from systems import HOUR, given, holds, hours, refusal, waves

from citytune.frame import SensorFrame
from citytune.readers import read

LENGTH = 96
TIMES = hours(LENGTH)
A, B = waves(2, LENGTH)


def _read(tmp_path: Path, head: str, *rows: str) -> SensorFrame:
    return read(given(tmp_path, head, *rows), timezone="Europe/Oslo")


def _rows(shape: str) -> list[str]:
    return [shape.format(t=t, a=a, b=b) for t, a, b in zip(TIMES, A, B, strict=True)]


@pytest.mark.parametrize(
    ("name", "cell", "shown"),
    [("ozone", "Parts Per Million ( ppm )", "ppm"), ("consumption", "Megawatt", "MW"),
     ("ozone", "Micrograms/cubic meter (25 C)", "µg/m³"), ("ozone", "nmol/mol", "ppb"),
     ("ozone", "partes por billón", ""), ("consumption", "MWh/h", "")],
)  # fmt: skip
def test_a_column_of_units_is_never_overruled(
    tmp_path: Path, name: str, cell: str, shown: str
) -> None:
    frame = _read(tmp_path, f"time,{name},units", *_rows("{t},{a}," + cell))
    assert frame.quantity.unit == shown
    assert ("no-unit" in {fault.kind for fault in frame.faults}) != bool(shown)


@pytest.mark.parametrize(
    ("head", "shown"),
    [("Monthly Ozone in parts per billion\ntime,O3", "ppb"),
     ("Units: Parts per billion (ppb) // Unités: parties par milliard (ppb)\ntime,O3", "ppb"),
     ("time,NO2 1h average [pphm]", "pphm"), ("time,NO2 (nmol/l)", ""),
     ("Measurement unit,ppb\nStation,A\n\ntime,NO2", "ppb"), ("Unit,GW\n\ntime,load", "GW"),
     ("CO concentration, micrograms per cubic metre\ntime,CO", "µg/m³"),
     ("time,travel_time (min)", "min"), ("time,travel_time", "s"), ("time,vitesse (m.s-1)", "m/s"),
     ("time,Demand [100 kW]", "")],
)  # fmt: skip
def test_units_in_titles_and_brackets(tmp_path: Path, head: str, shown: str) -> None:
    assert _read(tmp_path, head, *_rows("{t},{a}")).quantity.unit == shown


@pytest.mark.parametrize("head", ["time,demand (x1000 MW)", "Load in thousand MW\ntime,Load"])
def test_multiples_of_a_unit_are_multiplied(tmp_path: Path, head: str) -> None:
    frame = _read(tmp_path, head, *_rows("{t},{a}"))
    assert frame.quantity.unit == "MW"
    assert holds(frame, A * 1000)


def test_a_zone_of_every_row_is_no_sensor(tmp_path: Path) -> None:
    frame = _read(tmp_path, "time,UTC+,north,south", *_rows("{t},1,{a},{b}"))
    assert frame.sensors == ("north", "south")


def test_units_that_begin_names_tell_quantities_apart(tmp_path: Path) -> None:
    path = given(tmp_path, "time,kW Main,kW HVAC,degF Roof", *_rows("{t},{a},{b},{b}"))
    assert "target=['kW Main', 'kW HVAC']" in refusal(path)


@pytest.mark.parametrize(
    ("end", "other"),
    [("Sluttid", "time"), ("Data fine", "time"), ("Fin de période", "time"), ("Koniec", "time"),
     ("EndOfPeriod", "time"), ("datetime_end_utc", "time_utc"),
     ("UTC Time at End of Hour", "UTC Time")],
)  # fmt: skip
def test_names_of_ends(tmp_path: Path, end: str, other: str) -> None:
    first, later = (
        _read(tmp_path, f"{name},kWh", *_rows("{t},{a}")).clock.moments(0, 1)[0]
        for name in (end, other)
    )
    assert later - first == HOUR


def test_the_time_of_a_change_is_not_that_of_the_reading(tmp_path: Path) -> None:
    rows = [f"{t},{a},{t - HOUR / 12 + HOUR / 720}" for t, a in zip(TIMES, A, strict=True)]
    frame = _read(tmp_path, "SETTLEMENTDATE,DEMAND,LASTCHANGED", *rows)
    assert frame.clock.moments(0, 1)[0].item().second == 0


def test_noon_and_midnight_are_times_of_the_day(tmp_path: Path) -> None:
    words = {0: "Midnight", 12: "Noon"}
    clock = [words.get(t.hour, f"{t:%I %p}") for t in TIMES]
    rows = [f"{t:%m/%d/%Y},{c},{a}" for t, c, a in zip(TIMES, clock, A, strict=True)]
    assert holds(_read(tmp_path, "Date,Hour,kWh", *rows), A)


def test_finnish_dates(tmp_path: Path) -> None:
    days = ["ma", "ti", "ke", "to"]
    rows = [f"{days[t.weekday()]} {t.day} tammi {t:%Y %H:%M},{a}"
            for t, a in zip(TIMES, A, strict=True)]  # fmt: skip
    assert holds(_read(tmp_path, "Päivämäärä,Silta", *rows), A)


@pytest.mark.parametrize("name", ["Dekning", "Deckung", "Täckning", "Intervaldauer"])
def test_coverage_and_lengths_of_intervals_are_no_sensors(tmp_path: Path, name: str) -> None:
    rows = [f"{row},{100 - 40 * (i % 19 == 3)}" for i, row in enumerate(_rows("{t},{a}"))]
    assert _read(tmp_path, f"Tid,Alnabru,{name}", *rows).sensors == ("Alnabru",)


@pytest.mark.parametrize("total", ["N+S", "Beide", "Yhteensä"])
def test_a_direction_that_adds_up_the_others(tmp_path: Path, total: str) -> None:
    sums = [f"{t},{total},{a + b:.1f}" for t, a, b in zip(TIMES, A, B, strict=True)]
    frame = _read(
        tmp_path, "time,direction,volume", *_rows("{t},N,{a}"), *_rows("{t},S,{b}"), *sums
    )
    assert holds(frame, A, B)


def test_flow_and_speed_of_classes_are_proposed_apart(tmp_path: Path) -> None:
    head = ",".join(
        ["Zeit", *(f"FS{i}_{k}{c}" for i in "12" for k in "qv" for c in ("Pkw", "Lkw"))]
    )
    path = given(tmp_path, head, *_rows("{t}" + ",{a},{b}" * 4))
    assert "target=['FS1_qPkw', 'FS2_qPkw']" in refusal(path)
