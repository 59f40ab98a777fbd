"""Promise: however times are written, every reading gets its true moment on one regular clock."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from citytune._errors import TableError
from citytune.frame import Fault, SensorFrame
from citytune.readers import read

UTC = dt.UTC
OSLO = ZoneInfo("Europe/Oslo")


def moments(start: dt.datetime, count: int, minutes: int = 60) -> list[dt.datetime]:
    return [start + dt.timedelta(minutes=minutes * i) for i in range(count)]


def table(times: list[object], values: list[float] | None = None) -> pl.DataFrame:
    numbers = values if values is not None else [float(i % 97) for i in range(len(times))]
    return pl.DataFrame({"time": times, "flow": numbers}, strict=False)


def fault(frame: SensorFrame, kind: str) -> Fault:
    found = [fault for fault in frame.faults if fault.kind == kind]
    assert found, [fault.kind for fault in frame.faults]
    return found[0]


@pytest.mark.parametrize(
    "pattern",
    [
        "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%d/%m/%Y %H:%M",
        "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M", "%d.%m.%y %H:%M", "%m/%d/%y %I:%M %p", "%Y%m%d%H%M",
        "%Y%m%d %H%M", "%d-%b-%Y %H:%M", "%B %d, %Y %H:%M", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H",
        "%d/%m/%Y %H.%M", "%Y%m%dT%H%M%S", "%d-%m-%Y %H:%M:%S",
    ],
)  # fmt: skip
def test_a_format_is_recognised(pattern: str) -> None:
    times = moments(dt.datetime(2023, 3, 9, 22), 24 * 40)
    frame = read(table([time.strftime(pattern) for time in times]))
    assert (frame.clock.start, frame.clock.freq, len(frame)) == (times[0], "1h", len(times))


def test_day_and_month_are_told_apart_by_all_rows() -> None:
    times = moments(dt.datetime(2023, 1, 1), 24 * 13)  # only the last day shows which is which
    for pattern in ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"):
        frame = read(table([time.strftime(pattern) for time in times]))
        assert (frame.clock.start, len(frame)) == (times[0], len(times))


def test_day_and_month_are_told_apart_by_the_order_of_rows_and_said() -> None:
    times = moments(dt.datetime(2023, 3, 1), 24 * 9)
    for pattern, words in (("%d/%m/%Y %H:%M", "day first"), ("%m/%d/%Y %H:%M", "month first")):
        frame = read(table([time.strftime(pattern) for time in times]))
        assert (frame.clock.start, len(frame)) == (times[0], len(times))
        assert words in fault(frame, "guessed-date-order").message


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000])
def test_seconds_since_1970_are_read_as_utc(factor: int) -> None:
    times = moments(dt.datetime(2023, 3, 1, tzinfo=UTC), 240)
    frame = read(table([int(time.timestamp()) * factor for time in times]))
    assert frame.clock.start == dt.datetime(2023, 3, 1)
    assert frame.clock.timezone == "UTC"
    assert "since 1970" in fault(frame, "guessed-time-format").message


def test_numbers_may_spell_dates() -> None:
    times = moments(dt.datetime(2023, 3, 1), 240)
    frame = read(table([int(time.strftime("%Y%m%d%H")) for time in times]))
    assert (frame.clock.start, len(frame)) == (times[0], 240)


def test_date_and_hour_may_stand_in_two_columns() -> None:
    times = moments(dt.datetime(2023, 3, 1), 240)
    flow = [float(i) for i in range(240)]
    dates = [time.date() for time in times]
    for clock in (
        [time.strftime("%H:%M") for time in times],
        [time.strftime("%H.%M.%S") for time in times],
        [time.time() for time in times],
    ):
        frame = read(pl.DataFrame({"Date": dates, "Time": clock, "flow": flow}))
        np.testing.assert_array_equal(frame.values[:, 0], flow)
        assert frame.clock.freq == "1h"
    text = [time.strftime("%d/%m/%Y") for time in times]
    frame = read(pl.DataFrame({"Date": text, "Hour": [t.hour for t in times], "flow": flow}))
    assert (frame.clock.start, len(frame)) == (times[0], 240)


def test_year_month_day_hour_may_stand_in_four_columns() -> None:
    times = moments(dt.datetime(2023, 2, 20), 24 * 20)
    parts = {
        part: [getattr(time, part) for time in times] for part in ("year", "month", "day", "hour")
    }
    frame = read(pl.DataFrame(parts | {"flow": [float(i) for i in range(480)]}))
    assert (frame.clock.start, len(frame), frame.sensors) == (times[0], 480, ("flow",))


def test_twenty_four_o_clock_is_midnight() -> None:
    times = moments(dt.datetime(2023, 3, 1, 1), 240)
    written = [
        (time - dt.timedelta(days=1)).strftime("%Y-%m-%d 24:00") if time.hour == 0
        else time.strftime("%Y-%m-%d %H:%M")
        for time in times
    ]  # fmt: skip
    frame = read(table(written))  # a day that ends at 24:00 names the end of each hour
    assert (frame.clock.start, len(frame)) == (dt.datetime(2023, 3, 1), 240)
    assert read(table(written), stamp="begin").clock.start == times[0]
    np.testing.assert_array_equal(frame.values[:, 0], [i % 97 for i in range(240)])


def test_mixed_offsets_become_utc() -> None:
    times = moments(dt.datetime(2023, 3, 25, tzinfo=UTC), 72)
    written = [time.astimezone(OSLO).isoformat() for time in times]
    frame = read(table(written), timezone="Europe/Oslo")
    assert frame.clock.start == dt.datetime(2023, 3, 25)
    assert frame.clock.timezone == "Europe/Oslo"
    np.testing.assert_array_equal(frame.values[:, 0], np.arange(72))
    assert fault(frame, "mixed-offsets").count == 2
    assert read(table(written)).clock.timezone == "UTC"


def test_one_offset_is_kept_as_the_zone() -> None:
    times = moments(dt.datetime(2023, 3, 1), 72)
    frame = read(table([f"{time.isoformat()}+02:00" for time in times]))
    assert frame.clock.text(0) == "2023-03-01 00:00"
    assert frame.clock.start == dt.datetime(2023, 2, 28, 22)


def test_a_typed_time_zone_is_kept() -> None:
    times = pl.Series(moments(dt.datetime(2023, 3, 25), 72)).dt.replace_time_zone("UTC")
    frame = read(
        pl.DataFrame({"time": times.dt.convert_time_zone("Europe/Oslo"), "flow": range(72)})
    )
    assert frame.clock.timezone == "Europe/Oslo"
    np.testing.assert_array_equal(frame.values[:, 0], np.arange(72))


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_the_doubled_and_the_missing_hour_get_their_true_moments(minutes: int) -> None:
    for start in (dt.datetime(2023, 3, 25), dt.datetime(2023, 10, 28)):
        times = moments(start.replace(tzinfo=UTC), 72 * 60 // minutes, minutes)
        wall = [time.astimezone(OSLO).replace(tzinfo=None) for time in times]
        values = [float(i) for i in range(len(times))]
        frame = read(table(wall, values), timezone="Europe/Oslo")
        assert frame.clock.start == start
        np.testing.assert_array_equal(frame.values[:, 0], values)
        doubled = {f.kind for f in frame.faults} & {"doubled-hour"}
        assert bool(doubled) == (start.month == 10)


def test_the_doubled_hour_is_told_apart_for_each_sensor() -> None:
    times = moments(dt.datetime(2023, 10, 28, tzinfo=UTC), 48)
    wall = [time.astimezone(OSLO).replace(tzinfo=None) for time in times]
    rows = [(t, s, i + 100.0 * k) for i, t in enumerate(wall) for k, s in enumerate("ab")]
    for order in (rows, sorted(rows, key=lambda row: row[1])):
        source = pl.DataFrame(order, schema=["time", "sensor", "flow"], orient="row")
        frame = read(source, timezone="Europe/Oslo")
        np.testing.assert_array_equal(frame.values[:, 0], np.arange(48))
        np.testing.assert_array_equal(frame.values[:, 1], np.arange(48) + 100)


def test_a_clock_that_ignores_summer_time_is_read_as_standard_time() -> None:
    times = moments(dt.datetime(2023, 3, 1), 24 * 60)
    frame = read(table(times), timezone="Europe/Oslo")
    np.testing.assert_array_equal(frame.values[:, 0], [i % 97 for i in range(24 * 60)])
    assert frame.clock.start == dt.datetime(2023, 2, 28, 23)
    assert fault(frame, "standard-time").first == "2023-03-26 02:00"


def test_without_a_zone_changed_clocks_are_pointed_out() -> None:
    times = moments(dt.datetime(2023, 3, 1, tzinfo=UTC), 24 * 60)
    frame = read(table([time.astimezone(OSLO).replace(tzinfo=None) for time in times]))
    assert "timezone=" in fault(frame, "summer-time").remedy
    assert fault(frame, "summer-time").first == "2023-03-26 02:00"
    assert np.isnan(frame.values[:, 0]).sum() == 1


def test_days_stay_days_across_summer_time() -> None:
    days = [dt.datetime(2023, 3, 1) + dt.timedelta(days=i) for i in range(60)]
    aware = [day.replace(tzinfo=OSLO).isoformat() for day in days]
    for written in (days, aware):
        frame = read(table(written), timezone="Europe/Oslo")
        assert frame.clock.freq == "1D"
        np.testing.assert_array_equal(frame.values[:, 0], np.arange(60))
        assert frame.clock.text(45) == "2023-04-15 00:00"


@pytest.mark.parametrize("minutes", [1, 5, 7, 10, 15, 30, 60, 90, 180, 1440])
def test_a_step_is_inferred_although_rows_are_missing(minutes: int) -> None:
    times = np.array(moments(dt.datetime(2023, 3, 1), 600, minutes))
    keep = np.random.default_rng(3).random(600) > 0.2
    keep[[0, -1]] = True
    frame = read(table(list(times[keep])))
    assert frame.clock.step == dt.timedelta(minutes=minutes)
    assert len(frame) == 600
    np.testing.assert_array_equal(np.isnan(frame.values[:, 0]), ~keep)


def test_jitter_is_moved_to_the_nearest_step_and_said() -> None:
    shift = np.random.default_rng(4).integers(-40, 40, 500)
    times = [
        time + dt.timedelta(seconds=int(s))
        for time, s in zip(moments(dt.datetime(2023, 3, 1, 1), 500, 5), shift, strict=True)
    ]
    frame = read(table(times))
    assert frame.clock.freq == "5min"
    assert frame.clock.start == dt.datetime(2023, 3, 1, 1)
    np.testing.assert_array_equal(frame.values[:, 0], [i % 97 for i in range(500)])
    assert "off the regular step" in fault(frame, "off-grid").message


def test_readings_on_the_half_hour_stay_there() -> None:
    frame = read(table(moments(dt.datetime(2023, 3, 1, 0, 30), 100)))
    assert frame.clock.text(1) == "2023-03-01 01:30"


def test_sensors_that_report_at_different_minutes_share_a_clock() -> None:
    a, b = (moments(dt.datetime(2023, 3, 1, 0, m), 200) for m in (0, 40))
    source = pl.concat([table(a), table(b)]).with_columns(
        sensor=pl.Series(["a"] * 200 + ["b"] * 200)
    )
    frame = read(source)
    assert (frame.clock.freq, len(frame)) == ("1h", 200)
    assert not np.isnan(frame.values).any()


def refused(source: pl.DataFrame) -> str:
    with pytest.raises(TableError) as caught:
        read(source)
    return str(caught.value)


def test_events_have_no_clock() -> None:
    gaps = np.random.default_rng(6).exponential(600, 2000)
    start = dt.datetime(2023, 3, 1)
    times = [start + dt.timedelta(seconds=float(second)) for second in gaps.cumsum()]
    assert "the clock cannot be inferred" in refused(table(times))


def test_months_are_no_clock() -> None:
    times = [dt.datetime(2000 + i // 12, i % 12 + 1, 1) for i in range(120)]
    assert "months" in refused(table(times))


def test_two_clocks_of_two_sensors_are_named() -> None:
    a, b = moments(dt.datetime(2023, 3, 1), 600, 5), moments(dt.datetime(2023, 3, 1), 50)
    source = pl.concat([table(a), table(b)]).with_columns(
        sensor=pl.Series(["a"] * 600 + ["b"] * 50)
    )
    message = refused(source)
    assert "5min ('a')" in message
    assert "1h ('b')" in message


def test_two_clocks_one_after_the_other_are_named() -> None:
    a = moments(dt.datetime(2023, 3, 1), 240)
    b = moments(dt.datetime(2023, 3, 11), 960, 15)
    message = refused(table([*a, *b]))
    assert "15min" in message
    assert "1h" in message


def test_two_clocks_of_a_wide_table_are_named() -> None:
    times = moments(dt.datetime(2023, 3, 1), 600, 15)
    slow = [float(i) if i % 4 == 0 else None for i in range(600)]
    message = refused(pl.DataFrame({"time": times, "a": [float(i) for i in range(600)], "b": slow}))
    assert "15min ('a')" in message
    assert "1h ('b')" in message


def test_a_wild_time_is_no_reason_for_a_table_of_a_million_rows() -> None:
    times = [dt.datetime(1970, 1, 1), *moments(dt.datetime(2023, 3, 1), 600, 5)]
    assert "typing error" in refused(table(times))


def test_unreadable_times_are_shown_with_their_rows() -> None:
    written: list[object] = [
        f"{time:%Y-%m-%d %H:%M}" for time in moments(dt.datetime(2023, 3, 1), 50)
    ]
    written[3], written[7], written[9], written[20] = "soon", "2023-13-01 00:00", None, "late"
    message = refused(table(written))
    assert "4 cells cannot be read as time" in message
    assert "'soon' in row 4, '2023-13-01 00:00' in row 8, (empty) in row 10" in message
    assert "late" not in message


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("form", ["%H:%M", "%I:%M %p", "%H"])
def test_midnight_below_the_other_hours_of_its_date_ends_it(form: str, backward: bool) -> None:
    begins = moments(dt.datetime(2024, 1, 8), 24 * 20)
    rows = {"date": [f"{t:%Y-%m-%d}" for t in begins],
            "hour": [(t + dt.timedelta(hours=1)).strftime(form) for t in begins],
            "flow": [float(i % 97) for i in range(len(begins))]}  # fmt: skip
    split = pl.DataFrame(rows)
    joined = split.select(time=pl.concat_str("date", "hour", separator=" "), flow="flow")
    for source in (split, joined):
        frame = read(source.reverse() if backward else source)
        assert frame.clock.start == begins[0]
        assert frame.values[:, 0].tolist() == rows["flow"]
        assert fault(frame, "midnight-last")
    plain = split.with_columns(hour=pl.Series([t.strftime(form) for t in begins]))
    assert read(plain).values[:, 0].tolist() == rows["flow"]


def test_an_offset_from_utc_is_no_sensor() -> None:
    source = table(list(moments(dt.datetime(2024, 3, 20), 24 * 20)))
    offset = pl.Series([1.0 + (i > 200) for i in range(len(source))])
    assert read(source.with_columns(utc_offset=offset)).sensors == ("flow",)


def test_an_hour_that_no_day_has_is_refused_in_words() -> None:
    begins = moments(dt.datetime(2024, 1, 8), 24 * 20)
    hour = [float(t.hour) for t in begins]
    hour[50] = 1e20
    rows = {"date": [t.date() for t in begins], "hour": hour,
            "flow": [float(i % 97) for i in range(len(begins))]}  # fmt: skip
    with pytest.raises(TableError, match="its cells are not times of the day"):
        read(pl.DataFrame(rows))
