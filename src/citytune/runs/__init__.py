"""One whole job and its folder: read, hold out, choose, score, refit, forecast, report, renew."""

from citytune.runs._config import Planned, read_config, save_config
from citytune.runs._folder import FORECAST, PARTS, RECORD, REPORT, SCORES, may_take_place
from citytune.runs._job import Job, JobResult, limit_threads
from citytune.runs._progress import Progress, begin
from citytune.runs._reading import Reading
from citytune.runs._record import Verified, by_week, verified
from citytune.runs._refresh import Raised, Refreshed
from citytune.runs._renew import Update
from citytune.runs._run import Run
from citytune.runs._start import open_run, run, run_job
from citytune.runs._write import summary

__all__ = [
    "FORECAST",
    "Job",
    "JobResult",
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
    "Update",
    "Verified",
    "begin",
    "by_week",
    "limit_threads",
    "may_take_place",
    "open_run",
    "read_config",
    "run",
    "run_job",
    "save_config",
    "summary",
    "verified",
]
