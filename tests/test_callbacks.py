"""Promise: what MLflow and TensorBoard are told is what the model, its scores and its fit were."""

from __future__ import annotations

import builtins
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import make_city

import citytune as ct
from citytune.callbacks import MLflow, TensorBoard, Tracker
from citytune.forecasting import fit_model
from citytune.training import Loop, listening, minimise


class Notebook(Tracker):
    """A tracker that writes into lists."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: dict[str, list[tuple[int, float]]] = {}
        self.params: dict[str, str] = {}
        self.stages: list[str] = []
        self.ended: list[bool] = []

    def _begin(self) -> None: ...

    def _finish(self, *, failed: bool) -> None:
        self.ended.append(failed)

    def _params(self, params: Any) -> None:
        self.params |= params

    def _metrics(self, metrics: Any, step: int) -> None:
        for name, value in metrics.items():
            self.noted.setdefault(name, []).append((step, value))

    def _stage(self, stage: str) -> None:
        self.stages.append(stage)

    def _artifact(self, path: Path) -> None: ...


@pytest.fixture(scope="module")
def frame() -> ct.SensorFrame:
    return make_city(2, 40)


def steps() -> None:
    """Three epochs of gradient steps, as every gradient strategy takes them."""
    weight = torch.zeros(1, requires_grad=True)
    minimise(
        [weight], lambda batch: (weight - 1).square().sum(), 4, Loop(epochs=3), held=lambda: 0.5
    )


def model_of(frame: ct.SensorFrame, tracker: Tracker) -> ct.TunedModel:
    return fit_model(frame, horizon=6, backbone="lags", strategy="zero-shot", progress=tracker)


def test_a_tracker_notes_every_epoch_the_progress_and_the_scores(frame: ct.SensorFrame) -> None:
    with Notebook() as tracker:
        model = model_of(frame.until(24 * 33), tracker)
        steps()
        scores = ct.backtest(model, frame, against=["naive-day"])
        board = scores.leaderboard()
        tracker.log(model, scores, board)
    losses = tracker.noted["fit/loss"]
    assert [step for step, _ in losses] == [1, 2, 3]
    assert losses[-1][1] < losses[0][1]
    assert tracker.noted["fit/held"] == [(1, 0.5), (2, 0.5), (3, 0.5)]
    assert tracker.params["strategy"] == "zero-shot"
    assert tracker.params["sensors"] == "2"
    assert tracker.noted["naive-day/mae"][0] == (0, scores.models["naive-day"]["mae"])
    assert tracker.noted["tuned/ratio"][0][1] == board["tuned"].ratio
    assert tracker.stages
    assert tracker.ended == [False]
    assert not any(name.startswith("naive-day/ratio_low") for name in tracker.noted)


def fail(tracker: Tracker) -> None:
    tracker("reading", 0.5)
    raise RuntimeError("out of paper")


def test_a_tracker_closes_when_the_work_fails() -> None:
    tracker = Notebook()
    with pytest.raises(RuntimeError, match="out of paper"), tracker:
        fail(tracker)
    assert tracker.ended == [True]
    with pytest.raises(ct.CitytuneError, match="notes nothing outside of its block"):
        tracker("reading", 0.6)


class Down(Notebook):
    """A tracker whose server is down as often as it is told."""

    down = 0

    def _metrics(self, metrics: Any, step: int) -> None:
        if self.down:
            self.down -= 1
            raise ConnectionError("no answer")
        super()._metrics(metrics, step)


def down_for(tracker: Down, notes: int) -> None:
    tracker.down = notes
    steps()


def test_a_tracker_that_is_down_for_an_epoch_ends_no_fit() -> None:
    tracker = Down()
    with (
        pytest.warns(UserWarning, match=r"could not note losses \(ConnectionError: no answer"),
        tracker,
    ):
        down_for(tracker, 1)
    assert [step for step, _ in tracker.noted["fit/loss"]] == [2, 3]
    assert tracker.ended == [False]


def test_a_tracker_that_stays_down_warns_once_and_is_asked_ever_less() -> None:
    tracker = Down()
    with warnings.catch_warnings(record=True) as told, tracker:
        warnings.simplefilter("always")
        tracker.down = 1000
        for _ in range(10):
            steps()
        tracker("fitting", 0.5)
    assert [str(one.message).count("losses") for one in told].count(1) == 1
    assert 1000 - tracker.down < 10


def test_parameters_of_a_second_model_are_told_apart(frame: ct.SensorFrame) -> None:
    with Notebook() as tracker:
        first = model_of(frame, tracker)
        second = fit_model(frame, horizon=5, backbone="lags", strategy="zero-shot")
        tracker.log(first, second, first)
    assert (tracker.params["horizon"], tracker.params["2/horizon"]) == ("6", "5")
    assert "3/horizon" not in tracker.params


def test_little_progress_is_not_noted_again() -> None:
    with Notebook() as tracker:
        for share in (0.0, 0.001, 0.002, 0.02, 1.0):
            tracker("fitting", share)
        tracker("forecasting", 1.0)
        with pytest.raises(ct.InputError, match="a int cannot be logged; give a TunedModel"):
            tracker.log(3)
    assert [value for _, value in tracker.noted["progress"]] == [0.0, 0.02, 1.0, 1.0]
    assert tracker.stages == ["fitting", "forecasting"]


def test_nobody_is_told_after_they_stopped_listening() -> None:
    told: list[int] = []
    with listening(lambda *epoch: told.append(epoch[1])):
        pass
    steps()
    assert not told


def test_what_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".", maxsplit=1)[0] == "mlflow" or name == "torch.utils.tensorboard":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ct.InputError, match=r"pip install 'citytune\[mlflow\]'"), MLflow():
        pass
    with (
        pytest.raises(ct.InputError, match=r"pip install 'citytune\[tensorboard\]'"),
        TensorBoard(tmp_path),
    ):
        pass


@pytest.mark.extras  # MLflow
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")
def test_mlflow_keeps_parameters_metrics_losses_and_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: ct.SensorFrame
) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install mlflow")
    uri = (tmp_path / "store").as_uri()
    settings = {"horizon": 6, "backbone": "lags", "strategy": "zero-shot"}
    with MLflow("loops", run_name="first", tracking_uri=uri) as tracker:
        run = ct.run(frame, out=tmp_path / "run", progress=tracker, **settings)
        steps()
        other = fit_model(frame, horizon=5, backbone="lags", strategy="zero-shot")
        tracker.log(run, other)
    client = mlflow.MlflowClient(tracking_uri=uri)
    kept = client.get_run(tracker.run_id)
    assert kept.info.status == "FINISHED"
    assert kept.data.params["strategy"] == "zero-shot"
    assert kept.data.params["2/horizon"] == "5"
    assert kept.data.metrics["tuned/mae"] == pytest.approx(run.scores["models"]["tuned"]["mae"])
    assert kept.data.metrics["progress"] == 1
    assert len(client.get_metric_history(tracker.run_id, "fit/loss")) == 3
    assert [one.path for one in client.list_artifacts(tracker.run_id)] == ["report.html"]
    with MLflow("loops", tracking_uri=uri) as second:
        pass
    assert client.get_run(second.run_id).info.experiment_id == kept.info.experiment_id


@pytest.mark.extras  # TensorBoard
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_tensorboard_reads_what_was_noted(tmp_path: Path, frame: ct.SensorFrame) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install it")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with TensorBoard(tmp_path / "logs") as tracker:
        model = model_of(frame.until(24 * 33), tracker)
        steps()
        scores = ct.backtest(model, frame, against=["naive-day"])
        tracker.log(model, scores)
    read = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert {"fit/loss", "tuned/mae", "progress"} <= set(read.Tags()["scalars"])
    found = read.Scalars("tuned/mae")[0].value
    assert found == pytest.approx(scores.models["tuned"]["mae"], rel=1e-5)
    assert any(tag.startswith("parameters") for tag in read.Tags()["tensors"])
