"""The promise: a cache saves time and changes nothing, and is never in the way."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from platformdirs import user_cache_path
from torch import Tensor, nn

from citytune.backbones import Backbone, Card, Past
from citytune.forecasting import TunedModel, fit_model
from citytune.frame import SensorFrame
from citytune.settings import Settings
from citytune.tuning import (
    Task,
)
from citytune.tuning.examples import _cache
from citytune.tuning.examples._cache import cache_folder, cached, key_of
from citytune.tuning.task import _answers
from citytune.windows import History, WindowSpec, candidates

City = Callable[..., SensorFrame]
CARD = Card(
    name="mine", title="", parameters=2, context=168, horizon=24, features=24, licence="",
    trained_on="", source="",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, that keeps whatever took any time at all."""
    monkeypatch.setenv("CITYTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_cache, "SLOW_SECONDS", -1.0)
    return tmp_path / "cache"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was computed, one word a time."""
    found: list[str] = []
    for name in ("_ask", "_features"):
        real = getattr(_answers, name)

        def call(*parts: object, real: object = real, name: str = name) -> object:
            found.append(name)
            return real(*parts)  # type: ignore[operator]

        monkeypatch.setattr(_answers, name, call)
    return found


def fitted(frame: SensorFrame, strategy: str = "blend") -> TunedModel:
    return fit_model(frame, horizon=12, backbone="lags", strategy=strategy)


def same(one: TunedModel, other: TunedModel, frame: SensorFrame) -> None:
    np.testing.assert_array_equal(one.forecast(frame).mean, other.forecast(frame).mean)
    np.testing.assert_array_equal(one.forecast(frame).quantiles, other.forecast(frame).quantiles)
    assert one.weights == other.weights
    assert one.fold_error == other.fold_error


def test_cold_warm_and_without_cache_are_the_same_to_the_bit(
    folder: Path, asked: list[str], city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = city(2, 35)
    cold = fitted(frame)
    assert asked
    asked.clear()
    warm = fitted(frame)
    assert not asked
    same(warm, cold, frame)
    fitted(frame, "head")
    assert not asked
    monkeypatch.setenv("CITYTUNE_CACHE", "off")
    same(fitted(frame), cold, frame)
    assert "_features" in asked


def test_anything_it_follows_from_changes_the_key(city: City) -> None:
    frame = city(2, 40)  # until after Easter

    def key(frame: SensorFrame = frame, horizon: int = 12, identity: str = "lags") -> str | None:
        history = History.of(frame, ahead=horizon)
        spec = WindowSpec(context=48, horizon=horizon)
        examples, _ = candidates(history, spec, days=120, stride=3)
        return key_of(identity, history, examples, horizon, 48)

    values = frame.values.copy()
    values[100, 1] = 99
    others = [
        key(replace(frame, values=values)),
        key(replace(frame, country="DE")),
        key(frame.select(("s1", "s0"))),
        key(frame.until(39 * 24)),
        key(horizon=13),
        key(identity="lags with other weights"),
    ]
    assert len({key(), *others}) == 7
    assert key() == key()


def keep(key: str, size: int = 1000, value: float = 1.0, name: str = "a") -> torch.Tensor:
    """An answer, computed or from the cache."""
    answer = torch.full((size,), value)
    return cached(key, (name,), lambda names: dict.fromkeys(names, answer))[name]


def test_an_entry_gathers_what_is_asked_for_one_by_one(folder: Path) -> None:
    keep("k", name="plain")
    keep("k", name="weeks", value=2.0)
    wanted = ("weeks", "plain")
    found = cached("k", wanted, lambda names: pytest.fail(f"computes {names}"))
    assert found["plain"].unique().tolist() == [1.0]
    assert found["weeks"].unique().tolist() == [2.0]


def test_a_damaged_or_half_written_entry_is_made_anew(folder: Path) -> None:
    keep("k")
    path = folder / "k.safetensors"
    whole = path.read_bytes()
    for damaged in (whole[:-100], b"", b"nonsense", whole[:-1] + b"\x01"):
        path.write_bytes(damaged)
        assert keep("k").unique().tolist() == [1.0]
        assert path.read_bytes() == whole
    assert [entry.name for entry in folder.iterdir()] == ["k.safetensors"]


def test_what_took_no_time_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cache, "SLOW_SECONDS", 0.5)
    keep("k")
    assert not folder.exists()


def test_the_entries_not_used_for_longest_go_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cache, "MOST_CACHE_BYTES", 10_000)
    for age, key in enumerate(("one", "two")):
        keep(key)
        os.utime(folder / f"{key}.safetensors", (age, age))
    assert keep("one", value=0.0)[0] == 1.0  # used again
    keep("three")
    assert sorted(path.stem for path in folder.iterdir()) == ["one", "three"]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are different there")
def test_where_nothing_can_be_written_there_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cache, "SLOW_SECONDS", -1.0)
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("CITYTUNE_CACHE", str(tmp_path / "file" / "cache"))
    assert keep("k").unique().tolist() == [1.0]


def test_the_folder_is_the_users_own_or_the_one_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CITYTUNE_CACHE")
    assert cache_folder() == user_cache_path("citytune", False, opinion=False)
    monkeypatch.setenv("CITYTUNE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("CITYTUNE_CACHE", "OFF")
    assert cache_folder() is None


class Mine:
    """A backbone of one's own, without files: yesterday's mean, and a bias that is a weight."""

    def __init__(self, bias: float = 0.0, card: Card = CARD) -> None:
        self.card = card
        self.layer = nn.Linear(1, 1)
        nn.init.ones_(self.layer.weight)
        nn.init.constant_(self.layer.bias, bias)
        self.layer.requires_grad_(False)

    def features(self, past: Past) -> Tensor:
        return past.values[:, -24:]

    def forecast(self, past: Past, horizon: int) -> Tensor:
        mean = past.values[:, -24:].mean(1, keepdim=True) + self.layer.bias
        return mean.expand(-1, horizon).clone()

    def blocks(self) -> list[nn.Module]:
        return [self.layer]


def answers(backbone: Backbone, frame: SensorFrame) -> Tensor:
    """What it says of a task's windows."""
    spec = WindowSpec(context=48, horizon=12)
    history, settings = History.of(frame, ahead=12), Settings(horizon=12)
    task = Task(backbone=backbone, history=history, spec=spec, settings=settings)
    return task.forecast_of("plain")


def test_other_weights_under_the_same_name_are_asked_anew(
    folder: Path, asked: list[str], city: City
) -> None:
    """A model of one's own may be trained again and keep its name: files and hashes it has none."""
    frame = city(2, 30)
    old = answers(Mine(0.0), frame)
    torch.testing.assert_close(answers(Mine(80.0), frame), old + 80.0)
    asked.clear()
    assert torch.equal(answers(Mine(0.0), frame), old)
    assert not asked


def test_weights_moved_in_place_are_asked_anew(folder: Path, city: City) -> None:
    backbone, frame = Mine(), city(2, 30)
    old = answers(backbone, frame)
    backbone.layer.bias.add_(80.0)
    torch.testing.assert_close(answers(backbone, frame), old + 80.0)


def test_what_cannot_be_told_apart_is_never_kept(folder: Path, city: City) -> None:
    backbone, frame = Mine(), city(2, 30)
    backbone.shift = lambda values: values  # type: ignore[attr-defined]
    answers(backbone, frame)
    assert not folder.exists()
