"""Promise: what ships beside the code fits it: images, services, dashboards, and a way back."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgres as servers
import pytest
import sqlalchemy as sa
import typer
from serving_parts import T0, a_run, a_source, new_database
from test_serving_scopes import fill

import citytune as ct
from citytune.cli._app import app
from citytune.serving._channels import check_secrets
from citytune.serving._config import read_configuration
from citytune.serving.database import (
    Alarm,
    Database,
    Forecast,
    ForecastValue,
    Pushed,
    Version,
    open_database,
    put_readings,
)

ROOT = Path(__file__).parents[1]
DASHBOARD = ROOT / "deploy/grafana/dashboards/citytune.json"


def accepted(words: list[str]) -> dict[str, Any]:
    """The options of a command as `citytune` understands them; it fails if it does not."""
    group: Any = typer.main.get_command(app)
    command = group.get_command(None, words[0])
    assert command is not None, words
    found: dict[str, Any] = command.make_context(words[0], words[1:]).params
    return found


def composed() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="pyyaml is not installed")
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return found


def filled_in(text: str) -> str:
    """As compose does: ${NAME:-usual}, and $$ for $."""
    return re.sub(r"(?<!\$)\$\{\w+:-([^}]*)\}", r"\1", text).replace("$$", "$")


def test_the_compose_file_starts_what_there_is() -> None:
    found = composed()
    services = found["services"]
    server, worker = (
        accepted([filled_in(one) for one in services[name]["command"]])
        for name in ("server", "worker")
    )
    assert server["host"] == "0.0.0.0"
    assert server["workers"] == 0
    assert worker["workers"] == 2
    assert server["database"] == worker["database"] == "postgresql://city:${DB_PASSWORD}@db/city"
    assert server["folder"] == worker["folder"] == Path("/data")
    used = {
        place.partition(":")[0] for one in services.values() for place in one.get("volumes", ())
    }
    for place in used:
        assert place in found["volumes"] or (ROOT / place).is_dir(), place
    assert services["worker"]["healthcheck"]["disable"]
    for one in services.values():
        for port in one.get("ports", ()):
            assert port.startswith("127.0.0.1:"), "a server in front speaks TLS"


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker here")
def test_docker_takes_the_compose_file() -> None:
    words = ["docker", "compose", "--file", str(ROOT / "compose.yaml"), "config", "--quiet"]
    if subprocess.run(
        ["docker", "compose", "version"], check=False, capture_output=True
    ).returncode:
        pytest.skip("docker has no compose here")
    done = subprocess.run(
        words, check=False, capture_output=True, env={**os.environ, "DB_PASSWORD": "x"}
    )
    assert done.returncode == 0, done.stderr


def test_the_image_is_made_of_what_there_is() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [one.split(maxsplit=1) for one in text.splitlines() if one and one[0] not in "# "]
    for word, rest in lines:
        if word == "COPY" and "--from" not in rest:
            *sources, _ = rest.split()
            assert all((ROOT / one).exists() for one in sources), rest
            ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
            assert {f"!{one}" for one in sources} <= {*ignored}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = re.findall(r"'\.\[([\w,]+)\]'", text)
    assert asked
    assert {*asked[0].split(",")} <= {*extras["optional-dependencies"]}
    said = {word: json.loads(rest) for word, rest in lines if word in ("CMD", "ENTRYPOINT")}
    assert said["ENTRYPOINT"] == ["citytune"]
    assert accepted(said["CMD"])["folder"] == Path("/data")
    assert [rest for word, rest in lines if word == "USER"] == ["city"]


def test_the_service_starts_what_there_is() -> None:
    path = ROOT / "deploy/citytune.service"
    (start,) = re.findall(r"^ExecStart=(\S+) (.*)$", path.read_text("utf-8"), re.M)
    assert accepted(shlex.split(start[1]))["workers"] == 2
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("there is no systemd here")
    done = subprocess.run([tool, "verify", str(path)], check=False, capture_output=True, text=True)
    said = [
        one for one in done.stderr.splitlines()
        if "citytune.service" in one and "is not executable" not in one
    ]  # fmt: skip
    assert said == []


def test_the_settings_of_the_docs_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs/operate.md").read_text("utf-8")
    (said,) = re.findall(r"```toml\n(.*?)```", text, re.S)
    (tmp_path / "serve.toml").write_text(said, "utf-8")
    found = read_configuration(tmp_path)
    assert [*found.notices.channels] == ["duty", "email"]
    with pytest.raises(ct.InputError, match="HOOK_KEY"):
        check_secrets(found.notices)
    for name in ("HOOK_KEY", "HOOK_SECRET", "SMTP_PASSWORD"):
        monkeypatch.setenv(name, "x")
    check_secrets(found.notices)
    compose = (ROOT / "compose.yaml").read_text("utf-8")
    assert "HOOK_SECRET:" in compose
    assert "SMTP_PASSWORD:" in compose


def queries() -> Iterator[tuple[str, str]]:
    """Name of a panel or a variable → its SQL."""
    found = json.loads(DASHBOARD.read_text("utf-8"))
    for one in found["templating"]["list"]:
        yield one["name"], one["query"]
    for panel in found["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["rawSql"]


def expanded(query: str) -> str:
    """As Grafana asks it, for the run 2 and the sensor bridge."""
    text = re.sub(r"\$__timeFilter\(([\w.]+)\)",
                  r"\1 BETWEEN '2024-03-01T00:00Z' AND '2024-05-01T00:00Z'", query)  # fmt: skip
    return text.replace("${sensor:sqlstring}", "'bridge'").replace("$run", "2")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_every_query_of_the_dashboard_has_an_answer_for_a_role_that_may_only_read(
    database: Database,
) -> None:
    fill(database)
    with database.writing() as session:
        version = session.get_one(Version, 2)
        version.verification = {"all": {"mae": 1.5, "naive": 2.0, "coverage": 0.9}}
        version.scores = {"models": {"tuned": {"mae": 1.0}}}
        session.add(Alarm(run_id=2, watch="x", kind="stale", sensor=None, text="old", evidence={},
                          raised_at=T0))  # fmt: skip
        made = Forecast(run_id=2, version_id=2, issued_at=T0, created_at=T0, facts={})
        session.add(made)
        session.flush()
        session.add(ForecastValue(forecast_id=made.id, sensor="bridge", time=T0, q05=1.0, q50=2.0,
                                  q95=3.0, quality="model"))  # fmt: skip
        put_readings(session, 2, [Pushed("bridge", T0, 2.5)])
    script = (ROOT / "deploy/grafana/read_only.sql").read_text("utf-8")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS grafana")
        connection.exec_driver_sql(
            re.sub(r"^--.*$", "", script, flags=re.M).replace(":password", "'x'")
        )
    try:
        with database.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL ROLE grafana")
            for name, query in queries():
                rows = connection.exec_driver_sql(expanded(query).replace("%", "%%")).all()
                assert rows, name
        for table in ("tokens", "audit", "sources"):
            refused = pytest.raises(sa.exc.ProgrammingError, match="permission denied")
            with refused, database.engine.begin() as connection:
                connection.exec_driver_sql("SET LOCAL ROLE grafana")
                connection.exec_driver_sql(f"SELECT * FROM {table}")
    finally:
        with database.engine.begin() as connection:
            connection.exec_driver_sql("DROP OWNED BY grafana; DROP ROLE grafana")


def test_grafana_finds_its_dashboard_and_its_database() -> None:
    yaml = pytest.importorskip("yaml", reason="pyyaml is not installed")
    folder = ROOT / "deploy/grafana/provisioning"
    source = yaml.safe_load((folder / "datasources/citytune.yaml").read_text("utf-8"))
    (one,) = source["datasources"]
    assert one["uid"] in DASHBOARD.read_text("utf-8")
    service = composed()["services"]["grafana"]
    provider = yaml.safe_load((folder / "dashboards/citytune.yaml").read_text("utf-8"))
    inside = provider["providers"][0]["options"]["path"]
    assert any(place.startswith(f"./deploy/grafana/dashboards:{inside}")
               for place in service["volumes"])  # fmt: skip
    assert one["secureJsonData"]["password"] == "$GRAFANA_DB_PASSWORD"
    assert "GRAFANA_DB_PASSWORD" in service["environment"]


def test_a_backup_of_sqlite_is_whole_while_somebody_writes(tmp_path: Path) -> None:
    with new_database(f"sqlite:///{tmp_path / 'citytune.db'}") as database:
        source = a_source(database)
        a_run(database, source)
        with database.writing() as session:
            put_readings(session, source, [Pushed("a", T0, 1.0)])
            with (
                sqlite3.connect(tmp_path / "citytune.db") as live,
                sqlite3.connect(tmp_path / "copy.db") as copy,
            ):
                live.backup(copy)
            live.close()
            copy.close()
    restored = open_database(f"sqlite:///{tmp_path / 'copy.db'}")
    restored.upgrade()
    with restored.reading() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM sources")) == 1
        assert session.scalar(sa.text("SELECT count(*) FROM readings")) == 0  # not yet counted
    restored.close()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_dump_of_postgresql_is_restored(
    database: Database, postgres: servers.Server, tmp_path: Path
) -> None:
    fill(database)
    programs = servers.programs()
    assert programs is not None
    at = ["--host", str(postgres.folder), "--port", str(postgres.port), "--username", servers.OWNER]

    def do(program: str, *words: str) -> None:
        command = [*servers.as_owner(), str(programs / program), *at, *words]
        subprocess.run(command, check=True, capture_output=True, cwd="/tmp")

    dump = postgres.folder / "city.dump"
    do("pg_dump", "--format", "custom", "--file", str(dump), "town")
    do("createdb", "restored")
    try:
        do("pg_restore", "--dbname", "restored", "--no-owner", str(dump))
        other = open_database(postgres.other.replace("/town?", "/restored?"))
        other.upgrade()
        with other.reading() as session:
            assert session.scalar(sa.text("SELECT count(*) FROM proposals")) == 2
        a_source(other, "after")  # numbers go on
        other.close()
    finally:
        do("dropdb", "restored")
