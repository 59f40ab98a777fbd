"""Make a new backbone from many cities' series."""

from citytune.pretraining._pretrain import RunStatus
from citytune.pretraining._recipe import Recipe
from citytune.pretraining._run import pretrain, recipe_like

__all__ = ["Recipe", "RunStatus", "pretrain", "recipe_like"]
