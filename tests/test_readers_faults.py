"""Promise: what is wrong with a table is found and said, with sensor, count, time and remedy."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from citytune._errors import InputError, TableError
from citytune.frame import Fault, SensorFrame
from citytune.readers import check, read
from citytune.readers.columns import _unlike
from citytune.readers.values import _oddities

START = dt.datetime(2024, 1, 1)
DAYS = 28


def rhythm(seed: int = 0, days: int = DAYS) -> np.ndarray:
    """Whole positive numbers with a daily rhythm, (time,)."""
    hour = np.arange(24 * days)
    noise = np.random.default_rng(seed).normal(0, 20, len(hour))
    return np.round(400 + 200 * np.sin(2 * np.pi * hour / 24) + noise)


def table(**columns: np.ndarray | list[object]) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    end = START + dt.timedelta(hours=count - 1)
    times = pl.datetime_range(START, end, "1h", eager=True)
    return pl.DataFrame({"time": times} | columns, strict=False)


def found(frame: SensorFrame, kind: str) -> Fault:
    faults = {fault.kind: fault for fault in frame.faults}
    assert kind in faults, sorted(faults)
    return faults[kind]


def refused(source: object, **options: object) -> str:
    with pytest.raises(TableError) as caught:
        read(source, **options)
    message = str(caught.value)
    assert all(
        fault.severity != "error" or str(fault) in message for fault in check(source, **options)
    )
    return message


def flow(values: np.ndarray, **options: object) -> SensorFrame:
    return read(table(flow=values), **options)


@pytest.mark.parametrize(
    ("marker", "times"), [(-1, 5), (-999, 1), (-9999, 2), (99999, 1), (9999, 4), (6999, 3)]
)
def test_a_marker_for_no_data_is_taken_as_missing(marker: float, times: int) -> None:
    values = rhythm()
    values[100 : 100 + 7 * times : 7] = marker
    frame = flow(values)
    fault = found(frame, "sentinel")
    assert (fault.sensor, fault.count, fault.first) == ("flow", times, "2024-01-05 04:00")
    np.testing.assert_array_equal(np.isnan(frame.values[:, 0]), values == marker)


@pytest.mark.parametrize("value", [999, -1, 9999])
def test_a_reading_that_only_looks_like_a_marker_stays(value: float) -> None:
    values = np.random.default_rng(1).normal(0, 5000, 24 * DAYS).round()
    values[[5, 50, 500]] = value
    frame = read(table(anything=values))
    np.testing.assert_array_equal(frame.values[:, 0], values.astype(np.float32))


def test_values_called_missing_are_missing_even_if_they_could_be_real() -> None:
    values = rhythm()
    values[[5, 50]] = 444
    frame = flow(values, missing=[444, -7])
    np.testing.assert_array_equal(np.isnan(frame.values[:, 0]), values == 444)
    assert found(frame, "told-missing").count == (values == 444).sum()


def test_negative_counts_are_missing_and_said() -> None:
    values = rhythm()
    values[[30, 60]] = [-37, -12]
    frame = flow(values)
    fault = found(frame, "negative")
    assert (fault.severity, fault.count, fault.first) == ("warning", 2, "2024-01-02 06:00")
    assert "-37" in fault.message
    np.testing.assert_array_equal(np.isnan(frame.values[:, 0]), values < 0)


def test_a_stuck_sensor_is_silenced_and_said() -> None:
    values = rhythm()
    values[200:250] = 417
    frame = flow(values)
    fault = found(frame, "stuck")
    assert fault.count >= 50
    assert "417" in fault.message
    assert "normally changes at every step" in fault.message
    assert np.isnan(frame.values[200:250, 0]).all()
    assert np.isnan(frame.values).sum() <= 52


def test_nights_of_zeros_and_slow_whole_numbers_are_not_stuck() -> None:
    sun = np.maximum(0, np.round(rhythm() - 400))
    sun[120:160] = 0
    slow = np.repeat(np.random.default_rng(2).integers(3, 9, 24 * DAYS // 8), 8).astype(float)
    frame = read(table(a=sun, b=slow))
    assert not {fault.kind for fault in frame.faults} & {"stuck"}
    assert not np.isnan(frame.values).any()


def test_a_week_of_zeros_is_pointed_out_and_kept() -> None:
    values = rhythm()
    values[200:370] = 0
    frame = flow(values)
    assert (found(frame, "long-zeros").count, found(frame, "long-zeros").first) == (
        170,
        "2024-01-09 08:00",
    )
    np.testing.assert_array_equal(frame.values[:, 0], values)


def test_an_absurd_value_is_pointed_out_and_kept() -> None:
    values = rhythm()
    values[77] = 250_000
    frame = flow(values)
    fault = found(frame, "outlier")
    assert (fault.count, fault.first) == (1, "2024-01-04 05:00")
    assert "250000" in fault.message
    assert frame.values[77, 0] == 250_000


def test_words_among_numbers_are_missing_counted_and_shown(tmp_path: Path) -> None:
    cells: list[object] = [f"{value:g}" for value in rhythm()]
    cells[10], cells[20], cells[40] = "defect", "defect", "n/a"
    table(flow=cells).write_csv(tmp_path / "loops.csv")
    frame = read(tmp_path / "loops.csv")
    fault = found(frame, "text-in-numbers")
    assert (fault.sensor, fault.count, fault.first) == ("flow", 2, "2024-01-01 10:00")
    assert "'defect'" in fault.message
    assert np.flatnonzero(np.isnan(frame.values[:, 0])).tolist() == [10, 20, 40]


def test_words_in_a_long_table_are_counted_for_each_sensor() -> None:
    cells: list[object] = [f"{value:g}" for value in rhythm()]
    wide = table(a=cells, b=cells)
    long = wide.unpivot(index="time", variable_name="sensor", value_name="flow").with_columns(
        flow=pl.when(pl.col("time").dt.hour() == 3).then(pl.lit("off")).otherwise("flow")
    )
    faults = [fault for fault in read(long).faults if fault.kind == "text-in-numbers"]
    assert {(f.sensor, f.count, f.first) for f in faults} == {
        ("a", DAYS, "2024-01-01 03:00"), ("b", DAYS, "2024-01-01 03:00"),
    }  # fmt: skip


def test_the_usual_words_for_missing_need_no_warning(tmp_path: Path) -> None:
    cells: list[object] = [f"{value:g}" for value in rhythm()]
    words = ["NA", "-", "", "null", "n/a", "NaN", "None"]
    cells[10:17] = words
    table(flow=cells).write_csv(tmp_path / "loops.csv")
    frame = read(tmp_path / "loops.csv")
    assert np.flatnonzero(np.isnan(frame.values[:, 0])).tolist() == list(range(10, 17))
    assert not [fault for fault in frame.faults if fault.severity != "note"]


def test_unordered_rows_are_sorted_and_said() -> None:
    source = table(flow=rhythm())
    frame = read(source.reverse())
    np.testing.assert_array_equal(frame.values, read(source).values)
    assert found(frame, "unordered-rows").count == 24 * DAYS - 1


def test_equal_rows_count_once() -> None:
    source = table(flow=rhythm())
    frame = read(pl.concat([source, source[5:8]]))
    fault = found(frame, "duplicate-rows")
    assert (fault.severity, fault.count, fault.first) == ("note", 3, "2024-01-01 05:00")
    np.testing.assert_array_equal(frame.values, read(source).values)


def test_of_two_contradicting_rows_the_first_counts() -> None:
    source = table(flow=rhythm())
    other = source[5:6].with_columns(pl.col("flow") + 10)
    for doubled in (source, source.with_columns(sensor=pl.lit("a"))):
        extra = other if "sensor" not in doubled.columns else other.with_columns(sensor=pl.lit("a"))
        frame = read(pl.concat([doubled, extra]))
        assert found(frame, "conflicting-rows").first == "2024-01-01 05:00"
        assert frame.values[5, 0] == rhythm()[5]


def test_half_filled_rows_of_one_time_are_put_together() -> None:
    source = table(a=rhythm(1), b=rhythm(2))
    halves = [source.with_columns(pl.lit(None, pl.Float64).alias(name)) for name in "ab"]
    frame = read(pl.concat(halves))
    np.testing.assert_array_equal(frame.values, np.stack([rhythm(1), rhythm(2)], 1))
    assert "conflicting-rows" not in {fault.kind for fault in frame.faults}


def test_sensors_that_start_late_or_die_are_named() -> None:
    late, dead = rhythm(1), rhythm(2)
    late[:100], dead[-100:] = np.nan, np.nan
    frame = read(table(late=late, dead=dead))
    start, end = found(frame, "starts-late"), found(frame, "ends-early")
    assert (start.sensor, start.count, start.first) == ("late", 100, "2024-01-05 04:00")
    assert (end.sensor, end.count, end.first) == ("dead", 100, "2024-01-24 20:00")


def test_gaps_are_counted_and_stay() -> None:
    values = rhythm()
    values[50:60] = np.nan
    source = table(flow=values)
    frame = read(source.filter(pl.col("time").dt.day() != 9))
    fault = found(frame, "gaps")
    assert (fault.severity, fault.count, fault.first) == ("note", 34, "2024-01-03 02:00")
    assert np.isnan(frame.values).sum() == 34


def test_copies_and_constants_and_silent_sensors_are_named_and_kept() -> None:
    source = table(
        a=rhythm(1), b=rhythm(1), c=np.full(24 * DAYS, 7.0), d=np.full(24 * DAYS, np.nan)
    )
    frame = read(source)
    assert frame.sensors == ("a", "b", "c", "d")
    assert "'b'" in found(frame, "duplicate-sensors").message
    assert found(frame, "constant").sensor == "c"
    assert found(frame, "silent-sensor").sensor == "d"


def test_a_clean_table_has_notes_only() -> None:
    assert {fault.severity for fault in check(table(flow=rhythm()))} == {"note"}


def test_rows_without_a_sensor_are_counted() -> None:
    long = table(flow=rhythm()).with_columns(sensor=pl.lit("a"))
    blank = long[:3].with_columns(sensor=pl.lit(None, pl.String))
    frame = read(pl.concat([long, blank]))
    assert found(frame, "no-sensor").count == 3
    assert frame.sensors == ("a",)


def test_faults_come_errors_first() -> None:
    values = rhythm()
    values[3], values[9] = np.inf, -5
    severities = [fault.severity for fault in check(table(flow=values))]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert severities[0] == "error"


def test_infinite_values_are_refused_sensor_by_sensor() -> None:
    a, b = rhythm(1), rhythm(2)
    a[5], b[7:9] = np.inf, -np.inf
    message = refused(table(a=a, b=b))
    assert "sensor 'a': 1 infinite value (first 2024-01-01 05:00)" in message
    assert "sensor 'b': 2 infinite values (first 2024-01-01 07:00)" in message


def test_every_error_of_a_table_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("colour,shape\nred,round\nblue,flat\n")
    message = refused(tmp_path / "a.csv")
    assert "no column holds times" in message
    assert "no column holds numbers" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("time,flow\n", "no rows of data"),
        ("a,b\n1,2\n3,4\n", "no column holds times"),
        ("time,flow\n2024-01-01 00:00,3\n", "only one moment"),
        ("time,name\n2024-01-01 00:00,x\n2024-01-01 01:00,y\n", "no column holds numbers"),
        ("time,flow\n2024-01-01 00:00,1\n2024-01-01 01:00,2,3,4\n", "line 3 has 4 fields"),
        ("\x89PNG\r\n\x1a\n", "picture"),
        ("PK\x03\x04abc", "archive is damaged"),
        ("a,b\n\x00\x01\x02,3\n", "binary"),
        ("<html><table>", "web page"),
        ('{"a": 1}', "no column holds times"),
        ("PAR1 and no more", "damaged"),
        ("\x1f\x8b\x08 no gzip", "damaged"),
    ],
)
def test_a_file_that_is_no_table_of_readings_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "loops.csv"
    path.write_bytes(text.encode("latin-1"))
    assert said in refused(path)


def test_a_parquet_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loops.parquet"
    table(flow=rhythm()).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-200])
    assert "damaged" in refused(path)


def test_an_empty_table_is_refused() -> None:
    assert "no rows of data" in refused(table(flow=rhythm())[:0])


def test_a_table_with_nothing_in_it_is_refused() -> None:
    assert "all values are missing" in refused(table(a=[None] * 100, b=[None] * 100))
    assert "all values are missing" in refused(table(flow=["n/a"] * 100), target="flow")


def test_a_thousand_sensors_with_hardly_a_row_are_too_short() -> None:
    names = [f"s{i:04d}" for i in range(1000)]
    wide = table(**{name: rhythm(days=1)[:10] for name in names})
    long = wide.unpivot(index="time", variable_name="sensor", value_name="flow")
    for source in (wide, long):
        message = refused(source)
        assert "1,000" in message
        assert "10 readings" in message
        assert len(message) < 1000


def test_names_of_many_columns_are_not_compared_each_with_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, known = [], _unlike.tokens
    monkeypatch.setattr(_unlike, "tokens", lambda name: asked.append(name) or known(name))
    read(table(**{f"s{i:03d}": rhythm(i, days=1) for i in range(100)}))
    assert len(asked) < 10 * 100


def test_a_text_target_is_refused_with_an_example() -> None:
    source = table(flow=rhythm(), weather=["rain"] * (24 * DAYS))
    message = refused(source, target="weather")
    assert "'weather'" in message
    assert "'rain'" in message


def test_no_such_file_suggests_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "loops.csv").write_text("x")
    with pytest.raises(InputError, match=r"Did you mean '.*loops\.csv'"):
        read(tmp_path / "lops.csv")
    with pytest.raises(InputError, match="Is the path right"):
        check(tmp_path / "something else")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_one_may_not_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loops.csv"
    path.write_text("time,flow\n")
    path.chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        read(path)


def test_no_permission_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "loops.csv"
    path.write_text("time,flow\n")

    def forbid(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbid)
    with pytest.raises(InputError, match=r"chmod u\+r loops\.csv"):
        read(path)


def test_every_one_of_many_faulty_sensors_is_found() -> None:
    values = {f"s{i}": rhythm(i) for i in range(120)}
    for column in values.values():
        column[[3, 8, 9]] = -1
    frame = read(table(**values))
    assert sum(fault.kind == "sentinel" for fault in frame.faults) == 120


@pytest.mark.parametrize(
    ("column", "options", "kind", "said"),
    [
        ("flow", {"unit": "furlongs"}, "unknown-unit", "is not known here"),
        ("flow", {"unit": "ugm"}, "unknown-unit", "write unit=µg/m³ if you mean that"),
        ("flow [veh/h]", {"unit": "veh/day"}, "other-unit", "says veh/h"),
        ("load [kW]", {"unit": "MW"}, "other-unit", "the readings are not converted"),
        ("flow", {"unit": "kWh", "quantity": "traffic_volume"}, "unit-of-other", "is no unit of"),
        ("no2", {"unit": "mph"}, "unit-of-other", "say by quantity= what is measured"),
        ("pm25", {"unit": "veh/h"}, "unit-of-other", "is no unit of"),
    ],
)
def test_a_unit_that_is_unknown_or_contradicts_is_told(
    column: str, options: dict[str, str], kind: str, said: str
) -> None:
    faults = [
        fault for fault in check(table(**{column: rhythm()}), **options) if fault.kind == kind
    ]
    assert [said in str(fault) for fault in faults] == [True]


@pytest.mark.parametrize("unit", ["veh/h", "bikes/day", "ug/m3", "kWh", "°C", "people", "%"])
def test_a_unit_that_fits_is_taken_without_a_word(unit: str) -> None:
    faults = check(table(a=rhythm()), unit=unit)
    assert not [fault for fault in faults if "unit" in fault.kind.split("-")]


def test_a_span_that_nobody_counts_by_is_pointed_out() -> None:
    kinds = {fault.kind for fault in check(table(flow=rhythm()), unit="veh/j")}
    assert "unknown-unit" in kinds


def test_the_longest_gap_is_named() -> None:
    first, second = rhythm(), rhythm(1)
    first[100:268] = np.nan
    second[30:31] = np.nan
    said = found(read(table(a=first, b=second)), "gaps").message
    assert said.endswith("; the longest gap is in 'a', 7 days from 2024-01-05 04:00")
    assert "most of them in 'a'" in said


def test_a_short_gap_is_not_named() -> None:
    values = rhythm()
    values[100:110] = np.nan
    assert "longest" not in found(flow(values), "gaps").message


def test_readings_later_than_now_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_oddities, "_now", lambda: dt.datetime(2024, 1, 20, 12))
    fault = found(flow(rhythm()), "future-readings")
    assert fault.first == "2024-01-21 13:00"
    assert "until 2024-01-28 23:00" in fault.message
    assert "the order of day and month" in fault.remedy


def test_readings_of_today_in_any_zone_are_not_of_the_future(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_oddities, "_now", lambda: dt.datetime(2024, 1, 28, 0))
    assert "future-readings" not in {fault.kind for fault in flow(rhythm()).faults}


def test_values_known_ahead_are_no_readings_of_the_future(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_oddities, "_now", lambda: dt.datetime(2024, 1, 26, 0))
    values = rhythm()
    values[-48:] = np.nan
    frame = read(table(flow=values, temperature=rhythm(1) / 50), covariates=["temperature"])
    assert "future-readings" not in {fault.kind for fault in frame.faults}


def test_values_below_the_limit_of_detection_may_have_units(tmp_path: Path) -> None:
    cells = ["<5 µg/m3" if i % 40 == 7 else f"{12.5 + i % 24} µg/m3" for i in range(24 * 14)]
    path = tmp_path / "air.csv"
    rows = [f"{START + dt.timedelta(hours=i)},{cell}" for i, cell in enumerate(cells)]
    path.write_text("\n".join(["time,pm25", *rows]), encoding="utf-8")
    frame = read(path)
    assert frame.quantity.unit == "µg/m³"
    assert frame.values[7, 0] == 2.5
    assert found(frame, "below-detection").count == 9
