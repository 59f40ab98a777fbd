"""Promise: messages between machines are read: line protocol, envelopes, series with one start."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from layouts import draw, verdict
from systems import hours, waves

from citytune import InputError, SensorFrame
from citytune.readers import read

LENGTH = 24 * 21
BERLIN = ZoneInfo("Europe/Berlin")


def written(tmp_path: Path, *lines: str, name: str = "export.csv") -> Path:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def holds(frame: SensorFrame, *series: np.ndarray) -> bool:
    return len(frame.sensors) == len(series) and all(
        any(np.allclose(one, frame.values[:, j], atol=1e-3) for j in range(len(series)))
        for one in series
    )


def epochs(count: int, step: int = 900) -> list[int]:
    return [1_711_324_800 + step * i for i in range(count)]


def test_points_of_line_protocol_are_rows(tmp_path: Path) -> None:
    pool, hall = waves(2, LENGTH)
    lines = ["# DML", "# CONTEXT-DATABASE: city"]
    for at, a, b in zip(epochs(LENGTH), pool, hall, strict=True):
        lines.append(f"meter,building=pool,room=a\\ b power={a} {at}000000000")
        lines.append(f"meter,building=hall,room=a\\ b power={b} {at}000000000")
    frame = read(written(tmp_path, *lines, name="export.lp"))
    assert holds(frame, pool, hall)
    assert frame.clock.step == dt.timedelta(minutes=15)
    assert frame.clock.timezone == "UTC"


def test_a_line_that_is_no_point_is_named(tmp_path: Path) -> None:
    lines = [f"meter,building=pool power={i} {at}" for i, at in enumerate(epochs(50))]
    with pytest.raises(InputError, match="line 31 is no point"):
        read(written(tmp_path, *lines[:30], "meter,building=pool power=", *lines[30:]))


def test_a_series_in_json_may_say_its_start_and_step(tmp_path: Path) -> None:
    north, south = waves(2, LENGTH)
    some = [
        {"id": name, "start_time": "2024-03-25T00:00:00+01:00", "interval_minutes": 15, "values": v}
        for name, v in (("north", list(north)), ("south", list(south)))
    ]
    frame = read(written(tmp_path, json.dumps(some), name="answer.json"))
    assert frame.sensors == ("north", "south")
    assert holds(frame, north, south)
    assert frame.clock.moments(0, 1)[0] == np.datetime64("2024-03-24T23:00")


@pytest.mark.parametrize("step", ["P1M", "quick", 15])
def test_a_step_that_says_no_length_is_refused(tmp_path: Path, step: object) -> None:
    one = {"start": "2024-03-25T00:00Z", "step": step, "values": list(waves(1, 50)[0])}
    with pytest.raises(InputError):
        read(written(tmp_path, json.dumps(one), name="answer.json"))


def test_named_lists_next_to_their_times_are_columns(tmp_path: Path) -> None:
    north, south = waves(2, LENGTH)
    series = [{"name": "North", "data": list(north)}, {"name": "South", "data": list(south)}]
    document = {"unix_seconds": epochs(LENGTH), "series": series, "deprecated": False}
    frame = read(written(tmp_path, json.dumps(document), name="answer.json"))
    assert frame.sensors == ("North", "South")
    assert holds(frame, north, south)


def test_times_of_dutch_meters_carry_summer_and_winter(tmp_path: Path) -> None:
    load = waves(1, LENGTH)[0]
    first = dt.datetime(2024, 3, 25, tzinfo=dt.UTC)
    wall = [(first + i * dt.timedelta(hours=1)).astimezone(BERLIN) for i in range(LENGTH)]
    rows = [f"{t:%y%m%d%H%M%S}{'S' if t.dst() else 'W'},{v}"
            for t, v in zip(wall, load, strict=True)]  # fmt: skip
    frame = read(written(tmp_path, "timestamp,load_kw", *rows))
    assert holds(frame, load)
    assert frame.clock.moments(0, 1)[0] == np.datetime64("2024-03-25T00:00")


@pytest.mark.parametrize("seed", range(6))
def test_records_that_open_and_close_a_message_are_no_rows(tmp_path: Path, seed: int) -> None:
    drawn = draw(seed, footer="envelope", preamble="none", shape="long")
    assert verdict(drawn, written(tmp_path, drawn.data.decode().rstrip("\n"))) == "right"


def days(values: np.ndarray, flag: str) -> list[str]:
    cells = values.reshape(-1, 24)
    return [
        f"DTL,1200012345678,{dt.date(2024, 1, 8) + dt.timedelta(days=i):%Y%m%d},"
        + ",".join(f"{v}{flag}" for v in day)
        for i, day in enumerate(cells)
    ]


def test_days_without_a_header_are_unfolded_by_their_flags_or_refused(tmp_path: Path) -> None:
    load = waves(1, LENGTH)[0]
    flagged = written(tmp_path, "HDR,1", *days(load, ",A"), "FTR,21")
    assert holds(read(flagged), load)
    with pytest.raises(InputError, match="24 numbers without a header"):
        read(written(tmp_path, "HDR,1", *days(load, ""), "FTR,21"))


def test_half_days_are_refused(tmp_path: Path) -> None:
    header = "day,half," + ",".join(f"HOR{i}" for i in range(1, 13))
    rows = [
        f"{dt.date(2024, 1, 8) + dt.timedelta(days=i // 2):%d/%m/%Y},{'-='[i % 2]},"
        + ",".join(f"{v:.0f}" for v in half)
        for i, half in enumerate(waves(1, LENGTH)[0].reshape(-1, 12))
    ]
    with pytest.raises(InputError, match="twelve hours of a day"):
        read(written(tmp_path, header, *rows))


def test_hours_across_may_be_named_by_one_digit(tmp_path: Path) -> None:
    flow = waves(1, LENGTH)[0]
    header = "pvm," + ",".join(f"klo {h}-{h + 1}" for h in range(24))
    rows = [line.split(",", 2)[2] for line in days(flow, "")]
    assert holds(read(written(tmp_path, header, *rows)), flow)


def test_stations_above_repeated_quantities_name_them(tmp_path: Path) -> None:
    north, south, other = waves(3, LENGTH)
    lines = ["Date & Time,North,North,South", ",PM2.5,PM10,PM2.5", ",ug/m3,ug/m3,ug/m3"]
    for i, (t, a, b, c) in enumerate(zip(hours(LENGTH), north, other, south, strict=True)):
        lines.append(f"{t:%d-%m-%Y %H:%M},{a},{b},{'----' if i == 40 else c}")
    south[40] = np.nan
    frame = read(written(tmp_path, *lines))
    assert frame.sensors == ("North PM2.5", "South PM2.5")
    assert np.allclose(frame.values[:, 1], south, atol=1e-3, equal_nan=True)


def test_numbered_lanes_of_a_station_are_not_left_out(tmp_path: Path) -> None:
    lines = ["station;time;KFZ_R1;KFZ_R2"]
    for station in ("1100", "1104"):
        for t, a, b in zip(hours(LENGTH), *waves(2, LENGTH), strict=True):
            lines.append(f"{station};{t:%Y-%m-%d %H:%M};{a};{b}")
    with pytest.raises(InputError, match="target='KFZ_R1' or target='KFZ_R2'"):
        read(written(tmp_path, *lines))


def test_pollutants_with_a_space_and_a_unit_are_quantities(tmp_path: Path) -> None:
    lines = ["Date & Time,PM 1 - ug/m³,PM 2.5 - ug/m³,PM 10 - ug/m³"]
    one, fine, coarse = waves(3, LENGTH)
    for t, *cells in zip(hours(LENGTH), one, fine, coarse, strict=True):
        lines.append(f"{t:%Y-%m-%d %H:%M},{cells[0]},{cells[1]},{cells[2]}")
    frame = read(written(tmp_path, *lines))
    assert frame.quantity.name == "pm2.5"
    assert holds(frame, fine)
