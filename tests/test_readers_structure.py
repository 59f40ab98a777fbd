"""Promise: what the columns of a table mean is reasoned from what they hold, and said."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from systems import refusal

from citytune import InputError
from citytune.readers import check, explain, in_one_line, read

HOURS = 24 * 25
TIMES = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=i) for i in range(HOURS)]
RNG = np.random.default_rng(3)
LOAD = np.round(50 + 20 * np.sin(np.arange(HOURS) / 24 * 2 * np.pi) + RNG.gamma(2, 3, HOURS), 2)


def table(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({"time": TIMES} | columns)


def kinds(frame: Any) -> set[str]:
    return {fault.kind for fault in frame.faults}


# Ids.


@pytest.mark.parametrize(
    "ids",
    [("571313174110000001", "571313174110000002"), ("1.1", "1.10"), ("1e5", "100000"),
     ("007", "7"), ("-1", "1"), ("NA", "SE"), ("-", "x")],
)  # fmt: skip
def test_ids_are_text_whatever_they_look_like(tmp_path: Path, ids: tuple[str, str]) -> None:
    lines = ["time,meter,power"]
    lines += [f"{t},{name},{v + i}" for t, v in zip(TIMES, LOAD, strict=True)
              for i, name in enumerate(ids)]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert set(read(tmp_path / "a.csv").sensors) == set(ids)


@pytest.mark.parametrize("name", ["*", "^a.*$", "cell", "_time", "_v0", "number"])
def test_any_name_may_be_a_column_s(tmp_path: Path, name: str) -> None:
    source = table(**{name: LOAD, "other": LOAD + 1})
    source.write_csv(tmp_path / "a.csv")
    for one in (source, tmp_path / "a.csv"):
        assert read(one).sensors == (name, "other")
        assert read(one, target=name).sensors == (name,)


def test_rows_that_contradict_are_refused_with_what_would_tell_them_apart() -> None:
    both = pl.concat([table(flow=LOAD), table(flow=LOAD + 9)])
    assert "of another row" in refusal(both.with_columns(station=pl.lit("a")), sensor="station")
    lanes = both.with_columns(lane=pl.int_range(pl.len()) // HOURS, station=pl.lit("a"))
    assert "sensor=['lane']" in refusal(lanes, sensor="station")
    assert len(read(lanes).sensors) == 2


# Totals of meters.


def test_a_total_that_only_rises_is_read_as_what_was_added() -> None:
    frame = read(table(meter_kwh=52_341_977.25 + LOAD.cumsum()))
    assert "meter-totals" in kinds(frame)
    np.testing.assert_allclose(frame.values[:, 0], np.float32(LOAD[1:]), rtol=1e-5)


def test_a_total_at_the_end_of_hours_belongs_to_the_hour_before() -> None:
    frame = read(table(meter_kwh=LOAD.cumsum()), stamp="end")
    np.testing.assert_allclose(frame.values[1:, 0], np.float32(LOAD[1:]), rtol=1e-4)


def test_resets_and_new_meters_are_missing_and_a_roll_over_is_added() -> None:
    reset = LOAD.cumsum()
    reset[300:] -= reset[300]
    frame = read(table(meter_kwh=reset))
    assert np.flatnonzero(np.isnan(frame.values[:, 0])).tolist() == [299]
    rolled = (90_000 + LOAD.cumsum()) % 100_000
    assert not np.isnan(read(table(meter_kwh=rolled)).values).any()


@pytest.mark.parametrize(("step", "total"), [("1d", True), ("5m", False)])
def test_two_months_of_a_meter_that_is_read_daily_are_enough(step: str, total: bool) -> None:
    begin = dt.datetime(2024, 1, 1)
    times = pl.datetime_range(
        begin,
        interval=step,
        end=begin + 59 * (dt.timedelta(1) if total else dt.timedelta(minutes=5)),
        eager=True,
    )
    level = (9e5 + LOAD.cumsum())[:60]
    frame = read(pl.DataFrame({"time": times, "value": level}))
    assert ("meter-totals" in kinds(frame)) == total


def test_a_ramp_and_a_daily_wave_are_no_totals() -> None:
    assert "meter-totals" not in kinds(read(table(flow=np.arange(HOURS) * 1.0)))
    assert "meter-totals" not in kinds(read(table(flow=LOAD)))


# Quantities and units.


@pytest.mark.parametrize(
    ("column", "name", "unit"),
    [
        ("traffic_speed", "speed", ""), ("speed_mph", "speed", "mph"),
        ("average speed [mph]", "speed", "mph"), ("NO2 (ppb)", "no2", "ppb"),
        ("pm10 [ug/m3]", "pm10", "µg/m³"), ("KWH", "energy", "kWh"), ("load_w", "load", "W"),
        ("power [GW]", "power", "GW"), ("heat_gj", "heat", "GJ"), ("load_kva", "load", "kVA"),
        ("flow", "traffic_volume", "veh/h"), ("Zählwerte [Kfz/h]", "traffic_volume", "veh/h"),
    ],
)  # fmt: skip
def test_a_name_tells_quantity_and_unit(column: str, name: str, unit: str) -> None:
    quantity = read(table(**{column: LOAD})).quantity
    assert (quantity.name, quantity.unit) == (name, unit)


def test_a_column_of_units_and_a_row_of_units_are_used(tmp_path: Path) -> None:
    assert read(table(no2=LOAD, unit=["ug.m-3"] * HOURS)).quantity.unit == "µg/m³"
    assert read(table(no2=LOAD, units=["ppb"] * HOURS)).quantity.unit == "ppb"
    lines = ["time,load", "yyyy-mm-dd,MWh", *(f"{t},{v}" for t, v in zip(TIMES, LOAD, strict=True))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert read(tmp_path / "a.csv").quantity.unit == "MWh"


def test_whole_numbers_of_any_name_are_never_negative() -> None:
    assert read(table(harbour=LOAD.round(), quay=LOAD.round() + 1)).quantity.low == 0
    assert read(table(harbour=LOAD, quay=LOAD + 1)).quantity.low is None


# What is asked for.


def test_stamp_moves_the_times_by_a_step() -> None:
    begin, end = (read(table(flow=LOAD), stamp=stamp) for stamp in ("begin", "end"))
    assert begin.clock.start - end.clock.start == dt.timedelta(hours=1)
    with pytest.raises(InputError, match="'begin' or 'end'"):
        read(table(flow=LOAD), stamp="middle")  # type: ignore[arg-type]


def test_validity_is_respected_and_may_be_told() -> None:
    state = ["bad" if i % 50 == 7 else "fine" for i in range(HOURS)]
    source = table(flow=LOAD, state=state)
    assert not np.isnan(read(source).values).any()
    missing = np.isnan(read(source, valid={"state": ["fine"]}).values[:, 0])
    assert missing.sum() == state.count("bad")
    guessed = read(
        source.with_columns(validity=pl.Series(state).replace(["bad", "fine"], ["-1", "1"]))
    )
    assert "invalid-readings" in kinds(guessed)
    with pytest.raises(InputError, match="stat"):
        read(source, valid={"stat": ["fine"]})


def test_a_sum_of_the_others_is_pointed_out() -> None:
    frame = read(table(north=LOAD, south=LOAD * 2, city=LOAD * 3))
    assert [f.sensor for f in frame.faults if f.kind == "sum-of-others"] == ["city"]


# Seeing it.


def test_every_column_is_explained() -> None:
    source = table(station=["a"] * HOURS, flow=LOAD, id=range(HOURS), remark=["x"] * HOURS)
    shown = explain(source)
    assert {c.name: c.role for c in shown.columns} == {
        "time": "time", "station": "sensor", "flow": "reading", "id": "not used",
        "remark": "not used",
    }  # fmt: skip
    assert "counts the rows" in str(shown)
    assert in_one_line(check(source)).startswith("the time was read from 'time'; the sensor")


def test_several_possible_readings_are_listed_with_a_look_at_each() -> None:
    source = table(station=["a", "b"] * (HOURS // 2), p=LOAD, q=LOAD * 2)
    said = refusal(source)
    assert "'p'" in said
    assert "target='p'" in said


def test_the_first_of_two_hundred_columns_is_shown_for_all() -> None:
    wide = table(**{f"s{i}": LOAD + i for i in range(200)})
    assert len(explain(wide).columns) == 2


# Places that are called after what could be measured.


@pytest.mark.parametrize(
    "names",
    ["Gas Street, Water Lane, Heat Road", "Gas Street, Water Street", "Bus Station, Bike Lane",
     "Denver CO, Ohio no 2", "Ozone Park, CO Springs", "Ozone Park, Lead Mine",
     "Power Station, Main Street", "Temple of Heat, Gas Works", "Noise barrier, PM junction",
     "CO, NY, CA", "Tram NO, Markt CO", "N, NO, O, SO, S", "O3 Poniente, O1 Centro",
     "A, B, C, V", "W, E, N, S", "K, L, M", "zone_k, zone_l", "Electric Avenue, Water Gate",
     "AB, BC, ON", "Rue du Gaz, Rue de l'Eau"],
)  # fmt: skip
def test_a_place_is_a_sensor_whatever_it_is_called_after(names: str) -> None:
    places = tuple(names.split(", "))
    source = table(**{place: LOAD + i / 8 for i, place in enumerate(places)})
    frame = read(source)
    assert frame.sensors == places
    assert (frame.quantity.name, frame.quantity.unit) == ("value", "")
    assert read(source, quantity="traffic_volume").sensors == places


@pytest.mark.parametrize(
    ("names", "quantity", "chosen"),
    [("Nord NO2, Nord PM10", None, "Nord PM10"), ("Nord NO2, Nord PM10", "no2", "Nord NO2"),
     ("Nord NO2, Nord PM10", "PM2.5", "Nord PM10"), ("gas, water", None, "gas"),
     ("Gas Main Street, Water Main Street", "trips", "Gas Main Street, Water Main Street"),
     ("north_cars, north_bikes, south_cars", None, "north_cars, south_cars"),
     ("A flow, B speed", "speed", "B speed"), ("Mitte NO, Mitte CO", None, "Mitte NO")],
)  # fmt: skip
def test_quantities_of_the_same_places_are_told_apart(
    names: str, quantity: str | None, chosen: str
) -> None:
    source = table(**{name: LOAD + i / 8 for i, name in enumerate(names.split(", "))})
    assert ", ".join(read(source, quantity=quantity).sensors) == chosen


def test_a_column_without_a_number_is_not_said_to_change(tmp_path: Path) -> None:
    times = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=i) for i in range(72)]
    rows = [
        f"{at},{100.5 + i % 24},{90.5 + i % 12},{100.5 + i % 24}," for i, at in enumerate(times)
    ]
    path = tmp_path / "loops.csv"
    path.write_text("\n".join(["time,a,b,copy,leer", *rows]))
    found = {row.name: row for row in explain(path).columns}
    assert found["a"].why == "numbers that change"
    assert "change" not in found["leer"].why
