"""The promise: the loop finds the minimum, in the same steps every time, and moves nothing else."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from citytune.training import Course, Group, Loop, minimise

TARGET = torch.tensor([3.0, -2.0, 0.5])


def descend(loop: Loop, seed: int = 0) -> tuple[Tensor, tuple[float, ...]]:
    """Find the mean of 300 noisy looks at `TARGET`."""
    looks = TARGET + 0.1 * torch.randn(300, 3, generator=torch.Generator().manual_seed(4))
    at = torch.zeros(3, requires_grad=True)
    course = minimise([at], lambda batch: (looks[batch] - at).square().mean(), 300, loop, seed=seed)
    return at.detach(), course.losses


@pytest.mark.parametrize(("optimiser", "rate"), [("adamw", 0.1), ("sgd", 0.1)])
def test_it_finds_the_bottom_of_a_bowl(optimiser: Literal["adamw", "sgd"], rate: float) -> None:
    at, history = descend(Loop(epochs=60, batch=32, rate=rate, optimiser=optimiser))
    torch.testing.assert_close(at, TARGET, atol=0.03, rtol=0)
    assert history[-1] < 0.02 < history[0]


def test_the_same_seed_takes_the_same_steps() -> None:
    loop = Loop(epochs=3, batch=32, rate=0.05)
    (one, path), (again, path_again), (other, _) = descend(loop), descend(loop), descend(loop, 1)
    assert torch.equal(one, again)
    assert path == path_again
    assert not torch.equal(one, other)


def test_the_worlds_own_chance_neither_matters_nor_moves() -> None:
    loop = Loop(epochs=2, batch=32)
    torch.manual_seed(1)
    one, _ = descend(loop)
    torch.manual_seed(2)
    expected = torch.Generator().manual_seed(2)
    other, _ = descend(loop)
    assert torch.equal(one, other)
    assert torch.equal(torch.rand(3), torch.rand(3, generator=expected))


def test_every_example_is_seen_once_an_epoch() -> None:
    seen: list[list[int]] = []
    at = torch.zeros(1, requires_grad=True)

    def loss(batch: Tensor) -> Tensor:
        seen.append(batch.tolist())
        return at.square().sum()

    minimise([at], loss, 10, Loop(epochs=3, batch=4))
    assert [len(batch) for batch in seen] == [4, 4, 2] * 3
    epochs = [seen[i] + seen[i + 1] + seen[i + 2] for i in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_only_what_it_is_given_moves() -> None:
    moving, still = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    minimise([moving], lambda batch: (moving * still).square().sum(), 8, Loop(epochs=2))
    assert torch.equal(still.detach(), torch.ones(2))
    assert not torch.equal(moving.detach(), torch.ones(2))


def test_no_weight_decays_by_itself() -> None:
    """The penalty is part of the loss, and the loss here is flat."""
    for optimiser in ("adamw", "sgd"):
        at = torch.ones(2, requires_grad=True)
        minimise([at], lambda batch, at=at: 0 * at.sum(), 8, Loop(optimiser=optimiser))  # type: ignore[misc,arg-type]
        assert torch.equal(at.detach(), torch.ones(2))


def test_progress_ends_at_one() -> None:
    told: list[float] = []
    at = torch.zeros(1, requires_grad=True)
    minimise([at], lambda batch: at.sum(), 5, Loop(epochs=4), progress=told.append)
    assert told == [0.25, 0.5, 0.75, 1.0]


# --- held back data -------------------------------------------------------------------------


def walk(loop: Loop, judged: list[float]) -> tuple[list[float], float, Course]:
    """Where a weight stood at each judging, where it ended; what is judged is told in advance."""
    at, stood = torch.zeros(1, requires_grad=True), []

    def held() -> float:
        stood.append(float(at))
        return judged[len(stood) - 1]

    course = minimise([at], lambda batch: -at.sum(), 8, loop, held=held)
    return stood, float(at), course


def test_the_best_weights_on_held_back_data_are_kept() -> None:
    stood, ended, course = walk(Loop(epochs=4, batch=4), [5.0, 4.0, 2.0, 3.0, 2.5])
    assert stood == sorted(set(stood))
    assert len(stood) == 5
    assert (ended, course.best) == (stood[2], 2)
    assert course.held == (5.0, 4.0, 2.0, 3.0, 2.5)
    assert course.notes == ()


def test_weights_that_only_get_worse_stay_those_of_the_start() -> None:
    _, ended, course = walk(Loop(epochs=3), [1.0, 2.0, float("nan"), 2.0])
    assert (ended, course.best) == (0.0, 0)


def test_patience_stops_a_training_that_gets_no_better() -> None:
    stood, ended, course = walk(Loop(epochs=9, patience=2), [5.0, 4.0, 4.5, 4.0])
    assert (len(stood), ended, course.best) == (4, stood[1], 1)
    assert len(course.losses) == 3
    assert list(course.notes) == [
        "stopped in epoch 3 of 9, as no lower loss on held-back data in 2 epochs: "
        "the weights of epoch 1 are kept"
    ]


def test_without_held_back_data_the_last_weights_are_kept() -> None:
    at = torch.zeros(1, requires_grad=True)
    seen: list[float] = []

    def loss(batch: Tensor) -> Tensor:
        seen.append(float(at))
        return -at.sum()

    course = minimise([at], loss, 8, Loop(epochs=3, patience=1))
    assert (course.best, course.held) == (3, ())
    assert float(at) > max(seen)


def test_a_group_moves_at_its_share_of_the_rate() -> None:
    whole, half, none = (torch.zeros(2, requires_grad=True) for _ in range(3))
    groups = [Group([whole]), Group([half], share=0.5), Group([])]
    minimise(groups, lambda batch: -(whole + half + none).sum(), 8, Loop(epochs=5))
    torch.testing.assert_close(half, whole / 2)
    assert not none.any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"max_seconds": 0.0}, "positive, got 0.0"),
        ({"clip": float("inf")}, "positive, got inf"),
        ({"decay": -1.0}, "0 or more, got -1.0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"rate": 0.0}, "positive, got 0.0"),
        ({"rate": -1.0}, "positive, got -1.0"),
        ({"rate": float("nan")}, "positive, got nan"),
        ({"optimiser": "adam"}, "'adamw' or 'sgd', got 'adam'"),
    ],
)
def test_foolish_options_are_refused_with_their_value(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Loop(**options)
