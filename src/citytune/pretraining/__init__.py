"""Make a new backbone from many cities' series."""

from citytune.pretraining._recipe import Recipe
from citytune.pretraining._run import Stand, pretrain, recipe_like

__all__ = ["Recipe", "Stand", "pretrain", "recipe_like"]
