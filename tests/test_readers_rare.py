"""Promise: what is rarely written is read as it is meant, or asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from systems import given, holds, hours, refusal, waves

from citytune import InputError
from citytune.readers import check, read

LENGTH = 24 * 5
TIMES = hours(LENGTH)
A, B, C = waves(3, LENGTH)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A file with a validity of numbers."""
    rows = [f"{t},{a},{int(i % 9 > 0)}" for i, (t, a) in enumerate(zip(TIMES, A, strict=True))]
    return given(tmp_path, "time,flow,quality", *rows)


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option in ("time", "sensor", "target", "valid")
     for value in (2024, b"time", [1, 2], {"a": 1}, [None], 3.5, True)
     if (option, value) != ("valid", {"a": 1})]
    + [(option, value) for option in ("quantity", "unit", "timezone", "country", "table", "query")
       for value in (3, ["UTC"], b"NO")]
    + [("missing", b"a"), ("missing", True), ("valid", "flow"), ("valid", {1: ["1"]})],
)  # fmt: skip
def test_an_option_of_another_type_is_one_sentence(plain: Path, option: str, value: Any) -> None:
    for use in (read, check):
        with pytest.raises(InputError, match=rf"^{option} takes .*, not "):
            use(plain, **{option: value})


@pytest.mark.parametrize("cells", [1, "1", [1], ["1"], [1.0], ("1",)])
def test_validity_may_be_told_as_a_number_or_as_text(plain: Path, cells: Any) -> None:
    frame = read(plain, target="flow", valid={"quality": cells})
    assert [i for i, v in enumerate(frame.values[:, 0]) if v != v] == [*range(0, LENGTH, 9)]
