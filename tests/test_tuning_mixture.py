"""The promise: a mixture follows its weights and its trust, and asks only the experts it needs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from citytune.tuning import Mixture, SeasonalExpert, bands, in_words
from citytune.tuning.experts._lens import LensExpert
from citytune.tuning.experts._mixture import mix
from citytune.tuning.stacking._stats import t_inflation

HORIZON = 24
NAMES = ("days", "weeks", "yesterday")


def mixture(weights: Tensor, trust: Tensor | float = 1.0) -> Mixture:
    """Of three rules, around "days"."""
    experts = tuple(map(SeasonalExpert, NAMES))
    each = weights.expand(len(bands(HORIZON)), 1, -1)
    return Mixture(experts, each, "days").trusted(trust)


def test_each_sensor_is_mixed_by_its_own_weights() -> None:
    forecasts = torch.arange(3.0).expand(4, HORIZON, 3)
    weights = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]).expand(2, 2, 3)
    found = mix(forecasts, weights, torch.tensor([0, 1, 1, 0]))
    torch.testing.assert_close(found.mean(1), torch.tensor([0.0, 1.5, 1.5, 0.0]))


def test_each_sensor_is_followed_as_far_as_it_is_trusted() -> None:
    one = mixture(torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 0.25, 1.0]))
    torch.testing.assert_close(
        one.trust_of(torch.tensor([2, 0, 1, 1])), torch.tensor([[1.0], [0.0], [0.25], [0.25]])
    )
    shares = one.shares(HORIZON)["0-6"]
    assert shares == pytest.approx({"days": (1 + 0.75) / 3, "weeks": (0.25 + 1) / 3})


def test_only_experts_that_count_are_asked_and_the_prior_where_trust_is_not_whole() -> None:
    one = mixture(torch.tensor([0.0, 1.0, 0.0]))
    assert [expert.name for expert in one.needed] == ["weeks"]
    for trust in (0.5, torch.tensor([1.0, 0.5])):
        assert [expert.name for expert in one.trusted(trust).needed] == ["days", "weeks"]
    assert [expert.name for expert in one.trusted(0.0).needed] == ["days"]


def test_the_network_is_not_asked_once_more_for_next_to_nothing() -> None:
    experts = (LensExpert("plain"), LensExpert("squashed"), SeasonalExpert("days"))
    for share, asked in ((0.015, ["plain", "days"]), (0.025, ["plain", "squashed", "days"])):
        weights = torch.tensor([0.98 - share, share, 0.02])
        one = Mixture(experts, weights.expand(len(bands(HORIZON)), 1, -1), "plain")
        assert [expert.name for expert in one.needed] == asked


def test_parts_that_do_not_fit_are_refused() -> None:
    one = mixture(torch.ones(3) / 3)
    with pytest.raises(ValueError, match="not of 2 experts"):
        replace(one, experts=one.experts[:2])
    with pytest.raises(ValueError, match="'plain' is none of the experts"):
        replace(one, prior="plain")
    with pytest.raises(ValueError, match="two experts called 'days'"):
        replace(one, experts=(one.experts[0], one.experts[0], one.experts[1]))


def test_the_main_parts_are_told_in_words() -> None:
    words = {name: name.upper() for name in "abcde"}
    shares = {"a": 0.5, "b": 0.2, "c": 0.15, "d": 0.1, "e": 0.05}
    assert in_words(shares, words) == "50 % A, 20 % B, 15 % C, 15 % others"


def test_the_allowance_for_few_days_is_that_of_student() -> None:
    """t and normal quantiles at 95 %, from a printed table."""
    for freedom, t in ((3, 2.353), (4, 2.132), (10, 1.812), (30, 1.697)):
        assert t_inflation(freedom) == pytest.approx(t / 1.645, rel=0.02)
