"""The promise: TabPFN reads each window as a table, alone, and reaches nobody; tiny random weights.

The code that loads and asks it is its package's own.
"""

import math
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from guest_files import write_tabpfn
from torch import Tensor

import citytune as ct
from citytune._errors import MissingWeights
from citytune.backbones import LEVELS, Past, load_backbone
from citytune.backbones._guest import Guest
from citytune.backbones.guests import _kind, _tabpfn
from citytune.tuning import strategies_for

pytestmark = pytest.mark.extras
HORIZON = 12


@pytest.fixture
def here(own_shelf: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tiny weights of it, whose licence is accepted."""
    pytest.importorskip("tabpfn", reason="the package tabpfn is not installed")
    monkeypatch.setenv("CITYTUNE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("CITYTUNE_ACCEPT", "tabpfn-ts")
    card = replace(_tabpfn.CARD, sha256=("",))
    from citytune.backbones import _shelf

    monkeypatch.setitem(_shelf._cards, card.name, card)
    factories = _shelf._backbones._factories
    monkeypatch.setitem(factories, card.name, lambda: _kind._load_released(_tabpfn.KIND, card))
    return write_tabpfn(tmp_path / "tabpfn-ts" / _tabpfn.FILE)


@pytest.fixture
def guest(here: Path) -> Any:
    return load_backbone("tabpfn-ts")


def past_of(values: Tensor, known: Tensor | None = None) -> Past:
    count, length = values.shape
    steps = torch.arange(length + HORIZON)
    calendar = torch.stack([steps % 24 / 24, steps // 24 % 7, 0.0 * steps], -1).float()
    known = torch.ones_like(values, dtype=torch.bool) if known is None else known
    return Past(values, known, calendar.expand(count, -1, -1), 24)


def days(count: int = 2, length: int = 60) -> Tensor:
    noise = torch.rand(count, length, generator=torch.Generator().manual_seed(7))
    cycle = torch.sin(2 * math.pi * torch.arange(length) / 24)
    return (2 + cycle + 0.3 * noise) * torch.arange(1, count + 1)[:, None]


def test_it_keeps_the_contract_of_a_guest(guest: Any) -> None:
    assert isinstance(guest, Guest)
    found = guest.quantiles(past_of(days()), HORIZON)
    assert found.shape == (2, HORIZON, len(LEVELS))
    assert bool((found.diff(dim=-1) >= 0).all())
    assert found.isfinite().all()
    assert guest.features(past_of(days())).shape == (2, guest.card.features)
    twice = guest.quantiles(past_of(2 * days() + 50), HORIZON)
    assert twice.numpy() == pytest.approx(2 * found.numpy() + 50, rel=1e-3, abs=2e-2)
    alone = guest.quantiles(past_of(days()[:1]), HORIZON)
    assert found[:1].numpy() == pytest.approx(alone.numpy(), rel=1e-3, abs=1e-3)
    assert {"full", "lora"} & set(strategies_for(guest)) == set()


def test_rows_that_were_not_measured_are_not_in_the_table(guest: Any) -> None:
    known = torch.rand(2, 60, generator=torch.Generator().manual_seed(1)) > 0.3
    lied = torch.where(known, days(), -1e4)
    told = guest.quantiles(past_of(lied, known), HORIZON)
    assert told.numpy() == pytest.approx(guest.quantiles(past_of(days(), known), HORIZON).numpy())


def test_a_window_that_says_nothing_is_continued_as_it_is(guest: Any) -> None:
    for values in (torch.full((1, 40), 7.0), torch.full((1, 1), 7.0)):
        assert (guest.quantiles(past_of(values), HORIZON) == 7.0).all()


def test_the_table_tells_hour_weekday_and_holiday() -> None:
    past = past_of(days(1, 30))
    calendar = past.calendar.clone()
    calendar[:, 25:, 2] = 1.0
    shown = _tabpfn.Shown(past.values[:, -10:], *past.values[:, :2, None].unbind(1),
                          past._replace(calendar=calendar))  # fmt: skip
    table = _tabpfn.table_of(shown, HORIZON)
    assert table.shape == (1, 10 + HORIZON, 6)
    assert table[0, :, 0].tolist() == list(range(22))
    assert table[0, 4, 1].item() == pytest.approx(0, abs=1e-6)  # midnight of the second day
    assert table[0, :, -1].tolist() == [0.0] * 5 + [1.0] * 17


def test_nobody_is_asked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert load_backbone("tabpfn-ts").forecast(past_of(days()), HORIZON).isfinite().all()


def test_its_licence_is_shown_and_its_weights_are_checked(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITYTUNE_ACCEPT")
    with pytest.raises(MissingWeights, match=r"Built with PriorLabs-TabPFN.* CITYTUNE_ACCEPT=tab"):
        load_backbone("tabpfn-ts")
    monkeypatch.setenv("CITYTUNE_ACCEPT", "tabpfn-ts")
    from citytune.backbones import _shelf

    monkeypatch.setitem(_shelf._cards, "tabpfn-ts", _tabpfn.CARD)
    with pytest.raises(MissingWeights, match=r"is damaged \(.* run `pip install 'citytune\[tabpfn"):
        load_backbone("tabpfn-ts")


def test_it_is_tuned_saved_and_loaded(here: Path, city: Any, tmp_path: Path) -> None:
    model = ct.tune(city(1, 14), horizon=6, backbone="tabpfn-ts", strategy="zero-shot")
    model.save(tmp_path / "model")
    again = ct.load(tmp_path / "model").forecast(city(1, 14))
    difference = again.mean - model.forecast(city(1, 14)).mean
    assert abs(difference).max() < 1e-3
