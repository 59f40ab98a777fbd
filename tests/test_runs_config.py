"""Promise: `citytune.toml` says all options once, and a slip in it is answered in one sentence."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import citytune as ct
from citytune.cli import _run as of_command
from citytune.cli._refresh import RAISED
from citytune.runs import Job, Reading, overview_of, read_config, save_config
from citytune.runs._made import place_of
from citytune.settings import Rare, Settings

TWO = """
horizon = "24h"
backbone = "lags"
strategy = "zero-shot"

[runs.north]
source = "air.csv"
target = "north"
unit = "µg/m³"
alerts = [">500"]

[runs.south]
source = "air.csv"
out = "elsewhere/south"
target = ["south"]
"""


def write_readings(path: Path, days: int = 20) -> None:
    rows = 24 * days
    level = 40 + 20 * np.sin(2 * np.pi * np.arange(rows) / 24)
    noise = np.random.default_rng(2).normal(0, 3, (24 * 40, 2))[:rows]
    times = np.datetime64("2024-01-01T00", "us") + np.arange(rows) * np.timedelta64(1, "h")
    pl.DataFrame(
        {"time": times, "north": level + noise[:, 0], "south": level + noise[:, 1]}
    ).write_csv(path)


def config(folder: Path, text: str = TWO) -> Path:
    path = folder / "citytune.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_several_runs_share_what_is_said_for_all(tmp_path: Path) -> None:
    north, south = read_config(config(tmp_path))
    assert (north.name, south.name) == ("north", "south")
    assert (north.out, south.out) == (tmp_path / "runs/north", tmp_path / "elsewhere/south")
    assert north.source == str(tmp_path / "air.csv")
    assert north.job.settings == Settings(horizon="24h", backbone="lags", strategy="zero-shot")
    assert north.job.reading == Reading(target="north", unit="µg/m³")
    assert (north.job.alerts, south.job.alerts) == ((">500",), ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TWO.replace('target = "north"', 'taget = "north"'), "Did you mean 'target'"),
        (TWO.replace("horizon", "horzon"), "Did you mean 'horizon'"),
        (TWO.replace('source = "air.csv"\nout', "out"), "lacks the source of 'south'"),
        (TWO.replace('horizon = "24h"', ""), "lacks the horizon of 'north'"),
        ("horizon = 24", r"names no run; begin one with \[runs.NAME\]"),
        ("runs = 3", "names no run"),
        ("[runs]\nair = 3", r"a run is a table, \[runs.air\]"),
        ("[runs.air", "cannot be read as TOML"),
        (TWO.replace("air.csv", "${NOT_SET_ANYWHERE}"), "from the environment, where it is not"),
        (TWO.replace("24h", "soon"), "'soon' is not a valid horizon"),
    ],
)
def test_a_slip_is_answered_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ct.InputError, match=said) as error:
        read_config(config(tmp_path, text))
    assert "\n" not in str(error.value).strip()


def test_a_file_that_is_not_there_is_said_with_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ct.InputError, match=r"no config file .* --save-config"):
        read_config(tmp_path / "citytune.toml")


def test_a_secret_in_plain_text_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIR_KEY", "secret")
    address = "https://me:pass@example.org/air.csv?key=1"
    with pytest.warns(UserWarning, match=r"secret in plain text, in the source of 'north'"):
        read_config(config(tmp_path, TWO.replace("air.csv", address, 1)))
    hidden = TWO.replace("air.csv", "https://example.org/air.csv?key=${AIR_KEY}", 1)
    north, _ = read_config(config(tmp_path, hidden))
    assert north.source == "https://example.org/air.csv?key=secret"


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    reading = Reading(
        target=("a", 'b "quoted"'), missing=(-1.0, -999.0), valid={"ok": ("1", "2")},
        timezone="Europe/Oslo",
    )  # fmt: skip
    rare = Rare(top=0.05, peak_hours=((7.0, 9.0),))
    settings = Settings(horizon="24h", options={"rank": 8}, rare=rare, forget=30.0)
    job = Job(settings=settings, reading=reading, alerts=(">50", "top 5%"))
    path = tmp_path / "citytune.toml"
    save_config(path, tmp_path / "air.csv", tmp_path / "my run", job)
    (found,) = read_config(path)
    assert (found.name, found.out, found.source) == (
        "my run", tmp_path / "my run", str(tmp_path / "air.csv"),
    )  # fmt: skip
    assert found.job.settings == settings
    assert found.job.reading.said() == reading.said() | {"valid": {"ok": ["1", "2"]}}
    assert found.job.alerts == job.alerts
    save_config(path, tmp_path / "air.csv", tmp_path / "second", job)
    save_config(path, tmp_path / "other.csv", tmp_path / "my run", job)
    assert [one.name for one in read_config(path)] == ["my run", "second"]
    assert read_config(path)[0].source == str(tmp_path / "other.csv")


def test_a_config_is_done_and_then_refreshed(
    tmp_path: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")  # as a scheduler does: paths are as seen from the file
    path = config(tmp_path)
    write_readings(tmp_path / "air.csv")
    code, out, _ = run("run", path)
    assert code == 0, out
    assert (tmp_path / "runs" / "north" / "report.html").is_file()
    write_readings(tmp_path / "air.csv", days=22)
    code, out, _ = run("run", path, "--only", "south")
    assert code == 0
    assert "48 new steps" in out
    code, out, err = run("run", path)  # south has nothing new, which is no error
    assert (code, err) == (0, "")
    assert "48 new steps" in out
    assert "has no rows after 2024-01-22 23:00, which the run has read already" in out
    page = (tmp_path / "runs" / "overview.html").read_text("utf-8")
    assert 'href="north/report.html"' in page
    assert 'href="../elsewhere/south/report.html"' in page
    assert page.count("<table") == 2
    assert "<script" not in page
    (tmp_path / "air.csv").unlink()
    code, out, err = run("run", path, "--quiet")
    assert (code, out) == (2, "")
    assert err.count("Error: ") == 2
    page = (tmp_path / "runs" / "overview.html").read_text("utf-8")
    assert page.count("Not renewed:") == 2
    assert page.count("<table") == 2  # the last forecasts
    code, _, err = run("run", path, "--only", "nord")
    assert code == 2
    assert "Did you mean 'north'" in err


def test_a_run_refreshed_by_hand_meanwhile_stays_as_it_is(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    path = config(tmp_path)
    write_readings(tmp_path / "air.csv")
    assert run("run", path, "--only", "north")[0] == 0
    write_readings(tmp_path / "newer.csv", days=22)
    ct.open_run(tmp_path / "runs" / "north").refresh(tmp_path / "newer.csv")
    code, _, err = run("run", path, "--only", "north")
    assert code == 0
    assert "the run has read until 2024-01-22 23:00; this is an older file" in err
    code, _, err = run("refresh", tmp_path / "runs" / "north", tmp_path / "air.csv")
    assert code == 2  # named by hand, it is a slip


def test_a_page_that_cannot_be_written_hides_no_alert(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise OSError("no space left on device")

    monkeypatch.setattr(of_command, "write_overview", full)
    for raised, code in ((True, 3), (False, 2)):
        monkeypatch.setattr(of_command, "_do", lambda *_, raised=raised, **__: 3 * raised)
        found = run("run", config(tmp_path, TWO))
        assert found.code == code
        assert "the page of all runs: no space left" in found.err


def test_the_overview_may_stand_elsewhere(tmp_path: Path) -> None:
    path = config(tmp_path, f'overview = "all.html"\n{TWO}')
    assert len(read_config(path)) == 2
    assert overview_of(path) == tmp_path / "all.html"
    with pytest.raises(ct.InputError, match=r"says overview = 3; it is a page, such as"):
        overview_of(config(tmp_path, f"overview = 3\n{TWO}"))


def test_tuning_saves_a_config_that_does_the_same(tmp_path: Path, run: Callable[..., Any]) -> None:
    write_readings(tmp_path / "air.csv")
    words = (
        "tune", tmp_path / "air.csv", "--horizon", "24h", "--backbone", "lags", "--strategy",
        "zero-shot", "--target", "north", "--alert", ">500", "--out", tmp_path / "runs" / "north",
        "--save-config", tmp_path / "citytune.toml",
    )  # fmt: skip
    assert run(*words)[0] == 0
    before = ct.open_run(tmp_path / "runs" / "north").forecast()
    assert run("run", tmp_path / "citytune.toml", "--anew")[0] == 0
    after = ct.open_run(tmp_path / "runs" / "north").forecast()
    np.testing.assert_array_equal(before.quantiles, after.quantiles)
    assert before.alerts == after.alerts


DAILY = Path(__file__).parents[1] / "docs" / "daily.md"


def recipe(language: str) -> list[str]:
    text = DAILY.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def stub(folder: Path, code: int) -> dict[str, str]:
    """An environment in which citytune ends with a code, and mail notes that it was called."""
    folder.mkdir()
    for name, line in (("citytune", f"exit {code}"), ("mail", f"touch {folder}/sent")):
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize(("code", "sent"), [(0, False), (3, True), (2, False)])
def test_the_recipe_for_cron_mails_only_alerts(tmp_path: Path, code: int, sent: bool) -> None:
    (line,) = recipe("bash")
    fields, command = line.split()[:5], line.split(maxsplit=5)[5]
    assert all(re.fullmatch(r"\*|\d+", field) for field in fields)
    command = command.replace("/srv/air", str(tmp_path))
    environment = stub(tmp_path / "bin", code)
    subprocess.run(["/bin/sh", "-c", command], env=environment, check=False)
    assert (tmp_path / "bin" / "sent").exists() is sent


def test_the_recipe_for_systemd_takes_an_alert_for_a_success() -> None:
    service, timer = map(unit, recipe("ini"))
    assert service["Service"]["SuccessExitStatus"] == str(RAISED)
    words = service["Service"]["ExecStart"].split()
    assert words[0].endswith("/citytune")
    assert words[1:] == ["run", "citytune.toml"]
    assert timer["Timer"]["OnCalendar"] == "*-*-* 06:00"
    assert timer["Install"]["WantedBy"] == "timers.target"
    if (check := shutil.which("systemd-analyze")) is not None:
        done = subprocess.run([check, "calendar", "*-*-* 06:00"], capture_output=True, check=False)
        assert done.returncode == 0


def unit(text: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read_string(text)
    return found


def test_the_config_of_the_page_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIR_KEY", "k")
    (text,) = recipe("toml")
    no2, pm25 = read_config(config(tmp_path, text))
    assert (no2.job.reading.country, pm25.job.alerts) == ("IT", ("pm25>50", "top 5%"))
    assert no2.out == tmp_path / "runs" / "no2"


def test_the_recipes_for_r_and_windows_name_commands_and_columns_that_are() -> None:
    (code,) = recipe("r")
    assert 'system2("citytune", c("refresh", "runs/air"))' in code
    assert {"sensor", "time", "mean", "p_above_50"} <= set(re.findall(r"\w+", code))
    assert str(RAISED) in code
    (line,) = recipe("bat")
    quoted = re.findall(r'"([^"]*)"', line)
    assert quoted[1].startswith("cmd /c cd /d ")
    assert "citytune.exe run citytune.toml" in quoted[1]


@pytest.mark.parametrize(
    "source",
    [
        "https://me:hunter2@host/a.csv?key=hunter2",
        "zip://a.csv::https://me:hunter2@host/x.zip?sig=hunter2",
        Path("https://me:hunter2@host/a.csv"),
        "postgresql://me:hunter2@host/city",
    ],
)
def test_no_secret_is_kept(source: str | Path, tmp_path: Path) -> None:
    assert "hunter2" not in str(place_of(source))
    job = Job(settings=Settings(horizon=24), reading=Reading(covariates=(source,)))
    save_config(tmp_path / "citytune.toml", source, tmp_path / "run", job)
    assert "hunter2" not in (tmp_path / "citytune.toml").read_text()


def test_a_variable_is_kept_for_whoever_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "postgresql://me:${CITY_WORD}@host/city"
    assert place_of(source) == source
    monkeypatch.setenv("CITY_WORD", "p@ss/word")
    config = tmp_path / "citytune.toml"
    save_config(config, source, tmp_path / "run", Job(settings=Settings(horizon=24)))
    assert read_config(config)[0].source == source


@pytest.mark.parametrize("line", ["alerts = [3]", "options = 3"])
def test_a_value_of_another_kind_is_refused_in_words(line: str, tmp_path: Path) -> None:
    config = tmp_path / "citytune.toml"
    config.write_text(f'horizon = 24\n[runs.a]\nsource = "a.csv"\n{line}\n')
    with pytest.raises(ct.InputError, match=line.partition(" ")[0]):
        read_config(config)
