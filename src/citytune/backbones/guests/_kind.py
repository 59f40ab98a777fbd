"""A kind of guest: which folders of weights are of it, and how they are read and checked."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from citytune._errors import MissingWeights
from citytune.backbones._protocol import Backbone, Card
from citytune.backbones._shelf import Opener, open_places_with, register, shelf
from citytune.backbones._weights import check_file, find_weights

CONFIG, WEIGHTS, CHECKPOINT = "config.json", "model.safetensors", "model.ckpt"
FILES = (CONFIG, WEIGHTS)
Config: TypeAlias = dict[str, Any]
N = TypeVar("N", bound=nn.Module)
COMPARED = ("context", "horizon", "features", "levels")
"""What a card says and a config must agree with, unless only a config says it: see `OPEN`."""
OPEN: tuple[object, ...] = (0, ())
"""What stands in a card for what only the config of a release says."""


@dataclass(frozen=True)
class Kind:
    """How a family of networks is told from others, described and loaded."""

    name: str
    """Such as "chronos-2"."""
    fits: Callable[[Config], bool]
    """Whether a config.json is of one."""
    facts: Callable[[Config], dict[str, Any]]
    """What a config.json says of `Card`: context, horizon, features, levels."""
    make: Callable[[Card, Path], Backbone]
    """Loads one from its folder."""
    common: dict[str, Any]
    """What the cards of all of them say."""


_kinds: list[Kind] = []


def add_kind(kind: Kind, released: Sequence[Card] = ()) -> None:
    """Know a kind of guest, and put those that were released on the shelf.

    Whether a folder is of a kind is asked of the kinds that are known last first.
    """
    _kinds.insert(0, kind)
    for card in released:
        register(card, functools.partial(_load_released, kind, card))


def released(kind_facts: dict[str, Any], **facts: Any) -> Card:
    """The card of a model that was released on the Hugging Face hub."""
    hub, install = facts["hub"], kind_facts["get"]
    files = facts.get("files", FILES)
    repository, _, revision = hub.partition("@")
    fetch = f"run `hf download {repository} {' '.join(files)}"
    fetch += f" --revision {revision}`" if revision else "`"
    get = (
        f"{install + '; then ' if install else ''}{fetch}, or put these files into a "
        f"folder `{facts['name']}` inside a folder named by CITYTUNE_WEIGHTS."
    )
    return Card(**{**kind_facts, "files": files, "get": get, **facts})


def _load_released(kind: Kind, card: Card) -> Backbone:
    folder = next(iter(find_weights(card).values())).parent
    if not {CONFIG, CHECKPOINT} & set(card.files):
        return _made(kind, card, folder)
    config = read_config(folder)
    if not kind.fits(config):
        raise MissingWeights(f"the weights in {folder} are not of {card.name!r}: {card.get}")
    found = _facts(kind, folder, config)
    for name in COMPARED:
        if name in found and getattr(card, name) not in (*OPEN, found[name]):
            raise MissingWeights(
                f"the weights in {folder} are of another model than {card.name!r}: their {name} is "
                f"{found[name]}, and its is {getattr(card, name)}; name the folder itself as "
                f"backbone to use them, or {card.get}"
            )
    told = {name: found[name] for name in COMPARED if name in found}
    if not card.parameters:
        told["parameters"] = _count(folder)
    return _made(kind, replace(card, **told), folder)


def _facts(kind: Kind, folder: Path, config: Config) -> dict[str, Any]:
    try:
        return kind.facts(config)
    except MissingWeights:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise MissingWeights(
            f"what {folder} says of its network is not whole, or of another version of {kind.name} "
            f"({type(error).__name__}: {error}); get it anew"
        ) from error


def _made(kind: Kind, card: Card, folder: Path) -> Backbone:
    try:
        return kind.make(card, folder)
    except (ImportError, AttributeError, TypeError) as error:
        raise MissingWeights(
            f"backbone {card.name!r} does not work with the version of {card.packages[0]} that is "
            f"installed ({type(error).__name__}: {error}): {kind.common['get']}"
        ) from error


def read_config(folder: Path) -> Config:
    """What a folder says of its network: in a config.json, or in a checkpoint next to its weights.

    Raises:
        MissingWeights: it cannot be read.
    """
    if not (folder / CONFIG).is_file() and (folder / CHECKPOINT).is_file():
        return dict(read_checkpoint(folder)["hyper_parameters"])
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MissingWeights(f"{folder / CONFIG} cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """What a Lightning checkpoint holds: tensors and plain values; code in it is never run.

    Raises:
        MissingWeights: it cannot be read, or is no such checkpoint.
    """
    try:
        found = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
        return {"state_dict": found["state_dict"], "hyper_parameters": found["hyper_parameters"]}
    except Exception as error:
        raise MissingWeights(
            f"{folder / CHECKPOINT} cannot be read as a checkpoint ({type(error).__name__}); get "
            "it anew, as a whole"
        ) from error


def refuse_incomplete(folder: Path, wanted: Collection[str], tied: Sequence[str] = ()) -> None:
    """Raise `MissingWeights` unless a folder's file has every weight of a network.

    Args:
        folder: Where the file is.
        wanted: The names of the network's weights.
        tied: Patterns of those that are others under a second name, and need not be there.
    """
    lacking = set(wanted) - set(_shapes(folder / WEIGHTS))
    lacking = {name for name in lacking if not any(re.search(one, name) for one in tied)}
    if lacking:
        raise MissingWeights(
            f"{folder / WEIGHTS} lacks {len(lacking)} of the network's weights, such as "
            f"{min(lacking)}: it is of another model, or of another version of its package; get it "
            "anew"
        )


def load_plain(
    network: N,
    folder: Path,
    renamed: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None,
) -> N:
    """Fill a network of our own with the weights of a folder.

    Args:
        network: It.
        folder: Where their file is.
        renamed: Gives them the names that they have in the network, if they have others.

    Raises:
        MissingWeights: the file is cut short, or holds other weights than the network's.
    """
    if what := check_file(folder / WEIGHTS):
        raise MissingWeights(f"{folder / WEIGHTS} {what}; get it anew, as a whole")
    weights = load_file(folder / WEIGHTS)
    try:
        network.load_state_dict(renamed(weights) if renamed else weights)
    except RuntimeError as error:
        raise MissingWeights(
            f"{folder / WEIGHTS} has other weights than its config.json says: it is of another "
            "model, or of another version of it; get both anew"
        ) from error
    return network.to(torch.float32)


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import safe_open

    if path.name == CHECKPOINT:
        weights = read_checkpoint(path.parent)["state_dict"]
        return {name: tuple(weight.shape) for name, weight in weights.items()}
    if what := check_file(path):
        raise MissingWeights(f"{path} {what}; get it anew, as a whole")
    with safe_open(path, framework="pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def _takes(place: Path) -> bool:
    there = (place / CONFIG).is_file() or (place / CHECKPOINT).is_file()
    return there and not (place / "card.json").is_file()


def _open(place: Path, saved: Card | None) -> Card:
    """Put the guest in a folder on the shelf, under the name of the folder."""
    folder = place.expanduser().resolve()
    config = read_config(folder)
    kind = next((one for one in _kinds if one.fits(config)), None)
    if kind is None:
        known = ", ".join(one.name for one in _kinds)
        raise MissingWeights(
            f"{folder} is of no model that is known here ({known}); ask it through "
            "citytune.backbones.from_forecaster or from_torch"
        )
    card = _card_of(kind, folder, config)
    if saved is not None:
        card = replace(card, name=saved.name)
    known_card = shelf().get(card.name)
    if known_card is None or known_card.folders == card.folders:
        if known_card != card:
            register(card, functools.partial(_load_own, kind, card, folder), own=True)
        return card
    raise MissingWeights(
        f"{folder} would be the backbone {card.name!r}, and there is another of that name: rename "
        "the folder"
    )


def _card_of(kind: Kind, folder: Path, config: Config) -> Card:
    with _weights_in(folder).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    facts = {
        "name": folder.name,
        "title": f"{kind.common['title']}, from {folder.name}",
        "parameters": _count(folder),
        "sha256": (digest,),
        "folders": (str(folder),),
        "licence": kind.common["licence"] if kind.common.get("restricted") else "not stated",
        "trained_on": "what its maker knows",
        "source": str(folder),
    }
    return Card(**{**kind.common, **facts, **_facts(kind, folder, config)})


def _weights_in(folder: Path) -> Path:
    for name in (WEIGHTS, CHECKPOINT):
        if (folder / name).is_file():
            return folder / name
    raise MissingWeights(f"{folder} has no {WEIGHTS}, so its weights are not here; get them")


def _count(folder: Path) -> int:
    """How many weights the file of a folder holds."""
    return sum(math.prod(shape) for shape in _shapes(_weights_in(folder)).values())


def _load_own(kind: Kind, card: Card, folder: Path) -> Backbone:
    return _made(kind, card, folder)


open_places_with(Opener(_takes, _open))
