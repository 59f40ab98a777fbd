"""`citytune models`: the pretrained models, which are at hand, and how to get the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from citytune._text import capital
from citytune.cli._console import say, say_json
from citytune.cli._reading import Json

if TYPE_CHECKING:
    from citytune.backbones import Card


def models(*, json: Json = False) -> None:
    """List the pretrained models: which have their weights here, and how to get the others.

    Weights are looked for in the folders named by CITYTUNE_WEIGHTS, then in the cache of the
    Hugging Face hub. Nothing is downloaded by asking.

    ```
    citytune models
    CITYTUNE_WEIGHTS=/data/weights citytune models
    ```
    """
    from citytune.backbones import missing, shelf

    cards, lacking = shelf(), missing()
    if json:
        say_json({"models": [_row(card, lacking) for card in cards.values()]})
        return
    _show(cards, lacking)
    for why in lacking.values():
        say(f"\n{capital(why)}")


def _show(cards: dict[str, Card], lacking: dict[str, str]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "here", "weights", "licence", "what it is"):
        table.add_column(heading, no_wrap=heading in ("name", "here"), overflow="fold")
    for card in cards.values():
        here = "no" if card.name in lacking else "yes"
        what = f"{card.title}. Trained on {card.trained_on}."
        table.add_row(card.name, here, size(card.parameters), card.licence, what)
    say(table)


def size(parameters: int) -> str:
    """How large a network is.

    >>> size(0), size(805_280), size(3_400_000)
    ('none', '0.8 million', '3.4 million')
    """
    return f"{parameters / 1e6:.1f} million" if parameters else "none"


def _row(card: Card, lacking: dict[str, str]) -> dict[str, object]:
    return {
        "name": card.name,
        "title": card.title,
        "at_hand": card.name not in lacking,
        "how_to_get": lacking.get(card.name),
        "parameters": card.parameters,
        "can_forecast_untuned": card.horizon is not None,
        "licence": card.licence,
        "trained_on": card.trained_on,
        "source": card.source,
    }
