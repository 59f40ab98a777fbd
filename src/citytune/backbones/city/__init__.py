"""The network of `citytune-base`, and of all that `citytune pretrain` makes: what it sees and is.

Pretraining knows it by this door alone.
"""

from citytune.backbones.city._adapter import (
    CARD,
    FORMAT,
    SHIPPED,
    WEIGHTS,
    CityBackbone,
    open_folder,
    read_card,
    read_network,
)
from citytune.backbones.city._graph import GraphBackbone
from citytune.backbones.city._input import LAGS, PATCH, ROWS, CityInput, look, period_of
from citytune.backbones.city._network import MEDIAN, CityNetwork

__all__ = [
    "CARD",
    "CityBackbone",
    "CityInput",
    "CityNetwork",
    "FORMAT",
    "GraphBackbone",
    "LAGS",
    "MEDIAN",
    "PATCH",
    "ROWS",
    "SHIPPED",
    "WEIGHTS",
    "look",
    "open_folder",
    "period_of",
    "read_card",
    "read_network",
]
