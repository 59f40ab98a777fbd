"""The promise: `lags` tells what anyone would write down by hand, and nothing of the future."""

import pytest
import torch

from citytune.backbones import Past, load_backbone
from citytune.backbones._lags import CARD, MEAN_DAYS, RECENT, SHAPE_POINTS, SHAPES

CLOCKS = [1440, 288, 96, 48, 24, 8, 1]


def past_of(values: torch.Tensor, steps_per_day: int, horizon: int = 3) -> Past:
    steps = torch.arange(values.shape[1] + horizon)
    day = steps % steps_per_day / steps_per_day
    weekday = steps.div(steps_per_day, rounding_mode="floor") % 7
    calendar = torch.stack([day, weekday, torch.zeros(len(steps))], 1).float()
    known = torch.ones_like(values, dtype=torch.bool)
    return Past(values, known, calendar.expand(len(values), -1, -1), steps_per_day)


def window(length: int, examples: int = 3) -> torch.Tensor:
    return torch.rand(examples, length, generator=torch.Generator().manual_seed(0)) * 100


@pytest.mark.parametrize("steps_per_day", CLOCKS)
def test_every_clock_gives_the_same_features(steps_per_day: int) -> None:
    length = CARD.context_at(steps_per_day)
    found = load_backbone("lags").features(past_of(window(length), steps_per_day))
    assert found.shape == (3, CARD.features)
    assert found.isfinite().all()


@pytest.mark.parametrize("length", [1, 5, 30, 700])
def test_a_window_of_any_length_will_do(length: int) -> None:
    found = load_backbone("lags").features(past_of(window(length), 24))
    assert found.shape == (3, CARD.features)
    assert found.isfinite().all()


def test_another_unit_gives_the_same_features() -> None:
    lags, values = load_backbone("lags"), window(672)
    torch.testing.assert_close(
        lags.features(past_of(values, 24)),
        lags.features(past_of(values * 1000 - 5000, 24)),
        rtol=1e-3,
        atol=1e-4,
    )


def test_the_first_features_are_the_last_values() -> None:
    values = window(672)
    scaled = (values - values.mean(1, keepdim=True)) / values.std(1, keepdim=True, correction=0)
    found = load_backbone("lags").features(past_of(values, 24))
    torch.testing.assert_close(found[:, :RECENT], scaled[:, -RECENT:])


def test_shapes_are_the_same_hours_of_past_days() -> None:
    values = window(672)
    scaled = (values - values.mean(1, keepdim=True)) / values.std(1, keepdim=True, correction=0)
    shapes = load_backbone("lags").features(past_of(values, 24))[:, RECENT + MEAN_DAYS :]
    for place, ago in enumerate(SHAPES):
        day = scaled[:, 672 - 24 * ago :][:, :24]
        torch.testing.assert_close(
            shapes[:, place * SHAPE_POINTS : (place + 1) * SHAPE_POINTS], day
        )


def test_monday_and_saturday_differ_by_the_calendar_alone() -> None:
    past = past_of(window(672), 24)
    later = past._replace(calendar=past.calendar.clone())
    later.calendar[..., 1] = (later.calendar[..., 1] + 5) % 7
    lags = load_backbone("lags")
    differ = (lags.features(past) != lags.features(later)).any(0)
    weekdays_and_week = 7 + 6
    assert 2 < differ.sum() <= weekdays_and_week


def test_a_holiday_ahead_is_told_on_its_own_day() -> None:
    past = past_of(window(672), 24, horizon=72)
    feast = past._replace(calendar=past.calendar.clone())
    feast.calendar[:, 672 + 24 : 672 + 48, 2] = 1
    lags = load_backbone("lags")
    differ = (lags.features(feast) - lags.features(past))[0]
    assert differ.count_nonzero() == 1
    assert differ.max() == 1
