"""The promise: every backbone and every strategy keep one contract, whatever they learn from."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from citytune.backbones import Backbone, at_hand, load_backbone, missing, root_of
from citytune.forecasting import Forecast, TunedModel, fit_model, load, refit
from citytune.frame import Quantity, SensorFrame
from citytune.settings import Options
from citytune.tuning import FineTuned, HeadExpert, strategies, strategies_for

BACKBONES = ("citytune-base", "lags", "efficientnet-lite0", "ttm-r2")
STRATEGIES = ("zero-shot", "blend", "head", "head-sgd")
BY_STEPS = ("bias", "norms", "last-blocks", "lora", "full", "gradual")
QUICK: Options = {"epochs": 1, "windows": 64, "folds": 2, "rate": 1e-3, "batch": 32}
"""Enough steps to move; that they help is another test's matter."""
ALONE: Options = {"stack": False}
OFFERED = {
    "citytune-base": BY_STEPS,
    "lags": (),
    "efficientnet-lite0": tuple(name for name in BY_STEPS if name != "lora"),
    "ttm-r2": BY_STEPS,
}
"""Strategies by gradient steps, which are one code whatever network they move …"""
TRIED = OFFERED | {"efficientnet-lite0": ("last-blocks",), "ttm-r2": ("norms", "gradual")}
"""… so that all of them are tried on one, and few on the others."""
PAIRS = [(name, strategy) for name in BACKBONES for strategy in (*STRATEGIES, *TRIED[name])]
HEAVY_PAIRS = {
    *((name, "head-sgd") for name in ("efficientnet-lite0", "ttm-r2")),
    ("efficientnet-lite0", "last-blocks"),
    ("ttm-r2", "norms"),
}
"""One code on yet another network: left to the extras."""
LIGHT_AGAIN = {
    *(("lags", strategy) for strategy in STRATEGIES),
    *(("citytune-base", strategy) for strategy in ("zero-shot", "blend", "lora")),
}
AGAIN = [
    pytest.param(
        (name, strategy),
        id=f"{name}-{strategy}",
        marks=() if (name, strategy) in LIGHT_AGAIN else pytest.mark.extras,
    )
    for name, strategy in PAIRS
    if strategy not in BY_STEPS or (name, strategy) == ("citytune-base", "lora")
]
"""What is fitted a second time: one strategy by gradient steps stands for all."""
HORIZON = 24
pytestmark = pytest.mark.usefixtures("asked_once")
PERCENT = Quantity("load", "%", low=0, high=60, domain="energy")

extras = pytest.mark.extras

City = Callable[..., SensorFrame]
Tuned = Callable[[str, str], "Fitted"]
Kind = TypeVar("Kind")


class Fitted(NamedTuple):
    """A model, its city, what it was tuned on, and its backbone's weights before and after."""

    model: TunedModel
    frame: SensorFrame
    learnt: SensorFrame
    before: str
    after: str


def fingerprint(backbone: str) -> str:
    """Of every weight, bit by bit."""
    found = hashlib.sha256()
    for block in load_backbone(backbone).blocks():
        for name, weight in block.state_dict().items():
            found.update(name.encode() + weight.numpy().tobytes())
    return found.hexdigest()


def options_for(strategy: str) -> Options:
    """Each strategy's own forecast, not the stack's."""
    if strategy in BY_STEPS:
        return {**QUICK, **ALONE, "interpolate": False}
    return ALONE if strategy.startswith("head") else {}


def fit(backbone: str, strategy: str, city: City) -> Fitted:
    frame = city(3, 28, turn=1.0, noise=0.1)
    learnt = frame.since(24 * 7) if strategy in BY_STEPS else frame
    before = fingerprint(backbone)
    model = fit_model(
        learnt,
        horizon=HORIZON,
        backbone=backbone,
        strategy=strategy,
        options=options_for(strategy),
    )
    model.forecast(frame)
    return Fitted(model, frame, learnt, before, fingerprint(backbone))


@pytest.fixture(scope="module")
def tuned(city: City, made_once: Callable[..., Fitted]) -> Tuned:
    """By backbone and strategy; each is fitted once for all tests of this file."""

    @functools.cache
    def found(backbone: str, strategy: str) -> Fitted:
        name = f"{backbone}-{strategy}"
        return made_once(name, functools.partial(fit, backbone, strategy, city))

    return found


def there(name: str) -> str:
    if name not in at_hand():
        pytest.skip(missing()[name])
    return name


@pytest.fixture(params=BACKBONES)
def backbone(request: pytest.FixtureRequest, weights: None) -> str:
    return there(request.param)


def params(pairs: Iterable[tuple[str, str]]) -> list[Any]:
    return [
        pytest.param(pair, id="-".join(pair), marks=extras if pair in HEAVY_PAIRS else ())
        for pair in pairs
    ]


@pytest.fixture(params=params(PAIRS))
def fitted(request: pytest.FixtureRequest, weights: None, tuned: Tuned) -> Fitted:
    backbone, strategy = request.param
    return tuned(there(backbone), strategy)


@pytest.fixture(params=params(pair for pair in PAIRS if pair[1] in BY_STEPS))
def moved(request: pytest.FixtureRequest, weights: None, tuned: Tuned) -> Fitted:
    backbone, strategy = request.param
    return tuned(there(backbone), strategy)


def same(one: Forecast, other: Forecast) -> None:
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.quantiles, other.quantiles)


def disturbed(frame: SensorFrame, start: int) -> SensorFrame:
    """Another world from row `start` on."""
    values = frame.values.copy()
    values[start:] = 9_999.0
    return replace(frame, values=values)


def test_in_this_city_there_is_something_to_learn_for_a_head(backbone: str, tuned: Tuned) -> None:
    """Else its tests would say nothing."""
    (head,) = of_kind(tuned(backbone, "head").model, HeadExpert)
    assert head.head.weights.abs().max() > 0.01


def test_the_strategies_tested_here_are_all_there_are() -> None:
    assert sorted(strategies) == sorted((*STRATEGIES, *BY_STEPS))


def test_each_backbone_can_be_tuned_by_the_strategies_tested_here(backbone: str) -> None:
    expected = sorted((*STRATEGIES, *OFFERED[backbone]))
    assert sorted(strategies_for(load_backbone(backbone))) == expected


def test_the_backbone_does_not_move(fitted: Fitted) -> None:
    assert fitted.after == fitted.before


def part_of(fitted: Fitted) -> FineTuned:
    (found,) = of_kind(fitted.model, FineTuned)
    return found


def of_kind(model: TunedModel, kind: type[Kind]) -> list[Kind]:
    return [expert for expert in model.tuned.mixture.experts if isinstance(expert, kind)]


def test_only_the_weights_of_the_strategy_move_and_they_do(moved: Fitted) -> None:
    backbone, part = fitted_backbone(moved), part_of(moved)
    before = dict(root_of(backbone).named_parameters())
    after = dict(root_of(part.applied(backbone)).named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    own_head = {id(w) for w in backbone.blocks()[-1].parameters()}
    heads = {n for n, w in before.items() if id(w) in own_head} if part.head is None else set()
    free, adapted = changed - heads, {n for n, (b, _) in part.low_rank.items() if b.any()}
    assert changed == set(part.values) | adapted
    assert changed
    strategy = moved.model.strategy
    if strategy == "bias":
        assert all(name.endswith("bias") for name in free), free
    if strategy == "norms":
        assert all(before[name].ndim == 1 for name in free), free
    if strategy == "lora":
        assert free == set(part.low_rank) - {
            n for n, (b, _) in part.low_rank.items() if not b.any()
        }
        assert free
    if strategy == "last-blocks":
        blocks = backbone.blocks()
        last = blocks[-1] if part.head is not None else blocks[-2]
        allowed = {id(weight) for weight in last.parameters()}
        assert all(id(before[name]) in allowed for name in free), free
    if strategy in ("full", "gradual"):
        assert len(changed) > 0.8 * len(before)


def fitted_backbone(fitted: Fitted) -> Backbone:
    return load_backbone(fitted.model.card.name)


def test_the_tuned_weights_are_what_forecasts(moved: Fitted, tuned: Tuned) -> None:
    """And not those of the backbone, of which only the tuned differ."""
    model, frame = moved.model, moved.frame
    plain = tuned(model.card.name, "zero-shot").model
    assert not np.allclose(model.forecast(frame).mean, plain.forecast(frame).mean, rtol=1e-4)


def test_none_of_the_way_is_the_model_as_pretrained(moved: Fitted) -> None:
    backbone = fitted_backbone(moved)
    back = part_of(moved).toward_pretrained(backbone, 0.0)
    before = dict(root_of(backbone).named_parameters())
    for name, weight in root_of(back.applied(backbone)).named_parameters():
        assert torch.equal(weight, before[name]), name


def test_a_saved_model_forecasts_the_same_to_the_bit(fitted: Fitted, tmp_path: Path) -> None:
    again = load(fitted.model.save(tmp_path / "model"))
    same(again.forecast(fitted.frame), fitted.model.forecast(fitted.frame))
    assert (again.weights, again.words()) == (fitted.model.weights, fitted.model.words())
    for name in ("spec", "card", "settings", "sensors", "clock", "quantity", "country", "fallback"):
        assert getattr(again, name) == getattr(fitted.model, name), name
    for name in ("trained_until", "covariates", "fold_error", "notes"):
        assert getattr(again, name) == getattr(fitted.model, name), name


@pytest.mark.parametrize("fitted", AGAIN, indirect=True)
def test_the_same_seed_gives_the_same_model(
    fitted: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, frame = fitted.model, fitted.frame
    monkeypatch.setenv("CITYTUNE_CACHE", "off")  # the network is asked anew
    same(refit(model, fitted.learnt).forecast(frame), model.forecast(frame))


def alike(found: Forecast, i: int, expected: Forecast) -> None:
    np.testing.assert_allclose(found.mean[i], expected.mean[0], rtol=2e-5, atol=1e-4)
    np.testing.assert_allclose(found.quantiles[i], expected.quantiles[0], rtol=2e-5, atol=1e-3)


def test_the_forecast_does_not_depend_on_what_happens_next(fitted: Fitted) -> None:
    """The rows after an origin are in the model's hands, since later origins are asked too."""
    model, frame = fitted.model, fitted.frame
    origins = [5, 24 * 9, 24 * 20 + 7, len(frame) - 24, len(frame)]
    together = model.predict(frame, origins)
    for i, origin in enumerate(origins):
        alone = model.predict(frame.until(origin), [origin])
        alike(together, i, alone)
        if origin in (5, 24 * 20 + 7, len(frame) - 24):
            alike(model.predict(disturbed(frame, origin), [origin, len(frame)]), 0, alone)


def test_twice_the_traffic_gives_twice_the_forecast(fitted: Fitted) -> None:
    once = fitted.model.forecast(fitted.frame)
    double = replace(fitted.frame, values=2 * fitted.frame.values)
    np.testing.assert_allclose(fitted.model.forecast(double).point, 2 * once.point, rtol=1e-3)


@pytest.mark.parametrize("strategy", ["zero-shot", "blend"])
def test_a_model_of_twice_the_traffic_forecasts_twice_of_everything(
    backbone: str, strategy: str, tuned: Tuned
) -> None:
    one = tuned(backbone, strategy)
    double = replace(one.frame, values=2 * one.frame.values)
    model = fit_model(double, horizon=HORIZON, backbone=backbone, strategy=strategy)
    found, expected = model.forecast(double), one.model.forecast(one.frame)
    np.testing.assert_allclose(found.mean, 2 * expected.mean, rtol=1e-2)
    np.testing.assert_allclose(found.quantiles, 2 * expected.quantiles, rtol=2e-2, atol=0.05)


def test_the_forecast_goes_on_where_the_frame_ends(fitted: Fitted) -> None:
    model, frame = fitted.model, fitted.frame
    forecast = model.forecast(frame)
    assert forecast.mean.shape == (HORIZON, 3)
    assert forecast.sensors == frame.sensors
    assert forecast.quantity == model.quantity
    assert frame.quantity.named_as(model.quantity)
    assert forecast.clock.timezone == "Europe/Oslo"
    last = frame.clock.moments(len(frame) - 1, 1)[0]
    assert forecast.clock.moments(0, 1)[0] - last == np.timedelta64(1, "h")
    size = np.nanmean(frame.values, axis=0)
    assert (np.abs(forecast.mean.mean(0) / size - 1) < 0.5).all()


def ordered(quantiles: NDArray[np.float32]) -> bool:
    return bool((np.diff(quantiles, axis=-1) >= 0).all())


def test_quantiles_never_cross_and_keep_the_legal_range(fitted: Fitted) -> None:
    assert ordered(fitted.model.forecast(fitted.frame).quantiles)
    bounded = replace(fitted.model, quantity=PERCENT)
    forecast = bounded.forecast(replace(fitted.frame, quantity=PERCENT))
    assert ordered(forecast.quantiles)
    for values in (forecast.mean, forecast.quantiles):
        assert values.min() >= 0
        assert values.max() <= 60


WORLDS = [
    pytest.param(24, 20, 1, id="one step"),
    pytest.param(24, 28, 336, id="two weeks of hours"),
    pytest.param(24, 16, 120, id="five days from sixteen"),
    pytest.param(288, 4, 288, id="a day of 5 minutes"),
    pytest.param(96, 8, 96, id="a day of quarter hours"),
    pytest.param(1, 200, 14, id="two weeks of days"),
    pytest.param(1, 30, 7, id="a week from thirty days"),
    pytest.param(48, 3, 12, id="six hours from three days"),
]


LIGHT_WORLDS = ("two weeks of hours", "a day of 5 minutes", "a week from thirty days")
"""Tried on every network; the others on one, and in the extras on the rest."""
TRIED_BELOW = ("ttm-r2", "two weeks of hours")
"""In a test of its own, which says how good the forecast is."""
IN_WORLDS = [
    pytest.param(
        name, *world.values, id=f"{name}-{world.id}",
        marks=() if name in ("lags", "citytune-base") or world.id in LIGHT_WORLDS else extras,
    )
    for name in BACKBONES
    for world in WORLDS
    if (name, world.id) != TRIED_BELOW
]  # fmt: skip


@pytest.mark.parametrize(("name", "steps_per_day", "days", "horizon"), IN_WORLDS)
def test_any_clock_and_any_horizon(
    weights: None, name: str, city: City, steps_per_day: int, days: int, horizon: int
) -> None:
    backbone = there(name)
    frame = city(1, days, steps_per_day=steps_per_day, turn=0.0)
    strategy = "blend" if backbone == "ttm-r2" else "head"
    model = fit_model(frame, horizon=horizon, backbone=backbone, strategy=strategy)
    forecast = model.forecast(frame)
    assert forecast.mean.shape == (horizon, 1)
    assert ordered(forecast.quantiles)
    assert np.isfinite(forecast.quantiles).all()
    size = np.nanmean(frame.values[-7 * steps_per_day :], axis=0)
    assert (np.abs(forecast.mean.mean(0) / size - 1) < 0.9).all()


def test_two_weeks_ahead_still_know_the_day_and_the_week(weights: None, city: City) -> None:
    """Beyond the 96 steps of its own, the model is asked in passes."""
    if "ttm-r2" not in at_hand():
        pytest.skip(missing()["ttm-r2"])
    frame = city(1, 56, noise=0.05, gaps=0.0, turn=0.0)
    train = frame.until(len(frame) - 336)
    found = fit_model(train, horizon=336, backbone="ttm-r2").forecast(train)
    assert ordered(found.quantiles)
    assert np.isfinite(found.quantiles).all()
    actual = frame.values[-336:]
    error = np.abs(found.mean - actual).reshape(14, 24).mean(1) / actual.mean()
    assert (error < 0.25).all(), error


@pytest.mark.parametrize("day", ["2024-03-31", "2024-10-27"], ids=["spring", "autumn"])
def test_the_hour_of_the_day_is_kept_where_the_clocks_change(
    backbone: str, city: City, day: str
) -> None:
    """A quiet night and a busy noon stay where they are on the day of the change and after it.

    The untouched forecast of a network that is not told the hour cannot know; its blend does. No
    country: the spring day is Easter Sunday, where a blend leans on lenses that know no clock.
    """
    start = (np.datetime64(day, "s") - np.timedelta64(21, "D")).item()
    make = functools.partial(
        city, 1, start=start, steps_per_day=48, gaps=0.0, turn=0.0, country=None
    )
    strategy = "blend" if backbone == "ttm-r2" else "zero-shot"
    frame, horizon = make(days=21, noise=0.02), 2 * 48
    model = fit_model(frame, horizon=horizon, backbone=backbone, strategy=strategy)
    actual = make(days=23, noise=0.0).values[-horizon:]
    error = np.abs(model.forecast(frame).mean - actual)
    shifted = np.abs(np.roll(actual, 2, axis=0) - actual)
    assert error[48:].mean() < shifted[48:].mean() / 2


BY_STEPS_TRIED = [
    ("citytune-base", "lora"),
    ("citytune-base", "full"),
    ("ttm-r2", "gradual"),
    ("efficientnet-lite0", "last-blocks"),
]
HURT = [
    *((name, "blend", "walk") for name in BACKBONES),
    *((name, strategy, "noise") for name in BACKBONES for strategy in STRATEGIES[1:]),
    # By gradient steps, whichever weights move: the stack that judges them is the same for all.
    *((*pair, "noise") for pair in BY_STEPS_TRIED),
]
SLOW_HURT = HEAVY_PAIRS | {("citytune-base", "full"), ("ttm-r2", "gradual")}
"""What the same stack judges beside others of their kind: left to the extras."""


def error_of(backbone: str, strategy: str, kind: str, city: City) -> float:
    """Error where the future has nothing to do with the past, or only with its last value."""
    frame = city(3, 35, timezone=None, country=None)
    steps = np.random.default_rng(1).standard_normal(frame.values.shape)
    values = 100 + (10 * steps if kind == "noise" else steps.cumsum(0))
    frame = replace(frame, values=values.astype(np.float32))
    train, origins = frame.until(24 * 21), range(24 * 21, 24 * 34 + 1, 24)
    actual = np.stack([frame.values[origin : origin + 24] for origin in origins])
    options = QUICK if strategy in BY_STEPS else {}
    model = fit_model(train, horizon=24, backbone=backbone, strategy=strategy, options=options)
    return float(np.abs(model.predict(frame, list(origins)).mean - actual).mean())


@pytest.fixture(scope="module")
def hurt(city: City, made_once: Callable[..., float]) -> Callable[[str, str, str], float]:
    """By backbone, strategy and kind of future; each is fitted once for all processes."""

    def found(*one: str) -> float:
        return made_once("hurt-" + "-".join(one), functools.partial(error_of, *one, city))

    return found


@pytest.mark.parametrize(
    ("name", "strategy", "kind"),
    [
        pytest.param(*one, id="-".join(one), marks=extras if one[:2] in SLOW_HURT else ())
        for one in HURT
    ],
)
def test_where_nothing_can_be_learnt_the_stack_stays_with_the_pretrained_forecast(
    weights: None, name: str, strategy: str, kind: str, hurt: Callable[[str, str, str], float]
) -> None:
    untouched = hurt(there(name), "zero-shot", kind)
    assert hurt(name, strategy, kind) <= 1.015 * untouched


def test_a_time_of_day_that_no_window_started_at_is_no_surprise(
    backbone: str, tuned: Tuned, city: City
) -> None:
    """Windows start every three hours; a head must not go astray in between, or on a holiday."""
    model, frame = tuned(backbone, "head")[:2]
    longer = city(3, 42, turn=1.0, noise=0.1)
    origins = list(range(24 * 34, 24 * 34 + 24)) + list(range(24 * 35, 24 * 41, 5))
    found = model.predict(longer, origins).mean
    actual = np.stack([longer.values[origin : origin + 24] for origin in origins])
    error = np.nanmean(np.abs(found - actual), (1, 3) if found.ndim == 4 else 1)
    assert (error / np.nanmean(frame.values, 0) < 1).all()
