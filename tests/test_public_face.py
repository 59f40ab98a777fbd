"""Promise: `import citytune` costs next to nothing, and every public name is where it should be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import citytune as ct

SOURCE = Path(ct.__file__)
HEAVY = ("torch", "polars", "plotly", "pandas", "numpy", "rich", "typer", "narwhals", "holidays")


def in_a_new_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_imports_nothing_heavy() -> None:
    loaded = in_a_new_process("import sys, citytune; print(*sys.modules)").split()
    assert not {*HEAVY} & {name.split(".")[0] for name in loaded}
    assert len([name for name in loaded if name.startswith("citytune")]) < 5


def test_reading_does_not_import_torch() -> None:
    loaded = in_a_new_process(
        "import sys, citytune as ct; ct.read, ct.check, ct.SensorFrame; print(*sys.modules)"
    ).split()
    assert "torch" not in loaded


def test_the_names_are_sorted_and_each_can_be_had() -> None:
    assert ct.__all__ == sorted(ct.__all__)
    for name in ct.__all__:
        assert getattr(ct, name) is getattr(ct, name)
    assert set(ct.__all__) <= set(dir(ct))


def test_type_checkers_see_the_same_names_as_python() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == ct._HOMES
    assert {*seen, "__version__"} == {*ct.__all__}


def test_every_folder_has_a_sorted_door() -> None:
    for door in SOURCE.parent.glob("*/__init__.py"):
        module = ast.parse(door.read_text(encoding="utf-8"))
        names = [
            ast.literal_eval(node.value)
            for node in module.body
            if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"  # type: ignore[attr-defined]
        ]
        assert names, f"{door} has no __all__"
        assert names[0] == sorted(names[0]), door


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tunes'"):
        _ = ct.tunes  # type: ignore[attr-defined]


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert ct.__version__ == version("citytune")


def week_of_hours(days: int = 40) -> ct.SensorFrame:
    """Two sensors with a daily rhythm and a little noise."""
    import datetime as dt

    hours = np.arange(24 * days)
    rng = np.random.default_rng(3)
    day = 100 + 50 * np.sin(2 * np.pi * hours / 24)
    weekend = np.where(hours // 24 % 7 >= 5, 0.6, 1.0)
    values = (day * weekend)[:, None] * np.array([1.0, 0.3]) + rng.normal(0, 3, (len(hours), 2))
    return ct.SensorFrame(
        values=values.astype(np.float32),
        clock=ct.Clock(dt.datetime(2024, 1, 1), dt.timedelta(hours=1)),
        sensors=("north", "south"),
        quantity=ct.Quantity("traffic_volume", "veh/h", low=0, domain="traffic"),
    )


@pytest.fixture(scope="module")
def fitted() -> tuple[ct.Forecaster, ct.SensorFrame]:
    frame = week_of_hours()
    return ct.Forecaster(horizon=12, backbone="lags").fit(frame.until(24 * 33)), frame


def test_tune_is_a_tuned_model_and_the_forecaster_holds_the_same(
    fitted: tuple[ct.Forecaster, ct.SensorFrame],
) -> None:
    forecaster, frame = fitted
    model = ct.tune(frame.until(24 * 33), horizon=12, backbone="lags")
    assert model.strategy == "blend"
    np.testing.assert_allclose(
        forecaster.predict(frame).mean, model.forecast(frame).mean, rtol=1e-5
    )


def test_the_forecaster_scores_the_share_of_the_naive_error_it_saves(
    fitted: tuple[ct.Forecaster, ct.SensorFrame],
) -> None:
    forecaster, frame = fitted
    scores = forecaster.backtest(frame, against=["naive-day", "naive-week", "naive-weeks4"])
    naive = min(scores.models[n]["mae"] for n in ("naive-day", "naive-week", "naive-weeks4"))
    assert forecaster.score(frame) == pytest.approx(1 - scores.models["tuned"]["mae"] / naive)


def test_the_forecaster_reads_what_it_is_given(
    fitted: tuple[ct.Forecaster, ct.SensorFrame],
) -> None:
    import polars as pl

    forecaster, frame = fitted
    names = dict(zip(frame.sensors, frame.values.T, strict=True))
    table = pl.DataFrame({"time": frame.clock.local(0, len(frame)), **names})
    np.testing.assert_allclose(
        forecaster.predict(table).mean, forecaster.predict(frame).mean, rtol=1e-5
    )


def test_the_forecaster_behaves_as_scikit_learn_expects() -> None:
    sklearn = pytest.importorskip("sklearn.base")
    original = ct.Forecaster(horizon=6, caution=4.0)
    copy: Any = sklearn.clone(original)
    assert copy is not original
    assert copy.get_params() == original.get_params()
    assert copy.set_params(horizon=3).horizon == 3
    with pytest.raises(ct.UnknownName, match="Did you mean 'horizon'"):
        copy.set_params(horizn=3)
    assert ct.Forecaster().options is None
    assert "options=None" in repr(ct.Forecaster())


def test_scikit_learn_cross_validates_a_forecaster() -> None:
    pytest.importorskip("sklearn")
    import pandas as pd
    from sklearn.model_selection import TimeSeriesSplit, cross_val_score
    from sklearn.utils import get_tags

    frame = week_of_hours()
    table = pd.DataFrame({"time": frame.clock.local(0, len(frame)), "north": frame.values[:, 0]})
    forecaster = ct.Forecaster(horizon=6, backbone="lags", strategy="zero-shot")
    assert not get_tags(forecaster).target_tags.required
    assert np.isfinite(cross_val_score(forecaster, table, cv=TimeSeriesSplit(2))).all()


def test_a_misspelt_setting_is_answered_with_the_near_name_of_the_public_function() -> None:
    frame = week_of_hours(2)
    for function in (ct.tune, ct.recommend):
        name = function.__name__
        with pytest.raises(ct.UnknownName, match=f"no setting of {name} .*Did you mean 'caution'"):
            function(frame, horizon=6, caustion=2)
        with pytest.raises(ct.InputError, match=f"{name} needs a horizon, such as horizon=24"):
            function(frame)
    with pytest.raises(ct.UnknownName, match=r"no option of check .*Did you mean 'target'"):
        ct.check("loops.csv", targett="flow")


def test_an_unfitted_forecaster_says_so() -> None:
    with pytest.raises(ct.CitytuneError, match="call fit first"):
        ct.Forecaster().predict(week_of_hours(2))
