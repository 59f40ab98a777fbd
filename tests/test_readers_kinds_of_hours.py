"""Promise: however a file marks the hour that comes twice in autumn, both of its rows are kept."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from systems import given, holds, refusal, waves

from citytune.readers import read

LENGTH = 24 * 30
BERLIN = ZoneInfo("Europe/Berlin")
UTC = [dt.datetime(2024, 10, 5, 22, tzinfo=dt.UTC) + dt.timedelta(hours=i) for i in range(LENGTH)]
LOCAL = [moment.astimezone(BERLIN) for moment in UTC]
SUMMER = [bool(moment.dst()) for moment in LOCAL]
AHEAD = [int(moment.utcoffset().total_seconds()) for moment in LOCAL]  # type: ignore[union-attr]
(A,) = waves(1, LENGTH)
ORDER = np.random.default_rng(5).permutation(LENGTH)


def table(tmp_path: Path, name: str, cells: list[object]) -> Path:
    """Rows of local times in no order, of which a column tells more."""
    lines = [f"{LOCAL[i]:%Y-%m-%d %H:%M},{cells[i]},{A[i]}" for i in ORDER]
    return given(tmp_path, f"local_time,{name},flow", *lines)


@pytest.mark.parametrize(
    ("name", "words"),
    [("DST", "YN"), ("DST", "10"), ("is_dst", ("True", "False")), ("S/W", "SW"), ("Zeit", "SW"),
     ("Sommerzeit", ("ja", "nein")), ("heure", ("été", "hiver")), ("summer_time", "10"),
     ("DSTFlag", ("Y", ""))],
)  # fmt: skip
def test_a_flag_of_summer_time_orders_a_doubled_hour(
    tmp_path: Path, name: str, words: tuple[str, str]
) -> None:
    path = table(tmp_path, name, [words[0] if summer else words[1] for summer in SUMMER])
    frame = read(path, timezone="Europe/Berlin")
    assert len(frame) == LENGTH
    assert holds(frame, A)
    assert "doubled-hour" in {fault.kind for fault in frame.faults}


def test_ids_stay_as_they_are_written_in_another_order(tmp_path: Path) -> None:
    lines = [f"{LOCAL[i]:%Y-%m-%d %H:%M},{site},{int(SUMMER[i])},{A[i] + k}"
             for i in ORDER for k, site in enumerate(("1.50", "2.00"))]  # fmt: skip
    frame = read(given(tmp_path, "time,site,DST,flow", *lines), timezone="Europe/Berlin")
    assert frame.sensors == ("1.50", "2.00")
    assert holds(frame, A, A + 1)


@pytest.mark.parametrize("name", ["DSTFlag", "RepeatedHourFlag"])
def test_a_flag_that_is_set_in_a_doubled_hour_alone_marks_the_second(
    tmp_path: Path, name: str
) -> None:
    second = [i > 0 and LOCAL[i].hour == LOCAL[i - 1].hour for i in range(LENGTH)]
    path = table(tmp_path, name, ["Y" if again else "N" for again in second])
    frame = read(path, timezone="Europe/Berlin")
    assert len(frame) == LENGTH
    assert holds(frame, A)


@pytest.mark.parametrize(
    ("name", "spelt"),
    [("UTC offset", lambda s: s // 3600), ("utc_offset", lambda s: f"+{s // 3600}"),
     ("UTC Offset", lambda s: f"+{s // 3600:02d}00"), ("offset", lambda s: s // 3600),
     ("utc_offset", lambda s: s // 60), ("tz", lambda s: s), ("GMT offset", lambda s: s // 36),
     ("Zeitzone", lambda s: f"0{s // 3600}:00")],
)  # fmt: skip
def test_offsets_next_to_local_times_are_used(tmp_path: Path, name: str, spelt: object) -> None:
    path = table(tmp_path, name, [spelt(seconds) for seconds in AHEAD])  # type: ignore[operator]
    for zone in (None, "Europe/Berlin"):
        frame = read(path, timezone=zone)
        assert frame.clock.start == UTC[0].replace(tzinfo=None)
        assert holds(frame, A)


def test_one_offset_throughout_is_that_of_a_clock_without_summer_time(tmp_path: Path) -> None:
    lines = [f"{t + dt.timedelta(hours=1):%Y-%m-%d %H:%M},+0100,{a}"
             for t, a in zip(UTC, A, strict=True)]  # fmt: skip
    path = given(tmp_path, "local_time,UTC offset,flow", *lines)
    frame = read(path)
    assert frame.clock.timezone is None
    assert "zone-name" in {fault.kind for fault in frame.faults}
    assert holds(read(path, timezone="Europe/Berlin"), A)
    assert read(path, timezone="Europe/Berlin").clock.start == UTC[0].replace(tzinfo=None)


def test_an_offset_that_is_no_offset_changes_nothing(tmp_path: Path) -> None:
    lines = [f"{t:%Y-%m-%d %H:%M},{i % 5},{a}" for i, (t, a) in enumerate(zip(UTC, A, strict=True))]
    frame = read(given(tmp_path, "time,offset,flow", *lines))
    assert frame.clock.timezone is None
    assert holds(frame, A)


def folded(tmp_path: Path, *names: str, mark: str, after: int, skip: str = "") -> Path:
    """A row for each day, and a column more for the hour that comes again after the first ones."""
    lines = []
    for day in range(LENGTH // 24):
        moments = [i for i, t in enumerate(LOCAL) if t.date() == LOCAL[24 * day + 1].date()]
        cells = [f"{A[i]}" for i in moments]
        again = cells.pop(3) if len(cells) == 25 else skip
        row = [*cells[:after], again, *cells[after:]]
        lines.append(f"{LOCAL[24 * day + 1]:%Y-%m-%d},{','.join(row)}")
    head = [*names[:after], mark, *names[after:]]
    return given(tmp_path, f"Date,{','.join(head)}", *lines)


@pytest.mark.parametrize(
    ("names", "mark", "after"),
    [("HE{}", "HE3*", 3), ("H{:02d}", "H03b", 3), ("Hour {}", "Hour 3X", 24), ("{}", "3B", 3),
     ("HE{}", "HE3 (DST)", 3), ("HE{:02d}", "HE03DST", 3), ("HE{}", "HE3", 3)],
)  # fmt: skip
@pytest.mark.parametrize("skip", ["", "0"])
def test_a_column_of_the_doubled_hour_is_read_as_its_second_row(
    tmp_path: Path, names: str, mark: str, after: int, skip: str
) -> None:
    hours = [names.format(i) for i in range(1, 25)]
    path = folded(tmp_path, *hours, mark=mark, after=after, skip=skip)
    frame = read(path, timezone="Europe/Berlin")
    assert holds(frame, A)
    assert frame.clock.start == UTC[0].replace(tzinfo=None)
    assert "doubled-hour" in {fault.kind for fault in read(path).faults}


def test_letters_of_both_hours_across_are_understood(tmp_path: Path) -> None:
    hours = [f"H{i}" if i != 3 else "H3A" for i in range(1, 25)]
    path = folded(tmp_path, *hours, mark="H3B", after=3)
    assert holds(read(path, timezone="Europe/Berlin"), A)


def test_a_further_column_that_is_always_filled_is_asked_about(tmp_path: Path) -> None:
    hours = [f"HE{i}" for i in range(1, 25)]
    path = folded(tmp_path, *hours, mark="HE3*", after=3, skip="7")
    assert "'HE3*' should be the hour that comes twice" in refusal(path)


def test_hours_across_in_another_order_are_hours(tmp_path: Path) -> None:
    hours = [f"HE{i}" for i in range(1, 25)]
    path = folded(tmp_path, *hours, mark="HE25", after=3)
    assert read(path, timezone="Europe/Berlin").clock.freq == "1h"
