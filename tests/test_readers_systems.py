"""Promise: odd layouts of real systems are read rightly, or refused with what would settle it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from systems import TABLES, System, documents, hours, waves

from citytune import InputError, SensorFrame
from citytune.readers import read

DOCUMENTS = documents()


def is_right(system: System, frame: SensorFrame) -> bool:
    """Whether the frame holds the series and no others; a label may be off by one step."""
    if frame.clock.step != dt.timedelta(minutes=system.minutes):
        return False
    return len(frame.sensors) == len(system.truth) and all(
        any(_alike(series, frame.values[:, j]) for j in range(len(frame.sensors)))
        for series in system.truth
    )


def _alike(series: np.ndarray, column: np.ndarray) -> bool:
    size = min(len(series), len(column)) - 2
    return any(
        np.nanmean(np.abs(series[i : i + size] - column[j : j + size])) < 1e-3
        for i, j in ((0, 0), (0, 1), (1, 0))
    )


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
