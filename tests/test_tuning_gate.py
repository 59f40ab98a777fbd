"""The promise: the forecast leaves the pretrained one only as far as gains out of fold repeat."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from citytune.forecasting import fit_model, task_of
from citytune.frame import SensorFrame
from citytune.settings import Settings
from citytune.tuning import LensExpert, Mixture, SeasonalExpert
from citytune.tuning.stacking._pool import Pool
from citytune.tuning.stacking._stack import bands
from citytune.tuning.task._task import Task
from citytune.tuning.trust._gate import gate, in_words

HORIZON, DAY = 24, 24
City = Callable[..., SensorFrame]


def task(
    errors: list[float],
    *,
    horizon: int = HORIZON,
    caution: float = 2.0,
    sensors: int = 1,
    voice: list[float] | None = None,
) -> Task:
    """A window a day and sensor, of which the pretrained forecast is off by so much of 0.

    All windows of the first sensor come first.
    """
    said = torch.tensor(errors)[:, None].expand(-1, horizon)
    days = len(errors) // sensors
    sensor = torch.arange(sensors).repeat_interleave(days)
    found = SimpleNamespace(
        actual=torch.zeros_like(said),
        known=torch.ones(said.shape, dtype=torch.bool),
        scale=torch.ones(len(errors), 1),
        day=torch.arange(days).repeat(sensors),
        windows=SimpleNamespace(sensor=sensor),
        pool=(pool := Pool(torch.tensor(voice or [1.0] * sensors), torch.ones(0))),
        recency=torch.ones(len(errors)),
        age=torch.arange(days, 0, -1).repeat(sensors).float(),
        settings=Settings(horizon=horizon, caution=caution),
        prior="plain",
        forecast_of=lambda name: said,
        expert=LensExpert,
        spec=SimpleNamespace(horizon=horizon),
        history=SimpleNamespace(steps_per_day=DAY, first=0, end=days * DAY),
        memory=None,
    )
    found.pool = pool._replace(weight=pool.voice[sensor])
    return cast("Task", found)


def shares(of: Task, errors: list[float], unseen: list[bool] | None = None) -> list[float]:
    """How far each sensor follows a mixture that is off by so much."""
    says = torch.tensor(errors)[:, None].expand(-1, of.spec.horizon)
    seen = torch.ones(len(errors), dtype=torch.bool) if unseen is None else torch.tensor(unseen)
    return gate(of, says, seen).tolist()


def trust(of: Task, errors: list[float], unseen: list[bool] | None = None) -> float:
    """The same of a single sensor."""
    (share,) = shares(of, errors, unseen)
    return share


def test_a_large_gain_of_every_day_is_followed_all_the_way() -> None:
    assert trust(task([1.0] * 20), [0.8] * 20) == 1.0


def test_a_small_gain_of_every_day_is_followed_in_part() -> None:
    assert trust(task([1.0] * 20), [0.97] * 20) == pytest.approx(0.5, abs=1e-4)


def test_a_loss_is_not_followed() -> None:
    assert trust(task([1.0] * 20), [1.02] * 20) == 0.0


def test_a_gain_that_does_not_repeat_is_not_followed() -> None:
    once = [1.0] * 19 + [0.2]
    assert trust(task([1.0] * 20), once) < 0.2
    often = [1.0 - 0.04 * 2 * (i % 2) for i in range(20)]
    assert trust(task([1.0] * 20), often) > 0.4


def test_what_the_weights_have_seen_proves_nothing() -> None:
    flattered = [0.1] * 10 + [1.1] * 10
    assert trust(task([1.0] * 20), flattered, [False] * 10 + [True] * 10) == 0.0
    for caution in (0.0, 2.0):  # without any proof there is no gain to trust
        assert trust(task([1.0] * 20, caution=caution), [0.5] * 20, [False] * 20) == 0.0


def test_longer_forecasts_need_more_days() -> None:
    wavering = [0.9 + 0.15 * (i % 2) for i in range(20)]
    found = [trust(task([1.0] * 20, horizon=h), wavering) for h in (24, 48, 24 * 14)]
    assert found[0] > found[1] > found[2]


def test_one_day_with_a_broken_sensor_does_not_decide() -> None:
    broken = [0.8] * 29 + [25.0]
    assert trust(task([1.0] * 30), broken) > 0.5


def test_caution_is_the_dial() -> None:
    slight = [0.95 + 0.02 * (i % 2) for i in range(20)]
    found = [trust(task([1.0] * 20, caution=c), slight) for c in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert found == sorted(found, reverse=True)
    assert (found[0], len(set(found))) == (1.0, 4)  # all the way with a caution of 0 and of 1


def wavering(size: float, seed: int) -> list[float]:
    """Losses of 20 days around `size`."""
    draw = torch.Generator().manual_seed(seed)
    return (size + 0.05 * torch.randn(20, generator=draw)).tolist()


def test_each_sensor_is_judged_by_its_own_gains() -> None:
    of = task([1.0] * 80, sensors=4)
    found = shares(of, [*wavering(0.8, 0), *wavering(0.8, 1), *wavering(0.8, 2), *[1.1] * 20])
    assert min(found[:3]) > 0.9
    assert found[3] == 0.0


def test_a_sensor_that_counts_for_nothing_moves_no_other() -> None:
    good = [*wavering(0.95, 0), *wavering(0.97, 1), *wavering(0.96, 2)]
    alone = shares(task([1.0] * 60, sensors=3), good)
    for bad in (wavering(1.4, 3), wavering(0.4, 4)):
        beside = task([1.0] * 80, sensors=4, voice=[1.0, 1.0, 1.0, 1e-3])
        assert shares(beside, good + bad)[:3] == pytest.approx(alone, abs=0.02)


def test_sensors_that_differ_by_chance_alone_are_judged_together() -> None:
    """Six days of one sensor show nothing; those of ten sensors do."""
    draw = torch.Generator().manual_seed(0)
    errors = 0.93 + 0.12 * torch.randn(10, 6, generator=draw)
    alone = [trust(task([1.0] * 6), row.tolist()) for row in errors]
    found = shares(task([1.0] * 60, sensors=10), errors.flatten().tolist())
    assert sum(found) > sum(alone) + 1
    assert max(found) - min(found) < max(alone) - min(alone)


def test_a_sensor_without_evidence_follows_the_others() -> None:
    of = task([1.0] * 40, sensors=2)
    of.known[20:] = False
    assert shares(of, [0.8] * 40) == [1.0, 1.0]


def test_a_model_with_no_fold_stays_as_pretrained_and_says_so(city: City) -> None:
    model = fit_model(city(2, 12), horizon=24 * 7, backbone="citytune-base", strategy="blend")
    assert model.weights == {band: {"plain": 1.0} for band in model.weights}
    (note,) = model.notes
    assert (
        "too few to test fine-tuning, so the forecast is the pretrained model's own forecast"
        in note
    )


def test_it_is_said_how_far_the_forecast_goes() -> None:
    of, unseen = task([1.0] * 20), torch.ones(20, dtype=torch.bool)
    assert in_words(1.0, of, unseen) == ()
    (said,) = in_words(0.43, of, unseen)
    assert "goes 43 % of the way there from the pretrained model's own forecast" in said
    (said,) = in_words(0.0, of, unseen)
    assert said.endswith("so it is unchanged: the pretrained model's own forecast")


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_forecast_lies_on_the_line_to_the_mixture(share: float, city: City) -> None:
    task = task_of(city(2, 40), horizon=HORIZON, backbone="lags")
    rules = tuple(map(SeasonalExpert, ("days", "weeks", "yesterday")))
    whole = Mixture(rules, torch.full((len(bands(HORIZON)), 1, 3), 1 / 3), "days")
    far, near = (one.forecast(task.live).mean for one in (whole, whole.trusted(share)))
    home = Mixture.of_one(rules[0], "days", HORIZON).forecast(task.live).mean
    torch.testing.assert_close(near, home + share * (far - home), rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(near, task.replay(whole.trusted(share)))


def test_every_sensor_goes_its_own_share_of_the_way(city: City) -> None:
    task = task_of(city(2, 40), horizon=HORIZON, backbone="lags")
    weights = torch.full((len(bands(HORIZON)), 1, 2), 0.5)
    rules = tuple(map(SeasonalExpert, ("days", "weeks")))
    mixture = Mixture(rules, weights, "days", trust=torch.tensor([0.0, 1.0]))
    found = mixture.forecast(task.live).mean
    for sensor, share in enumerate((0.0, 1.0)):
        own = task.live.examples.sensor == sensor
        one = mixture.trusted(share).forecast(task.live).mean
        torch.testing.assert_close(found[own], one[own])
    torch.testing.assert_close(found, task.replay(mixture))


def test_without_trust_only_the_pretrained_forecast_is_asked_for() -> None:
    weights = torch.full((len(bands(HORIZON)), 1, 3), 1 / 3)
    experts = LensExpert("plain"), SeasonalExpert("weeks"), SeasonalExpert("days")
    mixture = Mixture(experts, weights, "plain").trusted(0.0)
    assert mixture.needed == (LensExpert("plain"),)
    assert mixture.shares(HORIZON)["0-6"] == {"plain": 1.0}
    half = mixture.trusted(torch.tensor([0.0, 1.0]))
    assert half.shares(HORIZON)["0-6"] == pytest.approx(
        {"plain": 2 / 3, "weeks": 1 / 6, "days": 1 / 6}
    )
