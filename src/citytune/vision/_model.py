"""A tuned model of pictures: what it answers, how sure it is, where it looks; saved and read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from citytune._errors import InputError, RunError
from citytune._files import locked, names_in, replacing_folder
from citytune._text import capital, percent
from citytune.backbones import Eye, eye_of
from citytune.forecasting import Builder, Misfit, parse, take_apart, within
from citytune.tuning import Conformal, Head
from citytune.vision._features import enlarged, features_of, maps_of
from citytune.vision._frame import PictureFrame
from citytune.vision._learn import quantiles
from citytune.vision._read import read_pictures
from citytune.vision._readings import Readings, readings
from citytune.vision._scores import VisionScores
from citytune.vision._target import Target
from citytune.vision._usual import Usual

FORMAT = 1
FACTS, TENSORS = "pictures.json", "pictures.safetensors"


@dataclass(frozen=True)
class Network:
    """Which network sees the pictures."""

    name: str
    own: bool
    pixels: int
    digest: str
    """SHA-256 of its weights as pretrained."""


@dataclass(frozen=True, eq=False)
class VisionModel:
    """Made by `tune_vision`."""

    target: Target
    network: Network
    strategy: str
    usual: Usual
    """What needs no picture."""
    head: Head
    """The new last layer."""
    scale: float
    share: float
    """How far the picture is followed away from the usual, 0 … 1."""
    intervals: Conformal | None
    """None of classes, whose chances say how sure it is."""
    moved: Mapping[str, Tensor]
    """Weights of the network that were fine-tuned."""
    scores: VisionScores
    notes: tuple[str, ...] = ()
    eye: Eye | None = field(default=None, metadata={"saved": False}, repr=False)

    def __repr__(self) -> str:
        return f"VisionModel({self.target.name!r}, {self.network.name}, {self.strategy})"

    def words(self) -> str:
        """How good it is, what the gate decided, and what to know, in sentences."""
        return " ".join(self.sentences())

    def sentences(self) -> list[str]:
        """The same, one by one."""
        scores = self.scores
        said = [scores.sentence(), scores.leakage(), scores.coverage(), self.gated()]
        return [*filter(None, said), *(f"{capital(one)}." for one in self.notes)]

    def gated(self) -> str:
        """What the gate decided, in words; empty if the picture is followed all the way."""
        usual = "the mean" if self.usual.kind == "mean" else "the camera's hour mean"
        if self.share == 0:
            return f"The pictures did not help reliably on groups left out, so it answers {usual}."
        if self.share > 0.995:
            return ""
        return (
            f"The pictures helped on some groups only, so it goes {percent(self.share)} of the way "
            f"from {usual} to what the network says."
        )

    def predict(self, pictures: Any) -> Readings:
        """What is on pictures, and how sure that is.

        Args:
            pictures: A `PictureFrame`, or what `read_pictures` takes; broken pictures are then
                left out and named in the notes, which also say if the gate holds it back.
        """
        frame = frame_of(pictures)
        answers = self.answers(frame)
        levels = None if self.intervals is None else quantiles(self.target, self.intervals, answers)
        found, gated = readings(frame, self.target, answers, levels), self.gated()
        return replace(found, notes=(*found.notes, gated.rstrip("."))) if gated else found

    def answers(self, frame: PictureFrame) -> Tensor:
        """(picture, label) in the unit of the data; chances of classes."""
        hours = frame.hours()
        usual = self.usual.answer(frame.places, None if hours is None else torch.from_numpy(hours))
        base = self.target.linked(usual)
        if self.share == 0:  # the network would be asked for nothing
            return self.target.back(base)
        seen = features_of(self.loaded(), frame.pictures)
        return self.target.back(base + self.share * self.scale * self.head.residual(seen).double())

    def looked_at(self, pictures: Any) -> Tensor:
        """(picture, row, column) what each part of each picture adds to the answer.

        Of classes, to the chance of the one that is answered. What a part adds is compared with the
        usual picture; the mean of all parts is the difference from the usual answer.
        """
        frame = frame_of(pictures)
        eye, view = self.loaded(), self.head.view
        label = self.answers(frame).argmax(1)
        layer = self.scale * self.share * (view.basis @ self.head.weights[:-1])
        maps = maps_of(eye, frame.pictures, view.centre, layer.T[label])
        return enlarged(maps, eye.pixels)

    def loaded(self) -> Eye:
        """The network."""
        assert self.eye is not None, "it was made or read with its network"
        return self.eye

    def save(self, folder: str | Path) -> Path:
        """Write it to a folder: JSON and safetensors; whole or not at all."""
        place = Path(folder)
        with locked(place), replacing_folder(place, partial(_check_free, place)) as draft:
            self.write_into(draft)
        return place

    def write_into(self, folder: Path) -> None:
        """Write its two files."""
        from safetensors.torch import save as pack

        facts, tensors = take_apart(self, {})
        packed = pack(tensors)
        facts = {"format": FORMAT, **facts}
        facts["sha256"] = _seal(facts, packed)
        (folder / TENSORS).write_bytes(packed)
        text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / FACTS).write_text(text + "\n", encoding="utf-8")


def load_vision(folder: str | Path, *, backbone: Any = None) -> VisionModel:
    """Read a model of pictures that `VisionModel.save` or `citytune tune-pictures` wrote.

    Args:
        folder: Where it is.
        backbone: The network, if it was an object of your own rather than a name or a file.

    Raises:
        RunError: the folder is none, or damaged.
        MissingWeights: the network's weights are not here.
        InputError: the network is another one.
    """
    place = Path(folder)
    place = place / "model" if (place / "model" / FACTS).is_file() else place
    if not (place / FACTS).is_file():
        raise RunError(
            f"{folder} holds no model of pictures; name a folder made by `citytune tune-pictures`"
        )
    try:
        model = _read(place)
    except Misfit as error:
        raise RunError(f"{folder} is damaged: {error}; tune anew, or restore it") from error
    if model.network.own and backbone is None:
        raise InputError(
            f"the model sees through a network of your own, {model.network.name!r}: give it as "
            "backbone="
        )
    eye = eye_of(backbone if model.network.own else model.network.name, model.network.pixels)
    if eye.digest() != model.network.digest:
        raise InputError(
            f"the network {model.network.name!r} here has other weights than the one that the "
            f"model in {folder} was tuned from; bring that back, or tune anew"
        )
    if unknown := eye.put(model.moved):
        raise RunError(f"{folder} is damaged: its network has no weights {unknown[:3]}")
    object.__setattr__(model, "eye", eye)
    return model


def frame_of(pictures: Any) -> PictureFrame:
    """A frame as it is; anything else as `read_pictures` takes it, without labels."""
    if isinstance(pictures, PictureFrame):
        return pictures
    return read_pictures(pictures, broken="skip")


def _read(place: Path) -> VisionModel:
    from safetensors.torch import load as unpack

    with within(FACTS):
        facts = parse((place / FACTS).read_bytes())
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise Misfit("format", f"this citytune reads {FORMAT}; update it, or tune anew")
    if not (place / TENSORS).is_file():
        raise Misfit("", f"{TENSORS} is not there")
    packed = (place / TENSORS).read_bytes()
    if _seal(facts, packed) != facts.get("sha256"):
        raise Misfit("", f"{TENSORS} or {FACTS} is no longer what was written")
    own = {name: value for name, value in facts.items() if name not in ("format", "sha256")}
    with within(FACTS):
        model: VisionModel = Builder(unpack(packed), {}, {}).whole(VisionModel, own)
    return model


def _seal(facts: dict[str, Any], packed: bytes) -> str:
    sealed = {name: value for name, value in facts.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(sealed, sort_keys=True).encode() + packed).hexdigest()


def _check_free(folder: Path, held: Path) -> None:
    if not held.is_dir() or names_in(held) - {FACTS, TENSORS}:
        raise RunError(f"{folder} holds something else, so it is left alone; name another folder")
