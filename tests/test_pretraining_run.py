"""Promise: a run ends with the same weights whatever befalls it, and they are a backbone."""

from __future__ import annotations

import datetime as dt
import errno
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

import citytune as ct
from citytune._errors import InputError, MissingWeights, RunError, UnknownName
from citytune.backbones import LEVELS, Past, _shelf, familiar_of, load_backbone
from citytune.backbones.city import MEDIAN, CityNetwork, look, read_network
from citytune.cli._pretrain import pretrain as command
from citytune.pretraining import Recipe, RunStatus, pretrain, recipe_like
from citytune.pretraining import _pretrain as training
from citytune.pretraining._batches import Sampler
from citytune.pretraining._card import commit
from citytune.pretraining._corpus import read_corpus
from citytune.pretraining._log import Log
from citytune.training import Stepper

SMALL = {"width": 24, "layers": 1, "heads": 2, "tokens": 200, "warm": 4}
RECIPE = Recipe(steps=12, **SMALL)
EVERY = 4
FLAGS = (
    "--steps", "4", "--width", "24", "--layers", "1", "--heads", "2", "--tokens", "200",
    "--every", "2", "--precision", "no",
)  # fmt: skip


@pytest.fixture(autouse=True)
def tidy_shelf() -> Iterator[None]:
    """What these tests put on the shelf of backbones is taken off it again."""
    _shelf.shelf()
    shelves: tuple[dict[str, Any], ...] = (
        _shelf._cards, _shelf._checks, _shelf._backbones._factories,
    )  # fmt: skip
    before = [dict(shelf) for shelf in shelves]
    yield
    for shelf, content in zip(shelves, before, strict=True):
        shelf.clear()
        shelf.update(content)
    _shelf._make.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Bit for bit the same takes as many threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def hours(path: Path, *, days: int = 28, step: int = 1, seed: int = 0) -> Path:
    """A CSV file of three sensors with a day and a weekend."""
    draw = np.random.default_rng(seed)
    time = np.arange(0, days * 24, step)
    shape = 100 + 50 * np.sin(2 * np.pi * time / 24) * np.where(time // 24 % 7 < 5, 1, 0.4)
    values = shape[:, None] * [1, 2, 3] + draw.normal(0, 5, (len(time), 3))
    start = dt.datetime(2024, 1, 1)
    rows = [
        f"{start + dt.timedelta(hours=int(hour)):%Y-%m-%d %H:%M},"
        + ",".join(f"{value:.1f}" for value in row)
        for hour, row in zip(time, values, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["time,north,south,west", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two sets, of two domains."""
    folder = tmp_path_factory.mktemp("archive")
    hours(folder / "traffic" / "loops.csv", seed=1)
    hours(folder / "air" / "monitors.csv", seed=2)
    return folder


@pytest.fixture(scope="module")
def finished(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing befell; not to be changed."""
    return make(archive, tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture
def whole(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(finished, tmp_path / "whole"))


def make(archive: Path, out: Path, recipe: Recipe = RECIPE, **options: Any) -> Path:
    return pretrain([archive], out, recipe, every=EVERY, precision="no", **options)


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def card(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "card.json").read_text(encoding="utf-8")))


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class Power(Exception):  # noqa: N818 - it fails
    """It is gone."""


def fail_at(step: int) -> Callable[[RunStatus], None]:
    def tell(stand: RunStatus) -> None:
        if stand.step == step:
            raise Power

    return tell


def test_a_finished_run_holds_weights_and_a_card_that_fits_them(finished: Path) -> None:
    kept = {"checkpoint.pt", "log.jsonl", "model.safetensors", "card.json", "familiar.json"}
    assert names(finished) == kept
    found = card(finished)
    network = read_network(finished)
    assert found["card"]["parameters"] == sum(w.numel() for w in network.network.parameters())
    assert found["card"]["name"] == "whole"
    assert found["card"]["licence"] == "Apache-2.0"
    assert found["card"]["get"].endswith(".")
    assert found["card"]["trained_on"] == "1 set of air, 1 set of traffic and synthetic series"
    assert found["network"] == {"width": 24, "layers": 1, "heads": 2}
    assert found["recipe"] == {**found["recipe"], **SMALL, "steps": 12}
    assert [one["name"] for one in found["corpus"]] == ["monitors", "loops"]
    assert (found["corpus"][0]["sensors"], found["corpus"][0]["measured"]) == (3, 3 * 28 * 24)
    assert found["made"]["steps"] == 12
    assert found["made"]["windows"] == log(finished)[-1]["windows"] >= 12 * 8
    assert set(found["scores"]["domains"]) == {"air", "traffic"}
    assert found["scores"]["mae"] == pytest.approx(log(finished)[-1]["mae"], rel=1e-4)


def test_a_finished_run_knows_its_corpus_and_tells_another(finished: Path) -> None:
    network = read_network(finished)
    known = familiar_of(replace(network.card, folders=(str(finished),)))
    assert known is not None
    assert known.clocks == ("1h", "3h")
    assert known.windows > 50
    assert known.mean.shape == (network.card.features,)
    time = torch.arange(28 * 24.0)
    calendar = torch.stack([time / 24 % 1, time // 24 % 7, 0 * time], -1).expand(9, -1, -1)
    calendar = torch.cat([calendar, calendar[:, :24]], 1)
    jumps = torch.where(torch.arange(9)[:, None] * 70 < time, 1.0, 0.0) * 10 ** time[None] ** 0.5
    strange = Past(jumps, torch.ones_like(jumps, dtype=torch.bool), calendar, 24)
    assert float(known.distance(network.features(strange)).median()) > known.far


def test_a_run_may_be_read_by_whom_the_person_lets_read_files(finished: Path) -> None:
    plain = finished.parent / "plain.txt"
    plain.write_text("as any program writes it")
    for name in ("model.safetensors", "card.json"):
        assert (finished / name).stat().st_mode == plain.stat().st_mode, name


def test_the_card_says_which_commit_the_weights_are_of(finished: Path) -> None:
    said = card(finished)["made"]["commit"]
    assert said is None or re.fullmatch(r"[0-9a-f]{40}\+?", said)


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit() is None


def test_the_log_has_a_line_for_each_checkpoint(finished: Path) -> None:
    lines = log(finished)
    assert [line["step"] for line in lines] == [4, 8, 12]
    assert all(line["mae"] > 0 and line["windows_per_second"] > 0 for line in lines)
    assert all(set(line["domains"]) == {"air", "traffic"} for line in lines)
    assert lines[0]["seconds"] < lines[1]["seconds"] < lines[2]["seconds"]


def test_the_same_seed_gives_the_same_weights_and_another_others(
    archive: Path, finished: Path, tmp_path: Path
) -> None:
    assert weights(make(archive, tmp_path / "again")) == weights(finished)
    other = Recipe(steps=12, seed=1, **SMALL)
    assert weights(make(archive, tmp_path / "other", other)) != weights(finished)


@pytest.mark.parametrize("step", [4, 10])
def test_a_run_that_failed_goes_on_to_the_same_weights(
    archive: Path, finished: Path, tmp_path: Path, step: int
) -> None:
    out = tmp_path / "run"
    with pytest.raises(Power):
        make(archive, out, tell=fail_at(step))
    assert not (out / "model.safetensors").exists()
    told: list[RunStatus] = []
    make(archive, out, tell=told.append)
    assert told[0].step == 4 * (step // 4)
    assert weights(out) == weights(finished)
    assert [line["step"] for line in log(out)] == [4, 8, 12]
    assert card(out)["made"]["windows"] == card(finished)["made"]["windows"]
    assert card(out)["scores"] == card(finished)["scores"]


def test_a_run_that_was_killed_goes_on_to_the_same_weights(
    archive: Path, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    code = f"""
import os, signal, torch
from citytune.pretraining import Recipe, pretrain
torch.set_num_threads(1)
def tell(stand):
    if stand.step == 10:
        os.kill(os.getpid(), signal.SIGKILL)
recipe = Recipe(steps=12, **{SMALL!r})
pretrain([{str(archive)!r}], {str(out)!r}, recipe, every=4, precision="no", tell=tell)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    (out / "checkpoint.part").write_bytes(b"half")  # had it been killed while saving
    assert [line["step"] for line in log(out)] == [4, 8]
    assert weights(make(archive, out)) == weights(finished)
    assert names(out) == names(finished)


def test_lines_of_the_log_after_the_checkpoint_are_dropped(
    archive: Path, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with pytest.raises(Power):
        make(archive, out, tell=fail_at(8))
    with (out / "log.jsonl").open("a") as file:
        file.write('{"step": 9, "windows": 1000000}\n{"step": 1')
    make(archive, out)
    assert [line["step"] for line in log(out)] == [4, 8, 12]
    assert card(out)["made"]["windows"] == card(finished)["made"]["windows"]


def test_a_log_that_cannot_be_read_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b'\xff\n[]\n{"step": "x"}\n{"step": 2, "loss": 1}\n')
    kept = Log(tmp_path / "log.jsonl", 5)
    assert kept.lines == [{"step": 2, "loss": 1}]
    assert kept.total("seconds") == 0
    kept.add({"step": 4, "loss": float("nan")})
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[1])["loss"] is None


def test_a_finished_run_is_not_trained_again(archive: Path, whole: Path) -> None:
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    told: list[RunStatus] = []
    make(archive, whole, tell=told.append)
    assert [stand.step for stand in told] == [12]
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before
    for name in ("card.json", "model.safetensors", "familiar.json"):
        (whole / name).unlink()
        make(archive, whole)
        assert (whole / "familiar.json").read_bytes() == before["familiar.json"]
        assert weights(whole) == before["model.safetensors"]
        assert card(whole)["scores"] == json.loads(before["card.json"])["scores"]
    make(archive, whole, name="renamed")
    assert card(whole)["card"]["name"] == "renamed"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": 5}, r"another recipe \(seed differs\)"),
        ({"rate": 0.01, "width": 26}, r"another recipe \(width, rate differ\)"),
        ({"steps": 20}, r"already falling \(step 12\): .* --steps 12"),
    ],
)
def test_another_recipe_is_refused(
    archive: Path, finished: Path, changed: dict[str, Any], said: str
) -> None:
    recipe = Recipe(**{"steps": 12, **SMALL, **changed})
    with pytest.raises(RunError, match=said):
        make(archive, finished, recipe)


def test_another_corpus_is_refused(archive: Path, finished: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="another corpus: name another folder"):
        make(archive / "air", finished)
    listing = tmp_path / "corpus.toml"
    listing.write_text(
        f"""
        folder = {str(archive)!r}
        [[set]]
        file = "air/monitors.csv"
        weight = 2.0
        [[set]]
        file = "traffic/loops.csv"
        """
    )
    assert read_corpus([listing]).fingerprint == read_corpus([archive]).fingerprint
    with pytest.raises(RunError, match="another corpus"):
        make(listing, finished)


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "replaced"])
def test_a_damaged_checkpoint_is_named(archive: Path, whole: Path, damage: str) -> None:
    path = whole / "checkpoint.pt"
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 255
    kept: dict[str, bytes | bytearray] = {
        "cut": content[: len(content) // 2],
        "emptied": b"",
        "replaced": b"words",
    }
    path.write_bytes(kept.get(damage, content))
    with pytest.raises(RunError, match=r"checkpoint.pt is damaged \(\w+\): delete it to begin"):
        make(archive, whole)


def test_a_checkpoint_of_another_version_is_named(archive: Path, whole: Path) -> None:
    state = torch.load(whole / "checkpoint.pt", weights_only=True)
    torch.save(state | {"format": 99}, whole / "checkpoint.pt")
    with pytest.raises(RunError, match="written in format 99, and this citytune reads 1"):
        make(archive, whole)
    torch.save({"words": 1}, whole / "checkpoint.pt")
    with pytest.raises(RunError, match="is damaged"):
        make(archive, whole)


def test_a_full_disk_leaves_the_checkpoint_before(
    archive: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, save, saved = tmp_path / "run", torch.save, []

    def full(state: dict[str, Any], file: Any) -> None:
        saved.append(state["step"])
        if len(saved) == 2:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(state, file)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        make(archive, out)
    assert names(out) == {"checkpoint.pt", "log.jsonl"}
    assert weights(make(archive, out)) == weights(finished)


def test_damaged_weights_are_noticed(whole: Path) -> None:
    content = bytearray(weights(whole))
    content[-5] ^= 255
    (whole / "model.safetensors").write_bytes(content)
    with pytest.raises(MissingWeights, match=r"model.safetensors is damaged .* pretrain` anew"):
        load_backbone(str(whole))
    (whole / "model.safetensors").unlink()
    with pytest.raises(MissingWeights, match=r"model.safetensors is not there"):
        read_network(whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": 7}', "written in format 7, and this citytune reads 1: update"),
        ("{", "card.json cannot be read"),
        ('{"format": 1}', "card.json cannot be read"),
        (None, "holds no card.json: name a folder made by `citytune pretrain`"),
    ],
)
def test_a_card_of_another_version_or_none_is_named(
    whole: Path, text: str | None, said: str
) -> None:
    (whole / "card.json").unlink()
    if text is not None:
        (whole / "card.json").write_text(text)
    with pytest.raises(MissingWeights, match=re.escape(said)):
        load_backbone(str(whole))


def test_weights_and_card_of_two_networks_do_not_pass_for_one(whole: Path) -> None:
    facts = card(whole)
    facts["network"]["width"] = 48
    (whole / "card.json").write_text(json.dumps(facts))
    with pytest.raises(MissingWeights, match="not those of its card"):
        read_network(whole)


@pytest.mark.parametrize("content", ["thesis.tex", "model.safetensors"])
def test_a_folder_that_is_no_run_is_left_alone(archive: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / content).write_text("years of work")
    with pytest.raises(RunError, match=r"holds no checkpoint.pt to go on from, so it is left"):
        make(archive, tmp_path / "run")
    assert (tmp_path / "run" / content).read_text() == "years of work"
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        make(archive, tmp_path / "file")


def faulty(folder: Path) -> Path:
    """A set to learn from, and five that nothing can be learnt from."""
    hours(folder / "traffic" / "loops.csv")
    hours(folder / "quarters.csv", step=6)
    (folder / "empty.csv").write_text("")
    (folder / "binary.csv").write_bytes(bytes(range(256)) * 20)
    stamps = [dt.datetime(2024, 1, 1 + i // 24, i % 24) for i in range(480)]
    (folder / "silent.csv").write_text("time,a\n" + "".join(f"{stamp},\n" for stamp in stamps))
    chance = np.random.default_rng(0).integers(0, 40 * 86400, 300)
    odd = [dt.datetime(2024, 1, 1) + dt.timedelta(seconds=int(s)) for s in sorted(chance)]
    (folder / "events.csv").write_text("time,a\n" + "".join(f"{when},1\n" for when in odd))
    return folder


def test_sets_that_cannot_be_used_are_named_and_counted_and_the_rest_is_used(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "region"
    code, said, err = run("pretrain", faulty(tmp_path / "data"), "--out", out, *FLAGS)
    assert code == 0
    notes = [line for line in err.splitlines() if line.startswith("Note: ")]
    assert {note.split(": ")[1] for note in notes[:-1]} == {
        "empty", "binary", "silent", "events", "quarters",
    }  # fmt: skip
    assert "clock cannot be inferred" in err
    assert notes[-1] == "Note: skipped 5 of 6 sets"
    assert [one["name"] for one in card(out)["corpus"]] == ["loops"]
    steps = [line for line in err.splitlines() if line.startswith("step ")]
    assert [line.split(":")[0] for line in steps] == ["step 2 of 4", "step 4 of 4"]
    assert "× naive" in steps[0]
    assert "region: " in said
    assert "4 steps on" in said
    assert re.search(r"traffic +× [\d.]+", said)
    assert f"citytune tune FILE --horizon N --backbone {out} --out RUN" in said


def test_with_nothing_left_to_learn_from_the_code_is_two(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    data = faulty(tmp_path / "data")
    (data / "traffic" / "loops.csv").unlink()
    code, said, err = run("pretrain", data, "--out", tmp_path / "run", *FLAGS)
    assert (code, said) == (2, "")
    assert "no set is on a clock that can be learnt from (they are on 6h)" in err
    (data / "quarters.csv").unlink()
    code, said, err = run("pretrain", data, "--out", tmp_path / "run", *FLAGS)
    assert (code, said) == (2, "")
    assert err.startswith("Error: there is nothing to pretrain on in ")
    assert all(name in err for name in ("empty", "binary", "silent", "events"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--steps", "0"], "steps must be between 1 and"),
        (["--steps", "many"], "--steps"),
        (["--width", "4"], "width must be between 8 and"),
        (["--width", "25"], "the width must be a multiple of the heads, got 25 and 2"),
        (["--layers", "0"], "layers must be between 1 and 64"),
        (["--heads", "-1"], "heads must be between 1 and 64"),
        (["--rate", "nan"], "rate must be between"),
        (["--rate", "3"], "rate must be between 1e-07 and 1, got 3"),
        (["--synthetic", "1.5"], "synthetic must be between 0 and 1, got 1.5"),
        (["--tokens", "3"], "tokens must be between 64 and"),
        (["--seed", "-1"], "seed must be between 0 and"),
        (["--every", "0"], "every is at least 1 step"),
        (["--precision", "bf61"], "no precision is called 'bf61'. Did you mean 'bf16'?"),
        (["--name", "our region"], "'our region' cannot be the name of a backbone"),
        (["--name", "lags"], "there is a backbone called 'lags' already"),
        (["--from", "lags"], "'lags' cannot be gone on from: name citytune-base"),
        (["--from", "citytune-bass"], "no backbone is called 'citytune-bass'"),
        (["--backbone", "x"], "--backbone"),
    ],
)
def test_a_bad_option_is_answered_in_a_sentence(
    run: Callable[..., Any], tmp_path: Path, words: list[str], said: str
) -> None:
    flags = FLAGS[:2] if "--from" in words else FLAGS
    code, out, err = run("pretrain", tmp_path, "--out", tmp_path / "run", *flags, *words)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert said in err
    assert len(err.splitlines()) <= 2
    assert not (tmp_path / "run").exists()


def test_a_corpus_that_is_not_there_is_named(run: Callable[..., Any], tmp_path: Path) -> None:
    code, _, err = run("pretrain", tmp_path / "gone.csv", "--out", tmp_path / "run", *FLAGS)
    assert code == 2
    assert "gone.csv is not there: pass a file, a folder or a corpus listing" in err


def test_ctrl_c_says_how_to_go_on(
    run: Callable[..., Any],
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take, taken = Stepper.take, []

    def interrupted(*words: Any) -> Any:
        taken.append(1)
        if len(taken) == when:
            raise KeyboardInterrupt
        return take(*words)

    words = ("pretrain", archive, "--out", tmp_path / "run", *FLAGS)
    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "take", interrupted)
        when = 2
        assert run(*words)[::2] == (130, "Error: interrupted; the same command begins anew\n")
        taken, when = [], 4
        code, out, err = run(*words)
    assert (code, out) == (130, "")
    last = err.splitlines()[-1]
    assert last == "Error: interrupted after step 2; the same command goes on from step 2"
    code, _, err = run(*words)
    assert code == 0
    assert err.startswith("Going on from step 2 of 4.\n")
    code, out, err = run(*words, "--json")
    assert (code, err) == (0, "All 4 steps were done before; nothing is trained again.\n")
    found = json.loads(out)
    assert found["folder"] == str(tmp_path / "run")
    assert found["made"]["steps"] == 4
    assert found["scores"]["mae"] > 0


def test_the_help_has_an_example_and_the_page_of_commands_the_command(
    run: Callable[..., Any],
) -> None:
    code, said, err = run("pretrain", "--help")
    assert (code, err) == (0, "")
    assert "  citytune pretrain archive/ --from citytune-base" in said
    assert "pretrain" in run("--help").out


def test_the_commands_defaults_are_the_recipes() -> None:
    said = inspect.signature(command).parameters
    for name in ("steps", "rate", "synthetic", "tokens", "seed"):
        assert said[name].default == getattr(Recipe(), name), name
    help_text = str(inspect.signature(command))
    for name in ("width", "layers", "heads"):
        assert f"{getattr(Recipe(), name)} if not said" in help_text


def test_a_run_is_a_backbone_that_a_saved_model_finds_again(
    finished: Path, archive: Path, tmp_path: Path
) -> None:
    whole = Path(shutil.copytree(finished, tmp_path / "whole"))
    frame = ct.read(archive / "traffic" / "loops.csv")
    model = ct.tune(frame, horizon=6, backbone=str(whole), strategy="zero-shot")
    assert model.card.name == "whole"
    forecast = model.forecast(frame)
    assert np.isfinite(forecast.mean).all()
    saved = model.save(tmp_path / "saved")
    code = f"""
import citytune as ct, numpy as np
model = ct.load({str(saved)!r})
forecast = model.forecast(ct.read({str(archive / "traffic" / "loops.csv")!r}))
np.save({str(tmp_path / "forecast.npy")!r}, forecast.mean)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "forecast.npy"), forecast.mean, rtol=1e-4)

    forget("whole")
    facts = card(whole)
    facts["card"]["name"] = "other"
    (whole / "card.json").write_text(json.dumps(facts))
    with pytest.raises(MissingWeights, match=r"'whole' in .*, which now holds 'other'; bring"):
        ct.load(saved)
    facts["card"] |= {"name": "whole", "sha256": ["0" * 64]}
    (whole / "card.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match="tuned from other weights of backbone 'whole'"):
        ct.load(saved)
    forget("whole")
    shutil.rmtree(whole)
    with pytest.raises(MissingWeights, match=r"'whole' in .*, which is not there any more; bring"):
        ct.load(saved)


def forget(name: str) -> None:
    """As in a new process."""
    for shelf in (_shelf._cards, _shelf._checks, _shelf._backbones._factories):
        shelf.pop(name, None)
    _shelf._make.cache_clear()


def test_a_run_can_go_on_from_the_network_of_another(
    run: Callable[..., Any], archive: Path, finished: Path, tmp_path: Path
) -> None:
    words = ("--from", finished, "--steps", 3, "--tokens", 200, "--rate", "1e-7")
    out = tmp_path / "further"
    code, _, err = run("pretrain", archive / "air", "--out", out, "--precision", "no", *words)
    assert code == 0, err
    found = card(out)
    assert found["network"] == card(finished)["network"]
    assert found["made"]["start"] == "whole"
    assert found["card"]["trained_on"] == "1 set of air and synthetic series, after whole"
    begun, ended = read_network(finished).network, read_network(out).network
    for one, other in zip(begun.parameters(), ended.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    assert weights(finished) != weights(out)


def test_a_network_that_is_gone_on_from_keeps_its_size(archive: Path, finished: Path) -> None:
    with pytest.raises(InputError, match=r"the layers of .* are 1, and 2 was asked for"):
        make(
            archive,
            finished.parent / "x",
            recipe_like(str(finished), layers=2),
            start=str(finished),
        )
    assert recipe_like(str(finished), steps=5).width == 24
    assert recipe_like(None).width == 192


def test_a_run_that_began_from_another_network_is_refused(
    archive: Path, finished: Path, tmp_path: Path
) -> None:
    recipe = recipe_like(str(finished), steps=2, tokens=200)
    out = make(archive, tmp_path / "further", recipe, start=str(finished))
    with pytest.raises(RunError, match="began from another network"):
        make(archive, out, recipe)
    assert weights(make(archive, tmp_path / "fresh", recipe)) != weights(out)


def test_precision_and_names_are_checked_in_python_too(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="bf16"):
        pretrain([archive], tmp_path / "run", RECIPE, precision="fp8")
    with pytest.raises(InputError, match="'lags' already"):
        pretrain([archive], tmp_path / "lags", RECIPE)


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    recipe = Recipe(steps=1000, rate=0.01, warm=100, cool=0.4)
    assert recipe.height(0) == pytest.approx(0.01)
    assert recipe.height(49) == pytest.approx(0.5)
    assert all(recipe.height(step) == pytest.approx(1.0) for step in (99, 300, 600))
    assert recipe.height(800) == pytest.approx(0.5)
    assert recipe.height(999) == pytest.approx(1 / 400)


def test_the_loss_is_the_pinball_loss_counted_by_hand() -> None:
    quantiles = torch.linspace(-1, 1, len(LEVELS)).expand(2, 2, -1)
    future = torch.tensor([[0.3, float("nan")], [-2.0, 0.5]])
    parts = [
        2 * (level * (y - q) if y >= q else (1 - level) * (q - y))
        for y in (0.3, -2.0, 0.5)
        for level, q in zip(LEVELS, np.linspace(-1, 1, len(LEVELS)), strict=True)
    ]
    assert float(training.pinball(quantiles, future, LEVELS)) == pytest.approx(
        np.mean(parts), rel=1e-6
    )
    middle = quantiles[..., MEDIAN : MEDIAN + 1].expand(-1, -1, len(LEVELS))
    error = np.mean([0.3, 2.0, 0.5])
    assert float(training.pinball(middle, future, LEVELS)) == pytest.approx(error, rel=0.5)


def test_no_future_at_all_is_no_loss() -> None:
    nothing = torch.full((2, 3), float("nan"))
    assert float(training.pinball(torch.zeros(2, 3, len(LEVELS)), nothing, LEVELS)) == 0


def test_a_step_without_a_finite_loss_is_not_taken(archive: Path) -> None:
    sampler = Sampler(read_corpus([archive]).sources, tokens=200, synthetic=0.0)
    batch = sampler.batch(0)
    view = look(batch.past, batch.future.shape[1])
    network = CityNetwork(24, 1, 2)
    before = [weight.detach().clone() for weight in network.parameters()]
    optimisers = training.optimisers_of(network, RECIPE)
    stepper = training.stepper_of(network, optimisers, RECIPE, training.machine_for("no"))
    spoilt = view._replace(weeks=view.weeks * float("nan"))
    assert stepper.take(training.TrainBatch(spoilt, batch.future)).fault == "the loss"
    assert all(map(torch.equal, before, network.parameters()))
    assert np.isfinite(stepper.take(training.TrainBatch(view, batch.future)).loss)
    assert optimisers[0].param_groups[0]["lr"] == RECIPE.rate * RECIPE.height(2)
    assert not any(map(torch.equal, before[:4], network.parameters()))
    assert all(bool(weight.isfinite().all()) for weight in network.parameters())


def test_a_loss_that_is_no_number_does_not_spoil_the_mean() -> None:
    assert training._running(0.5, float("nan"), 7) == 0.5
    assert training._running(0.5, 0.6, 7) == pytest.approx(0.501)
    assert training._running(0.0, 0.6, 0) == 0.6


def test_a_network_that_cannot_be_compiled_is_said_to_be_so(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(*_: object) -> NoReturn:
        raise type("InductorError", (Exception,), {"__module__": "torch._inductor.exc"})

    monkeypatch.setattr(Stepper, "take", no_compiler)
    monkeypatch.setattr(CityNetwork, "compile", lambda *_, **__: None)
    with pytest.raises(InputError, match=r"cannot be compiled here .*: leave compiling out"):
        make(archive, tmp_path / "run", compiled=True)
