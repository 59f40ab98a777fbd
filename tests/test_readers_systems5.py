"""Promise: columns that are ways to compute one reading, and sensors that move, are asked about."""

from __future__ import annotations

from pathlib import Path

import pytest
from systems import HOUR, given, holds, hours, refusal, waves

from citytune.readers import read

LENGTH = 24 * 5
TIMES = hours(LENGTH)
A, B, C = waves(3, LENGTH)


def wide(tmp_path: Path, head: str, *series: object) -> Path:
    """A file of one column for each series."""
    columns = zip(TIMES, *series, strict=True)  # type: ignore[call-overload]
    return given(tmp_path, head, *(f"{t};" + ";".join(map(str, row)) for t, *row in columns))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("O3 1h (µg/m3)", "O3 8h (µg/m3)"),
        ("O3 8-hour (µg/m3)", "O3 1-hour (µg/m3)"),
        ("PM10 (24 h)", "PM10 (1 h)"),
        ("roof_O3_8h", "roof_O3_1h"),
        ("Centro NO2 raw", "Centro NO2 validated"),
        ("NO2 Rohwert", "NO2 geprüft"),
        ("Site A hourly", "Site A daily"),
        ("Site A kW max", "Site A kW min"),
    ],
)
def test_ways_to_compute_one_reading_are_asked_about(tmp_path: Path, one: str, other: str) -> None:
    path = wide(tmp_path, f"Time;{one};{other}", A, B)
    assert f"target={one!r}" in refusal(path)


def test_the_way_that_is_named_is_read(tmp_path: Path) -> None:
    path = wide(tmp_path, "Time;NO2 raw;NO2 validated", A, B)
    assert holds(read(path, target="NO2 validated"), B)
    assert holds(read(path, target=["NO2 raw", "NO2 validated"]), A, B)


def test_ways_to_compute_are_asked_about_for_all_places_at_once(tmp_path: Path) -> None:
    head = "Time;North raw;South raw;North validated;South validated"
    path = wide(tmp_path, head, A, B, A + 1, B + 1)
    assert "target=['North validated', 'South validated']" in refusal(path)


def test_words_of_ways_that_tell_no_two_columns_of_one_place_apart_stay(tmp_path: Path) -> None:
    assert holds(read(wide(tmp_path, "Time;Max Street;Final Road;Raw Hide Way", A, B, C)), A, B, C)


@pytest.mark.parametrize(("mean", "high"), [("Mittelwert", "Maximum"), ("media", "máximo")])
def test_the_mean_is_read_and_not_the_highest(tmp_path: Path, mean: str, high: str) -> None:
    assert holds(read(wide(tmp_path, f"Time;PM10 {mean};PM10 {high}", A, A * 1.7)), A)


def moved(tmp_path: Path, step: float, *, named: bool = False) -> Path:
    """Readings of what goes on by `step` degrees each hour."""
    rows = [
        f"{t},{'bus' * named},{40.4 + step * (i % 9):.5f},{-3.7 - step * (i % 7):.5f},{v}"
        for i, (t, v) in enumerate(zip(TIMES, A, strict=True))
    ]
    return given(tmp_path, "time,vehicle,lat,lon,pm25", *rows)


@pytest.mark.parametrize("named", [True, False])
def test_a_sensor_that_moves_is_refused(tmp_path: Path, named: bool) -> None:
    assert "moves" in refusal(moved(tmp_path, 0.01, named=named))


def test_coordinates_that_only_tremble_are_those_of_a_place(tmp_path: Path) -> None:
    assert holds(read(moved(tmp_path, 0.0002)), A)


@pytest.mark.parametrize("head", ["Flow m3/h", "Débit [L/s]", "Volume m3", "Water flow gpm"])
def test_a_flow_of_water_is_no_traffic(tmp_path: Path, head: str) -> None:
    assert read(wide(tmp_path, f"Time;{head}", A)).quantity.domain != "traffic"


@pytest.mark.parametrize("pair", [("Load (kW)", "Load B (kW)"), ("Load", "Load B")])
def test_a_second_column_of_one_more_letter_is_asked_about(
    tmp_path: Path, pair: tuple[str, str]
) -> None:
    path = wide(tmp_path, "Time;" + ";".join(pair), A, B)
    assert f"target={list(pair)!r}" in refusal(path)


def test_a_block_with_a_clock_of_its_own_beside_another_is_refused(tmp_path: Path) -> None:
    rows = [
        f"{TIMES[0] + i * HOUR / 4};{A[i]};" + (f"{TIMES[i]};{B[i]}" if 4 * i < LENGTH else ";")
        for i in range(LENGTH)
    ]
    said = refusal(given(tmp_path, "Time;Pump hall kW;Time;Office kW", *rows))
    assert "'Time (2)'" in said
    assert "a file of its own" in said


def test_a_dump_whose_table_is_created_in_one_line_keeps_its_names(tmp_path: Path) -> None:
    rows = [f"INSERT INTO r VALUES('{t}','m1',{v});" for t, v in zip(TIMES, A, strict=True)]
    made = (
        "CREATE TABLE r (ts TEXT, meter VARCHAR(10), kwh DECIMAL(9, 2), PRIMARY KEY (ts, meter));"
    )
    frame = read(given(tmp_path, "BEGIN TRANSACTION;", made, *rows, "COMMIT;", name="r.sql"))
    assert holds(frame, A)
    assert frame.quantity.unit == "kWh"


def test_a_column_of_units_does_not_hide_what_was_measured(tmp_path: Path) -> None:
    rows = [
        f"{t};{s};{v};{u}"
        for t, a, b in zip(TIMES, A, B, strict=True)
        for s, v, u in (("p", a, "ppb"), ("q", b, "µg/m3"))
    ]
    frame = read(given(tmp_path, "Time;Station;NO2;Unit", *rows))
    assert (frame.quantity.name, frame.quantity.unit) == ("no2", "ppb")


@pytest.mark.parametrize("names", [("y_true", "y_pred"), ("observed", "prediction")])
def test_what_a_model_foretold_is_no_sensor(tmp_path: Path, names: tuple[str, str]) -> None:
    assert holds(read(wide(tmp_path, "time;" + ";".join(names), A, B)), A)


def test_the_change_of_a_reading_is_not_what_a_total_adds(tmp_path: Path) -> None:
    change = [round(b - a, 1) for a, b in zip([A[0], *A], A, strict=False)]
    assert holds(read(wide(tmp_path, "time;kwh;kwh_diff", A, change)), A)


def test_rows_of_means_over_several_times_are_asked_about(tmp_path: Path) -> None:
    rows = [
        f"{t};{s};{v}" for t, *some in zip(TIMES, A, B, strict=True)
        for s, v in zip(("1 h", "8 h"), some, strict=True)
    ]  # fmt: skip
    said = refusal(given(tmp_path, "Time;Averaging;NO2 µg/m3", *rows))
    assert "valid={'Averaging': ['1 h']}" in said


@pytest.mark.parametrize(
    "names", [("LAeq [dB]", "LAFmax [dB]", "L90 [dB]"), ("Baseline kW", "Scenario A kW", "Site kW")]
)
def test_indices_of_noise_and_scenarios_are_asked_about(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    assert f"target={names[0]!r}" in refusal(wide(tmp_path, "time;" + ";".join(names), A, B, C))


def test_the_three_phases_are_no_indices_of_noise(tmp_path: Path) -> None:
    assert holds(read(wide(tmp_path, "time;L1;L2;L3", A, B, C)), A, B, C)


@pytest.mark.parametrize("head", ["Intraday EUR/MWh", "Tarif (ct/kWh)"])
def test_the_price_of_energy_is_no_energy(tmp_path: Path, head: str) -> None:
    quantity = read(wide(tmp_path, f"time;{head}", A)).quantity
    assert (quantity.domain, "/" in quantity.unit) == ("other", True)


def test_the_code_of_a_unit_may_be_a_name(tmp_path: Path) -> None:
    assert read(wide(tmp_path, "time;P1;P2", A, B)).quantity.unit == ""
