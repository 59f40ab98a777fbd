"""Promise: further kinds of files of programs and networks are read, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from systems import HOUR, Values, given, holds, hours, refusal, waves

from citytune.readers import read

LENGTH = 24 * 5
TIMES = hours(LENGTH)
A, B, C = waves(3, LENGTH)


def mscons(*series: tuple[str, str, Values], form: str = "203", offset: str = "") -> str:
    """A message of interval readings: (point, register, values)."""
    parts = ["UNB+UNOC:3+99:500+98:500'UNH+1+MSCONS:D:04B:UN:2.4c'DTM+137:202402011000:203'"]
    for point, register, values in series:
        parts.append(f"NAD+DP'LOC+172+{point}'LIN+1'PIA+5+{register}:SRW'\n")
        for t, value in zip(TIMES, values, strict=True):
            parts.append(f"QTY+220:{value}:KWH'DTM+163:{t:%Y%m%d%H%M}{offset}:{form}'")
            parts.append(f"DTM+164:{t + HOUR:%Y%m%d%H%M}{offset}:{form}'\n")
    return "".join([*parts, "UNT+9+1'UNZ+1+R'"])


@pytest.mark.parametrize(
    ("offset", "form", "start"),
    [("", "203", "2024-01-08 00:00:00"), ("?+00", "303", "2024-01-08 00:00:00+00:00"),
     ("?+01", "303", "2024-01-07 23:00:00+00:00")],
)  # fmt: skip
@pytest.mark.parametrize("head", ["", "UNA:+.? '"])
def test_mscons_is_read(tmp_path: Path, head: str, offset: str, form: str, start: str) -> None:
    text = mscons(("DE1", "1-1?:1.29.0", A), ("DE2", "1-1?:1.29.0", B), form=form, offset=offset)
    frame = read(given(tmp_path, head + text, name="load.edi"))
    assert holds(frame, A, B)
    assert (frame.sensors, frame.quantity.unit) == (("DE1", "DE2"), "kWh")
    assert str(frame.clock.start).removesuffix("+00:00") == start.removesuffix("+00:00")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("MSCONS", "INVOIC", "none of readings"), ("UNZ+1+R'", "", "cut short"),
     ("DTM+163", "DTM+7", "no series"), ("QTY+220:", "QTY+220:x", "cannot be read")],
)  # fmt: skip
def test_other_messages_of_edifact_are_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = mscons(("DE1", "1-1?:1.29.0", A)).replace(old, new)
    assert said in refusal(given(tmp_path, text, name="load.edi"))
