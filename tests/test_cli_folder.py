"""Promise: a run is written whole or not at all, and nothing that was there is lost."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from citytune._errors import InputError, RunError
from citytune.cli._folder import PARTS, load_run, new_file, new_run, run_forecast


def write(out: Path, text: str = "new", *, overwrite: bool = False) -> None:
    with new_run(out, overwrite=overwrite) as folder:
        (folder / "model").mkdir()
        for name in PARTS[1:]:
            (folder / name).write_text(text)


def fail(out: Path, error: BaseException | type[BaseException], *, overwrite: bool = False) -> None:
    with new_run(out, overwrite=overwrite) as folder:
        (folder / "scores.json").write_text("half")
        raise error


def fail_file(out: Path) -> None:
    with new_file(out, overwrite=False) as draft:
        draft.write_text("half")
        raise ValueError("late")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_run_appears_only_when_it_is_done(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "loops"
    with new_run(out, overwrite=False) as folder:
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
    with pytest.raises(RunError, match=r"kept; .* add --overwrite"):
        write(tmp_path / "run")
    assert (tmp_path / "run" / "scores.json").read_text() == "old"


def test_a_run_is_replaced_only_once_the_new_one_is_done(tmp_path: Path) -> None:
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
        if Path(target) == out and not self.name.endswith(".old"):
            raise OSError(errno.EIO, "the cable is out")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
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


def test_a_file_in_the_way_is_kept(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    for out in (tmp_path / "run", tmp_path / "run" / "below"):
        with pytest.raises(RunError, match="is a file"):
            write(out, overwrite=True)
    assert (tmp_path / "run").read_text() == "mine"


def test_an_empty_folder_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write(tmp_path / "run")
    assert names(tmp_path / "run") == set(PARTS)


def test_a_link_to_a_run_stays_a_link(tmp_path: Path) -> None:
    write(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "scores.json").read_text() == "new"


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "forecast.csv"
    with pytest.raises(ValueError, match="late"):
        fail_file(out)
    assert names(tmp_path) == set()
    with new_file(out, overwrite=False) as draft:
        draft.write_text("whole")
    with pytest.raises(InputError, match="kept"), new_file(out, overwrite=False):
        pass
    assert out.read_text() == "whole"
    with pytest.raises(InputError, match="is a folder"), new_file(tmp_path, overwrite=True):
        pass
    with pytest.raises(InputError, match="no folder"), new_file(out / "x" / "y", overwrite=True):
        pass


def test_what_is_no_run_is_said_not_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run folder .* `citytune tune"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(RunError, match="not a run of citytune"):
        load_run(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        load_run(tmp_path / "file")
    (tmp_path / "model").mkdir()
    with pytest.raises(RunError, match=r"holds no forecast.csv; give a FILE"):
        run_forecast(tmp_path)
