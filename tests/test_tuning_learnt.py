"""The promise: what is learnt here is followed as far as it is to be expected to gain."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_tuning_gate import task

from citytune.tuning import Task
from citytune.tuning.trust._learnt import share_of

HORIZON, DAY = 24, 24


def shares_of(gain: float, days: int, weeks: int, *, noise: float, draws: int = 60) -> list[float]:
    """What is taken of a true gain on some weeks of evidence, when days differ by chance."""
    draw = torch.Generator().manual_seed(0)
    found = []
    for _ in range(draws):
        bumps = torch.randn(7 * weeks + 1, generator=draw)
        daily = noise * (bumps[1:] + 0.4 * bumps[:-1]) / 1.16**0.5
        share = share_of(stand_in(days, 7 * weeks), (1 - gain - daily)[:, None])
        found.append(float(share.mean()))
    return found


def stand_in(days: int, evidence: int) -> Task:
    made = task([1.0] * evidence)
    made.history.end = days * DAY  # type: ignore[misc]
    return made


@pytest.mark.parametrize(("days", "weeks", "taken"), [(90, 9, 0.4), (365, 17, 0.65)])
def test_a_true_gain_is_mostly_taken_and_a_false_one_mostly_not(
    days: int, weeks: int, taken: float
) -> None:
    true, none, false = (
        np.mean(shares_of(gain, days, weeks, noise=0.12)) for gain in (0.03, 0.0, -0.05)
    )
    assert true > taken
    assert none < 0.9  # what scouts show falls short of what comes
    assert false < 0.3


def test_it_takes_the_place_of_the_pretrained_forecast_by_sensor() -> None:
    made = task([1.0] * 240, sensors=2)
    made.history.end = 365 * DAY  # type: ignore[misc]
    errors = torch.cat([torch.full((120,), 0.9), torch.full((120,), 1.3)])
    good, bad = share_of(made, errors[:, None].expand(-1, HORIZON)).mean(0).tolist()
    assert good > 0.9
    assert bad < 0.1


def test_every_band_ahead_is_judged_by_itself() -> None:
    made = task([1.0] * 120)
    made.history.end = 365 * DAY  # type: ignore[misc]
    errors = torch.full((120, HORIZON), 1.3)
    errors[:, :6] = 0.9
    first, later = share_of(made, errors)[:, 0].tolist()
    assert first > 0.9
    assert later < 0.1


def test_a_gain_is_followed_less_the_further_the_network_has_moved_for_it() -> None:
    made = stand_in(365, 119)
    near, beyond = torch.full((119, HORIZON), 0.97), torch.full((119, HORIZON), -0.97)
    assert float(share_of(made, near).mean()) > 0.9
    assert float(share_of(made, beyond).mean()) == pytest.approx(0.5, abs=0.05)  # where none errs
