"""The promise: a mixture follows its weights, and leans on steady experts in holiday seasons."""

from __future__ import annotations

import datetime as dt

import pytest
import torch

from citytune.frame import Clock, SensorFrame
from citytune.tuning import KNOWN
from citytune.tuning._mixture import SEASON_SHARE, STEADY, mix_in_season
from citytune.tuning._stats import t_inflation
from citytune.windows import Examples, History

NAMES = ("plain", *STEADY, "weeks")
START = dt.datetime(2022, 12, 20)
HORIZON = 24


def world(country: str | None) -> tuple[History, Examples]:
    """One sensor; windows that forecast 22 and 27 December."""
    clock = Clock(START, dt.timedelta(hours=1))
    frame = SensorFrame(torch.ones(240, 1).numpy(), clock, ("a",), country=country)
    origin = torch.tensor([2 * 24, 7 * 24])
    return History.of(frame, ahead=HORIZON), Examples(torch.zeros(2, dtype=torch.long), origin)


def ask(names: tuple[str, ...], shares: list[float], country: str | None = "NO") -> torch.Tensor:
    """Experts that say 0, 1, 2, … mixed by `shares`: the mean of each window."""
    history, examples = world(country)
    says = torch.arange(float(len(names))).expand(2, HORIZON, -1)
    weights = torch.tensor(shares).expand(2, 1, -1)
    season = history.season[examples.origin[:, None] + torch.arange(HORIZON)]
    return mix_in_season(season, examples.sensor, says, weights, names).mean(1)


def test_on_ordinary_days_the_weights_say_it_all() -> None:
    shares = [0.1, 0.2, 0.3, 0.4]
    ordinary = sum(i * share for i, share in enumerate(shares))
    torch.testing.assert_close(ask(NAMES, shares)[0], torch.tensor(ordinary))
    torch.testing.assert_close(ask(NAMES, shares, None), torch.tensor([ordinary, ordinary]))


def test_between_christmas_and_new_year_most_weight_goes_to_the_steady_experts() -> None:
    found = ask(NAMES, [0.0, 0.0, 0.0, 1.0])[1]
    expected = (1 - SEASON_SHARE) * 3 + SEASON_SHARE * (1 + 2) / 2
    torch.testing.assert_close(found, torch.tensor(expected))


def test_what_is_known_ahead_keeps_its_share_at_christmas() -> None:
    found = ask((*NAMES, KNOWN), [0.0, 0.0, 0.0, 0.5, 0.5])[1]
    lean = 0.5 * SEASON_SHARE
    expected = 0.5 * 4 + 0.5 * (1 - SEASON_SHARE) * 3 + lean * (1 + 2) / 2
    torch.testing.assert_close(found, torch.tensor(expected))


def test_a_mixture_without_steady_experts_stays_as_it_is() -> None:
    torch.testing.assert_close(ask(("days", "weeks"), [0.25, 0.75]), torch.tensor([0.75, 0.75]))


def test_the_allowance_for_few_days_is_that_of_student() -> None:
    """t and normal quantiles at 95 %, from a printed table."""
    for freedom, t in ((3, 2.353), (4, 2.132), (10, 1.812), (30, 1.697)):
        assert t_inflation(freedom) == pytest.approx(t / 1.645, rel=0.02)
