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
    from citytune.evaluation import (
        Leaderboard,
        Scores,
        backtest,
        compare,
        register_rival,
    )
    from citytune.forecasting import Forecast, TunedModel, load
    from citytune.frame import Clock, Fault, Quantity, SensorFrame
    from citytune.readers import check, read
    from citytune.reporting import Report
    from citytune.runs import Engine, Run, open_run, register_engine, run
    from citytune.serving import Client, connect
    from citytune.settings import Alert, Rare, Settings
    from citytune.vision import (
        PictureFrame,
        VisionModel,
        load_vision,
        read_pictures,
        tune_vision,
    )

    __version__: str

_HOMES = {
    "Alert": "citytune.settings",
    "CitytuneError": "citytune._errors",
    "Client": "citytune.serving",
    "Clock": "citytune.frame",
    "Engine": "citytune.runs",
    "Fault": "citytune.frame",
    "Forecast": "citytune.forecasting",
    "Forecaster": "citytune._forecaster",
    "InputError": "citytune._errors",
    "Leaderboard": "citytune.evaluation",
    "MissingWeights": "citytune._errors",
    "PictureFrame": "citytune.vision",
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
    "VisionModel": "citytune.vision",
    "backtest": "citytune.evaluation",
    "check": "citytune.readers",
    "compare": "citytune.evaluation",
    "connect": "citytune.serving",
    "load": "citytune.forecasting",
    "load_vision": "citytune.vision",
    "open_run": "citytune.runs",
    "read": "citytune.readers",
    "read_pictures": "citytune.vision",
    "recommend": "citytune.advice",
    "register_engine": "citytune.runs",
    "register_rival": "citytune.evaluation",
    "run": "citytune.runs",
    "sample": "citytune._sample",
    "tune": "citytune._forecaster",
    "tune_vision": "citytune.vision",
}
"""Public name → the folder that makes it."""

__all__ = [
    "Alert",
    "CitytuneError",
    "Client",
    "Clock",
    "Engine",
    "Fault",
    "Forecast",
    "Forecaster",
    "InputError",
    "Leaderboard",
    "MissingWeights",
    "PictureFrame",
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
    "VisionModel",
    "__version__",
    "backtest",
    "check",
    "compare",
    "connect",
    "load",
    "load_vision",
    "open_run",
    "read",
    "read_pictures",
    "recommend",
    "register_engine",
    "register_rival",
    "run",
    "sample",
    "tune",
    "tune_vision",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        found: Any = version("citytune")
    elif name == "backbones":
        found = import_module("citytune.backbones")
    elif name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'citytune' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return list(__all__)
