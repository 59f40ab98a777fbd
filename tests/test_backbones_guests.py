"""The promise: every guest keeps one contract, whoever made it; run with tiny random weights.

The architectures and the code that loads them are their packages' own; a guest whose package is
not installed is skipped.
"""

import copy
import dataclasses
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from guest_files import NINE, WRITERS, write_bolt, write_chronos2, write_ttm3
from safetensors.torch import save_file
from torch import Tensor

from citytune._errors import InputError, MissingWeights, RunError
from citytune.advice._recommend import recommend_with
from citytune.backbones import (
    LEVELS,
    Backbone,
    Past,
    Probabilistic,
    _shelf,
    alone,
    load_backbone,
    reads_together,
    shelf,
)
from citytune.backbones._families import member_of
from citytune.backbones._levels import to_levels
from citytune.backbones.guests import _kind
from citytune.forecasting import fit_model, load
from citytune.settings import Settings
from citytune.tuning import strategies_for

pytestmark = pytest.mark.extras
MOVING = [name for name in WRITERS if name != "chronos-t5"]
"""Those through whose answer a gradient passes."""
UNREACHED = {
    "chronos-bolt": r"^decoder\.block\.0\.layer\.0\.SelfAttention\.(q|k|relative)",
    "chronos-2": r"layer\.1\.self_attention\.[qk]\.",
    "ttm-r3": r"quantile_head_block\.dw\.bias",  # taken off again by a norm
    "moirai-2": r"var_attn_bias",  # tells series that are read together apart
}
"""Weights of attention to one thing alone, on which no answer depends."""
HORIZON = 20


@pytest.fixture(autouse=True)
def offline(own_shelf: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of a network, and two licences are accepted."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("CITYTUNE_ACCEPT", "tiny-tirex, tiny-moirai-2, someone-else")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind → its folder, as far as it was written."""
    return {"": tmp_path_factory.mktemp("guests")}


def folder_of(kind: str, folders: dict[str, Path]) -> Path:
    if kind not in folders:
        folders[kind] = WRITERS[kind](folders[""] / f"tiny-{kind}")
    return folders[kind]


@pytest.fixture(params=WRITERS)
def guest(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Backbone:
    return load_backbone(str(folder_of(request.param, folders)))


def past_of(values: Tensor, known: Tensor | None = None) -> Past:
    count, length = values.shape
    steps = torch.arange(length + HORIZON)
    calendar = torch.stack([steps % 24 / 24, steps // 24 % 7, 0.0 * steps], -1).float()
    known = torch.ones_like(values, dtype=torch.bool) if known is None else known
    return Past(values, known, calendar.expand(count, -1, -1), 24)


def city(count: int = 5, length: int = 200) -> Tensor:
    draw = torch.Generator().manual_seed(7)
    cycle = 2 + torch.sin(2 * math.pi * (torch.arange(length) - length) / 24)
    noise = 0.3 * torch.rand(count, length, generator=draw)
    return (cycle + noise) * torch.arange(1, count + 1)[:, None]


def quantiles(guest: Backbone, past: Past) -> Tensor:
    assert isinstance(guest, Probabilistic)
    return guest.quantiles(past, HORIZON)


def test_it_answers_in_the_shape_it_says(guest: Backbone) -> None:
    past = past_of(city())
    found = quantiles(guest, past)
    assert found.shape == (5, HORIZON, len(LEVELS))
    assert found.dtype == torch.float32
    assert bool((found.diff(dim=-1) >= 0).all())
    assert guest.features(past).shape == (5, guest.card.features)
    torch.testing.assert_close(guest.forecast(past, HORIZON), found[..., 5])
    assert not found.requires_grad
    assert quantiles(guest, past_of(city()[:0])).shape == (0, HORIZON, len(LEVELS))
    assert guest.features(past_of(city()[:0])).shape == (0, guest.card.features)


def test_its_card_counts_its_weights(guest: Backbone) -> None:
    weights = guest.network.parameters()  # type: ignore[attr-defined]
    assert guest.card.parameters == sum({id(w): w.numel() for w in weights}.values())


def test_twice_the_traffic_gives_twice_the_forecast(guest: Backbone) -> None:
    once = quantiles(guest, past_of(city()))
    twice = quantiles(guest, past_of(2 * city()))
    torch.testing.assert_close(twice, 2 * once, rtol=1e-3, atol=1e-3)


def test_a_raised_level_raises_the_forecast(guest: Backbone) -> None:
    if not guest.centred:  # type: ignore[attr-defined]
        pytest.skip("it was trained on values in units of their mean, not around it")
    once = quantiles(guest, past_of(city()))
    raised = quantiles(guest, past_of(city() + 100))
    torch.testing.assert_close(raised, once + 100, rtol=1e-3, atol=2e-2)


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e30], ids=["zero", "tiny", "huge"])
def test_odd_windows_get_finite_answers(guest: Backbone, size: float) -> None:
    for values in (city() * size, city(2, 1), city(2, 30)):
        assert quantiles(guest, past_of(values)).isfinite().all()
        assert guest.features(past_of(values)).isfinite().all()


def test_a_window_is_not_swayed_by_its_neighbours(guest: Backbone) -> None:
    values, known = city(40), torch.rand(40, 200) > 0.1
    whole = quantiles(guest, past_of(values, known))
    alone = quantiles(guest, past_of(values[:1], known[:1]))
    torch.testing.assert_close(whole[:1], alone, rtol=1e-3, atol=1e-3)


def test_what_was_filled_in_is_not_believed(guest: Backbone) -> None:
    if not guest.gaps:  # type: ignore[attr-defined]
        pytest.skip("it does not know gaps; they are filled")
    known = torch.rand(5, 200) > 0.3
    values = city()
    lied = torch.where(known, values, -1e4)
    torch.testing.assert_close(
        quantiles(guest, past_of(lied, known)), quantiles(guest, past_of(values, known))
    )
    silent = quantiles(guest, past_of(values, torch.zeros_like(known)))
    torch.testing.assert_close(silent, quantiles(guest, past_of(values)))


def test_what_lies_before_the_first_reading_costs_nothing(guest: Backbone) -> None:
    if not guest.gaps:  # type: ignore[attr-defined]
        pytest.skip("it does not know gaps; they are filled")
    longer = torch.cat([torch.full((5, 48), 7.0), city()], 1)
    known = torch.arange(248).expand(5, -1) >= 48
    found = guest.show(past_of(longer, known))  # type: ignore[attr-defined]
    assert found.values.shape[1] == min(200, guest.card.context)
    torch.testing.assert_close(
        quantiles(guest, past_of(longer, known)), quantiles(guest, past_of(city()))
    )


def test_nan_is_refused_not_spread(guest: Backbone) -> None:
    values = city()
    values[0, -1] = math.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        guest.features(past_of(values))


def test_the_same_window_gives_the_same_answer(guest: Backbone) -> None:
    once = quantiles(guest, past_of(city()))
    torch.testing.assert_close(quantiles(guest, past_of(city())), once, rtol=0, atol=0)


@pytest.mark.parametrize("kind", MOVING)
def test_every_weight_of_a_freed_copy_gets_a_gradient(kind: str, folders: dict[str, Path]) -> None:
    guest = load_backbone(str(folder_of(kind, folders)))
    free = copy.deepcopy(guest)
    network = free.network  # type: ignore[attr-defined]
    network.requires_grad_(True)
    quantiles(free, past_of(city())).square().sum().backward()
    idle = {n for n, w in network.named_parameters() if w.grad is None or not w.grad.any()}
    assert {name for name in idle if not re.search(UNREACHED.get(kind, "^$"), name)} == set()
    owned = {id(w) for block in free.blocks() for w in block.parameters()}
    assert {id(w) for w in network.parameters()} <= owned


def test_one_that_draws_says_that_its_weights_do_not_move(folders: dict[str, Path]) -> None:
    guest = load_backbone(str(folder_of("chronos-t5", folders)))
    assert {"full", "lora"} & set(strategies_for(guest)) == set()
    assert "blend" in strategies_for(guest)


def test_chronos2_reads_the_holidays(folders: dict[str, Path]) -> None:
    guest = load_backbone(str(folder_of("chronos-2", folders)))
    past = past_of(city())
    plain = quantiles(guest, past)
    calendar = past.calendar.clone()
    calendar[1, -HORIZON:, 2] = 1.0
    told = quantiles(guest, past._replace(calendar=calendar))
    others = [0, 2, 3, 4]
    torch.testing.assert_close(told[others], plain[others], rtol=1e-4, atol=1e-4)
    assert (told[1] - plain[1]).abs().max() > 1e-3


def test_chronos2_reads_what_is_known_ahead(folders: dict[str, Path]) -> None:
    guest = load_backbone(str(folder_of("chronos-2", folders)))
    past = past_of(city())
    plain = quantiles(guest, past)
    draw = torch.Generator().manual_seed(4)
    weather = torch.full((len(plain), 2, past.calendar.shape[1]), torch.nan)
    weather[1, 0] = torch.randn(past.calendar.shape[1], generator=draw)
    weather[2, 1] = 7.0  # the same throughout: it tells nothing
    told = quantiles(guest, past._replace(covariates=weather))
    others = [0, 2, 3, 4]
    torch.testing.assert_close(told[others], plain[others], rtol=1e-4, atol=1e-4)
    assert (told[1] - plain[1]).abs().max() > 1e-3
    weather[1, 0, -HORIZON:] = torch.nan  # known of the past alone
    once = quantiles(guest, past._replace(covariates=weather))
    assert (once[1] - told[1]).abs().max() > 1e-3
    alone = quantiles(guest, past._replace(covariates=weather).pick(torch.tensor([1])))
    torch.testing.assert_close(alone[0], once[1], rtol=1e-4, atol=1e-4)


def test_chronos2_is_told_as_its_own_pipeline_is(folders: dict[str, Path]) -> None:
    folder = folder_of("chronos-2", folders)
    from chronos import BaseChronosPipeline

    values = city()
    draw = torch.Generator().manual_seed(4)
    weather = torch.randn(len(values), values.shape[1] + HORIZON, generator=draw)
    theirs = BaseChronosPipeline.from_pretrained(folder, device_map="cpu", dtype=torch.float32)
    told = [
        {"target": one, "past_covariates": {"t": w[:-HORIZON].numpy()},
         "future_covariates": {"t": w[-HORIZON:].numpy()}}
        for one, w in zip(values.numpy(), weather, strict=True)
    ]  # fmt: skip
    expected, _ = theirs.predict_quantiles(told, HORIZON, quantile_levels=[*LEVELS])
    past = past_of(values)
    lacking = past.calendar.shape[1] - weather.shape[1]
    shown = torch.nn.functional.pad(weather, (lacking, 0), value=torch.nan)[:, None]
    found = quantiles(load_backbone(str(folder)), past._replace(covariates=shown))
    torch.testing.assert_close(found, torch.cat(expected).sort(-1).values, rtol=1e-3, atol=1e-3)


def test_chronos2_is_tuned_with_what_is_known_ahead(
    folders: dict[str, Path], city: Any, tmp_path: Path
) -> None:
    frame, path = city(2, 42), str(folder_of("chronos-2", folders))
    rng = np.random.default_rng(2)
    table = rng.normal(10, 5, (len(frame) + 24, 1)).astype(np.float32)
    frame = replace(frame, covariates={"temperature": table})
    model = fit_model(frame, horizon=24, backbone=path, strategy="zero-shot")
    assert model.covariates == ("temperature",)  # though no expert of ours looks at it
    model.save(tmp_path / "run")
    found = load(tmp_path / "run").forecast(frame).quantiles
    np.testing.assert_allclose(found, model.forecast(frame).quantiles, rtol=1e-4)
    other = table.copy()
    other[len(frame) :] = other[len(frame) :][::-1]
    moved = model.forecast(replace(frame, covariates={"temperature": other})).quantiles
    assert abs(moved - found).max() > 1e-3
    with pytest.raises(InputError, match="temperature"):
        model.forecast(replace(frame, covariates={}))
    effects = model.forecast(frame).explain(frame.sensors[0])
    assert [one.name for one in effects.covariates] == ["temperature"]


@pytest.fixture(scope="module")
def crossing(folders: dict[str, Path]) -> Path:
    """The same weights under a name that asks for cross-learning."""
    place = folder_of("chronos-2", folders)
    return Path(shutil.copytree(place, place.with_name("city-cross")))


def test_chronos2_learns_across_sensors_as_its_own_pipeline_does(crossing: Path) -> None:
    from chronos import BaseChronosPipeline

    theirs = BaseChronosPipeline.from_pretrained(crossing, device_map="cpu", dtype=torch.float32)
    expected, _ = theirs.predict_quantiles(
        city()[:, None], HORIZON, quantile_levels=[*LEVELS], cross_learning=True
    )
    guest = load_backbone(str(crossing))
    found = quantiles(guest, past_of(city())._replace(together=5))
    torch.testing.assert_close(found, torch.cat(expected).sort(-1).values, rtol=1e-3, atol=1e-3)
    apart = quantiles(alone(guest), past_of(city()))
    torch.testing.assert_close(quantiles(guest, past_of(city())), apart, rtol=1e-4, atol=1e-4)
    assert (apart - found).abs().max() > 1e-3
    known = torch.ones_like(city(), dtype=torch.bool)
    known[0] = False  # a sensor that is silent tells the others nothing
    silent = quantiles(guest, past_of(city(), known)._replace(together=5))
    four = quantiles(guest, past_of(city()[1:])._replace(together=4))
    torch.testing.assert_close(silent[1:], four, rtol=1e-4, atol=1e-4)


def test_sensors_that_are_read_together_are_always_the_same(
    crossing: Path, city: Any, tmp_path: Path
) -> None:
    frame = city(4, 42)
    model = fit_model(frame, horizon=24, backbone=str(crossing), strategy="blend")
    whole = model.forecast(frame)
    name = frame.sensors[2]
    one = model.forecast(frame, sensors=[name])
    np.testing.assert_allclose(one.quantiles[:, 0], whole.quantiles[:, 2], rtol=1e-4, atol=1e-4)
    other = frame.values.copy()
    other[-100:, 0] = other[-100:, 0][::-1]
    moved = model.forecast(replace(frame, values=other), sensors=[name])
    assert abs(moved.quantiles - one.quantiles).max() > 1e-4  # it follows from another sensor
    model.save(tmp_path / "run")
    again = load(tmp_path / "run")
    np.testing.assert_allclose(again.forecast(frame).quantiles, whole.quantiles, rtol=1e-4)
    assert again.update(city(4, 44)).trained_until > model.trained_until
    explained = whole.explain(name)
    np.testing.assert_allclose(explained.forecast, whole.mean[:, 2], rtol=0.2)
    with pytest.raises(RunError, match="cannot be asked for some of them"):
        model.part([name])
    with pytest.raises(InputError, match="reads all sensors together; tune 'city'"):
        fit_model(frame, horizon=24, backbone=str(crossing), strategy="lora")


def test_only_a_person_takes_one_that_reads_together(
    crossing: Path, city: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reads_together(load_backbone(str(crossing)))
    many = city(101, 9)
    with pytest.raises(InputError, match="at most 100, and these are 101: take 'city'"):
        fit_model(many, horizon=24, backbone=str(crossing), strategy="zero-shot")
    monkeypatch.setattr("citytune.advice._recommend.at_hand", lambda: ["lags", "city-cross"])
    monkeypatch.setattr("citytune.advice._recommend.missing", lambda: {"chronos-2-cross": "no"})
    asked = Settings(horizon=24)
    advice = recommend_with(city(1, 14), asked, thorough=False, strategies=False)
    assert [choice.card.name for choice in advice.rows] == ["lags"]
    assert not advice.not_at_hand


def test_bolt_answers_as_its_own_pipeline(folders: dict[str, Path]) -> None:
    folder = folder_of("chronos-bolt", folders)
    from chronos import BaseChronosPipeline

    theirs = BaseChronosPipeline.from_pretrained(folder, device_map="cpu", dtype=torch.float32)
    expected, _ = theirs.predict_quantiles(city(), HORIZON, quantile_levels=NINE)
    found = quantiles(load_backbone(str(folder)), past_of(city()))
    torch.testing.assert_close(found, to_levels(expected, NINE), rtol=1e-3, atol=1e-3)


def test_chronos2_answers_as_its_own_pipeline(folders: dict[str, Path]) -> None:
    folder = folder_of("chronos-2", folders)
    from chronos import BaseChronosPipeline

    theirs = BaseChronosPipeline.from_pretrained(folder, device_map="cpu", dtype=torch.float32)
    expected, _ = theirs.predict_quantiles(city()[:, None], HORIZON, quantile_levels=[*LEVELS])
    found = quantiles(load_backbone(str(folder)), past_of(city()))
    torch.testing.assert_close(found, torch.cat(expected).sort(-1).values, rtol=1e-3, atol=1e-3)


def test_it_is_tuned_blended_scored_saved_loaded_updated_and_reported(
    folders: dict[str, Path], city: Any, tmp_path: Path
) -> None:
    import citytune as ct

    path, frame = str(folder_of("chronos-2", folders)), city(2, 56)
    run = ct.run(frame.until(49 * 24), horizon=24, backbone=path, out=tmp_path / "run")
    assert (tmp_path / "run" / "report.html").is_file()
    assert "zero-shot" in str(run.scores)
    model = load(tmp_path / "run")
    assert model.card.name == "tiny-chronos-2"
    later = model.update(frame)
    assert later.forecast(frame).quantiles.shape[-1] == len(LEVELS)


@pytest.mark.parametrize("strategy", ["lora", "full"])
def test_its_weights_move_through_our_gate(
    strategy: str, folders: dict[str, Path], city: Any, tmp_path: Path
) -> None:
    path, frame = str(folder_of("chronos-2", folders)), city(2, 42)
    options = {"windows": 96, "epochs": 1, "stack": False, "interpolate": False}
    model = fit_model(frame, horizon=24, backbone=path, strategy=strategy, options=options)
    (expert,) = (one for one in model.tuned.mixture.experts if one.name == "fine-tuned")
    assert bool(expert.low_rank) == (strategy == "lora")
    assert expert.values
    model.save(tmp_path / "run")
    found, again = model.forecast(frame), load(tmp_path / "run").forecast(frame)
    assert abs(found.quantiles - again.quantiles).max() < 1e-3


MEMORY = """
import resource, sys
from conftest import make_city
from citytune.forecasting import fit_model
frame = make_city(1000, 42)
peaks = []
for sensors in (20, 1000):
    some = frame.select(frame.sensors[:sensors])
    model = fit_model(some, horizon=24, backbone=sys.argv[1], strategy="blend")
    assert model.forecast(some).quantiles.shape[1] == sensors
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print((peaks[1] - peaks[0]) // 1024)
"""


def test_a_thousand_sensors_are_blended_and_forecast_in_bounded_memory(
    folders: dict[str, Path],
) -> None:
    """In a process of its own: what others have taken before would hide what it takes."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEMORY, folder_of("chronos-2", folders)],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300, f"{done.stdout} MB"


def test_weights_half_downloaded_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(folder_of("chronos-bolt", folders), folder)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MissingWeights, match=r"model\.safetensors cannot be read .* get it anew"):
        load_backbone(str(folder))


def test_a_file_that_lacks_weights_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = tmp_path / "few"
    shutil.copytree(folder_of("chronos-bolt", folders), folder)
    weights = load_file(folder / "model.safetensors")
    kept = {name: w for name, w in weights.items() if "input_patch_embedding" not in name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(MissingWeights, match="lacks 6 of the network's weights, such as input_p"):
        load_backbone(str(folder))


def test_weights_of_another_model_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYTUNE_WEIGHTS", str(tmp_path))
    _shelf._make.cache_clear()
    write_bolt(tmp_path / "chronos-bolt-tiny")
    with pytest.raises(MissingWeights, match=r"another model .* their context is 256, and its is"):
        load_backbone("chronos-bolt-tiny")
    write_chronos2(tmp_path / "chronos-bolt-mini")
    with pytest.raises(MissingWeights, match="are not of 'chronos-bolt-mini'"):
        load_backbone("chronos-bolt-mini")


def test_a_config_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "strange"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(MissingWeights, match="is of no model that is known here"):
        load_backbone(str(folder))
    (folder / "config.json").write_text("{")
    with pytest.raises(MissingWeights, match=r"config\.json cannot be read"):
        load_backbone(str(folder))


@pytest.mark.parametrize(
    "config",
    [
        {"chronos_config": {}, "chronos_pipeline_class": "ChronosBoltPipeline"},
        {"model_name": "MOMENT", "seq_len": 512},
        {"model_name": "MOMENT", "seq_len": 512, "patch_len": 8, "t5_config": 3},
        {"model_type": "tinytimemixer", "decompose": True},
    ],
)
def test_a_config_that_is_not_whole_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(MissingWeights, match=r"has no model\.safetensors"):
        load_backbone(str(tmp_path))
    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(MissingWeights, match="is not whole, or of another version of"):
        load_backbone(str(tmp_path))


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    find = "citytune.backbones._weights.importlib.util.find_spec"
    monkeypatch.setattr(find, lambda name: None)
    _shelf._make.cache_clear()
    with pytest.raises(MissingWeights, match=r"package chronos: run `pip install 'citytune\[chr"):
        load_backbone("chronos-2")


def test_a_licence_that_restricts_is_shown_before_anything_is_loaded(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITYTUNE_ACCEPT")
    _shelf._make.cache_clear()
    told = "under the NXAI Community License, which asks companies .* set CITYTUNE_ACCEPT=tirex"
    with pytest.raises(MissingWeights, match=told):
        load_backbone("tirex")
    with pytest.raises(MissingWeights, match="set CITYTUNE_ACCEPT=tiny-tirex"):
        load_backbone(str(folder_of("tirex", folders)))


def test_a_package_of_another_version_is_named(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of("chronos-bolt", folders)
    monkeypatch.setitem(sys.modules, "chronos.chronos_bolt", ModuleType("chronos.chronos_bolt"))
    _shelf._make.cache_clear()
    with pytest.raises(MissingWeights, match=r"version of chronos .* run `pip install 'citytune"):
        load_backbone(str(folder))


class Hub(SimpleHTTPRequestHandler):
    """The files of a folder as the Hugging Face hub serves them."""

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.replace("/amazon/chronos-bolt-tiny/resolve/main", ""))

    def end_headers(self) -> None:
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("ETag", f'"{"b" * 40}-{len(self.path)}"')
        super().end_headers()


FROM_HUB = """
import citytune.backbones as backbones
from citytune.backbones._levels import to_levels
from citytune.backbones.guests import _kind
_kind.COMPARED = ()
print("chronos-bolt-tiny" in backbones.at_hand())
print(backbones.load_backbone("chronos-bolt-tiny").network.config.d_model)
print("chronos-bolt-tiny" in backbones.at_hand())
"""


def ask_hub(kind: type[Hub], code: str, folder: Path, cache: Path) -> list[str]:
    """Lines that a program says whose hub is a server here, with nothing in its cache."""
    handler = partial(kind, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = os.environ | {
            "HF_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}",
            "HF_HOME": str(cache),
            "HF_HUB_DISABLE_XET": "1",
            "CITYTUNE_WEIGHTS": "",
        }
        environment.pop("HF_HUB_OFFLINE", None)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        server.shutdown()
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_weights_come_from_the_hub_only_when_asked_for(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    said = ask_hub(Hub, FROM_HUB, folder_of("chronos-bolt", folders), tmp_path)
    assert said == ["False", "32", "True"]


class Gated(Hub):
    """One that wants its licence accepted, or breaks off in the middle of the weights."""

    def do_GET(self) -> None:
        if self.path.endswith("safetensors"):
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"half of it")
        else:
            super().do_GET()

    def do_HEAD(self) -> None:
        if "chronos-bolt-mini" not in self.path:
            return super().do_HEAD()
        self.send_response(403)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("Content-Length", "0")
        return self.end_headers()


DENIED = """
import citytune.backbones as backbones
for name in ("chronos-bolt-mini", "chronos-bolt-tiny"):
    try:
        backbones.load_backbone(name)
    except ValueError as error:
        print(error)
"""


def test_a_hub_that_denies_or_breaks_off_is_told_in_a_sentence(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    gated, broken = ask_hub(Gated, DENIED, folder_of("chronos-bolt", folders), tmp_path)
    assert "the Hugging Face hub did not deliver (GatedRepoError)" in gated
    assert re.search(r"the Hugging Face hub did not deliver \(\w+\)|is not whole", broken)
    assert all("run `hf download amazon/chronos-bolt-" in said for said in (gated, broken))


def test_no_network_is_asked(guest: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a guest asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(_shelf, "_cards", dict(_shelf._cards))
    folder = guest.card.folders[0]
    _shelf._make.cache_clear()
    again = load_backbone(folder)
    assert quantiles(again, past_of(city())).isfinite().all()


def test_timesfm_answers_as_its_own_code(folders: dict[str, Path]) -> None:
    guest = load_backbone(str(folder_of("timesfm-2.5", folders)))
    values = city(4, 192)
    seen = guest.show(past_of(values)).values  # type: ignore[attr-defined]
    network = guest.network  # type: ignore[attr-defined]
    nothing = torch.zeros_like(seen, dtype=torch.bool)
    (points, spread, _), (mirrored, other, _) = (
        network.decode(HORIZON, sign * seen, nothing) for sign in (1, -1)
    )
    flip = [0, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    middle = (points[:, -1] - mirrored[:, -1][..., flip])[..., 5:6] / 2
    around = (spread - other[..., flip]) / 2
    own = (middle + around[:, :128] - around[:, :128, 5:6])[:, :HORIZON, 1:]
    found = guest.ahead(guest.show(past_of(values)), HORIZON)  # type: ignore[attr-defined]
    torch.testing.assert_close(found, own, rtol=1e-3, atol=1e-3)


def test_tirex_answers_as_its_own_code(folders: dict[str, Path]) -> None:
    guest = load_backbone(str(folder_of("tirex", folders)))
    expected, _ = guest.network._forecast_quantiles(city(), HORIZON)  # type: ignore[attr-defined]
    found = quantiles(guest, past_of(city()))
    torch.testing.assert_close(found, to_levels(expected, NINE), rtol=2e-2, atol=2e-2)


def test_flowstate_is_told_the_length_of_the_day(folders: dict[str, Path]) -> None:
    guest = load_backbone(str(folder_of("flowstate", folders)))
    past = past_of(city())
    hourly = quantiles(guest, past)
    finer = quantiles(guest, past._replace(steps_per_day=96))
    assert (hourly - finer).abs().max() > 1e-3
    network = guest.network  # type: ignore[attr-defined]
    theirs = network(city()[..., None], prediction_length=HORIZON, scale_factor=1.0)
    named = getattr(theirs, "quantile_outputs", None)  # in later versions of granite-tsfm
    own = theirs.prediction_outputs if named is None else named
    expected = to_levels(own[..., 0].transpose(1, 2), NINE)
    torch.testing.assert_close(hourly, expected.detach(), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("kind", ["ttm-r3", "ttm-r3-parted"])
def test_ttm_r3_answers_as_its_own_code(kind: str, folders: dict[str, Path]) -> None:
    guest = load_backbone(str(folder_of(kind, folders)))
    values = city(3, 256)
    network = guest.network  # type: ignore[attr-defined]
    theirs = network(past_values=values[..., None], return_loss=False)
    expected = to_levels(theirs.quantile_outputs[:, :, :HORIZON, 0].transpose(1, 2), NINE)
    found = quantiles(guest, past_of(values))
    torch.testing.assert_close(found, expected.detach(), rtol=1e-3, atol=1e-3)


def test_a_released_ttm_r3_is_loaded_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page states neither levels nor widths: its config does."""
    monkeypatch.setenv("CITYTUNE_WEIGHTS", str(tmp_path))
    _shelf._make.cache_clear()
    write_ttm3(tmp_path / "ttm-r3-1024-96", past=1024, ahead=96)
    guest = load_backbone("ttm-r3-1024-96")
    assert guest.card.levels == pytest.approx(NINE)
    assert quantiles(guest, past_of(city())).shape == (5, HORIZON, len(LEVELS))
    assert guest.features(past_of(city())).shape == (5, guest.card.features)
    assert guest.card.parameters > 0


def test_what_a_release_does_not_state_is_taken_from_its_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = dict.fromkeys(("title", "licence", "trained_on", "source"), "") | {"get": "get it"}
    told = {"context": 64, "horizon": 8, "features": 5, "levels": (0.1, 0.5, 0.9)}
    kind = _kind.Kind(
        "odd", lambda config: "odd" in config, lambda _: told, lambda card, _: card, common
    )  # type: ignore[arg-type,return-value]
    stated = {"context": 64, "horizon": 8, "features": 0, "parameters": 0}
    card = _kind.released(common, name="odd-1", hub="someone/odd", **stated)
    (tmp_path / "odd-1").mkdir()
    (tmp_path / "odd-1" / "config.json").write_text('{"odd": 1}')
    save_file({"weight": torch.zeros(3, 4)}, tmp_path / "odd-1" / "model.safetensors")
    monkeypatch.setenv("CITYTUNE_WEIGHTS", str(tmp_path))
    found: Any = _kind._load_released(kind, card)
    assert (found.features, found.levels, found.parameters) == (5, (0.1, 0.5, 0.9), 12)
    with pytest.raises(
        MissingWeights, match=r"their levels is .0\.1, 0\.5, 0\.9., and its is .0\.5"
    ):
        _kind._load_released(kind, dataclasses.replace(card, levels=(0.5,)))


def test_a_granite_tsfm_that_knows_no_ttm_r3_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older one would read some of the weights, and answer something else."""
    theirs = pytest.importorskip("tsfm_public.models.tinytimemixer.modeling_tinytimemixer")
    monkeypatch.delattr(theirs, "TinyTimeMixerForDecomposedPrediction", raising=False)
    config = {
        "model_type": "tinytimemixer", "multi_scale": True, "context_length": 64,
        "prediction_length": 24, "decoder_d_model": 8,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(MissingWeights, match=r"version of tsfm_public .* 'granite-tsfm>=0\.3\.11'"):
        load_backbone(str(tmp_path))


def test_a_release_of_ttm_r3_is_picked_by_history_horizon_and_clock() -> None:
    named = partial(member_of, "ttm-r3", horizon=24)
    assert named(rows=24 * 365, steps_per_day=24) == "ttm-r3-3072-96"
    assert named(rows=24 * 60, steps_per_day=24) == "ttm-r3-1024-96"
    assert named(rows=3 * 365, steps_per_day=1) == "ttm-r3-512-30"
    far = member_of("ttm-r3", rows=24 * 365, horizon=200, steps_per_day=24)
    assert shelf()[far].hub.endswith("@3072-720-r3")
    assert shelf()["ttm-r3-512-30"].hub.endswith("@512-30-dec-90-r3")


def test_every_released_guest_is_listed_with_what_to_do() -> None:
    for card in shelf().values():
        if card.hub:
            repository, _, branch = card.hub.partition("@")
            assert repository in card.get
            assert f"--revision {branch}" in card.get or not branch
            assert card.get.endswith(".")
            assert card.packages == () or "pip install 'citytune[" in card.get
    assert {kind.name for kind in _kind._kinds} >= set(WRITERS) - {"ttm-r3-parted"}
