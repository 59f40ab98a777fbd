"""Promise: a table in any layout that systems write is read rightly or refused, never wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest
from layouts import draw, verdict

RIGHT = 0.9
"""Share that must be right at once."""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    folder = tmp_path_factory.mktemp("layouts")
    found = {}
    for seed in range(24):
        drawn = draw(seed)
        path = Path(folder, f"{seed}.csv")
        path.write_bytes(drawn.data)
        found[seed] = verdict(drawn, path)
    return found


def test_no_drawn_layout_is_read_wrongly(verdicts: dict[int, str]) -> None:
    assert {seed: said for seed, said in verdicts.items() if said.startswith("WRONG")} == {}


def test_most_drawn_layouts_are_right_at_once(verdicts: dict[int, str]) -> None:
    refused = {seed: said for seed, said in verdicts.items() if said != "right"}
    assert len(refused) <= (1 - RIGHT) * len(verdicts), refused
