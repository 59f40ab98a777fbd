"""Promise: who waits for Python sees how far it is, and nobody else is told."""

from __future__ import annotations

import inspect
import io
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import make_city

import citytune as ct
from citytune import _progress
from citytune._progress import VARIABLE, Asked, shows_progress
from citytune.backbones import load_backbone
from citytune.forecasting import fit_model
from citytune.runs._progress import begin
from citytune.tuning.strategies._cross_fit import WORK
from citytune.tuning.task._work import BACK


class Terminal(io.StringIO):
    """What is said on a terminal that has no letters but ASCII."""

    encoding = "ascii"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    screen = Terminal()
    monkeypatch.setattr(_progress, "sys", SimpleNamespace(stderr=screen))
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(_progress, "AFTER", 0.01)
    monkeypatch.setattr(_progress, "EVERY", 0.01)
    return screen


@shows_progress
def work(until: Callable[[], bool], *, progress: Asked = None) -> str:
    """Goes on until something has been seen."""
    if progress:
        progress("Fitting: µ " + "very long " * 20, 0.5)
    end = time.monotonic() + 5
    while not until() and time.monotonic() < end:
        time.sleep(0.01)
    return "done"


def no(_stage: str = "", _share: float = 0.0) -> bool:
    return True


def test_a_line_appears_and_is_gone_when_done(terminal: Terminal) -> None:
    assert work(lambda: "50%" in terminal.getvalue()) == "done"
    lines = terminal.getvalue().split("\r")
    shown = [line for line in lines if line.strip()]
    assert shown[0].startswith("Fitting: ? very long")
    assert shown[0].rstrip().endswith("[##########..........]  50% 0:00")
    assert max(map(len, lines)) < 60
    assert lines[-2].strip() == ""  # wiped
    assert lines[-1] == ""


def test_what_is_quick_shows_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "AFTER", 60)
    work(no)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("off", ["asked", "variable", "function", "pipe"])
def test_nothing_is_shown_to_whoever_does_not_want_it(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, off: str
) -> None:
    options: dict[str, Any] = {"asked": {"progress": False}, "function": {"progress": no}}
    if off == "variable":
        monkeypatch.setenv(VARIABLE, "0")
    if off == "pipe":
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    end = time.monotonic() + 0.1
    work(lambda: time.monotonic() > end, **options.get(off, {}))
    assert terminal.getvalue() == ""


def test_what_is_called_within_shows_no_line_of_its_own(terminal: Terminal) -> None:
    inner = shows_progress(lambda **told: told)
    outer = shows_progress(lambda **told: (inner(), bool(told["progress"])))
    assert outer() == ({}, True)
    assert bool(inner()["progress"])  # and the next one does


def test_a_line_ends_with_an_error_too(terminal: Terminal) -> None:
    @shows_progress
    def fail(*, progress: Asked = None) -> None:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            fail()
    assert bool(shows_progress(lambda **told: told)()["progress"])


@pytest.mark.parametrize(
    "function",
    [ct.run, ct.tune, ct.backtest, ct.compare, ct.recommend, ct.tune_vision, fit_model,
     ct.Run.refresh, ct.Run.update, ct.Run.score, ct.Run.forecast, ct.Run.forecast_into,
     ct.Run.score_groups],
)  # fmt: skip
def test_all_that_takes_long_shows_it(
    function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(_progress, "_is_wanted", lambda: asked.append(True))
    assert "progress" in inspect.signature(function).parameters
    with pytest.raises((ct.InputError, TypeError, AttributeError)):
        function()
    assert asked


def test_a_fit_takes_false_for_no_line() -> None:
    frame = make_city(1, 28)
    model = fit_model(frame, horizon=24, backbone="lags", strategy="zero-shot", progress=False)
    assert model.strategy == "zero-shot"
    assert ct.backtest(model, frame, days=1, refit=True, against=[], progress=False).models


def test_the_share_of_a_stage_never_falls() -> None:
    told: list[float] = []
    part = begin(lambda _stage, share: told.append(share), "Fitting")
    for share in (0.2, 0.8, 0.1, 0.9, 1.2):
        part("something", share)
    assert told == [0.0, 0.2, 0.8, 0.8, 0.9, 1.0]


def test_the_share_of_a_fit_follows_the_windows_that_passed_through_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where the network is fine-tuned, which is most of the work."""
    monkeypatch.setenv("CITYTUNE_CACHE", "off")
    monkeypatch.setitem(WORK, "quick", WORK["quick"] // 2)
    frame = make_city(1, 70, gaps=0.0)
    told: list[tuple[float, float]] = []
    passed = 0.0
    made = load_backbone("citytune-base")
    quantiles = type(made).quantiles

    def counted(self: Any, past: Any, horizon: int) -> Any:
        nonlocal passed
        passed += len(past.values) * (BACK if torch.is_grad_enabled() else 1)
        return quantiles(self, past, horizon)

    monkeypatch.setattr(type(made), "quantiles", counted)
    call = {"horizon": 24, "backbone": "citytune-base", "strategy": "blend", "effort": "quick"}
    fit_model(frame, progress=lambda _stage, share: told.append((passed, share)), **call)
    at, shares = np.array(told).T
    assert (np.diff(shares) >= 0).all()
    learning = (shares > 0.1) & (shares < 0.9)
    assert learning.sum() > 10
    assert np.abs(at[learning] / passed - shares[learning]).max() < 0.25
