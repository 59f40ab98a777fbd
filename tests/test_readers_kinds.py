"""Promise: what a column is, though its name hardly says so, is seen, or asked about."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
from systems import given, holds, hours, refusal, waves

from citytune.readers import read

LENGTH = 24 * 20
TIMES = hours(LENGTH)
A, B, C, D = waves(4, LENGTH)
COUNTS = [some.round() for some in (A, B / 5, C / 10, D / 20)]


def rows(*columns: object, sep: str = ",") -> list[str]:
    """Lines of a table that begin with the time."""
    cells = zip(TIMES, *columns, strict=True)  # type: ignore[call-overload]
    return [sep.join(map(str, row)) for row in cells]


def kinds(path: Path) -> set[str]:
    return {fault.kind for fault in read(path).faults}


def test_fields_of_a_channel_are_asked_about_though_their_levels_are_alike(tmp_path: Path) -> None:
    lines = [f"{t} UTC,{i},{a},{b}" for i, (t, a, b) in enumerate(zip(TIMES, A, B, strict=True))]
    path = given(tmp_path, "created_at,entry_id,field1,field2", *lines)
    said = refusal(path)
    assert "target='field1' or target='field2'" in said
    assert "target=['field1', 'field2']" in said
    assert holds(read(path, target=["field1", "field2"]), A, B)
    assert holds(read(path, target="field2"), B)


@pytest.mark.parametrize("name", ["ch", "V", "Channel ", "AI"])
def test_numbered_channels_of_different_levels_are_asked_about(tmp_path: Path, name: str) -> None:
    head = f"time,{name}1,{name}2"
    assert f"target='{name}1'" in refusal(given(tmp_path, head, *rows(A, B + 500.5)))
    assert holds(read(given(tmp_path, head, *rows(A, B))), A, B)


def test_names_of_fields_that_a_channel_tells_are_used(tmp_path: Path) -> None:
    feeds = [
        {"created_at": f"{t:%Y-%m-%dT%H:%M:%SZ}", "entry_id": i, "field1": str(a), "field2": str(b)}
        for i, (t, a, b) in enumerate(zip(TIMES, A, B, strict=True))
    ]
    channel = {"id": 9, "name": "Roof", "field1": "PM2.5", "field2": "Humidity"}
    path = tmp_path / "feeds.json"
    path.write_text(json.dumps({"channel": channel, "feeds": feeds}))
    frame = read(path)
    assert holds(frame, A)
    assert frame.quantity.name == "pm2.5"
    head = ["# field1: PM2.5, field2: Humidity", "created_at,field1,field2"]
    assert holds(read(given(tmp_path, *head, *rows(A, B))), A)
    head = ["# field1: Nord, field2: Süd", "created_at;field1;field2"]
    commas = [line.replace(".", ",") for line in rows(A, B, sep=";")]
    assert read(given(tmp_path, *head, *commas)).sensors == ("Nord", "Süd")


@pytest.mark.parametrize(
    "names",
    ["{}_err", "{} std", "sd_{}", "{} standard deviation", "{} ±", "{}.uncertainty", "sigma {}",
     "{} Unsicherheit"],
)  # fmt: skip
def test_the_error_of_each_column_is_no_sensor(tmp_path: Path, names: str) -> None:
    one, two = names.format("x1"), names.format("y1")
    lines = rows(A, (A / 11).round(2), B, (B / 13).round(2))
    path = given(tmp_path, f"time,x1,{one},y1,{two}", *lines)
    assert read(path).sensors == ("x1", "y1")
    assert holds(read(path), A, B)
    assert len(read(path, target=["x1", one]).sensors) == 2


def test_bounds_around_readings_are_no_sensors(tmp_path: Path) -> None:
    head = "time,north,north_lower,north_upper,south,south_lower,south_upper"
    lines = rows(A, A - 1, A + 1.5, B, B - 2, B + 2.5)
    assert holds(read(given(tmp_path, head, *lines)), A, B)


@pytest.mark.parametrize("cell", ["{} ± 0.4", "{}±0.4 µg/m3", "({} +/- 0.4)"])
def test_an_error_behind_a_reading_is_no_part_of_it(tmp_path: Path, cell: str) -> None:
    lines = [f"{t},{cell.format(a)}" for t, a in zip(TIMES, A, strict=True)]
    path = given(tmp_path, "time,NO2", *lines)
    assert holds(read(path), A)
    assert "errors-in-cells" in kinds(path)


@pytest.mark.parametrize(
    "names",
    ["cars,vans,lorries,motorcycles", "PKW,Lfw,LKW,Krad", "nb_vl,nb_pl,motos,", "Car,Van,HGV,Bus"],
)
def test_classes_of_vehicles_without_a_total_are_added_up(tmp_path: Path, names: str) -> None:
    told = [name for name in names.split(",") if name]
    some = COUNTS[: len(told)]
    path = given(tmp_path, f"time,{','.join(told)}", *rows(*some))
    frame = read(path)
    assert holds(frame, np.sum(some, axis=0))
    assert frame.quantity.name == "traffic_volume"
    assert "classes" in kinds(path)
    assert holds(read(path, target=told[1]), some[1])


def test_classes_of_each_place_are_added_up_and_one_that_is_missing_is_not_0(
    tmp_path: Path,
) -> None:
    lines = [
        f"{t},{place},{a},{'' if place == 'n' and i == 9 else b}"
        for i, (t, a, b) in enumerate(zip(TIMES, *COUNTS[:2], strict=True))
        for place in "ns"
    ]
    frame = read(given(tmp_path, "time,site,cars,trucks", *lines))
    assert frame.sensors == ("n", "s")
    assert np.isnan(frame.values[9, 0])
    assert holds(frame, np.where(np.arange(LENGTH) == 9, np.nan, COUNTS[0] + COUNTS[1]),
                 COUNTS[0] + COUNTS[1])  # fmt: skip


@pytest.mark.parametrize("names", ["cars,heavy,lorries", "class 1,class 2,class 3", "LKW,HGV,Bus"])
def test_classes_that_may_overlap_are_asked_about(tmp_path: Path, names: str) -> None:
    path = given(tmp_path, f"time,{names}", *rows(*COUNTS[:3]))
    first = names.split(",", maxsplit=1)[0]
    assert f"target='{first}'" in refusal(path)
    assert holds(read(path, target=first), COUNTS[0])


def test_bicycles_next_to_vehicles_are_another_quantity(tmp_path: Path) -> None:
    path = given(tmp_path, "time,pedestrian,bike,car,heavy", *rows(*COUNTS))
    assert holds(read(path), COUNTS[2])
    assert "several-quantities" in kinds(path)


def test_all_motor_vehicles_are_read_rather_than_their_classes(tmp_path: Path) -> None:
    cars, buses, vans, heavy = COUNTS
    head = "time,pedal_cycles,cars_and_taxis,buses_and_coaches,LGVs,all_HGVs,all_motor_vehicles"
    lines = rows(cars, cars, buses, vans, heavy, cars + buses + vans + heavy)
    frame = read(given(tmp_path, head, *lines))
    assert holds(frame, cars + buses + vans + heavy)


def test_rows_of_classes_without_a_total_are_asked_about(tmp_path: Path) -> None:
    lines = [
        f"{t},{kind},{v}"
        for t, *some in zip(TIMES, *COUNTS, strict=True)
        for kind, v in zip(("car", "van", "lorry", "motorcycle"), some, strict=True)
    ]
    path = given(tmp_path, "time,class,count", *lines)
    assert "target='van'" in refusal(path)
    assert holds(read(path, target="van"), COUNTS[1])


EPOCH = np.array([int(t.replace(tzinfo=dt.UTC).timestamp()) for t in TIMES])


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("seconds since 1904-01-01", EPOCH + 2_082_844_800),
     ("time [days since 1970-01-01]", (EPOCH / 86_400).round(5)),
     ("hours since 1900-01-01 00:00", EPOCH // 3600 + 613_608),
     ("minutes_since_2000-01-01", (EPOCH - 946_684_800) // 60),
     ("time", (EPOCH + 11_644_473_600) * 10_000_000),
     ("time", (EPOCH / 86_400 + 2_440_587.5).round(5))],
)  # fmt: skip
def test_moments_are_counted_from_where_a_name_says(
    tmp_path: Path, name: str, numbers: np.ndarray
) -> None:
    path = given(tmp_path, f"{name},flow", *map("{},{}".format, numbers, A))
    frame = read(path)
    assert frame.clock.start == TIMES[0]
    assert holds(frame, A)


def test_a_row_of_units_may_say_the_origin_of_times(tmp_path: Path) -> None:
    lines = map("{},{}".format, EPOCH - 946_684_800, A)
    path = given(tmp_path, "time,flow", "seconds since 2000-01-01,veh/h", *lines)
    assert read(path).clock.start == TIMES[0]


@pytest.mark.parametrize(
    ("year", "begin"), [(1904, -2_082_844_800), (1960, -315_619_200), (2000, 946_684_800)]
)
def test_an_origin_that_makes_all_times_implausible_is_asked_about(
    tmp_path: Path, year: int, begin: int
) -> None:
    numbers = [*map("{},{}".format, EPOCH - begin, A)]
    said = refusal(given(tmp_path, "time,flow", *numbers))
    assert f"from 2024-01-08 since {year}" in said
    frame = read(given(tmp_path, f"seconds since {year}-01-01,flow", *numbers))
    assert frame.clock.start == TIMES[0]
    said = refusal(given(tmp_path, "time,flow", *map("{},{}".format, EPOCH / 86_400 + 40_587, A)))
    assert "read as days since 1900" in said


@pytest.mark.parametrize(
    ("options", "unit"), [({}, ""), ({"country": "US"}, "mph"), ({"country": "NO"}, "km/h"),
                          ({"unit": "kn"}, "kn")]
)  # fmt: skip
def test_a_speed_has_no_unit_that_nothing_tells(
    tmp_path: Path, options: dict[str, str], unit: str
) -> None:
    frame = read(given(tmp_path, "time,SPEED", *rows(A)), **options)
    assert frame.quantity.unit == unit
    assert ("no-unit" in {fault.kind for fault in frame.faults}) == (not unit)


def test_codes_of_countries_and_states_are_neither_classes_nor_errors(tmp_path: Path) -> None:
    counts = [some.round() for some in (A, B, C, D)]
    for names in ("AT,LV,PL,SE", "NV,SD,TX,WY"):
        assert len(read(given(tmp_path, f"time,{names}", *rows(*counts))).sensors) == 4


def test_classes_that_are_asked_for_as_covariates_are_not_added_up(tmp_path: Path) -> None:
    path = given(tmp_path, "time,cars,trucks,temperature", *rows(*COUNTS[:2], C))
    frame = read(path, target="cars", covariates=["trucks"])
    assert list(frame.covariates) == ["trucks"]
    assert holds(read(path), COUNTS[0] + COUNTS[1])


def test_sensors_that_end_with_a_letter_keep_their_names(tmp_path: Path) -> None:
    assert read(given(tmp_path, "time,1a,1b", *rows(A, B))).sensors == ("1a", "1b")


@pytest.mark.parametrize("stations", [(260,), (240, 260)])
def test_codes_of_weather_are_asked_about_rather_than_the_wind(
    tmp_path: Path, stations: tuple[int, ...]
) -> None:
    lines = [
        f"  {number},{t:%Y%m%d},{t.hour + 1:5d},{a:5.0f},{10 * b:5.0f}"
        for t, a, b in zip(TIMES, A, B, strict=True)
        for number in stations
    ]
    path = given(tmp_path, "# STN,YYYYMMDD,   HH,   FH,    T", *lines)
    assert "target='FH' or target='T'" in refusal(path)
    assert holds(read(path, target="T"), *((10 * B).round() for _ in stations))


def test_an_infinite_reading_next_to_dates_is_refused(tmp_path: Path) -> None:
    lines = [f"{t:%Y-%m-%d},{t.hour},{'inf' if i == 9 else a},1"
             for i, (t, a) in enumerate(zip(TIMES, A, strict=True))]  # fmt: skip
    assert "infinite" in refusal(given(tmp_path, "date,hour,flow,utc_offset", *lines))
    lines = [f"{t},{'inf' if i == 9 else 1},{a}"
             for i, (t, a) in enumerate(zip(TIMES, A, strict=True))]  # fmt: skip
    assert holds(read(given(tmp_path, "time,utc_offset,flow", *lines)), A)


def test_ids_stay_as_they_are_written_next_to_what_was_added_up(tmp_path: Path) -> None:
    lines = [f"{t},{site},{a},{b}" for t, a, b in zip(TIMES, *COUNTS[:2], strict=True)
             for site in ("1.50", "2.00")]  # fmt: skip
    assert read(given(tmp_path, "time,site,cars,trucks", *lines)).sensors == ("1.50", "2.00")


def test_classes_of_the_same_places_are_asked_about(tmp_path: Path) -> None:
    head = "time,north_cars,north_trucks,south_cars,south_trucks"
    path = given(tmp_path, head, *rows(*COUNTS))
    assert "target=['north_cars', 'south_cars']" in refusal(path)
    assert holds(read(path, target=["north_trucks", "south_trucks"]), COUNTS[1], COUNTS[3])
