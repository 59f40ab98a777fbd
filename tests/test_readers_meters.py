"""Promise: exports of meters and markets are read at their hour, in their unit, or refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from remedies import TIMES, A, B, proposals, wide

from citytune import InputError, SensorFrame
from citytune.readers import read

Moment = dt.datetime
HOUR = dt.timedelta(hours=1)


def moments(zone: str, first: str, days: int) -> list[Moment]:
    """The local hours of some days, through a change of the clock."""
    here = ZoneInfo(zone)
    begin = dt.datetime.fromisoformat(first).replace(tzinfo=here)
    end = begin + dt.timedelta(days=days)
    at, found = begin.astimezone(dt.UTC), []
    while at < end.astimezone(dt.UTC):
        found.append(at.astimezone(here))
        at += HOUR
    return found


def written(path: Path, header: str, rows: Sequence[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def begins_at(frame: SensorFrame, moment: Moment) -> bool:
    first = frame.clock.moments(0, 1)[0].astype("datetime64[s]")
    utc = moment.astimezone(dt.UTC).replace(tzinfo=None)
    return bool(first == np.datetime64(utc, "s"))


@pytest.mark.parametrize("name", ["Hour Ending", "HourEnding", "HE", "Hour"])
@pytest.mark.parametrize("stamp", [None, "end"])
def test_hours_numbered_from_one_begin_at_midnight(name: str, stamp: str | None) -> None:
    hours = [t.hour + 1 for t in TIMES]
    source = pl.DataFrame({"Date": [t.date() for t in TIMES], name: hours, "load": A})
    frame = read(source, stamp=stamp)  # type: ignore[arg-type]
    assert frame.clock.text(0).endswith("08 00:00")
    assert np.allclose(frame.values[:, 0], A)


def _in_new_england(t: Moment) -> str:
    return f"{t:%m/%d/%Y},{t.hour + 1:02d}{'X' if t.fold else ''}"


def _in_poland(t: Moment) -> str:
    twice = t.replace(fold=0).utcoffset() != t.replace(fold=1).utcoffset()
    return f"{t:%Y%m%d},{'2A' if twice and not t.fold else t.hour + 1}"


def _in_alberta(t: Moment) -> str:
    return f"{t:%m/%d/%Y} {t.hour + 1:02d}{'*' if t.fold else ''}"


def _in_spain(t: Moment) -> str:
    end = (t.astimezone(dt.UTC) + HOUR).astimezone(t.tzinfo)
    return f"{end:%Y/%m/%d %H:%M}"


def _by_begins(t: Moment) -> str:
    return f"{t.replace(tzinfo=None) + HOUR:%Y/%m/%d %H:%M}"


@pytest.mark.parametrize(
    ("zone", "first", "header", "spelt", "stamp"),
    [("America/New_York", "2024-11-01", "Date,Hour Ending", _in_new_england, None),
     ("Europe/Warsaw", "2024-10-25", "Data,Godz.", _in_poland, None),
     ("America/Edmonton", "2024-11-01", "Date (HE)", _in_alberta, None),
     ("Europe/Madrid", "2024-10-25", "FECHA-HORA", _in_spain, "end"),
     ("Europe/Madrid", "2024-03-29", "FECHA-HORA", _in_spain, "end"),
     ("Europe/Madrid", "2024-10-25", "FECHA-HORA", _by_begins, "end")],
)  # fmt: skip
def test_the_hour_that_comes_twice_is_found_however_it_is_marked(
    tmp_path: Path, zone: str, first: str, header: str, spelt: Callable[[Moment], str],
    stamp: str | None,
) -> None:  # fmt: skip
    hours = moments(zone, first, 5)
    rows = [f"{spelt(t)},{a}" for t, a in zip(hours, A, strict=False)]
    path = written(tmp_path / "load.csv", f"{header},Load (MW)", rows)
    frame = read(path, timezone=zone, stamp=stamp)  # type: ignore[arg-type]
    assert begins_at(frame, hours[0])
    assert np.allclose(frame.values[:, 0], A[: len(hours)])


def test_periods_are_counted_through_the_change_of_the_clock(tmp_path: Path) -> None:
    hours, at = moments("Pacific/Auckland", "2024-04-01", 12), 0
    rows = []
    for day in sorted({t.date() for t in hours}):
        count = sum(t.date() == day for t in hours) * 2
        cells = [*map(str, range(1000 + at, 1000 + at + count)), *[""] * (50 - count)]
        rows.append(f"ARA,{day}," + ",".join(cells))
        at += count
    header = "Site_Code,Trading_Date," + ",".join(f"TP{i}" for i in range(1, 51))
    path = written(tmp_path / "generation.csv", header, rows)
    frame = read(path, timezone="Pacific/Auckland")
    assert np.allclose(frame.values[:, 0], np.arange(1000, 1000 + at))
    assert begins_at(frame, hours[0])
    assert "clock-change" in {fault.kind for fault in read(path).faults}


def test_a_time_at_which_an_interval_ended_is_its_end() -> None:
    assert read(wide(load=A).rename({"time": "end_at"})).clock.text(0).endswith("07 23:00")


def test_utc_is_read_from_a_name_in_one_word() -> None:
    local = pl.Series(TIMES).dt.offset_by("-6h")
    source = wide(load=A).rename({"time": "GMTIntervalEnd"}).with_columns(Interval=local)
    frame = read(source)
    assert frame.clock.timezone == "UTC"
    assert frame.clock.text(0).startswith("2024-01-07 23:00")


def test_dates_are_days_rather_than_months(tmp_path: Path) -> None:
    rows = [f"1/{8 + i // 48}/2024,{i % 48 // 2:02d}:{i % 2 * 30:02d},{a}"
            for i, a in enumerate(A[:96])]  # fmt: skip
    frame = read(written(tmp_path / "trend.csv", "Date,Time,kW", rows))
    assert frame.clock.text(95).startswith("2024-01-09 23:30")


@pytest.mark.parametrize("years", [(2024,), (2023, 2024)])
def test_first_days_of_months_are_refused(tmp_path: Path, years: tuple[int, ...]) -> None:
    rows = [f"01/{month:02d}/{year},{a}" for year in years
            for month, a in zip(range(1, 13), A, strict=False)]  # fmt: skip
    with pytest.raises(InputError, match="first days of"):
        read(written(tmp_path / "bills.csv", "date,kWh", rows))


def test_registers_that_take_turns_are_added_up() -> None:
    day = np.array([7 <= t.hour < 21 for t in TIMES])
    source = wide(**{"On-peak kWh": A * day, "Off-peak kWh": A * ~day})
    assert np.allclose(read(source).values[:, 0], A)
    assert read(source, target="On-peak kWh").sensors == ("On-peak kWh",)
    both = wide(**{"T1 kWh": A, "T2 kWh": B})
    assert read(both).sensors == ("T1 kWh", "T2 kWh")


@pytest.mark.parametrize("units", ["kWh kWh W m3", "kWh kWh MWh Wh"])
def test_columns_of_several_units_are_refused(units: str) -> None:
    named = {f"Import {i} {unit}": A * (i + 1) for i, unit in enumerate(units.split())}
    with pytest.raises(InputError, match="unit") as refused:
        read(wide(**named))
    assert proposals(str(refused.value))


def test_a_row_of_units_tells_kinds_apart(tmp_path: Path) -> None:
    rows = [f"{t},{a},{b}" for t, a, b in zip(TIMES, A, B, strict=True)]
    path = written(tmp_path / "plant.csv", "time,Counter,Analog", ["yyyy-MM-dd,kWh,kW", *rows])
    with pytest.raises(InputError, match="'Counter' in kWh; 'Analog' in kW"):
        read(path)


def test_columns_that_are_asked_for_are_brought_to_the_unit_of_the_first() -> None:
    source = wide(**{"Hall (kW)": A, "Works (MW)": B / 1000})
    frame = read(source, target=["Hall (kW)", "Works (MW)"])
    assert frame.quantity.unit == "kW"
    assert np.allclose(frame.values, np.stack([A, B], 1))
    with pytest.raises(InputError, match="a frame holds one quantity"):
        read(wide(**{"Hall (kW)": A, "Hall (kWh)": B}), target=["Hall (kW)", "Hall (kWh)"])


def test_ten_thousand_kilowatts_are_a_unit() -> None:
    frame = read(wide(**{"実績(万kW)": A}))
    assert (frame.quantity.unit, frame.quantity.domain) == ("万kW", "energy")


def test_names_of_measures_are_quantities() -> None:
    parts = [
        pl.DataFrame({"building": place, "measure_name": kind, "time": TIMES, "value": values})
        for place in ("north", "south")
        for kind, values in (("power_kw", A), ("temp_c", B))
    ]
    frame = read(pl.concat(parts))
    assert frame.sensors == ("north", "south")
    assert np.allclose(frame.values[:, 0], A)


@pytest.mark.parametrize("names", ["demHoy, demAyer, demSemanaAnt", "Demand MET(MW), THERMAL(MW)"])
def test_values_of_yesterday_and_sources_are_no_sensors(names: str) -> None:
    told = names.split(", ")
    assert read(wide(**{name: A * (i + 1) for i, name in enumerate(told)})).sensors == (told[0],)


@pytest.mark.parametrize("name", ["field", "Wert", "value_"])
def test_names_that_say_nothing_are_asked_about(name: str) -> None:
    source = wide(**{f"{name}1": A, f"{name}2": A + 1000.5})
    with pytest.raises(InputError, match="could be the readings") as refused:
        read(source)
    assert [read(source, **one).sensors for one in proposals(str(refused.value))]
    alike = wide(**{f"{name}1": A, f"{name}2": B})
    assert len(read(alike, target=[*alike.columns[1:]]).sensors) == 2
    if name != "field":  # of ThingSpeak, whose fields are seldom of one quantity
        assert len(read(alike).sensors) == 2


def test_readings_of_bad_status_are_missing() -> None:
    bad = "Bad_NoCommunication (0x80310000)"
    status = [bad if i in (30, 31) else "Good (0x00000000)" for i in range(len(TIMES))]
    frame = read(wide(value=A).with_columns(StatusCode=pl.Series(status)))
    assert list(np.flatnonzero(np.isnan(frame.values[:, 0]))) == [30, 31]


def test_what_was_added_is_read_rather_than_its_total() -> None:
    total = 400 + A.cumsum().round(3)
    frame = read(wide(change=A, state=total).with_columns(id=pl.lit("sensor.house")))
    assert np.allclose(frame.values[:, 0], A)


@pytest.mark.parametrize("fuels", [("Hydro", "Gas"), ("Wind", "Gas")])
def test_stations_of_several_fuels_are_sensors(fuels: tuple[str, str]) -> None:
    parts = [wide(load=some).with_columns(site=pl.lit(f"site {fuel}"), Fuel=pl.lit(fuel))
             for fuel, some in zip(fuels, (A, B), strict=True)]  # fmt: skip
    assert len(read(pl.concat(parts)).sensors) == 2
