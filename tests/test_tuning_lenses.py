"""The promise: a lens goes there and back without loss, and never shows the model the future."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from citytune.backbones import Card, Past, at_hand, load_backbone, missing, shelf
from citytune.frame import SensorFrame
from citytune.tuning import Batch, forecasts_of
from citytune.tuning.examples._lens_input import HEADROOM, Squash
from citytune.tuning.examples._lenses import LENSES, _between, _means
from citytune.tuning.experts._expert import unfitted
from citytune.windows import Examples, History, Seasonal, WindowSpec

City = Callable[..., SensorFrame]


class Echo:
    """A forecaster that says the last day again, at most a day at once; it keeps what it saw."""

    def __init__(self, context: int = 96, reach: int = 24) -> None:
        self.card: Card = replace(
            shelf()["lags"], name="echo", context=context, context_days=None, horizon=reach
        )
        self.seen: list[Past] = []

    def features(self, past: Past) -> Tensor:
        return past.values[:, -self.card.features :]

    def forecast(self, past: Past, horizon: int) -> Tensor:
        assert horizon <= (self.card.horizon or 0)
        self.seen.append(past)
        day = past.values[:, -past.steps_per_day :]
        return day.repeat(1, -(-horizon // day.shape[1]))[:, :horizon]

    def blocks(self) -> Sequence[nn.Module]:
        return ()


def says(
    frame: SensorFrame, origin: int, horizon: int, backbone: Echo | None = None
) -> dict[str, Tensor]:
    """Every expert's forecast of every sensor from one origin, name → (sensor, horizon)."""
    backbone = backbone or Echo()
    history = History.of(frame, ahead=horizon)
    count = len(frame.sensors)
    examples = Examples(torch.arange(count), torch.full((count,), origin))
    spec = WindowSpec(context=backbone.card.context, horizon=horizon)
    asked = unfitted(backbone.card, history.steps_per_day)
    return forecasts_of(asked, Batch(backbone, Seasonal(history), examples, spec))


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_squashing_goes_there_and_back(size: float) -> None:
    past = size * torch.randn(5, 200, generator=torch.Generator().manual_seed(0)).exp()
    squash = Squash.of(past)
    torch.testing.assert_close(squash.undo(squash.do(past)), past, rtol=1e-4, atol=0)
    torch.testing.assert_close(squash.undo(squash.do(-past)), -past, rtol=1e-4, atol=0)


def test_a_burst_is_tamed_and_a_wild_forecast_has_a_ceiling() -> None:
    past = torch.ones(1, 100)
    past[0, 50] = 1_000.0
    squash = Squash.of(past)
    assert squash.do(past).max() < 10
    ceiling = squash.undo(torch.tensor([[50.0]]))
    assert 1_000 < float(ceiling) < 1_000 * np.exp(HEADROOM) * 1.01
    assert float(squash.undo(torch.tensor([[-50.0]]))) == -float(ceiling)


@pytest.mark.parametrize(
    "past", [torch.zeros(1, 50), torch.eye(50)[:1], torch.full((1, 50), -3.0)],
    ids=["nothing", "one car", "below zero"],
)  # fmt: skip
def test_odd_windows_are_squashed_to_finite_numbers(past: Tensor) -> None:
    squash = Squash.of(past)
    assert squash.do(past).isfinite().all()
    torch.testing.assert_close(squash.undo(squash.do(past)), past, rtol=1e-4, atol=1e-6)


def periodic(city: City, steps_per_day: int = 24, days: int = 60) -> SensorFrame:
    """The same week again and again, in plain time."""
    return city(2, days, steps_per_day=steps_per_day, timezone=None, country=None, noise=0.0,
                gaps=0.0, turn=0.0)  # fmt: skip


@pytest.mark.parametrize("horizon", [1, 24, 168, 336])
def test_a_series_that_repeats_every_week_is_forecast_exactly(city: City, horizon: int) -> None:
    """By every lens that takes off a profile, at any distance ahead."""
    frame = periodic(city, days=80)
    origin = len(frame) - horizon
    found, actual = says(frame, origin, horizon), torch.from_numpy(frame.values[origin:].T.copy())
    for name in ("squashed-minus-week", "squashed-minus-kind", "weeks", "day-kind", "last-week"):
        torch.testing.assert_close(found[name], actual, rtol=1e-3, atol=1e-3, msg=name)
    same = says(frame, origin, horizon)["weeks+level"]
    torch.testing.assert_close(same, actual, rtol=1e-3, atol=1e-3)


def test_at_hourly_means_it_is_exact_too(city: City) -> None:
    frame = periodic(city, steps_per_day=96)
    origin = len(frame) - 96
    found = says(frame, origin, 96, Echo(context=96))["coarse"]
    actual = torch.from_numpy(frame.values[origin:].T.copy())
    torch.testing.assert_close(found, actual, rtol=1e-3, atol=1e-3)


def test_hourly_means_are_asked_only_on_a_fine_clock() -> None:
    def experts_of(card: Card, steps_per_day: int) -> list[str]:
        return [expert.name for expert in unfitted(card, steps_per_day)]

    card = Echo().card
    assert "coarse" not in experts_of(card, 24)
    assert "coarse" in experts_of(card, 96)
    assert set(LENSES) <= set(experts_of(card, 288))
    assert "coarse" not in experts_of(shelf()["citytune-base"], 288)  # it sees weeks by itself
    assert not set(LENSES) & set(experts_of(shelf()["lags"], 288))


def test_a_constant_city_is_forecast_constant_by_all(city: City) -> None:
    frame = periodic(city)
    frame.values[:] = 40.0
    for name, values in says(frame, len(frame), 48).items():
        torch.testing.assert_close(values, torch.full((2, 48), 40.0), rtol=1e-3, atol=0, msg=name)


def test_the_plain_lens_shows_the_series_itself(city: City) -> None:
    frame, backbone = city(2, 40, timezone=None), Echo()
    origin = len(frame) - 10
    found = says(frame, origin, 24, backbone)["plain"]
    history = History.of(frame, ahead=24)
    torch.testing.assert_close(backbone.seen[0].values, history.filled[:, origin - 96 : origin])
    known = ~torch.from_numpy(np.isnan(frame.values[origin - 96 : origin].T))
    assert torch.equal(backbone.seen[0].measured, known)
    torch.testing.assert_close(found, history.filled[:, origin - 24 : origin])


def test_the_model_is_told_the_calendar_of_what_it_is_asked(city: City) -> None:
    frame, backbone = city(1, 40), Echo()
    says(frame, len(frame), 60, backbone)
    told = torch.stack([past.calendar[0, 96] for past in backbone.seen[:3]])  # first step ahead
    cal = frame.calendar(0, len(frame) + 60)
    for i, step in enumerate((0, 24, 48)):
        at = len(frame) + step
        expected = [cal.slot[at] / 24, cal.weekday[at], cal.holiday[at]]
        torch.testing.assert_close(told[i], torch.tensor(expected, dtype=torch.float32))


def test_a_long_horizon_is_asked_in_passes_each_fed_with_the_one_before(city: City) -> None:
    frame, backbone = periodic(city), Echo()
    says(frame, len(frame), 60, backbone)
    first, second, third = backbone.seen[:3]
    torch.testing.assert_close(second.values[:, :-24], first.values[:, 24:])
    torch.testing.assert_close(third.values[:, -24:], second.values[:, -24:])
    assert second.measured[:, -24:].all()


def test_a_very_long_horizon_is_asked_at_block_means(city: City) -> None:
    """Beyond four passes; the blocks' own means come out right."""
    frame, backbone = periodic(city), Echo()
    frame.values[:] = np.tile(np.arange(24.0), 60)[:, None]
    found = says(frame, len(frame), 192, backbone)["plain"]
    assert len({past.values.shape for past in backbone.seen}) == 1
    blocks = found.unflatten(1, (-1, 2)).mean(-1)
    expected = torch.arange(24.0).unflatten(0, (-1, 2)).mean(-1).repeat(8)
    torch.testing.assert_close(blocks, expected.expand(2, -1))


@pytest.mark.parametrize("horizon", [192, 205, 290, 480])
def test_blocks_of_a_very_long_horizon_fill_the_day_and_keep_their_calendar(
    city: City, horizon: int
) -> None:
    """And what was measured: a network that knows the hour must be asked about the right one."""
    frame, backbone = city(1, 60, gaps=0.3), Echo()
    says(frame, len(frame), horizon, backbone)
    first = backbone.seen[0]
    every = 24 // first.steps_per_day
    assert every * first.steps_per_day == 24
    cal = frame.calendar(0, len(frame) + horizon)
    begin = len(frame) - every * first.values.shape[1]
    when = begin + every * np.arange(first.calendar.shape[1])
    expected = np.stack([cal.slot[when] / 24, cal.weekday[when], cal.holiday[when]], 1)
    torch.testing.assert_close(first.calendar[0], torch.from_numpy(expected).float())
    known = ~np.isnan(frame.values[begin:, 0]).reshape(-1, every)
    assert first.measured[0].tolist() == known.any(1).tolist()


def test_means_are_aligned_to_the_origin() -> None:
    assert _means(torch.arange(7.0)[None], 3).tolist() == [[2.0, 5.0]]


@pytest.mark.parametrize("every", [1, 2, 4, 12])
def test_between_block_means_lies_a_straight_line(every: int) -> None:
    line = torch.arange(-every, 10 * every) * 2.0
    means = _means(line[None], every)
    found = _between(means[:, :1], means[:, 1:], every, 9 * every)
    torch.testing.assert_close(found[0], line[every : 10 * every])


def test_between_block_means_nothing_leaves_their_range() -> None:
    ahead = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    found = _between(torch.zeros(3, 1), ahead, 12, 70)
    assert found.shape == (3, 70)
    assert found.max() <= max(float(ahead.max()), 0.0)
    assert found.min() >= min(float(ahead.min()), 0.0)


LATE = {
    "hours": (24, 50, [24 * 3, 24 * 20 + 5, 24 * 45], 48),
    "quarters": (96, 16, [96 * 2, 96 * 12 + 7], 96),
    "days": (1, 120, [9, 100], 14),
}


@pytest.mark.parametrize("clock", LATE)
@pytest.mark.parametrize("name", ["echo", "citytune-base", "ttm-r2"])
def test_no_expert_looks_ahead(city: City, weights: None, clock: str, name: str) -> None:
    if name != "echo" and name not in at_hand():
        pytest.skip(missing()[name])
    backbone = Echo() if name == "echo" else load_backbone(name)
    steps_per_day, days, origins, horizon = LATE[clock]
    frame = city(2, days, steps_per_day=steps_per_day)
    for origin in origins:
        values = frame.values.copy()
        values[origin:] = 9_999.0
        expected = says(frame, origin, horizon, backbone)  # type: ignore[arg-type]
        found = says(replace(frame, values=values), origin, horizon, backbone)  # type: ignore[arg-type]
        for expert in expected:
            torch.testing.assert_close(
                found[expert], expected[expert], rtol=1e-4, atol=1e-3, msg=f"{expert} at {origin}"
            )


def test_every_expert_scales_with_the_traffic(city: City) -> None:
    frame = city(2, 40)
    once = says(frame, len(frame), 30)
    twice = says(replace(frame, values=2 * frame.values), len(frame), 30)
    for name in once:
        torch.testing.assert_close(twice[name], 2 * once[name], rtol=1e-4, atol=1e-3, msg=name)


def test_where_the_clocks_change_a_profile_is_taken_off_by_local_time(city: City) -> None:
    """Seen through the profile, a city that keeps its hours has nothing left to forecast."""
    frame = city(
        1, 60, start=dt.datetime(2024, 9, 7, 22), country=None, noise=0.0, gaps=0.0, turn=0.0
    )
    origin = 24 * 54
    found = says(frame, origin, 72)["squashed-minus-week"]
    actual = torch.from_numpy(frame.values[origin : origin + 72].T.copy())
    torch.testing.assert_close(found, actual, rtol=1e-3, atol=1e-3)
