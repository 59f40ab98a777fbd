"""Promise: odd layouts of real systems are read rightly, or refused with what would settle it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from remedies import TIMES, A, B, C, wide
from systems import TABLES, System, documents, hours, is_right, waves

from citytune import InputError
from citytune.readers import read

DOCUMENTS = documents()


@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_tables_of_real_systems_are_read_rightly(
    tmp_path: Path, make: Callable[[], System]
) -> None:
    system = make()
    (tmp_path / "export.csv").write_bytes(system.data)
    assert is_right(system, read(tmp_path / "export.csv", **system.options))


@pytest.mark.parametrize("shape", DOCUMENTS)
def test_records_are_found_in_any_shape_of_json(tmp_path: Path, shape: str) -> None:
    (tmp_path / "answer.json").write_bytes(DOCUMENTS[shape].data)
    assert is_right(DOCUMENTS[shape], read(tmp_path / "answer.json"))


def refusal(table: pl.DataFrame) -> str:
    with pytest.raises(InputError) as found:
        read(table)
    return str(found.value)


def test_two_times_on_clocks_of_their_own_are_refused_with_what_picks_each() -> None:
    (flow,) = waves(1, 480)
    times = hours(480)
    late = [t + dt.timedelta(hours=3 + i % 5 * 2) for i, t in enumerate(times)]
    table = pl.DataFrame({"time": times, "moment": late, "flow": flow})
    said = refusal(table)
    assert "time='time'" in said
    assert "time='moment'" in said
    assert len(read(table, time="time")) == 480


def test_a_time_that_was_written_later_is_no_rival() -> None:
    (flow,) = waves(1, 480)
    times = hours(480)
    late = [t + dt.timedelta(hours=3 + i % 5 * 2) for i, t in enumerate(times)]
    frame = read(pl.DataFrame({"updated": late, "period": times, "flow": flow}))
    assert frame.clock.start == times[0]


def test_local_time_and_utc_are_read_as_utc() -> None:
    (flow,) = waves(1, 480)
    times = hours(480, "UTC")
    local = [t.astimezone(dt.timezone(dt.timedelta(hours=2))).replace(tzinfo=None) for t in times]
    frame = read(pl.DataFrame({"time_local": local, "time_utc": times, "flow": flow}))
    assert (frame.clock.timezone, frame.clock.start) == ("UTC", times[0].replace(tzinfo=None))


def test_stages_of_checking_are_no_sensors() -> None:
    (flow,) = waves(1, 480)
    half = np.arange(480) < 240
    table = pl.DataFrame(
        {"time": hours(480), "checked": np.where(half, flow, np.nan),
         "raw": np.where(half, np.nan, flow)}
    ).fill_nan(None)  # fmt: skip
    assert "target='checked'" in refusal(table)


def test_several_quantities_of_the_same_places_are_no_sensors() -> None:
    names = ("alpha_1", "alpha_2", "beta_1", "beta_2")
    one, two, three, four = waves(4, 480)
    far = dict(zip(names, (one, two, 10 * three, 10 * four), strict=True))
    assert "2 quantities of 2 places" in refusal(pl.DataFrame({"time": hours(480)} | far))
    near = dict(zip(("in_1", "in_2", "out_1", "out_2"), (one, two, three, four), strict=True))
    assert len(read(pl.DataFrame({"time": hours(480)} | near)).sensors) == 4


def test_a_unit_that_changes_in_the_middle_is_found() -> None:
    one, two, three = waves(3, 480)
    turned = np.r_[one[:300], 1000 * one[300:]]
    assert "1,000 times larger from" in refusal(
        pl.DataFrame({"time": hours(480), "load_kw": turned})
    )
    frame = read(pl.DataFrame({"time": hours(480), "a": turned, "b": two, "c": three}))
    assert "unit-change" in {fault.kind for fault in frame.faults}
    assert np.isnan(frame.values[300:, 0]).all()
    np.testing.assert_allclose(frame.values[:300, 0], one[:300], rtol=1e-6)


def seasons(days: int) -> NDArray[np.float64]:
    """A load by the hour that is twice as high in winter as in summer, by weekday and hour."""
    hour = np.arange(24 * days)
    week = np.where(hour // 24 % 7 < 5, 1.0, 0.8)
    return 90 * (1.5 + 0.5 * np.cos(hour / 24 / 365 * 2 * np.pi)) * week * (2 + np.sin(hour / 3.82))


def test_a_unit_that_changes_while_seasons_do_is_found() -> None:
    load = seasons(400)
    load[200 * 24 :] /= 1000
    said = refusal(pl.DataFrame({"time": hours(len(load)), "load_mw": load}))
    assert "1,000 times smaller from" in said
    assert "level" not in said


@pytest.mark.parametrize("ratio", [0.4, 3.0])
def test_a_level_that_changes_for_good_is_told(ratio: float) -> None:
    load = seasons(400)
    later = load.copy()
    later[200 * 24 :] *= ratio
    grows = load * np.linspace(1, 2, len(load))
    closed = load.copy()
    closed[200 * 24 : 235 * 24] *= ratio
    frame = read(
        pl.DataFrame({"time": hours(len(load)), "a": load, "b": later, "c": grows, "d": closed})
    )
    (told,) = [fault for fault in frame.faults if fault.kind == "level-change"]
    assert told.sensor == "b"
    (said,) = re.findall(r"about ([\d.]+) times", told.message)
    assert float(said) == pytest.approx(ratio, rel=0.1)
    assert told.first is not None
    assert abs(dt.datetime.fromisoformat(told.first) - hours(len(load))[200 * 24]) < dt.timedelta(
        days=4
    )
    np.testing.assert_allclose(frame.values[:, 1], later, rtol=1e-6)


def test_a_daily_rhythm_is_no_total_since_midnight() -> None:
    saw = 10.0 + np.arange(480) % 24
    frame = read(pl.DataFrame({"time": hours(480), "pm25": saw}))
    np.testing.assert_array_equal(frame.values[:, 0], saw)


def test_a_damaged_parquet_file_is_told_in_one_sentence_without_a_word_of_rust(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "flow.parquet"
    pl.DataFrame({"time": hours(480), "flow": waves(1, 480)[0]}).write_parquet(path)
    whole = path.read_bytes()
    rng, said = np.random.default_rng(3), []
    for _ in range(40):
        damaged = bytearray(whole)
        for place in rng.integers(4, len(whole), 6):
            damaged[int(place)] ^= 0xFF
        path.write_bytes(bytes(damaged))
        try:
            read(path)
        except InputError as error:
            said.append(str(error))
    assert any("damaged" in one for one in said)
    assert "panicked" not in capfd.readouterr().err


def refused_text(tmp_path: Path, lines: list[str], name: str = "export.csv") -> str:
    (tmp_path / name).write_text("\n".join(lines))
    with pytest.raises(InputError) as found:
        read(tmp_path / name)
    return str(found.value)


def test_times_of_the_day_of_which_a_few_are_odd_are_no_sensors(tmp_path: Path) -> None:
    (load,) = waves(1, 480)
    rows = [f"{t:%d.%m.%Y};{t:%H}{'A' if i == 26 else 'B' if i == 27 else ''}:00;{v}"
            for i, (t, v) in enumerate(zip(hours(480), load, strict=True))]  # fmt: skip
    said = refused_text(tmp_path, ["Datum;von;Netzlast [MW]", *rows])
    assert "cannot be read as time" in said
    assert "'02A:00'" in said


def test_a_total_below_hours_of_days_side_by_side_is_no_sensor(tmp_path: Path) -> None:
    (flow,) = waves(1, 24 * 31, 0)
    days = [f"{t:%d/%m/%Y}" for t in hours(24 * 31)[::24]]
    rows = [",".join((f"{h:02d}:00", *(f"{v:.0f}" for v in flow[h::24]))) for h in range(24)]
    table = [f"Hour,{','.join(days)}", *rows]
    total = ",".join(("Total", *(f"{flow[i : i + 24].sum():.0f}" for i in range(0, 744, 24))))
    for lines in (table, [*table, total]):
        (tmp_path / "a.csv").write_text("\n".join(lines))
        assert is_right(System(b"", [flow], {}), read(tmp_path / "a.csv"))


def test_a_number_and_the_code_of_its_quality_are_tenths(tmp_path: Path) -> None:
    (warmth,) = waves(1, 480)
    rows = [f'"{t:%Y-%m-%dT%H:%M:%S}","+{10 * v:04.0f},{1 + i % 2}"'
            for i, (t, v) in enumerate(zip(hours(480), warmth / 2, strict=True))]  # fmt: skip
    (tmp_path / "isd.csv").write_text("\n".join(['"DATE","TMP"', *rows]))
    assert is_right(System(b"", [(10 * warmth / 2).round() / 10], {}), read(tmp_path / "isd.csv"))
    assert "no column holds numbers" in refused_text(tmp_path, ['"DATE","OWN"', *rows])


@pytest.mark.parametrize(
    "head", ["# STN,YYYYMMDD,HH,FF,FH", "STATIONS_ID,MESS_DATUM,hour,TT_TU,RF_TU",
             "Network Link Id,Date,Hour,Quick,Slow"],
)  # fmt: skip
def test_the_quantities_of_one_numbered_station_are_no_sensors(tmp_path: Path, head: str) -> None:
    one, two = waves(2, 480)
    rows = [f"240,{t:%Y%m%d},{t.hour + 1},{a},{b}"
            for t, a, b in zip(hours(480), one, two, strict=True)]  # fmt: skip
    assert "2 columns could be the readings" in refused_text(tmp_path, [head, *rows])


def test_columns_in_units_of_several_kinds_are_refused_with_what_picks_one() -> None:
    one, two = waves(2, 480)
    said = refusal(pl.DataFrame({"time": hours(480), "AR (°C)": one, "UMID (%)": two}))
    assert "target='AR (°C)'" in said
    umid, temp = "UMIDADE RELATIVA DO AR (%)", "TEMPERATURA DO AR (°C)"
    said = refusal(pl.DataFrame({"time": hours(480), temp: one, umid: two}))
    assert f"target={temp!r}" in said
    assert f"target={umid!r}" in said
    said = refusal(pl.DataFrame({"time": hours(480), "north (kW)": one, "south (MW)": two}))
    assert "target='south (MW)'" in said


def test_a_file_called_after_a_province_does_not_drop_its_frosts(tmp_path: Path) -> None:
    (warmth,) = waves(1, 480)
    path = tmp_path / "climate_BC_2024.csv"
    pl.DataFrame({"time": hours(480), "Temp (°C)": warmth - 40}).write_csv(path)
    frame = read(path)
    assert frame.quantity.low is None
    assert not np.isnan(frame.values).any()


def test_a_header_behind_a_hash_is_one(tmp_path: Path) -> None:
    (flow,) = waves(1, 480)
    rows = [f"{t:%Y-%m-%d %H:%M},{v}" for t, v in zip(hours(480), flow, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["# made by a logger", "# time,old bridge", *rows]))
    assert read(tmp_path / "a.csv").sensors == ("old bridge",)


def test_points_that_part_thousands_are_no_decimals(tmp_path: Path) -> None:
    counts = [float(400 + i * 37 % 1500) for i in range(24 * 30)]
    times = [f"{t:%d/%m/%Y %H:%M}" for t in hours(len(counts))]
    lines = [f"{t};{v:,.0f}".replace(",", ".") for t, v in zip(times, counts, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["time;cars", *lines]))
    frame = read(tmp_path / "a.csv")
    assert frame.values[:, 0].tolist() == counts


def test_a_name_known_as_a_whole_is_read_without_its_likes() -> None:
    one, two = waves(2, 480)
    demand = pl.DataFrame({"time": hours(480), "Market Demand": two, "Ontario Demand": one})
    assert read(demand).sensors == ("Ontario Demand",)


@pytest.mark.parametrize(
    ("hours", "name", "parts"),
    [("hour", "Interval", 4), ("hour ending", "QTR", 4), ("text", "Int5", 12),
     ("range", "Quarter", 4), ("full", "Minute", 4)],
)  # fmt: skip
def test_parts_of_an_hour_belong_to_the_time(hours: str, name: str, parts: int) -> None:
    size = 60 // parts
    first, last = dt.datetime(2024, 1, 8), dt.datetime(2024, 1, 20)
    times = pl.datetime_range(first, last, f"{size}m", closed="left", eager=True)
    load = 40.0 + np.arange(len(times)) % (24 * parts) + np.arange(len(times)) % 7
    hour = [str(h) for h in range(24)]
    words = {
        "hour ending": [str(h + 1) for h in range(24)],
        "text": [f"{h:02d}:00" for h in range(24)],
        "range": [f"{h:02d}:00-{h + 1:02d}:00" for h in range(24)],
    }.get(hours, hour)
    minute = times.dt.minute()
    columns = {
        "Date": times.dt.date(),
        "Hour": pl.Series([words[h] for h in times.dt.hour()]),
        name: minute if name == "Minute" else minute // size + 1,
        "load": load,
    }
    if hours == "full":
        columns["Date"] = times.dt.truncate("1h")
        del columns["Hour"]
    frame = read(pl.DataFrame(columns))
    assert frame.clock.freq == f"{size}min"
    assert frame.clock.text(0).endswith("00:00")
    assert np.allclose(frame.values[:, 0], load)
    assert "parts-of-hours" in {fault.kind for fault in frame.faults}


@pytest.mark.parametrize("names", ["00 15 30 45", "Q_1 Q_2 Q_3", "Quarter 1,Quarter 2,Quarter 3"])
def test_parts_of_an_hour_across_columns_are_no_sensors(names: str) -> None:
    told = names.split("," if "," in names else " ")
    source = wide(**dict(zip(told, (A, B, C, A + B), strict=False)))
    if "Q_" in names:
        assert read(source).sensors == tuple(told)
        return
    if "00" in names:
        frame = read(source)
        assert frame.clock.freq == "15min"
        assert np.allclose(frame.values[:4, 0], [A[0], B[0], C[0], A[0] + B[0]])
        return
    with pytest.raises(InputError, match="parts of each hour"):
        read(source)


def test_rows_of_sites_and_pollutants_both_name_a_column(tmp_path: Path) -> None:
    rows = ["Time;Station;;School;", ";NO2;PM10;NO2;PM10"]
    rows += [f"{t};{a};{b};{c};1.5" for t, a, b, c in zip(TIMES, A, B, C, strict=True)]
    (tmp_path / "air.csv").write_text("\n".join(rows))
    frame = read(tmp_path / "air.csv", target="Station PM10")
    assert np.allclose(frame.values[:, 0], B)


def test_hours_may_be_named_kl(tmp_path: Path) -> None:
    rows = ["Dato;" + ";".join(f"kl. {h:02d}-{h + 1:02d}" for h in range(24))]
    days = A[: len(A) // 24 * 24].reshape(-1, 24)
    rows += [f"2024-01-{8 + i:02d};" + ";".join(map(str, day)) for i, day in enumerate(days[:14])]
    (tmp_path / "count.csv").write_text("\n".join(rows))
    assert np.allclose(read(tmp_path / "count.csv").values[:, 0], days[:14].ravel())
