"""Tables as people write them for people: marks, merged dates, totals among rows, other eras."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from citytune import InputError
from citytune.readers import read

HOURS = [dt.datetime(2024, 2, 1) + dt.timedelta(hours=i) for i in range(480)]
FLOW = np.random.default_rng(3).poisson(200 + 100 * np.sin(np.arange(480) * 2 * np.pi / 24))


def write(folder: Path, lines: list[str]) -> Path:
    path = folder / "export.csv"
    path.write_text("\n".join(lines))
    return path


def is_flow(path: Path, **options: str) -> bool:
    frame = read(path, **options)
    return frame.values.shape == (480, 1) and bool((frame.values[:, 0] == FLOW).all())


def kinds(path: Path) -> set[str]:
    return {fault.kind for fault in read(path).faults}


@pytest.mark.parametrize("mark", [" R", "R", " *", "*", " (P)"])
def test_marks_behind_numbers_are_no_part_of_them(tmp_path: Path, mark: str) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{v}{mark if i % 3 else ''}"
            for i, (t, v) in enumerate(zip(HOURS, FLOW, strict=True))]  # fmt: skip
    path = write(tmp_path, ["time,flow", *rows])
    assert is_flow(path)
    assert "marks" in kinds(path)


def test_values_marked_as_bad_are_missing(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{v}{'#' if i == 40 else ''}"
            for i, (t, v) in enumerate(zip(HOURS, FLOW, strict=True))]  # fmt: skip
    values = read(write(tmp_path, ["time,flow", *rows])).values[:, 0]
    assert np.flatnonzero(np.isnan(values)).tolist() == [40]


@pytest.mark.parametrize("letter", ["K", "k"])
def test_letters_of_thousands_are_no_marks(tmp_path: Path, letter: str) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{v}{letter if i % 2 else ''}"
            for i, (t, v) in enumerate(zip(HOURS, FLOW, strict=True))]  # fmt: skip
    with pytest.raises(InputError, match="notation that is not known"):
        read(write(tmp_path, ["time,flow", *rows]))


def test_ids_with_letters_stay_apart(tmp_path: Path) -> None:
    names = [f"{i}{letter}" for i in range(1, 16) for letter in "AB"]
    rows = [f"{t:%Y-%m-%d %H:%M},{name},{v}" for t, v in zip(HOURS[:96], FLOW, strict=False)
            for name in names]  # fmt: skip
    assert len(read(write(tmp_path, ["time,line,flow", *rows])).sensors) == 30


@pytest.mark.parametrize("name", ["site", "detid", "Ort"])
def test_ids_of_directions_stay_apart(tmp_path: Path, name: str) -> None:
    names = [f"{i}{letter}" for i in range(101, 116) for letter in "NS"]
    rows = [f"{t:%Y-%m-%d %H:%M},{one},{v + 900 * ('S' in one)}"
            for t, v in zip(HOURS[:96], FLOW, strict=False) for one in names]  # fmt: skip
    frame = read(write(tmp_path, [f"time,{name},flow", *rows]))
    assert {*frame.sensors} == {*names}


def test_degrees_of_two_scales_are_not_mixed(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{20 + v / 90:.1f} C" if i % 2 else
            f"{t:%Y-%m-%d %H:%M},{68 + v / 50:.1f} F"
            for i, (t, v) in enumerate(zip(HOURS, FLOW, strict=True))]  # fmt: skip
    with pytest.raises(InputError):
        read(write(tmp_path, ["time,temperature", *rows]))


def test_a_date_written_once_a_day_stands_for_the_rows_below(tmp_path: Path) -> None:
    rows = [f"{t:%d/%m/%Y}" * (t.hour == 0) + f",{t:%H:%M},{v}"
            for t, v in zip(HOURS, FLOW, strict=True)]  # fmt: skip
    path = write(tmp_path, ["Date,Time,Cars", *rows])
    assert is_flow(path)
    assert "merged-dates" in kinds(path)


def test_dates_that_are_missing_where_no_day_begins_are_not_made_up(tmp_path: Path) -> None:
    rows = [f"{t:%d/%m/%Y}" * (t.hour % 7 == 0) + f",{t:%H:%M},{v}"
            for t, v in zip(HOURS, FLOW, strict=True)]  # fmt: skip
    with pytest.raises(InputError, match="cannot be read as time"):
        read(write(tmp_path, ["Date,Time,Cars", *rows]))


@pytest.mark.parametrize("total", ["{t:%d/%m/%Y},Total,9000", "Daily total,,9000", "Summe,,9000"])
def test_totals_among_the_rows_are_no_data(tmp_path: Path, total: str) -> None:
    rows = []
    for t, v in zip(HOURS, FLOW, strict=True):
        rows.append(f"{t:%d/%m/%Y},{t:%H:%M},{v}")
        if t.hour == 23:
            rows.append(total.format(t=t))
    path = write(tmp_path, ["Date,Time,Cars", *rows])
    assert is_flow(path)
    assert "summaries" in kinds(path)


def test_a_title_above_each_week_is_no_data(tmp_path: Path) -> None:
    rows = []
    for i, (t, v) in enumerate(zip(HOURS, FLOW, strict=True)):
        rows += [f"Week {i // 168 + 5}", "Date,Time,Cars"] if i % 168 == 0 else []
        rows.append(f"{t:%d/%m/%Y},{t:%H:%M},{v}")
    assert is_flow(write(tmp_path, rows))


@pytest.mark.parametrize(
    "spell",
    [
        lambda t: f"{t:%a %d %b %Y %H:%M}",
        lambda t: f"jeu. {t.day} févr. {t:%Y %H:%M}",
        lambda t: f"{t.day} de febrero de {t:%Y %H:%M}",
        lambda t: f"{t.year - 1911}/{t:%m/%d %H:%M}",
        lambda t: f"{t:%d/%m}/{t.year + 543} {t:%H:%M}",
        lambda t: f"令和{t.year - 2018}年{t.month}月{t.day}日 {t.hour}時",
        lambda t: f"{t.year}년 {t.month}월 {t.day}일 {t.hour}시",
    ],
)
def test_dates_for_people_are_read(tmp_path: Path, spell: object) -> None:
    rows = [f"{spell(t)},{v}" for t, v in zip(HOURS, FLOW, strict=True)]  # type: ignore[operator]
    frame = read(write(tmp_path, ["when,flow", *rows]))
    assert (frame.values[:, 0] == FLOW).all()
    assert frame.clock.text(0).startswith("2024-02-01 00:00")


@pytest.mark.parametrize("form", ["%b %d, %Y %H:%M", "%b %d %Y %H:%M", "%b %d, %Y %I:%M %p"])
def test_march_is_no_tuesday_of_romance_languages(tmp_path: Path, form: str) -> None:
    days = [t + dt.timedelta(days=29) for t in HOURS]
    rows = [f'"{t.strftime(form)}",{v}' for t, v in zip(days, FLOW, strict=True)]
    path = write(tmp_path, ["when,flow", *rows])
    assert is_flow(path)
    assert read(path).clock.text(0) == "2024-03-01 00:00"


@pytest.mark.parametrize("letters", [("2A", "2B"), ("02A", "02B"), ("2A:00", "2B:00")])
def test_the_two_hours_of_autumn_by_letters(tmp_path: Path, letters: tuple[str, str]) -> None:
    first = dt.datetime(2024, 10, 20, tzinfo=dt.UTC)
    rows, i = [], 0
    minutes = ":00" if ":" in letters[0] else ""
    for i in range(479):
        wall = first + dt.timedelta(hours=i + (2 if i < 7 * 24 + 1 else 1))
        at = f"{wall.hour}{minutes}"
        at = letters[0] if i == 7 * 24 else letters[1] if i == 7 * 24 + 1 else at
        rows.append(f"{wall:%Y-%m-%d},{at},{FLOW[i]}")
    frame = read(write(tmp_path, ["Date,Hour,MW", *rows]), timezone="Europe/Berlin")
    assert (frame.values[:, 0] == FLOW[:479]).all()


def test_a_calendar_of_months_needs_its_year(tmp_path: Path) -> None:
    days = {dt.date(2024, 1, 1) + dt.timedelta(days=i): int(v) for i, v in enumerate(FLOW[:366])}
    months = "Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec"

    def cell(month: int, day: int) -> str:
        try:
            return str(days[dt.date(2024, month, day)])
        except ValueError:
            return ""

    rows = [f"{d}," + ",".join(cell(m, d) for m in range(1, 13)) for d in range(1, 32)]
    with pytest.raises(InputError, match="no column holds the year"):
        read(write(tmp_path, [f"Day,{months}", *rows]))
    frame = read(write(tmp_path, [f"Year,Day,{months}", *(f"2024,{row}" for row in rows)]))
    assert (frame.values[:, 0] == FLOW[:366]).all()
    rows = [f"2024,{m}," + ",".join(cell(m, d) for d in range(1, 32)) for m in range(1, 13)]
    head = "Year,Month," + ",".join(map(str, range(1, 32)))
    assert (read(write(tmp_path, [head, *rows])).values[:, 0] == FLOW[:366]).all()


def calendar(folder: Path, years: dict[int, str], *, foot: str = "") -> Path:
    """Days across, months down, with what stands for the year in each month."""
    head = "Year,Month," + ",".join(map(str, range(1, 32)))
    rows = [f"{years[m]},{m}," + ",".join(map(str, FLOW[m * 31 : m * 31 + 31]))
            for m in range(1, 13)]  # fmt: skip
    return write(folder, [head, *rows, *([foot] if foot else [])])


def test_a_calendar_says_a_year_in_each_row(tmp_path: Path) -> None:
    every = dict.fromkeys(range(1, 13), "2024")
    whole = read(calendar(tmp_path, every)).values
    assert np.isfinite(whole).all()
    two_digits = read(calendar(tmp_path, dict.fromkeys(every, "24")))
    assert two_digits.clock.text(0).startswith("2024-01-01")
    footed = read(calendar(tmp_path, every, foot="Mean,," + "7," * 30 + "7"))
    np.testing.assert_array_equal(footed.values, whole)
    for years in (every | {6: "2024*"}, {m: "2024" if m == 1 else "" for m in every}):
        with pytest.raises(InputError, match="column 'Year' holds no number in"):
            read(calendar(tmp_path, years))


def test_numbered_sensors_next_to_dates_in_parts_are_no_days(tmp_path: Path) -> None:
    head = "year,month,day,hour," + ",".join(map(str, range(1, 32)))
    rows = [f"{t.year},{t.month},{t.day},{t.hour}," + ",".join(f"{v + i}" for i in range(31))
            for t, v in zip(HOURS, FLOW, strict=True)]  # fmt: skip
    frame = read(write(tmp_path, [head, *rows]))
    assert frame.values.shape == (480, 31)
    assert (frame.values[:, 0] == FLOW).all()


def test_the_total_of_lanes_is_left_out(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{lane},{v * share}" for t, v in zip(HOURS, FLOW, strict=True)
            for lane, share in (("1", 1), ("2", 2), ("Totalt", 3))]  # fmt: skip
    frame = read(write(tmp_path, ["time,lane,flow", *rows]))
    assert frame.sensors == ("1", "2")
    assert "totals" in {fault.kind for fault in frame.faults}


def test_a_total_of_something_else_stays(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{place},{(v * share) % 40 / 100:.2f}"
            for t, v in zip(HOURS, FLOW, strict=True)
            for place, share in (("north", 1), ("total", 7))]  # fmt: skip
    assert read(write(tmp_path, ["time,place,rain", *rows])).sensors == ("north", "total")


def test_constants_left_of_the_time_are_no_sensors(tmp_path: Path) -> None:
    rows = [
        f"3,7,{t:%y%m%d},{t.hour + 1:02d},{v},{v + 1}" for t, v in zip(HOURS, FLOW, strict=True)
    ]
    frame = read(write(tmp_path, ["Land,Strnum,Datum,Stunde,KFZ_R1,KFZ_R2", *rows]))
    assert frame.sensors == ("KFZ_R1", "KFZ_R2")


def test_a_last_reading_whose_time_is_wrong_is_quoted(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{v}" for t, v in zip(HOURS, FLOW, strict=True)]
    frame = read(write(tmp_path, ["time,flow", *rows, "2024-13-21 00:00,55"]))
    told = [str(fault) for fault in frame.faults if fault.kind == "unreadable-times"]
    assert len(frame) == len(HOURS)
    assert any("'2024-13-21 00:00' in the last rows is no time" in one for one in told)


def test_durations_are_no_times() -> None:
    since = np.array([hour - HOURS[0] for hour in HOURS], "timedelta64[us]")
    with pytest.raises(InputError, match="cannot be read as time"):
        read(pl.DataFrame({"time": since, "flow": FLOW}))


def test_a_load_below_zero_is_not_said_to_be_never_negative(tmp_path: Path) -> None:
    for least, is_said in ((0, True), (5000, False)):
        rows = [f"{t:%Y-%m-%d %H:%M},{v - least}" for t, v in zip(HOURS, FLOW, strict=True)]
        frame = read(write(tmp_path, ["time,load_mw", *rows]))
        assert any("never below 0" in str(fault) for fault in frame.faults) is is_said


@pytest.mark.parametrize(
    ("limit", "point", "half"), [("<5", ".", 2.5), ("< 0,9", ",", 0.45), ("<0,125", ",", 0.0625)]
)
def test_values_below_the_limit_of_detection_are_half_of_it(
    tmp_path: Path, limit: str, point: str, half: float
) -> None:
    cells = [limit if i % 10 == 3 else f"{v:.1f}".replace(".", point) for i, v in enumerate(FLOW)]
    rows = "".join(f"{h:%Y-%m-%d %H:%M};{c}\n" for h, c in zip(HOURS, cells, strict=True))
    frame = read(write(tmp_path, ["time;NO2\n" + rows]))
    assert np.allclose(frame.values[3::10, 0], half)
    assert [fault.count for fault in frame.faults if fault.kind == "below-detection"] == [
        len(FLOW[3::10])
    ]


@pytest.mark.parametrize("limit", ["<5", "<6"])
def test_a_limit_says_nothing_of_what_points_mean(tmp_path: Path, limit: str) -> None:
    counts = [700 + 13 * i % 800 for i in range(len(HOURS))]
    cells = [limit if i % 10 == 3 else f"{n:,}".replace(",", ".") for i, n in enumerate(counts)]
    rows = "".join(f"{h:%Y-%m-%d %H:%M};{c}\n" for h, c in zip(HOURS, cells, strict=True))
    frame = read(write(tmp_path, ["time;count\n" + rows]))
    assert np.allclose(frame.values[3::10, 0], float(limit[1:]) / 2)
    assert frame.values.max() == max(n for i, n in enumerate(counts) if i % 10 != 3)


@pytest.mark.parametrize("unclear", ["<1,000", "<1.000"])
def test_a_limit_of_which_the_comma_is_unclear_is_missing(tmp_path: Path, unclear: str) -> None:
    cells = [unclear if i % 50 == 3 else f"{v:.1f}" for i, v in enumerate(FLOW)]
    rows = "".join(f"{h:%Y-%m-%d %H:%M};{c}\n" for h, c in zip(HOURS, cells, strict=True))
    frame = read(write(tmp_path, ["time;NO2\n" + rows]))
    assert np.isnan(frame.values[3::50]).all()
    assert "text-in-numbers" in {fault.kind for fault in frame.faults}


def test_classes_below_a_limit_are_no_readings(tmp_path: Path) -> None:
    rows = "".join(f"{h:%Y-%m-%d %H:%M},{c},{v:g}\n" for h, v in zip(HOURS, FLOW, strict=True)
                   for c in ("<5", "5-10"))  # fmt: skip
    frame = read(write(tmp_path, ["time,class,flow\n" + rows]), sensor="class")
    assert set(frame.sensors) == {"<5", "5-10"}


def test_travel_times_of_hours_minutes_and_seconds_are_seconds(tmp_path: Path) -> None:
    spelt = [f"00:{int(v) % 50:02d}:{i % 60:02d}" for i, v in enumerate(FLOW)]
    rows = "".join(f"{h:%Y-%m-%d %H:%M},{c}\n" for h, c in zip(HOURS, spelt, strict=True))
    frame = read(write(tmp_path, ["time,travel_time\n" + rows]))
    seconds = [60 * (int(v) % 50) + i % 60 for i, v in enumerate(FLOW)]
    assert np.allclose(frame.values[:, 0], seconds)
    assert frame.quantity.unit == "s"


def test_a_bus_may_be_ahead_of_time(tmp_path: Path) -> None:
    seconds = [37 * i % 700 - 90 for i in range(len(HOURS))]
    spelt = [f"{'-' if n < 0 else ''}0:{abs(n) // 60:02d}:{abs(n) % 60:02d}" for n in seconds]
    rows = "".join(f"{h:%Y-%m-%d %H:%M},{c}\n" for h, c in zip(HOURS, spelt, strict=True))
    frame = read(write(tmp_path, ["time,delay\n" + rows]))
    assert frame.values[:, 0].tolist() == seconds


@pytest.mark.parametrize("options", [{}, {"target": "travel_time"}])
def test_durations_of_two_parts_are_refused_with_the_remedy(
    tmp_path: Path, options: dict[str, str]
) -> None:
    rows = "".join(
        f"{h:%Y-%m-%d %H:%M},{i % 9 + 1:02d}:{i % 60:02d}\n" for i, h in enumerate(HOURS)
    )
    with pytest.raises(InputError, match="times of the day or durations, such as '01:00'"):
        read(write(tmp_path, ["time,travel_time\n" + rows]), **options)


@pytest.mark.parametrize("key", ["station", "site_id"])
def test_sensors_that_report_at_minutes_of_their_own_stay_apart(tmp_path: Path, key: str) -> None:
    ids = [("7", "1"), ("7", "2"), ("9", "1"), ("9", "2")]
    rows = "".join(
        f"{h + dt.timedelta(minutes=4 * i):%Y-%m-%d %H:%M},{site},{lane},{v + 40 * i:.1f}\n"
        for h, v in zip(HOURS, FLOW, strict=True)
        for i, (site, lane) in enumerate(ids)
    )
    frame = read(write(tmp_path, [f"time,{key},lane,flow\n" + rows]))
    assert len(frame.sensors) == 4
    assert frame.clock.freq == "1h"
    assert np.allclose(frame.values[5], FLOW[5] + 40 * np.arange(4))


def test_a_column_called_name_is_one_like_others(tmp_path: Path) -> None:
    rows = "".join(f"{h:%Y-%m-%d %H:%M},{n},{v:g} kW\n" for h, v in zip(HOURS, FLOW, strict=True)
                   for n in ("north", "south"))  # fmt: skip
    frame = read(write(tmp_path, ["time,name,load\n" + rows]))
    assert frame.sensors == ("north", "south")
    assert frame.quantity.unit == "kW"


def test_dates_written_once_a_day_stand_among_titles_and_above_a_source(tmp_path: Path) -> None:
    lines = ["date,time,flow,speed"]
    for i, (hour, value) in enumerate(zip(HOURS, FLOW, strict=True)):
        if i % 100 == 5:
            lines.append(f"Week {i // 100},,,")
        date = f"{hour:%Y-%m-%d}" if hour.hour == 0 else ""
        lines.append(f"{date},{hour:%H:%M},{value},{50 + i % 7}")
    assert is_flow(write(tmp_path, [*lines, "Source: City of Example,,,"]), target="flow")
    lines.remove(next(line for line in lines if line.startswith("2024-02-03,00:00")))
    with pytest.raises(InputError, match="cannot be read as time"):
        read(write(tmp_path, lines), target="flow")
