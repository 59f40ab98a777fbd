"""The sections of the page, each one's contents as plain values for its template."""

from __future__ import annotations

from typing import Any

from citytune.reporting._material import Material
from citytune.reporting.sections._comparison import comparison
from citytune.reporting.sections._data import data
from citytune.reporting.sections._explained import explained
from citytune.reporting.sections._forecasts import forecasts
from citytune.reporting.sections._intervals import intervals
from citytune.reporting.sections._method import method
from citytune.reporting.sections._model import model
from citytune.reporting.sections._rare import rare
from citytune.reporting.sections._record import record
from citytune.reporting.sections._tomorrow import day_table, tomorrow
from citytune.reporting.sections._top import top
from citytune.reporting.sections._when import when
from citytune.reporting.sections._where import where

__all__ = ["contents", "day_table"]


def contents(material: Material) -> dict[str, Any]:
    """Everything the page shows, in its order; None for a section with nothing to say."""
    return {
        "top": top(material),
        "unusual": material.unusual,
        "tomorrow": tomorrow(material),
        "record": record(material),
        "forecasts": forecasts(material),
        "explained": explained(material),
        "comparison": comparison(material),
        "when": when(material),
        "intervals": intervals(material),
        "rare": rare(material),
        "where": where(material),
        "model": model(material),
        "data": data(material),
        "method": method(material),
    }
