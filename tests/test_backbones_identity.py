"""The promise: a backbone's identity changes with whatever its answers follow from."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from citytune.backbones import Card, identity_of, load_backbone

CARD = Card(
    name="mine", title="", parameters=2, context=168, horizon=24, features=24, licence="",
    trained_on="", source="",
)  # fmt: skip


class Network(nn.Module):
    """A layer, a buffer that no file holds, and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.register_buffer("scale", torch.ones(2), persistent=False)
        self.power = 1.0


@dataclass(eq=False)
class Mine:
    """Holds things of many kinds."""

    card: Card = CARD
    network: Network = field(default_factory=Network)
    bias: float = 0.0
    table: Any = field(default_factory=lambda: np.zeros(3))
    parts: Any = field(default_factory=lambda: {"a": [torch.zeros(2)]})


def test_every_backbone_has_one_and_a_copy_has_the_same() -> None:
    for name in ("lags", "citytune-base"):
        backbone = load_backbone(name)
        assert identity_of(backbone) == identity_of(copy.deepcopy(backbone)) is not None
    assert identity_of(load_backbone("lags")) != identity_of(load_backbone("citytune-base"))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.network.layer.weight.detach()[0].add_(1),
        lambda one: one.network.scale.add_(1),
        lambda one: setattr(one.network, "power", 2.0),
        lambda one: setattr(one, "bias", 1.0),
        lambda one: one.table.fill(1.0),
        lambda one: one.parts["a"][0].fill_(1.0),
        lambda one: one.parts["a"].append(1),
        lambda one: setattr(one, "card", replace(CARD, context=24)),
    ],
    ids=["weight", "buffer", "number", "own number", "array", "tensor", "list", "card"],
)
def test_whatever_it_holds_changes_it(change: Callable[[Any], None]) -> None:
    one = Mine()
    before = identity_of(one)  # type: ignore[arg-type]
    assert before == identity_of(one) is not None  # type: ignore[arg-type]
    change(one)
    assert identity_of(one) != before  # type: ignore[arg-type]


def test_another_code_changes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for name, line in (("one", "return past"), ("other", "return -past")):
        (tmp_path / f"{name}_mine.py").write_text(
            f"class Mine:\n    def __init__(self, card):\n        self.card = card\n"
            f"    def forecast(self, past, horizon):\n        {line}\n"
        )
        found.append(identity_of(__import__(f"{name}_mine").Mine(CARD)))
    assert None not in found
    assert found[0] != found[1]


@pytest.mark.parametrize("thing", [lambda: 1, open, object(), np.array([object()])])
def test_what_cannot_be_hashed_gives_none(thing: object) -> None:
    assert identity_of(Mine(parts=thing)) is None  # type: ignore[arg-type]


def test_a_class_without_a_source_gives_none() -> None:
    kind = type("Typed", (), {"__module__": "nowhere"})
    one = kind()
    one.card = CARD
    assert identity_of(one) is None
