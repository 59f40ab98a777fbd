"""Cut a frame into examples: spec, chronological and purged splits, scaling."""

from citytune.windows._axes import Axes
from citytune.windows._density import FEWEST_VALUES, density, density_at, density_weights
from citytune.windows._evenly import evenly
from citytune.windows._examples import (
    Examples,
    all_sensors,
    candidates,
    cut_future,
    cut_measured,
    cut_past,
    first_known,
    needed,
    stride_of,
    thin,
)
from citytune.windows._history import History, fill_causally
from citytune.windows._lookback import Lookback
from citytune.windows._rarity import Rarity, is_peak, never_passed, target_weights
from citytune.windows._scale import Scale
from citytune.windows._seasonal import FADING_DAYS, SEASONAL, Seasonal
from citytune.windows._spec import WindowSpec
from citytune.windows._split import Fold, purged_folds, split_by_time

__all__ = [
    "Axes",
    "Examples",
    "FADING_DAYS",
    "FEWEST_VALUES",
    "Fold",
    "History",
    "Lookback",
    "Rarity",
    "SEASONAL",
    "Scale",
    "Seasonal",
    "WindowSpec",
    "all_sensors",
    "candidates",
    "cut_future",
    "cut_measured",
    "cut_past",
    "density",
    "density_at",
    "density_weights",
    "evenly",
    "fill_causally",
    "first_known",
    "is_peak",
    "needed",
    "never_passed",
    "purged_folds",
    "split_by_time",
    "stride_of",
    "target_weights",
    "thin",
]
