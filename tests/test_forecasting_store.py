"""The promise: a saved model is whole or not there, holds no code, and damage to it is noticed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load as unpack
from safetensors.torch import save as pack
from tampering import rewrite, tamper_model

from citytune import _files, open_run
from citytune._errors import CitytuneError, MissingWeights, RunError
from citytune.backbones import shelf
from citytune.forecasting import TunedModel, _memory_file, _store, load
from citytune.frame import Quantity, SensorFrame

City = Callable[..., SensorFrame]


@pytest.fixture
def tuned(fit_once: Callable[..., Any]) -> Any:
    pm = Quantity("pm2.5", "µg/m³", low=0)
    return fit_once(2, 30, horizon=12, strategy="head", turn=1.0, noise=0.1, quantity=pm)


@pytest.fixture
def saved(model: TunedModel, tmp_path: Path) -> Path:
    return model.save(tmp_path / "model")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_saved_model_is_json_and_safetensors_and_nothing_else(saved: Path) -> None:
    names = ["memory.safetensors", "model.json", "model.safetensors"]
    assert sorted(path.name for path in saved.iterdir()) == names
    facts = json.loads((saved / "model.json").read_text(encoding="utf-8"))
    assert facts["format"] == 4
    assert facts["quantity"]["unit"] == "µg/m³"
    with safe_open(saved / "model.safetensors", framework="np") as file:
        names = set(file.keys())
    assert {"tuned.mixture.weights", "tuned.intervals.conformal.scale"} <= names
    assert any(name.endswith("head.weights") for name in names)
    for content in contents(saved).values():
        assert b"pickle" not in content
        assert not content.startswith((b"PK", b"\x80"))


def test_a_model_saved_without_memory_is_small_and_holds_no_measurements(
    model: TunedModel, tmp_path: Path, frame: SensorFrame
) -> None:
    saved = model.save(tmp_path / "model", memory=False)
    size = sum(len(content) for content in contents(saved).values())
    assert size < 2_000_000
    value = frame.values[100, 0].tobytes()
    assert value not in (saved / "model.safetensors").read_bytes()


def test_it_may_be_read_by_others(saved: Path) -> None:
    assert saved.stat().st_mode & 0o055 == 0o055


def test_it_comes_back_from_another_place(
    model: TunedModel, saved: Path, frame: SensorFrame
) -> None:
    moved = saved.rename(saved.with_name("elsewhere"))
    for path in (moved, str(moved)):
        np.testing.assert_array_equal(load(path).forecast(frame).mean, model.forecast(frame).mean)


def test_a_run_folder_gives_its_model(model: TunedModel, tmp_path: Path) -> None:
    model.save(tmp_path / "run" / "model")
    (tmp_path / "run" / "scores.json").write_text("{}")
    assert load(tmp_path / "run").sensors == model.sensors


def test_names_of_any_script_come_back(model: TunedModel, tmp_path: Path) -> None:
    named = replace(model, sensors=("Bjørvika–øst", '環状線 "7"\n'), fallback=("Bjørvika–øst",))
    again = load(named.save(tmp_path / "Straße Ω"))
    assert again.sensors == named.sensors
    assert again.fallback == named.fallback


def test_a_model_without_error_out_of_fold_comes_back_without(
    model: TunedModel, tmp_path: Path
) -> None:
    bare = replace(model, tuned=replace(model.tuned, fold_error=float("nan")))
    bare.save(tmp_path / "m")
    assert "NaN" not in (tmp_path / "m" / "model.json").read_text(encoding="utf-8")
    assert np.isnan(load(tmp_path / "m").fold_error)


# Saving over what is there


def test_a_model_replaces_its_predecessor(model: TunedModel, saved: Path) -> None:
    replace(model, settings=replace(model.settings, seed=7)).save(saved)
    assert load(saved).settings.seed == 7
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_an_empty_folder_is_filled_and_missing_parents_are_made(
    model: TunedModel, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "a" / "b" / "c"):
        assert load(model.save(folder)).sensors == model.sensors


@pytest.mark.parametrize("names", [("notes.txt",), ("model.json", "notes.txt"), ("photos/1.png",)])
def test_a_folder_with_something_else_is_left_alone(
    model: TunedModel, tmp_path: Path, names: tuple[str, ...]
) -> None:
    place = tmp_path / "mine"
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("years of work")
    before = contents(tmp_path)
    with pytest.raises(RunError, match="left alone"):
        model.save(place)
    assert contents(tmp_path) == before


def test_a_file_is_left_alone(model: TunedModel, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("years of work")
    with pytest.raises(RunError, match="is a file, so it is left alone"):
        model.save(tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "years of work"


@pytest.mark.parametrize("step", ["write_bytes", "write_text", "third rename"])
def test_when_saving_fails_half_way_the_old_model_stands(
    model: TunedModel, saved: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = contents(saved.parent)
    calls = [0]
    name = step.rsplit(maxsplit=1)[-1]
    genuine = getattr(Path, name)

    def full(self: Path, *args: Any, **options: Any) -> Any:
        calls[0] += 1
        if step == "third rename" and calls[0] != 3:
            return genuine(self, *args, **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_files, "_exchange", lambda *_: False)  # as where it takes two renames
    monkeypatch.setattr(Path, name, full)
    with pytest.raises(OSError, match="No space left"):
        replace(model, settings=replace(model.settings, seed=7)).save(saved)
    monkeypatch.undo()
    assert calls[0]
    assert contents(saved.parent) == before
    assert load(saved).settings.seed == model.settings.seed


def test_when_a_first_saving_fails_nothing_is_left(
    model: TunedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_store, "_write", broken)
    with pytest.raises(KeyboardInterrupt):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_saving_left_goes_with_the_next_start_or_saving(
    model: TunedModel, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, write = contents(saved), _store._write
    left = [tmp_path / "left", tmp_path / "again"]

    def killed(written: TunedModel, draft: Path) -> None:
        write(written, draft)
        for place in left:
            shutil.copytree(saved.parent, place, ignore=shutil.ignore_patterns("left", "again"))

    monkeypatch.setattr(_store, "_write", killed)
    replace(model, settings=replace(model.settings, seed=7)).save(saved)
    monkeypatch.undo()
    for place in left:
        assert len(list(place.iterdir())) == 3  # the model, the draft and the lock
    assert open_run(left[0] / saved.name).model.settings.seed == model.settings.seed
    assert contents(left[0]) == {f"{saved.name}/{name}": held for name, held in before.items()}
    model.save(left[1] / saved.name)
    assert [path.name for path in left[1].iterdir()] == [saved.name]


# Reading what is not whole


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_flipped_byte_anywhere_is_noticed(saved: Path, name: str) -> None:
    """Even one in a name or a number, which would still be read."""
    whole = (saved / name).read_bytes()
    draw = np.random.default_rng(0)
    for at in draw.integers(0, len(whole), 60):
        spoilt = bytearray(whole)
        spoilt[at] ^= 1 << int(draw.integers(0, 7))
        if spoilt[at : at + 1].isspace() and whole[at : at + 1].isspace():
            continue  # the JSON says the same
        (saved / name).write_bytes(bytes(spoilt))
        with pytest.raises(RunError, match=r"is damaged: .*tune anew|was written in format"):
            load(saved)
    (saved / name).write_bytes(whole)
    load(saved)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_cut_short_is_noticed(saved: Path, name: str, share: float) -> None:
    whole = (saved / name).read_bytes()
    (saved / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(RunError, match=r"is damaged: .*tune anew, or restore it from a copy"):
        load(saved)


def test_files_of_two_models_do_not_make_one(
    model: TunedModel, saved: Path, tmp_path: Path
) -> None:
    weights = model.tuned.mixture.weights / 2
    mixture = replace(model.tuned.mixture, weights=weights)
    settings = replace(model.settings, seed=7)
    other = replace(model, settings=settings, tuned=replace(model.tuned, mixture=mixture))
    other.save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "model.json", saved / "model.json")
    with pytest.raises(RunError, match="no longer what was written"):
        load(saved)


def test_a_missing_part_is_named(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(RunError, match=r"is damaged: model\.safetensors is not there"):
        load(saved)


@pytest.mark.parametrize("text", ["[]", "null", '"model"', "{}", '{"format": true}', "\x00"])
def test_json_of_something_else_is_no_model(saved: Path, text: str) -> None:
    (saved / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="is damaged"):
        load(saved)


def test_an_earlier_format_is_refused_with_the_command_that_remakes_it(saved: Path) -> None:
    (saved / "model.json").write_text('{"format": 1}')
    with pytest.raises(RunError, match=r"citytune tune FILE --horizon N --out RUN --overwrite`"):
        load(saved)


def test_a_later_format_asks_for_a_later_citytune(saved: Path) -> None:
    rewrite(saved, format=5)
    with pytest.raises(RunError, match="format 5, and this citytune reads 4; update citytune"):
        load(saved)


def test_a_model_saved_before_there_was_a_setting_takes_its_default(
    saved: Path, model: TunedModel
) -> None:
    facts = json.loads((saved / "model.json").read_text(encoding="utf-8"))
    del facts["settings"]["forget"]
    rewrite(saved, **facts)
    assert load(saved).settings == model.settings
    del facts["settings"]["horizon"]  # which has no default
    rewrite(saved, **facts)
    with pytest.raises(RunError, match=r"settings\.horizon: it is not there"):
        load(saved)


HEAD = "tuned.mixture.experts.10.head"
MISFITS = {
    "spec.context": [0, 48, "672", None, 2**70, 672.0, True, [672]],
    "spec.horizon": [0, -1, 13, 2**62, 1e300, "12"],
    "card": [[], None, {"name": "lags"}],
    "card.features": [1, 2**40, "many"],
    "settings.horizon": [24, "24h", None, {"steps": 24}],
    "settings.seed": [1.5, "7", None, [], 10**400],
    "settings.caution": [-1, "2", None, 1e999, {}],
    "settings.options": [[], None, {"stack": []}, {"stack": {}}, 3],
    "settings.rare": ["top 5%", 7, [], {"top": 0.05}, {"above": 1}],
    "settings.colour": ["red"],
    "sensors": [5, [], ["s0"], ["s0", 7], ["s0", "s0"], ["s0", "s1", "s2"], None],
    "clock": [None, [], {}],
    "clock.start": ["today", 5, None, "2024-01-01T00:00:00+00:00"],
    "clock.step": ["1h", 0, -3600, 1e300, None, 60.0],
    "clock.timezone": [5, "Mars/Olympus", "../../etc/passwd", ""],
    "quantity": [{"name": "x", "colour": "red"}, "pm2.5"],
    "quantity.low": ["0", 1e999, [0]],
    "trained_until": ["someday", 0, None, "NaT"],
    "covariates": ["wind", [None], None],
    "fallback": [None, "s0", [1]],
    "seconds": [None, [], {"fit": "long"}],
    "tuned": [None, [], {}],
    "tuned.windows": [1.5, None, "many"],
    "tuned.notes": ["text", [7], None],
    "tuned.fold_error": [None, "unknown", [], True],
    "tuned.tilt": [{}, [], 0, "none"],
    "tuned.intervals": [None, {}, []],
    "tuned.intervals.stretch": [None, "wide"],
    "tuned.intervals.conformal.steps_per_day": [23, 0, None],
    "tuned.intervals.conformal.scale": [None, [2, 23], [48], "2 x 24", [2.0, 24.0, 1.0]],
    "tuned.mixture": [None, [], {"experts": []}],
    "tuned.mixture.experts": [None, {}, [], ["days"], [{"kind": "seasonal"}]],
    "tuned.mixture.experts.0": [None, {}, {"kind": "os.system", "command": "true"}],
    "tuned.mixture.experts.0.kind": ["head", "", None, 3, "citytune.tuning.Mixture", []],
    "tuned.mixture.experts.0.rule": ["tomorrow", None, 5, "../days", "days"],
    "tuned.mixture.prior": ["plain", None, 7],
    "tuned.mixture.weights": [None, [], [1], [2, 2, 12], {"shape": [1]}],
    "tuned.mixture.trust": [None, [3], 1.0],
    f"{HEAD}": [None, {}, []],
    f"{HEAD}.penalty": [None, "large", [], {}],
    f"{HEAD}.view.basis": [[1, 1], None],
    f"{HEAD}.weights": [[1, 12], []],
}
CASES = [(path, value) for path, values in MISFITS.items() for value in values]


def put(facts: Any, path: str, value: Any) -> None:
    """Change what stands at a dotted path."""
    *parents, last = path.split(".")
    for name in parents:
        facts = facts[int(name)] if isinstance(facts, list) else facts[name]
    if isinstance(facts, list):
        facts[int(last)] = value
    else:
        facts[last] = value


@pytest.mark.parametrize(("path", "value"), CASES, ids=str)
def test_facts_that_do_not_fit_are_refused_and_placed(saved: Path, path: str, value: Any) -> None:
    facts = json.loads((saved / "model.json").read_text(encoding="utf-8"))
    put(facts, path, value)
    rewrite(saved, **facts)
    with pytest.raises(CitytuneError, match=r"model\.json: |backbone") as caught:
        load(saved)
    assert "\n" not in str(caught.value)


def test_the_place_inside_the_file_is_named(saved: Path) -> None:
    facts = json.loads((saved / "model.json").read_text(encoding="utf-8"))
    put(facts, "tuned.mixture.weights", [2, 2, 1])
    rewrite(saved, **facts)
    with pytest.raises(
        RunError, match=r"is damaged: model\.json: tuned\.mixture\.weights: its num"
    ):
        load(saved)


@pytest.mark.parametrize("seed", range(40))
def test_no_tampering_is_more_than_one_message(saved: Path, frame: SensorFrame, seed: int) -> None:
    """What a stranger who knows the seal may write: refused, or a model that still forecasts.

    It may warn that its sensors are called otherwise.
    """
    tamper_model(saved, np.random.default_rng(seed))
    with contextlib.suppress(CitytuneError), warnings.catch_warnings(action="ignore"):
        load(saved).forecast(frame)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"format": 4, "spec": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"format": 4, "a": ' * 900 + "1" + "}" * 900,
        '{"format": 4, "sha256": NaN}',
        '{"format": 4, "windows": 1' + "0" * 10_000 + "}",
    ],
    ids=["open", "deep", "objects", "NaN", "digits"],
)
def test_json_that_is_too_deep_or_too_long_is_damage(saved: Path, text: str) -> None:
    (saved / "model.json").write_text(text)
    with pytest.raises(RunError, match="is damaged"):
        load(saved)


@pytest.mark.parametrize("how", ["NaN", "shape", "type", "more", "less"])
def test_tensors_that_do_not_fit_are_refused_at_load(saved: Path, how: str) -> None:
    path, name = saved / "model.safetensors", "tuned.mixture.weights"
    tensors = unpack(path.read_bytes())
    part = tensors[name]
    changed = {
        "NaN": {name: part * torch.nan},
        "shape": {name: part[..., 1:].contiguous()},
        "type": {name: part.double()},
        "more": {"tuned.mixture.other": part.clone()},
    }
    found = tensors | changed.get(how, {})
    if how == "less":
        del found[name]
    path.write_bytes(pack(found))
    rewrite(saved)
    with pytest.raises(RunError, match=r"model\.json: tuned\.mixture\.(weights|other): "):
        load(saved)


def test_a_memory_that_does_not_fit_is_one_message(saved: Path, model: TunedModel) -> None:
    memory = model.recall()
    windows = memory.windows._replace(sensor=memory.windows.sensor.clone() + 0)
    fresh = _memory_file.pack_memory(
        replace(memory, windows=windows, first=memory.first[:1].repeat(3))
    )
    (saved / "memory.safetensors").write_bytes(fresh)
    rewrite(saved, memory=hashlib.sha256(fresh).hexdigest())
    with pytest.raises(RunError, match=r"memory\.safetensors is damaged: first: it has 3 of axis"):
        load(saved).recall()


def test_a_foreign_folder_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name, what in (("photos", r"holds no model\.json"), ("nowhere", "does not exist")):
        with pytest.raises(RunError, match=rf"not a run of citytune: it {what}"):
            load(tmp_path / name)


def test_a_backbone_nobody_knows_is_named(saved: Path) -> None:
    card = json.loads((saved / "model.json").read_text(encoding="utf-8"))["card"]
    rewrite(saved, card=card | {"name": "crystal-ball"})
    with pytest.raises(MissingWeights, match="backbone 'crystal-ball', which is not known here"):
        load(saved)


def test_a_model_tuned_from_other_weights_of_its_backbone_is_refused(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mixture, its head and its intervals are those of other forecasts."""
    card = json.loads((saved / "model.json").read_text(encoding="utf-8"))["card"]
    older, newer = ["a" * 64], ("b" * 64,)

    def load_beside(now: tuple[str, ...], then: list[str]) -> TunedModel:
        cards = shelf()
        cards["lags"] = replace(cards["lags"], sha256=now)
        monkeypatch.setattr(_store, "shelf", lambda: cards)
        rewrite(saved, card=card | {"sha256": then})
        return load(saved)

    with pytest.raises(RunError) as caught:
        load_beside(newer, older)
    said = str(caught.value)
    assert said.startswith("the model was tuned from other weights of backbone 'lags' than those")
    assert said.endswith("tune anew, or install the version of citytune it was tuned with")
    assert load_beside(newer, list(newer)).card.sha256 == newer
    for now, then in ((newer, []), ((), older)):  # where one is not known, nothing can be said
        assert load_beside(now, then).card.name == "lags"
