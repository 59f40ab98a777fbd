"""Promise: what a file's name and lines above its table say of unit and date is used, and said."""

from __future__ import annotations

from pathlib import Path

import pytest
from systems import given, holds, hours, refusal, waves

from citytune.readers import read

LENGTH = 24 * 20
TIMES = hours(LENGTH)
A, B = waves(2, LENGTH)
ROWS = [f"{t},{a},{b}" for t, a, b in zip(TIMES, A, B, strict=True)]


@pytest.mark.parametrize(
    ("file", "unit"),
    [("pm25_ugm3_2024", "µg/m³"), ("no2-ppb", "ppb"), ("load_kW_2024", "kW"), ("speed_mph", "mph"),
     ("o3 ug m3", "µg/m³"), ("meter_kwh", "kWh")],
)  # fmt: skip
def test_the_unit_in_the_name_of_a_file_is_used_and_said(
    tmp_path: Path, file: str, unit: str
) -> None:
    frame = read(given(tmp_path, "time,north,south", *ROWS, name=f"{file}.csv"))
    assert frame.quantity.unit == unit
    assert "guessed-unit" in {fault.kind for fault in frame.faults}


@pytest.mark.parametrize(
    ("line", "unit"),
    [("Concentration in µg/m3", "µg/m³"), ("Load [MW]", "MW"), ("Verbrauch (kWh)", "kWh"),
     ("All values in ppb", "ppb"), ("T = temperature (in ppb)", ""),
     ("kW and MW: in kW, in MW", "")],
)  # fmt: skip
def test_the_unit_above_a_table_is_used_and_said(tmp_path: Path, line: str, unit: str) -> None:
    frame = read(given(tmp_path, line, "time,north,south", *ROWS))
    assert frame.quantity.unit == unit
    assert ("guessed-unit" in {fault.kind for fault in frame.faults}) == bool(unit)


def test_a_unit_of_something_else_is_not_taken(tmp_path: Path) -> None:
    lines = [line.rpartition(",")[0] for line in ROWS]
    assert read(given(tmp_path, "Power in kW", "time,no2", *lines)).quantity.unit == "µg/m³"
    path = given(tmp_path, "time,flow", *lines, name="loops_mph.csv")
    assert read(path).quantity.unit == "veh/h"
    path = given(tmp_path, "time,NO2 (ppb)", *lines, name="no2_ugm3.csv")
    assert read(path).quantity.unit == "ppb"


@pytest.mark.parametrize("head", ["time,flow", "Uhrzeit,flow", "hour,flow"])
@pytest.mark.parametrize("form", ["flow_{:%Y-%m-%d}", "{:%Y%m%d}_flow", "loop {:%Y_%m_%d}"])
def test_times_of_the_day_take_the_date_in_the_name_of_their_file(
    tmp_path: Path, head: str, form: str
) -> None:
    clock = "{:%H}" if head.startswith("hour") else "{:%H:%M}"
    for day in range(20):
        lines = [f"{clock.format(t)},{a}" for t, a in
                 zip(TIMES[24 * day : 24 * day + 24], A[24 * day :], strict=False)]  # fmt: skip
        given(tmp_path, head, *lines, name=f"{form.format(TIMES[24 * day])}.csv")
    frame = read(tmp_path)
    assert frame.clock.start == TIMES[0]
    assert holds(frame, A)
    assert "date-of-file" in {fault.kind for fault in frame.faults}
    assert len(read(tmp_path / f"{form.format(TIMES[24])}.csv")) == 24


def test_a_date_in_the_name_of_a_file_is_none_of_its_rows_where_these_have_dates(
    tmp_path: Path,
) -> None:
    frame = read(given(tmp_path, "time,north,south", *ROWS, name="export_2025-02-01.csv"))
    assert frame.clock.start == TIMES[0]
    lines = [f"{t:%H:%M},{a}" for t, a in zip(TIMES, A, strict=True)]
    path = given(tmp_path, "time,flow", *lines, name="flow_2024-03-01.csv")
    assert "no columns tell them apart" in refusal(path)
    path = given(tmp_path, "time,flow", *lines[:24], name="flow_2024-03-01_2024-03-02.csv")
    assert "time" in refusal(path)


def test_ids_stay_as_they_are_written_next_to_the_date_of_a_file(tmp_path: Path) -> None:
    for day in range(3):
        lines = [f"{t:%H:%M},{site},{a}" for t, a in zip(TIMES[:24], A[24 * day :], strict=False)
                 for site in ("1.50", "2.00")]  # fmt: skip
        given(tmp_path, "time,site,flow", *lines, name=f"flow_2024-03-0{day + 1}.csv")
    assert read(tmp_path).sensors == ("1.50", "2.00")
