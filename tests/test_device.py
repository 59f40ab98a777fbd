"""Promise: networks are where a person asked for, and a device that is not there is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from citytune import InputError
from citytune.backbones import device_of_answers, load_backbone, root_of
from citytune.backbones._device import placed
from citytune.training import device

GPU = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


@pytest.mark.parametrize("said", ["", "cpu", "CPU"])
def test_the_processor_is_usual(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYTUNE_DEVICE", said)
    assert device_of_answers() == torch.device("cpu")


def test_the_processor_can_be_asked_for_where_there_is_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CITYTUNE_DEVICE", "cpu")
    assert device() == torch.device("cpu")
    monkeypatch.setenv("CITYTUNE_DEVICE", "cuda:1")
    assert device() == device_of_answers() == torch.device("cuda:1")
    monkeypatch.setenv("CITYTUNE_DEVICE", "auto")
    assert device_of_answers() == torch.device("cuda")
    monkeypatch.setenv("CITYTUNE_DEVICE", "cuda:2")
    with pytest.raises(InputError, match="torch sees 2 GPU here"):
        device_of_answers()


def test_a_device_that_is_no_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("gpu", "cuda:x", "mps"):
        monkeypatch.setenv("CITYTUNE_DEVICE", wrong)
        with pytest.raises(InputError, match="cpu, cuda, cuda:1 or auto"):
            placed(load_backbone("citytune-base"))


def test_the_network_goes_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = []
    backbone = load_backbone("citytune-base")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(type(root_of(backbone)), "to", lambda _network, where: moved.append(where))
    monkeypatch.setenv("CITYTUNE_DEVICE", "auto")
    assert placed(backbone) is backbone
    assert moved == [torch.device("cuda")]


@pytest.mark.extras
def test_the_benchmark_prints_its_table() -> None:
    words = [sys.executable, str(GPU), "--devices", "cpu", "--tiny"]
    found = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert "quantiles/s" in found
    assert found.splitlines()[-1].startswith("cpu")
    assert "0.0e+00" in found
