"""Promise: Ray gives the numbers of this machine alone, also where a worker is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import citytune as ct
from citytune.engines import opened
from citytune.forecasting import fit_model
from citytune.frame import SensorFrame
from citytune.runs.groups import parts_of, score_groups

pytestmark = [
    pytest.mark.extras,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning:ray"),
]
SENSORS, GROUP = 12, 3


@pytest.fixture(scope="module")
def frame(city: Callable[..., SensorFrame]) -> SensorFrame:
    return city(SENSORS, 35, timezone=None)


@pytest.fixture(scope="module")
def made(frame: SensorFrame, tmp_path_factory: pytest.TempPathFactory) -> ct.Run:
    folder = tmp_path_factory.mktemp("runs") / "loops"
    fit_model(frame.until(len(frame) - 72), horizon=24, backbone="lags").save(folder)
    return ct.open_run(folder)


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A Ray of two workers on this machine."""
    found = pytest.importorskip("ray", reason="Ray is not installed: pip install ray")
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    found.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield found
    found.shutdown()


def forecast(run: ct.Run, frame: SensorFrame, out: Path, engine: Any) -> pl.DataFrame:
    found = run.forecast_into(frame, out, engine=engine, group=GROUP)
    assert found.sensors == SENSORS
    return pl.concat(map(pl.read_parquet, sorted(out.glob("*.parquet"))))


def assert_same(one: pl.DataFrame, other: pl.DataFrame) -> None:
    assert one.select("sensor", "time").equals(other.select("sensor", "time"))
    for name in ("mean", "q05", "q95"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-6)


def test_ray_gives_the_numbers_of_one_machine(
    ray: Any, made: ct.Run, frame: SensorFrame, tmp_path: Path
) -> None:
    here = forecast(made, frame, tmp_path / "here", "local")
    assert_same(forecast(made, frame, tmp_path / "there", "ray"), here)
    scores = []
    for name in ("local", "ray"):
        with opened(name) as engine:
            scores.append(score_groups(made.model, frame, engine, GROUP).models)
    for name, metrics in scores[0].items():
        assert scores[1][name] == pytest.approx(metrics, rel=1e-6, nan_ok=True)
    assert ray.is_initialized()  # it was there before, and is left


def test_ray_recommends_and_tunes_what_one_machine_does(
    ray: Any, frame: SensorFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("citytune.advice._recommend.at_hand", lambda: ["lags", "citytune-base"])
    few = frame.select(frame.sensors[:2])
    here, there = (ct.recommend(few, horizon=6, engine=name) for name in (None, "ray"))
    assert [one.card.name for one in here.rows] == [one.card.name for one in there.rows]
    scores = [[row.score for row in one.rows] for one in (here, there)]
    np.testing.assert_allclose(*scores, rtol=1e-4)  # Ray's workers take one thread each
    tuned = ct.tune(few, horizon=6, engine="ray")
    assert tuned.card.name == here.best


def test_a_run_is_refreshed_on_ray_as_here(ray: Any, frame: SensorFrame, tmp_path: Path) -> None:
    few = frame.select(frame.sensors[:4])
    options: dict[str, Any] = {"horizon": 24, "backbone": "lags", "strategy": "zero-shot"}
    found = []
    for name in ("local", "ray"):
        run = ct.run(few.until(len(few) - 48), out=tmp_path / name, engine=name, group=2, **options)
        told = run.refresh(few, by="update", engine=name)
        assert told.record is not None
        tables = [pl.read_parquet(path) for path in sorted((run.path / "forecast").iterdir())]
        found.append((told.record, pl.concat(tables)))
    assert found[1][0] == found[0][0]
    assert_same(found[1][1], found[0][1])


def test_a_worker_that_is_killed_changes_nothing(
    ray: Any, made: ct.Run, frame: SensorFrame, tmp_path: Path
) -> None:
    mark = tmp_path / "killed"

    class Dies:
        """An engine in which the worker of the second group is killed once."""

        def __init__(self, engine: Any) -> None:
            self.engine = engine

        def map(self, function: Any, parts: Any) -> Any:
            def deadly(part: Any) -> Any:
                if part.number == 1 and not mark.exists():
                    mark.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(part)

            return self.engine.map(deadly, parts)

        def close(self) -> None:
            pass

    here = forecast(made, frame, tmp_path / "here", "local")
    with opened("ray") as engine:
        assert_same(forecast(made, frame, tmp_path / "there", Dies(engine)), here)
    assert mark.exists()


def test_what_a_group_raises_is_raised_here(ray: Any, frame: SensorFrame) -> None:
    def refuse(part: Any) -> None:
        raise ct.InputError(f"group {part.number} is refused")

    with opened("ray") as engine, pytest.raises(ct.InputError, match="group 0 is refused"):
        list(engine.map(refuse, parts_of(frame, GROUP)))


def test_a_group_that_always_kills_its_worker_is_said(ray: Any, frame: SensorFrame) -> None:
    def die(_part: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with opened("ray") as engine, pytest.raises(ct.RunError, match="lost 4 times"):
        list(engine.map(die, parts_of(frame, SENSORS)))


def test_a_cluster_of_another_version_is_refused(ray: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from citytune.engines import _ray

    monkeypatch.setattr(_ray, "_spelt", lambda versions: "these")
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with opened("ray"):
        pass  # the same versions
    own = _ray._versions()
    monkeypatch.setattr(_ray, "_same", lambda theirs: {**own, "torch": "1.0"} == theirs)
    with pytest.raises(ct.InputError, match="install the same versions"), opened("ray"):
        pass


def test_a_machine_that_is_lost_changes_nothing(
    made: ct.Run, frame: SensorFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster of two machines, played by two nodes of Ray on this one."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install ray")
    from ray.cluster_utils import Cluster

    ray.shutdown()
    here = forecast(made, frame, tmp_path / "here", "local")
    head = {"num_cpus": 1, "include_dashboard": False}
    try:
        cluster = Cluster(initialize_head=True, head_node_args=head)
        other = cluster.add_node(num_cpus=1)
    except Exception as error:
        if "timed out during startup" not in str(error):  # Ray waits for half a minute
            raise
        pytest.skip("this machine is too busy to start two nodes of Ray")

    class Loses:
        """An engine that loses a machine after the first group."""

        def __init__(self, engine: Any) -> None:
            self.engine = engine

        def map(self, function: Any, parts: Any) -> Any:
            for done, found in enumerate(self.engine.map(function, parts)):
                if not done:
                    assert len([one for one in ray.nodes() if one["Alive"]]) == 2
                    cluster.remove_node(other, allow_graceful=False)
                yield found

        def close(self) -> None:
            pass

    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    try:
        with opened("ray") as engine:
            found = made.forecast_into(frame, tmp_path / "there", engine=Loses(engine), group=1)
        assert found.sensors == SENSORS
        files = sorted((tmp_path / "there").glob("*.parquet"))
        assert_same(pl.concat(map(pl.read_parquet, files)), here)
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_a_cluster_that_is_not_there_is_said(
    made: ct.Run, frame: SensorFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install ray")
    ray.shutdown()
    with pytest.raises(ct.InputError, match="cluster ray://nowhere:1"):
        made.forecast_into(frame, tmp_path / "out", engine="ray://nowhere:1")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(ct.InputError, match="cluster 127"):
        made.forecast_into(frame, tmp_path / "out", engine="ray")
