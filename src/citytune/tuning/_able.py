"""Which strategies can tune which backbone, and why not the others."""

from __future__ import annotations

from citytune.backbones import Backbone
from citytune.tuning._gradient import GradientStrategy
from citytune.tuning._strategy import Strategy, strategies


def reason_against(strategy: Strategy, backbone: Backbone) -> str:
    """Why the strategy cannot tune the backbone, and what can; empty if it can."""
    why = strategy.cannot(backbone) if isinstance(strategy, GradientStrategy) else ""
    if not why:
        return ""
    name = next((n for n in strategies if type(strategies.make(n)) is type(strategy)), "this")
    return (
        f"strategy {name!r} cannot tune {backbone.card.name!r}: {why}; "
        f"it can be tuned by {', '.join(able(backbone))}"
    )


def able(backbone: Backbone) -> list[str]:
    """Names of the strategies that can tune the backbone."""
    made = ((name, strategies.make(name)) for name in strategies)
    return [
        n for n, way in made if not (isinstance(way, GradientStrategy) and way.cannot(backbone))
    ]
