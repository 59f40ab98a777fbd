"""Promise: a file or folder is put in its place whole or not at all, and nothing there is lost."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from citytune import _files
from citytune._errors import InputError, RunError
from citytune._files import (
    leave_no_drafts,
    locked,
    new_file,
    noting_what_is_written,
    read_json,
    replacing_folder,
)
from citytune.runs._folder import may_take_place

PARTS = ("scores.json", "forecast.csv", "report.html")


def write(out: Path, text: str = "new", *, overwrite: bool = False) -> None:
    with locked(out), replacing_folder(out, may_take_place(out, overwrite=overwrite)) as folder:
        (folder / "model").mkdir()
        for name in PARTS:
            (folder / name).write_text(text)


def fail(out: Path, error: BaseException | type[BaseException], *, overwrite: bool = False) -> None:
    with locked(out), replacing_folder(out, may_take_place(out, overwrite=overwrite)) as folder:
        (folder / "scores.json").write_text("half")
        raise error


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(params=["in one step", "in two steps"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Folders change places as this system can, and as one can that has no call for it."""
    if request.param == "in two steps":
        monkeypatch.setattr(_files, "_exchange", lambda *_: False)
    return str(request.param)


def test_a_folder_appears_only_when_it_is_done(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "loops"
    with locked(out), replacing_folder(out, may_take_place(out, overwrite=False)) as folder:
        (folder / "scores.json").write_text("{}")
        assert not out.exists()
    assert names(out) == {"scores.json"}
    assert names(out.parent) == {"loops"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError(errno.ENOSPC, "full")])
def test_after_a_failure_there_is_no_trace(
    tmp_path: Path, error: BaseException | type[BaseException]
) -> None:
    with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever it is
        fail(tmp_path / "runs" / "loops", error)
    assert names(tmp_path) == set()


def test_a_run_that_is_there_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "run", "old")
    with pytest.raises(RunError, match=r"was not overwritten; .* pass overwrite=True"):
        write(tmp_path / "run")
    assert (tmp_path / "run" / "scores.json").read_text() == "old"


def test_a_run_is_replaced_only_once_the_new_one_is_done(tmp_path: Path, exchange: str) -> None:
    out = tmp_path / "run"
    write(out, "old")
    with pytest.raises(ValueError, match="late"):
        fail(out, ValueError("late"), overwrite=True)
    assert (out / "scores.json").read_text() == "old"
    write(out, overwrite=True)
    assert (out / "scores.json").read_text() == "new"
    assert names(tmp_path) == {"run"}


def test_the_old_run_comes_back_if_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    write(out, "old")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if Path(target) == out and ".citytune-draft" in self.name:
            raise OSError(errno.EIO, "the cable is out")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr(_files, "_exchange", lambda *_: False)
    with pytest.raises(OSError, match="cable"):
        write(out, overwrite=True)
    assert (out / "scores.json").read_text() == "old"
    assert names(tmp_path) == {"run"}


def test_what_is_not_a_run_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(RunError, match="not a citytune run"):
        write(tmp_path / "thesis", overwrite=True)
    write(tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"did not write \(notes.txt\)"):
        write(tmp_path / "run", overwrite=True)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "years of work"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_appears_meanwhile_is_kept(
    tmp_path: Path, exchange: str, overwrite: bool
) -> None:
    out = tmp_path / "run"

    def write_slowly() -> None:
        with locked(out), replacing_folder(out, may_take_place(out, overwrite=overwrite)):
            out.mkdir()
            (out / "chapter1.tex").write_text("years of work")

    with pytest.raises(RunError, match="not a citytune run"):
        write_slowly()
    assert (out / "chapter1.tex").read_text() == "years of work"
    assert names(tmp_path) == {"run"}


def test_what_comes_in_the_last_moment_is_kept(
    tmp_path: Path, exchange: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    write(out, "old")
    check = may_take_place(out, overwrite=True)
    asked: list[Path] = []

    def check_then_come(folder: Path) -> None:
        asked.append(folder)
        check(folder)
        if len(asked) == 2:  # after the last look at it, before it is moved away
            (out / "chapter1.tex").write_text("years of work")

    def write_slowly() -> None:
        with locked(out), replacing_folder(out, check_then_come) as folder:
            (folder / "scores.json").write_text("new")

    with pytest.raises(RunError, match="did not write"):
        write_slowly()
    assert (out / "chapter1.tex").read_text() == "years of work"
    assert (out / "scores.json").read_text() == "old"
    assert names(tmp_path) == {"run"}


def test_a_file_in_the_way_is_kept(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    for out in (tmp_path / "run", tmp_path / "run" / "below"):
        with pytest.raises(RunError, match="is a file"):
            write(out, overwrite=True)
    assert (tmp_path / "run").read_text() == "mine"
    assert names(tmp_path) == {"run"}


def test_an_empty_folder_is_no_obstacle(tmp_path: Path, exchange: str) -> None:
    (tmp_path / "run").mkdir()
    write(tmp_path / "run")
    assert names(tmp_path / "run") == {"model", *PARTS}


def test_a_link_to_a_run_stays_a_link(tmp_path: Path, exchange: str) -> None:
    write(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "scores.json").read_text() == "new"
    assert names(tmp_path) == {"real", "link"}


def write_file(out: Path, text: str, *, overwrite: bool = False) -> None:
    with new_file(out, overwrite=overwrite) as draft:
        draft.write_text(text)
        if text == "half":
            raise ValueError("late")
        if text == "slow":
            out.write_text("another one's")


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "forecast.csv"
    with pytest.raises(ValueError, match="late"):
        write_file(out, "half")
    assert names(tmp_path) == set()
    write_file(out, "whole")
    with pytest.raises(InputError, match="not overwritten"):
        write_file(out, "other")
    assert out.read_text() == "whole"
    write_file(out, "newer", overwrite=True)
    assert out.read_text() == "newer"
    with pytest.raises(InputError, match="is a folder"):
        write_file(tmp_path, "", overwrite=True)
    with pytest.raises(InputError, match="no folder"):
        write_file(out / "x" / "y", "", overwrite=True)


def test_a_table_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not overwritten"):
        write_file(tmp_path / "forecast.csv", "slow")
    assert (tmp_path / "forecast.csv").read_text() == "another one's"
    assert names(tmp_path) == {"forecast.csv"}


HOLD = """
    import sys, time
    from pathlib import Path
    from citytune._files import locked, replacing_folder
    out = Path(sys.argv[1])
    with locked(out), replacing_folder(out, print) as draft:
        (draft / "scores.json").write_text("theirs")
        print("holding", flush=True)
        sys.stdin.read()
"""


def test_of_two_writers_the_second_is_refused_and_the_first_is_not_disturbed(
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    first = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(out)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert first.stdout is not None
    assert first.stdout.readline() == "holding\n"
    before = names(tmp_path)
    with pytest.raises(RunError, match="another process is writing"):
        write(out, "mine", overwrite=True)
    leave_no_drafts(tmp_path)  # and what it writes is no leftover
    assert names(tmp_path) == before
    first.communicate("")
    assert (out / "scores.json").read_text() == "theirs"
    assert names(tmp_path) == {"run"}
    write(out, "mine", overwrite=True)
    assert (out / "scores.json").read_text() == "mine"


KILLS = """
    import os, sys
    from pathlib import Path
    from citytune import _files
    from citytune._files import leave_no_drafts, locked, new_file, replacing_folder
    from citytune.runs._folder import copy_rest, may_take_place, only_known

    root, in_one_step = Path(sys.argv[1]), sys.argv[2] == "1"
    CHANGES = ("rename", "replace", "unlink", "rmdir", "mkdir", "link", "remove")

    def fill(folder, text):
        (folder / "model").mkdir()
        for name in ("scores.json", "report.html", "model/model.json"):
            (folder / name).write_text(text)

    def tune(out):
        with locked(out), replacing_folder(out, may_take_place(out, overwrite=True)) as draft:
            fill(draft, "new")

    def update(out):
        with locked(out), replacing_folder(out, only_known(out, _files.names_in(out))) as draft:
            (draft / "scores.json").write_text("new")
            for name in copy_rest(out, draft):
                pass
            (draft / "report.html").write_text("new")
            (draft / "model" / "model.json").write_text("new")

    def table(overwrite):
        def work(out):
            with new_file(out, overwrite=overwrite) as draft:
                draft.write_text("new")
        return work

    def dies(step, work, out):
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        left = [step]
        def mortal(function):
            def call(*words, **options):
                left[0] -= 1
                if not left[0]:
                    os._exit(9)
                return function(*words, **options)
            return call
        for name in CHANGES:
            setattr(os, name, mortal(getattr(os, name)))
        _files._exchange = mortal(_files._exchange) if in_one_step else lambda *_: False
        work(out)
        os._exit(0)

    def texts(out):
        files = [out] if out.is_file() else [p for p in out.rglob("*") if p.is_file()]
        return [path.read_text() for path in files]

    def whole(out, old):
        found = texts(out) if out.exists() else []
        count = {"folder": 3, "file": 1}.get(old, 3)
        return found in ([["new"] * count, ["old"] * count] if old else [["new"] * len(found)])

    deaths = 0
    for kind, work, old in (
        ("first", tune, ""), ("overwrite", tune, "folder"), ("update", update, "folder"),
        ("table", table(False), ""), ("newer table", table(True), "file"),
    ):
        step = died = 1
        while died:
            place = root / f"{kind} {step}"
            place.mkdir()
            out = place / "run"
            if old == "folder":
                out.mkdir()
                fill(out, "old")
            elif old:
                out.write_text("old")
            died = dies(step, work, out)
            if in_one_step:
                assert whole(out, old), (kind, step, "right after the kill", texts(out))
            leave_no_drafts(place)
            assert whole(out, old), (kind, step, list(place.iterdir()))
            assert {path.name for path in place.iterdir()} <= {"run"}, list(place.iterdir())
            deaths += died
            step += 1
        assert set(texts(out)) == {"new"}, kind
    print(deaths)
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="nothing can be written there")
def test_where_nothing_can_be_written_is_not_said_to_be_busy() -> None:
    with pytest.raises(PermissionError, match=r"/proc/table\.csv"), locked(Path("/proc/table.csv")):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="dies in forked processes")
@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_kill_at_any_change_of_the_disk_leaves_the_old_or_the_new_whole(
    tmp_path: Path, in_one_step: bool
) -> None:
    if in_one_step:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        if not _files._exchange(tmp_path / "a", tmp_path / "b"):
            pytest.skip("folders cannot change places in one step here")
    words = [textwrap.dedent(KILLS), str(tmp_path), str(int(in_one_step))]
    done = subprocess.run(
        [sys.executable, "-c", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30  # as many times it died


def test_ctrl_c_waits_until_a_folder_has_changed_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, swap = tmp_path / "run", _files._swap
    write(out, "old")

    def interrupted(*words: object) -> None:
        signal.raise_signal(signal.SIGINT)
        swap(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(_files, "_swap", interrupted)
    with noting_what_is_written() as written, pytest.raises(KeyboardInterrupt):
        write(out, overwrite=True)
    assert written == [out]
    assert (out / "scores.json").read_text() == "new"
    assert names(tmp_path) == {"run"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", '"x"', "[" * 100_000, '{"a":' * 100_000, "\xff"]
)
def test_what_is_no_json_object_is_said_to_be_damaged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scores.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match=r"scores.json is damaged"):
        read_json(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(RunError, match=r"scores.json is damaged"):
        read_json(path)
