"""`citytune-base`: our own network, pretrained on open series of many cities, in the package."""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d

from citytune._errors import MissingWeights
from citytune.backbones._network import ask, frozen, in_chunks
from citytune.backbones._protocol import Card, Past
from citytune.backbones._shelf import Opener, open_places_with, register, shelf
from citytune.backbones._weights import check_file
from citytune.backbones.city._input import CityInput, look, period_of
from citytune.backbones.city._network import MEDIAN, CityNetwork
from citytune.backbones.city._wall import Lot, straighten

FORMAT = 1
"""Of the folders that `citytune pretrain` writes and this reads."""
CARD, WEIGHTS = "card.json", "model.safetensors"
SHIPPED = Path(__file__).parents[1] / "citytune-base"
CHUNK = 64
"""Windows a pass, which then stay within a processor's cache."""
PARTS = 3
"""Parts of the next day whose states are features."""


class CityBackbone:
    """Our network behind the door of `Backbone`, with quantiles of every step ahead.

    It sees what was measured and what was not, the calendar of every step, by the clock on the
    wall, and as much of four weeks (half a year on a daily clock) as there is. Features are what
    its last layer reads of the next day, and what it makes of the last hours.
    """

    def __init__(self, card: Card, network: CityNetwork) -> None:
        self.card = card
        self.network = frozen(network)

    def features(self, past: Past) -> Tensor:
        """States (example, 4 · width): of three parts of the next day, and of the last steps."""

        def step(part: Past) -> Tensor:
            horizon = period_of(part.steps_per_day)
            return _together(straighten(part, horizon), lambda lot: self._features(lot, horizon))

        return self._each(past, step)

    def forecast(self, past: Past, horizon: int) -> Tensor:
        """Zero-shot forecast, the median (example, horizon), in the unit of `past.values`."""
        return self.quantiles(past, horizon)[..., MEDIAN]

    def quantiles(self, past: Past, horizon: int) -> Tensor:
        """Quantiles (example, horizon, level) at `LEVELS`, in the unit of `past.values`."""

        def step(part: Past) -> Tensor:
            return _together(straighten(part, horizon), lambda lot: self._quantiles(lot, horizon))

        return self._each(past, step)

    def blocks(self) -> Sequence[nn.Module]:
        """What is seen, the layers, and what answers: the head, that reads like days and states."""
        return self.network.parts()

    def _features(self, lot: Lot, horizon: int) -> Tensor:
        states = ask(self.network, self._states, *look(lot.past, horizon))
        ahead = adaptive_avg_pool1d(states[:, 1:].transpose(1, 2), PARTS)
        return torch.cat([ahead.transpose(1, 2).flatten(1), states[:, 0]], 1)

    def _states(self, *parts: Tensor) -> Tensor:
        return self.network.states(CityInput(*parts))[0]

    def _ahead(self, *parts: Tensor) -> Tensor:
        ahead: Tensor = self.network(CityInput(*parts))
        return ahead

    def _quantiles(self, lot: Lot, horizon: int) -> Tensor:
        view = look(lot.past, lot.reach)
        ahead = ask(self.network, self._ahead, *view).double()
        ahead = ahead * view.spread[..., None] + view.level[..., None]
        ahead = ahead[:, :horizon] if lot.at is None else ahead.take_along_dim(lot.at[..., None], 1)
        return ahead.to(lot.past.values.dtype)

    def _each(self, past: Past, step: Callable[[Past], Tensor]) -> Tensor:
        def some(which: Tensor) -> Tensor:
            return step(past.pick(which))

        return in_chunks(self.network, some, torch.arange(len(past.values)), CHUNK)


def _together(lots: Sequence[Lot], answer: Callable[[Lot], Tensor]) -> Tensor:
    """Answers (example, …) of all windows of a batch, in its order."""
    order = torch.cat([lot.which for lot in lots]).argsort()
    return torch.cat([answer(lot) for lot in lots])[order]


def read_card(folder: Path) -> tuple[Card, dict[str, Any]]:
    """The card of a pretrained city network, and all that its `card.json` says.

    Raises:
        MissingWeights: there is none, or it cannot be read; one sentence says what to do.
    """
    try:
        facts = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise MissingWeights(
                f"{folder} was written in format {facts['format']}, and this citytune reads "
                f"{FORMAT}: update citytune, or pretrain anew"
            )
        own = {field.name for field in fields(Card)}
        lists = {k: tuple(v) for k, v in facts["card"].items() if isinstance(v, list)}
        card = Card(**{k: v for k, v in (facts["card"] | lists).items() if k in own})
    except FileNotFoundError:
        raise MissingWeights(
            f"{folder} holds no {CARD}: name a folder made by `citytune pretrain`"
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, MissingWeights):
            raise
        raise MissingWeights(
            f"{folder / CARD} cannot be read ({type(error).__name__}): restore it from a copy, or "
            "pretrain anew"
        ) from error
    return card, facts


def read_network(folder: Path) -> CityBackbone:
    """The pretrained city network in a folder, its weights checked against its card.

    Raises:
        MissingWeights: its files are absent, damaged or of another version.
    """
    from safetensors.torch import load_file

    card, facts = read_card(folder)
    _check_weights(folder, card, facts)
    try:
        size = facts["network"]
        network = CityNetwork(size["width"], size["layers"], size["heads"])
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (KeyError, TypeError, RuntimeError) as error:
        raise MissingWeights(
            f"the weights in {folder} are not those of its card, or of another version of "
            f"citytune: {card.get}"
        ) from error
    known = shelf().get(card.name, card)
    return CityBackbone(known, network)


def _check_weights(folder: Path, card: Card, facts: dict[str, Any]) -> None:
    if what := check_file(folder / WEIGHTS, str(facts.get("sha256", ""))):
        raise MissingWeights(
            f"backbone {card.name!r} has no usable weights: {folder / WEIGHTS} {what}; {card.get}"
        )


def open_folder(folder: Path, saved: Card | None = None) -> Card:
    """Put a network made by `citytune pretrain` on the shelf under the name on its own card.

    Raises:
        MissingWeights: the folder cannot be used, or its name is another backbone's.
    """
    place = folder.expanduser().resolve()
    card, facts = read_card(place)
    if place == SHIPPED.resolve():
        return card
    card = replace(card, folders=(str(place),))
    known = shelf().get(card.name)
    if known is None:
        check = functools.partial(_check_weights, place, card, facts)
        register(card, functools.partial(read_network, place), check=check)
    elif known.folders != card.folders:
        raise MissingWeights(
            f"{folder} holds a backbone called {card.name!r}, and there is another of that name: "
            "change the name in its card.json"
        )
    return card


def _put_on_the_shelf() -> None:
    try:
        card, facts = read_card(SHIPPED)
    except MissingWeights as error:
        warnings.warn(f"citytune-base is left out: {error}", stacklevel=2)
        return
    check = functools.partial(_check_weights, SHIPPED, card, facts)
    register(card, functools.partial(read_network, SHIPPED), check=check)


open_places_with(Opener(Path.is_dir, open_folder))
_put_on_the_shelf()
