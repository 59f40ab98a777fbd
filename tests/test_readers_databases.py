"""Promise: a database is read like a file, only read, and its secrets are never shown.

PostgreSQL is a real server that the tests start; where there is none, those tests skip and say so.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from postgres import SECRET, Server

import citytune as ct
from citytune.readers import explain, masked

HOURS = 24 * 20
TIMES = [dt.datetime(2024, 3, 20) + dt.timedelta(hours=i) for i in range(HOURS)]
FLOW = [
    round(100 + 40 * np.sin(i / 24 * 2 * np.pi) + (i * 7919 % 97) / 10, 1) for i in range(HOURS)
]
ROWS = [
    (moment, name, factor * value)
    for moment, value in zip(TIMES, FLOW, strict=True)
    for name, factor in (("007", 1), ("quay", 2))
]
extras = pytest.mark.extras


def refusal(source: Any, **options: Any) -> str:
    """The one sentence, which no part of the way to it may spoil with a secret."""
    with pytest.raises(ct.InputError) as found:
        ct.read(source, **options)
    assert SECRET not in "".join(traceback.format_exception(found.value))
    return str(found.value)


def holds(frame: ct.SensorFrame) -> None:
    assert frame.sensors == ("007", "quay")
    np.testing.assert_array_equal(frame.values[:, 0], np.float32(FLOW))
    np.testing.assert_array_equal(frame.values[:, 1], np.float32(2 * np.float64(FLOW)))


# SQLite: a bare core is enough.


@pytest.fixture
def city_db(tmp_path: Path) -> Path:
    path = tmp_path / "city.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE loops (time TEXT, sensor TEXT, flow REAL)")
        rows = [(str(moment), *rest) for moment, *rest in ROWS]
        database.executemany("INSERT INTO loops VALUES (?, ?, ?)", rows)
    return path


def test_a_table_of_sqlite_is_read_like_a_file(
    city_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds(ct.read(city_db))  # the only table need not be named
    holds(ct.read(f"sqlite:///{city_db}", table="loops"))
    monkeypatch.chdir(city_db.parent)
    holds(ct.read("sqlite:///city.db", query="SELECT time, sensor, flow FROM loops;"))
    roles = [(one.name, one.role) for one in explain("city.db").columns]
    assert roles == [("time", "time"), ("sensor", "sensor"), ("flow", "reading")]


def test_a_database_is_known_by_its_bytes_whatever_it_is_called(city_db: Path) -> None:
    holds(ct.read(city_db.rename(city_db.with_suffix(".backup"))))


def test_null_is_missing_and_not_zero(city_db: Path) -> None:
    with closing(sqlite3.connect(city_db)) as database, database:
        database.execute("UPDATE loops SET flow = NULL WHERE time = ?", [str(TIMES[30])])
    assert np.isnan(ct.read(city_db).values[30]).all()


def test_of_several_tables_none_is_guessed(city_db: Path) -> None:
    with closing(sqlite3.connect(city_db)) as database, database:
        database.execute("CREATE VIEW air AS SELECT * FROM loops")
    assert "2 tables: air and loops; name one: table=air" in refusal(city_db)
    holds(ct.read(city_db, table="air"))
    assert "Did you mean 'loops'?" in refusal(city_db, table="lops")
    assert "exclude each other" in refusal(city_db, table="loops", query="SELECT 1")


@pytest.mark.parametrize(
    "query",
    [
        "/**/" * 2000 + "x",
        "DROP TABLE loops",
        "delete from loops",
        "",
        "-- SELECT\nUPDATE loops SET flow = 0",
    ],
)
def test_only_a_query_that_reads_is_asked(city_db: Path, query: str) -> None:
    assert "a query begins with SELECT or WITH" in refusal(city_db, query=query)
    holds(ct.read(city_db))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT nix FROM loops", "no such column: nix"),
        ("WITH x AS (SELECT 1) DELETE FROM loops", "readonly"),
        ("SELECT 1; DROP TABLE loops", "one statement"),
        ("SELECT flow, flow FROM loops", "two columns 'flow'"),
        ("SELECT * FROM loops WHERE 0", "no rows of data"),
    ],
)
def test_a_query_that_cannot_be_answered_is_one_sentence(
    city_db: Path, query: str, said: str
) -> None:
    assert said in refusal(city_db, query=query)
    holds(ct.read(city_db))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("ATTACH 'other.db' AS o", "begins with SELECT"),
        ("SELECT 1 UNION SELECT load_extension('evil.so')", "not authorized"),
        ("SELECT readfile('/etc/hostname')", "no such function"),
        ("SELECT writefile('x', 'y')", "no such function"),
        ("SELECT * FROM loops; ATTACH 'other.db' AS o", "one statement"),
    ],
)
def test_a_query_to_sqlite_sees_the_database_alone(city_db: Path, query: str, said: str) -> None:
    assert said in refusal(city_db, query=query)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert "there is no database" in refusal(f"sqlite:///{tmp_path}/none.db")
    assert not list(tmp_path.iterdir())


def test_a_damaged_database_is_refused(city_db: Path) -> None:
    city_db.write_bytes(city_db.read_bytes()[:3000])
    assert "damaged" in refusal(city_db)


def test_a_table_is_only_asked_of_a_database(tmp_path: Path) -> None:
    pl.DataFrame({"time": TIMES, "a": FLOW}).write_csv(tmp_path / "a.csv")
    assert "table= and query= are for databases" in refusal(tmp_path / "a.csv", table="loops")


def test_the_command_line_reads_a_database(city_db: Path, run: Callable[..., Any]) -> None:
    done = run("check", f"sqlite:///{city_db}", "--query", "SELECT * FROM loops")
    assert done.code == 0
    assert "2 sensors, 480 rows" in done.out
    failed = run("check", f"sqlite:///{city_db}", "--table", "lops")
    assert failed.code == 2
    assert "Did you mean 'loops'?" in failed.err


def test_a_run_of_a_database_is_forecast_from_a_file_too(
    city_db: Path, tmp_path: Path, run: Callable[..., Any]
) -> None:
    out = tmp_path / "run"
    tuned = run("tune", f"sqlite:///{city_db}", "--table", "loops", "--horizon", 3, "--backbone",
                "lags", "--strategy", "zero-shot", "--out", out)  # fmt: skip
    assert tuned.code == 0, tuned.err
    pl.DataFrame(ROWS, ["time", "sensor", "flow"], orient="row").write_csv(tmp_path / "new.csv")
    asked = [city_db, "--query", "SELECT * FROM loops"]
    for index, source in enumerate(([tmp_path / "new.csv"], asked, [city_db])):
        done = run("forecast", out, *source, "--out", tmp_path / f"{index}.csv")
        assert done.code == 0, done.err
    written = {(tmp_path / f"{index}.csv").read_text() for index in range(3)}
    assert len(written) == 1


def test_a_run_remembers_the_table_that_was_read_where_another_one_comes(
    city_db: Path, tmp_path: Path, run: Callable[..., Any]
) -> None:
    out, address = tmp_path / "run", f"sqlite:///{city_db}"
    ct.run(address, horizon=3, backbone="lags", strategy="zero-shot", out=out)
    written = run("forecast", out, "--to", f"{address}#forecasts")
    assert written.code == 0, written.err
    with closing(sqlite3.connect(city_db)) as database, database:
        later = [(str(TIMES[-1] + dt.timedelta(hours=1)), name, 9.0) for name in ("007", "quay")]
        database.executemany("INSERT INTO loops VALUES (?, ?, ?)", later)
    done = run("refresh", out, "--update")
    assert done.code == 0, done.err
    assert "1 new step" in done.out


# Secrets.


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://me:{SECRET}@db.city/air",
        f"postgresql://me:{SECRET}/x@y@db.city/air",
        f"postgres://me@db.city/air?password={SECRET}",
    ],
)
def test_no_secret_of_an_address_is_shown(address: str) -> None:
    assert SECRET not in masked(address)
    assert "db.city" in masked(address)


def test_a_password_that_would_break_the_address_is_refused_unseen() -> None:
    said = refusal(f"postgresql://me:p@{SECRET}/w@db.city/air")
    assert "put it into a variable" in said


def test_a_variable_that_is_not_set_is_named() -> None:
    said = refusal("postgresql://me:${NO_SUCH_VARIABLE}@db.city/air")
    assert "names the variable NO_SUCH_VARIABLE, which is not set" in said


def test_covariates_from_elsewhere_are_kept_without_their_secrets(
    city: Callable[..., ct.SensorFrame],
) -> None:
    from citytune.runs import Reading

    kept = Reading(covariates=[f"https://me:{SECRET}@host/w.csv?key={SECRET}"]).kept(city(1, 2))
    assert SECRET not in str(kept)


# DuckDB.


@extras
def test_a_table_of_duckdb_is_read_like_a_file(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: pip install duckdb")
    path = tmp_path / "city.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute(
            "CREATE TABLE loops (time TIMESTAMPTZ, sensor VARCHAR, flow DECIMAL(9, 1), tag BLOB)"
        )
        rows = [(moment.replace(tzinfo=dt.UTC), name, value) for moment, name, value in ROWS]
        database.executemany("INSERT INTO loops VALUES (?, ?, ?, NULL)", rows)
    holds(ct.read(path))
    holds(ct.read(f"duckdb:///{path}", table="loops"))
    assert ct.read(path, query="SELECT * FROM loops").clock.start == TIMES[0]
    assert "one statement" in refusal(path, query="SELECT 1; DROP TABLE loops")
    assert "nix" in refusal(path, query="SELECT nix FROM loops")
    assert "two columns 'flow'" in refusal(path, query="SELECT flow, flow FROM loops")
    assert "there is no database" in refusal(f"duckdb:///{tmp_path}/none.duckdb")
    path.write_bytes(path.read_bytes()[:5000])
    assert refusal(path)


@extras
@pytest.mark.parametrize(
    "query",
    [
        "SELECT content FROM read_text('{other}')",
        "SELECT * FROM '{other}'",
        "SELECT * FROM read_csv('{other}')",
        "SELECT * FROM glob('{other}')",
        "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
        "SELECT * FROM outside",
        "SELECT * FROM found",  # a table of this name is a variable of the program
    ],
)
def test_a_query_to_duckdb_sees_the_database_alone(tmp_path: Path, query: str) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: pip install duckdb")
    other, path = tmp_path / "other.csv", tmp_path / "city.duckdb"
    lines = [f"{moment},{value}" for moment, name, value in ROWS if name == ROWS[0][1]]
    other.write_text("\n".join(["time,flow", *lines]) + "\n")
    with duckdb.connect(str(path)) as database:
        database.execute(f"CREATE VIEW outside AS SELECT * FROM read_csv('{other}')")
    said = refusal(path, query=query.format(other=other))
    assert "disabled by configuration" in said or "does not exist" in said
    assert len(ct.read(path, table="outside"))  # made by whoever made the database


# PostgreSQL.


@pytest.fixture(scope="session")  # a worker may come back to this module after another one
def server(postgres: Server) -> Server:
    """Loops whose times carry a zone, with NULLs, exact decimals, and types of no use."""
    import psycopg

    with psycopg.connect(postgres.address) as database:
        database.execute(
            "CREATE TABLE loops (time timestamptz, sensor text, flow numeric(9, 1), speed real, "
            "valid boolean, detail jsonb, span interval, tags int[], note text)"
        )
        with database.cursor().copy("COPY loops (time, sensor, flow) FROM STDIN") as copy:
            for moment, name, value in ROWS:
                copy.write_row((moment.replace(tzinfo=dt.UTC), name, value))
        database.execute("UPDATE loops SET note = '', span = '1h', detail = '{\"a\": [1]}'")
        database.execute("UPDATE loops SET flow = NULL WHERE time = '2024-03-21 05:00+00'")
        database.execute("CREATE ROLE reader LOGIN")
        database.execute("GRANT SELECT ON loops TO reader")
        database.execute("CREATE TABLE private AS SELECT 1 AS one")
        database.execute("CREATE SCHEMA air")
        database.execute('CREATE VIEW air."PM 2.5" AS SELECT * FROM loops')
    return postgres


@extras
def test_postgres_keeps_moments_nulls_and_decimals(server: Server) -> None:
    frame = ct.read(server.address, table="loops", timezone="Europe/Oslo")
    assert frame.clock.start == TIMES[0]  # UTC; the clocks go forward within
    assert frame.sensors == ("007", "quay")
    expected = np.float32(FLOW)
    expected[29] = np.nan
    np.testing.assert_array_equal(frame.values[:, 0], expected)
    said = {one.name: one.role for one in explain(server.address, table="loops").columns}
    assert (said["time"], said["sensor"], said["flow"]) == ("time", "sensor", "reading")


@extras
def test_postgres_lists_tables_of_every_schema_and_quotes_their_names(server: Server) -> None:
    said = refusal(server.address)  # other tests' tables may be there as well
    assert "tables: air.PM 2.5, " in said
    assert "loops, private" in said or "loops and private" in said
    assert len(ct.read(server.address, table="air.PM 2.5")) == HOURS
    assert "Did you mean 'loops'?" in refusal(server.address, table="loop")


@extras
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT nix FROM loops", 'column "nix" does not exist'),
        ("SELECT 1; DROP TABLE loops", "one statement"),
        ("SELECT 1) AS a; COMMIT; BEGIN READ WRITE; DROP TABLE loops; SELECT (1", "one statement"),
        ("WITH x AS (DELETE FROM loops RETURNING 1) SELECT * FROM x", "refused the query"),
        ("SELECT setval('numbers', 1)", "read-only transaction"),
        ("SELECT pg_sleep(60)", "took longer than"),
        ("SELECT flow, flow FROM loops", "two columns 'flow'"),
        ("SELECT * FROM loops WHERE false", "no rows of data"),
    ],
)
def test_postgres_only_reads_and_says_what_it_did_not_like(
    server: Server, query: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    from citytune.readers.databases import _postgres

    with psycopg.connect(server.address) as database:
        database.execute("CREATE SEQUENCE IF NOT EXISTS numbers")
    settings = _postgres._SETTINGS.replace("statement_timeout=900000", "statement_timeout=500")
    monkeypatch.setattr(_postgres, "_SETTINGS", settings)
    assert said in refusal(server.address, query=query)
    assert len(ct.read(server.address, table="loops")) == HOURS
    assert len(ct.read(server.address, query="SELECT * FROM loops -- all")) == HOURS


@extras
def test_the_password_comes_from_the_environment_or_a_service_file(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    frame = ct.read(server.guarded, table="loops")
    assert frame.source == f"postgresql://***@127.0.0.1:{server.port}/city"
    monkeypatch.setenv("DB_PASSWORD", "wrong")
    assert "did not let you in" in refusal(server.guarded, table="loops")
    bare = server.guarded.replace(":${DB_PASSWORD}", "")
    assert "set PGPASSWORD" in refusal(bare, table="loops")
    monkeypatch.setenv("PGPASSWORD", SECRET)
    assert len(ct.read(bare, table="loops")) == HOURS
    monkeypatch.delenv("PGPASSWORD")
    (tmp_path / "services").write_text(
        f"[city]\nhost=127.0.0.1\nport={server.port}\ndbname=city\nuser=postgres\n"
        f"password={SECRET}\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    assert len(ct.read("postgresql:///?service=city", table="loops")) == HOURS


@extras
def test_a_run_a_report_and_a_message_hold_no_secret(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Callable[..., Any]
) -> None:
    address = server.guarded.replace("${DB_PASSWORD}", SECRET)
    for words in (["check", address], ["check", address, "--table", "loops"],
                  ["check", address, "--table", "loops", "--json"],
                  ["tune", address, "--table", "loops", "--horizon", 3, "--backbone", "lags",
                   "--strategy", "zero-shot", "--out", tmp_path / "run"],
                  ["forecast", tmp_path / "run", address, "--out", tmp_path / "f.csv"],
                  ["check", address.replace("city", "nix")],
                  ["check", address, "--debug", "--query", "SELECT nix"]):  # fmt: skip
        done = run(*words)
        assert SECRET not in done.out + done.err
        assert "Traceback" not in done.err or "--debug" in words
    held = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(held) > 5
    assert not [path for path in held if SECRET.encode() in path.read_bytes()]


@extras
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("127.0.0.1", "nohost.invalid"), "cannot be reached"),
        (("/city", "/nix"), 'database "nix" does not exist'),
        (("postgres:", "nobody:"), "did not let you in"),
        (("127.0.0.1:{}", "127.0.0.1:1"), "cannot be reached"),
    ],
)
def test_a_wrong_host_port_user_or_database_is_one_sentence(
    server: Server, change: tuple[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    old, new = (part.format(server.port) for part in change)
    scheme, mark, rest = server.guarded.partition("://")
    told = refusal(scheme + mark + rest.replace(old, new), table="loops")
    assert said in told
    assert "\n" not in told


@extras
def test_a_role_that_may_only_read_reads_what_it_may(server: Server) -> None:
    address = server.address.replace("postgres@", "reader@")
    assert len(ct.read(address, table="loops")) == HOURS
    assert "permission denied for table private" in refusal(address, table="private")


@extras
def test_a_server_that_goes_away_in_the_middle_is_said(server: Server) -> None:
    import psycopg

    marked = "SELECT *, 1 AS to_be_cut FROM loops, generate_series(1, 20000)"
    stop = threading.Event()

    def cut() -> None:
        with psycopg.connect(server.address, autocommit=True) as database:
            while not stop.is_set():
                database.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
                    "'COPY%to_be_cut%' AND pid <> pg_backend_pid()"
                )
                time.sleep(0.05)

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        assert "broke off in the middle" in refusal(server.address, query=marked)
    finally:
        stop.set()
        cutter.join()


@extras
def test_a_million_rows_of_postgres_are_read(server: Server) -> None:
    query = (
        "SELECT t AS time, 's' || s AS sensor, extract(hour FROM t) * s + 1 AS flow FROM "
        "generate_series(timestamptz '2020-01-01', timestamptz '2020-01-01' + interval "
        "'41666 hours', interval '1 hour') AS t, generate_series(1, 24) AS s"
    )
    began = time.perf_counter()
    frame = ct.read(server.address, query=query)
    print(f"{time.perf_counter() - began:.1f} s for {frame.values.size:,} values")
    assert frame.values.shape == (41_667, 24)
    hours = frame.clock.local(0, len(frame)).astype("datetime64[h]").astype(int) % 24
    np.testing.assert_array_equal(frame.values[:, 6], 7 * hours + 1)


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_what_stands_behind_the_path_of_an_address_is_refused(tmp_path: Path, kind: str) -> None:
    said = refusal(f"{kind}:///{tmp_path}/city.db?table=loops")
    assert "and not 'table=loops' behind a question mark" in said
