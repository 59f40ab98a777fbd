"""The promise: the loop finds the minimum, in the same steps every time, and moves nothing else."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from citytune.training import (
    Group,
    Loop,
    TrainingRecord,
    _budget,
    decay,
    minimise,
    stopping_early,
    toward,
)
from citytune.training._rate import choose

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
        minimise([at], lambda batch, at=at: 0 * at.sum(), 8, Loop(optimiser=optimiser))  # type: ignore[misc]
        assert torch.equal(at.detach(), torch.ones(2))


def test_nothing_can_be_learnt_from_no_examples() -> None:
    with pytest.raises(ValueError, match="at least 1 example to learn from, got 0"):
        minimise([torch.zeros(1, requires_grad=True)], lambda batch: batch.sum(), 0, Loop())


# --- held back data -------------------------------------------------------------------------


def walk(loop: Loop, judged: list[float]) -> tuple[list[float], float, TrainingRecord]:
    """Where a weight stood at each judging, where it ended; what is judged is told in advance."""
    at, stood = torch.zeros(1, requires_grad=True), []

    def held() -> float:
        stood.append(at.item())
        return judged[len(stood) - 1]

    course = minimise([at], lambda batch: -at.sum(), 8, loop, held=held)
    return stood, at.item(), course


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
    assert course.notes == ()


def test_without_held_back_data_the_last_weights_are_kept() -> None:
    at = torch.zeros(1, requires_grad=True)
    seen: list[float] = []

    def loss(batch: Tensor) -> Tensor:
        seen.append(at.item())
        return -at.sum()

    course = minimise([at], loss, 8, Loop(epochs=3, patience=1))
    assert (course.best, course.held) == (3, ())
    assert at.item() > max(seen)


def test_a_group_moves_at_its_share_of_the_rate() -> None:
    whole, half, none = (torch.zeros(2, requires_grad=True) for _ in range(3))
    groups = [Group([whole]), Group([half], share=0.5), Group([])]
    minimise(groups, lambda batch: -(whole + half + none).sum(), 8, Loop(epochs=5))
    torch.testing.assert_close(half, whole / 2)
    assert not none.any()


# --- what goes wrong ------------------------------------------------------------------------


def spoilt(at: Tensor, spoil: set[int], how: float = float("nan")) -> Callable[[Tensor], Tensor]:
    """A loss that falls as `at` grows, and is NaN when asked for these times."""
    asked = iter(range(10_000))
    return lambda batch: (-at * (how if next(asked) in spoil else 1.0)).sum()


@pytest.mark.parametrize("how", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_costs_a_step_back_and_half_the_rate(how: float) -> None:
    at = torch.ones(1, requires_grad=True)
    told: list[str] = []
    loop = Loop(epochs=4, batch=4, optimiser="sgd", rate=0.1)
    course = minimise([at], spoilt(at, {5}, how), 8, loop, note=told.append)
    assert at.isfinite().all()
    assert course.notes == tuple(told)
    [note] = told
    assert note == (
        "the loss became NaN in epoch 3: stepped back to the weights of epoch 2 and went on at "
        "half the rate"
    )
    assert all(loss == loss for loss in course.losses)
    assert (len(course.losses), course.best, course.rate) == (4, 4, 0.1)


def test_a_gradient_that_is_no_number_is_not_stepped_on() -> None:
    at = torch.zeros(1, requires_grad=True)
    course = minimise([at], lambda batch: at.sqrt().sum(), 8, Loop(epochs=2))
    assert at.item() == 0
    assert (
        "the gradient became NaN in epoch 1: stepped back to the weights of the start"
        in (course.notes[0])
    )


def test_a_training_that_always_breaks_is_given_up_with_the_best_weights() -> None:
    at, values = torch.zeros(1, requires_grad=True), iter([3.0, 1.0, 2.0, 5.0, 5.0, 5.0])
    loss = spoilt(at, set(range(6, 100)))
    course = minimise([at], loss, 8, Loop(epochs=50, batch=4), held=lambda: next(values))
    assert course.best == 1
    assert len(course.notes) == 5
    assert course.notes[-1].endswith("stepped back to the weights of epoch 1 and gave up")
    assert len(course.losses) < 50
    assert at.isfinite().all()


def test_long_gradients_are_clipped_if_asked() -> None:
    ends = []
    for clip in (None, 1.0, 2.0):
        at = torch.zeros(1, requires_grad=True)
        loop = Loop(epochs=1, rate=0.1, optimiser="sgd", clip=clip)
        minimise([at], lambda batch, at=at: -50 * at.sum(), 8, loop)  # type: ignore[misc]
        ends.append(at.item())
    assert ends[0] == pytest.approx(50 * ends[1], rel=1e-4)
    assert ends[2] == pytest.approx(2 * ends[1], rel=1e-4)


# --- memory ---------------------------------------------------------------------------------


def narrow(room: int, error: Exception) -> tuple[Tensor, list[int], TrainingRecord]:
    """Find the mean of some looks where only so many fit into memory."""
    looks = torch.arange(20.0).double()
    at, passed = torch.zeros(1, dtype=torch.double, requires_grad=True), []

    def loss(batch: Tensor) -> Tensor:
        if len(batch) > room:
            raise error
        passed.append(len(batch))
        return (looks[batch] - at).square().mean()

    course = minimise([at], loss, 20, Loop(epochs=2, batch=16, rate=0.5))
    return at.detach(), passed, course


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    ],
)
def test_a_batch_too_large_for_memory_is_passed_in_pieces_in_the_same_steps(
    error: Exception,
) -> None:
    whole, passed, plain = narrow(16, error)
    assert passed == [16, 4] * 2
    pieces, passed, course = narrow(5, error)
    assert passed == [4, 4, 4, 4, 4] * 2
    torch.testing.assert_close(pieces, whole, rtol=1e-12, atol=0)
    assert course.losses == pytest.approx(plain.losses)
    assert [note.split(":")[0] for note in course.notes] == [
        f"memory does not suffice for {size} examples at a time" for size in (16, 8)
    ]


def test_one_example_too_large_for_memory_is_an_error() -> None:
    with pytest.raises(MemoryError):
        narrow(0, MemoryError())


def test_other_errors_are_not_mistaken_for_a_lack_of_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        narrow(5, RuntimeError("shapes do not fit"))


# --- time -----------------------------------------------------------------------------------


def timed(
    monkeypatch: pytest.MonkeyPatch, loop: Loop, step: float = 0.0, held: float | None = None
) -> tuple[list[float], float, TrainingRecord]:
    """Moves of a weight at each step, and when it ended, by a clock on which steps take time."""
    now = [0.0]
    monkeypatch.setattr(_budget, "perf_counter", lambda: now[0])
    at, stood = torch.zeros(1, requires_grad=True), []

    def loss(batch: Tensor) -> Tensor:
        now[0] += step
        stood.append(at.item())
        return -at.sum()

    def judge() -> float:
        assert held is not None
        now[0] += held
        return -at.item()

    course = minimise([at], loss, 8, loop, held=None if held is None else judge)
    stood.append(at.item())
    return [after - before for before, after in pairwise(stood)], now[0], course


def test_the_cycle_ends_within_the_time_if_the_epochs_do_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = Loop(epochs=10_000, batch=4, max_seconds=6.0, rate=0.1)
    moves, ended, course = timed(monkeypatch, loop, step=0.05, held=0.1)
    assert 6.0 <= ended <= 6.2
    assert max(moves) == pytest.approx(0.1, rel=0.1)
    assert moves[-1] < 0.01
    assert course.best == len(course.losses)  # the last weights are judged too
    [note] = course.notes
    assert note.startswith(f"stopped in epoch {len(course.losses)} of 10000, as the 6 s it may")


def test_a_time_that_suffices_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(epochs=6, batch=4, rate=0.1)
    moves, _, _ = timed(monkeypatch, loop, step=1.0)
    within, _, course = timed(monkeypatch, replace(loop, max_seconds=13.0), step=1.0)
    assert within == moves
    assert course.notes == ()


def test_no_time_at_all_leaves_the_weights_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    moves, _, course = timed(monkeypatch, Loop(max_seconds=1.0), held=2.0)
    assert moves == []
    assert course.best == 0
    assert len(course.notes) == 1


def test_without_a_limit_no_clock_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_budget, "perf_counter", lambda: pytest.fail("it looks at the clock"))
    at = torch.zeros(1, requires_grad=True)
    loop = Loop(epochs=2, batch=4, rate=None, patience=1)
    minimise([at], lambda batch: (at - 1).square().sum(), 8, loop, held=at.item)


def test_a_limit_leaves_time_for_steps_after_the_range_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = Loop(epochs=50, batch=4, rate=None, max_seconds=20.0)
    moves, ended, course = timed(monkeypatch, loop, step=1.0)
    assert len(moves) == 20
    assert ended == 20.0
    assert course.best == len(course.losses) == 5


# --- the range test -------------------------------------------------------------------------


def test_a_rate_that_is_found_leads_to_the_bottom() -> None:
    for optimiser in ("adamw", "sgd"):
        loop = Loop(epochs=60, batch=32, rate=None, optimiser=optimiser)
        at, history = descend(loop)
        torch.testing.assert_close(at, TARGET, atol=0.05, rtol=0)
        assert history[0] > history[-1]


def test_the_range_test_moves_nothing_and_finds_the_same_rate_again() -> None:
    looks = 1 + torch.randn(64, generator=torch.Generator().manual_seed(1))
    found = []
    for _ in range(2):
        at = torch.zeros(1, requires_grad=True)
        stood: list[float] = []

        def loss(batch: Tensor, at: Tensor = at) -> Tensor:
            return (looks[batch] - at).square().mean()

        def held(at: Tensor = at, stood: list[float] = stood) -> float:
            stood.append(at.item())
            return -len(stood)

        found.append(minimise([at], loss, 64, Loop(epochs=1, rate=None, batch=8), held=held).rate)
        assert stood[0] == 0.0
        assert 0 < abs(at.item()) < 1
    assert found[0] == found[1]


@pytest.mark.parametrize("steep", [1.0, 100.0])
def test_the_rate_found_is_well_below_the_one_that_blows_up(steep: float) -> None:
    """Plain steps on steep·x² blow up where the rate is above 1 / steep; with momentum, 1.9 /."""
    at = torch.ones(1, requires_grad=True)
    loop = Loop(epochs=40, rate=None, optimiser="sgd", batch=8)
    course = minimise([at], lambda batch: steep * at.square().sum(), 8, loop)
    assert 0.001 / steep < course.rate < 0.5 / steep
    assert course.losses[-1] < 0.5 * steep


def test_the_safer_of_two_rates_is_chosen() -> None:
    rates = [10.0**power for power in range(-6, 1)]
    flat = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    early = [1.0, 1.0, 0.5, 0.4, 0.4, 0.4, 0.4]
    blown = [1.0, 1.0, 1.0, 0.9, 0.5, 2.0, math.inf]
    assert choose(rates, flat, 1) == pytest.approx(0.1)
    assert choose(rates, early, 1) == pytest.approx(1e-5)
    assert choose(rates, blown, 1) == pytest.approx(1e-3)
    worse = [1.0, 1.5, 9.0, math.inf, math.inf, math.inf, math.inf]
    assert choose(rates, worse, 1) == pytest.approx(1e-6)


# --- penalties ------------------------------------------------------------------------------


def test_penalties_are_counted_as_written() -> None:
    weights = [torch.tensor([1.0, 2.0]), torch.tensor([[3.0]])]
    start = [torch.tensor([1.0, 0.0]), torch.tensor([[1.0]])]
    assert decay(weights, 0.5).item() == 7.0
    assert toward(weights, start, 0.5).item() == 4.0
    assert toward(weights, weights, 0.5).item() == 0.0


def test_decay_pulls_toward_where_the_weights_began() -> None:
    """The minimum of (x − 5)² + λ(x − 1)² is at (5 + λ) / (1 + λ)."""
    at = torch.ones(1, requires_grad=True)
    loop = Loop(epochs=300, rate=0.1, decay=3.0, batch=8)
    minimise([at], lambda batch: (at - 5).square().sum(), 8, loop)
    assert at.item() == pytest.approx(2.0, abs=0.01)


# --- chance and company ---------------------------------------------------------------------


def test_chance_within_the_loss_is_the_seeds() -> None:
    def run(seed: int) -> float:
        at = torch.ones(50, requires_grad=True)

        def loss(batch: Tensor) -> Tensor:
            return torch.nn.functional.dropout(at, 0.5).square().sum()

        minimise([at], loss, 8, Loop(epochs=3), seed=seed)
        return at.sum().item()

    torch.manual_seed(3)
    expected = torch.Generator().manual_seed(3)
    one = run(0)
    assert torch.equal(torch.rand(3), torch.rand(3, generator=expected))
    assert run(0) == one != run(1)


def test_each_epoch_is_shown() -> None:
    at, seen, values = torch.zeros(1, requires_grad=True), [], iter([3.0, 2.0, 1.0])
    minimise(
        [at],
        lambda batch: 1 - at.sum(),
        8,
        Loop(epochs=2),
        held=lambda: next(values),
        watch=lambda *words: seen.append(words),
    )
    assert [(epoch, judged) for epoch, _, judged in seen] == [(1, 2.0), (2, 1.0)]
    assert seen[0][1] == 1.0 > seen[1][1]


def test_it_can_be_left_at_the_weights_as_they_are() -> None:
    at, steps, notes = torch.zeros(1, requires_grad=True), [], list[str]()

    def loss(batch: Tensor) -> Tensor:
        steps.append(batch)
        return (at - 1).square().sum()

    loop = Loop(epochs=5, batch=2, rate=0.1)
    minimise([at], loss, 8, loop, note=notes.append, stop=lambda: len(steps) == 3)
    assert len(steps) == 3
    assert float(at.detach()) > 0
    assert notes == [
        "stopped in epoch 1 of 5, as you asked by Ctrl-C: the weights of epoch 1 are kept"
    ]


def test_the_first_ctrl_c_stops_a_training_and_the_second_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with stopping_early() as asked:
        assert not asked()
        assert not capsys.readouterr().err
        signal.raise_signal(signal.SIGINT)
        assert asked()
        assert "Learning stops here" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_that_interrupts_is_asked_the_second_time() -> None:
    class Stops:
        interrupts = True

        def __call__(self, *_: object) -> None:
            raise InterruptedError

    before = signal.signal(signal.SIGINT, Stops())
    try:
        with stopping_early() as asked:
            signal.raise_signal(signal.SIGINT)
            assert asked()
            with pytest.raises(InterruptedError):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_who_handles_ctrl_c_goes_on_doing_so() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        with stopping_early() as asked:
            signal.raise_signal(signal.SIGINT)
            assert not asked()
    finally:
        signal.signal(signal.SIGINT, before)
    assert came == [signal.SIGINT]


TRAINING = """
import torch
from citytune.training import Loop, _budget, minimise

def train(epochs, seconds, rank=0):
    ticks = iter(range(10**9))
    _budget.perf_counter = lambda: next(ticks) / (1000 + 300 * rank)  # clocks that disagree
    looks = torch.randn(41, 3, generator=torch.Generator().manual_seed(1)).double()
    at = torch.full((3,), float(rank), dtype=torch.double, requires_grad=True)
    unused, passed = torch.ones(2, requires_grad=True), []

    def loss(batch):
        passed.append(len(batch))
        if rank and len(passed) == 40:
            return at.sum() * float("nan")
        return (looks[batch] - at).square().mean()

    def held():
        return (looks.mean(0) - at).square().sum() + 0.1 * rank

    loop = Loop(epochs=epochs, batch=8, rate=None, max_seconds=seconds, patience=9)
    found = minimise([at, unused], loss, 41, loop, held=held)
    return at.tolist(), found.rate, found.best, found.losses, found.notes, sum(passed)
"""
TOGETHER = """
import json, os
rank = int(os.environ["RANK"])
print(json.dumps([train(6, 60.0, rank), train(100_000, 0.3, rank)]), flush=True)
torch.distributed.barrier()
os._exit(0)  # gloo's threads do not always end in peace
"""


def together(processes: int) -> list[list[Any]]:
    """What each of several processes says at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    company = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    company |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", TRAINING + TOGETHER],
            env={**os.environ, **company, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(processes)
    ]
    said = [one.communicate(timeout=120)[0] for one in running]
    assert [one.returncode for one in running] == [0] * processes
    return [json.loads(text.splitlines()[-1]) for text in said]


@pytest.mark.extras  # two processes that import everything anew
def test_two_processes_share_the_work_and_end_with_the_same_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_budget, "perf_counter", _budget.perf_counter)  # it is put back
    here: dict[str, Any] = {}
    exec(TRAINING, here)
    alone = here["train"](6, 60.0)
    (one, short), (other, other_short) = together(2)
    assert one[:5] == other[:5]
    assert len(one[4]) == 1  # of the loss that was NaN in one of them
    assert one[5] + other[5] == pytest.approx(alone[5], rel=0.05)
    assert max(one[5], other[5]) < 0.6 * alone[5]
    assert one[1] == pytest.approx(alone[1])
    assert short[:5] == other_short[:5]  # they agree on when the time is used up
    assert len(short[3]) < 100_000


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


def test_the_compiler_of_torch_is_not_imported() -> None:
    code = (
        "import sys, torch; from citytune.training import Loop, minimise\n"
        "at = torch.zeros(3, requires_grad=True)\n"
        "minimise([at], lambda batch: (at - 1).square().mean(), 100, Loop(epochs=2))\n"
        "print(at.detach().square().sum() > 0, 'torch._dynamo' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["tensor(True)", "False"]
