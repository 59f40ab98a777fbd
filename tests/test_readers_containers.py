"""Promise: whatever file a city hands out, its table is read, or one sentence says why not."""

from __future__ import annotations

import datetime as dt
import gzip
import http.server
import io
import json
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from systems import refusal

from citytune._errors import InputError
from citytune.readers import read

HOURS = 24 * 20
FLOW = [
    round(100 + 40 * np.sin(i / 24 * 2 * np.pi) + (i * 7919 % 97) / 10, 1) for i in range(HOURS)
]
TIMES = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=i) for i in range(HOURS)]
STAMPS = [f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in TIMES]


def table(first: int = 0, last: int = HOURS, shift: float = 0.0) -> pl.DataFrame:
    values = [v + shift for v in FLOW[first:last]]
    return pl.DataFrame({"time": TIMES[first:last], "bridge": values, "quay": values[::-1]})


def holds(frame: Any, values: list[float] = FLOW) -> None:
    column = frame.values[:, 0]
    np.testing.assert_allclose(column, np.float32(values))


# Spreadsheets and archives.


def zipped(files: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def workbook() -> bytes:
    """A workbook as small as it can be: one sheet, text in its cells, the workbook not first."""
    rows = [("time", "bridge"), *zip([str(t) for t in TIMES], map(str, FLOW), strict=True)]
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{c}</t></is></c>' for c in row) + "</row>"
        for row in rows
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    return zipped({
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData>'
        "</worksheet>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/></Types>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet '
        'name="hours" sheetId="1" r:id="r1"/></sheets></workbook>',
    })  # fmt: skip


def test_the_table_of_a_workbook_is_read(tmp_path: Path) -> None:
    (tmp_path / "loops.xlsx").write_bytes(workbook())
    holds(read(tmp_path / "loops.xlsx"))


def test_the_one_table_of_an_archive_is_read(tmp_path: Path) -> None:
    path = tmp_path / "loops.zip"
    path.write_bytes(zipped({"in/loops.csv": table().write_csv().encode(), "__MACOSX/x": b"1"}))
    holds(read(path))


def test_an_archive_of_two_tables_or_of_a_flood_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loops.zip"
    path.write_bytes(zipped({"a.csv": b"a,b\n1,2\n", "b.csv": b"a,c\n1,2\n"}))
    assert "2 files" in refusal(path)
    path.write_bytes(zipped({"a.csv": bytes(80_000_000)}))
    assert "would unpack to 80,000,000" in refusal(path)


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (zipfile.ZIP_DEFLATED, 50_000_000),
        (zipfile.ZIP_BZIP2, 50_000_000),
        (zipfile.ZIP_LZMA, 200_000_000),  # of which a piece alone unpacks to much
    ],
)
def test_an_archive_that_names_a_wrong_size_unpacks_no_flood(
    tmp_path: Path, kind: int, size: int
) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        archive.writestr("a.csv", bytes(size))
    data = bytearray(out.getvalue())
    listing = data.index(b"PK\x01\x02")
    data[listing + 16 : listing + 20] = zlib.crc32(bytes(10)).to_bytes(4, "little")
    data[listing + 24 : listing + 28] = (10).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data)
    tracemalloc.start()
    try:
        refusal(tmp_path / "a.zip")
        assert tracemalloc.get_traced_memory()[1] < size / 2
    finally:
        tracemalloc.stop()


def test_hdf5_of_pandas_is_read_without_running_what_is_pickled(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "metr.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("df")
        group.attrs["nblocks"] = 1
        index = np.array(TIMES, "datetime64[ns]").astype(np.int64)
        group.create_dataset("axis1", data=index).attrs["kind"] = b"datetime64"
        for name in ("axis0", "block0_items"):
            group.create_dataset(name, data=np.array([b"773869", b"767541"]))
        group.create_dataset("block0_values", data=np.stack([FLOW, FLOW[::-1]], 1))
    frame = read(path)
    assert frame.sensors == ("773869", "767541")
    holds(frame)
    path.write_bytes(path.read_bytes()[:-3000])
    assert "damaged" in refusal(path)


def link_group(h5py: Any, file: Any, outside: Path) -> None:
    file["df"] = h5py.ExternalLink(str(outside), "/df")


def link_values(h5py: Any, file: Any, outside: Path) -> None:
    file["df/block0_values"] = h5py.ExternalLink(str(outside), "/df/block0_values")


def soften_values(h5py: Any, file: Any, outside: Path) -> None:
    file["far"] = h5py.ExternalLink(str(outside), "/df")
    file["df/block0_values"] = h5py.SoftLink("/far/block0_values")


def store_outside(h5py: Any, file: Any, outside: Path) -> None:
    file["df"].create_dataset("block0_values", (20, 1), "u1", external=[(str(outside), 0, 20)])


def view_outside(h5py: Any, file: Any, outside: Path) -> None:
    layout = h5py.VirtualLayout((20, 1), "f8")
    layout[:] = h5py.VirtualSource(str(outside), "/df/block0_values", (20, 1))
    file["df"].create_virtual_dataset("block0_values", layout)


def store_much(h5py: Any, file: Any, outside: Path) -> None:
    file["df"].create_dataset("block0_values", (10**11, 1), "f8", chunks=(10**6, 1))


@pytest.mark.parametrize("packed", [bytes, gzip.compress, lambda data: zipped({"a.h5": data})])
@pytest.mark.parametrize(
    "trick", [link_group, link_values, soften_values, store_outside, view_outside, store_much]
)
def test_hdf5_reads_no_other_file_and_no_flood(tmp_path: Path, trick: Any, packed: Any) -> None:
    h5py = pytest.importorskip("h5py")
    whole, inside, path = tmp_path / "other.h5", tmp_path / "inside.h5", tmp_path / "sent.h5"
    with h5py.File(whole, "w") as file:
        write_hdf(file)
        file["df/block0_values"] = np.arange(20.0).reshape(20, 1)
    with h5py.File(inside, "w") as file:
        if trick is not link_group:
            write_hdf(file)
        trick(h5py, file, whole)
    path.write_bytes(packed(inside.read_bytes()))
    told = refusal(path)
    assert ("would unpack to" if trick is store_much else "takes data from elsewhere") in told


def write_hdf(file: Any) -> None:
    """All of a table of pandas but its values: 20 hours of a sensor."""
    group = file.create_group("df")
    group.attrs["nblocks"] = 1
    index = np.array(TIMES[:20], "datetime64[ns]").astype(np.int64)
    group.create_dataset("axis1", data=index).attrs["kind"] = b"datetime64"
    for name in ("axis0", "block0_items"):
        group.create_dataset(name, data=np.array([b"bridge"]))


def test_nem12_is_read_in_the_market_s_time(tmp_path: Path) -> None:
    days = [f"300,{t:%Y%m%d}," + ",".join(f"{(i * 37 + t.day) % 41 / 10}" for i in range(48))
            + ",A,,,20240301" for t in TIMES[::24]]  # fmt: skip
    lines = ["100,NEM12,200402070911,MDA1,ACME",
             "200,NMI0000001,E1,1,E1,N1,01009,kWh,30,", *days, "900"]  # fmt: skip
    (tmp_path / "meter.csv").write_text("\n".join(lines) + "\n")
    frame = read(tmp_path / "meter.csv")
    assert (frame.clock.freq, len(frame), frame.quantity.unit) == ("30min", 48 * 20, "kWh")
    assert str(frame.clock.start) == "2023-12-31 14:00:00"
    assert frame.values[1, 0] == np.float32(3.8)


def test_green_button_is_read_with_its_power_of_ten(tmp_path: Path) -> None:
    readings = "".join(
        f"<IntervalReading><timePeriod><duration>3600</duration>"
        f"<start>{1704067200 + 3600 * i}</start></timePeriod><value>{round(v * 10)}</value>"
        "</IntervalReading>"
        for i, v in enumerate(FLOW)
    )
    text = (
        '<feed xmlns="http://naesb.org/espi"><ReadingType><powerOfTenMultiplier>-1'
        "</powerOfTenMultiplier><uom>72</uom></ReadingType><IntervalBlock>"
        f"{readings}</IntervalBlock></feed>"
    )
    (tmp_path / "meter.xml").write_text(text)
    frame = read(tmp_path / "meter.xml")
    holds(frame)
    assert frame.quantity.unit == "Wh"
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + text
    (tmp_path / "meter.xml").write_text(bomb)
    assert "entities" in refusal(tmp_path / "meter.xml")


# JSON.

_ATTRIBUTE = {"type": "Property", "unitCode": "GQ"}
JSON = {
    "records": [{"time": s, "no2": v} for s, v in zip(STAMPS, FLOW, strict=True)],
    "openaq": {"meta": {"found": HOURS}, "results": [
        {"value": v, "parameter": {"id": 7, "name": "no2", "units": "µg/m³"},
         "period": {"label": "1hour", "datetimeFrom": {"utc": s, "local": s}}}
        for s, v in zip(STAMPS, FLOW, strict=True)]},
    "telraam": {"status_code": 200, "report": [
        {"instance_id": -1, "segment_id": 9000001844, "date": s, "interval": "hourly",
         "uptime": 0.9, "car": v} for s, v in zip(STAMPS, FLOW, strict=True)]},
    "ngsi-ld normalised": [
        {"id": "urn:ngsi-ld:AirQualityObserved:1", "type": "AirQualityObserved",
         "dateObserved": {"type": "Property", "value": {"@type": "DateTime", "@value": s}},
         "no2": {**_ATTRIBUTE, "value": v}} for s, v in zip(STAMPS, FLOW, strict=True)],
    "ngsi-ld key values": [
        {"id": "urn:1", "type": "AirQualityObserved", "dateObserved": s, "no2": v}
        for s, v in zip(STAMPS, FLOW, strict=True)],
    "ngsi-ld temporal": {"id": "urn:1", "type": "TrafficFlowObserved", "intensity": {
        "type": "Property", "values": [[v, s] for s, v in zip(STAMPS, FLOW, strict=True)]}},
    "sensorthings values": {"value": [
        {"phenomenonTime": s, "result": v, "@iot.id": i}
        for i, (s, v) in enumerate(zip(STAMPS, FLOW, strict=True))]},
    "sensorthings expanded": {"value": [{"name": "no2 at the bridge", "@iot.id": 1,
        "unitOfMeasurement": {"symbol": "ug/m3"}, "Observations": [
        {"phenomenonTime": s, "result": v} for s, v in zip(STAMPS, FLOW, strict=True)]}]},
    "sensorthings data array": {"value": [{"Datastream": {"@iot.id": 5},
        "components": ["phenomenonTime", "result"],
        "dataArray": [[s, v] for s, v in zip(STAMPS, FLOW, strict=True)]}]},
}  # fmt: skip


@pytest.mark.parametrize("kind", JSON)
def test_json_of_every_standard_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(JSON[kind]))
    holds(read(path))


def test_lines_of_json_are_read_and_a_cut_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "export.ndjson"
    lines = [json.dumps(record) for record in JSON["records"]]
    path.write_text("\n".join(lines))
    holds(read(path))
    path.write_text("\n".join(lines)[:-9])
    assert f"line {HOURS}" in refusal(path)


def test_a_page_of_several_is_said_to_be_one(tmp_path: Path) -> None:
    document = dict(JSON["sensorthings values"]) | {"@iot.nextLink": "https://x/next"}  # type: ignore[call-overload]
    (tmp_path / "page.json").write_text(json.dumps(document))
    assert "more-pages" in {fault.kind for fault in read(tmp_path / "page.json").faults}


def test_nested_json_is_refused_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    refusal(tmp_path / "deep.json")


# Several files.


def parts(folder: Path) -> list[Path]:
    half = HOURS // 2
    pieces = {"loops_01.csv": table(0, half + 24), "loops_02.csv": table(half, HOURS)}
    for name, piece in pieces.items():
        piece.with_columns(quay=pl.col("bridge") * 2).write_csv(folder / name)
    return [folder / name for name in pieces]


def test_the_months_of_one_system_are_one_table(tmp_path: Path) -> None:
    files = parts(tmp_path)
    for source in (files, tmp_path, str(tmp_path / "loops_*.csv"), [str(f) for f in files]):
        frame = read(source)
        assert (len(frame), frame.sensors) == (HOURS, ("bridge", "quay"))
        holds(frame)


@pytest.mark.parametrize(
    ("names", "quantity"),
    [(("no2_2025-01", "no2_2025-02"), "no2"), (("no2", "no2_new"), "no2"),
     (("pm25_2024", "pm25_2025"), "pm2.5"), (("nord", "noor"), "value")],
)  # fmt: skip
def test_files_are_of_the_quantity_that_their_names_share(
    tmp_path: Path, names: tuple[str, ...], quantity: str
) -> None:
    for day, name in enumerate(names, 1):
        rows = [f"2025-01-0{day} {hour:02d}:00,{10 + hour % 7}.5\n" for hour in range(24)]
        (tmp_path / f"{name}.csv").write_text("time,value\n" + "".join(rows))
    assert read(tmp_path).quantity.name == quantity


def test_a_name_with_a_comma_is_told_apart_where_names_are_listed(tmp_path: Path) -> None:
    rows = [f"2025-01-01 {hour:02d}:00,{hour % 7},{hour % 5}\n" for hour in range(24)]
    path = tmp_path / "a.csv"
    path.write_text('time,"Main St, north",bridge\n' + "".join(rows))
    with pytest.raises(InputError, match='Known: "Main St, north", bridge, time'):
        read(path, target="flow")


def test_files_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    files = parts(tmp_path)
    table(HOURS // 2, HOURS, shift=5).write_csv(files[1])
    assert "contradict" in refusal(files)


def test_files_with_different_columns_are_refused_by_name(tmp_path: Path) -> None:
    files = parts(tmp_path)
    table(HOURS // 2, HOURS).rename({"quay": "mill"}).write_csv(files[1])
    said = refusal(files)
    assert "'mill'" in said
    assert "'quay'" in said


def test_a_file_for_each_station_names_the_stations(tmp_path: Path) -> None:
    for i, name in enumerate(("harbour", "mill", "old town")):
        table(shift=i).select("time", flow="bridge").write_csv(tmp_path / f"{name}.csv")
    assert read(tmp_path).sensors == ("harbour", "mill", "old town")


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("none")
    assert "folder without a table" in refusal(tmp_path)
    assert "no file is called like" in refusal(str(tmp_path / "*.csv"))


# Addresses.


def test_memory_and_globs_on_it_are_read_like_paths() -> None:
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.pipe_file("/city/loops.csv.gz", gzip.compress(table().write_csv().encode()))
    out = io.BytesIO()
    table().write_parquet(out)
    system.pipe_file("/city/loops.parquet", out.getvalue())
    holds(read("memory://city/loops.csv.gz"))
    holds(read("memory://city/loops.parquet"))
    holds(read("memory://city/*.csv.gz"))
    assert "there is no file" in refusal("memory://city/none.csv")


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        found = self.path.startswith("/loops.csv")
        body = table().write_csv().encode() if found else b"<html>sign in</html>"
        self.send_response(404 if self.path.startswith("/none") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    pytest.importorskip("aiohttp")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_address_is_read_and_its_secrets_are_never_echoed(site: str) -> None:
    frame = read(f"{site}/loops.csv?token=geheim")
    holds(frame)
    assert "geheim" not in frame.source
    said = refusal(f"{site}/none.csv?token=geheim")
    assert "geheim" not in said
    said = refusal("http://me:geheim@127.0.0.1:9/loops.csv")
    assert "geheim" not in said


def test_a_page_of_html_and_a_way_to_local_files_are_refused(site: str) -> None:
    assert "web page" in refusal(f"{site}/login")
    assert "root:" not in refusal(f"{site}/moved")


def test_an_address_passed_as_a_path_is_an_address(site: str) -> None:
    holds(read(Path(f"{site}/loops.csv")))
