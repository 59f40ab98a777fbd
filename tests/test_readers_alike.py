"""Promise: what stands side by side, or one below the other, is told apart or brought together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from remedies import proposals
from systems import given, holds, hours, waves

from citytune import InputError
from citytune.readers import check, read

TIMES = hours(480)
ONE, TWO, THREE, FOUR = waves(4, 480)


def wide(tmp_path: Path, head: str, *series: Any) -> Path:
    rows = [f"{t:%Y-%m-%d %H:%M}," + ",".join(f"{s[i]:g}" for s in series)
            for i, t in enumerate(TIMES)]  # fmt: skip
    return given(tmp_path, f"time,{head}", *rows)


def long(tmp_path: Path, head: str, *parts: tuple[str, Any]) -> Path:
    rows = [f"{t:%Y-%m-%d %H:%M}," + cells.format(series[i])
            for i, t in enumerate(TIMES) for cells, series in parts]  # fmt: skip
    return given(tmp_path, f"time,{head}", *rows)


def test_a_unit_of_each_row_is_brought_to_the_commonest(tmp_path: Path) -> None:
    table = long(tmp_path, "device,value,unit", ("a,{:.4f},W", 1000 * ONE), ("b,{:.4f},kW", TWO))
    frame = read(table)
    factor = {"W": 1000, "kW": 1}[frame.quantity.unit]
    assert holds(frame, factor * ONE, factor * TWO)
    assert any(fault.kind == "converted" for fault in frame.faults)


def test_units_that_do_not_convert_stay_apart(tmp_path: Path) -> None:
    table = long(tmp_path, "station,no2,unit", ("a,{},µg/m³", ONE), ("b,{},ppb", TWO))
    frame = read(table)
    assert holds(frame, ONE)
    assert any(fault.kind == "several-quantities" for fault in frame.faults)


@pytest.mark.parametrize("comma", [False, True])
def test_units_in_cells_are_brought_to_one(tmp_path: Path, comma: bool) -> None:
    kilowatts = [f"{v:.1f} kW" if v < 60 else f"{v / 1000:.4f} MW" for v in ONE]
    rows = [
        f"{t:%Y-%m-%d %H:%M};{a};{b:.2f} kW" for t, a, b in zip(TIMES, kilowatts, TWO, strict=True)
    ]
    rows = [row.replace(".", ",") for row in rows] if comma else rows
    frame = read(given(tmp_path, "time;north;south", *rows))
    assert frame.quantity.unit == "kW"
    assert holds(frame, ONE, TWO)


def test_columns_in_two_units_are_asked_about(tmp_path: Path) -> None:
    table = wide(tmp_path, "school (kW),hospital (MW)", ONE, TWO)
    with pytest.raises(InputError, match=r"kW .*MW") as refused:
        read(table)
    one, other, both = proposals(str(refused.value))
    assert holds(read(table, **one), ONE)
    assert holds(read(table, **other), TWO)
    assert holds(read(table, **both), ONE, 1000 * TWO)


def test_power_and_energy_and_volts_side_by_side_are_quantities(tmp_path: Path) -> None:
    names = "a_energy,b_energy,a_power,b_power"
    assert holds(read(wide(tmp_path, names, ONE, TWO, 3 * THREE, 3 * FOUR)), ONE, TWO)
    table = wide(tmp_path, "Active energy Wh,Min V,Max V", ONE, 230 + TWO / 50, 240 + THREE / 50)
    assert holds(read(table), ONE)


def test_electricity_is_read_next_to_gas(tmp_path: Path) -> None:
    imports = [1000 + np.cumsum(s) for s in (ONE, TWO, THREE)]
    table = wide(
        tmp_path, "import_t1_kwh,import_t2_kwh,total_gas_m3", *(s.round(1) for s in imports)
    )
    assert len(read(table).sensors) == 2
    assert holds(read(wide(tmp_path, "Stroom (kWh),Gas (m3)", ONE, TWO)), ONE)


def test_sensors_that_say_what_they_measure_are_of_several_quantities(tmp_path: Path) -> None:
    parts = [
        ("sensor.outdoor_temperature,{}", FOUR), ("sensor.grid_power,{}", ONE),
        ("sensor.heat_pump_power,{}", TWO)]  # fmt: skip
    table = long(tmp_path, "entity_id,state", *parts)
    assert holds(read(table), ONE, TWO)
    assert holds(read(table, target="sensor.outdoor_temperature"), FOUR)


@pytest.mark.parametrize("name", ["Metric", "series"])
@pytest.mark.parametrize("labels", [("Pump 1", "Pump 2"), ("flow_north", "flow_south")])
def test_series_of_a_column_called_metric_are_sensors(
    tmp_path: Path, name: str, labels: tuple[str, str]
) -> None:
    parts = [(f"{label},{{}}", s) for label, s in zip(labels, (ONE, TWO), strict=True)]
    assert holds(read(long(tmp_path, f"{name},value", *parts)), ONE, TWO)


def test_stages_and_statistics_of_one_value_are_no_sensors(tmp_path: Path) -> None:
    for one, other in (("Final", "Preliminary"), ("mean", "max"), ("Actual", "Forecast")):
        table = long(tmp_path, "kind,load_mw", (f"{other},{{}}", TWO), (f"{one},{{}}", ONE))
        assert holds(read(table), ONE)
        assert read(table).quantity.unit == "MW"
        assert holds(read(table, target=other), TWO)
    names = "a avg,a min,a max,b avg,b min,b max"
    table = wide(tmp_path, names, ONE, ONE / 2, 2 * ONE, TWO, TWO / 2, 2 * TWO)
    assert holds(read(table), ONE, TWO)


def test_stages_that_follow_one_another_are_one_series(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{'final' if i < 300 else 'preliminary'},{v}"
            for i, (t, v) in enumerate(zip(TIMES, ONE, strict=True))]  # fmt: skip
    assert holds(read(given(tmp_path, "time,stage,load", *rows)), ONE)


def test_weather_in_joined_words_is_no_building(tmp_path: Path) -> None:
    table = wide(
        tmp_path, "Bibliothek,Turnhalle,Außentemperatur,Luftfeuchte", ONE, TWO, THREE, FOUR
    )
    assert holds(read(table), ONE, TWO)


def test_the_total_of_classes_of_speed_is_read(tmp_path: Path) -> None:
    bins = [s.round() for s in (ONE, TWO, THREE)]
    total = sum(bins)
    table = wide(tmp_path, "<30,30-50,50+,Total,Vbar", *bins, total, 40 + FOUR / 50)
    assert holds(read(table), total)


def test_titles_above_parts_with_one_header_name_the_sensors(tmp_path: Path) -> None:
    def part(title: str, series: Any) -> list[str]:
        rows = [f"{t:%Y-%m-%d %H:%M},{v}" for t, v in zip(TIMES, series, strict=True)]
        return [title, "Time,Load (kW)", *rows, ""]

    frame = read(given(tmp_path, *part("North", ONE), *part("South", TWO)))
    assert frame.sensors == ("North", "South")
    assert holds(frame, ONE, TWO)


def test_another_table_below_the_first_is_refused(tmp_path: Path) -> None:
    first = [f"{t:%Y-%m-%d %H:%M},{v},{v + 1:.1f}" for t, v in zip(TIMES, ONE, strict=True)]
    second = [f"{t:%Y-%m-%d %H:%M},{v},{v + 1:.1f}" for t, v in zip(TIMES, TWO, strict=True)]
    table = given(tmp_path, "Time,North,South", *first, "Time,Price,Fee", *second)
    with pytest.raises(InputError, match="another one, whose columns are called 'Time', 'Price'"):
        read(table)


def test_thousands_of_counted_things_have_points(tmp_path: Path) -> None:
    count = (1000 + 5 * ONE).round()
    rows = [f"{t:%d.%m.%Y %H:%M};{v:,.0f}".replace(",", ".")
            for t, v in zip(TIMES, count, strict=True)]  # fmt: skip
    assert holds(read(given(tmp_path, "Zeit;Anzahl Fahrzeuge", *rows)), count)
    assert holds(read(given(tmp_path, "Zeit;Last", *rows)), count / 1000)


def test_units_that_names_spell_in_one_word_are_seen(tmp_path: Path) -> None:
    assert read(wide(tmp_path, "GrossConsumptionMWh", ONE)).quantity.unit == "MWh"
    assert read(wide(tmp_path, "System Production (W)", ONE)).quantity.unit == "W"
    volume = read(wide(tmp_path, "volume_mwh", ONE)).quantity
    assert (volume.domain, volume.unit) == ("energy", "MWh")


def test_ranges_of_times_in_utc_beat_the_time_of_writing(tmp_path: Path) -> None:
    stamps = [f"{t:%Y-%m-%dT%H}" for t in TIMES]
    rows = [f"{t}:00:00Z/{t}:59:59Z,{t}:25:00Z,{v}" for t, v in zip(stamps, ONE, strict=True)]
    frame = read(given(tmp_path, "phenomenonTime,resultTime,result", *rows))
    assert frame.clock.start == TIMES[0].replace(tzinfo=frame.clock.start.tzinfo)


def test_dates_in_parts_and_periods_without_a_header_are_times(tmp_path: Path) -> None:
    rows = [f"PRICE;{t:%Y;%m;%d};{t.hour + 1};{v};" for t, v in zip(TIMES, ONE, strict=True)]
    assert holds(read(given(tmp_path, "PRICE;", *rows, "*")), ONE)
    rows = [f"{t:%Y %m %d %H} {v:6.1f} {w:6.1f}" for t, v, w in zip(TIMES, ONE, TWO, strict=True)]
    assert holds(read(given(tmp_path, *rows), target="column_5"), ONE)


def test_points_of_a_grid_are_told_apart_by_their_places(tmp_path: Path) -> None:
    parts = [("52.1,4.5,{}", ONE), ("52.1,4.6,{}", TWO), ("52.2,4.5,{}", THREE)]
    assert holds(read(long(tmp_path, "lat,lon,pm25", *parts)), ONE, TWO, THREE)


def test_what_people_export_from_dashboards_is_read(tmp_path: Path) -> None:
    count = (1000 + 5 * ONE).round()
    rows = [f'"{t:%b %d, %Y @ %H:%M:%S.000}","{v:,.0f}"' for t, v in zip(TIMES, count, strict=True)]
    assert holds(read(given(tmp_path, '"@timestamp per hour","Sum of volume"', *rows)), count)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.xls", "<html><table><tr><td>1</td></tr></table></html>", "save it as .xlsx"),
        ("a.json", '{"a": {"unit": "W", "values": {'
         + ",".join(f'"{i * 300}": {i}' for i in range(99)) + "}}}",
         "a list of objects with a time and a value"),
        ("a.csv", "time,payload\n" + "".join(f'2024-01-{d:02d},"{{""p"": {d}}}"\n'
                                             for d in range(1, 29)), "a column of its own"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_with_the_remedy(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert any(said in f.remedy for f in check(tmp_path / name) if f.severity == "error")


def test_empty_columns_are_not_proposed(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{a - 30:.1f},{a - 60:.1f},,{i % 5}"
            for i, (t, a) in enumerate(zip(TIMES, ONE, strict=True))]  # fmt: skip
    with pytest.raises(InputError) as refused:
        read(given(tmp_path, "time,temp,dwpt,wpgt,coco", *rows))
    named = {option.get("target") for option in proposals(str(refused.value))}
    assert named == {"dwpt", "coco"}
