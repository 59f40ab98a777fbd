"""Rows as real systems export them, one line each: a header and how a moment is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import NamedTuple

from systems import HOUR, Values, waves

DAY = dt.timedelta(days=1)
LENGTH = 24 * 16
START = dt.datetime(2024, 1, 8)
Row = Callable[[int, dt.datetime, float, float], str]
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


class Export(NamedTuple):
    """How a system writes two series."""

    head: Sequence[str]
    row: Row
    """(number, moment, first value, second value) → a row, or several."""
    truth: str = "ab"
    """Which of the series are read; "a/b" is one or the other."""
    step: dt.timedelta = HOUR
    places: int = 1
    encoding: str = "utf-8"
    start: dt.datetime | None = START
    """Of the first value as it is read; None if only the values count."""
    foot: Sequence[str] = ()

    def series(self) -> tuple[Values, Values]:
        """The two series."""
        one, two = waves(2, LENGTH, self.places)
        return one, two

    def data(self) -> bytes:
        """The file."""
        pairs = zip(*self.series(), strict=True)
        rows = [self.row(i, START + i * self.step, a, b) for i, (a, b) in enumerate(pairs)]
        return "\n".join([*self.head, *rows, *self.foot, ""]).encode(self.encoding)


def comma(value: float) -> str:
    """With a decimal comma."""
    return f"{value:.1f}".replace(".", ",")


def both(row: Callable[[dt.datetime, str, float], str], one: str, two: str) -> Row:
    """A row for each of two names."""
    return lambda _, t, a, b: f"{row(t, one, a)}\n{row(t, two, b)}"


EXPORTS: dict[str, Export] = {
    # Columns that are called like names of sensors, and columns of several quantities.
    "a column called station": Export(
        ["time,station,mill"], lambda i, t, a, b: f"{t},{a:.0f},{b:.0f}", places=0),
    "only columns called so": Export(
        ["Date,Road,Line"], lambda i, t, a, b: f"{t},{a:.0f},{b:.0f}", places=0),
    "Eco-Counter": Export(
        ["Data export;;;", "Time;Quay;Quay IN;Quay OUT"],
        lambda i, t, a, b: f"{t:%d/%m/%Y %H:%M};{a + b:.0f};{a:.0f};{b:.0f}", places=0),
    "Elexon": Export(
        ["startTime,settlementPeriod,initialDemand,initialTransmissionSystemDemand"],
        lambda i, t, a, b: f"{t:%Y-%m-%dT%H:%M}Z,{i % 48 + 1},{a},{b}", "a", HOUR / 2),
    "DSMR": Export(
        ["timestamp,electricity_low,electricity_high,gas"],
        lambda i, t, a, b: f"{t},{a},{b},{a / 9:.2f}"),
    "Swissgrid": Export(
        ["Zeitstempel;Summe endverbrauchte Energie (kWh);Summe produzierte Energie (kWh)"],
        lambda i, t, a, b: f"{t:%d.%m.%Y %H:%M};{1000 * a:,.0f};{b:,.0f}".replace(",", "'"), "k"),
    "quantities below stations": Export(
        ["Station,Nord,,Süd,", "Zeit,PM10,CO,PM10,CO"],
        lambda i, t, a, b: f"{t},{a},{9 * a:.1f},{b},{9 * b:.1f}"),
    "SMARD": Export(
        [("Datum;Netzlast [MWh] Originalauflösungen;Netzlast inkl. Pumpspeicher [MWh] "
         "Originalauflösungen;Pumpspeicher [MWh] Originalauflösungen")],
        lambda i, t, a, b: f"{t:%d.%m.%Y %H:%M};{comma(a)};{comma(a + b)};{comma(b)}", "a"),
    # Times.
    "SAS": Export(["DATETIME,N,S"], lambda i, t, a, b: f"{t:%d%b%Y:%H:%M:%S},{a},{b}".upper()),
    "Stata": Export(["when,n,s"], lambda i, t, a, b: f"{t:%d%b%Y %H:%M:%S},{a},{b}".lower()),
    "MATLAB": Export(["datenum,n,s"], lambda i, t, a, b: f"{739259 + i / 24:.8f},{a},{b}"),
    "days of a spreadsheet": Export(
        ["Zeit;N;S"], lambda i, t, a, b: f"{45299 + i / 24:.6f};{a};{b}".replace(".", ",")),
    "day of the year": Export(
        ["YEAR,DOY,HR,load"], lambda i, t, a, b: f"{t.year},{t:%j},{t.hour},{a}", "a"),
    "weeks": Export(["day,trips"], lambda i, t, a, b: f"{t:%G-W%V-%u},{a:.0f}", "a", DAY, 0),
    "a begin and a length": Export(
        ["interval,kwh"], lambda i, t, a, b: f"{t:%Y-%m-%dT%H:%M:%S}/PT1H,{a}", "a"),
    "Hungary": Export(
        ["Időpont;Terhelés"], lambda i, t, a, b: f"{t:%Y.%m.%d. %H:%M:%S};{a}", "a"),
    "China": Export(
        ["监测点,时间,流量,速度"], both(lambda t, n, v: f"{n},{t.year}年{t.month}月{t.day}日 "
        f"{t.hour}时,{v:.0f},{60 - v / 9:.0f}", "东四", "天坛"), places=0, encoding="gb18030"),
    "parts in Chinese": Export(
        ["年,月,日,时,东四,天坛"],
        lambda i, t, a, b: f"{t.year},{t.month},{t.day},{t.hour},{a},{b}"),
    "Japan": Export(
        ["日付,時刻,交通量"],
        lambda i, t, a, b: f"{t.year}年{t.month:02d}月{t.day:02d}日,{t.hour:02d}時,{a:.0f}", "a",
        places=0, encoding="cp932"),
    # Notations.
    "digits of Arabic": Export(
        ["الوقت,المحطة,التدفق"], both(lambda t, n, v: f"{t:%Y-%m-%d %H:%M},{n},{v:.0f}".translate(
        ARABIC), "شمال", "جنوب"), places=0),
    "Grafana with units": Export(
        ["sep=,", '"Time","A","B"'], lambda i, t, a, b: f"{t},{a} kW,{b} kW"),
    "psql": Export(
        [" bucket | sensor | avg ", "--------+--------+-----"],
        both(lambda t, n, v: f" {t:%Y-%m-%d %H:%M:%S}+00 | {n} | {v} ", "north", "south"),
        foot=[f"({2 * LENGTH} rows)"]),
    "a pivot table": Export(
        ["Sum of Value\tColumn Labels\t\t", "Row Labels\tNorth\tSouth\tGrand Total"],
        lambda i, t, a, b: f"{t:%d/%m/%Y %H:%M}\t{a}\t{b}\t{a + b:.1f}",
        foot=["Grand Total\t9\t9\t18"]),
    "fixed width": Export(
        ["time                 north     south"],
        lambda i, t, a, b: f"{t:%Y-%m-%d %H:%M}  {a:8.1f}  {b:8.1f}"),
    "words in a row": Export(
        ["datetime north south"], lambda i, t, a, b: f"{t:%Y%m%d%H%M} {a} {b}"),
    # Whole systems.
    "WebTRIS": Export(
        ["Site Name,Report Date,Time Period Ending,Time Interval,0 - 520 cm,Avg mph,Total Volume"],
        lambda i, t, a, b: f"M25/48,{t:%d/%m/%Y} 00:00:00,{t + HOUR / 4 - DAY / 1440:%H:%M}:00,"
        f"{i % 96},{a - 9:.0f},58,{a:.0f}", "a", HOUR / 4, 0),
    "UTMC": Export(
        ["SystemCodeNumber,LastUpdated,Flow,Occupancy,Speed"],
        both(lambda t, n, v: f"{n},{t:%d/%m/%Y %H:%M},{v:.0f},12,45", "CNT1", "CNT2"), places=0),
    "NDW": Export(
        ["id_meetlocatie,start_meetperiode,eind_meetperiode,gem_intensiteit,gem_snelheid"],
        both(lambda t, n, v: f"{n},{t},{t + HOUR},{v:.0f},{99 + t.hour % 3}", "R1", "R2"),
        places=0),
    "DATEX as rows": Export(
        ["measurementSiteReference,measurementTimeDefault,basicData,value,unit"],
        both(lambda t, n, v: f"{n},{t:%Y-%m-%dT%H:%M:%S}Z,TrafficFlow,{v:.0f},veh/h\n"
        f"{n},{t:%Y-%m-%dT%H:%M:%S}Z,TrafficSpeed,{60 + t.hour % 5},km/h", "s1", "s2"), places=0),
    "ISO-NE": Export(
        ['"C","Real-Time Hourly System Load"', '"C","Report generated: 02/01/2024"',
         '"H","Date","Hour Ending","Total Load"', '"H","string","string","MW"'],
        lambda i, t, a, b: f'"D","{t:%m/%d/%Y}","{t.hour + 1:02d}","{a}"', "a",
        foot=[f'"T","{LENGTH}"']),
    "ERCOT": Export(
        ["OperDay,HourEnding,COAST,EAST,TOTAL,DSTFlag"],
        lambda i, t, a, b: f"{t:%m/%d/%Y},{t.hour + 1:02d}:00,{a},{b},{a + b:.1f},N"),
    "NYISO": Export(
        ['"Time Stamp","Time Zone","Name","PTID","Load"'],
        both(lambda t, n, v: f'"{t:%m/%d/%Y %H:%M:%S}","EST","{n}",{61757 + len(n)},{v}',
             "CAPITL", "N.Y.C."), start=None),
    "ENTSO-E": Export(
        ["DateTime(UTC)\tResolutionCode\tAreaCode\tMapCode\tTotalLoad[MW]\tUpdateTime(UTC)"],
        both(lambda t, n, v: f"{t}.000\tPT60M\t10Y{n}\t{n}\t{v}\t{t + 5 * HOUR}", "NO1", "NO2")),
    "an EEA up-to-date file": Export(
        ["Countrycode,SamplingPoint,AirPollutant,Concentration,DatetimeBegin,DatetimeEnd,Validity"],
        both(lambda t, n, v: f"AT,{n},NO2,{v},{t} +01:00,{t + HOUR} +01:00,1", "S1", "S2"),
        start=START - HOUR),
    "openair in R": Export(
        ['"","date","no2","o3","site","code"'],
        lambda i, t, a, b: f'"{i + 1}",{t},{a},{b},"London","MY1"', "a/b"),
    "Home Assistant": Export(
        ["entity_id,state,last_changed"],
        both(lambda t, n, v: f"{n},{v},{t:%Y-%m-%dT%H:%M:%S}.000Z", "sensor.hall", "sensor.attic")),
    "Melbourne": Export(
        ["ID,Date_Time,Year,Month,Mdate,Day,Time,Sensor_ID,Hourly_Counts"],
        lambda i, t, a, b: "\n".join(
            f'{2 * i + j},"{t:%B %d, %Y %I:%M:%S %p}",{t.year},{t:%B},{t.day},{t:%A},{t.hour},{j},'
            f"{v:.0f}" for j, v in enumerate((a, b))), places=0),
}  # fmt: skip
