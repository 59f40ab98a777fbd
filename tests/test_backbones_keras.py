"""The promise: a Keras network is a backbone, without TensorFlow, and without code in files."""

import copy
import importlib.util
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_backbones_contract import OF_ANY
from test_backbones_pictures import IMAGES, MEAN, reference

import citytune as ct
from citytune._errors import InputError, MissingWeights, RunError
from citytune.backbones import Backbone, Past, from_keras, load_backbone, shelf
from citytune.forecasting import fit_model
from citytune.frame import SensorFrame
from citytune.tuning import strategies_for

pytestmark = [
    pytest.mark.extras,
    pytest.mark.usefixtures("own_shelf"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # of Keras
]
WEIGHTS = Path(__file__).parents[2] / "shared" / "weights"
HERE = importlib.util.find_spec("keras") is not None
globals().update(OF_ANY)  # the contract of every backbone
needs_keras = pytest.mark.skipif(not HERE, reason="the package keras is not installed")


@pytest.fixture
def keras() -> Any:
    if not HERE:
        pytest.skip("the package keras is not installed")
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    keras.utils.set_random_seed(0)
    return keras


def series(keras: Any, *, levels: int = 0, axis: bool = False) -> Any:
    entry = keras.Input((96, 1) if axis else (96,))
    found = keras.layers.Flatten()(entry) if axis else entry
    found = keras.layers.Dense(8, activation="tanh", name="body")(found)
    found = keras.layers.Dense(24 * max(1, levels), name="head")(found)
    found = keras.layers.Reshape((24, levels))(found) if levels else found
    return keras.Model(entry, found, name="mine")


KINDS: dict[str, Callable[[Any], str]] = {
    "points": lambda keras: from_keras(series(keras)),
    "with features": lambda keras: from_keras(series(keras, axis=True), layer="body"),
    "quantiles": lambda keras: from_keras(series(keras, levels=3), levels=(0.1, 0.5, 0.9)),
    "pictures": lambda keras: from_keras("MobileNetV2", weights=None),
}


@pytest.fixture(params=KINDS)
def backbone(request: pytest.FixtureRequest, keras: Any) -> Backbone:
    return load_backbone(KINDS[request.param](keras))


def past_of(count: int = 6) -> Past:
    draw = torch.Generator().manual_seed(3)
    values = 50 + 20 * torch.randn(count, 672, generator=draw)
    steps = torch.arange(672 + 48)
    calendar = torch.stack([steps % 24 / 24, steps // 24 % 7, 0.0 * steps], -1).float()
    known = torch.ones(count, 672, dtype=torch.bool)
    return Past(values, known, calendar.expand(count, -1, -1), 24)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("axis", [False, True], ids=["flat", "with axis"])
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_a_file_answers_number_by_number_as_keras_does(
    keras: Any, tmp_path: Path, suffix: str, axis: bool
) -> None:
    network = series(keras, axis=axis)
    network.save(tmp_path / f"mine{suffix}")
    guest = load_backbone(str(tmp_path / f"mine{suffix}"))
    past = past_of()
    shown = past.values[:, -96:].double()
    level, spread = shown.mean(1, keepdim=True), shown.std(1, correction=0, keepdim=True)
    asked = ((shown - level) / spread).float().numpy()
    expected = network.predict(asked[..., None] if axis else asked, verbose=0)
    found = guest.forecast(past, 24)
    torch.testing.assert_close(
        found, (torch.from_numpy(expected) * spread + level).float(), rtol=1e-4, atol=1e-3
    )


def test_features_are_read_from_the_layer_that_is_named(keras: Any) -> None:
    guest = load_backbone(from_keras(series(keras), layer="body"))
    assert guest.features(past_of()).shape == (6, 8)
    with pytest.raises(InputError, match=r"has no layer 'tail'; it has .*body, head"):
        from_keras(series(keras), layer="tail")


def test_its_weights_move_in_a_copy_alone(keras: Any) -> None:
    guest = load_backbone(from_keras(series(keras), layer="body"))
    free = copy.deepcopy(guest)
    network = free.network  # type: ignore[attr-defined]
    assert not any(weight.requires_grad for weight in network.parameters())
    before = guest.forecast(past_of(), 24)
    torch.testing.assert_close(free.forecast(past_of(), 24), before)
    network.requires_grad_(True)
    free.forecast(past_of(), 24).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(1)
    torch.testing.assert_close(guest.forecast(past_of(), 24), before)
    assert (free.forecast(past_of(), 24) - before).abs().max() > 1e-3
    assert "full" in strategies_for(guest)
    assert "lora" not in strategies_for(guest)


def test_what_a_normalisation_has_counted_does_not_move(keras: Any) -> None:
    layers = keras.layers
    network = keras.Sequential(
        [keras.Input((96,)), layers.Dense(8, activation="tanh"), layers.BatchNormalization(),
         layers.Dropout(0.2), layers.Dense(24)]
    )  # fmt: skip
    guest = load_backbone(from_keras(network))
    free = copy.deepcopy(guest)
    before, after = (dict(one.network.named_parameters()) for one in (guest, free))  # type: ignore[attr-defined]
    assert list(before) == list(after)  # Keras itself names a copy's weights anew
    assert {name.partition("/")[2] for name in after} == {"kernel", "bias", "gamma", "beta"}
    assert len(free.blocks()) == 3
    assert [name for name, _ in free.blocks()[-1].named_parameters()] == ["kernel", "bias"]
    free.network.requires_grad_(True)  # type: ignore[attr-defined]
    free.forecast(past_of(), 24).square().sum().backward()
    assert all(weight.grad is not None for weight in after.values())


@pytest.mark.parametrize("strategy", ["blend", "full"])
def test_it_is_tuned_saved_and_loaded(
    keras: Any, strategy: str, tmp_path: Path, city: Callable[..., SensorFrame]
) -> None:
    frame, path = city(2, 42), tmp_path / "mine.keras"
    series(keras, levels=3).save(path)
    name = from_keras(path, levels=(0.1, 0.5, 0.9))
    options = {} if strategy == "blend" else {"windows": 96, "epochs": 1}
    model = fit_model(frame, horizon=24, backbone=name, strategy=strategy, options=options)
    model.save(tmp_path / "run")
    found = model.forecast(frame).quantiles
    np.testing.assert_allclose(
        ct.load(tmp_path / "run").forecast(frame).quantiles, found, rtol=1e-4
    )
    code = f"import citytune as ct; print(ct.load({str(tmp_path / 'run')!r}).backbone.card.name)"
    asked = [sys.executable, "-c", code]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mine"]
    series(keras, levels=3).save(path)
    from_keras(path, levels=(0.1, 0.5, 0.9))
    with pytest.raises(RunError, match="other weights"):
        ct.load(tmp_path / "run")


def test_a_network_of_pictures_is_read_for_its_features(keras: Any) -> None:
    name = from_keras("MobileNetV2", weights=None, name="mobile")
    guest = load_backbone(name)
    found = guest.features(past_of(2))
    assert found.shape == (2, shelf()[name].features)
    assert found.isfinite().all()
    assert guest.forecast(past_of(2), 24) is None
    assert found.shape == copy.deepcopy(guest).features(past_of(2)).shape


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_a_network_with_code_in_it_is_refused(keras: Any, tmp_path: Path, suffix: str) -> None:
    entry = keras.Input((96,))
    within = keras.Sequential([keras.layers.Lambda(lambda x: x * 2)])
    found = keras.layers.Dense(24)(within(entry))
    path = tmp_path / f"code{suffix}"
    keras.Model(entry, found).save(path)
    with pytest.raises(InputError, match="holds a Lambda layer, which is Python code"):
        from_keras(path)


@needs_keras
@pytest.mark.parametrize("written", ["TorchModuleWrapper", "layers.TorchModuleWrapper"])
def test_a_layer_that_hides_a_pickle_is_refused(written: str, tmp_path: Path) -> None:
    inner = [{"module": "keras.layers", "class_name": written, "config": {}}]
    config = json.dumps({"class_name": "Sequential", "config": {"layers": inner}})
    with zipfile.ZipFile(tmp_path / "hidden.keras", "w") as archive:
        archive.writestr("config.json", config)
    with pytest.raises(InputError, match="holds a TorchModuleWrapper layer, which is a pickle"):
        from_keras(tmp_path / "hidden.keras")


def test_a_pickle_is_refused(keras: Any, tmp_path: Path) -> None:
    for name in ("model.pkl", "model.pt"):
        (tmp_path / name).write_bytes(b"\x80\x04.")
        with pytest.raises(InputError, match="is a pickle, which can run code"):
            from_keras(tmp_path / name)


@needs_keras
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".txt"])
def test_a_broken_file_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"broken{suffix}").write_bytes(b"half of it")
    with pytest.raises(InputError, match=r"cannot be read as a Keras file|is no Keras file"):
        from_keras(tmp_path / f"broken{suffix}")


@needs_keras
def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "locked.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x03\x04") + 6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"cannot be read as a Keras file.*encrypted"):
        from_keras(path)


@needs_keras
def test_weights_alone_are_named_as_such(keras: Any, tmp_path: Path) -> None:
    series(keras).save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(InputError, match=r"^net\.weights\.h5 holds weights alone"):
        from_keras(tmp_path / "net.weights.h5")


def test_a_download_of_keras_is_told_beside_the_answer(
    keras: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a command prints may be JSON."""

    def network(**_: Any) -> None:
        print("Downloading data")
        raise OSError("no network")

    network.__module__ = keras.applications.ResNet50.__module__
    monkeypatch.setattr(keras.applications, "ResNet50", network)
    with pytest.raises(MissingWeights, match="are not to be had"):
        from_keras("ResNet50")
    assert "Downloading" not in capsys.readouterr().out


def test_what_is_no_network_of_one_series_is_refused(keras: Any) -> None:
    with pytest.raises(MissingWeights, match="there is no file"):
        from_keras("nowhere.keras")
    with pytest.raises(InputError, match="this is a int"):
        from_keras(3)
    with pytest.raises(InputError, match=r"takes \(None, 5, 5\)"):
        from_keras(keras.Sequential([keras.Input((5, 5)), keras.layers.Flatten()]))
    with pytest.raises(InputError, match="with `levels` for each"):
        from_keras(series(keras, levels=3))


def test_without_keras_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingWeights, match=r"keras: run `pip install 'citytune\[keras\]'"):
        from_keras("mine.keras")


@needs_keras
def test_another_backend_is_refused_in_one_sentence(tmp_path: Path) -> None:
    code = "import keras, citytune.backbones as b\nkeras.backend.backend = lambda: 'jax'\n"
    code += "try: b.from_keras('x.keras')\nexcept ValueError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"KERAS_BACKEND": "torch"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Keras runs on jax in this program; set KERAS_BACKEND=torch" in done.stdout


def into_keras(network: Any, weights: dict[str, torch.Tensor]) -> None:
    """The weights of `../shared/weights` in the ResNet-50 of `keras.applications`."""

    def convolution(layer: Any, name: str) -> None:
        kernel = weights[f"{name}.weight"].permute(2, 3, 1, 0).numpy()
        layer.set_weights([kernel, np.zeros(kernel.shape[-1], np.float32)])

    def norm(layer: Any, name: str) -> None:
        parts = ("weight", "bias", "running_mean", "running_var")
        layer.set_weights([weights[f"{name}.{part}"].numpy() for part in parts])

    get = network.get_layer
    convolution(get("conv1_conv"), "conv1")
    norm(get("conv1_bn"), "bn1")
    for stage, blocks in enumerate((3, 4, 6, 3), 1):
        for block in range(blocks):
            ours, theirs = f"layer{stage}.{block}", f"conv{stage + 1}_block{block + 1}"
            for number in (1, 2, 3):
                convolution(get(f"{theirs}_{number}_conv"), f"{ours}.conv{number}")
                norm(get(f"{theirs}_{number}_bn"), f"{ours}.bn{number}")
            if block == 0:
                convolution(get(f"{theirs}_0_conv"), f"{ours}.downsample.0")
                norm(get(f"{theirs}_0_bn"), f"{ours}.downsample.1")
    get("predictions").set_weights([weights["fc.weight"].T.numpy(), weights["fc.bias"].numpy()])


def photographs() -> torch.Tensor:
    """Real pictures of roads (example, row, column, colour) around ImageNet's mean."""
    image = pytest.importorskip("PIL.Image", reason="pillow, to decode pictures, is not installed")
    if not IMAGES.is_file():
        pytest.skip("../shared/data is not here")
    import polars as pl

    files = pl.read_parquet(IMAGES, columns=["jpeg"])["jpeg"][::52]
    shown = [image.open(io.BytesIO(file)).convert("RGB").resize((224, 224)) for file in files]
    return torch.from_numpy(np.stack(shown)).float() - MEAN[:, 0, 0]


@pytest.fixture
def imagenet() -> dict[str, torch.Tensor]:
    """ResNet-50's weights under torchvision's names."""
    from safetensors.torch import load_file

    file = WEIGHTS / "resnet50-imagenet" / "model.fp16.safetensors"
    if not file.is_file():
        pytest.skip("../shared/weights is not here")
    return {name: weight.float() for name, weight in load_file(file).items()}


@pytest.mark.slow
def test_the_imagenet_resnet_answers_under_keras_own_graph_as_under_ours(
    keras: Any, imagenet: dict[str, torch.Tensor]
) -> None:
    network = keras.applications.ResNet50(weights=None, classifier_activation=None)
    into_keras(network, imagenet)
    pictures = photographs()
    with torch.no_grad():
        found = network(pictures, training=False)
        expected = reference(imagenet, v1=True)(pictures.permute(0, 3, 1, 2)).logits
    assert found.argmax(1).tolist() == expected.argmax(1).tolist()
    assert len(set(found.argmax(1).tolist())) > 1
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=5e-2)


@pytest.mark.slow
def test_our_resnet_sees_what_keras_own_graph_sees(
    keras: Any, imagenet: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYTUNE_WEIGHTS", str(WEIGHTS))
    network = keras.applications.ResNet50(weights=None, classifier_activation=None)
    into_keras(network, imagenet)
    layers = ("pool1_pool", "conv2_block3_out", "conv3_block4_out")
    seen = keras.Model(network.inputs, [network.get_layer(name).output for name in layers])
    grey = (photographs() + MEAN[:, 0, 0]).mean(-1)[:4, None] / 255
    with torch.no_grad():
        ours = load_backbone("resnet50").network(grey)  # type: ignore[attr-defined]
        theirs = seen((255 * grey - MEAN).permute(0, 2, 3, 1), training=False)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other.permute(0, 3, 1, 2), rtol=1e-3, atol=1e-3)
