"""Fine-tune pretrained models to a city's own sensors, safely, and forecast.

>>> import citytune as ct
>>> frame = ct.read("loops.csv")                # doctest: +SKIP
>>> model = ct.tune(frame, horizon=24)          # doctest: +SKIP
>>> model.forecast(frame).to_pandas()           # doctest: +SKIP

Names are imported when they are first used, so that `import citytune` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from citytune._errors import (
        CitytuneError,
        InputError,
        MissingWeights,
        RunError,
        TableError,
        UnknownName,
    )
    from citytune._forecaster import Forecaster, tune
    from citytune._sample import sample
    from citytune.advice import Recommendation, recommend
    from citytune.evaluation import Alert, Scores, backtest
    from citytune.forecasting import Forecast, TunedModel, load
    from citytune.frame import Clock, Fault, Quantity, SensorFrame
    from citytune.readers import check, read
    from citytune.reporting import Report
    from citytune.runs import Run, open_run, run
    from citytune.settings import Rare, Settings

    __version__: str

_HOMES = {
    "Alert": "citytune.evaluation",
    "CitytuneError": "citytune._errors",
    "Clock": "citytune.frame",
    "Fault": "citytune.frame",
    "Forecast": "citytune.forecasting",
    "Forecaster": "citytune._forecaster",
    "InputError": "citytune._errors",
    "MissingWeights": "citytune._errors",
    "Quantity": "citytune.frame",
    "Rare": "citytune.settings",
    "Recommendation": "citytune.advice",
    "Report": "citytune.reporting",
    "Run": "citytune.runs",
    "RunError": "citytune._errors",
    "Scores": "citytune.evaluation",
    "SensorFrame": "citytune.frame",
    "Settings": "citytune.settings",
    "TableError": "citytune._errors",
    "TunedModel": "citytune.forecasting",
    "UnknownName": "citytune._errors",
    "backtest": "citytune.evaluation",
    "check": "citytune.readers",
    "load": "citytune.forecasting",
    "open_run": "citytune.runs",
    "read": "citytune.readers",
    "recommend": "citytune.advice",
    "run": "citytune.runs",
    "sample": "citytune._sample",
    "tune": "citytune._forecaster",
}
"""Public name → the folder that makes it."""

__all__ = [
    "Alert",
    "CitytuneError",
    "Clock",
    "Fault",
    "Forecast",
    "Forecaster",
    "InputError",
    "MissingWeights",
    "Quantity",
    "Rare",
    "Recommendation",
    "Report",
    "Run",
    "RunError",
    "Scores",
    "SensorFrame",
    "Settings",
    "TableError",
    "TunedModel",
    "UnknownName",
    "__version__",
    "backtest",
    "check",
    "load",
    "open_run",
    "read",
    "recommend",
    "run",
    "sample",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        found: Any = version("citytune")
    elif name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'citytune' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return list(__all__)
