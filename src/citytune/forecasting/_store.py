"""Write a tuned model to a folder and read it back: safetensors and JSON, never pickle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np
from torch import Tensor

from citytune._errors import MissingWeights, RunError
from citytune._files import leave_no_drafts, locked, names_in, replacing_folder
from citytune.backbones import LEVELS, Card, name_of, shelf
from citytune.forecasting._memory_file import MEMORY, MemoryFile, pack_memory, unpack
from citytune.forecasting._structure import Builder, Misfit, Open, parse, take_apart, within
from citytune.frame import Clock
from citytune.settings import Rare
from citytune.tuning import COVARIATES, Expert, bands, experts, fine_bands, near_bands, slots
from citytune.windows import WindowSpec

if TYPE_CHECKING:
    from citytune.forecasting._model import TunedModel

FORMAT = 4
FACTS, TENSORS = "model.json", "model.safetensors"
OWN = ("format", "memory", "sha256")
"""Facts of the file itself; all others are fields of the model."""
OPEN: Open = {Expert: experts}
STRUCTURE = ("name", "context", "context_days", "most_steps", "horizon", "features")
"""What of a card decides how its backbone is asked."""


def save(model: TunedModel, folder: Path) -> Path:
    """Write `model` next to `folder`, then put it in its place; until then the old one stands."""
    leave_no_drafts(folder.resolve().parent)
    with locked(folder), replacing_folder(folder, partial(_check_free, folder)) as draft:
        _write(model, draft)
    return folder


def read(folder: str | Path, kind: type[TunedModel]) -> TunedModel:
    """See `load`, which says what kind of model is meant."""
    place = Path(folder)
    inner = place / "model"
    place = inner if (inner / FACTS).is_file() else place
    if not (place / FACTS).is_file():
        what = f"holds no {FACTS}" if place.is_dir() else "is not a folder"
        what = what if place.exists() else "does not exist"
        raise RunError(
            f"{folder} is not a run of citytune: it {what}; name a folder made by `tune`"
        )
    try:
        return _read(place, kind)
    except Misfit as error:
        raise RunError(
            f"{folder} is damaged: {error}; tune anew, or restore it from a copy"
        ) from error


def _read(place: Path, kind: type[TunedModel]) -> TunedModel:
    facts = _parsed(place)
    tensors = _tensors(place / TENSORS, facts)
    own = {name: facts.pop(name, None) for name in OWN}
    with within(FACTS):
        model = _model(facts, tensors, kind)
    if own["memory"] is None:
        return model
    sizes = _sizes(model.spec, model.card, model.clock, model.sensors)
    memory = MemoryFile(place / MEMORY, str(own["memory"]), sizes)
    return dataclasses.replace(model, memory=memory)


def _parsed(place: Path) -> dict[str, Any]:
    """What the JSON holds, if it is of this format."""
    with within(FACTS):
        facts = parse((place / FACTS).read_bytes())
        version = facts.get("format") if isinstance(facts, dict) else None
        if type(version) is not int:
            raise Misfit("", "it is not of a saved model")
    if version > FORMAT:
        raise RunError(
            f"{place} was written in format {version}, and this citytune reads {FORMAT}; update "
            "citytune, or tune anew"
        )
    if version < FORMAT:
        raise RunError(
            f"{place} was written in format {version} by an earlier citytune, and this one reads "
            f"{FORMAT}; make it again with `citytune tune FILE --horizon N --out RUN --overwrite`"
        )
    return dict(facts)


def _check_free(folder: Path, held: Path) -> None:
    """Refuse a place where something is that `save` did not write."""
    if not held.is_dir():
        raise RunError(f"{folder} is a file, so it is left alone; name another folder")
    if strange := sorted(names_in(held) - {FACTS, TENSORS, MEMORY}):
        raise RunError(
            f"{folder} holds what is not of a saved model ({', '.join(strange[:5])}), so it is "
            "left alone; name another folder"
        )


def _write(model: TunedModel, folder: Path) -> None:
    from safetensors.torch import save as pack

    found, tensors = take_apart(model, OPEN)
    facts: dict[str, Any] = {"format": FORMAT, **found}
    packed = pack(tensors)
    if model.memory is not None:
        kept = pack_memory(model.recall())
        facts["memory"] = hashlib.sha256(kept).hexdigest()
        (folder / MEMORY).write_bytes(kept)
    facts["sha256"] = _seal(facts, packed)
    (folder / TENSORS).write_bytes(packed)
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / FACTS).write_text(text + "\n", encoding="utf-8")


def _seal(facts: dict[str, Any], packed: bytes) -> str:
    """SHA-256 of both files' content, whatever the order and spacing of the JSON.

    It tells damage, and files of two models mixed up. It does not protect from somebody who writes
    another one: whoever may change the files may compute it anew.
    """
    sealed = {name: value for name, value in facts.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(sealed, sort_keys=True).encode() + packed).hexdigest()


def _tensors(path: Path, facts: dict[str, Any]) -> dict[str, Tensor]:
    if not path.is_file():
        raise Misfit("", f"{TENSORS} is not there")
    packed = path.read_bytes()
    try:
        whole = _seal(facts, packed) == facts.get("sha256")
    except RecursionError as error:
        raise Misfit(FACTS, "it is nested too deep") from error
    if not whole:
        raise Misfit("", f"{TENSORS} or {FACTS} is no longer what was written")
    with within(TENSORS):
        return unpack(packed)[0]


def _model(facts: dict[str, Any], tensors: dict[str, Tensor], kind: type[TunedModel]) -> TunedModel:
    """The model, all of whose parts fit each other."""
    hints, alone = get_type_hints(kind), Builder({}, OPEN, {})
    names = ("spec", "card", "clock", "sensors", "covariates")
    known = {name: alone.make(hints[name], facts.get(name), name) for name in names}
    _check_backbone(known["card"])
    builder = Builder(tensors, OPEN, _sizes(**known))
    model: TunedModel = builder.whole(kind, facts)
    for path, wrong in _faults(model):
        raise Misfit(path, wrong)
    return model


def _sizes(
    spec: WindowSpec,
    card: Card,
    clock: Clock,
    sensors: tuple[str, ...],
    covariates: tuple[str, ...] = (),
) -> dict[str, int]:
    """Name of an axis → its length."""
    found = {
        "sensor": len(sensors),
        "horizon": spec.horizon,
        "band": len(bands(spec.horizon)),
        "fine band": len(fine_bands(spec.horizon)),
        "near band": len(near_bands(spec.horizon)),
        "slot": slots(clock.steps_per_day),
        "level": len(LEVELS),
        "feature": card.features,
    }
    return found | ({"covariate": len(covariates)} if covariates else {})


def _faults(model: TunedModel) -> Iterator[tuple[str, str]]:
    """Where and how parts of a model do not fit each other."""
    if len(set(model.sensors)) != len(model.sensors) or not model.sensors:
        yield "sensors", "their names are not one for each"
    if model.settings.horizon != model.spec.horizon:
        yield "settings.horizon", f"it is not that of the windows, {model.spec.horizon}"
    if not isinstance(model.settings.rare, Rare | None):
        yield "settings.rare", "it is not what was made of the words"
    if model.spec.context != model.card.context_at(model.clock.steps_per_day):
        yield "spec.context", "it is not that of the backbone on this clock"
    if model.tuned.intervals.conformal.steps_per_day != model.clock.steps_per_day:
        yield "tuned.intervals.conformal.steps_per_day", "it is not that of the clock"
    if np.isnat(model.trained_until):
        yield "trained_until", "it is no time"
    try:
        model.clock.text(0)
    except (LookupError, ValueError, ArithmeticError) as error:
        yield "clock.timezone", str(error)
    mixture = model.tuned.mixture
    if mixture.uses(COVARIATES) and not model.covariates:
        yield "covariates", "the experts look at some, and none are named"
    for i, expert in enumerate(mixture.experts):
        if why := expert.unfit(lambda: model.backbone):
            yield f"tuned.mixture.experts.{i}", why


def _check_backbone(card: Card) -> None:
    """Raise unless the backbone is still known, and its weights are the same."""
    own = [folder for folder in map(Path, card.folders) if folder.is_absolute()]
    if card.name not in shelf():
        _bring(card, own)
    now = shelf()[card.name]
    same = all(getattr(now, name) in (0, getattr(card, name)) for name in STRUCTURE)  # 0: not known
    if not same or (card.sha256 != now.sha256 and (own or (card.sha256 and now.sha256))):
        raise _other_weights(card, own)


def _other_weights(card: Card, own: list[Path]) -> RunError:
    if own:
        return RunError(
            f"the model was tuned from other weights of backbone {card.name!r} than those in "
            f"{own[0]} now; bring those back, or tune anew"
        )
    return RunError(
        f"the model was tuned from other weights of backbone {card.name!r} than those of this "
        "citytune; tune anew, or install the version of citytune it was tuned with"
    )


def _bring(card: Card, own: list[Path]) -> None:
    """Put a backbone that stands in a folder or file of its own on the shelf again."""
    if not own:
        raise MissingWeights(
            f"the model was tuned from backbone {card.name!r}, which is not known here; "
            f"{card.get or 'install the package that brings it'}"
        )
    if not own[0].exists():
        raise MissingWeights(
            f"the model was tuned from backbone {card.name!r} in {own[0]}, which is not there any "
            "more; bring it back, or tune anew from another backbone"
        )
    if (found := name_of(str(own[0]), card)) != card.name:
        raise MissingWeights(
            f"the model was tuned from backbone {card.name!r} in {own[0]}, which now holds "
            f"{found!r}; bring that back, or tune anew"
        )
