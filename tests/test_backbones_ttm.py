"""The promise: every TinyTimeMixer is IBM's to the last digit, and a trend does not fool it."""

import copy
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from guest_files import TTM, write_ttm
from torch import nn

from citytune._errors import InputError, MissingWeights
from citytune.backbones import Backbone, Past, load_backbone, member_of, missing, shelf
from citytune.backbones._mixer import PatchMixer, read_weights
from citytune.backbones._ttm import CARD, lengthen, show, strong_slope
from citytune.backbones._weights import find_weights

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def shared_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    if (SHARED / "weights").is_dir():
        monkeypatch.setenv("CITYTUNE_WEIGHTS", str(SHARED / "weights"))


@pytest.fixture
def ttm() -> Backbone:
    if CARD.name in missing():
        pytest.skip("the weights of ttm-r2 are not on this machine")
    return load_backbone(CARD.name)


def shown_as(values: torch.Tensor, steps_per_day: int = 24) -> Past:
    calendar = torch.zeros(len(values), values.shape[1] + 96, 3)
    return Past(values, torch.ones_like(values, dtype=torch.bool), calendar, steps_per_day)


def sine(length: int, *, slope: float = 0.0) -> torch.Tensor:
    steps = torch.arange(length, dtype=torch.float32)
    return (10 * torch.sin(2 * torch.pi * steps / 24) + slope * steps)[None]


def test_our_network_says_what_ibms_own_code_says(ttm: Backbone) -> None:
    pytest.importorskip("transformers", reason="the reference, granite-tsfm, is not installed")
    pytest.importorskip("tsfm_public", reason="the reference, granite-tsfm, is not installed")
    from safetensors.torch import load_file
    from tsfm_public.models.tinytimemixer import (
        TinyTimeMixerConfig,
        TinyTimeMixerForPrediction,
    )

    file = find_weights(CARD)["model.safetensors"]
    if not (config := file.with_name("config.json")).is_file():
        pytest.skip("config.json of the reference is not beside the weights")
    theirs = TinyTimeMixerForPrediction(TinyTimeMixerConfig.from_json_file(config)).eval()
    theirs.load_state_dict(load_file(file))
    ours = read_weights(load_file(file)).eval()
    past = torch.randn(40, 512, generator=torch.Generator().manual_seed(0)).cumsum(1) * 7 + 300
    with torch.inference_mode():
        expected = theirs(past[..., None])
        torch.testing.assert_close(
            ours(past), expected.prediction_outputs[..., 0], rtol=1e-5, atol=1e-3
        )
        torch.testing.assert_close(
            ours.state(past), expected.decoder_hidden_state.flatten(1), rtol=1e-4, atol=1e-5
        )


@pytest.mark.extras
def test_zero_shot_on_etth1_is_as_published(ttm: Backbone) -> None:
    if not (file := SHARED / "data" / "energy" / "ETTh1.csv").is_file():
        pytest.skip("../shared/data is not here")
    with file.open() as lines:
        rows = [[float(cell) for cell in row[1:]] for row in list(csv.reader(lines))[1:]]
    table = torch.tensor(rows).T  # (sensor, time)
    year, months = 12 * 30 * 24, 4 * 30 * 24
    train = table[:, :year]
    scaled = (table - train.mean(1, keepdim=True)) / train.std(1, correction=0, keepdim=True)
    test = scaled[:, year + months - 512 : year + 2 * months]
    windows = test.unfold(1, 512 + 96, 1).flatten(0, 1)
    found = ttm.forecast(shown_as(windows[:, :512]), 96)
    error = (found - windows[:, 512:]).square().mean().item()
    assert error == pytest.approx(0.363, abs=0.005)


@pytest.mark.parametrize("length", [512, 504, 300])
def test_a_strong_trend_is_followed(ttm: Backbone, length: int) -> None:
    whole = sine(length + 96, slope=0.25)
    found = ttm.forecast(shown_as(whole[:, :length]), 96)
    assert (found - whole[:, length:]).abs().mean() < 0.5


def test_a_straight_line_is_continued(ttm: Backbone) -> None:
    whole = torch.arange(512 + 96, dtype=torch.float32)[None] * 3 - 100
    found = ttm.forecast(shown_as(whole[:, :512]), 96)
    torch.testing.assert_close(found, whole[:, 512:], rtol=0, atol=0.3)


def test_what_is_taken_off_a_window_is_put_back_exactly() -> None:
    noise = torch.randn(1, 500, generator=torch.Generator().manual_seed(1))
    values = sine(500, slope=0.4) + noise
    shown = show(values, 24)
    assert shown.slope.item() == pytest.approx(0.4, rel=0.02)
    ahead = shown.values[:, -500:].double() * shown.spread + shown.level
    back = ahead + shown.slope * (torch.arange(-500, 0) - shown.middle)
    torch.testing.assert_close(back.float(), values, rtol=0, atol=1e-4)


def test_a_cycle_or_a_wandering_series_keeps_its_level(ttm: Backbone) -> None:
    walk = torch.randn(50, 512, generator=torch.Generator().manual_seed(2)).cumsum(1)
    slopes, _ = strong_slope((walk - walk.mean(1, keepdim=True)) / walk.std(1, keepdim=True), 24)
    assert (slopes == 0).float().mean() > 0.9
    assert strong_slope(sine(512) / 7, 24)[0].item() == 0


def test_a_short_window_is_lengthened_by_its_own_days() -> None:
    three_days = torch.arange(72.0)[None] % 24
    torch.testing.assert_close(lengthen(three_days, 24), (torch.arange(512.0)[None] + 16) % 24)


def test_a_short_window_of_a_cycle_is_forecast_in_phase(ttm: Backbone) -> None:
    whole = sine(240 + 48)
    found = ttm.forecast(shown_as(whole[:, :240]), 48)
    assert (found - whole[:, 240:]).abs().mean() < 0.6


@pytest.mark.parametrize("steps_per_day", [288, 96, 24, 1])
def test_nothing_older_than_512_steps_counts(ttm: Backbone, steps_per_day: int) -> None:
    values = torch.rand(2, 512, generator=torch.Generator().manual_seed(3))
    longer = torch.cat([torch.full((2, 100), 1e4), values], 1)
    for answer in (ttm.features, lambda past: ttm.forecast(past, 48)):
        torch.testing.assert_close(
            answer(shown_as(longer, steps_per_day)), answer(shown_as(values, steps_per_day))
        )


def test_a_horizon_is_the_beginning_of_a_longer_one(ttm: Backbone) -> None:
    past = shown_as(sine(512))
    torch.testing.assert_close(ttm.forecast(past, 7), ttm.forecast(past, 96)[:, :7])


def test_a_layer_put_in_the_place_of_a_plain_one_is_asked(ttm: Backbone) -> None:
    """As a low-rank update would be: first one that adds nothing, then one that does."""

    class Updated(nn.Module):
        def __init__(self, plain: nn.Linear) -> None:
            super().__init__()
            self.plain, self.more = plain, nn.Linear(plain.in_features, plain.out_features)
            nn.init.zeros_(self.more.weight)
            nn.init.zeros_(self.more.bias)

        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            return self.plain(seen) + self.more(seen)

    past = shown_as(sine(512))
    other = copy.deepcopy(ttm)
    added = []
    for part in other.network.modules():  # type: ignore[attr-defined]
        if isinstance(part, PatchMixer):
            for name in ("fc1", "fc2", "gate"):
                setattr(part, name, Updated(getattr(part, name)))
                added.append(getattr(part, name).more)
    assert len(added) == 3 * 8
    plain = ttm.features(past)
    torch.testing.assert_close(other.features(past), plain, rtol=1e-3, atol=1e-4)
    other.features(past).square().sum().backward()
    assert all(bool(more.weight.grad.any()) for more in added)
    with torch.no_grad():
        added[0].bias += 1
        assert not torch.allclose(other.features(past), plain, rtol=1e-2)


@pytest.mark.parametrize("like", TTM)
def test_networks_of_other_lengths_say_what_ibms_own_code_says(
    like: str, own_shelf: None, tmp_path: Path
) -> None:
    """With random weights, written by that code and read by ours."""
    folder = write_ttm(tmp_path / "net", **TTM[like])
    from tsfm_public.models.tinytimemixer import TinyTimeMixerForPrediction

    theirs = TinyTimeMixerForPrediction.from_pretrained(folder).eval()
    ours = load_backbone(str(folder))
    card = ours.card
    assert (card.context, card.horizon) == (
        TTM[like]["context_length"], TTM[like]["prediction_length"],
    )  # fmt: skip
    assert card.parameters == sum(weight.numel() for weight in theirs.parameters())
    past = torch.randn(7, card.context, generator=torch.Generator().manual_seed(0)).cumsum(1) + 30
    with torch.inference_mode():
        expected = theirs(past[..., None], freq_token=torch.full((7,), 8))
        network = ours.network  # type: ignore[attr-defined]
        torch.testing.assert_close(
            network(past, 8), expected.prediction_outputs[..., 0], rtol=1e-4, atol=1e-3
        )
        torch.testing.assert_close(
            network.state(past, 8), expected.decoder_hidden_state.flatten(1), rtol=1e-4, atol=1e-5
        )
    daily = shown_as(past[:, -40:], 1)
    assert ours.features(daily).shape == (7, card.features)
    assert ours.forecast(daily, 9).shape == (7, 9)
    hourly = daily._replace(steps_per_day=5)
    told = not torch.equal(ours.forecast(daily, 9), ours.forecast(hourly, 9))
    assert told == ("resolution_prefix_tuning" in TTM[like])
    owned = {id(weight) for block in ours.blocks() for weight in block.parameters()}
    assert owned == {id(weight) for weight in network.parameters()}


def test_a_name_of_many_picks_by_history_and_horizon() -> None:
    hours = {"steps_per_day": 24}
    assert member_of("ttm", rows=28 * 24, horizon=24, **hours) == "ttm-r2"
    assert member_of("ttm", rows=60 * 24, horizon=97, **hours) == "ttm-r2-512-192"
    assert member_of("ttm", rows=90 * 24, horizon=24, **hours) == "ttm-r2-1024-96"
    assert member_of("ttm", rows=365 * 24, horizon=9999, **hours) == "ttm-r2-1536-720"
    days = {"steps_per_day": 1}
    assert member_of("ttm", rows=400, horizon=14, **days) == "ttm-r2.1-180-60"
    assert member_of("ttm", rows=400, horizon=61, **days) == "ttm-r2.1-180-60"
    assert member_of("ttm", rows=9, horizon=7, **days) == "ttm-r2.1-52-16"
    assert member_of("ttm-r2", rows=9, horizon=7, **days) == "ttm-r2"
    with pytest.raises(InputError, match=r"stands for several networks, .* name one here: ttm"):
        load_backbone("ttm")


@pytest.mark.parametrize("past", [1024, 1100, 1536, 5000])
@pytest.mark.parametrize("horizon", [49, 96, 100, 400, 720])
def test_it_picks_as_ibms_own_code_does(past: int, horizon: int) -> None:
    toolkit = pytest.importorskip("tsfm_public.toolkit.get_model", reason="not installed")
    key = toolkit.get_model(
        "ibm-granite/granite-timeseries-ttm-r2", context_length=past, prediction_length=horizon,
        return_model_key=True,
    )  # fmt: skip
    name = member_of("ttm", rows=2 * past, horizon=horizon, steps_per_day=24)
    assert shelf()[name].hub.partition("@")[2] == key


def test_the_one_that_was_picked_is_tuned_saved_and_loaded_by_its_own_name(
    own_shelf: None, city: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import citytune as ct

    write_ttm(tmp_path / "ttm-r2-1024-96")
    monkeypatch.setenv("CITYTUNE_WEIGHTS", str(tmp_path))
    frame = city(2, 90)
    model = ct.tune(frame, horizon=24, backbone="ttm", strategy="zero-shot")
    assert model.card.name == model.settings.backbone == "ttm-r2-1024-96"
    assert model.spec.context == 1024
    assert model.card.parameters < 100_000  # counted, and not what the release has
    model.save(tmp_path / "model")
    again = ct.load(tmp_path / "model").forecast(frame)
    torch.testing.assert_close(
        torch.from_numpy(again.mean), torch.from_numpy(model.forecast(frame).mean)
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"self_attn": True}, "a TinyTimeMixer with self_attn=True is none that is known here"),
        ({"d_model": None}, "the config.json of a TinyTimeMixer lacks 'd_model'; get it anew"),
        ({"d_model": "wide"}, "has sizes that no network has .*'wide'"),
        ({"patch_length": 4096}, "has sizes that no network has"),
        ({"d_model": 48}, r"has other weights than its config\.json says: .* Get both anew"),
    ],
)
def test_a_config_that_does_not_fit_is_refused_in_a_sentence(
    change: dict[str, Any], said: str, own_shelf: None, tmp_path: Path
) -> None:
    folder = write_ttm(tmp_path / "net")
    config = json.loads((folder / "config.json").read_text()) | change
    kept = {name: value for name, value in config.items() if name not in change or value}
    (folder / "config.json").write_text(json.dumps(kept))
    with pytest.raises(MissingWeights, match=said):
        load_backbone(str(folder))


def test_weights_of_other_lengths_are_refused(
    own_shelf: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ttm(tmp_path / "ttm-r2-1536-96")
    monkeypatch.setenv("CITYTUNE_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights, match=r"another model .* context is 1024, and its is 1536"):
        load_backbone("ttm-r2-1536-96")
