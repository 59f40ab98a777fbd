"""Promise: input that cannot be used gives exit code 2, one clear message, and changes nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hours import hours

from citytune._sample import sample
from citytune.backbones import _shelf
from citytune.cli import main

pytestmark = pytest.mark.usefixtures("plain_report")


class Answer(NamedTuple):
    code: int
    out: str
    err: str


class City(NamedTuple):
    """A folder to work in, and the command."""

    folder: Path
    run: Callable[..., Answer]

    def write(self, text: str | bytes, name: str = "loops.csv") -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def tune(self, file: Path, *words: object, horizon: object = 6) -> Answer:
        out = self.folder / "run"
        return self.run(
            "tune", file, "--out", out, "--horizon", horizon, "--backbone", "lags", *words
        )


@pytest.fixture
def city(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> City:
    def run(*words: object) -> Answer:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Answer(code, *capsys.readouterr())

    return City(tmp_path, run)


def state(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, to tell whether anything changed."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


def refused(city: City, answer: Answer, before: dict[str, bytes], *said: str) -> None:
    """One message that says all of `said`, exit code 2, and nothing changed."""
    assert answer.code == 2, answer
    assert answer.out == ""
    assert answer.err.startswith("Error: ")
    assert answer.err.count("Error: ") == 1
    assert "Traceback" not in answer.err
    for words in said:
        assert words in answer.err, (words, answer.err)
    assert state(city.folder) == before


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    )  # fmt: skip


def mixed_clocks() -> str:
    """One sensor every hour, another every 5 minutes, in one long table."""
    lines = ["time,sensor,flow"]
    start = np.datetime64("2024-01-01T00:00")
    for hour in range(240):
        moment = start + np.timedelta64(hour, "h")
        lines.append(f"{moment},slow,{100 + hour % 24}".replace("T", " "))
        for k in range(12):
            moment = start + np.timedelta64(60 * hour + 5 * k, "m")
            lines.append(f"{moment},quick,{50 + hour % 24}".replace("T", " "))
    return "\n".join(lines) + "\n"


def no_clock() -> str:
    """Moments as random as those of passing cyclists."""
    rng = np.random.default_rng(2)
    seconds = np.cumsum(rng.integers(1, 90_000, 200))
    moments = np.datetime64("2024-01-01") + seconds.astype("timedelta64[s]")
    lines = [f"{moment},{i % 97}".replace("T", " ") for i, moment in enumerate(moments)]
    return "\n".join(["time,flow", *lines]) + "\n"


def many_sensors() -> str:
    names = [f"meter{i:04d}" for i in range(1000)]
    rows = [
        f"2024-01-01 {hour:02d}:00," + ",".join(str((hour * i) % 89) for i in range(1000))
        for hour in range(10)
    ]
    return "\n".join([",".join(["time", *names]), *rows]) + "\n"


HEAD = "time,north,south\n"
FILES: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "empty": ("", ("empty",)),
    "only a header": (HEAD, ("no rows of data",)),
    "a picture": (png(), ("PNG", "CSV or Parquet")),
    "no time": ("a,b\n1,2\n3,4\n5,6\n", ("no column holds times", "--time")),
    "times that cannot be read": (
        "time,flow\nyesterday noon,1\nthis morning,2\nlate,3\nsoon,4\n",
        ("yesterday noon", "this morning", "late"),
    ),
    "no numbers": (
        "time,flow\n" + "".join(f"2024-01-01 {h:02d}:00,a{h}b\n" for h in range(24)),
        ("no column holds numbers", "--target"),
    ),
    "all missing": (
        HEAD + "".join(f"2024-01-{d:02d} 00:00,,\n" for d in range(1, 29)),
        ("missing",),
    ),
    "one row": (HEAD + "2024-01-01 00:00,1,2\n", ("only one moment",)),
    "no clock": (no_clock(), ("the clock cannot be inferred", "per hour")),
    "two clocks": (mixed_clocks(), ("2 time steps", "5min", "1h", "separate files")),
    "infinite values": (
        hours()
        .replace("2024-01-03 04:00,", "2024-01-03 04:00,inf,-inf#")
        .replace("#", "\n2024-01-03 04:30,"),
        ("sensor 'north': 1 infinite value", "2024-01-03 04:00"),
    ),
}


@pytest.mark.parametrize("fault", FILES)
def test_a_file_that_cannot_be_used_is_said_to_be_one(city: City, fault: str) -> None:
    text, said = FILES[fault]
    file = city.write(text)
    before = state(city.folder)
    refused(city, city.tune(file), before, "loops.csv", *said)


def test_no_such_file(city: City) -> None:
    city.write(hours())
    before = state(city.folder)
    refused(city, city.tune(city.folder / "lops.csv"), before, "lops.csv", "loops.csv")


def test_a_folder_is_no_file(city: City) -> None:
    refused(city, city.tune(city.folder), {}, "is a folder")


@pytest.mark.parametrize(
    ("horizon", "said"),
    [
        (0, "at least one step"),
        (-3, "at least one step"),
        (100_000, "(100,000 steps of 1h) is further than citytune forecasts"),
        ("40d", "a horizon of 40 days (960 steps of 1h) is further"),
        ("40d", "ask for at most 28 days (672 steps)"),
        ("soon", "not a valid horizon"),
    ],
)
def test_a_foolish_horizon(city: City, horizon: object, said: str) -> None:
    file = city.write(hours())
    before = state(city.folder)
    refused(city, city.tune(file, horizon=horizon), before, said)


def test_fewer_rows_than_the_horizon(city: City) -> None:
    file = city.write(hours(days=1))
    before = state(city.folder)
    answer = city.tune(file, horizon=48)
    refused(city, answer, before, "24 rows", "48 steps", "more history")


def test_many_sensors_with_hardly_a_row(city: City) -> None:
    file = city.write(many_sensors())
    before = state(city.folder)
    answer = city.tune(file, horizon=1)
    refused(city, answer, before, "1,000", "10 readings", "longer period")
    assert len(answer.err) < 2_000


def test_an_unknown_column_is_answered_with_the_nearest(city: City) -> None:
    file = city.write(hours())
    before = state(city.folder)
    refused(city, city.tune(file, "--target", "north1"), before, "'north1'", "Did you mean 'north'")


def test_an_unknown_backbone_is_answered_with_the_nearest(city: City) -> None:
    file = city.write(hours())
    before = state(city.folder)
    answer = city.tune(file, "--backbone", "ttm-r22")
    refused(city, answer, before, "'ttm-r22'", "Did you mean 'ttm-r2'")


def test_a_mistyped_time_zone_is_answered_with_the_nearest_alone(city: City) -> None:
    file = city.write(hours())
    before = state(city.folder)
    answer = city.tune(file, "--timezone", "Europe/Berln")
    refused(city, answer, before, "Did you mean 'Europe/Berlin'")
    assert "Africa" not in answer.err


def test_an_unknown_strategy_is_answered_with_the_nearest(city: City) -> None:
    file = city.write(hours())
    before = state(city.folder)
    answer = city.tune(file, "--strategy", "bland")
    refused(city, answer, before, "'bland'", "Did you mean 'blend'")


def test_a_backbone_without_weights_says_how_to_get_them(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITYTUNE_WEIGHTS", raising=False)
    _shelf._make.cache_clear()  # another test may have loaded it in this process
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)
    file = city.write(hours())
    before = state(city.folder)
    answer = city.tune(file, "--backbone", "ttm-r2")
    refused(city, answer, before, "'ttm-r2'", "run `hf ", "CITYTUNE_WEIGHTS")


def test_a_covariate_unknown_in_the_future(city: City) -> None:
    file = city.write(hours(sensors=("flow", "rain")))
    before = state(city.folder)
    answer = city.tune(file, "--target", "flow", "--covariates", "rain")
    refused(city, answer, before, "rain", "future")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, plainly: Callable[..., Any]) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "loops.csv").write_text(hours())
    words = ["--horizon", "6", "--backbone", "lags", "--strategy", "zero-shot"]
    with plainly():
        assert main(["tune", str(folder / "loops.csv"), "--out", str(folder / "run"), *words]) == 0
    return folder / "run"


@pytest.fixture
def copied(city: City, tuned: Path) -> Path:
    """A run that may be spoilt."""
    return Path(shutil.copytree(tuned, city.folder / "run"))


def test_forecasting_other_sensors(city: City, copied: Path) -> None:
    file = city.write(hours(sensors=("quay", "harbour")), "others.csv")
    before = state(city.folder)
    answer = city.run("forecast", copied, file, "--out", city.folder / "next.csv")
    refused(city, answer, before, "others.csv", "south", "tune anew")


def test_forecasting_with_an_absent_and_a_new_sensor(city: City, copied: Path) -> None:
    file = city.write(hours(sensors=("north", "harbour")), "others.csv")
    answer = city.run("forecast", copied, file, "--out", city.folder / "next.csv")
    assert answer.code == 0
    said = answer.out + answer.err
    assert "lacks 1 sensor of the model: 'south'" in said
    assert "1 sensor new to the model: 'harbour'; forecast by the pretrained model" in said
    rows = (city.folder / "next.csv").read_text().splitlines()
    quality = {row.split(",")[0]: row.split(",")[-1] for row in rows[1:]}
    assert quality == {"north": "model", "south": "absent", "harbour": "new: untuned model"}


def test_forecasting_on_another_clock(city: City, copied: Path) -> None:
    file = city.write(hours(step=30), "half.csv")
    before = state(city.folder)
    answer = city.run("forecast", copied, file, "--out", city.folder / "next.csv")
    refused(city, answer, before, "half.csv", "30min", "1h", "tune anew")


def test_scoring_other_sensors_or_another_clock(city: City, copied: Path) -> None:
    others = city.write(hours(sensors=("quay", "harbour")), "others.csv")
    half = city.write(hours(step=30), "half.csv")
    before = state(city.folder)
    refused(city, city.run("score", copied, others), before, "others.csv", "south", "tune anew")
    refused(city, city.run("score", copied, half), before, "half.csv", "30min", "1h", "tune anew")


def spoilt(run: Path) -> Iterator[str]:
    """Spoil a run in one way after another; each time it is whole but for that."""
    for path in sorted((run / "model").iterdir()):
        whole = path.read_bytes()
        for what, text in (("cut short", whole[: len(whole) // 2]), ("noise", b"\x00\xff" * 40)):
            path.write_bytes(text)
            yield f"{path.name}: {what}"
            path.write_bytes(whole)
        path.unlink()
        yield f"{path.name}: gone"
        path.write_bytes(whole)


def test_a_damaged_run_is_said_to_be_one(city: City, copied: Path) -> None:
    file = city.write(hours(), "newer.csv")
    for damage in spoilt(copied):
        before = state(city.folder)
        words = ("forecast", copied, file, "--out", city.folder / "next.csv")
        if damage.startswith("memory"):  # which no forecast needs
            words = ("update", copied, file)
        answer = city.run(*words)
        assert answer.code == 2, (damage, answer)
        refused(city, answer, before, str(copied), "tune")


def test_a_foreign_folder_is_no_run(city: City) -> None:
    file = city.write(hours())
    (city.folder / "photos").mkdir()
    before = state(city.folder)
    for run in ("photos", "nowhere", "loops.csv"):
        for words in (("score", city.folder / run, file), ("forecast", city.folder / run)):
            answer = city.run(*words)
            refused(city, answer, before, run, "tune")


def test_a_run_of_another_program_is_no_run(city: City) -> None:
    file = city.write(hours())
    (city.folder / "other" / "model").mkdir(parents=True)
    (city.folder / "other" / "model" / "config.json").write_text(json.dumps({"kind": "llama"}))
    before = state(city.folder)
    refused(city, city.run("score", city.folder / "other", file), before, "other", "tune")


def test_a_run_that_is_there_is_kept(city: City, copied: Path) -> None:
    file = city.write(hours())
    before = state(city.folder)
    refused(city, city.tune(file), before, str(copied), "was not overwritten", "--overwrite")


def test_overwriting_never_takes_a_folder_that_is_no_run(city: City) -> None:
    file = city.write(hours())
    (city.folder / "run").mkdir()
    (city.folder / "run" / "thesis.tex").write_text("years of work")
    before = state(city.folder)
    refused(city, city.tune(file, "--overwrite"), before, "not a citytune run")


@pytest.mark.parametrize(
    "part",
    ["forecasting.TunedModel.save", "forecasting.Forecast.write_csv", "reporting.Report.write"],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk_leaves_what_was_there(
    city: City, copied: Path, monkeypatch: pytest.MonkeyPatch, part: str, overwrite: bool
) -> None:
    def fill(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "report.html")

    if not overwrite:
        shutil.rmtree(copied)
    monkeypatch.setattr(f"citytune.{part}", fill)
    file = city.write(hours(days=8))
    before = state(city.folder)
    words = ("--strategy", "zero-shot", *(["--overwrite"] if overwrite else []))
    answer = city.tune(file, *words)
    refused(city, answer, before, "the disk is full at report.html", "make room")


def test_a_really_full_disk(city: City) -> None:
    disk = city.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can make a small disk")
    try:
        file = city.write(hours(days=8))
        words = ("--horizon", 6, "--backbone", "lags", "--strategy", "zero-shot")
        answer = city.run("tune", file, "--out", disk / "run", *words)
        assert answer.code == 2
        assert answer.err.startswith("Error: the disk is full")
        assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", disk], check=True)


def test_no_permission_to_write(city: City) -> None:
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and there is no setpriv to become nobody")
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    words = [sys.executable, "-m", "citytune", "tune", sample("energy"), "--horizon", "24"]
    out = Path(shutil.which("sh") or "/bin/sh").parent / "citytune-run"
    done = subprocess.run(
        [*(drop if os.geteuid() == 0 else []), *map(str, words), "--out", str(out)],
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    if "setpriv" in done.stderr or "can't open file" in done.stderr:
        pytest.skip(f"nobody cannot run here: {done.stderr}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: no permission at {out}")
    assert done.stderr.count("\n") == 1


def test_no_permission_to_read(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    file = city.write(hours())
    opened = Path.open

    def refuse(self: Path, *words: object, **options: object) -> object:
        if self == file:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return opened(self, *words, **options)  # type: ignore[arg-type, call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    answer = city.tune(file)
    monkeypatch.undo()
    assert answer.code == 2
    assert answer.err.startswith("Error: ")
    assert "loops.csv" in answer.err
    assert "permission" in answer.err
    assert not (city.folder / "run").exists()


def test_out_cannot_be_a_file_or_lie_below_one(city: City) -> None:
    file = city.write(hours())
    before = state(city.folder)
    for out in (file, file / "run"):
        answer = city.run("tune", file, "--horizon", 6, "--out", out, "--overwrite")
        refused(city, answer, before, "is a file", "--out")
