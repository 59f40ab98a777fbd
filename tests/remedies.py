"""Tables that are refused, or read with a word, and what is proposed for each of them."""

from __future__ import annotations

import ast
import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from citytune import InputError
from citytune.readers import check, read

HOURS = 24 * 21
TIMES = [dt.datetime(2024, 1, 8) + dt.timedelta(hours=i) for i in range(HOURS)]
OPTION = re.compile(
    r"\b(time|sensor|target|timezone|stamp|date_order|missing|unit|quantity)="
    r"(\[(?:'[^']*'|\"[^\"]*\"|[^\]'\"])*\]|'[^']*'|\"[^\"]*\"|-?\d[\d.]*| ?\(such as [\w/]+\))"
)
Options = dict[str, Any]


def proposals(text: str) -> list[Options]:
    """Every option that a message proposes with its value.

    >>> proposals("name it with time='a' or sensor=['b', 'c']; add timezone= (such as Europe/Oslo)")
    [{'time': 'a'}, {'sensor': ['b', 'c']}, {'timezone': 'Europe/Oslo'}]
    """
    found = []
    for name, value in OPTION.findall(text):
        bare = re.sub(r"^ ?\(such as (.*)\)$", r"'\1'", value)
        found.append({name: ast.literal_eval(bare)})
    return found


def follow(source: Any, options: Options, depth: int = 3) -> Iterator[str]:
    """What goes wrong where every proposal is followed, and those that follow from it."""
    try:
        read(source, **options)
        said = " ".join(f"{f.message}; {f.remedy}" for f in check(source, **options))
        refused = ""
    except InputError as error:
        said = refused = str(error)
    if "leave it out of sensor=" in said:
        options = {name: value for name, value in options.items() if name != "sensor"}
    for proposal in proposals(said):
        if proposal.items() <= options.items():
            yield f"{options}: proposes {proposal} again: {said}"
            continue
        try:
            read(source, **options | proposal)
        except InputError as error:
            if str(error) == refused or not refused:
                yield f"{options} and {proposal}: {error}"
            elif depth:
                yield from follow(source, options | proposal, depth - 1)


def waves(count: int) -> list[Any]:
    rng = np.random.default_rng(5)
    wave = 40 + 30 * np.sin(np.arange(HOURS) / 24 * 2 * np.pi)
    return [(wave * (1 + i) + rng.gamma(2, 3, HOURS)).round(1) for i in range(count)]


A, B, C, D = waves(4)
LATE = [t + dt.timedelta(hours=3 + i % 5 * 2) for i, t in enumerate(TIMES)]
HALF = np.arange(HOURS) < HOURS // 2


def wide(**columns: Any) -> pl.DataFrame:
    """A row for each hour."""
    return pl.DataFrame({"time": TIMES} | columns).fill_nan(None)


def long(**columns: Any) -> pl.DataFrame:
    """Two rows for each hour; each column is a pair of what they hold."""
    parts = [wide(**{name: pair[i] for name, pair in columns.items()}) for i in (0, 1)]
    return pl.concat(parts).sort("time", maintain_order=True)


TABLES: dict[str, tuple[Any, Options]] = {
    "two readings": (long(station=("a", "b"), p=(A, B), q=(C, D)), {}),
    "four readings, a parameter": (
        long(station=("a", "b"), p=(A, B), q=(C, D), pollutant=("NO2", "NO2")), {}),
    "stages of checking": (
        wide(checked=np.where(HALF, A, np.nan), raw=np.where(HALF, np.nan, A)), {}),
    "quantities of places": (wide(alpha_1=A, alpha_2=B, beta_1=20 * C, beta_2=20 * D), {}),
    "kinds of places": (wide(north_NO2=A, north_PM10=B, south_NO2=C, south_PM10=D), {}),
    "commodities": (wide(electricity_1=A, electricity_2=B, gas=C), {}),
    "ways to measure": (wide(quay_load=A, quay_load_pumps=B), {}),
    "two clocks": (wide(moment=LATE, flow=A), {}),
    "a sensor that does not do": (long(station=("x", "x"), lane=("1", "2"), flow=(A, B)),
                                  {"sensor": "station"}),
    "nothing tells the rows apart": (long(note=("x", "x"), flow=(A, B)), {}),
    "a sensor that is a quantity": (long(item=("NO2", "PM10"), v=(A, B)), {"sensor": "item"}),
    "two parameters": (long(pollutant=("NO2", "PM10"), v=(A, B)), {}),
    "tariffs": (long(register=("import day", "import night"), v=(A, B)), {}),
    "a total": (wide(north=A, south=B, total=(A + B).round(1)), {}),
    "a sum that is not called so": (wide(north=A, south=B, city=(A + B).round(1)), {}),
    "markers": (wide(flow=np.where(np.arange(HOURS) % 40 == 0, -999, A)), {}),
    "ends": (pl.DataFrame({"hour ending": TIMES, "load": A}), {}),
    "columns called like sensors": (wide(station=A.round(), site=B.round()), {}),
    "one called so, asked for": (wide(station=A.round(), site=B.round()), {"target": "site"}),
    "several targets of a long table": (long(station=("a", "b"), p=(A, B), q=(C, D)),
                                        {"target": ["p", "q"], "sensor": "station"}),
    "summer time": (wide(flow=A).with_columns(pl.col("time").dt.offset_by("77d")), {}),
    "flags beside": (wide(flow=A, flow_status=(A > 60).astype(int), other=B), {}),
    "in and out": (long(station=("a", "b"), IN=(A, B), OUT=(C, D)), {}),
    "flows and speeds of classes": (long(station=("a", "b"), q_pkw=(C, D), v_pkw=(A, B),
                                         q_lkw=(A, B), v_lkw=(A, B)), {}),
    "all vehicles": (long(station=("a", "b"), q_kfz=(A + C, B + D), v_kfz=(A, B), q_pkw=(C, D),
                          q_lkw=(A, B)), {}),
    "channels": (wide(pm25=A, pm25_a=A - 0.2, pm25_b=A + 0.2), {}),
    "channels of many": (long(station=("a", "b"), pm25=(A, B), pm25_a=(A - 0.2, B - 0.2),
                              pm25_b=(A + 0.2, B + 0.2)), {}),
    "ways to compute": (wide(pm25_atm=A, pm25_cf=B), {}),
    "units of columns": (wide(**{"a (°C)": A, "b (°C)": B, "c (%)": C}), {}),
    "two units": (wide(load_kw=np.where(HALF, A, 1000 * A)), {}),
}  # fmt: skip
"""What is odd about it → table and options."""
