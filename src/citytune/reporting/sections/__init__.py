"""The sections of the page, each one's contents as plain values for its template."""

from __future__ import annotations

from typing import Any

from citytune.reporting._material import Material
from citytune.reporting.sections._comparison import comparison
from citytune.reporting.sections._data import data
from citytune.reporting.sections._forecasts import forecasts
from citytune.reporting.sections._intervals import intervals
from citytune.reporting.sections._method import method
from citytune.reporting.sections._model import model
from citytune.reporting.sections._rare import rare
from citytune.reporting.sections._tomorrow import tomorrow
from citytune.reporting.sections._top import top
from citytune.reporting.sections._when import when
from citytune.reporting.sections._where import where

__all__ = ["contents"]


def contents(material: Material) -> dict[str, Any]:
    """Everything the page shows, in its order; None for a section with nothing to say."""
    return {
        "top": top(material),
        "tomorrow": tomorrow(material),
        "forecasts": forecasts(material),
        "comparison": comparison(material),
        "when": when(material),
        "intervals": intervals(material),
        "rare": rare(material),
        "where": where(material),
        "model": model(material),
        "data": data(material),
        "method": method(material),
    }
