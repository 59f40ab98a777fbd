"""Columns that measure one place in several ways: detectors, stations, turnstiles, particles."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from remedies import proposals

from citytune import InputError
from citytune.frame import SensorFrame
from citytune.readers import read

COUNT = 24 * 14
HOURS = [dt.datetime(2024, 2, 5) + dt.timedelta(hours=i) for i in range(COUNT)]
RNG = np.random.default_rng(11)
WAVE = 200 + 150 * np.sin(np.arange(COUNT) * 2 * np.pi / 24)
CARS = [RNG.poisson(WAVE * (1 + s)) for s in range(2)]
LORRIES = [RNG.poisson(WAVE / 10) for _ in range(2)]
ALL = [cars + lorries for cars, lorries in zip(CARS, LORRIES, strict=True)]
SPEED = [60 - some // 20 for some in ALL]


def write(folder: Path, head: str, rows: Iterator[list[Any]], sep: str = ",") -> Path:
    path = folder / "export.csv"
    lines = [sep.join(map(str, row)) for row in rows]
    path.write_text("\n".join([*([head] if head else []), *lines]))
    return path


def holds(frame: SensorFrame, series: list[np.ndarray]) -> bool:
    """Whether the sensors are those of the series, in their order, as far as both are known."""
    same = frame.values.shape[1] == len(series)
    return same and all(
        np.allclose(frame.values[: COUNT - 2, j], one[: COUNT - 2], equal_nan=True)
        for j, one in enumerate(series)
    )


def kinds(frame: SensorFrame) -> set[str]:
    return {fault.kind for fault in frame.faults}


def refused(path: Path, **options: Any) -> list[dict[str, Any]]:
    with pytest.raises(InputError) as error:
        read(path, **options)
    return proposals(str(error.value))


def detectors(folder: Path, names: str, keep: slice = slice(None)) -> Path:
    def rows() -> Iterator[list[Any]]:
        for s in range(2):
            for i, t in enumerate(HOURS):
                cells = [ALL[s][i], SPEED[s][i], CARS[s][i], SPEED[s][i] + 2, LORRIES[s][i],
                         SPEED[s][i] - 9]  # fmt: skip
                yield [f"D{s}_HF1", f"{t:%d.%m.%Y}", t.hour, 1 if i % 9 else 0.75, *cells[keep]]

    return write(folder, names, rows(), ";")


@pytest.mark.parametrize("head", [
    "mq_name;tag;stunde;qualitaet;{}_mq_hr", "detid_15;tag;stunde;qualitaet;{}_det_hr",
    "MQ;TAG;STUNDE;QUALITAET;{}",
])  # fmt: skip
def test_of_flows_and_speeds_by_class_the_flow_of_all_is_read(tmp_path: Path, head: str) -> None:
    begin, end = head.split("{}")
    six = ";".join(f"{letter}_{one}{end}" for one in ("kfz", "pkw", "lkw") for letter in "qv")
    names = begin + (six if end else six.upper())
    path = detectors(tmp_path, names)
    frame = read(path)
    assert holds(frame, ALL)
    assert frame.sensors == ("D0_HF1", "D1_HF1")
    assert "several-quantities" in kinds(frame)
    assert frame.quantity.name == "traffic_volume"
    speed = read(path, target=names.split(";")[5])
    assert holds(speed, SPEED)
    assert speed.quantity.name == "speed"


def test_where_no_column_counts_all_each_is_proposed_and_works(tmp_path: Path) -> None:
    path = detectors(tmp_path, "detid;tag;stunde;qualitaet;q_pkw;v_pkw;q_lkw;v_lkw", slice(2, None))
    options = refused(path)
    assert [one["target"] for one in options] == ["q_pkw", "q_lkw", "v_pkw", "v_lkw"]
    assert holds(read(path, **options[0]), CARS)
    assert holds(read(path, **options[1]), LORRIES)


def test_letters_without_vehicles_are_no_flow_and_speed(tmp_path: Path) -> None:
    rows = ([s, t, ALL[s][i], SPEED[s][i]] for i, t in enumerate(HOURS) for s in range(2))
    assert refused(write(tmp_path, "site,time,q_x,v_x", rows))


def test_a_total_that_is_less_than_its_parts_is_none(tmp_path: Path) -> None:
    rows = ([s, t, LORRIES[s][i], CARS[s][i], LORRIES[s][i], SPEED[s][i]]
            for i, t in enumerate(HOURS) for s in range(2))  # fmt: skip
    head = "site,time,q_kfz,q_pkw,q_lkw,v_kfz"
    assert len(refused(write(tmp_path, head, rows))) == 4


@pytest.mark.parametrize("key", ["site,", ""])
def test_all_vehicles_are_read_not_a_class(tmp_path: Path, key: str) -> None:
    rows = ([*([s] if key else []), t, ALL[s][i], CARS[s][i], LORRIES[s][i]]
            for i, t in enumerate(HOURS) for s in range(1 + bool(key)))  # fmt: skip
    frame = read(write(tmp_path, f"{key}time,total,cars,trucks", rows))
    assert holds(frame, ALL[: 1 + bool(key)])


def test_flows_of_two_directions_are_not_passed_over_for_a_speed(tmp_path: Path) -> None:
    rows = ([s, t, ALL[s][i], CARS[s][i], SPEED[s][i]]
            for i, t in enumerate(HOURS) for s in range(2))  # fmt: skip
    options = refused(write(tmp_path, "site,time,flow_in,flow_out,speed", rows))
    assert [one["target"] for one in options] == ["flow_in", "flow_out", "speed"]


def station(stations: int, lanes: int, hourly: bool) -> Iterator[list[Any]]:
    for i, t in enumerate(HOURS):
        for s in range(stations):
            lane = [ALL[s][i] // lanes] * (lanes - 1)
            flows = [ALL[s][i] - sum(lane), *lane]
            head = [f"{t:%m/%d/%Y %H:%M:%S}", 400001 + s, 4, 101, "NS"[s], "ML", ".395", 40, 100]
            parts = [[flow, 0.0276, 64.8] if hourly else [10, flow, 0.0276, 64.8, 1]
                     for flow in flows]  # fmt: skip
            delays = ["0"] * 6 if hourly else []
            mean = [round(ALL[s][i] / 9000, 4), 60 - ALL[s][i] // 20]
            yield [*head, ALL[s][i], *mean, *delays, *(cell for part in parts for cell in part)]


@pytest.mark.parametrize("hourly", [False, True])
@pytest.mark.parametrize("stations", [1, 2])
def test_stations_of_pems_without_a_header(tmp_path: Path, stations: int, hourly: bool) -> None:
    path = write(tmp_path, "", station(stations, 3, hourly))
    frame = read(path)
    assert frame.sensors == ("400001", "400002")[:stations]
    assert holds(frame, ALL[:stations])
    again = read(path, time="column_1", sensor="column_2", target="column_10")
    assert holds(again, ALL[:stations])


def test_stations_of_pems_with_a_header(tmp_path: Path) -> None:
    names = "Timestamp,Station,District,Freeway #,Direction of Travel,Lane Type,Station Length,"
    names += "Samples,% Observed,Total Flow,Avg Occupancy,Avg Speed"
    for lane in "123":
        names += "".join(f",Lane {lane} {one}" for one in
                         ("Samples", "Flow", "Avg Occ", "Avg Speed", "Observed"))  # fmt: skip
    path = write(tmp_path, names, station(2, 3, False))
    assert holds(read(path), ALL)
    assert holds(read(path, target="Avg Speed"), SPEED)


def turnstiles(folder: Path, in_turn: bool) -> tuple[Path, list[np.ndarray], list[np.ndarray]]:
    entries = [1_000_000 + 700_000 * k + ALL[k % 2].cumsum() for k in range(4)]
    exits = [9_000_000 - 700_000 * k + CARS[k % 2].cumsum() for k in range(4)]

    def rows() -> Iterator[list[Any]]:
        for k, (area, gate) in enumerate((a, g) for a in ("A002", "N071") for g in ("00", "01")):
            for i in range(COUNT):
                late = 2 * in_turn * (area == "N071")
                t = HOURS[0] + dt.timedelta(hours=4 * i + late)
                yield [area, f"R05{area[-1]}", f"02-00-{gate}", "59 ST", "NQR", "BMT",
                       f"{t:%m/%d/%Y}", f"{t:%H:%M:%S}", "REGULAR", f"{entries[k][i]:010d}",
                       f"{exits[k][i]:010d}"]  # fmt: skip

    head = "C/A,UNIT,SCP,STATION,LINENAME,DIVISION,DATE,TIME,DESC,ENTRIES,EXITS      "
    return write(folder, head, rows()), entries, exits


@pytest.mark.parametrize("in_turn", [False, True])
def test_of_two_counters_each_is_proposed_and_works(tmp_path: Path, in_turn: bool) -> None:
    path, entries, exits = turnstiles(tmp_path, in_turn)
    options = refused(path)
    assert [one["target"] for one in options] == ["ENTRIES", "EXITS"]
    for option, totals in zip(options, (entries, exits), strict=True):
        frame = read(path, **option)
        added = {tuple(np.diff(one)[:200]) for one in totals}
        assert frame.clock.freq == "4h"
        assert len(frame.sensors) == 4
        assert {tuple(map(int, row)) for row in frame.values[:200].T} <= added


@pytest.mark.parametrize("kind", ["SDS011", "SPS30"])
def test_p1_and_p2_are_sizes_of_particles(tmp_path: Path, kind: str) -> None:
    def rows() -> Iterator[list[Any]]:
        for i, t in enumerate(HOURS):
            for s in range(2):
                yield [140 + s, kind, 60 + s, 48.7, 9.1 + s, f"{t:%Y-%m-%dT%H:%M:%S}",
                       ALL[s][i] / 10, "", "", CARS[s][i] / 10, "", ""]  # fmt: skip

    head = "sensor_id;sensor_type;location;lat;lon;timestamp;P1;durP1;ratioP1;P2;durP2;ratioP2"
    path = write(tmp_path, head, rows(), ";")
    frame = read(path)
    assert holds(frame, [cars / 10 for cars in CARS])
    assert frame.quantity.name == "pm2.5"
    coarse = read(path, target="P1")
    assert holds(coarse, [some / 10 for some in ALL])
    assert coarse.quantity.name == "pm10"
    path.write_text(path.read_text().replace(kind, "PPD42NS"))
    assert [one["target"] for one in refused(path)] == ["P1", "P2"]


def test_a_type_of_value_says_what_is_measured(tmp_path: Path) -> None:
    def rows() -> Iterator[list[Any]]:
        for i, t in enumerate(HOURS):
            for s in range(2):
                yield [48 + s, "pms5003", f"{t:%Y-%m-%dT%H:%M:%S}+00:00", "P2", CARS[s][i] / 10]
                yield [48 + s, "DHT22", f"{t:%Y-%m-%dT%H:%M:%S}+00:00", "temperature", SPEED[s][i]]

    path = write(tmp_path, "sensor_id;sensor_type;timestamp;value_type;value", rows(), ";")
    frame = read(path)
    assert len(frame.sensors) == 2
    assert "several-quantities" in {fault.kind for fault in frame.faults}
    assert holds(read(path, target="P2"), [cars / 10 for cars in CARS])
    assert holds(read(path, target="temperature"), SPEED)


@pytest.mark.parametrize("size", ["probe_count", "sample_count", "SampleSize"])
def test_how_many_were_sampled_is_no_flow(tmp_path: Path, size: str) -> None:
    def rows() -> Iterator[list[Any]]:
        for i, t in enumerate(HOURS):
            for s in range(2):
                yield [70112 + s, f"{t:%Y-%m-%d %H:%M}", SPEED[s][i] + 0.5, LORRIES[s][i]]

    frame = read(write(tmp_path, f"segment_id,time,speed_kmh,{size}", rows()))
    assert holds(frame, [some + 0.5 for some in SPEED])
    assert (frame.quantity.name, frame.quantity.unit) == ("speed", "km/h")


def particles(folder: Path, many: bool, mean: Callable[[float, float], float]) -> Path:
    def rows() -> Iterator[list[Any]]:
        for i, t in enumerate(HOURS):
            for s in range(1 + many):
                a, b = ALL[s][i] / 10, ALL[s][i] / 10 + 0.4 * (i % 3)
                yield [f"{t:%Y-%m-%dT%H:%M:%SZ}", *([900 + s] if many else []), 40 + i % 9,
                       round(mean(a, b), 2), a, b]  # fmt: skip

    head = "time_stamp," + "sensor_index," * many
    return write(folder, head + "humidity,pm2.5_atm,pm2.5_atm_a,pm2.5_atm_b", rows())


@pytest.mark.parametrize("many", [False, True])
def test_a_sensor_and_its_two_channels_are_one(tmp_path: Path, many: bool) -> None:
    path = particles(tmp_path, many, lambda a, b: (a + b) / 2)
    frame = read(path)
    assert len(frame.sensors) == 1 + many
    assert "channels" in kinds(frame)
    assert frame.values[1, 0] == pytest.approx(ALL[0][1] / 10 + 0.2)
    channel = read(path, target="pm2.5_atm_a")
    assert holds(channel, [some / 10 for some in ALL[: 1 + many]])


def test_what_lies_beyond_two_columns_has_no_channels(tmp_path: Path) -> None:
    path = particles(tmp_path, False, lambda a, b: 3 * (a + b))
    assert len(read(path).sensors) == 3


@pytest.mark.parametrize("key", ["", "sensor_index,"])
def test_ways_to_compute_particles_are_no_sensors(tmp_path: Path, key: str) -> None:
    rows = ([t, *([900 + s] if key else []), -60 - i % 7, ALL[s][i] / 20, ALL[s][i] / 10,
             ALL[s][i] / 9, ALL[s][i] / 8, ALL[s][i]]
            for i, t in enumerate(HOURS) for s in range(1 + bool(key)))  # fmt: skip
    head = f"time,{key}rssi,pm1.0_atm,pm2.5_atm,pm2.5_cf_1,pm10.0_atm,0.3_um_count"
    path = write(tmp_path, head, rows)
    options = refused(path)
    assert {"target": "pm2.5_atm"} in options
    assert {"target": "rssi"} not in options
    frame = read(path, target="pm2.5_atm")
    assert holds(frame, [some / 10 for some in ALL[: 1 + bool(key)]])


@pytest.mark.parametrize("total", ["Passage Nord", "Total"])
def test_the_total_of_two_directions_is_no_third_sensor(tmp_path: Path, total: str) -> None:
    rows = ([t, ALL[0][i] + CARS[1][i], ALL[0][i], CARS[1][i]] for i, t in enumerate(HOURS))
    frame = read(write(tmp_path, f"Time,{total},IN,OUT", rows))
    assert frame.sensors == ("IN", "OUT")
    assert "totals" in kinds(frame)


def test_of_two_directions_of_many_counters_the_total_or_each(tmp_path: Path) -> None:
    rows = [[t, s, CARS[s][i], LORRIES[s][i], ALL[s][i]]
            for i, t in enumerate(HOURS) for s in range(2)]  # fmt: skip
    assert holds(read(write(tmp_path, "time,counter,IN,OUT,TOTAL", iter(rows))), ALL)
    path = write(tmp_path, "time,counter,IN,OUT", (row[:4] for row in rows))
    assert holds(read(path, **refused(path)[1]), LORRIES)
    wrong = ([*row[:4], 3 * row[4]] for row in rows)
    assert refused(write(tmp_path, "time,counter,IN,OUT,TOTAL", wrong))


def test_periods_of_the_day_are_no_sensors(tmp_path: Path) -> None:
    rows = ([HOURS[0] + dt.timedelta(hours=12 * i), ("night", "day")[i % 2],
             CARS[0][i] // 9 + 900 * (i % 2)] for i in range(COUNT))  # fmt: skip
    frame = read(write(tmp_path, "time,period,flow", rows))
    assert frame.clock.freq == "12h"
    assert len(frame.sensors) == 1
