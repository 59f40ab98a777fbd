"""The promise: a file of TensorFlow's is a backbone, run by TensorFlow itself, number by number."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from guest_files import write_bolt
from test_backbones_contract import OF_ANY, past_of
from test_backbones_contract import city as windows_of

import citytune as ct
from citytune._errors import InputError, MissingWeights, RunError
from citytune.backbones import Backbone, from_tensorflow, load_backbone, shelf
from citytune.backbones._levels import to_levels
from citytune.forecasting import fit_model
from citytune.frame import SensorFrame
from citytune.tuning import strategies_for

pytestmark = [pytest.mark.extras, pytest.mark.usefixtures("own_shelf")]
HERE = importlib.util.find_spec("tensorflow") is not None
needs_tensorflow = pytest.mark.skipif(not HERE, reason="the package tensorflow is not installed")
LEVELS = (0.1, 0.5, 0.9)
Expected = dict[str, np.ndarray]
globals().update(OF_ANY)  # the contract of every backbone


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that TensorFlow and Keras made and saved, in a process of their own."""
    if not HERE:
        pytest.skip("the package tensorflow is not installed")
    folder = tmp_path_factory.mktemp("tensorflow")
    script = Path(__file__).with_name("tensorflow_files.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script, folder],
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def expected(files: Path) -> Expected:
    """What they answered where they were made, to windows around 0 in units of their spread."""
    with np.load(files / "expected.npz") as found:
        return dict(found)


KINDS: dict[str, Callable[[Path], str]] = {
    "saved model": lambda files: from_tensorflow(files / "points"),
    "with features": lambda files: from_tensorflow(
        files / "both", output="ahead", features="body", name="both"
    ),
    "quantiles": lambda files: from_tensorflow(files / "quantiles", levels=LEVELS),
    "features alone": lambda files: from_tensorflow(
        files / "plain", signature="state", features="state", name="state"
    ),
    "lite": lambda files: from_tensorflow(files / "lite.tflite", output="ahead", features="body"),
    "whole numbers": lambda files: from_tensorflow(files / "whole.tflite"),
    "no signature": lambda files: from_tensorflow(files / "unsigned.tflite"),
}


@pytest.fixture(params=KINDS)
def backbone(request: pytest.FixtureRequest, files: Path) -> Backbone:
    return load_backbone(KINDS[request.param](files))


def shown(expected: Expected) -> torch.Tensor:
    """The windows in another unit, which must make no difference."""
    return torch.from_numpy(50 + 20 * expected["shown"].astype(np.float64))


@pytest.mark.parametrize(
    ("name", "options", "key", "close"),
    [
        ("points", {}, "points:output_0", 1e-3),
        ("points", {"signature": "serve"}, "points:output_0", 1e-3),
        ("both", {"output": "ahead", "features": "body"}, "both:ahead", 1e-3),
        ("plain", {"signature": "ahead"}, "plain:ahead", 1e-3),
        ("lite.tflite", {"output": "ahead", "features": "body"}, "both:ahead", 1e-3),
        ("unsigned.tflite", {}, "points:output_0", 1e-3),
        ("whole.tflite", {}, "points:output_0", 1.5),  # 8 bits
    ],
)
def test_a_file_answers_number_by_number_as_where_it_was_made(
    name: str, options: dict[str, str], key: str, close: float, files: Path, expected: Expected
) -> None:
    guest = load_backbone(from_tensorflow(files / name, name="mine", **options))
    found = guest.forecast(past_of(shown(expected)), 24)
    assert found is not None
    wanted = 50 + 20 * torch.from_numpy(expected[key]).double()
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=close)


def test_quantiles_are_those_of_the_file(files: Path, expected: Expected) -> None:
    guest = load_backbone(from_tensorflow(files / "quantiles", levels=LEVELS))
    found = guest.quantiles(past_of(shown(expected)), 24)  # type: ignore[attr-defined]
    wanted = to_levels(50 + 20 * torch.from_numpy(expected["quantiles:output_0"]), LEVELS)
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["both", "lite.tflite"])
def test_features_are_read_from_the_output_that_is_named(
    name: str, files: Path, expected: Expected
) -> None:
    guest = load_backbone(from_tensorflow(files / name, output="ahead", features="body"))
    found = guest.features(past_of(shown(expected)))
    torch.testing.assert_close(found, torch.from_numpy(expected["both:body"]), rtol=0, atol=1e-4)
    assert shelf()[guest.card.name].features == 8


def test_a_file_of_features_alone_is_read(files: Path, expected: Expected) -> None:
    guest = load_backbone(KINDS["features alone"](files))
    assert (guest.card.horizon, guest.card.features) == (None, 5)
    past = past_of(shown(expected))
    assert guest.forecast(past, 24) is None
    wanted = torch.from_numpy(expected["plain:state"])[:, 0].float()
    torch.testing.assert_close(guest.features(past)[:2], wanted, rtol=0, atol=1e-4)


def test_the_card_tells_the_truth(backbone: Backbone) -> None:
    card, past = backbone.card, past_of(windows_of(3, 200, 24))
    assert card == shelf()[card.name]
    assert backbone.features(past).shape == (3, card.features)
    ahead = backbone.forecast(past, 24)
    assert (ahead is None) == (card.horizon is None)
    assert ahead is None or ahead.shape == (3, 24)
    assert card.packages == ("tensorflow",)
    assert card.get.startswith("run `pip install 'citytune[tensorflow]'`, and bring back /")
    if card.name == "points":
        assert card.parameters == 96 * 8 + 8 + 8 * 24 + 24


def test_no_weight_moves(files: Path) -> None:
    names = strategies_for(load_backbone(KINDS["with features"](files)))
    assert {"blend", "head"} <= set(names)
    assert not {"full", "lora", "last-blocks"} & set(names)


@pytest.mark.parametrize("kind", ["with features", "quantiles", "features alone", "lite"])
def test_it_is_calibrated_blended_scored_saved_and_loaded(
    kind: str, files: Path, tmp_path: Path, city: Callable[..., SensorFrame]
) -> None:
    frame = city(2, 42)
    name = KINDS[kind](files)
    model = fit_model(frame.until(35 * 24), horizon=24, backbone=name, strategy="blend")
    forecast = model.forecast(frame.until(35 * 24)).quantiles
    assert np.isfinite(forecast).all()
    assert "zero-shot" in str(ct.backtest(model, frame, against=["naive-day"]))
    model.save(tmp_path / "run")
    asked = "import sys, citytune as ct\nmodel = ct.load(sys.argv[1])\n"
    asked += "print(model.backbone.card.name)"
    done = subprocess.run(
        [sys.executable, "-c", asked, tmp_path / "run"], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (name, "")
    again = ct.load(tmp_path / "run").forecast(frame.until(35 * 24)).quantiles
    np.testing.assert_allclose(again, forecast, rtol=1e-5)


def test_a_run_knows_when_its_file_was_changed(
    files: Path, tmp_path: Path, city: Callable[..., SensorFrame]
) -> None:
    place = Path(shutil.copytree(files / "points", tmp_path / "mine"))
    name, run = from_tensorflow(place), tmp_path / "run"
    fit_model(city(1, 30), horizon=24, backbone=name, strategy="zero-shot").save(run)
    shutil.copytree(files / "both", place, dirs_exist_ok=True)
    from_tensorflow(place, output="ahead", features="body")
    with pytest.raises(RunError, match="from other weights of backbone 'mine'"):
        ct.load(run)


@pytest.mark.parametrize("name", ["points", "whole.tflite"])
def test_it_may_be_named_by_its_path(name: str, files: Path) -> None:
    assert load_backbone(str(files / name)).card.name == Path(name).stem


BESIDE = {
    "from_tensorflow": "b.from_tensorflow(sys.argv[1])",
    "chronos": "b.load_backbone(sys.argv[2])",
    "tensorboard": "tracker = TensorBoard(sys.argv[3]); tracker._begin(); tracker._writer.close()",
}


@pytest.mark.parametrize("first", BESIDE)
def test_tensorflow_beside_does_not_take_keras_from_torch(
    first: str, files: Path, tmp_path: Path
) -> None:
    if first != "from_tensorflow":
        pytest.importorskip(first, reason=f"the package {first} is not installed")
    code = "import sys, citytune.backbones as b\nfrom citytune.callbacks import TensorBoard\n"
    code += f"{BESIDE[first]}\n"
    code += "print(b.load_backbone(b.from_keras('MobileNetV2', weights=None)).card.name)\n"
    if first == "chronos":
        code += "assert 'tensorflow' not in sys.modules"
    unset = {"KERAS_BACKEND", "USE_TF"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code,
         files / "points", write_bolt(tmp_path / "bolt"), tmp_path / "logs"],
        env={name: value for name, value in os.environ.items() if name not in unset},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.returncode) == ("MobileNetV2", 0), done.stderr
    assert not done.stderr or first == "tensorboard"


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        (
            "plain",
            {},
            "has the signatures ahead, any, numbers, several, state, two: .* of citytune",
        ),
        ("plain", {"signature": "tail"}, "has no signature 'tail'; it has ahead, any, numbers, se"),
        ("lite.tflite", {"signature": "tail"}, "no signature 'tail'; it has serving_default"),
        ("nameless", {}, "has no signature, so nobody knows what it takes: save it by `model.exp"),
        ("unsigned.tflite", {"signature": "ahead"}, "has no signature, so nobody knows"),
        ("plain", {"signature": "two"}, r"takes 2 inputs \(other \[None, 96\], past \[None, 96\]"),
        ("plain", {"signature": "numbers"}, "takes int32: it must take windows of float32 or"),
        ("plain", {"signature": "any"}, "takes windows of any length: say `context`"),
        ("plain", {"signature": "several"}, r"takes \[None, 96, 5\]: it must take windows"),
        ("points", {"context": 48}, "takes 96 steps of past, not 48"),
        ("both", {}, r"gives ahead \[None, 24\], body \[None, 8\]: say which is the forecast as"),
        ("both", {"output": "tail"}, "has no output 'tail'; it gives ahead"),
        ("both", {"features": "tail"}, "has no output 'tail'; it gives ahead"),
        ("quantiles", {}, r"gives \(2, 24, 3\) for 2 windows: .* for quantiles say their `levels`"),
        ("quantiles", {"levels": (0.1, 0.9)}, "with one level for each of `levels`"),
        ("code", {}, "holds ReadFile, which runs Python or touches files .* so it is refused"),
        ("writes", {}, "holds PrintV2, SaveV2, which runs Python or touches files"),
        ("old-writes", {}, "holds Save, which runs Python or touches files"),
        ("expected.npz", {}, "is no file of TensorFlow's: name a SavedModel's folder or a .tflite"),
        (".", {}, r"is no SavedModel: it has no saved_model\.pb; name the folder that has"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    name: str, options: dict[str, object], said: str, files: Path
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        from_tensorflow(files / name, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert not [one.name for one in files.iterdir() if one.name in ("printed", "saved", "kept")]


def test_a_file_of_tensorflow_1_that_only_saves_and_restores_is_taken(files: Path) -> None:
    assert load_backbone(from_tensorflow(files / "old")).card.context == 96


@pytest.mark.parametrize(
    ("part", "size", "said"),
    [
        ("variables/variables.index", None, "lacks variables/variables.index; get"),
        ("variables/variables.data-00000-of-00001", None, "cannot be read as a SavedModel, or is"),
        ("variables/variables.data-00000-of-00001", 50, "cannot be read as a SavedModel, or"),
        ("saved_model.pb", 300, "saved_model.pb cannot be read as the graph"),
        ("saved_model.pb", 0, "cannot be read as a SavedModel, or is cut short"),
    ],
)  # fmt: skip
def test_a_saved_model_that_is_not_whole_is_refused(
    part: str, size: int | None, said: str, files: Path, tmp_path: Path
) -> None:
    place = Path(shutil.copytree(files / "points", tmp_path / "half"))
    if size is None:
        (place / part).unlink()
    else:
        os.truncate(place / part, size)
    with pytest.raises(InputError, match=said) as caught:
        from_tensorflow(place)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0, 4, 400, 2500])
def test_a_lite_file_that_is_cut_short_is_refused(size: int, files: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.tflite"
    path.write_bytes((files / "lite.tflite").read_bytes()[:size])
    with pytest.raises(InputError, match=r"cannot be read as a TF-Lite file, or is cut short"):
        from_tensorflow(path)


def test_what_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingWeights, match=r"there is no .*nowhere: name a SavedModel's folder"):
        from_tensorflow(tmp_path / "nowhere")
    (tmp_path / "model.tflite").write_bytes(b"half")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingWeights, match=r"tensorflow: run `pip install 'citytune\[tensorf"):
        from_tensorflow(tmp_path / "model.tflite")


@needs_tensorflow
def test_a_tensorflow_that_cannot_be_imported_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"half")
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text("raise TypeError('protobuf is too old')")
    code = "import citytune.backbones as b\ntry: b.from_tensorflow('model.tflite')\n"
    code += "except ValueError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (
        "needs tensorflow, and the one installed cannot be imported (TypeError: pr" in done.stdout
    )
