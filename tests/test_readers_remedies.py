"""Promise: whatever a refusal or `check` proposes works, or needs what only a person knows."""

from __future__ import annotations

import polars as pl
import pytest
from remedies import TABLES, TIMES, A, follow, long, proposals, wide

from citytune import InputError
from citytune.readers import read


@pytest.mark.parametrize("odd", TABLES)
def test_every_proposal_leads_to_a_frame_or_to_another_question(odd: str) -> None:
    assert list(follow(*TABLES[odd])) == []


def test_a_refusal_that_can_be_settled_by_an_option_proposes_it() -> None:
    settled = ("two readings", "stages of checking", "quantities of places", "two clocks",
               "ways to measure", "a sensor that does not do", "a sensor that is a quantity",
               "several targets of a long table", "tariffs")  # fmt: skip
    for odd in settled:
        source, options = TABLES[odd]
        with pytest.raises(InputError) as refused:
            read(source, **options)
        assert proposals(str(refused.value)), odd


def test_columns_that_are_called_like_names_of_sensors_are_sensors() -> None:
    for names in (("station",), ("site", "station"), ("Street", "Road", "Line")):
        table = wide(**{name: (A + i).round() for i, name in enumerate(names)})
        assert read(table).sensors == names
    whole = long(site=(1, 2), flow=(A, A + 1))
    assert read(whole).sensors == ("1", "2")


def test_a_sensor_that_changes_with_the_month_names_the_rows() -> None:
    table = pl.DataFrame({"time": TIMES, "site": [7] * 252 + [9] * 252, "flow": A})
    assert set(read(table).sensors) == {"7", "9"}
