"""Write a tuned model to a folder and read it back: safetensors and JSON, never pickle."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from citytune._errors import InputError, MissingWeights, RunError
from citytune.backbones import Card, shelf
from citytune.backbones._shelf import name_of
from citytune.forecasting._model import TunedModel
from citytune.forecasting._remembering import FILE as MEMORY
from citytune.forecasting._remembering import MemoryFile
from citytune.forecasting._remembering import pack as pack_memory
from citytune.frame import Clock, Quantity
from citytune.settings import Rare, Settings
from citytune.tuning import (
    Conformal,
    FineTuned,
    Head,
    Intervals,
    KnownAhead,
    Mixture,
    Projection,
    Tilt,
    Tuned,
    Usual,
)
from citytune.windows import Rarity, WindowSpec

FORMAT = 2
FACTS, TENSORS = "model.json", "model.safetensors"


def save(model: TunedModel, folder: Path) -> Path:
    """Write `model` beside `folder`, then put it in its place; until then the old one stands."""
    _check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fresh, old = draft / "fresh", draft / "old"
        fresh.mkdir()
        _write(model, fresh)
        if folder.exists():
            folder.rename(old)
        try:
            fresh.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def load(folder: str | Path) -> TunedModel:
    """Read a model written by `TunedModel.save`, or the one in a run folder.

    Raises:
        RunError: the folder is not a saved model, or it is damaged, or of a later version.
    """
    place = Path(folder)
    inner = place / "model"
    place = inner if (inner / FACTS).is_file() else place
    if not (place / FACTS).is_file():
        what = "is not a folder" if not place.is_dir() else f"holds no {FACTS}"
        raise RunError(
            f"{folder} is not a run of citytune: it {what}; name a folder made by `tune`"
        )
    try:
        facts = json.loads((place / FACTS).read_text(encoding="utf-8"))
        version = facts["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, f"{FACTS} cannot be read ({error})") from error
    if version != FORMAT:
        raise RunError(
            f"{folder} was written in format {version!r}, and this citytune reads {FORMAT}; "
            "update citytune, or tune anew"
        )
    try:
        found = _model(facts, _tensors(folder, place / TENSORS, facts))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise _damaged(folder, f"{FACTS} lacks or garbles {error}") from error
    sealed = facts.get("memory")
    return dataclasses.replace(
        found, memory=None if sealed is None else MemoryFile(place / MEMORY, sealed)
    )


def _damaged(folder: str | Path, what: str) -> RunError:
    return RunError(f"{folder} is damaged: {what}; tune anew, or restore it from a copy")


def _check_free(folder: Path) -> None:
    """Refuse a place where something is that `save` did not write."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RunError(f"{folder} is a file, so it is left alone; name another folder")
    if strange := sorted({path.name for path in folder.iterdir()} - {FACTS, TENSORS, MEMORY}):
        raise RunError(
            f"{folder} holds what is not of a saved model ({', '.join(strange[:5])}), so it is "
            "left alone; name another folder"
        )


def _write(model: TunedModel, folder: Path) -> None:
    from safetensors.torch import save as pack

    packed = pack({name: value.contiguous() for name, value in _parts(model.tuned).items()})
    facts = _facts(model)
    if model.memory is not None:
        kept = pack_memory(model.recall())
        facts["memory"] = hashlib.sha256(kept).hexdigest()
        (folder / MEMORY).write_bytes(kept)
    facts["sha256"] = _seal(facts, packed)
    (folder / TENSORS).write_bytes(packed)
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    (folder / FACTS).write_text(text + "\n", encoding="utf-8")


def _seal(facts: dict[str, Any], packed: bytes) -> str:
    """SHA-256 of both files' content, whatever the order and spacing of the JSON."""
    said = {name: value for name, value in facts.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode() + packed).hexdigest()


def _parts(tuned: Tuned) -> dict[str, Tensor]:
    found = {
        "weights": tuned.mixture.weights,
        "conformal.scale": tuned.intervals.conformal.scale,
        "conformal.errors": tuned.intervals.conformal.errors,
    }
    if (head := tuned.mixture.head) is not None:
        found |= _head_parts("head", head)
    if (moved := tuned.mixture.moved) is not None:
        found |= {f"moved.values.{name}": value for name, value in moved.values.items()}
        for name, (b, a) in moved.low_rank.items():
            found |= {f"moved.b.{name}": b, f"moved.a.{name}": a}
        found |= {} if moved.head is None else _head_parts("moved.head", moved.head)
    if (known := tuned.mixture.known) is not None:
        found |= {
            "known.weights": known.weights,
            "known.spread": known.spread,
            "known.usual.level": known.usual.level,
            "known.usual.spread": known.usual.spread,
        }
    if tuned.tilt is not None:
        found |= {
            "tilt.edges": tuned.tilt.rarity.edges,
            "tilt.odds": tuned.tilt.rarity.odds,
        }
    return found


def _head_parts(name: str, head: Head) -> dict[str, Tensor]:
    return {
        f"{name}.weights": head.weights,
        f"{name}.centre": head.view.centre,
        f"{name}.basis": head.view.basis,
    }


def _facts(model: TunedModel) -> dict[str, Any]:
    mixture, tuned = model.tuned.mixture, model.tuned
    return {
        "format": FORMAT,
        "settings": _settings_facts(model.settings),
        "spec": dataclasses.asdict(model.spec),
        "card": dataclasses.asdict(model.card),
        "sensors": list(model.sensors),
        "clock": {
            "start": model.clock.start.isoformat(),
            "step_seconds": model.clock.step.total_seconds(),
            "timezone": model.clock.timezone,
        },
        "quantity": dataclasses.asdict(model.quantity),
        "country": model.country,
        "trained_until": str(model.trained_until.astype("datetime64[us]")),
        "covariates": list(model.covariates),
        "fallback": list(model.fallback),
        "seconds": dict(model.seconds),
        "tilt": _tilt_facts(tuned.tilt),
        "experts": list(mixture.experts),
        "prior": mixture.prior,
        "trust": mixture.trust.tolist(),
        "intervals": {"stretch": tuned.intervals.stretch, "trust": tuned.intervals.trust},
        "penalty": _penalty(mixture.head),
        "known_penalty": _penalty(mixture.known),
        "moved": None if mixture.moved is None else mixture.moved.lens,
        "moved_penalty": None if mixture.moved is None else _penalty(mixture.moved.head),
        "notes": list(tuned.notes),
        "fold_error": tuned.fold_error if np.isfinite(tuned.fold_error) else None,
        "windows": tuned.windows,
    }


def _settings_facts(settings: Settings) -> dict[str, Any]:
    rare = settings.rarity
    plain = {one.name: getattr(settings, one.name) for one in dataclasses.fields(settings)}
    return plain | {"rare": None if rare is None else dataclasses.asdict(rare)}


def _penalty(part: Head | KnownAhead | None) -> float | None:
    """λ for JSON: None without a part, or where it says nothing (λ is infinite)."""
    return part.penalty if part is not None and np.isfinite(part.penalty) else None


def _tilt_facts(tilt: Tilt | None) -> dict[str, float | None] | None:
    if tilt is None:
        return None
    found = {"power": tilt.power, "cost": tilt.cost, "gain": tilt.gain}
    return {name: value if np.isfinite(value) else None for name, value in found.items()}


def _tensors(folder: str | Path, path: Path, facts: dict[str, Any]) -> dict[str, Tensor]:
    from safetensors.torch import load as unpack

    if not path.is_file():
        raise _damaged(folder, f"{TENSORS} is not there")
    packed = path.read_bytes()
    if _seal(facts, packed) != facts["sha256"]:
        raise _damaged(folder, f"{TENSORS} or {FACTS} is no longer what was written")
    return unpack(packed)


def _model(facts: dict[str, Any], tensors: dict[str, Tensor]) -> TunedModel:
    clock = facts["clock"]
    return TunedModel(
        spec=WindowSpec(**facts["spec"]),
        card=_card(facts["card"]),
        settings=Settings(**facts["settings"] | {"rare": Rare.load(facts["settings"]["rare"])}),
        sensors=tuple(facts["sensors"]),
        clock=Clock(
            dt.datetime.fromisoformat(clock["start"]),
            dt.timedelta(seconds=clock["step_seconds"]),
            clock["timezone"],
        ),
        quantity=Quantity(**facts["quantity"]),
        country=facts["country"],
        trained_until=np.datetime64(facts["trained_until"]),
        tuned=_tuned(facts, tensors),
        covariates=tuple(facts["covariates"]),
        fallback=tuple(facts["fallback"]),
        seconds=facts["seconds"],
    )


def _card(facts: dict[str, Any]) -> Card:
    """The card as it was saved, if its backbone is still known and its weights are the same."""
    lists = {name: tuple(value) for name, value in facts.items() if isinstance(value, list)}
    card = Card(**(facts | lists))
    own = [folder for folder in map(Path, card.folders) if folder.is_absolute()]
    if card.name not in shelf():
        _bring(card, own)
    now = shelf()[card.name].sha256
    if card.sha256 != now and (own or (card.sha256 and now)):
        raise _other_weights(card, own)
    return card


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
    """Put a backbone that was made by `citytune pretrain` on the shelf again."""
    if not own:
        raise MissingWeights(
            f"the model was tuned from backbone {card.name!r}, which is not known here; "
            "install the package that brings it"
        )
    if not own[0].is_dir():
        raise MissingWeights(
            f"the model was tuned from backbone {card.name!r} in {own[0]}, which is not there any "
            "more; bring that folder back, or tune anew from another backbone"
        )
    if (found := name_of(str(own[0]))) != card.name:
        raise MissingWeights(
            f"the model was tuned from backbone {card.name!r} in {own[0]}, which now holds "
            f"{found!r}; bring that folder back, or tune anew"
        )


def _dial(penalty: float | None) -> float:
    return float("inf") if penalty is None else penalty


def _tuned(facts: dict[str, Any], tensors: dict[str, Tensor]) -> Tuned:
    head = _head("head", facts["penalty"], tensors)
    steps_per_day = Clock(
        dt.datetime(2000, 1, 1), dt.timedelta(seconds=facts["clock"]["step_seconds"])
    ).steps_per_day
    conformal = Conformal(
        tensors["conformal.scale"],
        tensors["conformal.errors"],
        steps_per_day,
        facts["spec"]["horizon"],
    )
    known = None
    if "known.weights" in tensors:
        usual = Usual(tensors["known.usual.level"], tensors["known.usual.spread"])
        penalty = _dial(facts["known_penalty"])
        known = KnownAhead(usual, tensors["known.spread"], tensors["known.weights"], penalty)
    experts = tuple(facts["experts"])
    parts = head, known, _moved(facts, tensors), _trust(facts["trust"])
    mixture = Mixture(experts, tensors["weights"], facts["prior"], *parts)
    tilt = None
    if "tilt.edges" in tensors:
        rarity = Rarity(tensors["tilt.edges"], tensors["tilt.odds"])
        tilt = Tilt(rarity, **{n: _number(value) for n, value in facts["tilt"].items()})
    return Tuned(
        mixture,
        # A model saved before has the intervals of its past errors.
        Intervals(conformal, **facts.get("intervals", {})),
        _number(facts["fold_error"]),
        facts["windows"],
        notes=tuple(facts["notes"]),
        tilt=tilt,
    )


def _trust(share: float | list[float]) -> Tensor:
    """(sensor,); models of older formats have one number for all sensors."""
    return torch.tensor(share if isinstance(share, list) else [share])


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _head(name: str, penalty: float | None, tensors: dict[str, Tensor]) -> Head | None:
    if f"{name}.weights" not in tensors:
        return None
    view = Projection(tensors[f"{name}.centre"], tensors[f"{name}.basis"])
    return Head(view, tensors[f"{name}.weights"], _dial(penalty))


def _moved(facts: dict[str, Any], tensors: dict[str, Tensor]) -> FineTuned | None:
    if facts["moved"] is None:
        return None

    def named(kind: str) -> dict[str, Tensor]:
        start = f"moved.{kind}."
        return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}

    low, high = named("b"), named("a")
    low_rank = {name: (low[name], high[name]) for name in low}
    head = _head("moved.head", facts["moved_penalty"], tensors)
    return FineTuned(facts["moved"], named("values"), low_rank, head)
