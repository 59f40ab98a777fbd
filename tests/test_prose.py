"""The promise: `make check` finds the words that readers stumble on, and only those."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "prose.py"


@pytest.fixture(scope="module")
def prose():
    spec = importlib.util.spec_from_file_location("prose", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "text", "line", "word"),
    [
        ("a.md", "Good.\n\nThe model\nuntouched.\n", 3, "untouched"),
        ("a.md", "The 90 %\nintervals held 91 %.\n", 1, "90 % intervals held"),
        ("a.py", 'x = (\n    "it had "\n    "not seen"\n)\n', 2, "it had not seen"),
        ("a.py", '"""A picture beside a text."""\n', 1, "beside"),
        ("a.py", "x = 1  # two on end\n", 1, "on end"),
        ("a.py", "todays = 1\n", 1, "todays"),
        ("a.html", "<p>Alerts foretold</p>\n", 1, "foretold"),
    ],
)
def test_a_stumbling_block_is_found_at_its_line(prose, tmp_path, name, text, line, word) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (found,) = prose.findings(tmp_path / name)
    assert found.startswith(f"{tmp_path / name}:{line}: ")
    assert repr(word) in found


def test_plain_words_pass(prose, tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '"""Besides, someone else held it; 90 % coverage otherwise."""\nheld = today = 1\n'
    (tmp_path / "a.py").write_text(text, encoding="utf-8")
    assert prose.main([str(tmp_path)]) == 0
    (tmp_path / "b.md").write_text("untouched\n", encoding="utf-8")
    assert prose.main([str(tmp_path)]) == 1
    assert "write: without fine-tuning" in capsys.readouterr().out
