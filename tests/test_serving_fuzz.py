"""Promise: whatever fits or does not fit the description of the interface, no server error."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
pytest.importorskip("schemathesis", reason="schemathesis is not installed: make test-extras")


@pytest.mark.extras
def test_no_case_makes_a_server_error() -> None:
    from serve_fuzz import fuzz

    found = fuzz(cases=300, seed=1)
    assert found.cases >= 200
    assert not found.errors, found.errors[:5]
