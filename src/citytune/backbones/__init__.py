"""Pretrained models behind one small door: the protocol, the shelf, and the adapters.

A backbone of your own needs one short file: a `Card`, a class with the three methods of
`Backbone`, and `register(card, factory)`. A package offers it to everyone who installs it by an
entry point of the group `citytune.backbones` that names a function calling `register`. A function,
a torch network, or a file of ONNX, Keras or TensorFlow needs no class: `from_forecaster`,
`from_torch`, `from_onnx`, `from_keras`, `from_tensorflow`.
"""

from citytune.backbones import (  # noqa: F401 - importing them puts them on the shelf
    _efficientnet,
    _lags,
    _resnet,
    _ttm,
    city,
    guests,
)
from citytune.backbones._device import device_of_answers, root_of
from citytune.backbones._eyes import Eye, eye_of
from citytune.backbones._familiar import (
    FAMILIAR,
    Familiar,
    daily_share,
    familiar_of,
    write_familiar,
)
from citytune.backbones._families import Family, families, member_of
from citytune.backbones._guest import unit_of
from citytune.backbones._identity import identity_of
from citytune.backbones._own import from_forecaster
from citytune.backbones._own_keras import from_keras
from citytune.backbones._own_onnx import from_onnx
from citytune.backbones._own_tensorflow import from_tensorflow
from citytune.backbones._own_torch import from_torch
from citytune.backbones._protocol import (
    CROSS,
    LEVELS,
    Backbone,
    Card,
    Past,
    Probabilistic,
    alone,
    reads_ahead,
    reads_together,
)
from citytune.backbones._shelf import at_hand, load_backbone, missing, name_of, register, shelf
from citytune.backbones._speed import speed_of
from citytune.backbones._weights import check_file, find_weights

__all__ = [
    "Backbone",
    "CROSS",
    "Card",
    "Eye",
    "FAMILIAR",
    "Familiar",
    "Family",
    "LEVELS",
    "Past",
    "Probabilistic",
    "alone",
    "at_hand",
    "check_file",
    "daily_share",
    "device_of_answers",
    "eye_of",
    "familiar_of",
    "families",
    "find_weights",
    "from_forecaster",
    "from_keras",
    "from_onnx",
    "from_tensorflow",
    "from_torch",
    "identity_of",
    "load_backbone",
    "member_of",
    "missing",
    "name_of",
    "reads_ahead",
    "reads_together",
    "register",
    "root_of",
    "shelf",
    "speed_of",
    "unit_of",
    "write_familiar",
]
