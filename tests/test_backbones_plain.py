"""The promise: Moirai-2, Toto and MOMENT answer as their own packages, which need not be here.

What those answer to the same weights is kept in data/guest_originals.json, which
guest_originals.py writes.
"""

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from guest_originals import ANSWERS, windows
from guest_plain_files import write_moirai, write_moment, write_toto
from torch import Tensor

from citytune._errors import MissingWeights
from citytune.backbones import Backbone, Past, load_backbone
from citytune.backbones.guests._toto_network import quantiles
from citytune.forecasting import fit_model, load


@pytest.fixture(autouse=True)
def accepted(own_shelf: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moirai's licence is."""
    monkeypatch.setenv("CITYTUNE_ACCEPT", "moirai")


@pytest.fixture(scope="module")
def theirs() -> dict[str, Tensor]:
    """Kind → what its own package answers."""
    return {kind: torch.tensor(found) for kind, found in json.loads(ANSWERS.read_text()).items()}


def past_of(values: Tensor, known: Tensor | None = None, ahead: int = 24) -> Past:
    known = torch.ones_like(values, dtype=torch.bool) if known is None else known
    calendar = torch.zeros(len(values), values.shape[1] + ahead, 3)
    return Past(values, known, calendar, 24)


def test_moirai_answers_as_its_own_package(tmp_path: Path, theirs: dict[str, Tensor]) -> None:
    guest: Any = load_backbone(str(write_moirai(tmp_path / "moirai")))
    values, known = windows()
    found = guest.network(values, known)[:, :24]
    torch.testing.assert_close(found, theirs["moirai-2"], rtol=1e-4, atol=1e-4)


def test_toto_mixes_as_its_own_package(tmp_path: Path, theirs: dict[str, Tensor]) -> None:
    guest: Any = load_backbone(str(write_toto(tmp_path / "my-toto")))
    values, known = windows()
    found = torch.stack(guest.network.mixed(100 * values, known))
    torch.testing.assert_close(found, theirs["toto"], rtol=1e-4, atol=1e-3)


def test_quantiles_of_a_mixture_are_those_of_its_draws() -> None:
    draw = torch.Generator().manual_seed(3)
    free, size = 2 + 3 * torch.rand(4, 3, generator=draw), 0.5 + torch.rand(4, 3, generator=draw)
    place, share = torch.randn(4, 3, generator=draw), torch.rand(4, 3, generator=draw).softmax(-1)
    levels = torch.tensor([0.05, 0.3, 0.5, 0.9])
    found = quantiles(free, place, size, share, levels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        part = torch.multinomial(share, 200_000, replacement=True)
        mixed = torch.distributions.StudentT(
            *(one.gather(1, part) for one in (free, place, size))
        ).sample()
    below = (mixed[:, None, :] < found[..., None]).double().mean(-1)
    torch.testing.assert_close(below.float(), levels.expand(4, -1), rtol=0, atol=5e-3)
    assert bool((found.diff(dim=-1) > 0).all())


@pytest.fixture
def moment(tmp_path: Path) -> Backbone:
    pytest.importorskip("transformers", reason="the package transformers is not installed")
    return load_backbone(str(write_moment(tmp_path / "moment")))


def test_moment_reads_as_its_own_package(moment: Backbone, theirs: dict[str, Tensor]) -> None:
    values, known = windows()
    found = moment.features(past_of(values))[:, 32:]
    torch.testing.assert_close(found, theirs["moment"], rtol=1e-3, atol=1e-3)
    gaps = moment.features(past_of(values, known))
    assert gaps.shape == (2, moment.card.features)


def test_moment_keeps_the_contract_of_features(moment: Backbone) -> None:
    values = windows()[0]
    once = moment.features(past_of(values))
    assert moment.forecast(past_of(values), 24) is None
    assert moment.card.horizon is None
    torch.testing.assert_close(moment.features(past_of(3 * values + 7)), once, rtol=0, atol=1e-4)
    torch.testing.assert_close(moment.features(past_of(values[:1])), once[:1], rtol=0, atol=1e-5)
    earlier = torch.cat([torch.full((2, 40), 9.0), values], 1)
    known = torch.arange(232).expand(2, -1) >= 40
    torch.testing.assert_close(
        moment.features(past_of(earlier, known)), once, rtol=0, atol=1e-5, msg="before the first"
    )
    assert moment.features(past_of(torch.zeros(1, 5))).isfinite().all()
    assert moment.features(past_of(values[:0])).shape == (0, moment.card.features)
    values[0, -1] = math.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        moment.features(past_of(values))


def test_every_weight_of_moment_can_move(moment: Any) -> None:
    free = copy.deepcopy(moment)
    free.network.requires_grad_(True)
    free.features(past_of(windows()[0])).square().sum().backward()
    assert [n for n, w in free.network.named_parameters() if w.grad is None] == []
    owned = {id(w) for block in free.blocks() for w in block.parameters()}
    assert {id(w) for w in free.network.parameters()} == owned
    assert moment.card.parameters == sum(w.numel() for w in moment.network.parameters())


def test_moment_forecasts_with_a_head(moment: Backbone, city: Any, tmp_path: Path) -> None:
    frame = city(2, 42)
    model = fit_model(frame, horizon=24, backbone=str(tmp_path / "moment"), strategy="head")
    model.save(tmp_path / "run")
    found, again = model.forecast(frame), load(tmp_path / "run").forecast(frame)
    assert abs(found.quantiles - again.quantiles).max() < 1e-4


@pytest.mark.parametrize(
    ("write", "change", "what"),
    [
        (write_moirai, {"d_ff": 64}, "has other weights than its config.json says"),
        (write_toto, {"num_layers": 4}, "has other weights than its config.json says"),
        (
            write_toto,
            {"scaler_cls": "<class 'model.scaler.StdMeanScaler'>"},
            "a Toto with .'scaler",
        ),
        (write_toto, {"stride": 16}, "a Toto with patches that overlap"),
        (write_moment, {"patch_stride_len": 4}, "a MOMENT with patches that overlap"),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, write: Any, change: dict[str, Any], what: str
) -> None:
    folder = write(tmp_path / "moirai")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(MissingWeights, match=what):
        load_backbone(str(folder))


@pytest.mark.parametrize("write", [write_moirai, write_toto, write_moment])
def test_weights_half_downloaded_are_refused(tmp_path: Path, write: Any) -> None:
    folder = write(tmp_path / "moirai")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MissingWeights, match=r"model\.safetensors cannot be read .* get it anew"):
        load_backbone(str(folder))


def test_toto_quantiles_let_a_gradient_pass(tmp_path: Path) -> None:
    """Against differences: the last step by the slope is the derivative of a quantile."""
    place = torch.tensor([[-1.0, 0.5, 2.0]], dtype=torch.float64, requires_grad=True)
    others = [torch.tensor([[3.0, 4.0, 9.0]]), torch.tensor([[0.7, 1.0, 0.4]])]
    share, levels = torch.tensor([[0.3, 0.5, 0.2]]), torch.tensor([0.2, 0.5, 0.8])
    free, size, share, levels = (one.double() for one in (*others, share, levels))

    def answer(at: Tensor) -> Tensor:
        return quantiles(free, at, size, share, levels).sum()

    (slope,) = torch.autograd.grad(answer(place), place)
    tiny = 1e-4 * torch.eye(3, dtype=torch.float64)
    steps = [(answer(place + one) - answer(place - one)) / 2e-4 for one in tiny]
    torch.testing.assert_close(slope[0], torch.stack(steps).detach(), rtol=2e-2, atol=2e-2)
