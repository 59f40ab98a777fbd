"""Promise: whatever a settings field is given, it is understood or refused in one sentence."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytune import InputError
from citytune.runs import Job
from citytune.settings import Settings

FIELDS = [one.name for one in fields(Settings)]
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, 1e308, -1.0, 0]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["9" * 5000, "9" * 500 + "h", "24h", "top 5%", "rank=8", ">1e999", "7-9h", "²"]
    ),
)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@pytest.mark.parametrize("name", FIELDS)
@given(value=JSON)
@settings(max_examples=80, deadline=None)
def test_a_value_of_any_type_is_taken_or_refused(name: str, value: Any) -> None:
    with suppress(InputError):
        Settings(**{"horizon": 24, name: value})


@pytest.mark.parametrize("strategy", ["auto", "blend", "head", "lora", "gradual"])
@pytest.mark.parametrize("option", ["rank", "rate", "head_days", "phases_down", "loss", "nothing"])
@given(value=PLAIN)
@settings(max_examples=10, deadline=None)
def test_an_option_of_any_type_is_taken_or_refused(strategy: str, option: str, value: Any) -> None:
    with suppress(InputError):
        Job(settings=Settings(horizon=24, strategy=strategy, options={option: value})).check()


@pytest.mark.parametrize(
    ("options", "said"),
    [([1], "names and values"), (7, "names and values"), ({"rank": [8]}, "'rank' is a number"),
     (["rank"], "NAME=VALUE")],
)  # fmt: skip
def test_options_of_the_wrong_type_are_named(options: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Settings(horizon=24, options=options)
