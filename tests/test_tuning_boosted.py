"""The promise: boosted trees see only the past, and are followed as far as they gain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from citytune.backbones import load_backbone
from citytune.forecasting import TunedModel, fit_model, load, task_of
from citytune.frame import SensorFrame
from citytune.tuning import (
    Batch,
    Boosted,
    Timetable,
    fine_bands,
)
from citytune.tuning.closed_form._trees import Trees
from citytune.tuning.experts import _boosted
from citytune.tuning.experts._boosted import view_of
from citytune.tuning.experts._tree_rows import RULES, View, Weather
from citytune.tuning.experts._within import within
from citytune.tuning.stacking._band_trust import band_trust, by_step
from citytune.windows import Examples, History, Seasonal, WindowSpec

lightgbm = pytest.importorskip("lightgbm")

DAY, HORIZON, COARSE = 24, 12, 6
City = Callable[..., SensorFrame]


def windy(city: City, days: int, steps_per_day: int = DAY, *, sensors: int = 2) -> SensorFrame:
    """A city whose traffic follows a wind that is known ahead, but not in proportion."""
    frame = city(sensors, days, steps_per_day=steps_per_day, noise=0.05)
    blow = np.random.default_rng(3).standard_normal((len(frame) + HORIZON, 1)).astype(np.float32)
    gone = np.exp(0.5 * (blow[: len(frame)] > 0.5))
    return replace(
        frame, values=(frame.values * gone).astype(np.float32), covariates={"wind": blow}
    )


# Trees


def test_trees_as_tensors_say_what_lightgbm_says() -> None:
    draw = np.random.default_rng(0)
    rows = draw.integers(-3, 4, (3000, 5)).astype(np.float32)  # thresholds lie between, and on them
    target = (rows[:, 0] * (rows[:, 1] > 0) + draw.standard_normal(3000)).astype(np.float32)
    weight = draw.random(3000).astype(np.float32)
    trees = Trees.grow(torch.from_numpy(rows), torch.from_numpy(target), torch.from_numpy(weight))
    settings = _trees_settings()
    data = lightgbm.Dataset(rows, target, weight=weight, params=settings)
    expected = lightgbm.train(settings, data, len(trees.feature)).predict(rows)
    np.testing.assert_allclose(trees(torch.from_numpy(rows)).numpy(), expected, atol=1e-4)
    assert np.abs(expected).max() > 0.5


def _trees_settings() -> dict[str, object]:
    from citytune.tuning.closed_form._trees import LIGHTGBM_SETTINGS

    return LIGHTGBM_SETTINGS


def test_a_tree_that_cannot_be_grown_says_one_thing() -> None:
    rows, ones = torch.zeros(400, 2), torch.ones(400)
    found = Trees.grow(rows, ones, ones)(rows)
    assert len(found.unique()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"left": torch.tensor([[0, 1, 2]])},  # in a circle
        {"right": torch.tensor([[3, 1, 2]])},  # nowhere
        {"feature": torch.tensor([[2, 0, 0]])},
        {"value": torch.zeros(1, 2)},
    ],
)
def test_trees_that_are_none_are_refused(wrong: dict[str, torch.Tensor]) -> None:
    parts = {
        "feature": torch.tensor([[1, 0, 0]]),
        "threshold": torch.zeros(1, 3),
        "left": torch.tensor([[1, 1, 2]]),
        "right": torch.tensor([[2, 1, 2]]),
        "value": torch.tensor([[0.0, -1.0, 1.0]]),
    }
    assert Trees(2, **parts)(torch.tensor([[9.0, 0.0], [9.0, 0.1]])).tolist() == [-1.0, 1.0]
    with pytest.raises(ValueError, match="trees"):
        Trees(2, **(parts | wrong))


# What they see


def test_rows_are_whole_and_hold_nothing_of_the_future(city: City) -> None:
    frame = windy(city, 40)
    history = History.of(frame, ahead=HORIZON)
    later = replace(history, raw=history.raw.clone())
    today = 30 * DAY
    later.raw[:, today:] = 1e6
    weather = Weather.of(Timetable.of(history))
    view = View("days", True, False, weather, torch.zeros(2), torch.ones(2))
    rows = []
    for one in (history, later):
        examples = Examples(torch.arange(2), torch.full((2,), today))
        batch = Batch(None, Seasonal(one), examples, WindowSpec(context=DAY, horizon=HORIZON))  # type: ignore[arg-type]
        rows.append(view.rows(batch, {name: batch.rules[name] for name in (*RULES, "days")}))
    assert rows[0].shape == (2, HORIZON, view.features)
    assert rows[0].isfinite().all()
    torch.testing.assert_close(rows[0], rows[1])


def test_covariates_of_one_thing_are_put_together(city: City) -> None:
    frame = windy(city, 30)
    wind = frame.covariates["wind"]
    rain = np.random.default_rng(5).standard_normal(wind.shape).astype(np.float32)
    frame = replace(frame, covariates={"wind": wind, "rain": rain, "wind_2": 2 * wind + 1})
    found = Weather.of(Timetable.of(History.of(frame, ahead=HORIZON)))
    assert found.groups.tolist() == [[0.5, 0, 0.5], [0, 1, 0]]


def test_which_trees_are_grown_hangs_on_days_and_on_what_is_known_ahead(city: City) -> None:
    def name(frame: SensorFrame, backbone: str = "citytune-base") -> str | None:
        found = view_of(task_of(frame, horizon=HORIZON, backbone=backbone))
        return None if found is None else found[0]

    long = windy(city, 140, COARSE)
    assert name(long) == "boosted"
    assert name(replace(long, covariates={})) == "boosted"
    assert name(long.until(60 * COARSE)) == "known-ahead-trees"
    assert name(replace(long, covariates={}).until(60 * COARSE)) is None
    assert name(long, "lags") is None


# How far they are followed


def test_a_gain_is_followed_in_the_bands_where_it_repeats() -> None:
    draw = torch.Generator().manual_seed(0)
    day = torch.arange(60).repeat_interleave(4)
    before = torch.rand(240, 24, generator=draw) + 0.5
    after = before.clone()
    after[:, :1] -= 0.1 * torch.rand(240, 1, generator=draw)  # gains every day
    after[:, 1:3] += 0.1  # loses
    after[:, 3:6] += 0.3 * torch.randn(240, 3, generator=draw)  # neither
    found = band_trust(before, after, day, torch.ones(240))
    assert found.tolist()[:2] == pytest.approx([1.0, 0.0], abs=0.05)
    assert found[2] < 0.5
    assert found[3] == 0
    assert by_step(found, 24)[:3].tolist() == [found[0], found[1], found[1]]
    assert fine_bands(5) == [(0, 1), (1, 3), (3, 5)]


def test_corrections_stay_within_the_networks_own_quantiles() -> None:
    deviations = torch.linspace(-5, 5, 11).expand(1, 2, 11)
    found = within(torch.tensor([[-9.0, 0.5]]), deviations, 2)
    assert found.tolist() == [[-3.0, 0.5]]
    assert within(found, None, None) is found


# As experts


@pytest.fixture(scope="module")
def tuned() -> tuple[TunedModel, SensorFrame]:
    from conftest import make_city

    frame = windy(make_city, 44, sensors=3)  # of three, windows start every three hours
    return fit_model(frame.until(40 * DAY), horizon=HORIZON, backbone="citytune-base"), frame


def trees_of(model: TunedModel) -> Boosted:
    return next(one for one in model.tuned.mixture.experts if isinstance(one, Boosted))


def test_trees_on_what_is_known_ahead_are_weighed_and_told_of(
    tuned: tuple[TunedModel, SensorFrame],
) -> None:
    model, _ = tuned
    assert model.weights["6-12"]["known-ahead-trees"] > 0.2
    assert "boosted trees on what is known ahead" in " ".join(model.words())


def test_trees_come_back_from_disk_without_lightgbm(
    tuned: tuple[TunedModel, SensorFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, frame = tuned
    saved = model.save(tmp_path / "model")
    monkeypatch.setitem(__import__("sys").modules, "lightgbm", None)
    found = load(saved).forecast(frame.until(40 * DAY))
    np.testing.assert_array_equal(found.mean, model.forecast(frame.until(40 * DAY)).mean)


def test_an_update_leaves_trees_as_they_are_and_judges_them_anew(
    tuned: tuple[TunedModel, SensorFrame],
) -> None:
    model, frame = tuned
    new = model.update(frame)
    for part in ("feature", "threshold", "value"):
        assert torch.equal(getattr(trees_of(new).trees, part), getattr(trees_of(model).trees, part))
    assert new.tuned.windows > model.tuned.windows
    assert new.weights["6-12"]["known-ahead-trees"] > 0.2


def test_without_lightgbm_a_note_says_what_is_lacking(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_boosted, "lightgbm_here", lambda: False)
    frame = windy(city, 40, COARSE)
    model = fit_model(frame, horizon=HORIZON, backbone="citytune-base")
    assert not any(isinstance(one, Boosted) for one in model.tuned.mixture.experts)
    assert sum("citytune[boost]" in note for note in model.tuned.notes) == 1
    bare = fit_model(replace(frame, covariates={}), horizon=HORIZON, backbone="citytune-base")
    assert not any("citytune[boost]" in note for note in bare.tuned.notes)


def test_trees_are_not_of_a_model_without_the_quantiles_they_look_at(
    tuned: tuple[TunedModel, SensorFrame],
) -> None:
    trees = trees_of(tuned[0])
    assert not trees.unfit(lambda: load_backbone("citytune-base"))
    assert "no quantiles" in trees.unfit(lambda: load_backbone("lags"))
    with pytest.raises(ValueError, match="other features"):
        replace(trees, view=replace(trees.view, past=True))
    with pytest.raises(ValueError, match="no trees are called 'oak'"):
        replace(trees, called="oak")
    with pytest.raises(ValueError, match="no bound"):
        replace(trees, inside=5)
