"""The promise: `citytune-base` knows hours, weekdays and holidays, gaps and units, and its limits.

The weights are made anew from time to time, so no test holds them to a number of their own: what
is tested follows from how the network is built, or is far from what it does.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import citytune as ct
from citytune._errors import MissingWeights
from citytune.backbones import (
    LEVELS,
    Past,
    Probabilistic,
    at_hand,
    load_backbone,
    missing,
    shelf,
)
from citytune.backbones.city import (
    CARD,
    SHIPPED,
    WEIGHTS,
    CityBackbone,
    open_folder,
    read_card,
    read_network,
)
from citytune.forecasting import fit_model
from citytune.frame import Clock, SensorFrame
from citytune.tuning import Batch, LensExpert, SeasonalExpert, forecasts_of
from citytune.tuning.examples._lens_input import LensInput
from citytune.windows import Examples, History, Seasonal, WindowSpec

DATA = Path(__file__).parents[2] / "shared" / "data"
NAME = "citytune-base"
DAY, CONTEXT = 24, 672
MEGABYTE = 2**20
EXAM = {
    "adelaide_demand_1997_2007", "beijing_aqi36_pm25", "beijing_metro_15min",
    "capital_bikeshare_hourly", "etth1", "etth2", "gefcom2012_load", "gefcom2014_load",
    "hangzhou_metro_inflow", "jonas_dc_demand", "jonas_nyc_demand", "london_marylebone_1998_2016",
    "los_loop_metr_la_week",
}  # fmt: skip
"""Sets that it is examined on, and may not have seen."""


@pytest.fixture(scope="module")
def base() -> CityBackbone:
    return read_network(SHIPPED)


# --- small worlds ---------------------------------------------------------------------------


def rush(hour: Tensor) -> Tensor:
    """A workday: two rush hours."""
    morning, evening = (-(((hour - 8) / 2) ** 2)).exp(), (-(((hour - 17) / 2.5) ** 2)).exp()
    return 0.15 + morning + 1.2 * evening


def leisure(hour: Tensor) -> Tensor:
    """A day off: one hump after noon."""
    return 0.3 + 0.6 * (-(((hour - 14) / 4) ** 2)).exp()


def street(
    steps: int, *, day: int = DAY, weekly: bool = True, noise: float = 0.05, seed: int = 0
) -> Tensor:
    """Vehicles (time,) from a Monday on, around 50 a step; days off differ if `weekly`."""
    when = torch.arange(steps)
    hour, weekday = when % day * 24 / day, when.div(day, rounding_mode="floor") % 7
    flow = torch.where((weekday >= 5) & weekly, leisure(hour), rush(hour))
    draw = torch.Generator().manual_seed(seed)
    return 100 * flow * (noise * torch.randn(steps, generator=draw)).exp()


def past_of(
    values: Tensor, horizon: int = DAY, *, day: int = DAY, known: Tensor | None = None
) -> Past:
    """What a backbone is shown of (example, context), from a Monday on, without holidays."""
    when = torch.arange(values.shape[1] + horizon)
    weekday = when.div(day, rounding_mode="floor") % 7
    calendar = torch.stack([when % day / day, weekday, torch.zeros(len(when))], 1).float()
    known = torch.ones_like(values, dtype=torch.bool) if known is None else known
    return Past(values, known, calendar.expand(len(values), -1, -1), day)


def with_calendar(past: Past, column: int, value: float) -> Past:
    """The same past, another weekday (column 1) or holiday flag (2) in all the future."""
    calendar = past.calendar.clone()
    calendar[:, past.values.shape[1] :, column] = value
    return past._replace(calendar=calendar)


def last_days(days: int, context: int = CONTEXT) -> Tensor:
    """(1, context): only the last days were measured."""
    return (torch.arange(context) >= context - days * DAY)[None]


def error(found: Tensor, actual: Tensor) -> float:
    """Mean absolute error over the mean."""
    return float((found - actual).abs().mean() / actual.abs().mean())


# --- quantiles ------------------------------------------------------------------------------

NOISE = torch.randn(20, CONTEXT, generator=torch.Generator().manual_seed(1))
SPIKE = torch.nn.functional.one_hot(torch.tensor([0, 300, 671]), CONTEXT).float()
WINDOWS = {
    "street": street(CONTEXT)[None],
    "random": NOISE,
    "heavy": (3 * NOISE).exp(),
    "walk": NOISE.cumsum(1),
    "constant": torch.full((1, CONTEXT), 7.0),
    "nothing": torch.zeros(1, CONTEXT),
    "spike": SPIKE,
    "huge spike": 1e30 * SPIKE,
    "huge": 1e30 * NOISE,
    "tiny": 1e-30 * NOISE,
    "narrow": 1e5 + 1e-2 * NOISE,
    "short": NOISE[:, :5],
    "one": NOISE[:, :1],
}


@pytest.mark.parametrize("name", WINDOWS)
def test_quantiles_rise_with_the_level(base: CityBackbone, name: str) -> None:
    found = base.quantiles(past_of(WINDOWS[name], 48), 48)
    assert found.shape == (len(WINDOWS[name]), 48, 11)
    assert found.isfinite().all()
    assert (found.diff(dim=-1) >= 0).all()


@pytest.mark.parametrize("name", ["street", "random", "huge"])
def test_quantiles_of_what_varies_are_all_different(base: CityBackbone, name: str) -> None:
    assert (base.quantiles(past_of(WINDOWS[name]), DAY).diff(dim=-1) > 0).all()


def test_where_nothing_at_all_was_measured_the_answer_is_finite(base: CityBackbone) -> None:
    never = torch.zeros(20, CONTEXT, dtype=torch.bool)
    found = base.quantiles(past_of(NOISE, known=never), DAY)
    assert found.isfinite().all()
    assert (found.diff(dim=-1) >= 0).all()
    assert base.features(past_of(NOISE, known=never)).isfinite().all()


def test_there_are_eleven_levels_from_5_to_95_percent(base: CityBackbone) -> None:
    assert isinstance(base, Probabilistic)
    assert LEVELS == (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    assert base.quantiles(past_of(WINDOWS["street"], 3), 3).shape[1:] == (3, len(LEVELS))


@pytest.mark.parametrize("name", WINDOWS)
def test_the_forecast_is_the_median(base: CityBackbone, name: str) -> None:
    past = past_of(WINDOWS[name], 48)
    median = base.quantiles(past, 48)[..., LEVELS.index(0.5)]
    assert torch.equal(base.forecast(past, 48), median)


# --- clocks and horizons --------------------------------------------------------------------

CLOCKS = {"1min": 1440, "5min": 288, "15min": 96, "30min": 48, "1h": 24, "3h": 8, "5h": 5, "6h": 4,
          "7h": 3, "12h": 2, "1d": 1}  # fmt: skip


@pytest.mark.parametrize("day", CLOCKS.values(), ids=CLOCKS)
def test_any_clock_from_a_minute_to_a_day_works(base: CityBackbone, day: int) -> None:
    values = street(base.card.context_at(day), day=day)[None]
    past = past_of(values, 60, day=day)
    assert base.forecast(past, 60).isfinite().all()
    features = base.features(past)
    assert features.shape == (1, base.card.features)
    assert features.isfinite().all()


@pytest.mark.parametrize("day", [288, 96, 48, 12])
def test_on_finer_and_coarser_clocks_a_day_is_a_day(base: CityBackbone, day: int) -> None:
    """It is forecast by the same hours of like days, whatever the clock."""
    context = base.card.context_at(day)
    whole = street(context + day, day=day)
    found = base.forecast(past_of(whole[None, :context], day, day=day), day)[0]
    assert error(found, whole[context:]) < 0.15


def test_a_daily_clock_is_read_by_the_week(base: CityBackbone) -> None:
    week = torch.tensor([50.0, 52, 54, 56, 60, 30, 20])
    found = base.forecast(past_of(week.repeat(26)[None], 14, day=1), 14)[0]
    assert error(found, week.repeat(2)) < 0.1


@pytest.mark.parametrize("hours", [7, 5])
def test_a_clock_that_does_not_divide_the_day_works_from_frame_to_forecast(hours: int) -> None:
    steps = np.arange(400)
    values = 20 + 5 * np.sin(2 * np.pi * steps * hours / 24)[:, None].astype(np.float32)
    clock = Clock(dt.datetime(2024, 1, 1), dt.timedelta(hours=hours))
    frame = SensorFrame(values, clock, ("north",))
    model = fit_model(frame, horizon=10, backbone=NAME, strategy="zero-shot")
    forecast = model.forecast(frame)
    assert np.isfinite(forecast.mean).all()
    assert (np.abs(forecast.mean - 20) < 10).all()


@pytest.mark.parametrize("horizon", [1, 7, 24, 336])
def test_a_horizon_is_forecast_in_one_pass(base: CityBackbone, horizon: int) -> None:
    passes: list[int] = []
    hook = base.network.register_forward_hook(lambda *_: passes.append(1))
    try:
        found = base.quantiles(past_of(street(CONTEXT)[None], horizon), horizon)
    finally:
        hook.remove()
    assert found.shape == (1, horizon, 11)
    assert len(passes) == 1


def test_two_weeks_ahead_are_forecast_like_the_weeks_before(base: CityBackbone) -> None:
    whole = street(CONTEXT + 336)
    found = base.forecast(past_of(whole[None, :CONTEXT], 336), 336)[0]
    assert error(found, whole[CONTEXT:]) < 0.1


def test_a_calendar_shorter_than_the_horizon_is_carried_on(base: CityBackbone) -> None:
    past = past_of(street(CONTEXT)[None], 0)
    assert base.forecast(past, 30).isfinite().all()


# --- units ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "raised"),
    [(2.0, 0.0), (1.0, 1000.0), (0.25, -64.0), (1e6, 0.0), (1e-6, 0.0), (1e30, 0.0), (1e-30, 0.0)],
)
def test_the_forecast_has_the_unit_of_the_past(
    base: CityBackbone, factor: float, raised: float
) -> None:
    values = torch.stack([street(CONTEXT), 50 + 20 * NOISE[0]])
    once = base.quantiles(past_of(values), DAY).double()
    other = base.quantiles(past_of(factor * values + raised), DAY).double()
    size = factor * values.abs().max() + abs(raised)  # float32 keeps 7 digits of the largest
    torch.testing.assert_close(other, factor * once + raised, rtol=1e-5, atol=float(1e-5 * size))


@pytest.mark.parametrize("value", [0.0, 40.0, -3.0, 1e-9, 3e8])
def test_a_constant_is_forecast_constant_and_is_sure(base: CityBackbone, value: float) -> None:
    constant = torch.full((2, CONTEXT), value)
    for horizon in (1, 336):
        found = base.quantiles(past_of(constant, horizon), horizon)
        assert torch.equal(found, torch.full_like(found, value))


# --- gaps -----------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_what_was_not_measured_has_no_influence_at_all(base: CityBackbone, share: float) -> None:
    draw = torch.Generator().manual_seed(4)
    values = torch.stack([street(CONTEXT, seed=seed) for seed in range(8)])
    known = torch.rand(values.shape, generator=draw) >= share
    past = past_of(values, known=known)
    for filled in (0.0, -5.0, 1e9, -3e38):
        other = past._replace(values=torch.where(known, values, filled))
        assert torch.equal(base.quantiles(other, DAY), base.quantiles(past, DAY))
        assert torch.equal(base.features(other), base.features(past))


def test_it_does_matter_whether_a_value_was_measured(base: CityBackbone) -> None:
    values = street(CONTEXT)[None]
    with_gap = past_of(values, known=torch.arange(CONTEXT)[None] < CONTEXT - 12)
    assert (base.forecast(with_gap, DAY) != base.forecast(past_of(values), DAY)).any()


def test_a_context_of_three_days_is_that_of_three_days_measured(base: CityBackbone) -> None:
    """Being too short for four weeks, and not having measured them, are one and the same."""
    values = street(CONTEXT)[None]
    whole = past_of(values, known=last_days(3))
    short = Past(
        values[:, -72:], whole.measured[:, -72:], whole.calendar[:, CONTEXT - 72 :].clone(), DAY
    )
    torch.testing.assert_close(
        base.quantiles(short, DAY), base.quantiles(whole, DAY), rtol=1e-5, atol=1e-3
    )


@pytest.mark.parametrize("seed", range(3))
def test_three_days_of_a_new_sensor_are_enough_for_its_daily_shape(
    base: CityBackbone, seed: int
) -> None:
    whole = street(CONTEXT + DAY, weekly=False, seed=seed)
    past = past_of(whole[None, :CONTEXT], known=last_days(3))
    same_slots = whole[CONTEXT - 72 : CONTEXT].view(3, DAY).mean(0)
    assert error(base.forecast(past, DAY)[0], same_slots) < 0.2


def test_half_of_the_past_missing_costs_little(base: CityBackbone) -> None:
    whole = street(CONTEXT + DAY)
    known = torch.rand(1, CONTEXT, generator=torch.Generator().manual_seed(5)) < 0.5
    found = base.forecast(past_of(whole[None, :CONTEXT], known=known), DAY)[0]
    assert error(found, whole[CONTEXT:]) < 0.15


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("measured", [True, False])
def test_nan_is_refused_with_a_reason(base: CityBackbone, bad: float, measured: bool) -> None:
    values = street(CONTEXT).repeat(3, 1)
    values[1, 600] = bad
    known = torch.ones_like(values, dtype=torch.bool)
    known[1, 600] = measured
    past = past_of(values, known=known)
    for answer in (base.features, lambda p: base.forecast(p, DAY), lambda p: base.quantiles(p, 1)):
        with pytest.raises(ValueError, match="NaN or infinite values; fill its gaps"):
            answer(past)


# --- the calendar ---------------------------------------------------------------------------


def test_a_week_is_forecast_with_its_days_off(base: CityBackbone) -> None:
    whole = street(CONTEXT + 7 * DAY)
    found = base.forecast(past_of(whole[None, :CONTEXT], 7 * DAY), 7 * DAY)[0]
    assert error(found, whole[CONTEXT:]) < 0.1


def test_another_weekday_gives_another_forecast_like_that_weekday(base: CityBackbone) -> None:
    past = past_of(street(CONTEXT)[None])
    hours = torch.arange(24.0)
    monday = base.forecast(with_calendar(past, 1, 0.0), DAY)[0]
    sunday = base.forecast(with_calendar(past, 1, 6.0), DAY)[0]
    assert error(sunday, monday) > 0.1
    assert error(sunday, 100 * leisure(hours)) < error(monday, 100 * leisure(hours))
    assert error(monday, 100 * rush(hours)) < error(sunday, 100 * rush(hours))


def test_a_holiday_is_forecast_more_like_a_day_off(base: CityBackbone) -> None:
    past = past_of(street(CONTEXT)[None])
    off = 100 * leisure(torch.arange(24.0))
    plain, holiday = (base.forecast(with_calendar(past, 2, flag), DAY)[0] for flag in (0.0, 1.0))
    assert error(holiday, plain) > 0.05
    assert error(holiday, off) < error(plain, off)


# --- no look-ahead --------------------------------------------------------------------------


def past_at(frame: SensorFrame, origin: int, horizon: int, base: CityBackbone) -> Past:
    """What citytune shows the network of every sensor at one origin."""
    history = History.of(frame, ahead=horizon)
    count = len(frame.sensors)
    examples = Examples(torch.arange(count), torch.full((count,), origin))
    context = base.card.context_at(history.steps_per_day)
    shown = LensInput(Seasonal(history), examples, context, horizon)
    return Past(shown.past, shown.measured, shown.calendar, history.steps_per_day)


@pytest.mark.parametrize("day", [96, 24, 1])
def test_what_happens_next_is_not_looked_at(
    base: CityBackbone, city: Callable[..., SensorFrame], day: int
) -> None:
    frame = city(2, 30 if day > 1 else 300, steps_per_day=day)
    for origin in (len(frame) // 9, len(frame) // 2, len(frame) - 1):
        values = frame.values.copy()
        values[origin:] = 9_999.0
        disturbed = replace(frame, values=values)
        found, expected = (
            base.quantiles(past_at(one, origin, 2 * day, base), 2 * day)
            for one in (disturbed, frame)
        )
        assert torch.equal(found, expected)


# --- features -------------------------------------------------------------------------------


def test_features_have_the_width_of_the_card_and_are_finite(base: CityBackbone) -> None:
    for name, values in WINDOWS.items():
        features = base.features(past_of(values))
        assert features.shape == (len(values), base.card.features), name
        assert features.isfinite().all(), name
        assert features.dtype == torch.float32, name


def test_features_of_a_batch_are_those_of_its_windows_one_by_one(base: CityBackbone) -> None:
    values = torch.stack([street(CONTEXT, seed=seed) for seed in range(70)])
    past = past_of(values)
    one_by_one = [
        base.features(Past(*(part[i : i + 1] for part in past[:3]), DAY)) for i in range(0, 70, 7)
    ]
    torch.testing.assert_close(
        base.features(past)[::7], torch.cat(one_by_one), rtol=1e-3, atol=1e-3
    )


def test_features_do_not_depend_on_the_horizon_asked(base: CityBackbone) -> None:
    values = street(CONTEXT)[None]
    near, far = (base.features(past_of(values, horizon)) for horizon in (DAY, 336))
    torch.testing.assert_close(near, far, rtol=1e-3, atol=1e-3)


# --- card and weights -----------------------------------------------------------------------


def test_it_is_small_enough_for_the_package(base: CityBackbone) -> None:
    size = sum(file.stat().st_size for file in SHIPPED.iterdir())
    count = sum(weight.numel() for weight in base.network.parameters())
    assert size <= 16 * MEGABYTE
    assert count <= 5_000_000
    assert base.card.parameters == count
    assert base.card == shelf()[NAME]


def test_its_parts_are_all_of_it(base: CityBackbone) -> None:
    parts = [weight for block in base.blocks() for weight in block.parameters()]
    parts.append(base.network.place)  # belongs to no part, and stays as it is
    assert {id(weight) for weight in parts} == {id(w) for w in base.network.parameters()}


def test_the_card_lists_what_it_was_trained_on_and_no_set_of_the_exam() -> None:
    facts = json.loads((SHIPPED / CARD).read_text(encoding="utf-8"))
    assert shelf()[NAME].sha256 == (facts["sha256"],)  # a saved model goes by it
    assert facts["corpus"]
    for one in facts["corpus"]:
        assert one["licence"], f"{one['name']} has no licence"
        assert Path(one["name"]).name.lower() not in EXAM
    assert facts["made"]["command"]
    assert facts["made"]["commit"]
    assert facts["recipe"]
    assert facts["scores"]


def test_it_is_at_hand_on_a_bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CITYTUNE_WEIGHTS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert NAME in at_hand()


# --- folders --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped folder."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "copy"))


def change(folder: Path, **more: Any) -> dict[str, Any]:
    """Change facts of a folder's card.json; a dict changes some of a dict."""
    facts = json.loads((folder / CARD).read_text(encoding="utf-8"))
    for key, value in more.items():
        facts[key] = facts[key] | value if isinstance(value, dict) else value
    (folder / CARD).write_text(json.dumps(facts), encoding="utf-8")
    return facts


def refused(folder: Path) -> str:
    """What is said of a folder that cannot be used: one line."""
    with pytest.raises(MissingWeights) as caught:
        read_network(folder)
    said = str(caught.value)
    assert said.count("\n") == 0
    return said


def test_a_copy_says_what_the_original_says(base: CityBackbone, folder: Path) -> None:
    past = past_of(street(CONTEXT)[None])
    assert torch.equal(read_network(folder).quantiles(past, DAY), base.quantiles(past, DAY))


@pytest.mark.parametrize("place", [100, -100], ids=["header", "numbers"])
def test_one_wrong_byte_is_found_and_the_file_named(folder: Path, place: int) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[place] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    said = refused(folder)
    assert str(folder / WEIGHTS) in said
    assert "is damaged" in said


def test_half_a_file_is_found_and_the_file_named(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])
    said = refused(folder)
    assert str(folder / WEIGHTS) in said
    assert "is damaged" in said


def test_missing_weights_are_named(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    assert f"{folder / WEIGHTS} is not there" in refused(folder)


def test_another_format_is_said_with_both_numbers(folder: Path) -> None:
    change(folder, format=2)
    said = refused(folder)
    assert "format 2" in said
    assert "reads 1: update citytune, or pretrain anew" in said


def test_a_folder_without_a_card_is_said(folder: Path) -> None:
    (folder / CARD).unlink()
    said = refused(folder)
    assert said == f"{folder} holds no card.json: name a folder made by `citytune pretrain`"


UNREADABLE = {
    "empty": "",
    "cut off": '{"format": 1, "card"',
    "a list": "[]",
    "nothing": "{}",
    "no card": '{"format": 1}',
    "empty card": '{"format": 1, "card": {}}',
    "a number": '{"format": 1, "card": 3}',
    "no text": "\xff",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_a_card_that_cannot_be_read_is_said(folder: Path, text: str) -> None:
    (folder / CARD).write_text(text, encoding="latin-1")
    said = refused(folder)
    assert str(folder / CARD) in said
    assert "restore it from a copy" in said


@pytest.mark.parametrize("size", [{"layers": 2}, {"layers": 9}, {"width": 96}, {"width": "wide"}])
def test_weights_of_another_shape_are_said(folder: Path, size: dict[str, Any]) -> None:
    change(folder, network=size)
    said = refused(folder)
    assert str(folder) in said
    assert "not those of its card, or of another version" in said


def test_a_card_without_a_network_is_said(folder: Path) -> None:
    facts = change(folder)
    del facts["network"]
    (folder / CARD).write_text(json.dumps(facts), encoding="utf-8")
    assert str(folder) in refused(folder)


def test_a_folder_can_be_named_as_a_backbone_and_stands_on_the_shelf(
    folder: Path, own_shelf: None, base: CityBackbone
) -> None:
    change(folder, card={"name": "my-region"})
    mine = load_backbone(str(folder))
    assert mine.card.name == "my-region"
    assert mine is load_backbone(str(folder))
    assert mine is load_backbone("my-region")
    assert "my-region" in at_hand()
    past = past_of(street(CONTEXT)[None])
    assert torch.equal(mine.features(past), base.features(past))


def test_what_was_damaged_after_it_came_on_the_shelf_is_missing(
    folder: Path, own_shelf: None
) -> None:
    change(folder, card={"name": "my-region"})
    open_folder(folder)
    assert "my-region" in at_hand()
    (folder / WEIGHTS).unlink()
    assert str(folder / WEIGHTS) in missing()["my-region"]
    with pytest.raises(MissingWeights, match="is not there"):
        load_backbone("my-region")


def test_a_name_from_another_folder_is_refused(
    folder: Path, own_shelf: None, tmp_path: Path
) -> None:
    with pytest.raises(MissingWeights, match="'citytune-base', and there is another of that name"):
        load_backbone(str(folder))
    change(folder, card={"name": "my-region"})
    load_backbone(str(folder))
    again = shutil.copytree(folder, tmp_path / "again")
    with pytest.raises(MissingWeights, match="'my-region', and there is another of that name"):
        load_backbone(str(again))


def test_the_shipped_folder_may_be_named_by_its_path(own_shelf: None) -> None:
    assert load_backbone(str(SHIPPED)).card.name == NAME
    assert shelf()[NAME] == read_card(SHIPPED)[0]


def test_a_model_tuned_on_a_folder_is_saved_and_opened(
    folder: Path, own_shelf: None, city: Callable[..., SensorFrame], tmp_path: Path
) -> None:
    change(folder, card={"name": "my-region"})
    frame = city(1, 21)
    model = ct.tune(frame, horizon=6, backbone=str(folder))
    model.save(tmp_path / "model")
    opened = ct.load(tmp_path / "model")
    np.testing.assert_allclose(opened.forecast(frame).mean, model.forecast(frame).mean, rtol=1e-5)


# --- how good it is -------------------------------------------------------------------------


class Trial(NamedTuple):
    """What was said of a day ahead, and what came."""

    model: Tensor  # (window, horizon)
    naive: dict[str, Tensor]  # name → (window, horizon)
    actual: Tensor  # (window, horizon); NaN where nothing was measured
    covered: float
    """Share of what came that lay between the 5 and the 95 % quantile."""

    def mae(self, found: Tensor) -> float:
        return float((found - self.actual).abs().nanmean())


def tried(base: CityBackbone, frame: SensorFrame, origins: list[int], horizon: int) -> Trial:
    """Every sensor, a day ahead from each origin, untouched and by naive rules."""
    history = History.of(frame, ahead=horizon)
    sensors = torch.arange(len(frame.sensors))
    examples = Examples(
        sensors.repeat(len(origins)), torch.tensor(origins).repeat_interleave(len(sensors))
    )
    rules = ("yesterday", "last-week", "weeks")
    context = base.card.context_at(history.steps_per_day)
    batch = Batch(base, Seasonal(history), examples, WindowSpec(context=context, horizon=horizon))
    found = forecasts_of([LensExpert("plain"), *map(SeasonalExpert, rules)], batch)
    actual = torch.cat([history.raw[:, o : o + horizon] for o in origins])
    spread = torch.cat([base.quantiles(past_at(frame, o, horizon, base), horizon) for o in origins])
    inside = ((actual >= spread[..., 0]) & (actual <= spread[..., -1]))[actual.isfinite()]
    naive = {name: found[name] for name in rules}
    return Trial(found["plain"], naive, actual, float(inside.float().mean()))


@pytest.mark.parametrize("day", [24, 96])
def test_on_two_weeks_of_a_city_it_beats_yesterday_and_last_week(
    base: CityBackbone, city: Callable[..., SensorFrame], day: int
) -> None:
    frame = city(6, 50, steps_per_day=day, turn=0.0)
    origins = [len(frame) - k * day for k in range(1, 15)]
    trial = tried(base, frame, origins, day)
    for name in ("yesterday", "last-week"):
        assert trial.mae(trial.model) < 0.95 * trial.mae(trial.naive[name]), name
    assert 0.8 < trial.covered < 0.99


SETS: dict[str, dict[str, Any]] = {
    "energy/ETTh1.csv": {"country": "CN"},
    "traffic/capital_bikeshare_hourly.parquet": {"country": "US-DC", "target": ["count"]},
    "traffic/jonas_nyc_demand.parquet": {"country": "US-NY"},
}


@pytest.mark.extras
@pytest.mark.parametrize("name", SETS)
def test_on_real_cities_it_never_saw_it_beats_the_best_naive_forecast(
    base: CityBackbone, name: str
) -> None:
    if not (DATA / name).is_file():
        pytest.skip("../shared/data is not here")
    frame = ct.read(DATA / name, **SETS[name])
    some = np.linspace(0, len(frame.sensors) - 1, min(12, len(frame.sensors))).round().astype(int)
    frame = frame.select([frame.sensors[i] for i in some])
    day = frame.clock.steps_per_day
    count = max(12, 120 // len(frame.sensors))
    origins = np.linspace(28 * day, len(frame) - day, count).round().astype(int).tolist()
    trial = tried(base, frame, origins, day)
    best = min(map(trial.mae, trial.naive.values()))
    print(f"{name}: MAE {trial.mae(trial.model) / best:.3f} of the best naive forecast, "
          f"{trial.covered:.1%} within 90 % intervals")  # fmt: skip
    assert trial.mae(trial.model) < best
    assert 0.80 <= trial.covered <= 0.97


def test_a_window_costs_few_multiplications(base: CityBackbone) -> None:
    """So that a laptop forecasts hundreds in a second; how many is for the benchmark to say."""
    past = past_of(torch.stack([street(CONTEXT, seed=seed) for seed in range(8)]))
    with FlopCounterMode(display=False) as counted:
        base.forecast(past, DAY)
    assert counted.get_total_flops() / len(past.values) < 400e6
