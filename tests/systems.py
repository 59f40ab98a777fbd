"""Small files in the layouts of real systems that are hard to read, with made-up values."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from citytune import InputError
from citytune.frame import SensorFrame
from citytune.readers import read

Values = NDArray[np.float64]
HOUR = dt.timedelta(hours=1)


class System(NamedTuple):
    """A file and what is in it."""

    data: bytes
    truth: list[Values]
    """The series of one quantity, each (time,), in any order."""
    options: dict[str, Any]
    minutes: int = 60


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
        and np.isnan(column[j : j + size][np.isnan(series[i : i + size])]).all()
        for i, j in ((0, 0), (0, 1), (1, 0))
    )


def given(tmp_path: Path, *lines: str, name: str = "export.csv") -> Path:
    """A file of these lines."""
    (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / name


def holds(frame: SensorFrame, *series: Values) -> bool:
    """Whether a frame holds these series, of hours, and no others."""
    return is_right(System(b"", list(series), {}), frame)


def waves(count: int, length: int, places: int = 1) -> list[Values]:
    """Series with a rhythm of a day, never alike."""
    rng = np.random.default_rng(7)
    wave = 40 + 30 * np.sin(np.arange(length) / 24 * 2 * np.pi)
    return [(wave * (1 + i / 5) + rng.gamma(2, 3, length)).round(places) for i in range(count)]


def hours(length: int, zone: str | None = None) -> list[dt.datetime]:
    """Wall times from Monday, 8 January 2024 on."""
    first = dt.datetime(2024, 1, 8, tzinfo=ZoneInfo(zone) if zone else None)
    return [first + i * HOUR for i in range(length)]


def text(lines: Sequence[str], encoding: str = "utf-8") -> bytes:
    """Lines as a file."""
    return ("\n".join(lines) + "\n").encode(encoding)


def german_air() -> System:
    """Umweltbundesamt: times of the day in single quotes up to 24:00, a licence below."""
    (no2,) = waves(1, 480, 0)
    rows = [f"DEBE010;{t:%d.%m.%Y};'{t.hour + 1:02d}:00';{v:.0f};gut"
            for t, v in zip(hours(480), no2, strict=True)]  # fmt: skip
    head = "Stationscode;Datum;Uhrzeit;Stickstoffdioxid (NO₂) Stundenmittel in µg/m³;Index"
    return System(text([head, *rows, "", "Quelle: Umweltbundesamt"]), [no2], {})


def lanuv_air() -> System:
    """Dates with points beside times of the day, weather and two gases, a trailing delimiter."""
    ozone, no2 = waves(2, 480)
    rows = [f"{t:%d.%m.%Y};{t.hour + 1:02d}:00;5,1;230;{a:.1f};{b:.1f};".replace(".1;", ".1;")
            for t, a, b in zip(hours(480), ozone, no2, strict=True)]  # fmt: skip
    rows = [row[:10] + row[10:].replace(".", ",") for row in rows]
    return System(text(["Datum;Zeit;LTEM;WRI;Ozon;NO2;", *rows]), [no2], {})


def japanese_air() -> System:
    """Soramame: another encoding, hours 1 to 24 in a column that no vocabulary knows."""
    (pm25,) = waves(1, 480, 0)
    rows = [f"13101010,{t:%Y/%m/%d},{t.hour + 1},0.001,{v:.0f}"
            for t, v in zip(hours(480), pm25, strict=True)]  # fmt: skip
    return System(text(["測定局,日付,時,SO2,PM2.5", *rows], "cp932"), [pm25], {})


def korean_air() -> System:
    """AirKorea: times such as 2024010124 under an unknown name."""
    pm10 = waves(2, 480, 0)
    rows = [f"{t:%Y%m%d}{t.hour + 1:02d},중구{j},{pm10[j][i]:.0f}"
            for i, t in enumerate(hours(480)) for j in (0, 1)]  # fmt: skip
    return System(text(["시각,측정소명,PM10", *rows]), pm10, {})


def chilean_air() -> System:
    """SINCA: dates of six digits, HHMM, three stages of checking of which one is filled."""
    (pm25,) = waves(1, 480)
    rows = [f"{t:%y%m%d};{t:%H%M};{v:.1f};;".replace(".", ",")
            for t, v in zip(hours(480), pm25, strict=True)]  # fmt: skip
    head = "FECHA (YYMMDD);HORA (HHMM);Registros validados;preliminares;no validados"
    return System(text([head, *rows]), [pm25], {})


def french_air() -> System:
    """ATMO: raw and checked values, a pollutant that only one station measures."""
    pm10, no2, other = waves(3, 480)
    rows = []
    for i, t in enumerate(hours(480)):
        for kind, site, v in (("NO2", "A", no2[i]), ("NO2", "B", other[i]), ("PM10", "A", pm10[i])):
            rows.append(f"{t:%Y/%m/%d %H:%M:%S};{t + HOUR:%Y/%m/%d %H:%M:%S};{site};{kind};"
                        f"{v:.1f};{v + 0.2:.2f};µg-m3;;1")  # fmt: skip
    head = "Date de début;Date de fin;code site;Polluant;valeur;valeur brute;unité;saisie;validité"
    return System(text([head, *rows]), [pm10], {})


def american_roads() -> System:
    """New York: columns such as 12:00-1:00 AM, a row for each day and direction."""
    both = waves(2, 480, 0)
    names = ["12:00-1:00 AM", *(f"{h}:00-{h + 1}:00AM" for h in range(1, 11)), "11:00-12:00PM",
             "12:00-1:00PM", *(f"{h}:00-{h + 1}:00PM" for h in range(1, 11)),
             "11:00-12:00AM"]  # fmt: skip
    rows = [f"{t:%m/%d/%Y},{'NS'[j]}B,{','.join(f'{v:.0f}' for v in both[j][i : i + 24])}"
            for i, t in enumerate(hours(480)) if i % 24 == 0 for j in (0, 1)]  # fmt: skip
    return System(text([f"Date,Direction,{','.join(names)}", *rows]), both, {})


def german_roads() -> System:
    """BASt: two directions of all vehicles and of lorries, a flag for each, six-digit dates."""
    cars, lorries = waves(2, 480, 0), waves(4, 480, 0)[2:]
    rows = [f"3628;5620;{t:%y%m%d};{t.isoweekday()};{t.hour + 1:02d};{cars[0][i]:.0f};-;"
            f"{cars[1][i]:.0f};-;{lorries[0][i]:.0f};-;{lorries[1][i]:.0f};-"
            for i, t in enumerate(hours(480))]  # fmt: skip
    head = ("TKNR;Zst;Datum;Wotag;Stunde;KFZ_R1;K_KFZ_R1;KFZ_R2;K_KFZ_R2;Lkw_R1;K_Lkw_R1;"
            "Lkw_R2;K_Lkw_R2")  # fmt: skip
    return System(text([head, *rows]), cars, {})


def nordic_load() -> System:
    """Nord Pool: titles, hours such as 00 - 01, and an area called NO2, which is no gas."""
    areas = waves(2, 480, 0)
    rows = [f"{t:%d-%m-%Y};{t.hour:02d} - {(t.hour + 1) % 24:02d};{a:.0f};{b:.0f}"
            for t, a, b in zip(hours(480), *areas, strict=True)]  # fmt: skip
    head = ["Consumption in MWh;;;", "Updated 06-02-2024;;;", ";Hours;NO1;NO2"]
    return System(text([*head, *rows]), areas, {})


def italian_load() -> System:
    """e-distribuzione: a column for each quarter of an hour, named by its range."""
    (load,) = waves(1, 96 * 20, 3)
    names = [f"{q // 4:02d}:{q % 4 * 15:02d}-{(q + 1) // 4 % 24:02d}:{(q + 1) % 4 * 15:02d}"
             for q in range(96)]  # fmt: skip
    rows = [f"{t:%d/%m/%Y};" + ";".join(f"{v:.3f}" for v in load[4 * i : 4 * i + 96])
            for i, t in enumerate(hours(480)) if i % 24 == 0]  # fmt: skip
    rows = [row.replace(".", ",") for row in rows]
    return System(text([f"Giorno;{';'.join(names)}", *rows]), [load], {}, 15)


def belgian_meter() -> System:
    """Fluvius: registers by day and by night are one meter."""
    (load,) = waves(1, 480, 3)
    rows = [f"{t:%d-%m-%Y};{t:%H:%M:%S};{t + HOUR:%d-%m-%Y};{t + HOUR:%H:%M:%S};=\"5414\";M1;"
            f"Afname {'Dag' if 7 <= t.hour < 22 else 'Nacht'};{v:.3f};kWh".replace(".", ",")
            for t, v in zip(hours(480), load, strict=True)]  # fmt: skip
    head = "Van (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);EAN;Meter;Register;Volume;Eenheid"
    return System(text([head, *rows]), [load], {})


def texan_meter() -> System:
    """Smart Meter Texas: consumption and surplus side by side, the time of a revision."""
    used, sold = waves(2, 480, 3)
    rows = [f"'1044,{t:%m/%d/%Y},{t + 30 * HOUR:%m/%d/%Y %H:%M:%S}, {t:%H:%M},{v:.3f},{kind}"
            for i, t in enumerate(hours(480))
            for v, kind in ((used[i], "Consumption"), (sold[i], "Surplus Generation"))]  # fmt: skip
    head = "ESIID,USAGE_DATE,REVISION_DATE,USAGE_START_TIME,USAGE_KWH,CONSUMPTION_SURPLUSGENERATION"
    return System(text([head, *rows]), [used], {})


def inverter() -> System:
    """A total that begins anew at midnight."""
    (made,) = waves(1, 480, 3)
    made = made / 100
    total = np.concatenate([np.cumsum(made[i : i + 24]) for i in range(0, 480, 24)])
    rows = [f"{t + dt.timedelta(minutes=59):%Y-%m-%d %H:%M},{v:.6f}"
            for t, v in zip(hours(480), total, strict=True)]  # fmt: skip
    return System(text(["Time,Energy today (kWh)", *rows]), [made], {})


def californian_load() -> System:
    """CAISO: local date and hour beside UTC, in no order."""
    areas = waves(2, 480)
    rows = [f"{t:%Y-%m-%dT%H:%M:%S}-00:00,{t + HOUR:%Y-%m-%dT%H:%M:%S}-00:00,"
            f"{t - 8 * HOUR:%Y-%m-%d},{(t - 8 * HOUR).hour + 1},{'AB'[j]},{areas[j][i]:.1f}"
            for i, t in enumerate(hours(480)) for j in (0, 1)]  # fmt: skip
    np.random.default_rng(0).shuffle(rows)
    head = "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,OPR_DT,OPR_HR,TAC_AREA_NAME,MW"
    return System(text([head, *rows]), areas, {})


def polish_air() -> System:
    """GIOŚ: six rows of labels, stations in the columns, one of them called by a number."""
    sites = waves(3, 480)
    names = ["DsWrocAlWisn", "MzWarAlNiepo", "007"]
    head = ["Nr;1;2;3", f"Kod stacji;{';'.join(names)}", "Wskaźnik;NO2;NO2;NO2",
            "Czas uśredniania;1g;1g;1g", "Jednostka;ug/m3;ug/m3;ug/m3",
            f"Kod stanowiska;{';'.join(f'{name}-NO2-1g' for name in names)}"]  # fmt: skip
    rows = [f"{t + HOUR:%Y-%m-%d %H:%M:%S};{a:.1f};{b:.1f};{c:.1f}"
            for t, a, b, c in zip(hours(480), *sites, strict=True)]  # fmt: skip
    return System(text([*head, *rows]), sites, {})


def danish_load() -> System:
    """Energinet: UTC and local time across the end of summer time, the newest first."""
    areas = waves(2, 960, 3)
    first = dt.datetime(2024, 10, 10, tzinfo=dt.UTC)
    zone = ZoneInfo("Europe/Copenhagen")
    rows = [f"{t:%Y-%m-%dT%H:%M:%S};{t.astimezone(zone):%Y-%m-%dT%H:%M:%S};DK{j + 1};"
            f"{areas[j][i]:.3f}".replace(".", ",")
            for i, t in enumerate(first + n * HOUR for n in range(960))
            for j in (0, 1)]  # fmt: skip
    head = "HourUTC;HourDK;PriceArea;GrossConsumptionMWh"
    return System(text([head, *rows[::-1]]), areas, {})


def japanese_weather() -> System:
    """JMA: a header that says temperature three times, and below it what two of them are."""
    (warmth,) = waves(1, 480)
    head = ["ダウンロードした時刻：2024/03/01 12:00:00", "", ",東京,東京,東京",
            "年月日時,気温(℃),気温(℃),気温(℃)", ",,品質情報,均質番号"]  # fmt: skip
    rows = [f"{t:%Y/%m/%d %H:%M:%S},{v:.1f},{8 if i % 9 else 5},1"
            for i, (t, v) in enumerate(zip(hours(480), warmth, strict=True))]  # fmt: skip
    return System(text([*head, *rows], "cp932"), [warmth], {})


def brazilian_weather() -> System:
    """INMET: times of the day such as 0100 UTC."""
    warmth, humidity = waves(2, 480)
    rows = [f"{t:%Y/%m/%d};{t:%H%M} UTC;{a:.1f};{b:.1f};".replace(".", ",")
            for t, a, b in zip(hours(480), warmth, humidity, strict=True)]  # fmt: skip
    head = ["ESTACAO:;SAO PAULO", "LATITUDE:;-23,49", "Data;Hora UTC;AR (°C);UMIDADE (%);"]
    return System(text([*head, *rows], "latin-1"), [warmth], {"target": "AR (°C)"})


def opc_history() -> System:
    """A historian: bad values are zeros with the quality of OPC beside them."""
    tags = waves(2, 480, 3)
    rows = []
    for i, t in enumerate(hours(480)):
        for j in (0, 1):
            bad = (i + j) % 83 == 9
            rows.append(f"{t:%Y-%m-%d %H:%M:%S}.0000000\tPUMP{j}.Power\t"
                        f"{0 if bad else tags[j][i]:.3f}\t{0 if bad else 192}")  # fmt: skip
            tags[j][i] = np.nan if bad else tags[j][i]
    head = "DateTime\tTagName\tValue\tOPCQuality"
    return System(text([head, *rows], "utf-16"), tags, {})


def dutch_roads() -> System:
    """NDW: classes of vehicles below each other, of which one is all of them."""
    lanes = waves(2, 480, 0)
    rows = []
    for j, i in ((j, i) for j in (0, 1) for i in range(480)):
        t, cars = hours(480)[i], (lanes[j][i] * 0.8).round()
        for kind, v in (("< 5.60 m", cars), (">= 5.60 m", lanes[j][i] - cars),
                        ("anyVehicle", lanes[j][i])):  # fmt: skip
            rows.append(f"RWS01_00{j},{t:%Y-%m-%d %H:%M:%S},{t + HOUR:%Y-%m-%d %H:%M:%S},"
                        f"{v:.0f},{80 + i % 20},lane{1 + j},{kind}")  # fmt: skip
    head = ("naam_meetlocatie_mst,start_meetperiode,eind_meetperiode,gem_intensiteit,gem_snelheid,"
            "rijstrook_rijbaan,voertuigcategorie")  # fmt: skip
    return System(text([head, *rows]), lanes, {})


def _stamps() -> Iterator[tuple[int, int]]:
    for i, t in enumerate(hours(480, "UTC")):
        yield i, int(t.timestamp())


def documents() -> dict[str, System]:
    """JSON in the shapes in which interfaces answer."""
    one, two = waves(2, 480)
    pairs = [[at * 1000, one[i]] for i, at in _stamps()]
    matrix = [{"metric": {"meter": name}, "values": [[at, str(v[i])] for i, at in _stamps()]}
              for name, v in (("a", one), ("b", two))]  # fmt: skip
    nodes = [{"from": f"{t.isoformat()}", "cost": i % 3, "consumption": one[i]}
             for i, t in enumerate(hours(480, "UTC"))]  # fmt: skip
    found = {
        "pairs": ({"meta": {"version": 1}, "series": pairs}, [one]),
        "names beside rows": ({"fields": ["time_stamp", "pm2.5_atm"], "sensor_index": 7,
                               "data": [[at, one[i]] for i, at in _stamps()]}, [one]),
        "matrix": ({"status": "success", "data": {"resultType": "matrix", "result": matrix}},
                   [one, two]),
        "deep": ({"data": {"viewer": {"homes": [{"consumption": {"nodes": nodes}}]}}}, [one]),
        "columns": ({"hourly_units": {"pm10": "µg/m³"},
                     "hourly": {"time": [f"{t:%Y-%m-%dT%H:%M}" for t in hours(480)],
                                "pm10": one.tolist()}}, [one]),
        "names of numbered fields": ({"channel": {"id": 9, "field1": "PM2.5", "field2": "Humidity",
                                                  "created_at": "2019-03-12T10:00:00Z"},
                                      "feeds": [{"created_at": f"{t.isoformat()}", "entry_id": i,
                                                 "field1": f"{one[i]}", "field2": f"{two[i]}"}
                                                for i, t in enumerate(hours(480, "UTC"))]}, [one]),
        "a list for each quantity": ({"power": [{"ts": at * 1000, "value": str(one[i])}
                                                for i, at in _stamps()],
                                      "voltage": [{"ts": at * 1000, "value": "230"}
                                                  for _, at in _stamps()]}, [one]),
    }  # fmt: skip
    return {name: System(json.dumps(document).encode(), truth, {})
            for name, (document, truth) in found.items()}  # fmt: skip


TABLES: tuple[Callable[[], System], ...] = (
    german_air, lanuv_air, japanese_air, korean_air, chilean_air, french_air, american_roads,
    german_roads, nordic_load, italian_load, belgian_meter, texan_meter, inverter,
    californian_load, polish_air, danish_load, japanese_weather, brazilian_weather, opc_history,
    dutch_roads,
)  # fmt: skip


def refusal(source: Any, **options: Any) -> str:
    """What is said of a source that cannot be read."""
    with pytest.raises(InputError) as found:
        read(source, **options)
    return str(found.value)
