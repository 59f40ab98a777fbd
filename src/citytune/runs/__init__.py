"""One whole job and its folder: read, hold out, choose, score, refit, forecast, report, renew."""

from citytune.engines import SIZE, Engine, How, register_engine
from citytune.runs._config import Planned, overview_of, read_config, save_config
from citytune.runs._folder import FORECAST, PARTS, RECORD, REPORT, SCORES, may_take_place
from citytune.runs._job import Job, JobResult, check_alerts, limit_threads
from citytune.runs._named import Named, named
from citytune.runs._overview import write_overview
from citytune.runs._progress import Progress, begin
from citytune.runs._reading import Reading
from citytune.runs._record import measured, read_filled
from citytune.runs._refresh import By, Raised, Refreshed
from citytune.runs._renew import Update
from citytune.runs._run import Run
from citytune.runs._start import open_run, run, run_groups, run_job
from citytune.runs._write import summary

__all__ = [
    "By",
    "Engine",
    "FORECAST",
    "How",
    "Job",
    "JobResult",
    "Named",
    "PARTS",
    "Planned",
    "Progress",
    "RECORD",
    "REPORT",
    "Raised",
    "Reading",
    "Refreshed",
    "Run",
    "SCORES",
    "SIZE",
    "Update",
    "begin",
    "check_alerts",
    "limit_threads",
    "may_take_place",
    "measured",
    "named",
    "open_run",
    "overview_of",
    "read_config",
    "read_filled",
    "register_engine",
    "run",
    "run_groups",
    "run_job",
    "save_config",
    "summary",
    "write_overview",
]
