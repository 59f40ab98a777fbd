"""Promise: the command line teaches, answers in words, and keeps its exit codes."""

from __future__ import annotations

import ast
import datetime as dt
import errno
import functools
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import citytune
from citytune import advice
from citytune._errors import MissingWeights
from citytune._sample import sample
from citytune.backbones import families
from citytune.cli import _tune, main
from citytune.cli._console import complain, note, say, stages
from citytune.cli._reading import reading_of, words_of
from citytune.cli._words import for_terminal
from citytune.forecasting import Forecast, load
from citytune.runs import Reading
from citytune.writers import _http

pytestmark = pytest.mark.usefixtures("plain_report")
COMMANDS = (
    "demo", "check", "advise", "tune", "refresh", "run", "forecast", "score", "models", "pretrain",
)  # fmt: skip


def process(*words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `citytune` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "citytune", *map(str, words)],
        capture_output=True, text=True, check=False, **options,
    )  # fmt: skip


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_shows_every_command_and_how_to_begin(
    run: Callable[..., Any], words: list[str]
) -> None:
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert all(command in out for command in COMMANDS)
    assert "citytune tune loops.csv --horizon 24 --out runs/loops" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example(run: Callable[..., Any], command: str) -> None:
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert f"  citytune {command}" in out


def test_the_version_is_told(run: Callable[..., Any]) -> None:
    from importlib.metadata import version

    assert run("--version") == (0, f"citytune {version('citytune')}\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tun"], "Did you mean 'tune', 'run'?"),
        (["tune", "x.csv", "--horzon", "3"], "--horizon"),
        (["tune", "x.csv", "--out", "y"], "Missing option '--horizon'. How far ahead: "),
        (["check"], "Missing argument 'FILE'. File, folder, "),
        (["tune", "x.csv", "--horizon", "3", "--out", "y", "--seed", "x"], "--seed"),
        (["--colour"], "No such option: --colour"),
    ],
)
def test_a_wrong_command_line_is_answered_with_the_right_one(
    run: Callable[..., Any], words: list[str], said: str
) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert said in err
    assert "--help`." in err


def broken(*_: object, **__: object) -> None:
    raise KeyError("weights")


def test_a_fault_of_ours_is_owned_up_to(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_tune, "run_job", broken)
    words = ("tune", "x.csv", "--horizon", "3", "--out", tmp_path / "run")
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert err.startswith(
        "Error: an internal error (a bug in citytune, not in your file): KeyError: 'weights'"
    )
    assert "report it" in err
    assert "--debug" in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_debug_shows_where_it_happened_wherever_it_stands(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_tune, "run_job", broken)
    words = ("tune", "x.csv", "--horizon", "3", "--out", tmp_path / "run")
    for debugged in (("--debug", *words), (*words, "--debug")):
        code, _, err = run(*debugged)
        assert code == 1
        assert "Traceback" in err
        assert 'raise KeyError("weights")' in err


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("tune --effort ", "quick usual thorough"),
        ("tune --strategy la", "last-blocks"),
        ("tune --backbone citytune-b", "citytune-base"),
        ("check --stamp ", "begin end"),
        ("tune --quantity tra", "travel_time traffic_volume"),
        ("refresh runs/air --engine r", "ray"),
        ("forecast --to out/next.p", "out/next.parquet"),
        ("forecast --to ../next.p", "../next.parquet"),
        ("forecast --to out/forecast.j", "out/forecast.jsonl out/forecast.jsonld"),
        ("forecast --to sqlite:", "sqlite://"),
        ("tune --seed ", ""),
    ],
)
def test_the_shell_completes_values_that_are_known(
    typed: str, known: str, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_CITYTUNE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"citytune {typed}")
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ") + 1))
    code, found, _ = run()
    assert code == 0
    assert found.split() == known.split()


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from citytune.cli import main; "
        "main(['--help']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "polars", "plotly", "numpy"} & set(done.stderr.split())
    assert "\x1b" not in done.stdout  # colours are for terminals


def test_a_file_is_looked_at_without_torch_on_any_terminal(tmp_path: Path) -> None:
    """One that is not there, and one in units that the terminal lacks a letter for."""
    absent = ("tune", str(tmp_path / "no.csv"), "--horizon", "24", "--out", str(tmp_path / "run"))
    code = (
        "import sys; from citytune.cli import main\n"
        f"for words in {[absent, ('check', str(sample('air')))]!r}:\n"
        "    print('then', main(list(words)), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert [line for line in said if line.startswith("then")] == ["then 2 False", "then 0 False"]
    assert "no.csv" in done.stderr
    assert "Traceback" not in done.stderr
    assert "?g/m?" in done.stdout


def write_hours(
    folder: Path,
    name: str = "loops.csv",
    days: float = 40,
    sensors: tuple[str, ...] = ("north", "south"),
    faulty: bool = False,
) -> Path:
    """A CSV file of hourly readings with a daily and a weekly rhythm."""
    rng = np.random.default_rng(7)
    lines = [",".join(["time", *sensors])]
    for hour in range(round(24 * days)):
        level = 100 + 50 * np.sin(2 * np.pi * hour / 24)
        level *= 0.6 if hour // 24 % 7 >= 5 else 1.0
        values = [f"{level * (i + 1) + rng.normal(0, 4):.1f}" for i in range(len(sensors))]
        if faulty and 50 <= hour < 58:
            values[0] = "-999"
        moment = dt.datetime(2024, 1, 1) + dt.timedelta(hours=hour)
        lines.append(",".join([moment.isoformat(sep=" "), *values]))
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def hours(tmp_path: Path) -> Callable[..., Path]:
    """Writes such a file into the test's own folder."""
    return functools.partial(write_hours, tmp_path)


def test_check_lists_what_was_found_and_says_the_file_can_be_used(
    run: Callable[..., Any], hours: Callable[..., Path]
) -> None:
    code, out, err = run("check", hours(days=10, faulty=True))
    assert (code, err) == (0, "")
    assert "2 sensors, 240 rows of 1h from 2024-01-01 00:00 to 2024-01-10 23:00" in out
    found = out.split("Warnings: ")[1]
    assert "sensor 'north'" in found
    assert "-999" in found
    assert "2024-01-03 02:00" in found


def test_check_answers_programs_too(run: Callable[..., Any], hours: Callable[..., Path]) -> None:
    code, out, err = run("check", hours(days=10, faulty=True), "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["usable"] is True
    assert {"kind", "severity", "message", "remedy", "sensor", "count", "first"} <= set(
        found["faults"][0]
    )


def test_check_ends_with_two_if_the_file_cannot_be_used(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "words.csv"
    file.write_text("time,note\n2024-01-01 00:00,a\n2024-01-01 01:00,b\n")
    code, out, err = run("check", file)
    assert code == 2
    assert "Errors: fix these before the file can be used" in out
    assert f"{file} cannot be used: fix the 1 error listed above first" in err
    code, out, err = run("check", file, "--json")
    assert code == 2
    assert json.loads(out)["usable"] is False


@pytest.fixture(scope="module")
def tuned(shared_place: Path, made_once: Callable[..., Path], plainly: Callable[..., Any]) -> Path:
    """A folder with loops.csv and its run, tuned on all but the file's last days."""

    def make() -> Path:
        folder = shared_place / "tuned"
        folder.mkdir()
        write_hours(folder, "loops.csv", days=40)
        words = ["--horizon", "12h", "--backbone", "lags", "--unit", "veh/h", "--time", "time"]
        with plainly():
            assert (
                main(["tune", str(folder / "loops.csv"), "--out", str(folder / "run"), *words]) == 0
            )
        write_hours(folder, "newer.csv", days=45)
        return folder

    return made_once("tuned-by-command", make)


def test_a_run_holds_what_the_design_says_and_nothing_else(tuned: Path) -> None:
    names = {path.name for path in (tuned / "run").iterdir()}
    assert names == {"model", "scores.json", "forecast.csv", "report.html", "run.json", "record"}
    assert {path.name for path in tuned.iterdir()} == {"run", "loops.csv", "newer.csv"}
    kinds = {path.suffix for path in (tuned / "run" / "model").iterdir()}
    assert kinds <= {".json", ".safetensors"}


def test_scores_json_has_the_agreed_form(tuned: Path) -> None:
    found = json.loads((tuned / "run" / "scores.json").read_text(encoding="utf-8"))
    assert list(found) == [
        "format", "quantity", "unit", "freq", "horizon", "sensors", "chosen", "holdout", "models",
        "regions", "alerts", "seconds",
    ]  # fmt: skip
    assert (found["format"], found["unit"], found["freq"]) == (1, "veh/h", "1h")
    assert (found["horizon"], found["sensors"]) == (12, 2)
    assert list(found["chosen"]) == ["backbone", "strategy", "weights"]
    assert (found["chosen"]["backbone"], found["chosen"]["strategy"]) == ("lags", "blend")
    for shares in found["chosen"]["weights"].values():
        assert 0.9 < sum(shares.values()) < 1.001  # the smallest are left out
    assert list(found["holdout"]) == ["start", "end", "origins"]
    assert found["holdout"]["end"].startswith("2024-02-09")
    wanted = {"tuned", "zero-shot", "naive-day", "naive-week", "naive-weeks4", "lag-ridge"}
    assert wanted <= set(found["models"])
    # lags cannot forecast untuned: there "zero-shot" is the best seasonal rule, and has numbers
    assert all(isinstance(value, float) for value in found["models"]["zero-shot"].values())
    for row in found["models"].values():
        assert list(row) == ["mae", "rmse", "mase", "wql", "coverage_90", "width_90"]
    assert list(found["regions"]) == ["few", "medium", "many"]
    for region in found["regions"].values():
        assert list(region) == ["values", "mae"]
        assert set(region["mae"]) == set(found["models"])
    (alert,) = found["alerts"]
    assert alert["alert"].startswith("top 5 % of ")
    assert set(alert["thresholds"]) == {"north", "south"}
    assert set(alert["models"]) == set(found["models"])
    assert 0 <= alert["models"]["tuned"]["recall"] <= 1
    assert list(found["seconds"]) == ["read", "features", "fit", "forecast", "total"]
    assert all(spent >= 0 for spent in found["seconds"].values())


def test_the_scores_are_those_of_a_model_that_has_not_seen_the_holdout(tuned: Path) -> None:
    import citytune as ct

    frame = ct.read(tuned / "loops.csv", unit="veh/h", time="time")
    before = len(frame) - 240  # a quarter of 40 days
    model = ct.tune(frame.until(before), horizon=12, backbone="lags")
    scores = ct.backtest(model, frame, refit=False)
    found = json.loads((tuned / "run" / "scores.json").read_text(encoding="utf-8"))
    assert found["holdout"]["start"] == frame.clock.text(before)
    assert set(scores.models) == set(found["models"])
    for name, row in scores.models.items():
        assert found["models"][name]["mae"] == pytest.approx(row["mae"], rel=1e-4), name


def test_the_forecast_goes_on_where_the_file_ends(tuned: Path) -> None:
    import polars as pl

    table = pl.read_csv(tuned / "run" / "forecast.csv")
    levels = ["q05", "q10", "q20", "q30", "q40", "q50", "q60", "q70", "q80", "q90", "q95"]
    assert table.columns == ["sensor", "time", "mean", *levels, "quality"]
    assert table["sensor"].value_counts(sort=True).rows() == [("north", 12), ("south", 12)]
    assert (table["time"].min(), table["time"].max()) == (
        "2024-02-10T00:00:00",
        "2024-02-10T11:00:00",
    )


@pytest.mark.usefixtures("whole_report")
def test_tuning_says_in_words_how_good_it_is(
    run: Callable[..., Any], tuned: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = ("--horizon", 12, "--backbone", "lags", "--strategy", "zero-shot", "--unit", "veh/h")
    code, said, err = run("tune", tuned / "loops.csv", "--out", out, *words)
    assert (code, err) == (0, "")
    assert "2 sensors, 960 rows of 1h" in said
    assert "On 10 test days, the tuned model's mean error was " in said
    assert "The 90 % intervals contained" in said
    assert f"Written to {out}: report.html, forecast.csv, scores.json, model" in said
    assert "<html" in (out / "report.html").read_text(encoding="utf-8")[:200]


@pytest.mark.usefixtures("whole_report")
def test_alerts_are_answered_in_a_table_and_in_words(
    run: Callable[..., Any], tuned: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = ("--horizon", 12, "--backbone", "lags", "--strategy", "zero-shot")
    words = (*words, "--unit", "veh/h", "--quantity", "flow")
    asked = ("--alert", "flow>140", "--alert", "> 5000 veh/h")
    code, said, err = run("tune", tuned / "loops.csv", "--out", out, *words, *asked)
    assert (code, err) == (0, "")
    assert "the rarest values" in said
    lines = said.splitlines()
    header = next(i for i, line in enumerate(lines) if "Brier skill" in line)
    assert lines[header - 1].startswith("Warnings of flow > 140 veh/h, ")
    assert lines[header + 1].startswith("tuned ")
    assert "tuned warns from a chance of 30 % on, the others by their middle value." in lines
    assert "none of the 480 values in the test period was" in said
    found = json.loads((out / "scores.json").read_text("utf-8"))["alerts"]
    assert [alert["alert"] for alert in found] == ["flow > 140 veh/h", "flow > 5000 veh/h"]
    assert (found[1]["events"], found[1]["threshold"], found[1]["brier_skill"]) == (0, 5000, None)
    assert "none of the 480 values" in found[1]["said"]
    page = (out / "report.html").read_text("utf-8")
    assert 'id="rare"' in page
    assert "Alert: flow &gt; 140 veh/h" in page


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        ("140", "write it as 'pm2.5>150', '>150', '<30' or 'top 5%'"),
        ("speed>140", "speaks of 'speed', but the readings are 'flow'; write 'flow>140'"),
        ("flow>140 kW", "is in 'kW', but the readings are in 'veh/h'"),
    ],
)
def test_an_alert_that_cannot_be_is_refused_before_anything_is_fitted(
    run: Callable[..., Any], tuned: Path, tmp_path: Path, alert: str, said: str
) -> None:
    words = ("--horizon", 12, "--unit", "veh/h", "--quantity", "flow", "--alert", alert)
    code, out, err = run("tune", tuned / "loops.csv", "--out", tmp_path / "run", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert not list(tmp_path.iterdir())
    code, _, err = run("score", tuned / "run", tuned / "newer.csv", *words[2:])
    assert code == 2
    assert said in err


def test_a_run_is_scored_by_the_alerts_asked_for(run: Callable[..., Any], tuned: Path) -> None:
    words = ("score", tuned / "run", tuned / "newer.csv", "--alert", ">140")
    code, said, _ = run(*words)
    assert code == 0
    assert "> 140 veh/h, " in said
    code, said, _ = run(*words, "--json")
    (alert,) = json.loads(said)["alerts"]
    assert (code, alert["threshold"], alert["thresholds"]) == (0, 140, None)


def test_the_same_file_and_seed_give_the_same_run(
    run: Callable[..., Any], tuned: Path, tmp_path: Path
) -> None:
    words = ("--horizon", 12, "--backbone", "lags", "--unit", "veh/h", "--time", "time", "--json")
    code, said, err = run("tune", tuned / "loops.csv", "--out", tmp_path / "run", *words)
    assert (code, err) == (0, "")
    found, before = json.loads(said), json.loads((tuned / "run/scores.json").read_text("utf-8"))
    assert found.pop("run") == str(tmp_path / "run")
    assert found == json.loads((tmp_path / "run" / "scores.json").read_text("utf-8"))
    assert found | {"seconds": 0} == before | {"seconds": 0}
    again = (tmp_path / "run" / "forecast.csv").read_text()
    assert again == (tuned / "run" / "forecast.csv").read_text()


def test_a_run_that_is_there_is_replaced_only_when_asked(
    run: Callable[..., Any], hours: Callable[..., Path], tmp_path: Path
) -> None:
    file, out = hours(days=12, sensors=("north",)), tmp_path / "run"
    words = ("tune", file, "--out", out, "--backbone", "lags", "--strategy", "zero-shot")
    assert run(*words, "--horizon", 6).code == 0
    code, _, err = run(*words, "--horizon", 12)
    assert code == 2
    assert "--overwrite" in err
    assert json.loads((out / "scores.json").read_text("utf-8"))["horizon"] == 6
    assert run(*words, "--horizon", 12, "--overwrite").code == 0
    found = json.loads((out / "scores.json").read_text("utf-8"))
    assert (found["horizon"], found["chosen"]["strategy"]) == (12, "zero-shot")


@pytest.mark.usefixtures("whole_report")
def test_a_history_too_short_to_hold_anything_out_still_gives_a_forecast(
    run: Callable[..., Any], hours: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = ("--horizon", 24, "--backbone", "lags", "--out", out)
    code, _, err = run("tune", hours(days=2.5), *words)
    assert code == 0
    assert err.startswith("Note: ")
    assert "too short to hold anything out" in err
    found = json.loads((out / "scores.json").read_text("utf-8"))
    assert found["holdout"] == {"start": None, "end": None, "origins": 0}
    assert set(found["models"]["tuned"].values()) == {None}
    assert len((out / "forecast.csv").read_text().splitlines()) == 1 + 2 * 24
    assert (out / "report.html").stat().st_size > 10_000


def test_a_run_forecasts_on_from_newer_readings(
    run: Callable[..., Any], tuned: Path, tmp_path: Path
) -> None:
    out = tmp_path / "next.csv"
    code, said, err = run("forecast", tuned / "run", tuned / "newer.csv", "--out", out)
    assert (code, err) == (0, "")
    assert "12 steps of 1h ahead for 2 sensors, from 2024-02-15 00:00" in said
    first = out.read_text().splitlines()[1]
    assert first.startswith("north,2024-02-15T00:00:00,")
    code, _, err = run("forecast", tuned / "run", tuned / "newer.csv", "--out", out)
    assert code == 2
    assert "was not overwritten" in err
    assert (
        run("forecast", tuned / "run", tuned / "newer.csv", "--out", out, "--overwrite").code == 0
    )


def test_a_forecast_goes_to_as_many_targets_as_are_named(
    run: Callable[..., Any], tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("forecast", tuned / "run", tuned / "newer.csv", "--to", "f.parquet", "--to",
             "sqlite:///city.db#air")  # fmt: skip
    code, said, _ = run(*words, "--dry-run")
    assert code == 0
    assert "Would write 24 rows to f.parquet" in said
    assert not list(tmp_path.iterdir())
    code, said, err = run(*words)
    assert (code, err) == (0, "")
    assert "24 rows written to table air in sqlite:///city.db" in said
    assert {path.name for path in tmp_path.iterdir()} == {"f.parquet", "city.db"}
    back = Forecast.read("f.parquet")
    assert (back.run, back.model) == ("run", "lags, blend")
    np.testing.assert_array_equal(back.mean, Forecast.read("sqlite:///city.db#air").mean)
    for target, reason in (("f.parquet", "already exists"), ("f.cvs", "Did you mean .csv")):
        code, _, err = run("forecast", tuned / "run", "--to", "new.csv", "--to", target)
        assert (code, reason in err) == (2, True), err
        assert not (tmp_path / "new.csv").exists()  # nothing is written if one cannot be
    code, _, err = run("forecast", tuned / "run", "--out", "f.xlsx")
    assert (code, "--out writes CSV, and f.xlsx ends in .xlsx; use --to f.xlsx" in err) == (2, True)
    assert not Path("f.xlsx").exists()
    Path("here").symlink_to(tmp_path)
    for target, reason in (
        ("sqlite:///nowhere/city.db", "cannot be opened"), ("sqlite:///city.db#loops", "no column"),
        ("new.csv", "named twice; name"), ("./new.csv", "named twice, as new.csv is the same"),
        ("here/new.csv", "named twice, as"),
    ):  # fmt: skip
        with closing(sqlite3.connect("city.db")) as database:
            database.execute("CREATE TABLE IF NOT EXISTS loops (time TEXT, flow REAL)")
        code, _, err = run("forecast", tuned / "run", "--to", "new.csv", "--to", target)
        assert (code, reason in err) == (2, True), err
        assert not (tmp_path / "new.csv").exists()
    server = "ngsi-ld+http://127.0.0.1:9/v1"  # where nobody listens
    monkeypatch.setattr(_http, "_wait", lambda _: None)
    code, said, err = run("forecast", tuned / "run", "--to", "new.csv", "--to", server,
                          "--to", "new.parquet")  # fmt: skip
    assert code == 2
    assert f"Written before that: new.csv; not written: {server} and new.parquet" in err
    assert ((tmp_path / "new.csv").exists(), (tmp_path / "new.parquet").exists()) == (True, False)
    code, _, err = run("forecast", tuned / "run", "--to", "wide.csv", "--wide", "q50")
    assert code == 0
    assert (tmp_path / "wide.csv").read_text().startswith('"time","north",')


PYTHON_ONLY = {
    "by", "metrics", "origins", "windows", "stride", "refit", "run", "name", "rarest", "sep",
    "periods", "freq", "index",
}  # fmt: skip
"""Arguments of what the command line does not do, and code in messages that is Python's own."""
NOT_FOR_PEOPLE = ("serving/", "_html.py", "_spark.py", "_tables.py", "_sensorthings.py",
                  "databases/_postgres.py", "_alert.py", "watching/_settings.py")  # fmt: skip


def test_no_message_names_an_option_as_python_does() -> None:
    source = Path(citytune.__file__).parent
    strange = []
    for path in source.rglob("*.py"):
        if any(part in path.as_posix() for part in NOT_FOR_PEOPLE) or "re.compile" in path.name:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise):
                said = "".join(
                    part.value for part in ast.walk(node)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )  # fmt: skip
                left = re.findall(r"(?<![\w.?&/'-])([a-z_]{2,})=", for_terminal(said))
                strange += [(path.name, name) for name in left if name not in PYTHON_ONLY]
    assert [one for one in strange if one[1] not in ("rank",)] == []


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("pass covariates=['wind speed', 'rain']", "pass --covariates 'wind speed,rain'"),
        ("read it with quantity='no2' or unit=", "read it with --quantity 'no2' or --unit UNIT"),
        ("try strategy='head', overwrite=True", "try --strategy 'head', --overwrite"),
        ("https://a.city/?unit=kW&time=1, rank=8", "https://a.city/?unit=kW&time=1, rank=8"),
    ],
)  # fmt: skip
def test_options_are_named_as_they_are_typed(
    said: str, typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for speak, stream in ((say, "out"), (note, "err"), (complain, "err")):
        speak(said)
        assert typed in getattr(capsys.readouterr(), stream)


def test_a_half_life_is_kept_with_the_run_and_a_foolish_one_refused(
    run: Callable[..., Any], tuned: Path, tmp_path: Path
) -> None:
    asked = [tuned / "loops.csv", "--horizon", "12h", "--out", tmp_path / "r"]
    asked += ["--backbone", "lags", "--strategy", "zero-shot"]
    code, _, err = run("tune", *asked, "--forget", -3)
    assert (code, "forget must be a number above 0; a half-life in days" in err) == (2, True)
    assert run("tune", *asked, "--forget", 30).code == 0
    assert load(tmp_path / "r").settings.forget == 30


def test_a_run_learns_from_newer_readings_and_keeps_the_rest(
    run: Callable[..., Any], tuned: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(tuned / "run", folder)
    assert load(folder).settings.forget is None
    code, said, err = run("update", folder, tuned / "newer.csv", "--forget", 60)
    assert code == 0
    assert "until 2024-02-14 23:00" in said
    assert "scores.json and report.html still describe the earlier model" in err
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
    assert {path.name for path in folder.iterdir()} == {
        path.name for path in (tuned / "run").iterdir()
    }
    for name in ("scores.json", "report.html"):
        assert (folder / name).read_bytes() == (tuned / "run" / name).read_bytes()
    first = (folder / "forecast.csv").read_text().splitlines()[1]
    assert first.startswith("north,2024-02-15T00:00:00,")
    assert load(folder).settings.forget == 60
    code, said, err = run("update", folder, tuned / "newer.csv")
    assert (code, said) == (0, "")
    assert "no rows after 2024-02-14 23:00" in err
    assert run("forecast", folder, tuned / "newer.csv", "--out", tmp_path / "f.csv").code == 0


def test_an_update_that_fails_leaves_the_run_as_it_was(
    run: Callable[..., Any], tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(tuned / "run", folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Forecast, "write_csv", full)
    assert run("update", folder, tuned / "newer.csv").code == 2
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


def test_without_a_file_it_is_the_forecast_of_the_run(
    run: Callable[..., Any], tuned: Path, tmp_path: Path
) -> None:
    code, _, err = run("forecast", tuned / "run", "--out", tmp_path / "same.csv")
    assert code == 0
    assert "is the forecast that" in err
    assert (tmp_path / "same.csv").read_text() == (tuned / "run" / "forecast.csv").read_text()


def test_a_run_reads_later_files_as_it_read_its_own(
    run: Callable[..., Any], hours: Callable[..., Path], tmp_path: Path
) -> None:
    file = hours(days=20, sensors=("north", "rain", "south"))
    words = ("--horizon", 6, "--backbone", "lags", "--strategy", "zero-shot")
    words = (*words, "--target", "north,south")
    assert run("tune", file, "--out", tmp_path / "run", *words).code == 0
    code, said, err = run("forecast", tmp_path / "run", file, "--out", tmp_path / "next.csv")
    assert (code, err) == (0, "")
    assert "for 2 sensors" in said


def test_a_reading_said_now_goes_before_one_said_then() -> None:
    then = reading_of(time=["when"], target=["flow"], missing=["-1"])
    now = reading_of(time=["at"], target=[]).over(then, "newer.csv")
    assert now == Reading(time=("at",), target=("flow",), missing=(-1.0,))
    assert reading_of(covariates=["rain, wind", "sun"]).covariates == ("rain", "wind", "sun")


def test_scoring_newer_rows_does_not_fit_again(run: Callable[..., Any], tuned: Path) -> None:
    code, said, err = run("score", tuned / "run", tuned / "newer.csv")
    assert (code, err) == (0, "")
    assert "On 5 test days, the tuned model's mean error was " in said
    assert "naive-week" in said
    code, said, _ = run("score", tuned / "run", tuned / "newer.csv", "--json")
    found = json.loads(said)
    assert found["refitted"] is False
    assert found["holdout"]["start"] == "2024-02-10 00:00"
    assert found["models"]["tuned"]["mae"] > 0


def test_scoring_the_same_rows_fits_again_and_says_so(run: Callable[..., Any], tuned: Path) -> None:
    code, said, err = run("score", tuned / "run", tuned / "loops.csv", "--json")
    assert code == 0
    assert err.startswith("Note: the file has no rows newer")
    assert json.loads(said)["refitted"] is True


def test_models_says_what_is_here_and_how_to_get_the_rest(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITYTUNE_WEIGHTS", raising=False)
    code, said, err = run("models")
    assert (code, err) == (0, "")
    for name in ("citytune-base", "lags", "efficientnet-lite0", "resnet50", "ttm-r2"):
        assert name in said
    rows = {row["name"]: row for row in json.loads(run("models", "--json").out)["models"]}
    first = said.splitlines()[1].split()
    assert first[:2] == ["citytune-base", "yes"]
    assert next(iter(rows)) == "citytune-base"
    assert "Recent values, the same hours of past" in said  # what it is, in a person's words
    lines = said.split("\n\n")[0].splitlines()[1:]
    related = {member for family in families().values() for member in family.members[1:]}
    alone = [name for name in rows if name not in related]
    assert [line.split()[0] for line in lines] == [*alone, *families()]  # one each, here first
    assert [row["at_hand"] for row in rows.values()] == sorted(
        (row["at_hand"] for row in rows.values()), reverse=True
    )
    assert rows["lags"]["at_hand"] is True
    assert rows["lags"]["how_to_get"] is None
    assert rows["citytune-base"]["at_hand"] is True  # it comes with the package
    accepted = dict.fromkeys(("moirai-2", "tirex", "tabpfn-ts"), "CITYTUNE_ACCEPT")
    others = accepted | {"efficientnet-lite0": "citytune[vision]"}
    for row in rows.values():
        wanted = others.get(row["name"], "CITYTUNE_WEIGHTS")
        assert row["at_hand"] or wanted in row["how_to_get"]
        assert row["licence"]
        assert row["trained_on"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_models_takes_one_line_for_each_on_any_terminal(
    width: int, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"COLUMNS": str(width), "FORCE_COLOR": "1", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    code, said, _ = run("models")
    lines = said.split("\n\n")[0].splitlines()
    assert code == 0
    assert max(map(len, lines)) <= width
    assert len({line.split()[0] for line in lines}) == len(lines)
    assert ("what it is" in said) == (width == 120)


def test_check_shows_columns_in_80_and_how_to_name_what_is_measured(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"COLUMNS": "80", "FORCE_COLOR": "1", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    hours = pl.datetime_range(dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 1), "1h", eager=True)
    readings = [hour.hour * 7 % 24 + hour.day for hour in hours]
    columns = {"Tidspunkt": hours, "Ring 3 vest E18 sentrum": readings, "wind_100m [m/s]": readings}
    path = tmp_path / "teller.csv"
    pl.DataFrame(columns).write_csv(path)
    _, said, _ = run("check", path)
    table = said.partition("understood\n")[2].partition("\n\n")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "\nvalue" not in table  # a reason goes on beneath itself
    assert "What is measured is not known; say it, such as --quantity" in said
    _, said, _ = run("check", path, "--quantity", "traffic_volume", "--unit", "veh/h")
    assert "What is measured is not known" not in said


def test_models_tells_all_about_one(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITYTUNE_WEIGHTS", raising=False)
    code, said, _ = run("models", "lags")
    assert code == 0
    assert "  here: yes\n  speed here: " in said
    assert "forecast: none: its features are read by a head" in said
    _, said, _ = run("models", "tirex")
    assert "  here: no: backbone 'tirex' is under the NXAI Community License" in said
    assert "  to get: run `pip install 'citytune[tirex]'`" in said
    code, _, err = run("models", "lgas")
    assert code == 2
    assert "Did you mean 'lags'?" in err
    code, said, _ = run("models", "ttm")
    assert code == 0
    assert "\n  ttm-r2-1536-192\n" in said
    (row,) = json.loads(run("models", "chronos-2", "--json").out)["models"]
    assert (row["name"], row["at_hand"]) == ("chronos-2", False)


def test_models_goes_on_where_one_does_not_fit_its_package(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> Any:
        raise MissingWeights(f"backbone {name!r} does not work with the version of x")

    monkeypatch.delenv("CITYTUNE_WEIGHTS", raising=False)
    monkeypatch.setattr("citytune.backbones.load_backbone", load)
    code, said, _ = run("models", "--speed")
    assert code == 0
    assert not re.search(r"^lags +yes", said, re.MULTILINE)
    code, said, _ = run("models", "lags")
    assert code == 0
    assert "  here: no: backbone 'lags' does not work with the version of x" in said


@pytest.mark.slow
def test_advice_ranks_the_models_at_hand(
    run: Callable[..., Any], hours: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITYTUNE_WEIGHTS", raising=False)
    file = hours(days=20, sensors=("north",))
    asked, found = advice.recommend_with, []

    def once(*words: Any, **named: Any) -> Any:
        """What it costs to ask twice is of no interest here."""
        found.extend([] if found else [asked(*words, **named)])
        return found[0]

    names = ("citytune-base", "lags")
    monkeypatch.setattr("citytune.advice._recommend.at_hand", lambda: [*names])
    monkeypatch.setattr(advice, "recommend_with", once)
    code, said, err = run("advise", file, "--horizon", 6)
    assert (code, err) == (0, "")
    assert all(name in said for name in names)
    code, said, _ = run("advise", file, "--horizon", 6, "--json")
    assert code == 0
    assert json.loads(said)["best"] in names


def test_nothing_but_results_is_said_where_no_terminal_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with stages() as progress:
        progress("Reading: rows", 0.5)
    assert capsys.readouterr() == ("", "")


def test_bars_show_how_long_it_takes_on_a_terminal_of_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for name, value in {"COLUMNS": "80", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    with stages() as progress:
        progress("Comparing with a refit: fine-tuning the network on the whole history", 0.5)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    shown = [line for line in plain.splitlines() if "fine-tuning" in line]
    assert shown
    assert all("0:00:0" in line for line in shown)


def test_a_model_saved_from_python_is_a_run_too(
    run: Callable[..., Any], tuned: Path, tmp_path: Path
) -> None:
    import citytune as ct

    ct.load(tuned / "run").save(tmp_path / "saved")
    words = (tmp_path / "saved", tuned / "newer.csv", "--out", tmp_path / "next.csv")
    assert run("forecast", *words, "--time", "time", "--unit", "veh/h").code == 0
    assert len((tmp_path / "next.csv").read_text().splitlines()) == 1 + 2 * 12


def test_the_command_is_also_a_module() -> None:
    done = process("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("citytune ")


@pytest.mark.usefixtures("whole_report")
@pytest.mark.extras  # three whole jobs
def test_the_demo_does_the_whole_job(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITYTUNE_WEIGHTS", raising=False)
    monkeypatch.chdir(tmp_path)
    code, said, err = run("demo")
    assert (code, err) == (0, "")
    for name in ("traffic", "air", "energy"):
        folder = tmp_path / "citytune-demo" / name
        assert {path.name for path in folder.iterdir()} == {
            "model", "scores.json", "forecast.csv", "report.html", "record", "run.json",
        }  # fmt: skip
        assert f"citytune-demo/{name}/report.html" in said
        models = json.loads((folder / "scores.json").read_text("utf-8"))["models"]
        naive = min(models[rival]["mae"] for rival in models if rival.startswith("naive"))
        # On two weeks of one road the best of five simple rules, picked afterwards, may win.
        assert models["tuned"]["mae"] < 1.06 * naive
    assert "further pretrained models; `citytune models` shows how to get them." in said


def test_check_ends_with_the_command_that_tunes(
    run: Callable[..., Any], hours: Callable[..., Path]
) -> None:
    file = hours("my loops.csv", days=20)
    words = ("--timezone", "Europe/Oslo", "--missing", "-1", "--valid", "time=a,b c")
    _, out, _ = run("check", file, *words[:4])
    command = shlex.split(out.strip().splitlines()[-1].removeprefix("Next: "))
    assert command == [
        "citytune", "tune", str(file), "--horizon", "24h", *words[:4], "--out", "runs/my-loops",
    ]  # fmt: skip
    assert words_of(reading_of(valid=["time=a,b c"], target=['a,"b,c"'])) == [
        "--target", 'a,"b,c"', "--valid", "time=a,b c",
    ]  # fmt: skip


def test_warnings_that_nobody_asked_for_are_left_to_the_report(
    run: Callable[..., Any], hours: Callable[..., Path], tmp_path: Path
) -> None:
    words = ("--horizon", "12h", "--backbone", "lags", "--strategy", "zero-shot")
    _, said, _ = run("tune", hours("loops.csv", days=30), "--out", tmp_path / "run", *words)
    assert "the rarest 10 %" in said
    assert "Warnings of" not in said
    asked = ("--alert", "top 5%", "--overwrite")
    _, said, _ = run("tune", tmp_path / "loops.csv", "--out", tmp_path / "run", *words, *asked)
    assert "Warnings of top 5 %" in said


def test_a_clock_that_is_read_otherwise_than_it_seems_is_told_by_tune(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    file, start = tmp_path / "loops.csv", dt.datetime(2024, 3, 10)
    times = [start + dt.timedelta(hours=i) for i in range(24 * 35)]
    lines = [f"{one:%Y-%m-%d %H:%M},{100 + one.hour}" for one in times]
    file.write_text("\n".join(["time,flow", *lines]) + "\n")
    words = ("--horizon", "12h", "--backbone", "lags", "--strategy", "zero-shot")
    zone = ("--timezone", "Europe/Berlin", "--out", tmp_path / "run")
    _, said, _ = run("tune", file, *words, *zone)
    assert "it was read as standard time (UTC+1) all year" in said
    changed = [one for one in lines if not one.startswith("2024-03-31 02")]
    file.write_text("\n".join(["time,flow", *changed]) + "\n")
    _, said, _ = run("tune", file, *words, "--out", tmp_path / "without")
    assert "1 hour is missing on Sunday nights in spring or autumn" in said
    assert "add --timezone ZONE (such as Europe/Oslo)" in said


@pytest.mark.parametrize(
    ("line", "offered"),
    [("citytune ref", "refresh"), ("citytune tune loops.csv --hor", "--horizon")],
)
def test_a_shell_is_told_how_a_word_goes_on(line: str, offered: str) -> None:
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = process(env=os.environ | asked | {"_CITYTUNE_COMPLETE": "complete_bash"})
    assert (done.stdout.split(), done.stderr) == ([offered], "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_colours_are_for_terminals() -> None:
    """Elsewhere there are none: see `test_help_imports_nothing_heavy`."""
    ours, theirs = os.openpty()
    words = [sys.executable, "-m", "citytune", "--help"]
    with subprocess.Popen(words, stdout=theirs, env=os.environ | {"TERM": "xterm"}) as shown:
        os.close(theirs)
        said = b""
        with suppress(OSError):  # what Linux says at the end of a pseudo-terminal
            while part := os.read(ours, 4096):
                said += part
    os.close(ours)
    assert shown.returncode == 0
    assert b"\x1b[" in said
