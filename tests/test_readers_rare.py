"""Promise: what is rarely written is read as it is meant, or asked about."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from systems import given, holds, hours, refusal, waves

from citytune import InputError
from citytune.readers import check, read
from citytune.readers.cells import _units_by_point

LENGTH = 24 * 5
TIMES = hours(LENGTH)
A, B, C = waves(3, LENGTH)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A file with a validity of numbers."""
    rows = [f"{t},{a},{int(i % 9 > 0)}" for i, (t, a) in enumerate(zip(TIMES, A, strict=True))]
    return given(tmp_path, "time,flow,quality", *rows)


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option in ("time", "sensor", "target", "valid")
     for value in (2024, b"time", [1, 2], {"a": 1}, [None], 3.5, True)
     if (option, value) != ("valid", {"a": 1})]
    + [(option, value) for option in ("quantity", "unit", "timezone", "country", "table", "query")
       for value in (3, ["UTC"], b"NO")]
    + [("missing", b"a"), ("missing", True), ("valid", "flow"), ("valid", {1: ["1"]})],
)  # fmt: skip
def test_an_option_of_another_type_is_one_sentence(plain: Path, option: str, value: Any) -> None:
    for use in (read, check):
        with pytest.raises(InputError, match=rf"^{option} takes .*, not "):
            use(plain, **{option: value})


@pytest.mark.parametrize("cells", [1, "1", [1], ["1"], [1.0], ("1",)])
def test_validity_may_be_told_as_a_number_or_as_text(plain: Path, cells: Any) -> None:
    frame = read(plain, target="flow", valid={"quality": cells})
    assert [i for i, v in enumerate(frame.values[:, 0]) if v != v] == [*range(0, LENGTH, 9)]


MINUTE = dt.timedelta(minutes=1)
UNIX = [int(t.replace(tzinfo=dt.UTC).timestamp()) for t in TIMES]
GPS = [at - 315_964_800 + 18 for at in UNIX]
MAC = [at / 86_400 + 24_107 for at in UNIX]


def counted(tmp_path: Path, name: str, numbers: list[Any], *above: str) -> Path:
    """A file of numbers that count time."""
    rows = [f"{n},{a}" for n, a in zip(numbers, A, strict=True)]
    return given(tmp_path, *above, f"{name},flow", *rows)


@pytest.mark.parametrize(
    ("name", "above"),
    [("gps_time", ()), ("time_gps", ()), ("GPSTime", ()), ("gps_seconds", ()),
     ("time", ("Time in GPS seconds",))],
)  # fmt: skip
def test_seconds_of_gps_are_told_by_what_says_so(
    tmp_path: Path, name: str, above: tuple[str, ...]
) -> None:
    frame = read(counted(tmp_path, name, GPS, *above))
    assert holds(frame, A)
    assert str(frame.clock.start) == "2024-01-08 00:00:00"


def test_what_may_be_seconds_of_gps_is_asked_about(tmp_path: Path) -> None:
    assert "'gps_seconds'" in refusal(counted(tmp_path, "time", GPS))
    aligned = [at - 10 * 365 * 86_400 for at in UNIX]
    assert "'gps_seconds'" in refusal(counted(tmp_path, "gps_time", aligned))
    assert holds(read(counted(tmp_path, "time", aligned)), A)
    assert holds(read(counted(tmp_path, "gps_time", UNIX)), A)


@pytest.mark.parametrize("at", ["2008-06-01", "2010-06-01", "2013-06-01", "2016-06-01"])
def test_leap_seconds_of_gps_are_those_of_the_day(tmp_path: Path, at: str) -> None:
    leaps = {"2008": 14, "2010": 15, "2013": 16, "2016": 17}[at[:4]]
    begin = int(dt.datetime.fromisoformat(at + "T00:00Z").timestamp()) - 315_964_800 + leaps
    path = counted(tmp_path, "gps_time", [begin + 3600 * i for i in range(LENGTH)])
    assert str(read(path).clock.start) == f"{at} 00:00:00"


@pytest.mark.parametrize(
    ("name", "above", "year"),
    [("mac_date", (), 2024), ("Date (1904)", (), 2024), ("date", ("1904 date system",), 2024),
     ("date", (), 2020)],
)  # fmt: skip
def test_days_since_1904_are_told_by_what_says_so(
    tmp_path: Path, name: str, above: tuple[str, ...], year: int
) -> None:
    frame = read(counted(tmp_path, name, MAC, *above))
    assert frame.clock.start.year == year
    assert any("1904" in str(fault) for fault in frame.faults)


def test_a_workbook_says_that_its_days_count_from_1904(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx", {"date_1904": True})
    sheet = book.add_worksheet()
    for i, row in enumerate([("date", "flow"), *zip(MAC, A, strict=True)]):
        sheet.write_row(i, 0, row)
    book.close()
    assert str(read(tmp_path / "a.xlsx").clock.start) == "2024-01-08 00:00:00"


def test_where_one_class_is_missing_so_is_the_sum_and_it_is_said(tmp_path: Path) -> None:
    cars, vans = A.round(), B.round()
    rows = [f"{t};{a:.0f};{f'{b:.0f}' if i % 9 else ''}"
            for i, (t, a, b) in enumerate(zip(TIMES, cars, vans, strict=True))]  # fmt: skip
    frame = read(given(tmp_path, "time;Cars;Vans", *rows))
    there = np.arange(LENGTH) % 9 > 0
    assert np.array_equal(frame.values[there, 0], (cars + vans)[there])
    assert np.isnan(frame.values[~there]).all()
    assert f"missing in {(~there).sum()} rows" in "".join(map(str, frame.faults))


def side_by_side(tmp_path: Path, head: str, *, shorter: bool = False) -> Path:
    """Hourly readings, and next to them others each quarter and each ten minutes."""
    first = TIMES[0]
    rows = [f"{t};{a};{first + i * 15 * MINUTE};{b};{first + i * 10 * MINUTE};{c}"
            for i, (t, a, b, c) in enumerate(zip(TIMES, A, B, C, strict=True))]  # fmt: skip
    if shorter:
        rows[48:] = [";;" + row.split(";", 2)[2] for row in rows[48:]]
    return given(tmp_path, head, *rows)


@pytest.mark.parametrize("head", ["Time;Flow;Time;Flow;Time;Flow", "Time;A;Time 15;B;Time 10;C"])
@pytest.mark.parametrize("shorter", [True, False])
def test_of_blocks_side_by_side_the_one_of_the_time_is_read(
    tmp_path: Path, head: str, shorter: bool
) -> None:
    path = side_by_side(tmp_path, head, shorter=shorter)
    assert "clocks of their own" in refusal(path)
    frame = read(path, time="Time")
    assert holds(frame, A[:48] if shorter else A)
    assert any(fault.kind == "other-clocks" for fault in frame.faults)
    other = "Time (2)" if "Flow" in head else "Time 15"
    assert read(path, time=other).clock.step == 15 * MINUTE


@pytest.mark.parametrize(
    ("real", "plan"),
    [("Actual", "Budget"), ("Ist", "Plan"), ("Ist", "Soll"), ("Real", "Presupuesto"),
     ("North actual", "North budget"), ("North", "North plan"), ("Réalisé", "Budgété")],
)  # fmt: skip
def test_a_plan_next_to_what_was_measured_is_asked_about(
    tmp_path: Path, real: str, plan: str
) -> None:
    rows = [f"{t},{a},{b}" for t, a, b in zip(TIMES, A, B, strict=True)]
    path = given(tmp_path, f"time,{real},{plan}", *rows)
    assert f"target={real!r} or target={plan!r}" in refusal(path)
    assert holds(read(path, target=real), A)


def test_a_setpoint_next_to_what_was_measured_is_no_reading(tmp_path: Path) -> None:
    rows = [f"{t},{a},{b}" for t, a, b in zip(TIMES, A, B, strict=True)]
    assert holds(read(given(tmp_path, "time,Istwert,Sollwert", *rows)), A)


@pytest.mark.parametrize(("column", "real", "plan"), [("type", "Actual", "Budget"),
                                                      ("Art", "Ist", "Plan")])  # fmt: skip
def test_rows_of_plans_are_asked_about(tmp_path: Path, column: str, real: str, plan: str) -> None:
    rows = [f"{t},{real},{a}\n{t},{plan},{b}" for t, a, b in zip(TIMES, A, B, strict=True)]
    path = given(tmp_path, f"time,{column},kwh", *rows)
    assert f"valid={{{column!r}: [{real!r}]}}" in refusal(path)
    assert holds(read(path, valid={column: [real]}), A)


def test_streets_that_are_called_like_plans_are_sensors(tmp_path: Path) -> None:
    rows = [f"{t},{a},{b},{c}" for t, a, b, c in zip(TIMES, A, B, C, strict=True)]
    path = given(tmp_path, "time,Calle Real,Plan Street,Soll Weg", *rows)
    assert holds(read(path), A, B, C)


def moments(tmp_path: Path, form: str) -> Path:
    """A file with times in one format, and the hour in a column of its own if that has none."""
    clock = "%H" in form
    rows = [f"{t:{form}},{a}" if clock else f"{t:{form}},{t.hour},{a}"
            for t, a in zip(TIMES, A, strict=True)]  # fmt: skip
    return given(tmp_path, "date,flow" if clock else "date,hour,flow", *rows)


@pytest.mark.parametrize(
    "form",
    ["%Y%j", "%Y-%j", "%Y%j %H:%M", "%Y-%jT%H:%M:%S", "%Y%j%H%M", "%Y%j%H%M%S", "%Y:%j:%H:%M:%S",
     "%G-W%V-%u", "%G-W%V-%u %H:%M", "%GW%V%uT%H%M"],
)  # fmt: skip
def test_days_of_years_and_of_weeks_are_dates(tmp_path: Path, form: str) -> None:
    frame = read(moments(tmp_path, form))
    assert holds(frame, A)
    assert str(frame.clock.start) == "2024-01-08 00:00:00"


def test_weeks_are_their_mondays(tmp_path: Path) -> None:
    first = dt.date(2022, 1, 3)
    rows = [f"{first + i * dt.timedelta(7):%G-W%V},{a}" for i, a in enumerate(A)]
    frame = read(given(tmp_path, "week,flow", *rows))
    assert (str(frame.clock.start), frame.clock.freq) == ("2022-01-03 00:00:00", "7D")


def test_what_only_looks_like_a_day_of_a_year_names_a_sensor(tmp_path: Path) -> None:
    rows = [f"{t},{name},{v}" for t, a, b in zip(TIMES, A, B, strict=True)
            for name, v in (("2024-001", a), ("2024-002", b))]  # fmt: skip
    assert read(given(tmp_path, "time,case,flow", *rows)).sensors == ("2024-001", "2024-002")


def several_rows_of_names() -> Any:
    """A table of pandas with quantities above places."""
    pd = pytest.importorskip("pandas")
    columns = {("NO2", "north"): A, ("NO2", "south"): B, ("CO", "north"): C, ("CO", "south"): C / 3}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(TIMES, name="time"))


@pytest.mark.parametrize("kind", ["rows", "file", "tuples", "file of tuples", "joined", "swapped"])
def test_several_rows_of_names_are_one(tmp_path: Path, kind: str) -> None:
    table = several_rows_of_names()
    if "tuples" in kind or kind == "joined":
        table.columns = table.columns.to_flat_index()
    if kind == "joined":
        table.columns = ["_".join(names) for names in table.columns]
    if kind == "swapped":
        table = table.swaplevel(axis=1).sort_index(axis=1)
    if "file" in kind:
        table.to_csv(tmp_path / "air.csv")
    source = tmp_path / "air.csv" if "file" in kind else table
    assert holds(read(source), A, B)
    assert holds(read(source, target="NO2"), A, B)
    assert holds(read(source, target="CO"), C, C / 3)
    if "tuples" in kind:
        assert holds(read(source, target="('NO2', 'north')"), A)


def test_flags_and_totals_are_no_columns_of_a_quantity(tmp_path: Path) -> None:
    rows = [f"{t},{a},{int(a)},{b},{a + b:.1f}" for t, a, b in zip(TIMES, A, B, strict=True)]
    path = given(tmp_path, "time,flow north,flow north flag,flow south,flow total", *rows)
    assert holds(read(path, target="flow"), A, B)
    assert "no column" in refusal(path, target="speed")


def test_a_place_is_no_quantity_that_its_columns_hold(tmp_path: Path) -> None:
    rows = [f"{t},{a},{b},{c},{b}" for t, a, b, c in zip(TIMES, A, B, C, strict=True)]
    path = given(tmp_path, "time,Oak flow,Oak speed,Elm flow,Elm speed", *rows)
    assert holds(read(path, target="flow"), A, C)
    assert "no column" in refusal(path, target="Oak")


def test_a_column_may_have_an_empty_name() -> None:
    table = pl.DataFrame({"time": TIMES, "": A, " ": B})
    assert read(table).sensors == ("", " ")


PIVOTS: dict[str, Any] = {
    "a date written once": ("Date,Hour,North,South,Grand Total", lambda i, t, a, b: (
        f"{'' if t.hour else t.date()},{t.hour},{a},{b},{a + b:.1f}"
        + (f"\n{t.date()} Total,,{24 * a},{24 * b},{24 * (a + b)}" if t.hour == 23 else ""))),
    "subtotals": ("Datum,Stunde,North,South,Gesamtergebnis", lambda i, t, a, b: (
        f"{t.date()},{t.hour},{a},{b},{a + b:.1f}"
        + (f"\n{t.date()} Ergebnis,,{24 * a},{24 * b},{24 * (a + b)}" if t.hour == 23 else ""))),
    "totals of columns": ("Time,North A,North Total,South A,South Total,Grand Total",
                          lambda i, t, a, b: f"{t},{a},{a},{b},{b},{a + b:.1f}"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PIVOTS)
def test_totals_of_pivot_tables_are_left_out(tmp_path: Path, kind: str) -> None:
    head, row = PIVOTS[kind]
    rows = [row(i, t, a, b) for i, (t, a, b) in enumerate(zip(TIMES, A, B, strict=True))]
    total = "Gesamtergebnis" if "Gesamt" in head else "Grand Total"
    rows.append(",".join([total, *([""] if "our" in head or "Stunde" in head else []), "1,2,3"]))
    assert holds(read(given(tmp_path, head, *rows)), A, B)


@pytest.mark.parametrize("hour", ["%-H", "%H:%M", "%-I %p"])
def test_dates_above_the_hours_of_a_pivot_table_are_taken_for_them(
    tmp_path: Path, hour: str
) -> None:
    rows = []
    for i, (t, a, b) in enumerate(zip(TIMES, A, B, strict=True)):
        rows += [f"{t.date()},{A[i : i + 24].sum():.1f},{B[i : i + 24].sum():.1f},9"] * (not t.hour)
        rows.append(f"{t:{hour}},{a},{b},{a + b:.1f}")
    path = given(tmp_path, "Row Labels,North,South,Grand Total", *rows, "Grand Total,1,2,3")
    frame = read(path)
    assert holds(frame, A, B)
    assert str(frame.clock.start) == "2024-01-08 00:00:00"


@pytest.mark.parametrize("once", [True, False])
def test_totals_of_places_below_their_rows_are_left_out(tmp_path: Path, once: bool) -> None:
    rows = []
    for site, series in (("North", A), ("South", B)):
        rows += [f"{'' if once and i else site},{t},{v}"
                 for i, (t, v) in enumerate(zip(TIMES, series, strict=True))]  # fmt: skip
        rows.append(f"{site} Total,,{series.sum():.1f}")
    path = given(tmp_path, "Site,Time,Flow", *rows, f"Grand Total,,{(A + B).sum():.1f}")
    frame = read(path)
    assert holds(frame, A, B)
    assert frame.sensors == ("North", "South")


def test_a_sensor_that_is_called_a_total_is_one(tmp_path: Path) -> None:
    rows = [f"{t},{name},{lane},{v}" for t, a, b in zip(TIMES, A, B, strict=True)
            for name, lane, v in (("Mill", "1", a), ("Bridge Total", "", b))]  # fmt: skip
    assert len(read(given(tmp_path, "time,site,lane,flow", *rows)).sensors) == 2


def test_the_cells_of_many_columns_are_looked_through_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    monkeypatch.setattr(_units_by_point, "of", lambda cells, names: looked.append(names))
    rows = [f"{t}," + ",".join(f"w{a}x" for _ in range(50)) for t, a in zip(TIMES, A, strict=True)]
    head = "time," + ",".join(f"note{i}" for i in range(50))
    refusal(given(tmp_path, head, *rows))
    assert not looked


@pytest.mark.parametrize(
    "mark", ["{}M", "{}m", "{}b", "{}¹", "{} [e]", "[{}]", "[ {} ]", "({})", "{} EM"]
)
def test_marks_of_some_numbers_are_no_part_of_them(tmp_path: Path, mark: str) -> None:
    rows = [f"{t};{mark.format(a) if i % 4 == 0 else a}"
            for i, (t, a) in enumerate(zip(TIMES, A, strict=True))]  # fmt: skip
    frame = read(given(tmp_path, "time;pm10", *rows))
    assert holds(frame, A)
    assert any(fault.kind == "marks" for fault in frame.faults)


@pytest.mark.parametrize(
    ("name", "mark", "by"),
    [("kwh", "({})", 1), ("kwh", "{}M", 0.001), ("kwh", "{}K", 1), ("kwh", "[{}]", 0.01),
     ("kwh", ">{}", 1), ("kwh", "~{}", 1)],
)  # fmt: skip
def test_what_may_change_a_number_is_asked_about(
    tmp_path: Path, name: str, mark: str, by: float
) -> None:
    rows = [f"{t};{mark.format(round(a * by, 3)) if i % 4 == 0 else a}"
            for i, (t, a) in enumerate(zip(TIMES, A, strict=True))]  # fmt: skip
    assert "notation that is not known" in refusal(given(tmp_path, f"time;{name}", *rows))


MONTHS: dict[str, Any] = {
    "days and hours": ("Day,Hour,Flow", lambda day, cells: [
        f"{day.day},{hour},{cell}" for hour, cell in enumerate(cells)], "Site: North"),
    "hours across": ("Day," + ",".join(f"{h:02d}:00" for h in range(24)),
                     lambda day, cells: [f"{day.day},{','.join(map(str, cells))}"], ""),
    "dates and hours across": (
        "Date," + ",".join(f"H{h:02d}" for h in range(1, 25)),
        lambda day, cells: [f"{day},{','.join(map(str, cells))}"], ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", MONTHS)
@pytest.mark.parametrize("title", ["%B %Y", "%m/%Y"])
def test_blocks_of_months_below_each_other_are_read(tmp_path: Path, kind: str, title: str) -> None:
    head, rows_of, above = MONTHS[kind]
    series = waves(1, 24 * 60)[0]
    lines, begin = [above] * bool(above), dt.date(2024, 1, 1)
    for i in range(60):
        day = begin + dt.timedelta(i)
        if day.day == 1:
            lines += [f"{day:{title}}" + "," * head.count(","), head]
        lines += rows_of(day, series[24 * i : 24 * i + 24])
    frame = read(given(tmp_path, *lines))
    assert holds(frame, series)
    assert str(frame.clock.start) == "2024-01-01 00:00:00"


def by_week(tmp_path: Path, head: str, day: Any, begin: dt.datetime = TIMES[0]) -> Path:
    """A file whose dates are the year, the week and the day of the week."""
    times = (begin + i * 60 * MINUTE for i in range(LENGTH))
    rows = [f"{t:%G},{int(f'{t:%V}')},{day(t)},{t.hour},{a}"
            for t, a in zip(times, A, strict=True)]  # fmt: skip
    return given(tmp_path, head, *rows)


@pytest.mark.parametrize(
    ("head", "day"),
    [("Jahr,KW,Wochentag,Stunde,Menge",
      lambda t: ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")[t.weekday()]),
     ("year,week,day,hour,flow", lambda t: f"{t:%A}"),
     ("iso_year,iso_week,weekday,hour,flow", lambda t: f"{t:%u}")],
)  # fmt: skip
def test_years_weeks_and_days_of_weeks_are_dates(tmp_path: Path, head: str, day: Any) -> None:
    for begin in (TIMES[0], dt.datetime(2020, 12, 30)):
        frame = read(by_week(tmp_path, head, day, begin))
        assert holds(frame, A)
        assert str(frame.clock.start) == str(begin)


def test_weeks_next_to_months_and_days_are_no_dates(tmp_path: Path) -> None:
    rows = [f"{t:%Y},{t.month},{t.day},{t.hour},{t:%V},{t:%u},{a}"
            for t, a in zip(TIMES, A, strict=True)]  # fmt: skip
    path = given(tmp_path, "year,month,day,hour,week,weekday,flow", *rows)
    assert holds(read(path), A)


def test_weeks_of_an_unknown_begin_are_asked_about(tmp_path: Path) -> None:
    path = by_week(tmp_path, "year,week,weekday,hour,flow", lambda t: f"{t:%u}")
    assert "iso_week" in refusal(path)
    rows = [f"{t:%Y},{t:%V},{t:%u},{t.hour},{a}" for t, a in
            zip((dt.datetime(2024, 12, 28) + i * 60 * MINUTE for i in range(LENGTH)), A,
                strict=True)]  # fmt: skip
    path = given(tmp_path, "year,iso_week,weekday,hour,flow", *rows)
    assert "not of the week" in refusal(path)
    for way in (1, -1):  # weeks from Sunday on, as %U counts them
        rows = [f"{t:%Y},{t:%U},{t:%a},{t.hour},{a}" for t, a in
                zip((dt.datetime(2023, 3, 3) + i * 60 * MINUTE for i in range(LENGTH)), A,
                    strict=True)][::way]  # fmt: skip
        path = given(tmp_path, "year,week,weekday,hour,flow", *rows)
        assert "begin on Sunday" in refusal(path)


@pytest.mark.parametrize(
    ("mark", "named"),
    [("{}M", "M"), ("{} R", "R"), ("[{}]", "[]"), ("{} [e]", "[e]"), ("({})", "()")],
)
def test_marks_may_tell_what_is_valid(tmp_path: Path, mark: str, named: str) -> None:
    rows = [f"{t};{mark.format(a) if i % 4 == 0 else a}"
            for i, (t, a) in enumerate(zip(TIMES, A, strict=True))]  # fmt: skip
    path = given(tmp_path, "time;pm10", *rows)
    values = read(path, valid={"pm10 mark": [""]}).values[:, 0]
    assert np.flatnonzero(np.isnan(values)).tolist() == [*range(0, LENGTH, 4)]
    assert holds(read(path, valid={"pm10 mark": ["", named]}), A)
    assert any("pm10 mark" in str(fault) for fault in read(path).faults)
    assert "no column" in refusal(path, valid={"pm25 mark": [""]})
