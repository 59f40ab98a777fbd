"""Promise: the whole job can be done from Python, and a run folder is only what was written."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import citytune as ct
from citytune.runs import PARTS, RECORD, Reading
from citytune.runs._folder import SEAL, Seal

HOURS = np.arange(24 * 24)
SENSORS = ("north", "=HYPERLINK(1)")

pytestmark = pytest.mark.usefixtures("plain_report")


def write_hours(path: Path, days: int = 20, *, weather: bool = False) -> Path:
    """Hourly readings with a rhythm; weather reaches six hours beyond them."""
    import polars as pl

    rng = np.random.default_rng(5)
    rows = 24 * days + 6 * weather
    level = 100 + 40 * np.sin(2 * np.pi * np.arange(rows) / 24)
    start = np.datetime64("2024-01-01T00:00", "us")
    table = {"time": start + np.arange(rows) * np.timedelta64(1, "h")}
    for k, name in enumerate(SENSORS):
        values = np.round(level + 20 * k + rng.normal(0, 3, rows), 1)
        table[name] = [None if i >= 24 * days else v for i, v in enumerate(values.tolist())]
    if weather:
        table["rain"] = np.round(rng.random(rows), 2)
    pl.DataFrame(table).write_csv(path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, plainly: Callable[..., Any]) -> Path:
    """A folder with loops.csv, newer.csv and the run of the first."""
    folder = tmp_path_factory.mktemp("made")
    write_hours(folder / "newer.csv", days=22)
    file = write_hours(folder / "loops.csv")
    settings = {"backbone": "lags", "strategy": "zero-shot"}
    with plainly():
        ct.run(file, horizon=6, out=folder / "run", unit="veh/h", time="time", **settings)
    return folder


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """A run that may be spoilt, in a folder of its own."""
    return Path(shutil.copytree(made / "run", tmp_path / "run"))


@pytest.mark.usefixtures("whole_report")
def test_a_job_tells_its_stages_and_gives_its_run(made: Path, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    run = ct.run(
        made / "loops.csv",
        horizon="6h",
        out=tmp_path / "run",
        backbone="lags",
        strategy="zero-shot",
        alerts=[">130"],
        progress=lambda stage, share: told.append((stage, share)),
    )
    stages = list(dict.fromkeys(stage.partition(": ")[0] for stage, _ in told))
    assert stages == [
        "Reading", "Fitting", "Scoring", "Fitting on everything", "Forecasting",
        "Writing the report",
    ]  # fmt: skip
    assert all(0 <= share <= 1 for _, share in told)
    assert run.path == tmp_path / "run"
    assert run.scores is not None
    assert [alert["threshold"] for alert in run.scores["alerts"]] == [130]
    assert run.report.read_text("utf-8")[:200].count("<html") == 1
    assert run.made_from.frame.sensors == SENSORS
    with pytest.raises(ct.RunError, match="not overwritten; choose another out="):
        ct.run(made / "loops.csv", horizon=6, out=tmp_path / "run", backbone="lags")
    again = ct.open_run(tmp_path / "run")
    assert (again.scores, again.changed()) == (run.scores, ())
    with pytest.raises(ct.RunError, match="made by another process"):
        _ = again.made_from


def test_what_a_run_takes_is_refused_by_name(made: Path, tmp_path: Path) -> None:
    for options, said in (
        ({"horizon": 0}, "horizon"),
        ({"horizon": 6, "alerts": ["140"]}, "write it as"),
        ({"horizon": 6, "strategy": "blnd"}, "Did you mean 'blend'"),
        ({"horizon": 6, "backbone": "lag"}, "Did you mean 'lags'"),
    ):
        wanted: dict[str, Any] = {"backbone": "lags"} | options
        with pytest.raises(ct.InputError, match=said):
            ct.run(made / "loops.csv", out=tmp_path / "run", **wanted)
    frame = ct.read(made / "loops.csv")
    with pytest.raises(ct.InputError, match="unit= comes too late; pass it to read"):
        ct.run(frame, horizon=6, out=tmp_path / "run", unit="kW", backbone="lags")
    assert not list(tmp_path.iterdir())


def test_a_run_reads_forecasts_and_scores_as_it_was_made(made: Path) -> None:
    run = ct.open_run(made / "run")
    assert run.reading == Reading(time="time", unit="veh/h")
    frame = ct.read(made / "newer.csv", time="time", unit="veh/h")
    found = run.forecast(made / "newer.csv")
    assert found.quantity.unit == "veh/h"
    np.testing.assert_array_equal(found.mean, run.forecast(frame).mean)
    assert run.score(made / "newer.csv").refitted is False


def test_another_column_of_readings_is_refused_and_may_be_named(made: Path, tmp_path: Path) -> None:
    import polars as pl

    table = pl.read_csv(made / "loops.csv").unpivot(index="time", variable_name="station")
    table = table.rename({"value": "no2"})
    table.write_csv(tmp_path / "air.csv")
    made_of = ct.run(
        tmp_path / "air.csv", horizon=24, backbone="lags", strategy="zero-shot",
        quantity="no2", out=tmp_path / "run",
    )  # fmt: skip
    for other in ("pm25", "value_b"):
        path = tmp_path / f"{other}.csv"
        table.rename({"no2": other}).write_csv(path)
        with pytest.raises(
            ct.InputError, match=f"no column of .* is called 'no2'.*{other}.*target="
        ):
            made_of.forecast(path)
        assert len(made_of.forecast(path, target=other).mean) == 24
    table.with_columns(pm25=pl.col("no2") * 2).write_csv(tmp_path / "both.csv")
    np.testing.assert_array_equal(
        made_of.forecast(tmp_path / "both.csv").mean, made_of.forecast().mean
    )


def test_a_forecast_from_before_what_the_run_has_read_is_said_to_be_one(
    made: Path, tmp_path: Path
) -> None:
    run = ct.open_run(made / "run")
    older = write_hours(tmp_path / "older.csv", days=18)
    assert any(
        "older.csv ends at 2024-01-18 23:00, but the run has read until 2024-01-20 23:00" in note
        for note in run.forecast(older).notes
    )
    assert not any("has read until" in note for note in run.forecast(made / "newer.csv").notes)


def test_without_a_source_it_is_the_forecast_that_was_written(made: Path) -> None:
    run = ct.open_run(made / "run")
    stored, anew = run.forecast(), run.forecast(made / "loops.csv")
    assert (stored.clock, stored.sensors, stored.quantity) == (
        anew.clock, anew.sensors, anew.quantity,
    )  # fmt: skip
    np.testing.assert_array_equal(stored.mean, anew.mean)
    np.testing.assert_array_equal(stored.quantiles, anew.quantiles)


def test_a_run_learns_in_place(made: Path, copied: Path) -> None:
    run = ct.open_run(copied)
    before = run.model.trained_until
    found = run.update(made / "newer.csv", forget=30)
    assert (found.learned, found.stale) == (True, ("scores.json", "report.html"))
    assert run.model.trained_until > before
    assert run.changed() == ()
    assert ct.open_run(copied).model.settings.forget == 30
    again = run.update(made / "newer.csv")
    assert not again.learned
    assert "no rows after 2024-01-22 23:00" in again.note
    assert {path.name for path in copied.parent.iterdir()} == {"run"}


def test_a_file_that_comes_while_a_run_is_renewed_is_kept(
    made: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = ct.TunedModel.save

    def save_slowly(model: ct.TunedModel, folder: Path) -> Path:
        (copied / "notes.txt").write_text("mine")
        return save(model, folder)

    monkeypatch.setattr(ct.TunedModel, "save", save_slowly)
    monkeypatch.setattr("citytune.runs._renew.copy_rest", lambda *_: [])
    with pytest.raises(ct.RunError, match=r"notes.txt came into .* do it again"):
        ct.open_run(copied).update(made / "newer.csv")
    assert (copied / "notes.txt").read_text() == "mine"
    assert {path.name for path in copied.iterdir()} == {*PARTS, RECORD, SEAL, "notes.txt"}


def test_the_model_of_a_run_can_be_renewed_from_python(made: Path, copied: Path) -> None:
    frame = ct.read(made / "newer.csv", unit="veh/h")
    new = ct.load(copied).update(frame)
    new.save(copied / "model")
    run = ct.open_run(copied)
    np.testing.assert_array_equal(run.forecast(frame).mean, new.forecast(frame).mean)
    assert {name.partition("/")[0] for name in run.changed()} == {"model"}
    assert {path.name for path in copied.iterdir()} == {*PARTS, RECORD, SEAL}


def test_a_run_named_by_a_link_is_the_run(made: Path, copied: Path) -> None:
    link = copied.with_name("link")
    link.symlink_to(copied)
    assert ct.open_run(link).update(made / "newer.csv").learned
    assert link.is_symlink()
    assert ct.open_run(copied).changed() == ()
    assert {path.name for path in copied.parent.iterdir()} == {"run", "link"}


def test_covariates_from_elsewhere_are_read_only_if_they_are_named_again(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    import polars as pl

    file = write_hours(tmp_path / "loops.csv", weather=True)
    weather = tmp_path / "weather.csv"
    pl.read_csv(file).select("time", "rain").write_csv(weather)
    pl.read_csv(file).drop("rain").write_csv(file)
    words = ("tune", file, "--horizon", 6, "--backbone", "lags", "--out", tmp_path / "run")
    assert run(*words, "--covariates", weather).code == 0
    words = ("forecast", tmp_path / "run", file, "--out", tmp_path / "next.csv")
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert f"made with covariates from {weather}" in err
    assert "pass --covariates" in err
    assert run(*words, "--covariates", weather).code == 0
    seal = Seal.read(tmp_path / "run")
    Seal({"covariates": [str(weather)]}, seal.sums).write(tmp_path / "run")
    code, out, err = run(*words, "--overwrite")
    assert (code, out) == (2, "")
    assert "no column of" in err


def test_an_earlier_format_is_refused_with_the_command_that_makes_it_anew(copied: Path) -> None:
    (copied / SEAL).unlink()
    (copied / "model" / "reading.json").write_text("{}")
    with pytest.raises(ct.RunError, match=r"citytune tune FILE --horizon N --out \S+ --overwrite"):
        _ = ct.open_run(copied).reading
    shutil.rmtree(copied / "model")
    (copied / SEAL).write_text('{"format": 99}')
    with pytest.raises(ct.RunError, match="format 99, and this citytune reads 1"):
        _ = ct.open_run(copied).reading


def test_what_is_no_run_is_said_not_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(ct.RunError, match=r"no run folder .* `citytune tune"):
        ct.open_run(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ct.RunError, match="is a file"):
        ct.open_run(tmp_path / "file")
    with pytest.raises(ct.RunError, match="not a run of citytune"):
        ct.open_run(tmp_path).forecast()
    with pytest.raises(ct.RunError, match="not a run of citytune"):
        _ = ct.open_run(tmp_path).model


def test_a_forecast_changed_by_hand_is_ones_right_and_is_told(
    run: Callable[..., Any], copied: Path, tmp_path: Path
) -> None:
    table = copied / "forecast.csv"
    table.write_text(table.read_text().replace("north", "North Bridge"))
    code, _, err = run("forecast", copied, "--out", tmp_path / "same.csv")
    assert code == 0
    assert "forecast.csv in" in err
    assert "has been changed since" in err
    assert ct.open_run(copied).changed() == ("forecast.csv",)
    table.write_text("sensor,time,mean\n")
    with pytest.raises(ct.RunError, match="no longer the forecast that was written"):
        ct.open_run(copied).forecast()


def test_no_name_in_a_forecast_is_run_by_a_spreadsheet(made: Path) -> None:
    import polars as pl

    names = pl.read_csv(made / "run" / "forecast.csv")["sensor"].unique(maintain_order=True)
    assert names.to_list() == ["north", "'=HYPERLINK(1)"]


def tamperings(run: Path, outside: Path) -> Iterator[tuple[str, str]]:
    """Spoil a run in one way after another; gives what was spoilt and how, and mends it again."""
    draw = random.Random(11)
    names = [SEAL, "model", "forecast.csv", "scores.json"]
    names += [f"model/{path.name}" for path in sorted((run / "model").iterdir())]
    for name in names:
        path, away = run / name, outside / name
        away.parent.mkdir(parents=True, exist_ok=True)
        path.rename(away)
        for kind in ("gone", "a link", "a folder", "a file", *["changed"] * 10):
            if kind == "a link":
                path.symlink_to(away)
            elif kind == "a folder" and not away.is_dir():
                path.mkdir()
            elif kind == "a file" and away.is_dir():
                path.write_text("[]")
            elif kind == "changed" and away.suffix == ".json":
                path.write_text(changed_json(away.read_text("utf-8"), draw))
            elif kind == "changed" and away.suffix == ".safetensors":
                path.write_bytes(changed_bytes(away.read_bytes(), draw))
            elif kind != "gone":
                continue
            yield name, kind
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
        away.rename(path)


def changed_bytes(whole: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(whole))
    return draw.choice([whole[:at], whole[:at] + b"\x00\xff" + whole[at + 2 :], whole + b"x", b""])


def changed_json(text: str, draw: random.Random) -> str:
    if draw.random() < 0.3:
        at = draw.randrange(len(text) - 2)
        return draw.choice([text[:at], "[" * 100_000, "[]", "null", "\x00"])
    facts = json.loads(text)
    at = draw.choice(sorted(facts))
    facts[at] = draw.choice([[], {}, "x", -1, 1e400, None, [[[]]]])
    if facts[at] == json.loads(text)[at]:
        facts.pop(at)
    return json.dumps(facts)


def test_a_run_that_was_tampered_with_is_refused_in_one_sentence(
    run: Callable[..., Any], made: Path, copied: Path, tmp_path: Path
) -> None:
    count = 0
    for name, kind in tamperings(copied, tmp_path / "outside"):
        words: tuple[object, ...] = ("forecast", copied, made / "newer.csv")
        if "memory" in name:
            words = ("update", copied, made / "newer.csv")
        elif name == "forecast.csv":
            words = ("forecast", copied)
        if name == "scores.json":  # which no command reads
            if kind != "changed":
                with pytest.raises(ct.RunError, match=r"scores\.json"):
                    _ = ct.open_run(copied).scores
            continue
        out = () if words[0] == "update" else ("--out", tmp_path / "next.csv")
        code, said, err = run(*words, *out)
        assert (code, said) == (2, ""), (name, kind, err)
        assert err.startswith("Error: "), (name, kind, err)
        assert (err.count("\n"), err.count("Traceback")) == (1, 0), (name, kind, err)
        assert {path.name for path in tmp_path.iterdir()} == {"run", "outside"}, (name, kind)
        count += 1
    assert count > 45


FORKS = """
    import os, sys
    import citytune as ct
    from citytune.windows import History

    def child(work):
        pid = os.fork()
        if pid == 0:
            try:
                work()
            except ct.RunError as error:
                os._exit(7 if 'get_context("spawn")' in str(error) else 8)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert child(lambda: ct.Quantity) == 0  # nothing was used yet
    frame = ct.read(sys.argv[1])
    assert child(lambda: ct.read(sys.argv[1])) == 7
    assert child(lambda: ct.check(sys.argv[1])) == 7
    assert child(lambda: History.of(frame, ahead=1)) == 7
    ct.read(sys.argv[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_process_forked_after_use_answers_at_once(made: Path) -> None:
    words = [textwrap.dedent(FORKS), str(made / "loops.csv")]
    done = subprocess.run(
        [sys.executable, "-c", *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
