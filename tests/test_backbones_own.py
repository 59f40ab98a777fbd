"""The promise: any function, torch network or ONNX file that forecasts is tuned safely."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import citytune as ct
from citytune._errors import InputError, MissingWeights, RunError
from citytune.backbones import (
    LEVELS,
    Past,
    from_forecaster,
    from_onnx,
    from_torch,
    load_backbone,
    shelf,
)
from citytune.backbones._levels import to_levels
from citytune.forecasting import fit_model
from citytune.frame import SensorFrame

pytestmark = pytest.mark.usefixtures("own_shelf")
NINE = tuple(n / 10 for n in range(1, 10))


def windows(count: int = 6, length: int = 200, *, seed: int = 3) -> Past:
    draw = torch.Generator().manual_seed(seed)
    values = 50 + 20 * torch.randn(count, length, generator=draw)
    known = torch.rand(count, length, generator=draw) > 0.1
    steps = torch.arange(length + 48)
    calendar = torch.stack([steps % 24 / 24, steps // 24 % 7, 0.0 * steps], -1)
    return Past(values, known, calendar.expand(count, -1, -1).float(), 24)


def yesterday(past: np.ndarray, horizon: int) -> np.ndarray:
    return past[:, -24:][:, np.arange(horizon) % 24]


def spread_out(past: np.ndarray, horizon: int) -> np.ndarray:
    return yesterday(past, horizon)[..., None] + 10 * (np.arange(9) - 4)


class Line(nn.Module):
    """One layer, an activation, and an answer of points or quantiles."""

    def __init__(self, context: int, horizon: int, levels: int = 0) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(context, 8), nn.Linear(8, horizon * max(1, levels))
        self.levels = levels

    def forward(self, past: Tensor) -> Tensor:
        found = self.head(torch.tanh(self.body(past)))
        return found.unflatten(1, (-1, self.levels)).sort(-1).values if self.levels else found


def line(context: int = 96, horizon: int = 24, levels: int = 0, seed: int = 0) -> Line:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Line(context, horizon, levels)


def test_quantiles_at_other_levels_are_those_of_a_normal_distribution() -> None:
    normal = torch.distributions.Normal(3.0, 2.0)
    for levels in (NINE, (0.1, 0.5, 0.9), (0.25, 0.75), (0.01, 0.5, 0.6, 0.99)):
        found = to_levels(normal.icdf(torch.tensor(levels)), levels)
        torch.testing.assert_close(found, normal.icdf(torch.tensor(LEVELS)), atol=1e-4, rtol=0)


def test_one_level_is_all_of_them_and_crossing_ones_are_sorted() -> None:
    assert to_levels(torch.tensor([4.0]), (0.5,)).tolist() == [4.0] * len(LEVELS)
    crossed = to_levels(torch.tensor([3.0, 2.0, 1.0]), (0.1, 0.5, 0.9))
    assert bool((crossed.diff() >= 0).all())


def test_a_function_of_arrays_is_asked_in_the_unit_of_the_data() -> None:
    name = from_forecaster(yesterday, name="mine", context=100)
    past = windows(700)
    found = load_backbone(name).forecast(past, 30)
    expected = past.values[:, -24:][:, torch.arange(30) % 24]
    torch.testing.assert_close(found, expected)
    assert load_backbone(name).features(past).shape == (700, shelf()[name].features)


def test_an_array_that_may_not_be_written_to_is_taken() -> None:
    def read_only(past: np.ndarray, horizon: int) -> np.ndarray:
        found = np.ascontiguousarray(yesterday(past, horizon), dtype=np.float64)
        return np.frombuffer(found.tobytes()).reshape(found.shape)

    from_forecaster(read_only, name="mine", context=48)
    past = windows()
    found = load_backbone("mine").forecast(past, 12)
    torch.testing.assert_close(found, past.values[:, -24:][:, :12])


def test_quantiles_of_a_function_become_ours() -> None:
    name = from_forecaster(spread_out, name="mine", levels=NINE)
    found = load_backbone(name).quantiles(windows(), 24)  # type: ignore[attr-defined]
    assert found.shape == (6, 24, len(LEVELS))
    torch.testing.assert_close(found[..., 5], load_backbone(name).forecast(windows(), 24))
    assert bool((found.diff(dim=-1) > 0).all())


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@pytest.mark.parametrize("levels", [None, (0.1, 0.5, 0.9)], ids=["points", "quantiles"])
def test_a_function_of_tables_is_asked_like_one_of_arrays(kind: Any, levels: Any) -> None:
    import narwhals as nw

    def naive(table: Any, horizon: int) -> Any:
        frame = nw.from_native(table, eager_only=True)
        assert frame.columns == ["unique_id", "ds", "y"]
        last = frame.group_by("unique_id").agg(nw.col("y").last(), nw.col("ds").max())
        ids = np.repeat(last["unique_id"].to_numpy(), horizon)
        ahead = np.tile(np.arange(1, horizon + 1), len(last)) * np.timedelta64(1, "h")
        when = np.repeat(last["ds"].to_numpy(), horizon) + ahead
        value = np.repeat(last["y"].to_numpy(), horizon)
        names = ["naive"] if levels is None else [f"{level:g}" for level in levels]
        columns = {name: value + place for place, name in enumerate(names)}
        return nw.from_dict({"unique_id": ids, "ds": when, **columns}, backend=kind).to_native()

    past = windows()
    name = from_forecaster(naive, name="mine", levels=levels, table=kind)
    found = load_backbone(name).forecast(past, 5)
    expected = past.values[:, -1:].expand(-1, 5) + (0 if levels is None else 1)
    torch.testing.assert_close(found, expected)


def test_the_weekday_and_the_hour_of_a_table_are_those_of_the_calendar() -> None:
    seen: list[Any] = []

    def look(table: Any, horizon: int) -> Any:
        seen.append(table)
        raise RuntimeError("seen enough")

    from_forecaster(look, name="mine", table="polars")
    past = windows(1, 60)
    past.calendar[:, :, 0] = (torch.arange(108) + 5) % 24 / 24
    past.calendar[:, :, 1] = 3 + (torch.arange(108) + 5) // 24
    with pytest.raises(InputError, match="'mine' failed"):
        load_backbone("mine").forecast(past, 2)
    times = seen[0]["ds"]
    assert (times[0].weekday(), times[0].hour, times[19].weekday(), times[19].hour) == (3, 5, 4, 0)


def test_gaps_are_shown_to_a_function_that_knows_them() -> None:
    from_forecaster(lambda past, h: np.isnan(past).sum(1, keepdims=True) + np.zeros(h), name="mine",
                    gaps=True)  # fmt: skip
    past = windows()
    found = load_backbone("mine").forecast(past, 2)
    assert found[:, 0].tolist() == (~past.measured).sum(1).tolist()


@pytest.mark.parametrize(
    ("fn", "said"),
    [
        (
            lambda past, h: past[:1, :h],
            r"gave \(1, 24\), asked for \(window, horizon\) = \(6, 24\)",
        ),
        (spread_out, "or say the `levels` of its quantiles"),
        (lambda past, h: past[:, :h] * np.nan, "gave NaN or infinite values"),
        (lambda past, h: 1 / 0, "failed \\(ZeroDivisionError: division by zero\\)"),
    ],
    ids=["shape", "quantiles", "nan", "fails"],
)
def test_a_wrong_answer_is_one_sentence(fn: Callable[..., Any], said: str) -> None:
    from_forecaster(fn, name="mine")
    with pytest.raises(InputError, match=f"the forecaster 'mine' .*{said}"):
        load_backbone("mine").forecast(windows(), 24)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fn": 3}, "a forecaster is a function"),
        ({"name": " "}, "'name' is empty"),
        ({"name": "ttm-r2"}, "'ttm-r2' is already there, which is not yours"),
        ({"levels": (0.9, 0.1)}, "ascend within"),
        ({"levels": (0.6, 0.9)}, "both sides of 0.5"),
        ({"levels": "wide"}, "ascend within"),
        ({"context": 0}, "'context' is 0"),
        ({"horizon": 1.5}, "'horizon' is 1.5"),
        ({"table": "excel"}, "'table' is 'excel'"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_forecaster(**{"fn": yesterday, "name": "mine"} | options)


def test_a_second_one_of_the_same_name_takes_the_place_of_the_first() -> None:
    from_forecaster(yesterday, name="mine")
    first = load_backbone("mine")
    from_forecaster(lambda past, h: 0 * yesterday(past, h), name="mine")
    assert load_backbone("mine") is not first
    assert load_backbone("mine").forecast(windows(), 3).abs().max() == 0


def test_a_torch_network_is_shown_windows_in_their_own_unit() -> None:
    network = line()
    from_torch(network, name="net", context=96, horizon=24)
    past = windows()
    found = load_backbone("net").forecast(past, 20)
    known = past.measured[:, -96:]
    shown = past.values[:, -96:]
    level = torch.stack([row[m].mean() for row, m in zip(shown, known, strict=True)])[:, None]
    spread = torch.stack([row[m].std(correction=0) for row, m in zip(shown, known, strict=True)])
    ahead = network((shown - level) / spread[:, None])
    expected = ahead[:, :20] * spread[:, None] + level
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
    assert all(weight.requires_grad for weight in network.parameters())


def test_features_are_read_from_the_part_that_is_named() -> None:
    network = line()
    from_torch(network, name="net", context=96, horizon=24, features="body")
    found = load_backbone("net").features(windows())
    assert found.shape == (6, 8)
    assert shelf()["net"].features == 8
    assert [type(block) for block in load_backbone("net").blocks()] == [nn.Linear, nn.Linear]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"module": yesterday}, "a torch.nn.Module, and this is a function"),
        ({"context": 50}, r"does not take windows \(example, 50\) \(RuntimeError"),
        ({"horizon": 12}, r"gives \(2, 24\) .* and \(2, 12\) is asked for"),
        ({"module": line(levels=3)}, "or say the `levels`"),
        ({"features": "tail"}, "no part 'tail' to read from; it has body, head"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_torch(**{"module": line(), "name": "net", "context": 96, "horizon": 24} | options)


def onnx_file(
    folder: Path, shape: list[Any], levels: int = 0, double: bool = False, horizon: int = 24
) -> Path:
    """The first steps of the past times 2; with levels, around it."""
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    pytest.importorskip("onnxruntime", reason="the package onnxruntime is not installed")
    helper, number = onnx.helper, onnx.TensorProto.DOUBLE if double else onnx.TensorProto.FLOAT
    real = np.float64 if double else np.float32
    steps = np.zeros((96, horizon * max(1, levels)), real)
    for step in range(horizon):
        steps[72 + step, step * max(1, levels) : (step + 1) * max(1, levels)] = 2
    around = np.tile(np.linspace(-1, 1, levels) if levels else np.zeros(1), horizon).astype(real)
    final = np.array([-1, horizon, levels] if levels else [-1, horizon])
    kept = {"steps": steps, "around": around, "flat": np.array([-1, 96]), "final": final}
    nodes = [
        helper.make_node("Reshape", ["past", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "steps"], ["product"]),
        helper.make_node("Add", ["product", "around"], ["sum"]),
        helper.make_node("Reshape", ["sum", "final"], ["ahead"]),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("past", number, shape)],
        [helper.make_tensor_value_info("ahead", number, None)],
        [onnx.numpy_helper.from_array(value, key) for key, value in kept.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = folder / "twice.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("shape", [["n", 96], ["n", 96, 1], [4, 1, 96], [1, 96]], ids=str)
@pytest.mark.parametrize("double", [False, True], ids=["float", "double"])
def test_an_onnx_file_is_shown_windows_as_it_takes_them(
    tmp_path: Path, shape: list[Any], double: bool
) -> None:
    name = from_onnx(onnx_file(tmp_path, shape, double=double))
    past = windows()._replace(measured=torch.ones(6, 200, dtype=torch.bool))
    found = load_backbone(name).forecast(past, 24)
    shown = past.values[:, -96:].double()
    level = shown.mean(1, keepdim=True)
    expected = (2 * (shown[:, -24:] - level) + level).float()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
    assert (name, shelf()[name].context, shelf()[name].horizon) == ("twice", 96, 24)


@pytest.mark.parametrize("levels", [0, 1, 9])
def test_an_onnx_file_of_one_step_keeps_its_axes(tmp_path: Path, levels: int) -> None:
    own = tuple(np.linspace(0.1, 0.9, levels)) if levels > 1 else (0.5,) * levels or None
    name = from_onnx(onnx_file(tmp_path, ["n", 96], levels, horizon=1), levels=own)
    assert (shelf()[name].horizon, len(shelf()[name].levels)) == (1, levels)
    assert load_backbone(name).forecast(windows(), 1).shape == (6, 1)  # type: ignore[attr-defined]


def test_an_onnx_file_may_be_named_by_its_path(tmp_path: Path) -> None:
    path = onnx_file(tmp_path, ["n", 96])
    assert load_backbone(str(path)).card.name == "twice"


def test_an_onnx_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = onnx_file(tmp_path, ["n", "time"])
    with pytest.raises(InputError, match="windows of any length: say `context`"):
        from_onnx(path)
    from_onnx(path, context=96)
    with pytest.raises(InputError, match="takes 96 steps of past, not 48"):
        from_onnx(onnx_file(tmp_path, ["n", 96]), context=48)
    with pytest.raises(InputError, match="for quantiles say their `levels`"):
        from_onnx(onnx_file(tmp_path, ["n", 96], levels=3))
    with pytest.raises(MissingWeights, match="there is no file"):
        from_onnx(tmp_path / "nowhere.onnx")
    (tmp_path / "broken.onnx").write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"broken\.onnx is no ONNX file that can be run"):
        from_onnx(tmp_path / "broken.onnx")


def test_without_onnxruntime_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingWeights, match=r"onnxruntime: run `pip install 'citytune\[onnx\]'"):
        from_onnx(tmp_path / "model.onnx")


MAKERS: dict[str, Callable[[Path], str]] = {
    "points": lambda _: from_forecaster(yesterday, name="mine", context=96),
    "quantiles": lambda _: from_forecaster(spread_out, name="mine", context=96, levels=NINE),
    "torch": lambda _: from_torch(line(levels=9), name="mine", context=96, horizon=24, levels=NINE),
    "onnx": lambda folder: from_onnx(onnx_file(folder, ["n", 96], 3), levels=(0.1, 0.5, 0.9)),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_it_is_calibrated_gated_compared_blended_and_saved(
    kind: str, tmp_path: Path, city: Callable[..., SensorFrame]
) -> None:
    frame = city(2, 42)
    name = MAKERS[kind](tmp_path)
    model = fit_model(frame.until(35 * 24), horizon=24, backbone=name, strategy="blend")
    forecast = model.forecast(frame.until(35 * 24))
    assert np.isfinite(forecast.quantiles).all()
    scores = ct.backtest(model, frame, against=["naive-day"])
    assert "zero-shot" in str(scores)
    model.save(tmp_path / "run")
    again = ct.load(tmp_path / "run")
    np.testing.assert_allclose(
        again.forecast(frame.until(35 * 24)).quantiles, forecast.quantiles, rtol=1e-5
    )


def test_a_saved_run_says_what_it_needs(tmp_path: Path, city: Callable[..., SensorFrame]) -> None:
    frame, network = city(1, 30), line()
    from_torch(network, name="net", context=96, horizon=24)
    fit_model(frame, horizon=24, backbone="net", strategy="zero-shot").save(tmp_path / "run")
    with torch.no_grad():
        network.head.bias += 1
    from_torch(network, name="net", context=96, horizon=24)
    with pytest.raises(RunError, match="tuned from other weights of backbone 'net'"):
        ct.load(tmp_path / "run")
    code = f"import citytune as ct; ct.load({str(tmp_path / 'run')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "'net', which is not known here; call citytune.backbones.from_torch" in done.stderr


def test_a_saved_run_brings_its_onnx_file_back(
    tmp_path: Path, city: Callable[..., SensorFrame]
) -> None:
    path = onnx_file(tmp_path, ["n", "time"], 3)
    name = from_onnx(path, name="mine", context=96, levels=(0.1, 0.5, 0.9))
    frame, run = city(1, 30), tmp_path / "run"
    fit_model(frame, horizon=24, backbone=name, strategy="zero-shot").save(run)
    code = f"import citytune as ct; print(ct.load({str(run)!r}).backbone.card.name)"
    asked = [sys.executable, "-c", code]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mine"]
    path.write_bytes(path.read_bytes() + b"\0")
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert "twice.onnx" in done.stderr
    path.unlink()
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert "which is not there any more; bring it back" in done.stderr


def test_the_door_is_open_from_the_first_import() -> None:
    code = "import citytune as ct; print(ct.backbones.from_forecaster.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["from_forecaster"]


@pytest.mark.parametrize("name", ["net.pkl", "net.pt", "net.txt"])
def test_a_file_of_no_known_kind_is_refused_and_not_opened(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match=r"no file that can be opened as a backbone: .* is code"):
        load_backbone(str(tmp_path / name))
