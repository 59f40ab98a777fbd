"""Promise: flows of one place, sessions and units twice over are never read as sensors alike."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from remedies import TIMES, A, B, C, proposals, wide

from citytune import InputError
from citytune.readers import check, read
from citytune.readers.containers._json_records import records_of


@pytest.mark.parametrize("full", ["Trading Interval", "Time"])
def test_full_times_beat_the_periods_of_a_trading_day(full: str) -> None:
    rows = wide(load=A)[8:].with_columns(
        pl.col("time").dt.offset_by("-8h").dt.date().alias("Trading Date"),
        ((pl.col("time").dt.hour() - 8) % 24 + 1).cast(pl.Int64).alias("Interval Number"),
        pl.col("time").alias(full),
    )
    frame = read(rows.select("Trading Date", "Interval Number", full, "load"))
    assert frame.clock.text(0).endswith("08:00")
    assert np.allclose(frame.values[:, 0], A[8:])


@pytest.mark.parametrize(
    ("names", "chosen"),
    [("Solar (kW), Battery (kW), Home (kW)", "Home (kW)"),
     ("AC Consumption L1, Grid L1, PV power", "AC Consumption L1"),
     ("PV Yield (kWh), Import (kWh), Consumption (kWh)", "Consumption (kWh)"),
     ("Grid import, Grid export, Battery", "Grid import"),
     ("Zapotrzebowanie na moc, Suma generacji, Temp", "Zapotrzebowanie na moc"),
     ("Elec (kWh), Gas (kWh), Price", "Elec (kWh)"),
     ("North MTLF (MWh), North ActualLoad (MWh), South ActualLoad (MWh)",
      "North ActualLoad (MWh), South ActualLoad (MWh)"),
     ("Strom (kWh), Verbrauch Vorjahr (kWh), Menge (kWh)", "Strom (kWh), Menge (kWh)"),
     ("House A, House B, Grid Street", "House A, House B, Grid Street")],
)  # fmt: skip
def test_of_flows_of_energy_at_one_place_one_is_read(names: str, chosen: str) -> None:
    columns = dict(zip(names.split(", "), (A, B, C), strict=True))
    assert ", ".join(read(wide(**columns)).sensors) == chosen


def test_a_flow_that_is_named_twice_is_refused() -> None:
    source = wide(**{"Usage (kWh)": A, "Load (kWh)": B, "PV (kWh)": C})
    with pytest.raises(InputError, match="same flow of energy") as refused:
        read(source)
    for option in proposals(str(refused.value)):
        assert read(source, **option).sensors == (option["target"],)


@pytest.mark.parametrize(("ratio", "more"), [(4.0, 0.0), (1000.0, 0.0), (1.8, 32.0)])
def test_one_quantity_in_two_units_is_refused(ratio: float, more: float) -> None:
    source = wide(powr=A, enwh=(A * ratio + more).round(1))
    with pytest.raises(InputError, match="the same in two units") as refused:
        read(source)
    assert proposals(str(refused.value)) == [{"target": "powr"}, {"target": "enwh"}]


@pytest.mark.parametrize("other", [A * 1.37, A * 4 + C, A])
def test_sensors_that_resemble_each_other_are_kept(other: Any) -> None:
    assert read(wide(north=A, quay=other)).sensors == ("north", "quay")


def test_a_constant_is_no_reading_where_others_change() -> None:
    station = pl.lit("DE").alias("code")
    source = wide(consumption=np.full(len(A), 908.2), stored=A).with_columns(station)
    assert float(read(source).values.min()) < 900


def test_sessions_are_no_readings() -> None:
    minutes = [67 * i + (i * 29 % 50 if i % 5 == 0 else 0) for i in range(400)]
    times = pl.Series(minutes) * 60_000_000
    sessions = pl.DataFrame({"Start": times.cast(pl.Datetime), "kWh": A[:400]})
    with pytest.raises(InputError, match="67min, which divides no day"):
        read(sessions)


def test_a_logger_with_an_odd_step_and_one_that_drifts_are_read() -> None:
    odd = pl.DataFrame({"time": pl.Series(range(500)) * 7 * 60_000_000, "load": A[:500]})
    assert read(odd.with_columns(pl.col("time").cast(pl.Datetime))).clock.freq == "7min"
    seconds = np.cumsum(np.where(np.arange(500) % 5 < 3, 301, 300))
    late = pl.DataFrame({"time": pl.Series(seconds) * 1_000_000, "load": A[:500]})
    assert read(late.with_columns(pl.col("time").cast(pl.Datetime))).clock.freq == "5min"


PAIRS = {"a": A, "b": B}
MOMENTS = [int(t.timestamp()) for t in TIMES]
DOCUMENTS: dict[str, Any] = {
    "values under their times": [
        {"metric": "kw", "tags": {"site": n}, "dps": dict(zip(map(str, MOMENTS), v, strict=True))}
        for n, v in PAIRS.items()],
    "a split table": {"columns": ["a", "b"], "index": [1000 * t for t in MOMENTS],
                      "data": [list(row) for row in zip(A, B, strict=True)]},
    "a list of lists": [[{"entity_id": n, "state": str(x), "last_changed": f"{t}"}
                         for t, x in zip(TIMES, v, strict=True)] for n, v in PAIRS.items()],
}  # fmt: skip


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_shapes_of_json_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(DOCUMENTS[kind]))
    frame = read(path)
    assert frame.sensors == ("a", "b")
    assert np.allclose(frame.values, np.c_[A, B], atol=0.01)


def test_a_table_is_found_beside_many_plain_values() -> None:
    around = {f"note {i}": i for i in range(30)}
    assert records_of({"meta": around, "rows": [{"at": 1, "v": 2}]}) == [{"at": 1, "v": 2}]


def test_titles_of_full_width_and_weekdays_before_dates(tmp_path: Path) -> None:
    rows = [f"Mo, {t:%d.%m.%Y %H:%M};{a:.1f};" for t, a in zip(TIMES, A, strict=True)]
    path = tmp_path / "werte.csv"
    path.write_text(
        "\n".join(["Bericht;;", "Zeitraum;;", ";;", "Tag;Strom (kWh);Bemerkung", *rows])
    )
    assert read(path).sensors == ("Strom (kWh)",)


def test_hours_down_and_days_across_are_read_from_text(tmp_path: Path) -> None:
    days = A[: 24 * 20].reshape(20, 24)
    lines = [";".join(["Stunde", *(f"{t:%d.%m.%Y}" for t in TIMES[: 24 * 20 : 24])])]
    lines += [";".join([str(h + 1), *(f"{x:.1f}" for x in days[:, h])]) for h in range(24)]
    path = tmp_path / "profil.csv"
    path.write_text("\n".join(lines))
    assert np.allclose(read(path).values[:, 0], A[: 24 * 20], atol=0.06)


def test_an_empty_column_between_blocks_is_no_sensor(tmp_path: Path) -> None:
    rows = [f"{t},{a},,{t},{b}" for t, a, b in zip(TIMES, A, B, strict=True)]
    path = tmp_path / "two.csv"
    path.write_text("\n".join(["Trafo 1,,,Trafo 2,", "Time,kW,,Time,kW", *rows]))
    assert read(path).sensors == ("Trafo 1 kW", "Trafo 2 kW")
    assert not [fault for fault in check(path) if fault.kind == "silent-sensor"]


def test_directions_of_a_meter_are_quantities() -> None:
    codes = [pl.lit(code).alias("Channel") for code in ("A+", "A-")]
    both = pl.concat([wide(kWh=v).with_columns(c) for v, c in zip((A, B), codes, strict=True)])
    assert np.allclose(read(both).values[:, 0], A)
    assert np.allclose(read(both, target="A-").values[:, 0], B)


@pytest.mark.parametrize("months", [True, False])
def test_sheets_alike_are_one_table(tmp_path: Path, months: bool) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    pytest.importorskip("fastexcel")
    half = len(A) // 2
    book = xlsxwriter.Workbook(tmp_path / "year.xlsx")
    for name, values, times in (
        ("one", A[:half] if months else A, TIMES[:half] if months else TIMES),
        ("two", A[half:] if months else B, TIMES[half:] if months else TIMES),
    ):
        sheet = book.add_worksheet(name)
        for i, row in enumerate([("Time", "kWh"), *zip(map(str, times), values, strict=True)]):
            sheet.write_row(i, 0, row)
    book.close()
    frame = read(tmp_path / "year.xlsx")
    assert np.allclose(frame.values, A[:, None] if months else np.c_[A, B], atol=0.01)


@pytest.mark.parametrize("names", [("DC1 U", "DC1 I", "DC1 P"), ("AC1 U", "AC1 P", "AC2 F")])
def test_letters_of_electricity_are_quantities(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="several quantities"):
        read(wide(**dict(zip(names, (A, B, C), strict=True))))


def test_a_day_of_gas_begins_at_six() -> None:
    rows = wide(load=A)[6:].with_columns(
        day=pl.col("time").dt.offset_by("-6h").dt.strftime("%d.%m.%Y"),
        hour=pl.col("time").dt.strftime("%H:%M"),
    )
    frame = read(rows.select("day", "hour", "load"))
    assert "day-begins-later" in {fault.kind for fault in frame.faults}
    assert np.allclose(frame.values[:, 0], A[6:])


@pytest.mark.parametrize(
    ("names", "chosen"),
    [("intensity.forecast, intensity.actual", "intensity.actual"),
     ("Main kW, Annex kW, Hall kW", "Main kW, Annex kW, Hall kW")],
)  # fmt: skip
def test_forecasts_beside_what_was_measured_are_left_out(names: str, chosen: str) -> None:
    columns = dict(zip(names.split(", "), (A, B, C), strict=False))
    assert ", ".join(read(wide(**columns)).sensors) == chosen


def test_an_empty_column_of_notes_is_no_sensor() -> None:
    empty = pl.lit(None, pl.Float64).alias("Notes")
    assert read(wide(north=A, quay=B).with_columns(empty)).sensors == ("north", "quay")


def test_the_highest_load_of_two_grids_is_their_sum() -> None:
    names = ("Höchstentnahmelast [kW]", "Last HS [kW]", "Last MS [kW]")
    source = wide(**dict(zip(names, ((A + B).round(1), A, B), strict=True)))
    assert read(source).sensors == names[1:]


def test_tariffs_of_electricity_stay_next_to_gas() -> None:
    source = wide(electricity_low=A, electricity_high=B, gas=C)
    assert read(source).sensors == ("electricity_low", "electricity_high")


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_units_are_compared_without_what_is_no_number(odd: float) -> None:
    late = np.where(np.arange(len(A)) < 300, odd, A)
    source = pl.DataFrame({"time": TIMES, "north": late, "quay": B})
    if np.isinf(odd):
        with pytest.raises(InputError, match="infinite"):
            read(source)
    else:
        assert read(source).sensors == ("north", "quay")


def test_loads_of_the_day_ahead_and_prices_are_no_sensors(tmp_path: Path) -> None:
    times = [dt.datetime(2024, 1, 8) + dt.timedelta(hours=i) for i in range(480)]
    rows = [
        f"{t:%Y-%m-%d %H:%M},{9000 + i % 97},{9000 + i % 89}.5,{30 + i % 7},{28 + i % 5},{i % 9}"
        for i, t in enumerate(times)
    ]
    head = "time,DA_Demand,RT_Demand,DA_LMP,RT_LMP,Dry_Bulb"
    (tmp_path / "smd.csv").write_text("\n".join([head, *rows]) + "\n")
    assert read(tmp_path / "smd.csv").sensors == ("RT_Demand",)


@pytest.mark.parametrize(
    ("name", "unit"),
    [("Тепло, МВт·год", "MWh"), ("Электроэнергия, кВт·ч", "kWh"), ("Потужність, МВт", "MW"),
     ("Energy (kW·h)", "kWh"), ("NO2, мкг/м3", "µg/m³"), ("NO2, мг/м3", "mg/m³")],
)  # fmt: skip
def test_units_in_cyrillic_letters_are_known(tmp_path: Path, name: str, unit: str) -> None:
    rows = [f"{t};{v}" for t, v in zip(TIMES, A, strict=True)]
    (tmp_path / "heat.csv").write_text("\n".join([f"time;{name}", *rows]), encoding="utf-8")
    assert read(tmp_path / "heat.csv").quantity.unit == unit


def test_two_roofs_in_one_unit_are_two_sensors() -> None:
    sun = np.clip(np.sin((np.arange(len(TIMES)) % 24 - 6) / 12 * np.pi), 0, None)
    sun *= 0.3 + np.arange(len(TIMES)) // 24 / 40
    roofs = {"pv_roof_kw": 5 * sun, "pv_barn_kw": 9 * sun}
    assert len(read(pl.DataFrame({"time": TIMES} | roofs)).sensors) == 2
    depots = {"quay": 100 + 50 * sun, "tiny": 1e-6 * (100 + 50 * sun)}
    assert len(read(pl.DataFrame({"time": TIMES} | depots)).sensors) == 2
