"""Promise: what sensor networks, databases and home controllers export in their formats is read."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
from systems import holds, hours, refusal, waves

from citytune.readers import read

LENGTH = 24 * 10
TIMES = hours(LENGTH)
EPOCH = [int(t.replace(tzinfo=dt.UTC).timestamp()) for t in TIMES]
STAMPS = [f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in TIMES]
A, B = waves(2, LENGTH)


def written(tmp_path: Path, text: str, name: str = "export.txt") -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def starts(path: Path, at: dt.datetime = TIMES[0]) -> bool:
    return read(path).clock.start == at


# SenML (RFC 8428).


def senml(tmp_path: Path, *records: dict[str, object]) -> Path:
    return written(tmp_path, json.dumps(records), "pack.json")


def test_base_values_of_senml_count_for_the_records_after_them(tmp_path: Path) -> None:
    late = [{"n": "temp", "t": e - EPOCH[-1], "v": a - 5} for e, a in zip(EPOCH, A, strict=True)]
    base = {"bn": "urn:dev:ow:10e2/", "bt": EPOCH[-1], "bu": "Cel", "bv": 5}
    path = senml(tmp_path, base, *late)
    assert holds(read(path), A)
    assert read(path).quantity.unit == "°C"
    assert starts(path)
    both = [
        {"n": name, "u": "ug/m3", "t": e, "v": v}
        for e, *some in zip(EPOCH, A, B, strict=True)
        for name, v in zip(("north", "south"), some, strict=True)
    ]
    frame = read(senml(tmp_path, {"bn": "urn:x:", **both[0]}, *both[1:]))
    assert frame.sensors == ("north", "south")
    assert holds(frame, A, B)


def test_quantities_of_one_pack_are_told_apart_by_their_units(tmp_path: Path) -> None:
    pack = [
        record
        for e, a, b in zip(EPOCH, A, B, strict=True)
        for record in ({"bn": "urn:x:", "bt": e, "n": "temp", "u": "Cel", "v": a},
                       {"n": "hum", "u": "%RH", "v": b})
    ]  # fmt: skip
    path = senml(tmp_path, *pack)
    assert holds(read(path), A)
    assert "several-quantities" in {fault.kind for fault in read(path).faults}


def test_times_of_senml_that_nobody_can_place_are_refused(tmp_path: Path) -> None:
    pack = [{"n": "urn:x:pm25", "t": e - EPOCH[-1], "v": v} for e, v in zip(EPOCH, A, strict=True)]
    assert "relative to when it was received" in refusal(senml(tmp_path, *pack))
    huge = [{"bn": "x", "n": "a", "t": 10**400, "v": 1}]
    assert "cannot be used" in refusal(written(tmp_path, json.dumps(huge), "a.json"))
    assert "no value" in refusal(senml(tmp_path, {"bn": "x", "bt": EPOCH[0], "n": "a", "vs": "on"}))


# InfluxDB's annotated CSV.


def annotated(*rows: str, tags: str = "site") -> str:
    size = tags.count(",") + 1
    return "\n".join(
        (f"#group,false,false,true,true,false,false,true,true{',true' * size}",
         f"#datatype,string,long,{','.join(['dateTime:RFC3339'] * 3)},double"
         + ",string" * (2 + size),
         f"#default,_result,,,,,,,{',' * size}",
         f",result,table,_start,_stop,_time,_value,_field,_measurement,{tags}", *rows, "", "")
    )  # fmt: skip


def points(values: np.ndarray, tags: str, field: str = "value") -> list[str]:
    return [f",,0,{STAMPS[0]},{STAMPS[-1]},{z},{v},{field},flow,{tags}"
            for z, v in zip(STAMPS, values, strict=True)]  # fmt: skip


def test_all_tables_of_an_annotated_file_are_read(tmp_path: Path) -> None:
    text = annotated(*points(A, "n")) + annotated(*points(B, "s,2"), tags="site,lane")
    for end in ("\n", "\r\n"):
        frame = read(written(tmp_path, text.replace("\n", end), "query.csv"))
        assert frame.sensors == ("n", "s")
        assert holds(frame, A, B)
    defaults = annotated(*points(A, "")).replace(
        "#default,_result,,,,,,,,", "#default,_result,,,,,,,,n"
    )
    assert holds(read(written(tmp_path, defaults, "query.csv")), A)


def test_a_failed_query_says_why(tmp_path: Path) -> None:
    text = (
        '#datatype,string,long\n#group,true,true\n#default,,\n,error,reference\n,"bad, query",897\n'
    )
    assert "bad, query 897" in refusal(written(tmp_path, text, "query.csv"))
    assert "no rows" in refusal(written(tmp_path, annotated(), "query.csv"))


# Delft-FEWS.


def series(
    place: str, values: np.ndarray, parameter: str = "Q.obs", kind: str = "instantaneous"
) -> str:
    events = "".join(
        f'<event date="{t:%Y-%m-%d}" time="{t:%H:%M:%S}" value="{-999.0 if i == 7 else v}" '
        f'flag="{8 if i == 9 else 0}"/>'
        for i, (t, v) in enumerate(zip(TIMES, values, strict=True))
    )
    return (f"<series><header><type>{kind}</type><locationId>{place}</locationId>"
            f"<parameterId>{parameter}</parameterId><missVal>-999.0</missVal>"
            f"<units>kW</units></header>{events}</series>")  # fmt: skip


def fews(tmp_path: Path, *some: str, zone: str = "1.0") -> Path:
    head = '<?xml version="1.0"?><TimeSeries xmlns="http://www.wldelft.nl/fews/PI">'
    text = f"{head}<timeZone>{zone}</timeZone>{''.join(some)}</TimeSeries>"
    return written(tmp_path, text, "series.xml")


def test_series_of_fews_are_read_with_their_zone_and_flags(tmp_path: Path) -> None:
    truth = np.where(np.isin(np.arange(LENGTH), (7, 9)), np.nan, A)
    path = fews(tmp_path, series("north", A))
    assert holds(read(path), truth)
    assert read(path).quantity.unit == "kW"
    assert starts(path, TIMES[0] - dt.timedelta(hours=1))
    assert "invalid-readings" in {fault.kind for fault in read(path).faults}
    frame = read(fews(tmp_path, series("north", A), series("south", B)))
    assert frame.sensors == ("north", "south")
    path = fews(tmp_path, series("north", A, kind="accumulative"), zone="0.0")
    assert starts(path, TIMES[0] - dt.timedelta(hours=1))
    assert "no number of hours" in refusal(fews(tmp_path, series("north", A), zone="CET"))


# Loxone.


def test_statistics_of_a_miniserver_are_read(tmp_path: Path) -> None:
    head = '<?xml version="1.0"?><Statistics Name="Netzbezug" NumOutputs="{}" Outputs="{}">'
    one = "".join(f'<S T="{t:%Y-%m-%d %H:%M:%S}" V="{a}"/>' for t, a in zip(TIMES, A, strict=True))
    path = written(tmp_path, f"{head.format(1, 'AQ')}{one}</Statistics>", "stats.xml")
    assert read(path).sensors == ("Netzbezug",)
    assert holds(read(path), A)
    two = "".join(f'<S T="{t:%Y-%m-%d %H:%M:%S}" V="{a}" V2="{b}"/>'
                  for t, a, b in zip(TIMES, A, B, strict=True))  # fmt: skip
    path = written(tmp_path, f"{head.format(2, 'AQ,AQp')}{two}</Statistics>", "stats.xml")
    assert "several-quantities" in {fault.kind for fault in read(path).faults}
    assert holds(read(path, target="AQp"), B)


# RRDtool.


@pytest.mark.parametrize("kind", ["xml", "xml without times", "json", "json with times", "fetch"])
def test_exports_of_rrdtool_are_read_by_the_ends_of_their_steps(tmp_path: Path, kind: str) -> None:
    meta = {"start": EPOCH[0], "step": 3600, "end": EPOCH[-1], "legend": ["in", "out"]}
    if kind == "fetch":
        lines = [f"{e}: {a:.6e} {b:.6e}" for e, a, b in zip(EPOCH, A, B, strict=True)]
        text = "\n".join(["                 in           out", "", *lines])
    elif kind.startswith("json"):
        timed = kind.endswith("times")
        rows = [[e, a, b][not timed :] for e, a, b in zip(EPOCH, A, B, strict=True)]
        text = json.dumps({"about": "RRDtool xport JSON output", "meta": meta, "data": rows})
    else:
        time = "" if "without" in kind else "<t>{}</t>"
        rows = [f"<row>{time.format(e)}<v>{a:e}</v><v>{b:e}</v></row>"
                for e, a, b in zip(EPOCH, A, B, strict=True)]  # fmt: skip
        text = (f"<xport><meta><start>{EPOCH[0]}</start><step>3600</step><end>{EPOCH[-1]}</end>"
                "<legend><entry>in</entry><entry>out</entry></legend></meta>"
                f"<data>{''.join(rows)}</data></xport>")  # fmt: skip
    path = written(tmp_path, text)
    frame = read(path)
    assert frame.sensors == ("in", "out")
    np.testing.assert_allclose(frame.values, np.column_stack([A, B]), rtol=1e-5)
    assert starts(path, TIMES[0] - dt.timedelta(hours=1))


def test_an_export_whose_times_do_not_fit_is_refused(tmp_path: Path) -> None:
    meta = {"start": EPOCH[0], "step": 3600, "end": EPOCH[-1] + 99_999, "legend": ["in"]}
    text = json.dumps({"meta": meta, "data": [[a] for a in A]})
    assert "do not fit its 240 rows" in refusal(written(tmp_path, text))
    meta["end"] = 10**400
    text = json.dumps({"meta": meta, "data": [[a] for a in A]})
    assert "do not fit its 240 rows" in refusal(written(tmp_path, text))
