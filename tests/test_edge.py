"""Promise: an exported model forecasts what the model forecasts, and nothing else in silence."""

from __future__ import annotations

import csv
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import make_city

import citytune as ct
import citytune_edge as edge
from citytune.backbones.city import CityNetwork
from citytune.cli import main
from citytune.forecasting import TunedModel
from citytune.forecasting.graph import _write, in_eight_bits
from citytune.forecasting.graph._facts import forward_of
from citytune.forecasting.graph._module import Asked, ForecastGraph
from citytune.frame import SensorFrame
from citytune.tuning import Boosted, FineTuned, KnownAhead, LastHour, fine_bands
from citytune.tuning.closed_form._trees import Trees
from citytune.tuning.experts._tree_rows import View
from citytune.windows import fill_causally

CLOSE = 1e-4
"""Of the mean size of a sensor."""


class Eager:
    """The session of ONNX Runtime, played by the graph's own code."""

    def __init__(self, model: TunedModel) -> None:
        self.graph = ForecastGraph(model, forward_of(model)).eval()

    def run(self, _: None, given: dict[str, Any]) -> list[Any]:
        asked = Asked(**{name: torch.as_tensor(part) for name, part in given.items()})
        with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.compiler, "is_exporting", lambda: True)
            return [part.numpy() for part in self.graph(*asked)]


def played(model: TunedModel) -> edge.Edge:
    """What `citytune-edge` makes of a model, but for ONNX itself."""
    found = object.__new__(edge.Edge)
    found._session = Eager(model)
    found.path = Path("model.onnx")
    found.facts = json.loads(json.dumps(_write.facts_of(model, opset=_write.OPSET, int8=False)))
    found._take_facts()
    found._asked = set(Asked._fields)
    return found


def apart(model: TunedModel, there: edge.Edge, frame: SensorFrame) -> float:
    """How far both forecasts are from each other at most, in mean sizes of the sensor."""
    here = model.forecast(frame, sensors=frame.sensors)
    found = there.forecast(frame.values, frame.clock.start, frame.sensors)
    assert (here.clock.moments(0, len(here.mean)) == found.times).all()
    assert here.quality.tolist() == found.quality.tolist()
    size = np.nan_to_num(np.abs(frame.values)).sum(0) / np.isfinite(frame.values).sum(0).clip(1)
    far = [0.0]
    for one, other in zip(
        (here.mean, here.quantiles, here.point),
        (found.mean, found.quantiles, found.point),
        strict=True,
    ):
        assert (np.isnan(one) == np.isnan(other)).all()
        gap = np.abs(one - other) / size.clip(1e-9).reshape(1, -1, *[1] * (one.ndim - 2))
        far.append(float(np.nanmax(gap, initial=0.0)))
    return max(far)


def trees_of(features: int) -> Trees:
    """Two small trees."""
    draw = torch.Generator().manual_seed(0)
    own = torch.arange(5).repeat(2, 1)
    left, right = own.clone(), own.clone()
    left[:, 0], right[:, 0], left[:, 1], right[:, 1] = 1, 2, 3, 4
    return Trees(
        features,
        torch.randint(features, (2, 5), generator=draw),
        torch.randn(2, 5, generator=draw) * 0.3,
        left,
        right,
        torch.randn(2, 5, generator=draw),
    )


def with_everything(frame: SensorFrame) -> TunedModel:
    """A model in which every kind of expert and of intervals counts, on every sensor."""
    blend: dict[str, Any] = {"fine_tune": False, "head_days": 20}
    model = ct.tune(frame, horizon=24, backbone="citytune-base", strategy="blend", options=blend)
    mixture, weights = model.tuned.mixture, dict(model.backbone.network.named_parameters())
    names = ("norm.weight", "layers.3.think.down.weight", "mend.weight")
    tuned = FineTuned(
        "plain", {n: 1.1 * weights[n].detach() for n in names}, {}, None, None, True, 1.2
    )
    level = torch.tensor([10.0, 100, 1000])
    view = View("plain", True, True, None, level, level / 2)
    share = torch.full((len(fine_bands(24)),), 0.5)
    trees = Boosted("boosted", view, trees_of(view.features), torch.ones(24), share, 0)
    rest = [one for one in mixture.experts if one.name != "last-hour"]
    signals = torch.randn(3, 11, generator=torch.Generator().manual_seed(2)) * 0.1
    hour = LastHour("plain", "fine-tuned", signals, torch.tensor([0.9, 0.6, 0.3]), level / 2)
    experts = (*rest, tuned, trees, hour)
    shares = torch.rand(
        len(mixture.weights), 3, len(experts), generator=torch.Generator().manual_seed(1)
    )
    shares = (shares + 0.2) / (shares + 0.2).sum(-1, keepdim=True)
    mixed = replace(mixture, experts=experts, weights=shares, trust=torch.tensor([0.3, 0.6, 0.9]))
    intervals = replace(model.tuned.intervals, trust=0.4, stretch=1.2)
    return replace(model, tuned=replace(model.tuned, mixture=mixed, intervals=intervals))


@pytest.fixture(scope="module")
def city() -> SensorFrame:
    return make_city(3, 42)


@pytest.fixture(scope="module")
def everything(city: SensorFrame) -> TunedModel:
    return with_everything(city)


def moments_of(city: SensorFrame) -> Iterator[SensorFrame]:
    """The city at other hours, around the change of the clocks, and with too little measured."""
    for rows in (3 * 24, 10 * 24 + 5, 22 * 24, len(city) - 1):
        yield city.until(rows)
    change = city.clock.index(np.datetime64("2024-03-30T02:00"))
    for later in (0, 13, 23, 24, 25, 50):
        yield city.until(change + later)
    odd = city.values.copy()
    odd[-300:, 0] = np.nan
    odd[:, 1] = np.nan
    odd[np.arange(len(odd)) % 24 < 6, 2] = np.nan
    yield replace(city, values=odd)


def test_every_expert_and_interval_comes_out_as_in_the_model(
    city: SensorFrame, everything: TunedModel
) -> None:
    there = played(everything)
    assert max(apart(everything, there, frame) for frame in moments_of(city)) < CLOSE
    assert apart(everything, there, city.select(["s2", "s0"])) < CLOSE


def test_a_network_tuned_through_another_lens_comes_out_as_in_the_model(
    city: SensorFrame, everything: TunedModel
) -> None:
    mixture = everything.tuned.mixture
    experts = tuple(
        replace(one, lens="squashed", probabilistic=False) if isinstance(one, FineTuned) else one
        for one in mixture.experts
    )
    tuned = replace(everything.tuned, mixture=replace(mixture, experts=experts))
    model = replace(everything, tuned=tuned)
    assert apart(model, played(model), city) < CLOSE


def test_quantiles_tuned_through_another_lens_are_refused(everything: TunedModel) -> None:
    mixture = everything.tuned.mixture
    experts = tuple(
        replace(one, lens="squashed") if isinstance(one, FineTuned) else one
        for one in mixture.experts
    )
    tuned = replace(everything.tuned, mixture=replace(mixture, experts=experts))
    with pytest.raises(ct.InputError, match="the lens 'squashed'"):
        _write.check_exportable(replace(everything, tuned=tuned))


def test_each_network_is_asked_once_for_all_that_experts_show_it(
    city: SensorFrame, everything: TunedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, asked, states = played(everything), list[CityNetwork](), CityNetwork.states

    def counted(network: CityNetwork, *given: Any) -> Any:
        asked.append(network)
        return states(network, *given)

    monkeypatch.setattr(CityNetwork, "states", counted)
    there.forecast(city.values, city.clock.start, city.sensors)
    assert len(asked) == len({id(one) for one in asked}) == 2


@pytest.mark.parametrize("strategy", ["head", "last-blocks", "lora"])
def test_strategies_come_out_as_in_the_model(city: SensorFrame, strategy: str) -> None:
    if strategy == "lora":
        pytest.importorskip("peft")
    short = city.until(24 * 20)
    steps = {} if strategy == "head" else {"epochs": 1, "folds": 2, "interpolate": False}
    model = ct.tune(
        short,
        horizon=30,
        backbone="citytune-base",
        strategy=strategy,
        options={**steps, "windows": 60} if steps else {},
    )
    assert apart(model, played(model), short) < CLOSE


@pytest.mark.parametrize(
    ("steps_per_day", "days", "horizon", "zone"),
    [(1, 200, 14, None), (1, 200, 7, "Europe/Oslo"), (48, 20, 60, "Europe/Oslo"), (5, 60, 9, None)],
)
def test_other_clocks_come_out_as_in_the_model(
    steps_per_day: int, days: int, horizon: int, zone: str | None
) -> None:
    start = dt.datetime(2024, 3, 20, 23) if zone else dt.datetime(2024, 3, 20)
    frame = make_city(
        2,
        days,
        steps_per_day=steps_per_day,
        start=start,
        timezone=zone,
        country="NO" if zone else None,
    )
    model = ct.tune(frame, horizon=horizon, backbone="citytune-base", strategy="zero-shot")
    there = played(model)
    cuts = (len(frame), len(frame) - 3, len(frame) * 2 // 3)
    assert max(apart(model, there, frame.until(rows)) for rows in cuts) < CLOSE


def test_rare_values_are_moved_as_in_the_model(city: SensorFrame) -> None:
    model = ct.tune(city, horizon=24, backbone="citytune-base", strategy="zero-shot", rare="top 5%")
    assert model.tuned.tilt is not None
    model = replace(model, tuned=replace(model.tuned, tilt=replace(model.tuned.tilt, power=0.6)))
    assert apart(model, played(model), city) < CLOSE


def test_gaps_are_filled_as_in_the_model(city: SensorFrame) -> None:
    values = city.values.T.copy()
    values[1, :200] = np.nan
    np.testing.assert_array_equal(edge.fill_causally(values, 24), fill_causally(values, 24))


def test_what_needs_the_weather_is_refused_with_the_reason(
    city: SensorFrame, tmp_path: Path
) -> None:
    draw, city = np.random.default_rng(0), city.until(24 * 25).select(["s1"])
    warm = draw.normal(10, 5, (len(city) + 24, 1)).astype(np.float32)
    values = city.values + 0.1 * np.nanmean(city.values, 0) * warm[: len(city)]
    frame = replace(city, values=values.astype(np.float32), covariates={"temperature": warm})
    model = ct.tune(frame, horizon=24, backbone="citytune-base", strategy="blend")
    assert any(isinstance(one, KnownAhead) for one in model.tuned.mixture.needed)
    with pytest.raises(ct.InputError, match=r"'known-ahead' .* needs 'temperature' ahead"):
        model.export_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_other_networks_are_refused_with_the_reason(city: SensorFrame, tmp_path: Path) -> None:
    model = ct.tune(city, horizon=24, backbone="lags", strategy="zero-shot")
    with pytest.raises(ct.InputError, match="this one is 'lags'"):
        model.export_onnx(tmp_path / "model.onnx")


def test_a_target_that_is_there_is_kept(everything: TunedModel, tmp_path: Path) -> None:
    place = tmp_path / "model.onnx"
    place.write_text("mine")
    with pytest.raises(ct.InputError, match="already exists"):
        everything.export_onnx(place)
    assert place.read_text() == "mine"


def test_the_edge_imports_neither_citytune_nor_torch() -> None:
    code = "import sys, citytune_edge; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"citytune", "torch", "polars", "pandas", "onnxruntime"} & set(done.stdout.split())


def write_wide(frame: SensorFrame, path: Path) -> Path:
    local = frame.clock.local(0, len(frame)).astype("datetime64[s]")
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["time", *frame.sensors])
        for time, row in zip(local, frame.values, strict=True):
            out.writerow([time, *("" if np.isnan(one) else one for one in row.tolist())])
    return path


def test_files_are_read_as_citytune_reads_them(
    city: SensorFrame, everything: TunedModel, tmp_path: Path
) -> None:
    there = played(everything)
    found = there.read(write_wide(city, tmp_path / "wide.csv"))
    assert (found.start, found.sensors) == (np.datetime64(city.clock.start), city.sensors)
    np.testing.assert_array_equal(found.values, city.values)
    long = tmp_path / "long.csv"
    rows = [
        f"{n};{t};{v}"
        for t, n, v in (
            ("2024-10-27 02:00", "s1", 5),
            ("2024-10-27 02:00", "s1", 6),
            ("2024-10-27T03:00+01:00", "s1", 7),
        )
    ]
    long.write_text("\n".join(["sensor;time;value", *rows]))
    assert there.read(long).values[:, 0].tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,s0\n2024-05-01 00:00,1\n2024-05-01 01:00,x\n", "line 3: '2024-05-01 01:00', 'x'"),
        ("time,s0\n2024-05-01 00:00,1\n2024-05-01 00:30,2\n", "a row every 0:30:00"),
        ("time,s0\n2024-05-01 00:00,1\n2024-05-01 00:00+02:00,2\n", "two values"),
        ("time,s0\n2024-03-31 02:30,1\n", "skipped by the clocks of Europe/Oslo"),
        ("time,s0,s0\n", "each called otherwise"),
        ("time\n", "it needs the time"),
        ("time,s0\n", "holds no readings"),
        ("time,s0\n2024-05-01,1,2\n", "3 cells under 2 names"),
        ("time,s0\nyesterday,1\n", "line 2: 'yesterday'"),
    ],
)
def test_a_file_that_cannot_be_read_gets_one_sentence(
    everything: TunedModel, tmp_path: Path, text: str, said: str
) -> None:
    place = tmp_path / "loops.csv"
    place.write_text(text)
    with pytest.raises(edge.EdgeError, match=said.replace("(", r"\(").replace("+", r"\+")):
        played(everything).read(place)


def test_readings_that_do_not_fit_the_model_get_one_sentence(
    city: SensorFrame, everything: TunedModel
) -> None:
    there, start = played(everything), city.clock.start
    for values, begin, names, said in [
        (city.values, start, ("s0", "s1", "x"), "'x' is none of the sensors"),
        (city.values, start, ("s0", "s1", "s1"), "given once"),
        (city.values[:, 0], start, ("s0",), "table of"),
        (city.values[:40], start, None, "there are 40 rows of 1h, and the model needs at least 48"),
        (city.values, start + dt.timedelta(minutes=7), None, "between two steps"),
        (city.values, dt.datetime(2050, 1, 1), None, "knows holidays and clock changes from"),
    ]:
        with pytest.raises(edge.EdgeError, match=said):
            there.forecast(values, begin, names)


@pytest.fixture(scope="module")
def small(everything: TunedModel) -> TunedModel:
    """The network as pretrained and fine-tuned, and a rule: of more a graph takes minutes."""
    mixture = everything.tuned.mixture
    some = {"plain", "fine-tuned", "day-kind"}
    kept = torch.tensor([float(one.name in some) for one in mixture.experts])
    weights = mixture.weights * kept
    mixture = replace(mixture, weights=weights / weights.sum(-1, keepdim=True))
    return replace(everything, tuned=replace(everything.tuned, mixture=mixture))


@pytest.fixture(scope="module")
def exported(small: TunedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    return small.export_onnx(tmp_path_factory.mktemp("edge") / "model.onnx")


@pytest.mark.extras
class TestOnnx:
    """Through ONNX Runtime itself: making a graph takes a minute or two."""

    def test_the_graph_forecasts_what_the_model_forecasts(
        self, city: SensorFrame, small: TunedModel, exported: Path
    ) -> None:
        there = edge.Edge(exported)
        assert max(apart(small, there, frame) for frame in moments_of(city)) < CLOSE
        assert apart(small, there, city.select(["s1"])) < CLOSE

    def test_a_file_gives_the_forecast_that_citytune_writes(
        self, city: SensorFrame, small: TunedModel, exported: Path, tmp_path: Path, capsys: Any
    ) -> None:
        file, out = write_wide(city, tmp_path / "loops.csv"), tmp_path / "forecast.csv"
        words = [str(exported), str(file), "--out", str(out)]
        assert edge.main(words) == 0
        small.forecast(city).write_csv(tmp_path / "own.csv")
        one, other = (
            list(csv.DictReader(p.read_text().splitlines())) for p in (out, tmp_path / "own.csv")
        )
        assert [row.keys() for row in one] == [row.keys() for row in other]
        for row, own in zip(one, other, strict=True):
            assert [row[k] for k in ("sensor", "time", "quality")] == [
                own[k] for k in ("sensor", "time", "quality")
            ]
            assert float(row["q95"]) == pytest.approx(float(own["q95"]), rel=1e-3)
        assert edge.main(words) == 2
        assert "already exists" in capsys.readouterr().err

    def test_files_that_are_not_what_was_written_are_refused(
        self, exported: Path, tmp_path: Path, capsys: Any
    ) -> None:
        import onnx

        whole = exported.read_bytes()
        bad = tmp_path / "bad.onnx"

        def said(content: bytes) -> str:
            bad.write_bytes(content)
            assert edge.main([str(bad), "loops.csv", "--out", str(tmp_path / "out.csv")]) == 2
            return str(capsys.readouterr().err)

        changed = onnx.load(exported)
        first = next(one for one in changed.graph.initializer if len(one.raw_data) > 10_000)
        first.raw_data = first.raw_data[4:] + first.raw_data[:4]
        assert "no longer what citytune wrote" in said(changed.SerializeToString())
        place = len(whole) // 2
        assert "no longer" in said(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert "cannot be opened" in said(whole[:1000])
        assert "cannot be opened" in said(b"")
        newer = whole.replace(b'{"format": 1', b'{"format": 2')
        assert "format 2, and this citytune-edge reads 1" in said(newer)
        bare = _write._sealed(changed.SerializeToString(), {"format": 1})
        assert "does not say what a model" in said(bare)  # of two descriptions the last counts
        del changed.metadata_props[:]
        bare = _write._sealed(changed.SerializeToString(), {"format": 1})
        assert "does not say what a model must say of itself ('sensors')" in said(bare)
        assert "no description of citytune" in said(changed.SerializeToString())
        assert edge.main([str(tmp_path / "none.onnx"), "loops.csv"]) == 2

    def test_eight_bits_are_smaller_and_near(
        self, city: SensorFrame, small: TunedModel, exported: Path, tmp_path: Path
    ) -> None:
        place = in_eight_bits(exported, tmp_path / "int8.onnx")
        assert edge.Edge(place).facts["int8"]
        assert place.stat().st_size < 0.55 * exported.stat().st_size
        assert 1e-5 < apart(small, edge.Edge(place), city) < 0.2

    def test_the_command_exports_a_run(
        self, city: SensorFrame, tmp_path: Path, capsys: Any
    ) -> None:
        model = ct.tune(city, horizon=6, backbone="citytune-base", strategy="zero-shot")
        model.save(tmp_path / "run")
        place = tmp_path / "model.onnx"
        assert main(["export", str(tmp_path / "run"), "--onnx", str(place)]) == 0
        assert apart(model, edge.Edge(place), city) < CLOSE
        assert main(["export", str(tmp_path / "run"), "--onnx", str(place)]) == 2
        assert "already exists" in capsys.readouterr().err
