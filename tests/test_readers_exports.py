"""Promise: exports of real systems are read with the right values at the right times."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
from exports import EXPORTS, LENGTH, START, Export
from systems import Values, hours, waves

from citytune import InputError, SensorFrame
from citytune.readers import read


def is_right(export: Export, frame: SensorFrame) -> bool:
    """Whether a frame holds the series that are meant and no others, at their times."""
    one, two = export.series()
    known = {"a": [one], "b": [two], "ab": [one, two], "k": [1000 * one]}
    return frame.clock.step == export.step and any(
        len(frame.sensors) == len(known[group])
        and all(_holds(export, series, frame) for series in known[group])
        for group in export.truth.split("/")
    )


def _holds(export: Export, series: Values, frame: SensorFrame) -> bool:
    """Whether a column has the series; where time counts, a label may be off by one step."""
    begin = frame.clock.start if export.start is None else export.start
    near = round((begin - frame.clock.start) / export.step)
    for shift in (near - 1, near, near + 1):
        first, last = max(0, shift), min(len(frame), shift + LENGTH)
        part = series[first - shift : last - shift, None]
        gap = np.abs(frame.values[first:last] - part) <= 1e-3 * np.maximum(1, np.abs(part))
        if len(part) > LENGTH - 3 and gap.all(0).any():
            return True
    return False


@pytest.mark.parametrize("system", EXPORTS)
def test_exports_of_real_systems_are_read_rightly(tmp_path: Path, system: str) -> None:
    (tmp_path / "export.csv").write_bytes(EXPORTS[system].data())
    frame = read(tmp_path / "export.csv")
    assert is_right(EXPORTS[system], frame), frame


def daily(row: str, flags: bool = False) -> tuple[list[str], Values]:
    """A row for each of 20 days with 24 numbers, each perhaps with a flag behind it."""
    (load,) = waves(1, 480)
    rows = []
    for i, day in enumerate(hours(480)[::24]):
        cells = [f"{v}{row}1" if flags else f"{v}" for v in load[24 * i : 24 * i + 24]]
        rows.append(f"{day:%Y-%m-%d}{row}" + row.join(cells))
    return rows, load


def test_hours_and_flags_without_a_header_are_read_and_bare_numbers_refused(tmp_path: Path) -> None:
    rows, load = daily("\t", flags=True)
    (tmp_path / "airbase").write_text("\n".join(rows))
    np.testing.assert_allclose(read(tmp_path / "airbase").values[:, 0], load, rtol=1e-5)
    (tmp_path / "bare.csv").write_text("\n".join(daily(",")[0]))
    with pytest.raises(InputError, match="times of the day, or sensors"):
        read(tmp_path / "bare.csv")


def test_a_table_on_its_side_is_turned(tmp_path: Path) -> None:
    one, two = waves(2, 480)
    lines = ["sensor," + ",".join(f"{t:%Y-%m-%d %H:%M}" for t in hours(480))]
    lines += [f"{name}," + ",".join(map(str, v)) for name, v in (("north", one), ("south", two))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    frame = read(tmp_path / "a.csv")
    assert frame.sensors == ("north", "south")
    np.testing.assert_allclose(frame.values, np.c_[one, two], rtol=1e-5)


@pytest.mark.parametrize("shape", ["columns", "index", "one"])
def test_json_whose_keys_are_times_is_a_table(tmp_path: Path, shape: str) -> None:
    one, two = waves(2, 480)
    keys = [f"{t:%Y-%m-%dT%H:%M:%S}" for t in hours(480)]
    first, second = (dict(zip(keys, v.tolist(), strict=True)) for v in (one, two))
    document = {
        "columns": {"A": first, "B": second},
        "index": {key: {"A": first[key], "B": second[key]} for key in keys},
        "one": {"data": first},
    }[shape]
    (tmp_path / "a.json").write_text(json.dumps(document))
    frame = read(tmp_path / "a.json")
    assert frame.clock.start == START
    assert len(frame.sensors) == (1 if shape == "one" else 2)
    np.testing.assert_allclose(frame.values[:, 0], one, rtol=1e-5)


@pytest.mark.parametrize("encoding", ["cp932", "gb18030", "cp949", "cp1251", "cp1252", "utf-16"])
def test_names_of_sensors_keep_their_letters(tmp_path: Path, encoding: str) -> None:
    names = {"cp932": "東京測定局", "gb18030": "东四监测站点", "cp949": "강남구측정소",
             "cp1251": "Набережная", "cp1252": "Süd-Straße", "utf-16": "Süd"}  # fmt: skip
    (load,) = waves(1, 480)
    head = f"time,{names[encoding]},x"
    rows = [f"{t},{v},{v + 1:.1f}" for t, v in zip(hours(480), load, strict=True)]
    (tmp_path / "a.csv").write_bytes("\n".join([head, *rows]).encode(encoding))
    assert read(tmp_path / "a.csv").sensors[0] == names[encoding]


@pytest.mark.parametrize("encoding", ["cp932", "big5"])
def test_rare_names_that_fill_a_long_table_keep_their_letters(
    tmp_path: Path, encoding: str
) -> None:
    names = {"cp932": ("新宿三丁目", "渋谷橋"), "big5": ("基隆", "古亭")}[encoding]
    head = {"cp932": "時刻,計測地点名称,断面交通量", "big5": "日期,測站,流量"}[encoding]
    rows = [f"{t},{name},{v}" for t, *both in zip(hours(480), *waves(2, 480), strict=True)
            for name, v in zip(names, both, strict=True)]  # fmt: skip
    (tmp_path / "a.csv").write_bytes("\n".join([head, *rows]).encode(encoding))
    assert {*read(tmp_path / "a.csv").sensors} == {*names}


def test_numbers_that_may_be_days_are_no_times_unless_they_follow_one_another(
    tmp_path: Path,
) -> None:
    (load,) = waves(1, 480)
    rows = [f"{t},{40_000 + 10 * v:.1f}" for t, v in zip(hours(480), load, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["time,ts", *rows]))
    frame = read(tmp_path / "a.csv", time="time")
    assert frame.clock.step == dt.timedelta(hours=1)
    assert frame.values[0, 0] == pytest.approx(40_000 + 10 * load[0], rel=1e-6)
