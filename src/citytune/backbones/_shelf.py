"""The shelf of backbones: which there are, which are at hand, and how to get the others."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import NamedTuple

from citytune._errors import InputError, MissingWeights
from citytune._registry import Registry
from citytune.backbones._device import placed
from citytune.backbones._families import refuse_family
from citytune.backbones._protocol import Backbone, Card
from citytune.backbones._weights import find_weights

GROUP = "citytune.backbones"
"""Entry points of this group are functions without arguments that call `register`."""

_backbones: Registry[Backbone] = Registry("backbone")
_cards: dict[str, Card] = {}
_checks: dict[str, Callable[[], None]] = {}
_own: set[str] = set()
_openers: list[Opener] = []


class Opener(NamedTuple):
    """What takes a file or folder that is named in place of a backbone."""

    takes: Callable[[Path], bool]
    """Whether the place is for it."""
    open: Callable[[Path, Card | None], Card]
    """Puts on the shelf what the place holds; by a card that was saved of it, if there is one."""


def register(
    card: Card,
    factory: Callable[[], Backbone],
    *,
    check: Callable[[], None] | None = None,
    own: bool = False,
) -> None:
    """Put a backbone on the shelf; the factory is called on first use, once per process.

    Args:
        card: Describes it; `card.packages` and `card.files` are looked for before `factory` runs.
        factory: Makes the backbone, frozen and in evaluation mode. Slow imports belong here.
        check: Raises `MissingWeights` where looking for packages and files does not tell enough.
        own: Whether it is a person's own, made in this program, and takes the place of another one
            of theirs with that name.
    """
    if own and card.name in _own:
        _backbones.drop(card.name)
        _make.cache_clear()
    _backbones.add(card.name, factory)
    if own:
        _own.add(card.name)
    _cards[card.name] = card
    if check is not None:
        _checks[card.name] = check


def open_places_with(opener: Opener) -> None:
    """Let `opener` put on the shelf what a file or folder named in place of a backbone holds."""
    _openers.insert(0, opener)


def shelf() -> dict[str, Card]:
    """Every backbone's card by name, at hand or not.

    Those that adapt to the clock come first, and among them those that can forecast zero-shot.
    """
    _load_plugins()
    return dict(sorted(_cards.items(), key=lambda item: _order(item[1])))


def _order(card: Card) -> tuple[bool, bool, str]:
    return card.context_days is None, card.horizon is None, card.name


def load_backbone(name: str) -> Backbone:
    """The pretrained model called `name`, frozen; made once per process and shared.

    A folder that `citytune pretrain` wrote, a folder of weights of a kind that is known, or a file
    such as `model.onnx` may be named by its path. A strategy that moves the weights works on a
    `copy.deepcopy`.

    Raises:
        UnknownName: nobody knows it; the nearest name is suggested.
        InputError: it is the name of a family, whose members are listed.
        MissingWeights: its weights or its package are not here; one sentence says how to get them.

    >>> load_backbone("lags").card.features
    309
    """
    _load_plugins()
    refuse_family(name)
    return _make(name_of(name))


def name_of(name: str, card: Card | None = None) -> str:
    """The name on the shelf of a backbone named by its name, its folder or its file.

    Args:
        name: Of one of them.
        card: What was saved of it, if it was.

    Raises:
        InputError: it is a file of no kind that is known.
        MissingWeights: it is the path of a file or folder that is not there.
    """
    place = Path(name).expanduser()
    if name in shelf():
        return name
    is_path = len(place.parts) > 1 or any(opener.takes(place) for opener in _openers)
    if is_path and not place.exists():
        raise MissingWeights(f"there is no file or folder {name!r}, nor a backbone of that name")
    if not (place.is_dir() or (place.is_file() and place.suffix)):
        return name
    for opener in _openers:
        if opener.takes(place):
            return opener.open(place, card).name
    if place.is_file():
        raise InputError(
            f"{place} is no file that can be opened as a backbone: name one of Keras (.keras, "
            ".h5), ONNX (.onnx) or TF-Lite (.tflite), or a folder of weights. A pickle "
            "(.pkl, .pt, .pth) is code, and never opened: read it yourself, and give the network "
            "to citytune.backbones.from_torch"
        )
    return name


def at_hand() -> list[str]:
    """Names of the backbones that can be used now, without the internet."""
    lacking = missing()
    return [name for name in shelf() if name not in lacking]


def missing() -> dict[str, str]:
    """Name → why it cannot be used now and how to get it, for every backbone not at hand."""
    found = ((name, _lacks(card)) for name, card in shelf().items())
    return {name: why for name, why in found if why}


@functools.cache
def _make(name: str) -> Backbone:
    if name in _cards:
        _require(_cards[name], download=True)
    return placed(_backbones.make(name))


def require(name: str) -> None:
    """Raise `MissingWeights` unless the weights and packages of a backbone are here."""
    _require(_cards[name], download=True)


def _require(card: Card, *, download: bool) -> None:
    find_weights(card, download=download)
    if card.name in _checks:
        _checks[card.name]()


def _lacks(card: Card) -> str:
    try:
        _require(card, download=False)
    except MissingWeights as error:
        return str(error)
    return ""


@functools.cache
def _load_plugins() -> None:
    for point in entry_points(group=GROUP):
        _load_plugin(point)


def _load_plugin(point: EntryPoint) -> None:
    try:
        point.load()()
    except Exception as error:  # noqa: BLE001 - a stranger's fault must not cost the person theirs
        warnings.warn(
            f"the plug-in {point.name!r} ({point.value}) of {GROUP} is left out: "
            f"{type(error).__name__}: {error}",
            stacklevel=2,
        )
