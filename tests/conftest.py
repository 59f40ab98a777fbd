"""Small worlds that several tests share: a synthetic city, and where weights may be."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import gc
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import postgres as servers
import pytest
from filelock import FileLock

from citytune._prefer_torch import prefer_torch
from citytune.backbones import _shelf
from citytune.cli import main
from citytune.evaluation import _boosting, _ridge
from citytune.forecasting import TunedModel, fit_model
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.reporting import Report
from citytune.tuning.examples import _cache

WEIGHTS = Path(__file__).parents[2] / "shared" / "weights"
FLOW = Quantity("traffic_volume", "veh/h", domain="traffic")
prefer_torch()  # whichever test is the first to import a package that looks for TensorFlow


HEAVY = {"test_serving": "", "test_backbones_own": "onnx"}
"""File of tests → what is in the names of those that need packages which only extras bring."""


def pytest_configure() -> None:
    """Nothing that is loaded to collect the tests is garbage: to look for it is a quarter of it.

    Ctrl-C, which some tests press, is heard in the background of a shell too.
    """
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for file, named in HEAVY.items():
            if item.path.name.startswith(file) and named in item.name:
                item.add_marker(pytest.mark.extras)


def make_city(
    sensors: int = 3,
    days: int = 35,
    *,
    steps_per_day: int = 24,
    start: dt.datetime = dt.datetime(2024, 2, 25, 23),
    timezone: str | None = "Europe/Oslo",
    country: str | None = "NO",
    quantity: Quantity = FLOW,
    noise: float = 0.2,
    gaps: float = 0.03,
    turn: float = 0.3,
    seed: int = 0,
) -> SensorFrame:
    """Sensors of 10, 100, 1000 … veh/h with a day, a week, noise and gaps, in local time.

    Every third day is busier by the share `turn`, which no seasonal rule can know and a few lags
    tell: something for a head to learn. By default the clocks go forward within it.
    """
    draw = np.random.default_rng(seed)
    clock = Clock(start, dt.timedelta(days=1) / steps_per_day, timezone)
    local = clock.local(0, days * steps_per_day)
    day = local.astype("datetime64[D]")
    hour = (local - day) / np.timedelta64(1, "h")
    number = day.astype(int)
    shape = 1.2 + np.sin(2 * np.pi * hour / 24 - 1.5)
    shape = shape * np.where((number + 3) % 7 < 5, 1.0, 0.6) * (1 + turn * (number % 3 == 0))
    size = 10.0 ** (1 + np.arange(sensors) % 3)
    values = size * shape[:, None] * np.exp(noise * draw.standard_normal((len(local), sensors)))
    values[draw.random(values.shape) < gaps] = np.nan
    names = tuple(f"s{i}" for i in range(sensors))
    return SensorFrame(values.astype(np.float32), clock, names, quantity, country)


@pytest.fixture(scope="session", autouse=True)
def no_cache() -> Iterator[None]:
    """Every test asks the models anew, and leaves the user's own cache alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CITYTUNE_CACHE", "off")
        yield


@pytest.fixture(scope="session", autouse=True)
def small_rivals() -> Iterator[None]:
    """What a model is compared with learns from less, in a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_boosting, "MOST_WINDOWS", 1500)
        patch.setattr(_boosting, "BOOSTING_ROUNDS", 25)
        patch.setattr(_ridge, "MOST_RIDGE_WINDOWS", 1500)
        yield


@pytest.fixture
def own_shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test puts on the shelf of backbones is gone after it, and each is made anew."""
    for name, kind in (("_cards", dict), ("_checks", dict), ("_own", set)):
        monkeypatch.setattr(_shelf, name, kind(getattr(_shelf, name)))
    monkeypatch.setattr(_shelf._backbones, "_factories", dict(_shelf._backbones._factories))
    monkeypatch.setattr(_shelf, "_make", functools.cache(_shelf._make.__wrapped__))


@contextlib.contextmanager
def without_charts() -> Iterator[None]:
    """A report without its charts, half of the work of a small run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Report, "html", lambda _: "<!doctype html><title>report</title>")
        yield


@pytest.fixture(scope="session")
def plainly() -> Callable[[], AbstractContextManager[None]]:
    """`without_charts`, for a run that a whole file of tests shares."""
    return without_charts


@pytest.fixture
def plain_report(request: pytest.FixtureRequest) -> Iterator[None]:
    """The same for every run of a test; not with `whole_report`."""
    whole = "whole_report" in request.fixturenames
    with contextlib.nullcontext() if whole else without_charts():
        yield


@pytest.fixture
def whole_report() -> None:
    """The report as it is, for a test that reads it."""


@pytest.fixture(scope="session")
def city() -> Callable[..., SensorFrame]:
    """A maker of synthetic cities; see `make_city`."""
    return make_city


class Fitted(NamedTuple):
    model: TunedModel
    frame: SensorFrame


@pytest.fixture(scope="session")
def fit_once() -> Callable[..., Fitted]:
    """A model of a city (see `make_city`), fitted once and shared by all tests that ask for it."""

    @functools.cache
    def fit(
        sensors: int, days: int, *, horizon: int = 24, strategy: str = "blend", **city: Any
    ) -> Fitted:
        frame = make_city(sensors, days, **city)
        return Fitted(fit_model(frame, horizon=horizon, backbone="lags", strategy=strategy), frame)

    return fit


@pytest.fixture(scope="session")
def shared_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes that run the tests have in common."""
    place = tmp_path_factory.getbasetemp()
    return place.parent if "PYTEST_XDIST_WORKER" in os.environ else place


@pytest.fixture
def asked_once(shared_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backbone is asked of the same windows once, for all processes that run the tests.

    Not for tests of what asking gives or costs. Answers are named by all that they follow from,
    see `key_of`.
    """
    monkeypatch.setenv("CITYTUNE_CACHE", str(shared_place / "asked"))
    monkeypatch.setattr(_cache, "SLOW_SECONDS", 0.05)


@pytest.fixture(scope="session")
def made_once(shared_place: Path) -> Callable[..., Any]:
    """Make something once for all processes that run the tests; each gets a copy."""

    def made(name: str, make: Callable[[], Any]) -> Any:
        path = shared_place / f"{name}.pickle"
        with FileLock(f"{path}.lock"):
            if not path.exists():
                path.write_bytes(pickle.dumps(make()))
        return pickle.loads(path.read_bytes())

    return made


@pytest.fixture
def model(tuned: Fitted) -> TunedModel:
    """The model of a test file that says by `tuned` what it is fitted to."""
    return tuned.model


@pytest.fixture
def frame(tuned: Fitted) -> SensorFrame:
    """What that model is fitted to."""
    return tuned.frame


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run `citytune` with some arguments."""

    def call(*words: object) -> Answer:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Server]:
    """A PostgreSQL server with an empty database, where its programs and psycopg are."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install psycopg[binary]")
    where = servers.programs()
    if where is None:
        pytest.skip("no PostgreSQL server is installed here: apt-get install postgresql")
    with servers.running(where) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.extras)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A server's database with empty tables, of each kind."""
    from serving_parts import new_database

    from citytune.serving.database import in_folder

    great = request.param == "postgresql"
    address = request.getfixturevalue("postgres").other if great else in_folder(tmp_path)
    with new_database(address) as found:
        yield found


@pytest.fixture
def config(database: Any, tmp_path: Path) -> Any:
    """The folder of a server with that database."""
    from serving_parts import new_folder

    return new_folder(tmp_path, database)


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights beside the checkout, where they are."""
    if WEIGHTS.is_dir():
        folders = [str(WEIGHTS), os.environ.get("CITYTUNE_WEIGHTS", "")]
        monkeypatch.setenv("CITYTUNE_WEIGHTS", os.pathsep.join(folders))
