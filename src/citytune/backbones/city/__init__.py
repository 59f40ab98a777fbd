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
from citytune.backbones.city._graph import (
    GraphBackbone,
    Layout,
    features_of,
    one_above_the_other,
    quantiles_of,
    view_of,
)
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
    "Layout",
    "MEDIAN",
    "PATCH",
    "ROWS",
    "SHIPPED",
    "WEIGHTS",
    "features_of",
    "look",
    "one_above_the_other",
    "open_folder",
    "period_of",
    "quantiles_of",
    "read_card",
    "read_network",
    "view_of",
]
