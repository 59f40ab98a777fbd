"""One whole job and its folder: read, hold out, choose, score, refit, forecast, report, renew."""

from citytune.runs._folder import FORECAST, PARTS, REPORT, SCORES, may_take_place
from citytune.runs._job import Job, JobResult, limit_threads
from citytune.runs._progress import Progress, begin
from citytune.runs._reading import Reading
from citytune.runs._run import Run, Update
from citytune.runs._start import open_run, run, run_job
from citytune.runs._write import summary

__all__ = [
    "FORECAST",
    "Job",
    "JobResult",
    "PARTS",
    "Progress",
    "REPORT",
    "Reading",
    "Run",
    "SCORES",
    "Update",
    "begin",
    "limit_threads",
    "may_take_place",
    "open_run",
    "run",
    "run_job",
    "summary",
]
