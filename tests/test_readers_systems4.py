"""Promise: times, editions, units and counters of further kinds of hand-outs are read or asked."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from systems import HOUR, System, given, holds, hours, is_right, refusal, waves

from citytune.readers import read

LENGTH = 24 * 7
TIMES = hours(LENGTH)
A, B, C = waves(3, LENGTH)
N, M = waves(2, LENGTH, 0)


def kinds(frame: object) -> set[str]:
    return {fault.kind for fault in frame.faults}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "spelt",
    [
        lambda h: f"{h:02d}.00-{h + 1:02d}.00",
        lambda h: f"{h:02d}00-{h + 1:02d}00",
        lambda h: f"{h:02d}h às {(h + 1) % 24:02d}h",
        lambda h: f"{h % 12 or 12}{'ap'[h > 11]}m-{(h + 1) % 12 or 12}{'ap'[11 <= h < 23]}m",
        lambda h: f"{h}時台",
    ],
)
def test_hours_are_known_by_all_of_a_day_in_any_words(
    tmp_path: Path, spelt: Callable[[int], str]
) -> None:
    rows = [f"{t:%d/%m/%Y};{spelt(t.hour)};{v:.0f}" for t, v in zip(TIMES, N, strict=True)]
    assert holds(read(given(tmp_path, "Fecha;Franja;Vehículos", *rows)), N)


def test_names_that_count_the_hours_of_a_day_are_asked_about(tmp_path: Path) -> None:
    rows = [f"{t:%d/%m/%Y};hueco-{t.hour + 1:02d};{v:.0f}" for t, v in zip(TIMES, N, strict=True)]
    assert "told apart by 'Franja'" in refusal(given(tmp_path, "Fecha;Franja;Coches", *rows))


def test_streets_of_numbered_parts_stay_sensors(tmp_path: Path) -> None:
    parts = waves(4, LENGTH)
    rows = [
        f"{t},km {j} a {j + 1},{v[i]}" for i, t in enumerate(TIMES) for j, v in enumerate(parts)
    ]
    assert holds(read(given(tmp_path, "time,tramo,flow", *rows)), *parts)


def test_parts_of_a_day_with_four_decimals_are_times(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d},{t.hour / 24:.4f},{v}" for t, v in zip(TIMES, A, strict=True)]
    assert holds(read(given(tmp_path, "date,frac,kwh", *rows)), A)


@pytest.mark.parametrize("turned", [False, True])
def test_hours_of_several_lanes_side_by_side_are_unfolded(tmp_path: Path, turned: bool) -> None:
    names = [(f"Carril {lane}", f"{h}-{h + 1}") for lane in (1, 2) for h in range(24)]
    head = ",".join(f"{b} {a}" if turned else f"{a} {b}" for a, b in names)
    rows = [
        f"{TIMES[i]:%d/%m/%Y}," + ",".join(f"{v:.0f}" for v in (*N[i : i + 24], *M[i : i + 24]))
        for i in range(0, LENGTH, 24)
    ]
    frame = read(given(tmp_path, f"Fecha,{head}", *rows))
    assert holds(frame, N, M)
    assert set(frame.sensors) == {"Carril 1", "Carril 2"}


def test_twelve_hours_that_come_twice_are_a_day(tmp_path: Path) -> None:
    half = [f"{h}:00" for h in range(1, 12)]
    head = ",".join(["Date", "Mid", *half, "Noon", *half])
    rows = [
        f"{TIMES[i]:%m/%d/%Y}," + ",".join(f"{v:.0f}" for v in N[i : i + 24])
        for i in range(0, LENGTH, 24)
    ]
    assert holds(read(given(tmp_path, head, *rows)), N)


@pytest.mark.parametrize("names", [":00,:15,:30,:45", "00-15,15-30,30-45,45-60"])
def test_quarters_across_are_read_and_their_total_is_not(tmp_path: Path, names: str) -> None:
    (quarters,) = waves(1, 4 * LENGTH, 0)
    rows = [
        f"A7,{t:%Y-%m-%d},{t.hour},{','.join(f'{v:.0f}' for v in some)},{some.sum():.0f}"
        for t, some in zip(TIMES, quarters.reshape(-1, 4), strict=True)
    ]
    frame = read(given(tmp_path, f"Site,Date,Hour,{names},Total", *rows))
    assert is_right(System(b"", [quarters], {}, 15), frame)
    assert "next-to-times" in kinds(frame)


def test_what_was_counted_before_the_first_hour_is_named(tmp_path: Path) -> None:
    names = ["before 6", *(f"{h}-{h + 1}" for h in range(6, 24)), "Total"]
    day = N.reshape(-1, 24)
    rows = [
        f"{TIMES[24 * i]:%Y-%m-%d},{v[:6].sum():.0f},{','.join(f'{x:.0f}' for x in v[6:])},"
        f"{v.sum():.0f}"
        for i, v in enumerate(day)
    ]
    frame = read(given(tmp_path, f"date,{','.join(names)}", *rows))
    truth = day.copy()
    truth[:, :6] = np.nan
    assert holds(frame, truth.ravel()[6:])
    assert "next-to-times" in kinds(frame)


def test_the_first_column_may_number_the_rows_under_any_name(tmp_path: Path) -> None:
    rows = [f"{i + 1};{t};{a};{b}" for i, (t, a, b) in enumerate(zip(TIMES, A, B, strict=True))]
    frame = read(given(tmp_path, "STT;Thời gian;Cầu A (xe/giờ);Cầu B (xe/giờ)", *rows))
    assert holds(frame, A, B)
    assert frame.quantity.unit == "veh/h"


def test_a_licence_below_the_table_is_no_sensor(tmp_path: Path) -> None:
    rows = [
        f"{s},{t.year},{t:%B},{t.day},{t.hour},{v:.0f}"
        for s, series in (("West", N), ("East", M))
        for t, v in zip(TIMES, series, strict=True)
    ]
    foot = ['"Applied filters:', 'Year is 2024"']
    frame = read(given(tmp_path, "Site,Year,Month,Day,Hour,Sum of Vehicles", *rows, *foot))
    assert frame.sensors == ("East", "West")


def with_estimates(tmp_path: Path, name: str) -> Path:
    rows = [f"E1;{t};{a};R" for t, a in zip(TIMES, A, strict=True)]
    rows += [f"E1;{t};{a * 1.03:.2f};E" for t, a in zip(TIMES[:99], A, strict=False)]
    return given(tmp_path, f"CUPS;time;kwh;{name}", *rows)


@pytest.mark.parametrize("name", ["Metodo_obtencion", "letra"])
def test_an_estimate_is_no_sensor_next_to_the_reading(tmp_path: Path, name: str) -> None:
    source = with_estimates(tmp_path, name)
    said = refusal(source)
    assert "edition" in said
    assert f"valid={{{name!r}: ['R']}}" in said
    assert holds(read(source, valid={name: ["R"]}), A)


def test_a_column_without_a_unit_next_to_some_with_one_is_asked_about(tmp_path: Path) -> None:
    rows = [
        f"{t},{a},{b},{20 + i % 7}" for i, (t, a, b) in enumerate(zip(TIMES, A, B, strict=True))
    ]
    source = given(tmp_path, "time,P_L1_kW,P_L2_kW,AHU1.RAT", *rows)
    assert "target=['P_L1_kW', 'P_L2_kW'] or target='AHU1.RAT'" in refusal(source)


def test_the_spread_of_a_mean_is_no_sensor(tmp_path: Path) -> None:
    rows = [
        f"{t},{a},{a / 2:.1f},{a * 2:.1f},{b / 9:.2f}" for t, a, b in zip(TIMES, A, B, strict=True)
    ]
    assert holds(read(given(tmp_path, "time,Avg kW,Min kW,Max kW,StdDev", *rows)), A)


def test_points_are_called_what_the_lines_above_say(tmp_path: Path) -> None:
    rows = [f'"{t:%m/%d/%Y}","{t:%H:%M}",{a},{b}' for t, a, b in zip(TIMES, A, B, strict=True)]
    head = [
        '"Key","Name:Suffix","Trend"',
        '"Point_1:","B7.MTR.KW","1 hour"',
        '"Point_2:","B7.AHU1.RAT","1 hour"',
        '"<>Date","Time","Point_1","Point_2"',
    ]
    assert "target='B7.MTR.KW' or target='B7.AHU1.RAT'" in refusal(given(tmp_path, *head, *rows))


def test_points_that_may_part_thousands_are_named(tmp_path: Path) -> None:
    whole = (N * 40 + 1001).round()
    rows = [f"{t};{v / 1000:.3f}" for t, v in zip(TIMES, whole, strict=True)]
    assert "point-or-thousands" in kinds(read(given(tmp_path, "time;kwh", *rows)))
    rows = [f"{t};{v / 9000:.3f}" for t, v in zip(TIMES, whole, strict=True)]
    assert "point-or-thousands" not in kinds(read(given(tmp_path, "time;kwh", *rows)))


def test_a_sensor_may_be_named_once_above_its_rows(tmp_path: Path) -> None:
    rows = [
        f"{name if i == 0 else ''};{t};{v}"
        for name, series in (("D1", A), ("D2", B), ("D3", C))
        for i, (t, v) in enumerate(zip(TIMES, series, strict=True))
    ]
    frame = read(given(tmp_path, "Detector;time;flow", *rows))
    assert holds(frame, A, B, C)
    assert "merged-names" in kinds(frame)


def test_the_table_of_a_web_page_is_read(tmp_path: Path) -> None:
    rows = "".join(
        f"<tr><td>{t:%d/%m/%Y %H:%M}</td><td>{a:g}<br></td><td>{b:g}</td></tr>"
        for t, a, b in zip(TIMES, A, B, strict=True)
    )
    page = (
        "<html><table><tr><td>Menu</td></tr></table><table border=1><tr><th colspan=3>Report</th>"
        f"</tr><tr><th>Fecha<th>Norte<th>Sur</tr>{rows}</table></html>"
    )
    assert holds(read(given(tmp_path, page, name="report.xls")), A, B)


def test_a_page_without_rows_is_refused(tmp_path: Path) -> None:
    page = f"<html>{'<table><tr><td>a</td></tr></table>' * 20}</html>"
    assert "web page" in refusal(given(tmp_path, page, name="login.csv"))


def test_units_behind_the_numbers_of_points_part_them(tmp_path: Path) -> None:
    rows = [
        f"{t},{point},{v} {unit}"
        for t, a, b in zip(TIMES, A, B, strict=True)
        for point, v, unit in (("RA-T", a, "deg F"), ("MTR", b, "kW"))
    ]
    frame = read(given(tmp_path, "time,point,Object Value", *rows))
    assert (holds(frame, A) and frame.quantity.unit == "°F") or holds(frame, B)
    assert {"units-of-points", "several-quantities"} <= kinds(frame)


def test_statuses_in_braces_and_words_of_trouble_are_heeded(tmp_path: Path) -> None:
    truth = A.copy()
    truth[::41] = np.nan
    bad = np.isnan(truth)
    rows = [
        f"{t},{'{fault,stale}' if x else '{ok}'},{a} kW"
        for t, a, x in zip(TIMES, A, bad, strict=True)
    ]
    frame = read(given(tmp_path, "Timestamp,Status,Value", *rows))
    assert holds(frame, truth)
    assert frame.quantity.unit == "kW"
    rows = [
        f"{t},{0 if x else a},{'COMM LOSS' if x else 'NORMAL'}"
        for t, a, x in zip(TIMES, A, bad, strict=True)
    ]
    assert holds(read(given(tmp_path, "time,flow,status", *rows)), truth)


def test_a_counter_of_few_digits_may_roll_over_often(tmp_path: Path) -> None:
    total = 65_000 + np.r_[0, (N * 9).cumsum()]
    times = [*TIMES, TIMES[-1] + HOUR]
    rows = [f"{t},{v % 65_536:.0f}" for t, v in zip(times, total, strict=True)]
    assert holds(read(given(tmp_path, "time,Counter", *rows)), N * 9)


def test_what_is_drawn_and_fed_in_are_no_two_sensors(tmp_path: Path) -> None:
    rows = [f"{t};{a};{b}" for t, a, b in zip(TIMES, A, B, strict=True)]
    frame = read(given(tmp_path, "Zeit;P+ [kW];P- [kW]", *rows))
    assert holds(frame, A)
    assert "several-quantities" in kinds(frame)


@pytest.mark.parametrize(
    ("name", "unit"),
    [("使用量kWh", "kWh"), ("Temp, °C (LGR S/N: 2041, LBL: deck)", "°C"), ("Reading (gal)", "gal")],
)
def test_units_are_found_in_more_places(tmp_path: Path, name: str, unit: str) -> None:
    rows = [f"{t},{a}" for t, a in zip(TIMES, A, strict=True)]
    assert read(given(tmp_path, f'time,"{name}"', *rows)).quantity.unit == unit


def test_shares_in_cells_have_a_unit(tmp_path: Path) -> None:
    rows = [f"{t},{a}%" for t, a in zip(TIMES, A, strict=True)]
    assert read(given(tmp_path, "time,Occ", *rows)).quantity.unit == "%"


@pytest.mark.parametrize(
    ("names", "said"),
    [(("city/north/no2", "city/south/no2"), "no2 (µg/m³)"), (("P1_kW", "P2_kW"), "power (kW)"),
     (("no2u", "north"), "value")],
)  # fmt: skip
def test_names_of_all_sensors_may_say_the_quantity(
    tmp_path: Path, names: tuple[str, str], said: str
) -> None:
    rows = [
        f"{t},{name},{v}"
        for t, a, b in zip(TIMES, A, B, strict=True)
        for name, v in zip(names, (a, b), strict=True)
    ]
    assert str(read(given(tmp_path, "time,tag,value", *rows, name="no2u.csv")).quantity) == said


def test_json_says_what_was_observed(tmp_path: Path) -> None:
    at = [t.replace(tzinfo=dt.UTC) for t in TIMES]
    columns = {
        "attributes": [{"attrName": "NO2", "values": [*A]}],
        "index": [f"{t:%FT%TZ}" for t in at],
    }
    stream = {"name": "site 1", "unitOfMeasurement": {"symbol": "µg/m³"},
              "ObservedProperty": {"name": "NO2"},
              "Observations": [{"phenomenonTime": f"{t:%FT%TZ}", "result": v}
                               for t, v in zip(at, A, strict=True)]}  # fmt: skip
    metric = {"metric": {"__name__": "no2_ugm3", "site": "a"},
              "values": [[t.timestamp(), str(v)] for t, v in zip(at, A, strict=True)]}  # fmt: skip
    for document in (columns, {"value": [stream]}, {"data": {"result": [metric]}}):
        frame = read(given(tmp_path, json.dumps(document), name="answer.json"))
        assert holds(frame, A)
        assert str(frame.quantity) == "no2 (µg/m³)"


def test_a_minus_may_stand_behind_its_number(tmp_path: Path) -> None:
    net = (A - 60).round(1)
    rows = [f"{t};{abs(v)}{'-' if v < 0 else ''}" for t, v in zip(TIMES, net, strict=True)]
    assert holds(read(given(tmp_path, "Zeit;Leistung kW", *rows)), net)


def test_numbers_in_an_unknown_notation_are_no_missing_values(tmp_path: Path) -> None:
    rows = [f"{t},{f'({v})' if v < 30 else v}" for t, v in zip(TIMES, A, strict=True)]
    assert "notation that is not known, such as '(" in refusal(given(tmp_path, "time,kW", *rows))


def test_reactive_energy_is_no_second_sensor(tmp_path: Path) -> None:
    rows = [
        f"{t},{kind},{v}"
        for t, a, b in zip(TIMES, A, B, strict=True)
        for kind, v in (("Activa", a), ("Reactiva", b))
    ]
    frame = read(given(tmp_path, "time,Tipo,valor", *rows))
    assert holds(frame, A)
    assert "several-quantities" in kinds(frame)


def test_a_sensor_at_a_thousandth_of_the_others_is_pointed_out(tmp_path: Path) -> None:
    for factor, told in ((1000, True), (12, False)):
        rows = [f"{t},{a},{b},{c / factor:.5f}" for t, a, b, c in zip(TIMES, A, B, C, strict=True)]
        assert ("levels-apart" in kinds(read(given(tmp_path, "time,a,b,c", *rows)))) == told


@pytest.mark.parametrize(
    ("name", "said"), [("wind_speed_10m (km/h)", "wind_speed (km/h)"), ("Gas m3", "gas (m³)")]
)
def test_wind_and_gas_are_no_traffic_and_no_heat(tmp_path: Path, name: str, said: str) -> None:
    rows = [f"{t},{a}" for t, a in zip(TIMES, A, strict=True)]
    assert str(read(given(tmp_path, f"time,{name}", *rows)).quantity) == said
