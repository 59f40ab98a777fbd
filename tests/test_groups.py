"""Promise: sensors taken group by group give the numbers of all at once; what is bad is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import citytune as ct
from citytune.engines import opened
from citytune.evaluation import BY_GROUPS
from citytune.forecasting import Forecast, TunedModel, fit_model
from citytune.frame import SensorFrame
from citytune.readers import partitions_of
from citytune.runs import Reading
from citytune.runs.groups import grouped, score_groups
from citytune.tuning.examples import _choice, _remember
from citytune.windows import History, WindowSpec

READING: dict[str, Any] = {
    "timezone": "Europe/Oslo", "country": "NO", "quantity": "traffic_volume", "unit": "veh/h",
}  # fmt: skip
CLOSE = {"rtol": 1e-6, "atol": 1e-4}
"""Of flows up to some thousands, in single precision."""


def table_of(frame: SensorFrame, sensors: Sequence[str]) -> pl.DataFrame:
    """The long table of some sensors of a frame; a gap is a row that is not there."""
    part, rows = frame.select(sensors), len(frame)
    time = pl.Series(np.tile(frame.clock.moments(0, rows), len(sensors)))
    table = pl.DataFrame({
        "time": time.dt.replace_time_zone("UTC"),
        "sensor": [name for name in sensors for _ in range(rows)],
        "traffic_volume": part.values.T.reshape(-1),
    })  # fmt: skip
    return table.filter(pl.col("traffic_volume").is_not_nan())


def by_sensor(frame: SensorFrame, folder: Path) -> None:
    """A folder for each sensor, as Hive has it."""
    for name in frame.sensors:
        (folder / f"sensor={name}").mkdir(parents=True)
        path = folder / f"sensor={name}" / "data.parquet"
        table_of(frame, [name]).drop("sensor").write_parquet(path)


def by_some(frame: SensorFrame, folder: Path) -> None:
    """Files with some sensors each, in no order."""
    folder.mkdir(parents=True)
    for i in range(4):
        table_of(frame, frame.sensors[i::4]).write_parquet(folder / f"part-{i}.parquet")
    (folder / "_SUCCESS").touch()


def by_time(frame: SensorFrame, folder: Path) -> None:
    """A file for each week, with all sensors: every sensor is split over all files."""
    folder.mkdir(parents=True)
    table = table_of(frame, frame.sensors)
    weeks = table.with_columns(pl.col("time").dt.week().alias("week"))
    for (week,), rows in weeks.group_by("week"):
        rows.drop("week").sample(fraction=1, shuffle=True, seed=1).write_parquet(
            folder / f"week-{week}.parquet"
        )


@pytest.fixture(scope="module")
def frame(city: Callable[..., SensorFrame]) -> SensorFrame:
    made = city(13, 35)
    values = made.values.copy()
    values[:300, 2] = np.nan  # a new sensor
    values[-40:, 4] = np.nan  # a silent one
    return replace(made, values=values)


@pytest.fixture(scope="module")
def model(frame: SensorFrame) -> TunedModel:
    """Of the rows before the last five days."""
    return fit_model(frame.until(len(frame) - 5 * 24), horizon=24, backbone="lags")


@pytest.fixture(scope="module")
def made(frame: SensorFrame, model: TunedModel, tmp_path_factory: pytest.TempPathFactory) -> ct.Run:
    """A run folder, as far as forecasting needs it."""
    folder = tmp_path_factory.mktemp("runs") / "loops"
    model.save(folder)
    return ct.open_run(folder)


def written(folder: Path, sensors: Sequence[str]) -> pl.DataFrame:
    """The forecast in a folder, sensors in an order."""
    place = {name: i for i, name in enumerate(sensors)}
    table = pl.concat(map(pl.read_parquet, sorted(folder.glob("*.parquet"))))
    return table.sort(pl.col("sensor").replace_strict(place), "time")


def assert_is(found: pl.DataFrame, forecast: Forecast) -> None:
    expected = forecast.to_polars()
    assert found["sensor"].to_list() == expected["sensor"].to_list()
    assert (found["time"] == expected["time"]).all()
    assert found["quality"].to_list() == expected["quality"].to_list()
    for name in ("mean", "q05", "q50", "q95"):
        np.testing.assert_allclose(found[name].to_numpy(), expected[name].to_numpy(), **CLOSE)


@pytest.mark.parametrize("layout", [by_sensor, by_some, by_time])
def test_a_forecast_by_groups_is_that_of_all(
    layout: Callable[..., None], frame: SensorFrame, made: ct.Run, tmp_path: Path
) -> None:
    layout(frame, tmp_path / "loops")
    told: list[tuple[str, float]] = []
    found = made.forecast_into(
        tmp_path / "loops", tmp_path / "out", group=4, **READING,
        progress=lambda stage, share: told.append((stage, share)),
    )  # fmt: skip
    assert (found.sensors, found.steps, found.files, found.bad) == (13, 24, 4, {})
    assert told[-1] == ("Forecasting", 1.0)
    assert_is(written(tmp_path / "out", frame.sensors), made.model.forecast(frame))


def test_many_sensors_give_the_numbers_of_the_whole(
    city: Callable[..., SensorFrame], tmp_path: Path
) -> None:
    many = city(300, 35)
    model = fit_model(many, horizon=24, backbone="lags", strategy="zero-shot")
    model.save(tmp_path / "run")
    by_some(many, tmp_path / "loops")
    run = ct.open_run(tmp_path / "run")
    run.forecast_into(tmp_path / "loops", tmp_path / "out", group=64, **READING)
    assert_is(written(tmp_path / "out", many.sensors), model.forecast(many))


def test_a_part_forecasts_as_the_whole_whatever_its_experts(
    frame: SensorFrame, model: TunedModel
) -> None:
    mixture = model.tuned.mixture
    even = torch.full_like(mixture.weights, 1 / len(mixture.experts))
    tuned = replace(model.tuned, mixture=replace(mixture, weights=even))
    model = replace(model, tuned=tuned)
    some = ("s7", "s2", "s12")
    rows = [len(frame) - 30, len(frame)]
    columns = [frame.sensors.index(name) for name in some]
    whole = model.predict(frame, rows).take(columns)
    for own, other in zip(model.part(some).predict(frame.select(some), rows), whole, strict=True):
        np.testing.assert_allclose(own, other, **CLOSE)
    again = model.part(("s1", *some)).part(some).predict(frame.select(some), rows)
    np.testing.assert_allclose(again.point, whole.point, **CLOSE)
    with pytest.raises(ct.UnknownName, match="s99"):
        model.part(["s99"])


def test_scores_by_groups_are_those_of_all(frame: SensorFrame, model: TunedModel) -> None:
    with opened("local") as engine:
        found = score_groups(model, frame, engine, 5)
    whole = ct.backtest(model, frame, refit=False, against=BY_GROUPS)
    for name, metrics in whole.models.items():
        known = metrics if name in ("tuned", "zero-shot") else ("mae", "rmse", "mase")
        for metric in known:
            assert found.models[name][metric] == pytest.approx(metrics[metric], rel=1e-6), metric
    for region in whole.regions:
        own = found.summary()["regions"][region.name]
        assert own["values"] == region.values
        assert own["mae"] == pytest.approx(region.errors, rel=1e-6, nan_ok=True)
    errors = whole.to_polars(metrics=["mae"]).filter(pl.col("model") == "tuned")
    own = found.to_polars().filter(pl.col("model") == "tuned")
    both = errors.join(own, on="sensor")
    np.testing.assert_allclose(both["value"], both["mae"], rtol=1e-6)
    assert "13 sensors" in str(found)


def test_a_rule_that_learns_from_all_is_refused(frame: SensorFrame, model: TunedModel) -> None:
    with opened("local") as engine, pytest.raises(ct.InputError, match="all sensors at once"):
        score_groups(model, frame, engine, 5, against=["lag-ridge"])


def test_windows_chosen_in_blocks_are_the_same(
    frame: SensorFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, spec = History.of(frame, ahead=24), WindowSpec(context=168, horizon=24)

    def found() -> tuple[Any, Any]:
        choice = _choice.Choice.of(history, spec, 150, None)
        return choice.windows, _remember.level_and_spread(history)

    whole = found()
    for module in (_choice, _remember):
        monkeypatch.setattr(module, "SENSORS_AT_ONCE", 5)
    for one, other in zip(whole, found(), strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.equal(a.nan_to_num(-1), b.nan_to_num(-1))


@pytest.fixture
def loops(frame: SensorFrame, tmp_path: Path) -> Path:
    by_some(frame, tmp_path / "loops")
    return tmp_path / "loops"


def test_a_bad_file_is_named_and_the_rest_is_done(
    loops: Path, made: ct.Run, frame: SensorFrame, tmp_path: Path, run: Callable[..., Any]
) -> None:
    (loops / "part-1.parquet").write_bytes(b"no table")
    good = pl.read_parquet(loops / "part-2.parquet")
    good.drop("traffic_volume").write_parquet(loops / "part-4.parquet")
    good.with_columns(pl.lit("x").alias("traffic_volume")).write_parquet(loops / "part-5.parquet")
    good.with_columns(pl.lit(1).alias("more")).write_parquet(loops / "part-6.parquet")
    options = [f"--{name}={value}" for name, value in READING.items()]
    out = tmp_path / "out"
    answer = run("forecast", made.path, loops, "--engine", "local", "--group", 5, "--out", out,
                 *options)  # fmt: skip
    assert answer.code == 2
    for said in ("3 parts", "part-1.parquet: it cannot be read", "no column 'traffic_volume'",
                 "holds String, not numbers", "The rest is done"):  # fmt: skip
        assert said in answer.err
    others = [name for i, name in enumerate(frame.sensors) if i % 4 != 1]
    assert "3 sensors of the model not in the source" in answer.out
    whole = made.model.forecast(frame, sensors=others)
    assert_is(written(out, others), whole)


def test_a_sensor_that_is_no_table_is_named(loops: Path, made: ct.Run, tmp_path: Path) -> None:
    table = pl.read_parquet(loops / "part-0.parquet")
    half = pl.when(pl.col("sensor") == "s4").then(pl.lit(float("inf")))
    table.with_columns(half.otherwise("traffic_volume").alias("traffic_volume")).write_parquet(
        loops / "part-0.parquet"
    )
    found = made.forecast_into(loops, tmp_path / "out", group=6, **READING)
    assert list(found.bad) == ["sensor 's4'"]
    table = written(tmp_path / "out", [f"s{i}" for i in range(13)])
    assert set(table.filter(pl.col("sensor") == "s4")["quality"]) == {"no readings"}
    assert table["mean"].is_nan().sum() == 24


def test_a_name_with_signs_of_patterns_is_a_name(tmp_path: Path) -> None:
    for number, name in enumerate(("A1", "A[1]", "B2", "B*")):
        folder = tmp_path / f"sensor={name}"
        folder.mkdir()
        pl.DataFrame({"value": [float(number)]}).write_parquet(folder / "part.parquet")
    files = partitions_of(tmp_path)
    assert files is not None
    found = {dict(one.keys)["sensor"]: one.rows()["value"].to_list() for one in files}
    assert found == {"A1": [0.0], "A[1]": [1.0], "B2": [2.0], "B*": [3.0]}


def test_a_place_that_is_taken_is_kept(
    loops: Path, made: ct.Run, tmp_path: Path, frame: SensorFrame
) -> None:
    out = tmp_path / "out"
    made.forecast_into(loops, out, group=3, **READING)
    with pytest.raises(ct.InputError, match="already holds a forecast"):
        made.forecast_into(loops, out, **READING)
    made.forecast_into(loops, out, overwrite=True, **READING)
    assert [path.name for path in out.iterdir()] == ["part-00000.parquet"]
    (out / "mine.txt").touch()
    with pytest.raises(ct.InputError, match=r"mine\.txt"):
        made.forecast_into(loops, out, overwrite=True, **READING)
    with pytest.raises(ct.InputError, match="is a file"):
        made.forecast_into(loops, out / "mine.txt", overwrite=True, **READING)


def test_an_address_is_read_and_written(
    frame: SensorFrame, made: ct.Run, loops: Path, tmp_path: Path
) -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    system.put(str(loops), "/city/loops", recursive=True)
    try:
        found = made.forecast_into("memory://city/loops", "memory://city/out", group=5, **READING)
        assert found.sensors == 13
        system.get("/city/out", str(tmp_path / "out"), recursive=True)
        assert_is(written(tmp_path / "out", frame.sensors), made.model.forecast(frame))
        with pytest.raises(ct.InputError, match="already holds a forecast"):
            made.forecast_into("memory://city/loops", "memory://city/out", **READING)
    finally:
        system.rm("/city", recursive=True)


def test_new_sensors_are_forecast_and_absent_ones_counted(
    frame: SensorFrame, model: TunedModel, tmp_path: Path
) -> None:
    expected = model.part(["s0"]).forecast(frame.select(["s0"]))
    replace(model, sensors=(*frame.sensors[:3], *(f"old{i}" for i in range(10)))).save(
        tmp_path / "r"
    )
    by_some(frame, tmp_path / "loops")
    found = ct.open_run(tmp_path / "r").forecast_into(
        tmp_path / "loops", tmp_path / "out", group=3, **READING
    )
    assert found.sensors == 13
    assert any("10 sensors of the model not in the source" in note for note in found.notes)
    table = written(tmp_path / "out", frame.sensors)
    words = table.group_by("sensor").agg(pl.col("quality").first())
    assert words.filter(pl.col("quality").str.starts_with("new"))["sensor"].len() >= 9
    own = table.filter(pl.col("sensor") == "s0")["q50"].to_numpy()
    np.testing.assert_allclose(own, expected.quantile(0.5)[:, 0], **CLOSE)


def test_a_wide_table_and_an_empty_folder_are_refused(made: ct.Run, tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    with pytest.raises(ct.InputError):
        made.forecast_into(source, out)
    hours = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 20), "1h", eager=True)
    wide = pl.DataFrame({"time": hours, "a": hours.dt.hour() * 9.0, "b": hours.dt.hour() * 7.0})
    wide.write_parquet(source / "wide.parquet")
    with pytest.raises(ct.InputError, match="one column of names of sensors is needed"):
        made.forecast_into(source, out)
    with pytest.raises(ct.InputError, match="group is how many"):
        made.forecast_into(source, out, group=0)


def test_a_whole_run_by_groups(frame: SensorFrame, tmp_path: Path) -> None:
    few = frame.select(["s0", "s1", "s3"])
    by_sensor(few, tmp_path / "loops")
    options = {"horizon": 24, "backbone": "lags", "strategy": "zero-shot"}
    run = ct.run(tmp_path / "loops", out=tmp_path / "run", engine="local", group=2,
                 **options, **READING)  # fmt: skip
    names = sorted(path.name for path in run.path.iterdir())
    assert names == ["forecast", "groups", "model", "record", "report.html", "run.json",
                     "scores.json"]  # fmt: skip
    stored, model = ct.open_run(run.path).forecast(), fit_model(few, **options)
    np.testing.assert_allclose(stored.mean, model.forecast(few).mean, **CLOSE)
    assert run.scores is not None
    assert (run.scores["sensors"], run.scores["scored"]) == (3, 3)
    trial = fit_model(few.until(len(few) - 210), **options)
    scores = ct.backtest(trial, few, refit=False, against=BY_GROUPS)
    tuned = run.scores["models"]["tuned"]["mae"]
    assert tuned == pytest.approx(scores.models["tuned"]["mae"], rel=1e-6)
    assert run.report.exists()
    with pytest.raises(ct.RunError, match="by groups of sensors"):
        run.update(few)
    with pytest.raises(ct.RunError, match="already exists"):
        ct.run(tmp_path / "loops", out=run.path, engine="local", **options, **READING)


def test_the_groups_read_are_the_whole_read_at_once(frame: SensorFrame, loops: Path) -> None:
    with opened("local") as engine:
        found = grouped(str(loops), Reading(**READING), engine, 5).whole(engine)
    whole = ct.read(pl.concat(map(pl.read_parquet, sorted(loops.glob("*.parquet")))), **READING)
    assert found.sensors == whole.sensors
    assert found.clock == whole.clock
    assert found.quantity == whole.quantity
    np.testing.assert_array_equal(found.values, whole.values)


def test_what_is_wrong_with_rows_is_said_by_groups_too(loops: Path) -> None:
    table = pl.read_parquet(loops / "part-0.parquet")
    other = table.filter(sensor="s0").tail(24).with_columns(pl.col("traffic_volume") + 1)
    other.write_parquet(loops / "part-8.parquet")
    late = table.tail(2).with_columns(pl.col("time").dt.offset_by("1h"), sensor=pl.lit(None))
    pl.concat([table, late.cast(table.schema)]).write_parquet(loops / "part-0.parquet")
    with opened("local") as engine:
        laid = grouped(str(loops), Reading(**READING), engine, 5)
        found = laid.whole(engine)
    assert ("conflicting-rows", "s0") in {(one.kind, one.sensor) for one in found.faults}
    (bad,) = laid.bad.items()
    assert bad[0].endswith("part-0.parquet")
    assert bad[1] == "2 rows of it without the name of a sensor"


def test_an_engine_of_ones_own_takes_part(loops: Path, made: ct.Run, tmp_path: Path) -> None:
    class Twice:
        """Does every part twice, as after a lost worker."""

        closed = 0

        def __init__(self, asked: str) -> None:
            self.asked = asked

        def map(self, function: Callable[[Any], Any], parts: Any) -> Any:
            return [[function(part), function(part)][1] for part in list(parts)]

        def close(self) -> None:
            Twice.closed += 1

    ct.register_engine("twice", Twice)
    with pytest.raises(ct.InputError, match="already there"):
        ct.register_engine("twice", Twice)
    found = made.forecast_into(loops, tmp_path / "out", engine="twice://here", group=5, **READING)
    assert (found.sensors, found.files, Twice.closed) == (13, 3, 1)
    mine = Twice("mine")
    made.forecast_into(loops, tmp_path / "out", engine=mine, overwrite=True, **READING)
    assert Twice.closed == 1  # who made it closes it


def test_an_engine_that_nobody_knows_is_refused(made: ct.Run, tmp_path: Path) -> None:
    for wrong, said in (
        ("dusk", "no engine"),
        (3, "map and close"),
        ("local://a", "no address"),
        ("ray://", "ray://host:10001"),
        ("ray://host", "a host and a port"),
    ):
        with pytest.raises(ct.InputError, match=said):
            made.forecast_into(tmp_path / "in", tmp_path / "out", engine=wrong)  # type: ignore[arg-type]


def test_ray_that_is_not_installed_is_said(
    made: ct.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ct.InputError, match=r"pip install 'citytune\[ray\]'"):
        made.forecast_into(tmp_path / "in", tmp_path / "out", engine="ray")


def test_the_command_line_scores_by_groups(
    frame: SensorFrame, loops: Path, made: ct.Run, run: Callable[..., Any]
) -> None:
    options = [f"--{name}={value}" for name, value in READING.items()]
    answer = run("score", made.path, loops, "--engine", "local", "--json", *options)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["holdout"]["origins"] == 5
    assert found["models"]["tuned"]["mae"] > 0
    both = run("score", made.path, loops, "--engine", "local", "--alert", ">9", *options)
    assert both.code == 2
    shutil.rmtree(loops)


def test_a_place_inside_of_the_source_is_refused(made: ct.Run, loops: Path) -> None:
    for out in (loops, loops / "out"):
        with pytest.raises(ct.InputError, match="would be read as readings the next time"):
            made.forecast_into(loops, out, **READING)
    assert not (loops / "out").exists()


def test_folders_below_a_folder_are_pointed_to_an_engine(
    frame: SensorFrame, tmp_path: Path
) -> None:
    by_sensor(frame, tmp_path)
    with pytest.raises(ct.InputError, match="folders below it is read with --engine local"):
        ct.read(tmp_path)


@pytest.mark.parametrize("refit", [False, True])
def test_a_backtest_spread_over_an_engine_is_that_at_once(
    refit: bool, frame: SensorFrame, model: TunedModel
) -> None:
    few = model.part(frame.sensors[:5]) if not refit else fit_model(
        frame.select(["s0", "s1", "s3"]), horizon=24, backbone="lags", strategy="zero-shot"
    )  # fmt: skip
    asked: dict[str, Any] = {"refit": refit, "against": ["naive-week"]}
    if refit:
        asked["windows"] = 10
    source = frame.select(few.sensors)
    found = ct.backtest(few, source, engine="local", group=2, **asked)
    whole = ct.backtest(few, source, **asked)
    assert found.models.keys() == whole.models.keys()
    for name, metrics in whole.models.items():
        assert found.models[name] == pytest.approx(metrics, rel=1e-6, nan_ok=True)
    np.testing.assert_allclose(found.detail.quantiles, whole.detail.quantiles, **CLOSE)
    with pytest.raises(ct.InputError, match="group is how many"):
        ct.backtest(few, source, engine="local", group=0)
