"""Rows as data loggers, weather services, meters and control systems export them."""

from __future__ import annotations

from exports import START, Export, both, comma
from systems import HOUR

INSTRUMENTS: dict[str, Export] = {
    # Rows of labels.
    "Campbell": Export(
        ['"TOA5","CR1000","CR1000","12345","Std.31","CPU:AQ.CR1","2938","Hour"',
         '"TIMESTAMP","RECORD","BattV_Min","PM25_Avg","AirTC_Avg"',
         '"TS","RN","Volts","ug/m3","Deg C"', '"","","Min","Avg","Avg"'],
        lambda i, t, a, b: f'"{t}",{1000 + i},12.{i % 7},{a},{b}', "a"),
    "KNMI": Export(
        ["# BRON: KNMI", "# HH : uur (HH=uur, UT)", "", "# STN,YYYYMMDD,   HH,   load", ""],
        lambda i, t, a, b: f"  260,{t:%Y%m%d},{t.hour + 1:5d},{a:7.1f}", "a"),
    # Times.
    "HOBO": Export(
        ['"Plot Title: 10340"', '"#","Date Time, GMT-05:00","Load, kW (LGR S/N: 10340)"'],
        lambda i, t, a, b: f"{i + 1},{t:%m/%d/%y %I:%M:%S %p},{a}", "a", start=START + 5 * HOUR),
    "WeatherLink": Export(
        ["\t\tSolar\tHi", "Date\tTime\tRad.\tload"],
        lambda i, t, a, b: (f"{t:%m/%d/%y}\t {t.hour % 12 or 12}:00{'ap'[t.hour // 12]}\t"
                            f"{i % 3}\t{a}"), "a"),
    "parts of a date in English": Export(
        ["YEAR,MO,DY,HR,load"], lambda i, t, a, b: f"{t.year},{t.month},{t.day},{t.hour},{a}", "a"),
    "parts of a date and a time": Export(
        ["Vuosi,Kk,Pv,Klo,Aikavyöhyke,NO2"],
        lambda i, t, a, b: f"{t.year},{t.month},{t.day},{t:%H:%M},paikallinen,{a}", "a"),
    "seconds without a header": Export(
        [], lambda i, t, a, b: f"{1704672000 + 3600 * i}, {a}", "a"),
    "milliseconds before AM": Export(
        ["Timestamp,kW tot mean"], lambda i, t, a, b: f"{t:%m/%d/%Y %I:%M:%S.000 %p},{a}", "a"),
    "times of the year 1899": Export(
        ["Date,Time,North,South"],
        lambda i, t, a, b: f"{t:%m/%d/%Y} 0:00:00,12/30/1899 {t.hour}:00:00,{a},{b}"),
    "a time written twice": Export(
        ["VarName;TimeString;VarValue;Time_ms"],
        lambda i, t, a, b: f"P1;{t:%d.%m.%Y %H:%M:%S};{comma(a)};{45299e6 + i * 1e6 / 24:.0f}",
        "a"),
    "hours such as 01PM": Export(
        ["Day,Date,Time,North,South"],
        lambda i, t, a, b: f"{t:%A},{t:%d %B %Y},{t:%I%p},{a},{b}"),
    "minutes of the day": Export(
        ["day;minute;det;q"],
        both(lambda t, name, v: f"{t:%Y%m%d};{t.hour * 60};{name};{v}", "D1", "D2")),
    # Columns.
    "units of two kinds": Export(
        ["Date (HE),30Ravg ($),AIL Demand (MW)"],
        lambda i, t, a, b: f'"{t:%m/%d/%Y} {t.hour + 1:02d}","{b}","{a}"', "a"),
    "with and without pumps": Export(
        ["Datum;Zatížení včetně čerpání [MW];Zatížení [MW];"],
        lambda i, t, a, b: f"{t:%d.%m.%Y %H:%M};{a + b:.1f};{a};", "a"),
    "lanes and their speeds": Export(
        ["Time,Lane 1 Vol,Lane 1 Spd,Lane 2 Vol,Lane 2 Spd,Total Vol"],
        lambda i, t, a, b: f"{t},{a},{60 + i % 9},{b},{70 + i % 9},{a + b:.1f}"),
    "codes of a meter": Export(
        ["Timestamp;1-1:1.29.0 [kWh];1-1:2.29.0 [kWh]"], lambda i, t, a, b: f"{t};{a};{b}", "a"),
    "drawn and fed in": Export(
        ["Data;Consumo registado (kW);Injeção na rede (kW)"],
        lambda i, t, a, b: f"{t};{a};{b}", "a"),
    "zones and what is known of them": Export(
        ["Date,Hour,Ontario Demand,Northwest,Toronto,Zone Total,Diff"],
        lambda i, t, a, b: (f"{t:%Y-%m-%d},{t.hour + 1},{a + b + i % 2 / 2:.1f},{a},{b},"
                            f"{a + b:.1f},{i % 2 / 2}")),
}  # fmt: skip
