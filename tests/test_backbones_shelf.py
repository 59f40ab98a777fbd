"""The promise: what is not at hand says so in one sentence, fast, and nothing is taken on trust."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
import torch
from conftest import make_city
from torch import Tensor

import citytune as ct
import citytune.backbones
from citytune._errors import MissingWeights, UnknownName
from citytune.backbones import (
    Card,
    Past,
    _shelf,
    at_hand,
    find_weights,
    load_backbone,
    missing,
    register,
    shelf,
)

CONTENT = b"weights"


def card(name: str = "toy", **more: object) -> Card:
    common: dict[str, object] = {
        "title": "A toy", "parameters": 0, "context": 8, "horizon": None, "features": 1,
        "licence": "MIT", "trained_on": "nothing", "source": "nowhere",
        "get": "run `make toy`.",
    }  # fmt: skip
    return Card(name=name, **common | more)  # type: ignore[arg-type]


WEIGHTED = card(files=("model.bin",), sha256=(sha256(CONTENT).hexdigest(),), folders=("toy-8",))


class Toy:
    """A backbone of one feature: the mean."""

    card = card()

    def features(self, past: Past) -> Tensor:
        return past.values.mean(1, keepdim=True)

    def forecast(self, past: Past, horizon: int) -> None:
        return None

    def blocks(self) -> list[torch.nn.Module]:
        return []


@pytest.fixture(autouse=True)
def own_folders(own_shelf: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No weights and no hub but the test's own."""
    monkeypatch.setenv("CITYTUNE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    yield
    _shelf._load_plugins.cache_clear()


def put(folder: Path, content: bytes = CONTENT, name: str = "model.bin") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_the_door_names_what_is_behind_it() -> None:
    assert citytune.backbones.__all__ == sorted(citytune.backbones.__all__)
    assert all(name in vars(citytune.backbones) for name in citytune.backbones.__all__)
    names = {"citytune-base", "efficientnet-lite0", "lags", "resnet50", "ttm-r2"}
    assert names <= set(shelf())


def test_weights_are_found_under_either_name(tmp_path: Path) -> None:
    short = put(tmp_path / "weights" / "toy-8")
    assert find_weights(WEIGHTED) == {"model.bin": short}
    own = put(tmp_path / "weights" / "toy")
    assert find_weights(WEIGHTED) == {"model.bin": own}


def test_several_folders_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYTUNE_WEIGHTS", os.pathsep.join(["", "/nowhere", str(tmp_path / "b")]))
    file = put(tmp_path / "b" / "toy")
    assert find_weights(WEIGHTED) == {"model.bin": file}


def test_absent_weights_say_where_they_were_looked_for_and_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights) as caught:
        find_weights(WEIGHTED)
    message = str(caught.value)
    assert message.count("\n") == 0
    assert message.endswith("run `make toy`.")
    assert all(part in message for part in ("'toy'", "model.bin", str(tmp_path / "weights")))


def test_without_a_named_folder_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CITYTUNE_WEIGHTS")
    with pytest.raises(MissingWeights, match="CITYTUNE_WEIGHTS is not set"):
        find_weights(WEIGHTED)


def test_damaged_weights_are_refused_with_their_path(tmp_path: Path) -> None:
    damaged = put(tmp_path / "weights" / "toy", CONTENT + b"!")
    with pytest.raises(MissingWeights, match=r"is damaged \(8 bytes, SHA-256") as caught:
        find_weights(WEIGHTED)
    assert str(damaged) in str(caught.value)
    assert str(caught.value).endswith("run `make toy`.")


def test_mended_weights_are_taken_at_once(tmp_path: Path) -> None:
    file = put(tmp_path / "weights" / "toy", CONTENT + b"!")
    with pytest.raises(MissingWeights):
        find_weights(WEIGHTED)
    file.write_bytes(CONTENT)
    assert find_weights(WEIGHTED) == {"model.bin": file}


def test_whole_weights_elsewhere_make_up_for_damaged_ones(tmp_path: Path) -> None:
    put(tmp_path / "weights" / "toy", b"")
    whole = put(tmp_path / "weights" / "toy-8")
    assert find_weights(WEIGHTED) == {"model.bin": whole}


def test_a_file_without_a_known_hash_must_at_least_open(tmp_path: Path) -> None:
    unknown = card(files=("model.safetensors", "config.json"))
    put(tmp_path / "weights" / "toy", b"{}", "config.json")
    put(tmp_path / "weights" / "toy", b"not tensors", "model.safetensors")
    with pytest.raises(MissingWeights, match=r"model\.safetensors cannot be read"):
        find_weights(unknown)


def test_weights_in_the_hubs_cache_need_no_hub(tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--someone--toy"
    file = put(cache / "snapshots" / "abc")
    put(cache / "refs", b"abc", "main")
    found = find_weights(card(files=("model.bin",), hub="someone/toy"), download=False)
    assert found == {"model.bin": file}


def test_a_missing_package_is_named() -> None:
    with pytest.raises(MissingWeights, match=r"needs the Python package no_such_thing: run `make"):
        find_weights(card(packages=("torch", "no_such_thing")))


@pytest.mark.parametrize("listening", [True, False], ids=["silent", "refused"])
def test_a_hub_out_of_reach_costs_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], listening: bool
) -> None:
    monkeypatch.setattr("citytune.backbones._weights.PATIENCE", 0.5)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        if not listening:
            server.close()
        with pytest.raises(MissingWeights) as caught:
            load_backbone("ttm-r2")
    assert "\n" not in str(caught.value)
    assert "the Hugging Face hub did not answer" in str(caught.value)
    assert "hf download ibm-granite/granite-timeseries-ttm-r2" in str(caught.value)
    assert capfd.readouterr() == ("", "")


LOOKING = """
import sys
import citytune.backbones as backbones
backbones.at_hand()
print(*{"transformers", "requests", "tsfm_public"} & set(sys.modules))
"""


def test_looking_what_is_at_hand_imports_no_network() -> None:
    weights = Path(__file__).parents[2] / "shared" / "weights"
    environment = os.environ | {"CITYTUNE_WEIGHTS": str(weights), "HF_ENDPOINT": "http://0.0.0.0:1"}
    run = subprocess.run(
        [sys.executable, "-c", LOOKING],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "transformers" not in run.stdout.split()


def test_what_is_not_at_hand_is_missing_with_a_reason() -> None:
    register(WEIGHTED, Toy)
    assert "toy" not in at_hand()
    assert missing()["toy"].endswith("run `make toy`.")
    assert "lags" in at_hand()
    assert set(at_hand()) | set(missing()) == set(shelf())
    with pytest.raises(MissingWeights, match="make toy"):
        load_backbone("toy")


def test_a_check_of_its_own_is_asked() -> None:
    def refuse() -> None:
        raise MissingWeights("the toy is broken: run `make toy`.")

    register(card(), Toy, check=refuse)
    assert missing()["toy"] == "the toy is broken: run `make toy`."


def test_a_misspelt_name_is_answered_with_the_near_one() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'resnet50'"):
        load_backbone("resnt50")


@pytest.mark.parametrize("name", ["models/our-own", "net.keras", "net.onnx", "net.tflite"])
def test_a_path_that_leads_nowhere_is_said(name: str) -> None:
    with pytest.raises(MissingWeights, match="there is no file or folder"):
        load_backbone(name)


def test_a_name_is_taken_only_once() -> None:
    register(card(), Toy)
    with pytest.raises(ValueError, match="'toy' is already there"):
        register(card(), Toy)


def test_a_backbone_is_made_once_and_shared() -> None:
    register(card(), Toy)
    assert load_backbone("toy") is load_backbone("toy")


def plug_in(monkeypatch: pytest.MonkeyPatch, **functions: object) -> None:
    """An installed package whose entry points are these functions."""
    package = ModuleType("toy_package")
    vars(package).update(functions)
    monkeypatch.setitem(sys.modules, "toy_package", package)
    points = [EntryPoint(name, f"toy_package:{name}", _shelf.GROUP) for name in functions]
    monkeypatch.setattr(_shelf, "entry_points", lambda group: points)
    _shelf._load_plugins.cache_clear()


def test_a_plug_in_puts_its_backbone_on_the_shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, toy=lambda: register(card(), Toy))
    past = Past(torch.ones(2, 8), torch.ones(2, 8, dtype=torch.bool), torch.zeros(2, 9, 3), 24)
    assert "toy" in at_hand()
    assert load_backbone("toy").features(past).tolist() == [[1.0], [1.0]]


def test_a_broken_plug_in_only_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("out of toys")

    plug_in(monkeypatch, broken=broken, toy=lambda: register(card(), Toy))
    with pytest.warns(UserWarning, match="'broken' .* is left out: RuntimeError: out of toys"):
        assert {"lags", "toy"} <= set(shelf())


PACKAGE = """
from citytune.backbones import from_forecaster

def add():
    from_forecaster(lambda past, horizon: past[:, -24:][:, :horizon], name="yesterday", horizon=24,
                    licence="MIT")
"""
LOADED = """
import sys
import citytune as ct
from citytune.backbones import at_hand
assert "yesterday" in at_hand()
print(ct.load(sys.argv[1]).card.name)
"""


def test_an_installed_package_brings_its_backbone_to_every_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed as pip does it: a module, and what it says of itself next to it."""
    put(tmp_path / "site", PACKAGE.encode(), "yesterday_package.py")
    about = tmp_path / "site" / "yesterday_package-1.0.dist-info"
    put(about, b"Metadata-Version: 2.1\nName: yesterday-package\nVersion: 1.0\n", "METADATA")
    put(about, b"[citytune.backbones]\nyesterday = yesterday_package:add\n", "entry_points.txt")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path / "site")
        _shelf._load_plugins.cache_clear()
        model = ct.tune(make_city(1, 8), horizon=6, backbone="yesterday", strategy="zero-shot")
        model.save(tmp_path / "run")
    path = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(  # another program: a saved run loads wherever the package is
        [sys.executable, "-c", LOADED, tmp_path / "run"],
        env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["yesterday"], done.stderr
    for shelf_of_one in (_shelf._cards, _shelf._backbones._factories):
        del shelf_of_one["yesterday"]
    _shelf._load_plugins.cache_clear()
    with pytest.raises(MissingWeights, match="backbone 'yesterday', which is not known here"):
        ct.load(tmp_path / "run")
