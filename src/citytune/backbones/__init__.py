"""Pretrained models behind one small door: the protocol, the shelf, and the adapters.

A backbone of your own needs one short file: a `Card`, a class with the three methods of
`Backbone`, and `register(card, factory)`. A package offers it to everyone who installs it by an
entry point of the group `citytune.backbones` that names a function calling `register`.
"""

from citytune.backbones import (  # noqa: F401 - importing them puts them on the shelf
    _efficientnet,
    _lags,
    _resnet,
    _ttm,
    city,
)
from citytune.backbones._familiar import (
    FAMILIAR,
    Familiar,
    daily_share,
    familiar_of,
    write_familiar,
)
from citytune.backbones._identity import identity_of
from citytune.backbones._protocol import LEVELS, Backbone, Card, Past, Probabilistic
from citytune.backbones._shelf import at_hand, load_backbone, missing, register, shelf
from citytune.backbones._weights import check_file, find_weights

__all__ = [
    "Backbone",
    "Card",
    "FAMILIAR",
    "Familiar",
    "LEVELS",
    "Past",
    "Probabilistic",
    "at_hand",
    "check_file",
    "daily_share",
    "familiar_of",
    "find_weights",
    "identity_of",
    "load_backbone",
    "missing",
    "register",
    "shelf",
    "write_familiar",
]
