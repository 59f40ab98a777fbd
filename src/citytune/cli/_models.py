"""`citytune models`: the pretrained models, which are at hand, and how to get the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from citytune.cli._console import say, say_json, stdout
from citytune.cli._reading import Json

if TYPE_CHECKING:
    from citytune.backbones import Card, Family


Name = Annotated[
    str, typer.Argument(help="One of them, or a folder or file that holds one: all about it.")
]
Speed = Annotated[
    bool, typer.Option("--speed", help="Measure how many forecasts a second each makes here.")
]
ROOM = 24
"""Characters that say something of what a model is; with fewer left in a line it is not said."""
HINT = "`citytune models NAME` says all about one, and how to get it."


def models(name: Name = "", *, speed: Speed = False, json: Json = False) -> None:
    """List the pretrained models: which have their weights here, and how to get the others.

    Weights are looked for in the folders named by CITYTUNE_WEIGHTS, then in the cache of the
    Hugging Face hub. Nothing is downloaded by asking.

    ```
    citytune models
    citytune models chronos-2
    CITYTUNE_WEIGHTS=/data/weights citytune models --speed
    ```
    """
    from citytune.backbones import families, missing, shelf

    lacking = missing()
    if (family := families().get(name)) and not json:
        return _tell_family(name, family, lacking)
    members = family.members if family else ()
    chosen = [_card(one) for one in members or [name]] if name else [*shelf().values()]
    timed = [card.name for card in chosen if card.name not in lacking] if speed or name else []
    speeds = {} if json and not speed else _speeds(timed, lacking)
    cards = sorted(chosen, key=lambda card: card.name in lacking)
    if json:
        say_json({"models": [_row(card, lacking, speeds) for card in cards]})
    elif name:
        _tell(cards[0], lacking.get(cards[0].name, ""), speeds)
    else:
        _show(cards, lacking, speeds)
    return None


def _tell_family(name: str, family: Family, lacking: dict[str, str]) -> None:
    """What it picks from, a line each."""
    say(f"{name}\n  {family.title}")
    for member in family.members:
        say(f"  {member}{'' if member in lacking else ' (here)'}")
    say(f"\n{HINT}")


def _card(name: str) -> Card:
    from citytune.backbones import load_backbone, shelf

    return shelf()[name] if name in shelf() else load_backbone(name).card


def _speeds(names: Iterable[str], lacking: dict[str, str]) -> dict[str, float]:
    """How fast each is; one that does not work with the packages that are here is added as such."""
    from citytune._errors import MissingWeights
    from citytune.backbones import load_backbone, speed_of

    speeds: dict[str, float] = {}
    for name in names:
        try:
            speeds[name] = speed_of(load_backbone(name))
        except MissingWeights as error:
            lacking[name] = str(error)
    return speeds


def _show(cards: Sequence[Card], lacking: dict[str, str], speeds: dict[str, float]) -> None:
    """One line each, and one for a family; where the terminal ends, or whole in a file."""
    timed = ("a second",) if speeds else ()
    rows = [("name", "here", "weights", *timed, "licence", "gives", "what it is")]
    for card in _alone(cards, lacking):
        here = _needed(card) if card.name in lacking else "yes"
        often = [_often(speeds.get(card.name))] if speeds else []
        licence = "restricted" if card.restricted else card.licence
        weights = f"{card.parameters / 1e6:.1f} M" if card.parameters else _no_count(card)
        rows.append((card.name, here, weights, *often, licence, _gives(card), card.title))
    for name, family in _families(cards).items():
        often = [""] if speeds else []
        count = sum(member not in lacking for member in family.members)
        some = f"{count} of {len(family.members)}"
        rows.append((name, some, "", *often, "", "forecasts", family.title))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    console = stdout()
    most = console.width if console.is_terminal else sum(widths) + 2 * len(widths)
    for row in rows:
        say(_line(row, widths, most))
    if any(row[1].startswith("[") for row in rows):
        say("\n[extra]: run `pip install 'citytune[extra]'`, then fetch the weights once.")
    say(f"\n{HINT}")


def _no_count(card: Card) -> str:
    """Of one that has none, or of one whose file alone says how many it has."""
    return "?" if card.files else "none"


def _alone(cards: Sequence[Card], lacking: dict[str, str]) -> list[Card]:
    """Those that have a line of their own: of a family the usual one, and what is here."""
    related = {member for family in _families(cards).values() for member in family.members[1:]}
    return [card for card in cards if card.name not in related or card.name not in lacking]


def _families(cards: Sequence[Card]) -> dict[str, Family]:
    from citytune.backbones import families

    names = {card.name for card in cards}
    return {name: one for name, one in families().items() if names & set(one.members)}


def _line(row: Sequence[str], widths: Sequence[int], most: int) -> str:
    """Cells under one another; the last is cut, or left out where too little of it would stay."""
    cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
    start = "  ".join(cells)
    room = most - len(start) - 2
    if room < min(ROOM, widths[-1]):
        return start.rstrip()[:most]
    last = row[-1] if len(row[-1]) <= room else f"{row[-1][: room - 1].rstrip(' ,;')}…"
    return f"{start}  {last}"


def _needed(card: Card) -> str:
    """What to install, in brackets, or that only the weights are wanting."""
    extra = re.search(r"citytune(\[\w+\])", card.get)
    return extra[1] if extra and _absent(card) else "no"


def _absent(card: Card) -> list[str]:
    import importlib.util

    return [name for name in card.packages if importlib.util.find_spec(name) is None]


def _often(speed: float | None) -> str:
    """Three digits of it."""
    return "" if speed is None else f"{float(f'{speed:.3g}'):,g}"


def _gives(card: Card) -> str:
    """What it gives without tuning: features are read by a head."""
    return "features" if card.horizon is None else "forecasts"


def _tell(card: Card, lack: str, speeds: dict[str, float]) -> None:
    """All about one, a line each."""
    past = f"{card.context:,} steps"
    if card.context_days is not None:
        past = f"{card.context_days} days, at most {card.most_steps:,} steps"
    ahead = "none: its features are read by a head"
    if card.horizon is not None:
        ahead = f"{card.horizon:,} steps at once{_levels(card, lack)}"
    often = _often(speeds.get(card.name))
    facts = {
        "what it is": card.title,
        "here": f"no: {lack}" if lack else "yes",
        "to get": card.get if lack and card.get not in lack else "",
        "speed here": often and f"{often} forecasts a second",
        "weights": size(card.parameters) if card.parameters else _no_count(card),
        "past": past,
        "forecast": ahead,
        "trained on": card.trained_on,
        "licence": f"{card.licence}, which {card.restricted}" if card.restricted else card.licence,
        "source": card.source,
    }
    say(card.name)
    for name, fact in facts.items():
        if fact:
            say(f"  {name}: {fact}")


def _levels(card: Card, lack: str) -> str:
    """Whether it says how sure it is, as far as can be known."""
    from citytune.backbones import LEVELS, Probabilistic, load_backbone

    if card.levels:
        return f", {len(card.levels)} quantiles"
    if lack:
        return ""
    sure = isinstance(load_backbone(card.name), Probabilistic)
    return f", {len(LEVELS)} quantiles" if sure else ", points"


def size(parameters: int) -> str:
    """How large a network is.

    >>> size(0), size(805_280), size(3_400_000)
    ('none', '0.8 million', '3.4 million')
    """
    return f"{parameters / 1e6:.1f} million" if parameters else "none"


def _row(card: Card, lacking: dict[str, str], speeds: dict[str, float]) -> dict[str, object]:
    return {
        "name": card.name,
        "title": card.title,
        "at_hand": card.name not in lacking,
        "how_to_get": lacking.get(card.name),
        "parameters": card.parameters,
        "can_forecast_untuned": card.horizon is not None,
        "licence": card.licence,
        "restricted": card.restricted or None,
        "forecasts_a_second": speeds.get(card.name),
        "trained_on": card.trained_on,
        "source": card.source,
    }
