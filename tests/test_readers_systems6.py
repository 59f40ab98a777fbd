"""Promise: tables side by side, statistics, pairs of validity and printed tables are understood."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from systems import given, holds, hours, refusal, waves

from citytune.readers import read

LENGTH = 24 * 4
TIMES = [str(time) for time in hours(LENGTH)]
A, B, C = waves(3, LENGTH)


def table(tmp_path: Path, head: str, *columns: object, above: str = "") -> Path:
    rows = zip(*columns, strict=True)  # type: ignore[call-overload]
    return given(tmp_path, above + head, *(";".join(map(str, row)) for row in rows))


@pytest.mark.parametrize(
    ("head", "late"),
    [
        ("Date_A;kWh_A;Date_B;kWh_B", 1),
        ("Time;Meter A;Time;Meter B", 6),
        ("T1;A;T2;B", 3),
        ("t;v;t;v", 24),
    ],
)
def test_tables_side_by_side_with_other_times_are_refused(
    tmp_path: Path, head: str, late: int
) -> None:
    other = hours(LENGTH + late)[late:]
    assert "side by side" in refusal(table(tmp_path, head, TIMES, A, other, B))


def test_tables_side_by_side_of_the_same_times_are_one(tmp_path: Path) -> None:
    assert holds(read(table(tmp_path, "Date_A;kWh_A;Date_B;kWh_B", TIMES, A, TIMES, B)), A, B)


def test_begin_and_end_with_numbers_behind_each_are_no_tables_side_by_side(tmp_path: Path) -> None:
    until = hours(LENGTH + 1)[1:]
    path = table(tmp_path, "Start time;kWh;End time;cost", TIMES, A, until, B)
    assert holds(read(path), A)


@pytest.mark.parametrize(
    ("names", "proposed"),
    [
        ("p15;p50;p85", "target='p50'"),
        ("A;B;Mean", "target=['A', 'B']"),
        ("Total;Vpp 85;x", "target='Vpp 85'"),
        ("L1 W;L2 W;L1 V", "target=['L1 W', 'L2 W']"),
        ("A act kWh;A act ret kWh;x", "target"),
    ],
)
def test_statistics_and_units_of_letters_next_to_readings_are_asked_about(
    tmp_path: Path, names: str, proposed: str
) -> None:
    assert proposed in refusal(table(tmp_path, f"time;{names}", TIMES, A, B, np.round(C) + 200))


def test_a_total_is_read_next_to_its_classes_behind_a_word(tmp_path: Path) -> None:
    parts = [np.round(one) for one in (A, B, C)]
    head = "time;Total;Vbin 0-20;Vbin 20-40;Vbin 40-60;Mean"
    path = table(tmp_path, head, TIMES, sum(parts), *parts, A / 3)
    assert holds(read(path), sum(parts))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("estado", "Válido", "Inválido"),
        ("Prüfung", "Gültig", "nicht gültig"),
        ("状态", "有效", "无效"),
        ("valid", "valid", "invalid"),
        ("status", "OK", "Error"),
        ("quality", "good", "missing"),
    ],
)
def test_of_two_words_the_one_that_denies_validity_counts(
    tmp_path: Path, name: str, good: str, bad: str
) -> None:
    said = [bad if i % 9 == 4 else good for i in range(LENGTH)]
    path = table(tmp_path, f"time;site;value;{name}", TIMES, ["S"] * LENGTH, A, said)
    assert holds(read(path), np.where([one == bad for one in said], np.nan, A))
    assert holds(read(path, valid={name: [good, bad]}), A)


def test_the_sum_of_what_was_never_measured_is_no_reading(tmp_path: Path) -> None:
    off = np.arange(LENGTH) % 24 == 5
    cells = (TIMES, ["S"] * LENGTH, np.where(off, 0, A), np.where(off, 0, 100))
    head = "time;site;volume;completeness"
    assert holds(read(table(tmp_path, head, *cells)), np.where(off, np.nan, A))
    assert holds(read(table(tmp_path, head, *cells[:2], A, cells[3])), A)


@pytest.mark.parametrize(
    "spelt",
    [
        lambda day, h: f"{day}.05.2024;{h}h",
        lambda day, h: f"{day}.05.2024;{h:02d}h00-{(h + 1) % 24:02d}h00",
        lambda day, h: f"{day}. Mai 2024 {h:02d}:00 Uhr;",
        lambda day, h: f"2024-05-{day} kl {h:02d}-{(h + 1) % 24:02d};",
        lambda day, h: f"R6.5.{day};{h}:00",
    ],
)
def test_hours_as_people_write_them(tmp_path: Path, spelt: object) -> None:
    rows = [f"{spelt(10 + i // 24, i % 24)};{v}" for i, v in enumerate(A)]  # type: ignore[operator]
    frame = read(given(tmp_path, "Datum;Zeit;Wert", *rows))
    assert holds(frame, A)
    assert frame.clock.text(0) == "2024-05-10 00:00"


def test_the_end_of_an_hour_may_be_its_last_second(tmp_path: Path) -> None:
    last = [time[:-5] + "59:59" for time in TIMES]
    assert read(table(tmp_path, "read until;v", last, A)).clock.text(0)[-5:] == "00:00"


@pytest.mark.parametrize("spelt", ["ruled", "rows", "attributes", "groups"])
def test_printed_tables_and_plain_rows_of_xml_are_read(tmp_path: Path, spelt: str) -> None:
    pairs = [*zip(TIMES, A, strict=True)]
    text = {
        "ruled": "id   taken_at            value\n---- ------------------- -----\n"
        + "".join(f"D1   {t:19} {v}\n" for t, v in pairs) + f"\n({LENGTH} rows affected)\n",
        "rows": "".join(f"<row><time>{t}</time><value>{v}</value></row>" for t, v in pairs),
        "attributes": "".join(f'<o time="{t}" value="{v}"/>' for t, v in pairs),
        "groups": "".join(
            f'<station id="{s}">' + "".join(f'<o time="{t}" value="{v}"/>' for t, v in pairs)
            + "</station>" for s in "AB"
        ),
    }[spelt]  # fmt: skip
    path = tmp_path / ("x.txt" if spelt == "ruled" else "x.xml")
    path.write_text(text if spelt == "ruled" else f"<data>{text}</data>")
    assert holds(read(path), *([A, A] if spelt == "groups" else [A]))


def test_xml_that_is_nested_deeper_is_refused(tmp_path: Path) -> None:
    row = "<row><time>2024-01-01</time><value><of lane='1'>3</of></value></row>"
    (tmp_path / "x.xml").write_text(f"<data>{row * 20}</data>")
    assert "of a kind that citytune does not read" in refusal(tmp_path / "x.xml")


@pytest.mark.parametrize("kind", ["chart", "days"])
def test_charts_and_days_of_hours_in_json_are_read(tmp_path: Path, kind: str) -> None:
    days = {day: {t[11:16]: v for t, v in zip(TIMES, A, strict=True) if t[:10] == day}
            for day in sorted({t[:10] for t in TIMES})}  # fmt: skip
    chart = {"xAxis": {"data": [*TIMES]}, "series": [{"name": "A", "data": A.tolist()}]}
    path = tmp_path / "x.json"
    path.write_text(json.dumps(chart if kind == "chart" else days))
    assert holds(read(path), A)


def test_names_may_stand_below_the_units_of_the_columns(tmp_path: Path) -> None:
    above = "Component;;NO2;NO2\nUnit;;ug/m3;ug/m3\nName;;North;South\n"
    until = hours(LENGTH + 1)[1:]
    frame = read(table(tmp_path, "Begin;End;N1;N2", TIMES, until, A, B, above=above))
    assert holds(frame, A, B)
    assert frame.quantity.unit == "µg/m³"


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("time;Pump/Flow_m3h", "m³/h"),
        ("time;MEAN", ""),
        ("time;Bike path - Pedestrians;Bike path - Cyclists", ""),
    ],
)
def test_units_are_not_those_of_another_quantity(tmp_path: Path, head: str, said: str) -> None:
    path = table(tmp_path, head, TIMES, *[A, B][: head.count(";")])
    path = path.rename(tmp_path / "traffic.csv")
    assert read(path).quantity.unit == said


def test_a_unit_that_is_spelt_out_is_kept_where_rows_say_what_is_used(tmp_path: Path) -> None:
    rows = [f"{t};{what};{v}" for t, *both in zip(TIMES, A, B, strict=True)
            for what, v in zip(("Total Usage", "Solar Production"), both, strict=True)]  # fmt: skip
    frame = read(given(tmp_path, "time;name;Avg Wattage", *rows))
    assert holds(frame, A)
    assert frame.quantity.unit == "W"


def test_meters_tell_their_channels_by_letters(tmp_path: Path) -> None:
    rows = [f"{t};{c};{v}" for t, *both in zip(TIMES, A, B, strict=True)
            for c, v in zip(("AI", "RI"), both, strict=True)]  # fmt: skip
    assert holds(read(given(tmp_path, "time;channel;value", *rows)), A)
    totals = np.cumsum(A) + 4000, np.cumsum(B) + 100
    frame = read(table(tmp_path, "time;1.8.0;2.8.0", TIMES, *totals))
    assert frame.sensors == ("1.8.0",)


def test_what_was_measured_is_read_next_to_what_was_expected_a_day_ahead(tmp_path: Path) -> None:
    rows = [f"{t};{kind};{v}" for t, *both in zip(TIMES, A, B, strict=True)
            for kind, v in zip(("day-ahead", "actual"), both, strict=True)]  # fmt: skip
    assert holds(read(given(tmp_path, "time;type;mw", *rows)), B)


def test_rows_in_ppb_and_ppm_are_one_quantity(tmp_path: Path) -> None:
    rows = [f"{t};{s};{v};{u}" for t, a, b in zip(TIMES, A, B, strict=True)
            for s, v, u in (("A", a, "ppb"), ("B", b / 1000, "ppm"))]  # fmt: skip
    assert holds(read(given(tmp_path, "time;station;value;unit", *rows)), A, B)


def test_setpoints_and_flows_of_heat_are_no_sensors_of_what_stands_next_to_them(
    tmp_path: Path,
) -> None:
    rooms = table(tmp_path, "time;A Setpoint;A Actual;B Actual", TIMES, C, A, B)
    assert holds(read(rooms), A, B)
    heat = table(tmp_path, "time;Vorlauf;Rücklauf;Durchfluss", TIMES, A + 60, B, C / 9)
    assert holds(read(heat), C / 9)


def test_quarters_of_hours_across_are_refused_and_sensors_called_so_are_not(tmp_path: Path) -> None:
    days, clocks = [t[:10] for t in TIMES], [t[11:13] for t in TIMES]
    head = "Date;Hour;Q1;Q2;Q3;Q4"
    quarters = table(tmp_path, head, days, clocks, A, A + 1, A - 1, A + 2)
    assert "parts of each hour" in refusal(quarters)
    assert len(read(quarters, target=["Q1", "Q2", "Q3", "Q4"]).sensors) == 4
    sensors = table(tmp_path, head, days, clocks, A, 2 * A, 3 * A, 4 * A)
    assert holds(read(sensors), A, 2 * A, 3 * A, 4 * A)


def test_positions_of_a_day_that_has_an_hour_more_are_times(tmp_path: Path) -> None:
    lengths = {26: 24, 27: 25, 28: 24, 29: 23}
    places = [(day, 1 + i) for day, length in lengths.items() for i in range(length)]
    rows = [f"2024-10-{day};{i};{v}" for (day, i), v in zip(places, A, strict=True)]
    path = given(tmp_path, "Date;Position;MW", *rows)
    assert holds(read(path, timezone="Europe/Oslo"), A)
