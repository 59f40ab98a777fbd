"""Promise: a forecast leaves whole or not at all, and comes back as it was, bit by bit."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytune import Clock, Forecast, Quantity
from citytune.forecasting import LEVELS

extras = pytest.mark.extras
HOUR = dt.timedelta(hours=1)
AUTUMN = Clock(dt.datetime(2024, 10, 26, 22), HOUR, "Europe/Oslo")
STRANGE = ["=A1", "'=A1", "007", "-1", "1e5", "", "  ", "nan", "null", "a,b", 'say "x"', "@x",
           "Straße 1", "time", "2024-01-01", "'", "+1,5"]  # fmt: skip
TABLES = ["f.csv", "f.parquet", "f.xlsx", "f.jsonl", "sqlite:///f.db", "duckdb:///f.duckdb#x"]
NEEDS = {".xlsx": "xlsxwriter", "duckdb": "duckdb"}


def needed(target: str) -> None:
    for mark, package in NEEDS.items():
        if mark in target:
            pytest.importorskip(package, reason=f"{package} is not installed")


def made(
    sensors: tuple[str, ...] = ("north", "=A1"), horizon: int = 5, clock: Clock = AUTUMN
) -> Forecast:
    mean = (1 + np.arange(horizon * len(sensors)).reshape(horizon, -1)) / 3
    quantiles = mean[..., None] * (0.5 + np.array(LEVELS))
    mean[0, 0] = np.nan
    quality = np.full(mean.shape, "model", object)
    quality[0, 0] = "absent"
    return Forecast(
        mean.astype(np.float32), quantiles.astype(np.float32), clock, sensors,
        Quantity("pm2.5", "µg/m³", low=0, domain="air"), quality=quality, model="lags, blend",
        run="air",
    )  # fmt: skip


def same(one: Forecast, other: Forecast) -> None:
    for part in ("mean", "quantiles", "moved"):
        ours, theirs = getattr(one, part), getattr(other, part)
        if ours is None:
            assert theirs is None
        else:
            assert theirs.dtype == np.float32
            np.testing.assert_array_equal(ours, theirs)
    assert np.array_equal(one.quality, other.quality)
    for part in ("clock", "sensors", "quantity", "model", "run"):
        assert getattr(one, part) == getattr(other, part)


@st.composite
def forecasts(draw: st.DrawFn) -> Forecast:
    """Any forecast: strange names, single precision to its ends, every zone, any step."""
    text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8)
    names = draw(st.lists(st.sampled_from(STRANGE) | text, min_size=1, max_size=4, unique=True))
    horizon = draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    shape = (horizon, len(names), 1 + len(LEVELS) + 1)
    bits = random.integers(0, 2**32, shape, dtype=np.uint32).view(np.float32)
    values = np.where(np.isfinite(bits), bits, np.float32(np.nan))
    zone = draw(
        st.sampled_from([None, "UTC", "Europe/Oslo", "Australia/Adelaide", "Asia/Kathmandu"])
    )
    start = draw(
        st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2100, 1, 1))
        | st.sampled_from([dt.datetime(2024, 10, 26, 23), dt.datetime(2024, 3, 30, 23)])
    )
    step = draw(
        st.sampled_from([dt.timedelta(seconds=1), 5 * HOUR / 60, HOUR, 24 * HOUR, 168 * HOUR])
    )
    low = draw(st.sampled_from([None, 0.0, -1.5]))
    return Forecast(
        mean=values[..., 0], quantiles=values[..., 1:-1],
        moved=values[..., -1] if draw(st.booleans()) else None,
        clock=Clock(start, step, zone), sensors=tuple(names),
        quantity=Quantity(draw(text), draw(text), low, draw(st.sampled_from([None, 10.0]))),
        quality=np.full(shape[:2], draw(st.sampled_from(["model", "fallback: yesterday"])), object),
        run=draw(text), model=draw(text),
    )  # fmt: skip


@pytest.mark.parametrize("target", TABLES)
@settings(max_examples=40, deadline=None)
@given(forecast=forecasts())
def test_what_is_read_back_is_what_was_written(
    target: str, forecast: Forecast, tmp_path_factory: pytest.TempPathFactory
) -> None:
    needed(target)
    folder = tmp_path_factory.mktemp("round")
    where = target.replace("///", f"///{folder}/") if "://" in target else str(folder / target)
    forecast.write(where)
    same(forecast, Forecast.read(where))
