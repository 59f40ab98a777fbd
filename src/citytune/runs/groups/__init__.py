"""A job by groups of sensors: reading, scoring and forecasting, each as an engine does it."""

from citytune.runs.groups._forecast import AlertsOf, Written, forecast_groups
from citytune.runs.groups._job import GroupResult, work_by_groups
from citytune.runs.groups._place import check_place, replacing
from citytune.runs.groups._refresh import Old, group_of, refresh_groups
from citytune.runs.groups._score import score_groups
from citytune.runs.groups._source import Grouped, grouped, parts_of, said_of_bad

__all__ = [
    "AlertsOf",
    "GroupResult",
    "Grouped",
    "Old",
    "Written",
    "check_place",
    "forecast_groups",
    "group_of",
    "grouped",
    "parts_of",
    "refresh_groups",
    "replacing",
    "said_of_bad",
    "score_groups",
    "work_by_groups",
]
