"""The promise: every backbone at hand keeps the same contract, whatever it was trained on."""

import copy
import math
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from citytune.backbones import Backbone, Past, at_hand, load_backbone, missing, shelf

SHARED = Path(__file__).parents[2] / "shared"
BUILT_IN = ("citytune-base", "efficientnet-lite0", "lags", "resnet50", "ttm-r2")
CLOCKS = [288, 96, 24, 1]
HORIZON = 48


@pytest.fixture(params=BUILT_IN)
def backbone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Backbone:
    if (SHARED / "weights").is_dir():
        folders = [str(SHARED / "weights"), os.environ.get("CITYTUNE_WEIGHTS", "")]
        monkeypatch.setenv("CITYTUNE_WEIGHTS", os.pathsep.join(folders))
    if request.param not in at_hand():
        pytest.skip(missing()[request.param])
    return load_backbone(request.param)


def city(examples: int, length: int, steps_per_day: int) -> Tensor:
    """Daily cycles with noise, all positive, each of its own size."""
    draw = torch.Generator().manual_seed(7)
    steps = torch.arange(length) - length
    cycle = 2 + torch.sin(2 * math.pi * steps / max(steps_per_day, 7))
    noise = 0.3 * torch.rand(examples, length, generator=draw)
    return (cycle + noise) * torch.arange(1, examples + 1)[:, None]


def past_of(values: Tensor, steps_per_day: int = 24) -> Past:
    steps = torch.arange(values.shape[1] + HORIZON)
    day = steps % steps_per_day / steps_per_day
    weekday = steps.div(steps_per_day, rounding_mode="floor") % 7
    calendar = torch.stack([day, weekday, torch.zeros(len(steps))], 1).float()
    known = torch.ones_like(values, dtype=torch.bool)
    return Past(values, known, calendar.expand(len(values), -1, -1), steps_per_day)


def answers(backbone: Backbone, past: Past) -> list[Tensor]:
    """Features, and the forecast where there is one."""
    ahead = backbone.forecast(past, HORIZON)
    return [backbone.features(past)] + ([] if ahead is None else [ahead])


def test_the_card_tells_the_truth(backbone: Backbone) -> None:
    card, past = backbone.card, past_of(city(3, 672, 24))
    weights = {id(w): w for block in backbone.blocks() for w in block.parameters()}
    assert card == shelf()[card.name]
    assert backbone.features(past).shape == (3, card.features)
    counted = sum(weight.numel() for weight in weights.values())
    assert 0.998 * card.parameters <= counted <= card.parameters  # positions may belong to no part
    ahead = backbone.forecast(past, HORIZON)
    assert (ahead is None) == (card.horizon is None)
    assert ahead is None or ahead.shape == (3, HORIZON)
    assert all((card.title, card.licence, card.trained_on, card.source, card.get))
    assert card.get.endswith(".")


def test_it_is_frozen(backbone: Backbone) -> None:
    for block in backbone.blocks():
        assert not any(part.training for part in block.modules())
        assert not any(weight.requires_grad for weight in block.parameters())
    assert not backbone.features(past_of(city(2, 672, 24))).requires_grad


def test_the_backbone_does_not_move(backbone: Backbone) -> None:
    before = copy.deepcopy([block.state_dict() for block in backbone.blocks()])
    answers(backbone, past_of(city(40, 672, 24)))
    after = [block.state_dict() for block in backbone.blocks()]
    torch.testing.assert_close(after, before, rtol=0, atol=0)


@pytest.mark.parametrize("steps_per_day", CLOCKS)
def test_it_answers_on_any_clock(backbone: Backbone, steps_per_day: int) -> None:
    values = city(2, backbone.card.context_at(steps_per_day), steps_per_day)
    for found in answers(backbone, past_of(values, steps_per_day)):
        assert found.dtype == torch.float32
        assert found.isfinite().all()


@pytest.mark.parametrize(
    "values",
    [
        torch.zeros(2, 672),
        torch.full((2, 672), 1e6),
        city(2, 672, 24) * 1e30,
        city(2, 672, 24) * 1e-30,
        city(2, 672, 24) * 1e-3 + 1e5,
        city(2, 1, 24),
        city(2, 5, 24),
        city(2, 30, 24),
        torch.nn.functional.one_hot(torch.tensor([0, 671]), 672).float(),
    ],
    ids=["zero", "constant", "huge", "tiny", "narrow", "one", "five", "day", "spike"],
)
def test_odd_windows_get_finite_answers(backbone: Backbone, values: Tensor) -> None:
    for found in answers(backbone, past_of(values)):
        assert found.isfinite().all()


def test_a_constant_window_is_forecast_constant(backbone: Backbone) -> None:
    if backbone.card.horizon is None:
        pytest.skip("it cannot forecast")
    ahead = backbone.forecast(past_of(torch.full((1, 672), 40.0)), HORIZON)
    torch.testing.assert_close(ahead, torch.full((1, HORIZON), 40.0), atol=2.0, rtol=0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gap_is_refused_not_spread(backbone: Backbone, bad: float) -> None:
    values = city(3, 672, 24)
    values[1, 600] = bad
    with pytest.raises(ValueError, match="NaN or infinite"):
        backbone.features(past_of(values))


def test_no_window_at_all_gives_no_row(backbone: Backbone) -> None:
    for found in answers(backbone, past_of(city(1, 672, 24)[:0])):
        assert len(found) == 0


def test_the_same_window_gives_the_same_answer(backbone: Backbone) -> None:
    past = past_of(city(150, 672, 24))
    once, again = answers(backbone, past), answers(backbone, past)
    torch.testing.assert_close(once, again, rtol=0, atol=0)


def test_a_window_is_not_swayed_by_its_neighbours(backbone: Backbone) -> None:
    values = city(150, 672, 24)
    alone = answers(backbone, past_of(values[:1]))
    for found, expected in zip(answers(backbone, past_of(values)), alone, strict=True):
        torch.testing.assert_close(found[:1], expected, rtol=1e-4, atol=1e-4)


def test_threads_do_not_change_the_answer(backbone: Backbone) -> None:
    past, threads = past_of(city(150, 672, 24)), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        several = answers(backbone, past)
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        torch.testing.assert_close(answers(backbone, past), several, rtol=1e-4, atol=1e-4)
    finally:
        torch.set_num_threads(threads)


def test_the_future_is_not_looked_at(backbone: Backbone) -> None:
    """A window cut from a series does not change with what the series does next."""
    series = city(3, 672 + HORIZON, 24)
    disturbed = series.clone()
    disturbed[:, 672:] = 9_999.0
    torch.testing.assert_close(
        answers(backbone, past_of(series[:, :672])), answers(backbone, past_of(disturbed[:, :672]))
    )


def test_the_windows_shown_are_left_as_they_were(backbone: Backbone) -> None:
    past = past_of(city(3, 672, 24))
    before = copy.deepcopy(past)
    answers(backbone, past)
    torch.testing.assert_close(past, before, rtol=0, atol=0)


def test_the_unit_does_not_matter_to_the_features(backbone: Backbone) -> None:
    values = city(3, 672, 24)
    torch.testing.assert_close(
        backbone.features(past_of(values * 256 + 64)),
        backbone.features(past_of(values)),
        rtol=1e-3,
        atol=1e-3,
    )


def test_twice_the_traffic_gives_twice_the_forecast(backbone: Backbone) -> None:
    values = city(3, 672, 24)
    once = backbone.forecast(past_of(values), HORIZON)
    if once is None:
        pytest.skip("it cannot forecast")
    twice = backbone.forecast(past_of(2 * values), HORIZON)
    raised = backbone.forecast(past_of(values + 100), HORIZON)
    torch.testing.assert_close(twice, 2 * once, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(raised, once + 100, rtol=1e-4, atol=1e-3)


def test_features_tell_windows_apart(backbone: Backbone) -> None:
    values = city(2, 672, 24)
    values[1, -24:] = values[1, -24:].flip(0)
    first, second = backbone.features(past_of(values))
    assert (first - second).abs().max() > 1e-3


def test_blocks_follow_each_other_from_the_input_on(backbone: Backbone) -> None:
    if not backbone.blocks():
        pytest.skip("it has no weights")
    order: list[int] = []
    hooks = [
        part.register_forward_hook(lambda *_, place=place: order.append(place))
        for place, block in enumerate(backbone.blocks())
        for part in (block if isinstance(block, nn.ModuleList) else [block])
    ]
    try:
        answers(backbone, past_of(city(1, 672, 24)))
    finally:
        for hook in hooks:
            hook.remove()
    seen = list(dict.fromkeys(order))
    assert seen == list(range(len(backbone.blocks())))


def test_freed_weights_get_gradients_through_a_copy(backbone: Backbone) -> None:
    if not backbone.blocks():
        pytest.skip("it has no weights")
    free = copy.deepcopy(backbone)
    first = free.blocks()[0]
    first.requires_grad_(True)
    free.features(past_of(city(2, 672, 24))).sum().backward()
    assert any(w.grad is not None and w.grad.abs().sum() > 0 for w in first.parameters())
    assert not any(w.requires_grad for block in backbone.blocks() for w in block.parameters())


def freed(backbone: Backbone) -> Backbone:
    """A copy whose every weight is free to move."""
    free = copy.deepcopy(backbone)
    free.network.requires_grad_(True)  # type: ignore[attr-defined]
    return free


UNREACHED: dict[str, set[str]] = {
    "citytune-base": set(),
    "ttm-r2": set(),
    "efficientnet-lite0": set(),
}
"""Weights that no answer depends on."""


@pytest.mark.parametrize("name", sorted(UNREACHED))
def test_every_weight_of_a_freed_copy_gets_a_gradient(name: str) -> None:
    if name not in at_hand():
        pytest.skip(missing()[name])
    backbone = load_backbone(name)
    free, past = freed(backbone), past_of(city(4, 672, 24))
    ahead = free.forecast(past, HORIZON)
    answer = free.features(past) if ahead is None else ahead
    assert answer.requires_grad
    answer.square().sum().backward()
    named = dict(free.network.named_parameters())  # type: ignore[attr-defined]
    idle = {k for k, w in named.items() if w.grad is None or not bool(w.grad.any())}
    assert idle == UNREACHED[name]
    assert all(bool(w.grad.isfinite().all()) for k, w in named.items() if k not in idle)
    torch.testing.assert_close(answers(free, past), answers(backbone, past), rtol=1e-4, atol=1e-4)


def test_what_is_shown_goes_to_where_the_weights_are(backbone: Backbone) -> None:
    """On a device that only knows shapes, a tensor left behind would be the first to complain."""
    if not backbone.blocks():
        pytest.skip("it has no weights")
    away, past = copy.deepcopy(backbone), past_of(city(2, 672, 24))
    away.network.to("meta")  # type: ignore[attr-defined]
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        away.features(past)
    if backbone.card.horizon is not None:
        with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
            away.forecast(past, HORIZON)


def test_a_freed_copy_asked_without_gradients_gives_none(backbone: Backbone) -> None:
    if not backbone.blocks():
        pytest.skip("it has no weights")
    past = past_of(city(70, 672, 24))
    with torch.no_grad():
        found = answers(freed(backbone), past)
    assert not any(answer.requires_grad for answer in found)
    torch.testing.assert_close(found, answers(backbone, past), rtol=0, atol=0)


def test_frozen_features_may_enter_a_training_loop(backbone: Backbone) -> None:
    features = backbone.features(past_of(city(100, 672, 24)))
    head = torch.nn.Linear(backbone.card.features, 1)
    head(features).sum().backward()
    assert head.weight.grad is not None
    assert head.weight.grad.isfinite().all()


OF_ANY = {
    test.__name__: test
    for test in (
        test_a_freed_copy_asked_without_gradients_gives_none,
        test_a_gap_is_refused_not_spread,
        test_a_window_is_not_swayed_by_its_neighbours,
        test_frozen_features_may_enter_a_training_loop,
        test_it_answers_on_any_clock,
        test_it_is_frozen,
        test_no_window_at_all_gives_no_row,
        test_odd_windows_get_finite_answers,
        test_the_backbone_does_not_move,
        test_the_same_window_gives_the_same_answer,
        test_the_unit_does_not_matter_to_the_features,
        test_the_windows_shown_are_left_as_they_were,
        test_threads_do_not_change_the_answer,
    )
}
"""What holds for a network with any weights, in a module with a fixture `backbone` of its own."""
