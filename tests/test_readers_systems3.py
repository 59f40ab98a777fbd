"""Promise: what stands beside the readings of one more dozen of systems is not read as readings."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from systems import given, holds, hours, refusal, waves

from citytune.readers import read

LENGTH = 24 * 20
TIMES = hours(LENGTH)
A, B, C = waves(3, LENGTH)


def test_a_number_in_brackets_is_no_repeated_name(tmp_path: Path) -> None:
    rows = [f"{t},{a},{b},{c}" for t, a, b, c in zip(TIMES, A, B, C, strict=True)]
    head = "time,Inverter 10.0 (1),Inverter 8.2 (2),Garden 7 (3)"
    assert holds(read(given(tmp_path, head, *rows)), A, B, C)


def test_the_limit_of_each_quantity_is_no_reading(tmp_path: Path) -> None:
    rows = [
        f"{t:%d.%m.%Y %H:%M};{kind};{v};{limit}"
        for t, a, b in zip(TIMES, A, B, strict=True)
        for kind, v, limit in (("NO2", a, 0.2), ("CO", b, 5))
    ]
    frame = read(given(tmp_path, "Дата и время;Параметр;Значение, мг/м3;ПДК м.р.", *rows))
    assert holds(frame, A)
    assert frame.quantity.unit == "mg/m³"


def test_the_code_of_a_station_and_a_moving_mean_are_no_sensors(tmp_path: Path) -> None:
    truth = A.copy()
    truth[::41] = np.nan
    rows = [
        f"{t:%d/%m/%Y};{t.hour + 1:02d}:00;99;{a:g};{b:g};{'Sim' if ok else 'Não'}"
        for t, a, b, ok in zip(TIMES, A, B, ~np.isnan(truth), strict=True)
    ]
    head = "Data;Hora;Código Estação;Média Horária;Média Móvel;Válido"
    assert holds(read(given(tmp_path, head, *rows)), truth)


@pytest.mark.parametrize(
    ("actual", "planned"),
    [
        ("Nettó terhelés", "Nettó rendszerterhelés becslés (dayahead)"),
        ("Tarbimine", "Planeeritud tarbimine"),
    ],
)
def test_what_was_planned_is_no_sensor(tmp_path: Path, actual: str, planned: str) -> None:
    rows = [f"{t};{a};{b}" for t, a, b in zip(TIMES, A, B, strict=True)]
    assert read(given(tmp_path, f"Aeg;{actual};{planned}", *rows)).sensors == (actual,)


@pytest.mark.parametrize("names", ["F1 F2 F3", "P1 P2 P6", "P1 P2 P3 P6"])
def test_bands_of_a_tariff_are_added_up(tmp_path: Path, names: str) -> None:
    bands = names.split()
    rows = []
    for t, a in zip(TIMES, A, strict=True):
        on = 0 if 8 <= t.hour < 19 else 1 if 7 <= t.hour < 23 else len(bands) - 1
        cells = (f"{a:g}" if i == on else "0" for i in range(len(bands)))
        rows.append(f"{t:%Y-%m-%d %H:%M};" + ";".join(cells))
    head = "Data;" + ";".join(f"{band} (kWh)" for band in bands)
    assert holds(read(given(tmp_path, head, *rows)), A)


def test_chargers_that_take_turns_are_sensors(tmp_path: Path) -> None:
    rows, first, second = [], np.zeros(LENGTH), np.zeros(LENGTH)
    for i, t in enumerate(TIMES):
        (first if i % 2 else second)[i] = A[i] if t.hour in (9, 10, 17, 18) else 0
        rows.append(f"{t:%Y-%m-%d %H:%M};{first[i]};{second[i]}")
    assert holds(read(given(tmp_path, "Horodate;P1 (kWh);P2 (kWh)", *rows)), first, second)


def test_the_number_of_buses_is_not_taken_for_the_speed_they_tell(tmp_path: Path) -> None:
    rows = [
        f"{t},{segment},{v:.0f},{i % 7},{7 * (i % 7)}"
        for i, (t, a, b) in enumerate(zip(TIMES, A, B, strict=True))
        for segment, v in ((1, a), (2, b))
    ]
    path = given(tmp_path, "TIME,SEGMENT_ID,SPEED,BUS_COUNT,MESSAGE_COUNT", *rows)
    assert "target='SPEED'" in refusal(path)
    assert holds(read(path, target="SPEED"), A.round(), B.round())


def test_demand_generation_and_exchange_are_asked_about(tmp_path: Path) -> None:
    rows = [
        f"{t};{1000 + a:g};{500.5 + b:g};{c - 45:.0f};0"
        for t, a, b, c in zip(TIMES, A, B, C, strict=True)
    ]
    head = "Data;Krajowe zapotrzebowanie na moc;Sumaryczna generacja;Krajowe saldo;Generacja IRZ"
    path = given(tmp_path, head, *rows)
    assert "target='Krajowe zapotrzebowanie na moc'" in refusal(path)


def test_a_speed_next_to_counts_without_units_is_asked_about(tmp_path: Path) -> None:
    rows = [
        f"{t};{a:.0f};{b:.0f};{60 + c / 10:g}" for t, a, b, c in zip(TIMES, A, B, C, strict=True)
    ]
    path = given(tmp_path, "Datum;OA;NA;Rychlost (km/h)", *rows)
    assert "target='OA'" in refusal(path)


def test_a_script_of_sql_server_is_read(tmp_path: Path) -> None:
    rows = [
        f"INSERT [dbo].[Reading] ([Id], [Place], [At], [KW]) VALUES ({2 * i + j}, N'O''Hare {j}', "
        f"CAST(N'{t:%Y-%m-%dT%H:%M:%S}.000' AS DateTime), CAST({v} AS Decimal(10, 2)))\nGO"
        for i, (t, a, b) in enumerate(zip(TIMES, A, B, strict=True))
        for j, v in enumerate((a, b))
    ]
    head = (
        "USE [Energy]\nGO\nCREATE TABLE [dbo].[Reading](\n\t[Id] [int] NOT NULL\n) ON [PRIMARY]\nGO"
    )
    path = tmp_path / "script.sql"
    path.write_text("\r\n".join([head, *rows]), encoding="utf-16")
    frame = read(path)
    assert holds(frame, A, B)
    assert frame.sensors == ("O'Hare 0", "O'Hare 1")
    assert frame.quantity.unit == "kW"


def test_sensors_are_not_called_after_the_addresses_of_their_pages(tmp_path: Path) -> None:
    rows = [
        f"{t};https://parking.example/{name.lower()};{name};{v}"
        for t, a, b in zip(TIMES, A, B, strict=True)
        for name, v in (("City", a), ("Stein", b))
    ]
    assert read(given(tmp_path, "published;link;name2;free", *rows)).sensors == ("City", "Stein")


def test_a_time_of_the_day_may_stand_before_its_date(tmp_path: Path) -> None:
    rows = [f"{t:%H:%M %d/%m/%Y},{a}" for t, a in zip(TIMES, A, strict=True)]
    frame = read(given(tmp_path, "Thời gian,PM2.5", *rows))
    assert holds(frame, A)
    assert frame.clock.start == dt.datetime(2024, 1, 8)


def test_polish_letters_are_read(tmp_path: Path) -> None:
    rows = [f"{t};{a};{b}" for t, a, b in zip(TIMES, A, B, strict=True)]
    path = tmp_path / "kse.csv"
    path.write_bytes("\n".join(["Data;Równoległa północ;Wschód", *rows]).encode("cp1250"))
    assert read(path).sensors == ("Równoległa północ", "Wschód")


def test_consumption_in_cubic_metres_is_no_energy(tmp_path: Path) -> None:
    rows = [f"{t},{a}" for t, a in zip(TIMES, A, strict=True)]
    frame = read(given(tmp_path, "time,Consumption (m3)", *rows))
    assert str(frame.quantity) == "consumption (m³)"


@pytest.mark.parametrize("name", ["Unidade de Medida", "mjernaJedinica"])
def test_a_column_of_units_is_known_in_more_languages(tmp_path: Path, name: str) -> None:
    rows = [f"{t};{a};µg/m3" for t, a in zip(TIMES, A, strict=True)]
    assert read(given(tmp_path, f"Data;Valor;{name}", *rows)).quantity.unit == "µg/m³"
