"""The promise: an expert is one class in one file, and takes part in everything from there on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import torch
from torch import Tensor

from citytune._errors import RunError
from citytune.backbones import Card
from citytune.forecasting import fit_model, load, task_of
from citytune.frame import SensorFrame
from citytune.tuning import (
    FEATURES,
    Batch,
    Candidate,
    Expert,
    LensExpert,
    Mixture,
    SeasonalExpert,
    Start,
    Task,
    experts,
    register,
)
from citytune.windows import Axes

DAY, HORIZON = 24, 12
City = Callable[..., SensorFrame]


@dataclass(frozen=True, eq=False)
class Oracle(Expert):
    """The level at the origin's third day of the city, which a synthetic city turns by."""

    factor: Annotated[Tensor, Axes("sensor", "any")]
    """(sensor, 3) what the prior is multiplied by, by the number of the day."""
    prior: str

    @property
    def name(self) -> str:
        return "oracle"

    @property
    def words(self) -> str:
        return "what an oracle knows"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.prior,)

    def forecast(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        wall = batch.seasonal.history.wall
        when = batch.examples.origin[:, None] + torch.arange(batch.spec.horizon)
        turn = wall[when] // batch.seasonal.history.steps_per_day % 3
        return so_far[self.prior] * self.factor[batch.examples.sensor[:, None], turn]

    @classmethod
    def fit(cls, task: Task) -> Iterable[Candidate]:
        prior = task.forecast_of(task.prior)
        turn = (task.day[:, None] + (task.windows.slot < task.windows.slot[:, :1])) % 3
        factor = torch.ones(len(task.history.raw), 3)
        for sensor in range(len(factor)):
            for third in range(3):
                here = (task.windows.sensor[:, None] == sensor) & (turn == third) & task.known
                if here.any():
                    factor[sensor, third] = task.actual[here].sum() / prior[here].sum()
        expert = cls(factor, task.prior)
        yield Candidate(expert, prior * factor[task.windows.sensor[:, None], turn])


@dataclass(frozen=True)
class Zero(Expert):
    """Always 0; needs no fitting."""

    @property
    def name(self) -> str:
        return "zero"

    @property
    def words(self) -> str:
        return "nothing at all"

    def forecast(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        return torch.zeros(len(batch.examples), batch.spec.horizon)

    @classmethod
    def unfitted(cls, card: Card, steps_per_day: int) -> Iterable[Expert]:
        return (cls(),)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(experts, "_factories", dict(experts._factories))
    register("oracle", Oracle)
    register("zero", Zero)
    return


def test_a_toy_expert_is_fitted_mixed_forecast_saved_loaded_and_updated(
    toys: None, city: City, tmp_path: Path
) -> None:
    frame = city(3, 40, turn=1.0, noise=0.05)
    model = fit_model(frame.until(36 * DAY), horizon=HORIZON, backbone="lags")
    mixture = model.tuned.mixture
    assert {"oracle", "zero"} <= set(mixture.names)
    assert model.weights["0-6"]["oracle"] > 0.1
    assert "what an oracle knows" in " ".join(model.words())
    loaded = load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.forecast(frame).mean, model.forecast(frame).mean)
    again, full = loaded.update(frame), fit_model(frame, horizon=HORIZON, backbone="lags")
    np.testing.assert_allclose(again.forecast(frame).mean, full.forecast(frame).mean, rtol=1e-3)
    assert "oracle" in again.weights["0-6"]


def test_a_kind_of_expert_that_is_not_known_here_is_named(
    toys: None, city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = fit_model(city(2, 20), horizon=HORIZON, backbone="lags").save(tmp_path / "model")
    del experts._factories["zero"]
    with pytest.raises(RunError, match=r"experts\.\d+\.kind: no kind of expert is called 'zero'"):
        load(saved)


def test_experts_are_asked_in_one_order_whoever_was_registered_first(city: City) -> None:
    task = task_of(city(2, 20), horizon=HORIZON, backbone="citytune-base")
    before = [expert.name for expert in task.experts]
    kinds = dict(experts._factories)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experts, "_factories", dict(reversed(kinds.items())))
        after = task_of(city(2, 20), horizon=HORIZON, backbone="citytune-base").experts
    assert [expert.name for expert in after] == before
    assert before[:2] == ["plain", "squashed"]


def test_an_expert_that_looks_at_another_must_come_after_it() -> None:
    oracle = Oracle(torch.ones(1, 3), "days")
    weights = torch.ones(1, 1, 2) / 2
    with pytest.raises(ValueError, match="looks at 'days', which is not there"):
        Mixture((oracle, SeasonalExpert("days")), weights, "days")
    assert Mixture((SeasonalExpert("days"), oracle), weights, "days").needed


@pytest.mark.parametrize("strategy", ["blend", "head"])
def test_replaying_a_mixture_is_forecasting_without_asking(city: City, strategy: str) -> None:
    frame = city(2, 30, turn=1.0, noise=0.1)
    wind = np.random.default_rng(0).standard_normal((len(frame) + HORIZON, 1)).astype(np.float32)
    values = frame.values * np.exp(0.3 * wind[: len(frame)])
    frame = replace(frame, values=values, covariates={"wind": wind})
    task = task_of(frame, horizon=HORIZON, backbone="lags", strategy=strategy)
    mixture = fit_model(frame, horizon=HORIZON, backbone="lags", strategy=strategy).tuned.mixture
    assert mixture.uses(FEATURES)
    part = task.part(torch.arange(0, len(task.examples), 3))
    torch.testing.assert_close(part.replay(mixture), mixture.forecast(part.live).mean)


def test_where_weights_come_from_without_evidence_is_the_experts_own_matter() -> None:
    card = task_card()
    assert LensExpert("squashed").start(card) is Start.TWIN
    assert SeasonalExpert("days").start(card) is Start.REST


def task_card() -> Card:
    return Card(
        name="x", title="", parameters=0, context=24, horizon=24, features=1, licence="",
        trained_on="", source="",
    )  # fmt: skip
