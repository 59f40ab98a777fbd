"""Promise: nothing a client names lets the server read outside what is open, or ask inside."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import datetime as dt
import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from serving_parts import City

from citytune import InputError, Quantity
from citytune.serving._config import Configuration, read_configuration
from citytune.serving.database import Source
from citytune.serving.sources import check_source, fetch, frame_of, reading_of, with_pushed
from citytune.serving.sources._check import file_of
from citytune.serving.sources._public import check_public


@pytest.fixture
def config(tmp_path: Path) -> Configuration:
    """Folder `open` may be read, and `secret.csv` lies next to it."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "loops.csv").write_text("time,a\n")
    (tmp_path / "secret.csv").write_text("time,a\n")
    (tmp_path / "open" / "link.csv").symlink_to(tmp_path / "secret.csv")
    made = Configuration(
        folder=tmp_path / "server",
        roots=(str(tmp_path / "open"),),
        connections={"city": "postgresql://reader@host/city"},
    )
    made.make_folders()
    return made


def test_a_file_in_an_open_folder_may_be_read(config: Configuration) -> None:
    inside = Path(config.roots[0]) / "loops.csv"
    assert file_of("path", "loops.csv", config) == inside
    assert file_of("path", str(inside), config) == inside


@pytest.mark.parametrize(
    "place",
    [
        "../secret.csv",
        "link.csv",
        "/etc/passwd",
        "loops.csv/../../secret.csv",
        "*.csv",
        "loops.csv\0.txt",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "~/.ssh/id_rsa",
        ".",
        "/dev/stdin",
        "/proc/self/environ",
        "simplecache::file:///etc/passwd",
        "sqlite:///etc/passwd",
        "x" * 5000,
    ],
)
@pytest.mark.parametrize("kind", ["path", "upload"])
def test_a_path_out_of_the_open_folders_is_refused(
    config: Configuration, kind: str, place: str
) -> None:
    with pytest.raises(InputError):
        check_source(kind, place, None, config)


def test_a_duckdb_file_of_a_client_is_refused(config: Configuration) -> None:
    (Path(config.roots[0]) / "a.csv").write_bytes(b"\0" * 8 + b"DUCK" + b"\0" * 100)
    with pytest.raises(InputError, match="DuckDB"):
        file_of("path", "a.csv", config)


@pytest.mark.parametrize(
    "options",
    [
        {"covariates": "/etc/passwd"},
        {"query": "SELECT 1"},
        {"covariates_elsewhere": ["x"]},
        {"covariates": [{"a": 1}]},
        {"target": 5},
        {"nonsense": "x"},
        {"valid": {"a": [1]}},
        {"missing": ["x"]},
    ],
)
def test_a_reading_names_columns_and_nothing_else(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        reading_of(options)


def test_covariates_of_a_client_are_columns_even_if_a_file_is_called_so(
    config: Configuration, city: City, tmp_path: Path
) -> None:
    frame = city(1, 20)
    table = pl.DataFrame({"time": frame.clock.local(0, 480), "s0": frame.values[:, 0]})
    table.write_csv(Path(config.roots[0]) / "loops.csv")
    secret = str(tmp_path / "secret.csv")
    source = Source(
        id=1, name="x", kind="path", place="loops.csv", reading={"covariates": [secret]}
    )
    with pytest.raises(InputError, match="secret"):
        frame_of(source, NOTHING, config)


@pytest.mark.parametrize(
    ("kind", "place", "query"),
    [
        ("database", "postgresql://inside/city", None),
        ("database", "other", None),
        ("readings", "x", None),
        ("url", None, None),
        ("path", "loops.csv", "SELECT 1"),
        ("folder", "x", None),
    ],
)
def test_what_is_not_on_offer_is_refused(
    config: Configuration, kind: str, place: str | None, query: str | None
) -> None:
    with pytest.raises(InputError):
        check_source(kind, place, query, config)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/a.csv",
        "http://localhost:8000/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://10.1.2.3/",
        "http://192.168.0.1/",
        "http://172.16.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://0.0.0.0/",
        "http://0/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://224.0.0.1/",
        "http://100.64.0.1/",
        "https://user:pass@127.0.0.1/",
        "ftp://example.org/a.csv",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "s3://bucket/a.csv",
        "http://",
        "http:///a.csv",
        "nonsense",
        "http://\0/",
        "http://exa mple.org/",
    ],
)
def test_an_address_inside_is_refused(address: str) -> None:
    with pytest.raises(InputError):
        check_public(address)


def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(host: str, port: int, **_: object) -> list[Any]:
        both = ["93.184.215.14", "10.0.0.7"] if host == "both.example" else ["10.0.0.7"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in both]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    for name in ("inside.example", "both.example"):
        with pytest.raises(InputError, match="own network"):
            check_public(f"http://{name}/a.csv")
    check_public("http://inside.example/a.csv", ("inside.example",))


class Handler(http.server.BaseHTTPRequestHandler):
    """/file is one, /to?X redirects to X, /flood never ends, /loop leads to itself."""

    def do_GET(self) -> None:
        if self.path.startswith("/to?"):
            self._redirect(self.path[4:])
        elif self.path == "/loop":
            self._redirect("/loop")
        elif self.path == "/missing":
            self.send_error(404)
        else:
            self.send_response(200)
            self.end_headers()
            many = 10_000 if self.path == "/flood" else 1
            try:
                for _ in range(many):
                    self.wfile.write(b"time,a\n" * 100)
            except OSError:
                pass

    def _redirect(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def portal() -> Iterator[str]:
    """A web server; `localhost` is open, and 127.0.0.1 is not."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_of_an_open_host_is_fetched_also_behind_a_redirect(
    portal: str, tmp_path: Path
) -> None:
    for path in ("/file", "/to?/file", f"/to?{portal}/file"):
        fetch(portal + path, tmp_path / "a", hosts=("localhost",), most_bytes=1000)
        assert (tmp_path / "a").read_bytes() == b"time,a\n" * 100


@pytest.mark.parametrize(
    "path", ["/to?http://127.0.0.1/file", "/to?http://169.254.169.254/", "/to?file:///etc/passwd",
             "/loop", "/missing", "/flood", "/to?//127.0.0.1/"],
)  # fmt: skip
def test_a_redirect_inside_and_a_flood_are_refused(portal: str, tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError):
        fetch(portal + path, tmp_path / "a", hosts=("localhost",), most_bytes=100_000)


NOTHING = pl.DataFrame(schema={"sensor": pl.String, "time": pl.Datetime("us"), "value": pl.Float64})


def pushed(*rows: tuple[str, dt.datetime, float | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=NOTHING.schema, orient="row")


def test_what_is_pushed_stands_in_the_frame_and_lengthens_it(city: City) -> None:
    frame = city(2, 3, gaps=0.0)
    at = frame.clock.moments(0, 200).tolist()
    quarter = dt.timedelta(minutes=15)
    found = with_pushed(
        frame,
        pushed(("s1", at[5], 7.0), ("s0", at[6], None), ("s0", at[74], 1.0), ("new", at[2], 4.0),
               ("s1", at[80], 2.0), ("s1", at[80] + quarter, 4.0),
               ("s0", at[0] - quarter, 99.0)),
    )  # fmt: skip
    assert found.sensors == ("s0", "s1", "new")
    assert len(found) == 81
    assert found.values[5, 1] == 7
    assert np.isnan(found.values[6, 0])
    assert found.values[74, 0] == 1
    assert found.values[80, 1] == 3
    assert found.values[2, 2] == 4
    assert np.isnan(found.values[72:74]).all()
    same = np.ones((72, 2), bool)
    same[5, 1] = same[6, 0] = False
    assert (found.values[:72, :2][same] == frame.values[same]).all()
    assert with_pushed(frame, NOTHING) is frame


def test_what_was_taken_back_makes_a_frame_neither_longer_nor_wider(city: City) -> None:
    frame = city(2, 3, gaps=0.0)
    at = frame.clock.moments(0, 200).tolist()
    wrong = [("s0", at[150], None), ("typo", at[3], None), ("typo", at[150], None)]
    same = with_pushed(frame, pushed(*wrong))
    assert same.sensors == frame.sensors
    assert (same.values == frame.values).all()
    found = with_pushed(frame, pushed(*wrong, ("s1", at[72], 5.0), ("s1", at[4], None)))
    assert found.values.shape == (73, 2)
    assert np.isnan(found.values[4, 1])


def test_what_cannot_have_been_measured_is_missing_whoever_pushed_it(city: City) -> None:
    flow = replace(city(2, 3, gaps=0.0), quantity=Quantity("traffic_volume", "veh/h", 0.0))
    at = flow.clock.moments(0, 200).tolist()
    rows = [("s0", at[72], -5.0), ("s1", at[72], 3.0), ("s1", at[73], -999.0), ("s1", at[74], 4.0)]
    found = with_pushed(flow, pushed(*rows))
    assert np.isnan(found.values[72, 0])
    assert np.isnan(found.values[73, 1])
    assert found.values[[72, 74], 1].tolist() == [3, 4]
    told = [(one.kind, one.sensor) for one in found.faults[len(flow.faults) :]]
    assert told == [("negative", "s0"), ("sentinel", "s1")]
    cold = replace(flow, quantity=Quantity("temperature", "°C"))
    assert with_pushed(cold, pushed(*rows)).values[72, 0] == -5
    stuck = [("s0", moment, 7.0) for moment in at[72:144]]
    assert (with_pushed(flow, pushed(*stuck)).values[72:144, 0] == 7).all()  # the watch tells it


def test_the_configuration_says_which_key_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "serve.toml"
    assert read_configuration(tmp_path).keep == 5
    path.write_text("keep = 3\nroots = ['/data']\n[connections]\ncity = 'sqlite:///x.db'\n")
    assert read_configuration(tmp_path).roots == ("/data",)
    for text, why in (("kep = 3", "Did you mean 'keep'"), ("keep = 0", "above 0"), ("x", "TOML"),
                      ("roots = '/data'", "list of texts"), ("watches = 'x'", "list of texts"),
                      ("watches = ['a b']", "names of Python modules"),
                      ("folder = 'x'", "Known")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(InputError, match=why):
            read_configuration(tmp_path)
