"""The two ways to a run: make one from a source, or open one that is there."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from citytune._errors import RunError
from citytune._files import leave_no_drafts, locked, replacing_folder
from citytune.engines import SIZE, Engine, How, check_engine
from citytune.runs._folder import FORECASTS, may_take_place
from citytune.runs._job import Job, work
from citytune.runs._progress import Progress, begin, shows_progress
from citytune.runs._reading import Reading
from citytune.runs._run import Run
from citytune.runs._write import write
from citytune.settings import Call

if TYPE_CHECKING:
    from citytune.evaluation import Alert
    from citytune.runs.groups import GroupResult

P = ParamSpec("P")


@dataclass(frozen=True, kw_only=True)
class RunCall(Call, Reading):
    """Everything `run` takes by name."""

    out: str | Path
    alerts: Sequence[str | Alert] = ()
    overwrite: bool = False
    engine: str | Engine | None = None
    group: int = SIZE

    @property
    def how(self) -> How | None:
        """How groups are done; None is all sensors at once."""
        return None if self.engine is None else How(self.engine, self.group)

    @property
    def job(self) -> Job:
        """What is to be done."""
        reading = Reading(**{one.name: getattr(self, one.name) for one in fields(Reading)})
        return Job(settings=self.settings, reading=reading, alerts=tuple(self.alerts))


def _takes(
    call: Callable[P, RunCall],
) -> Callable[[Callable[[object, RunCall], Run]], Callable[Concatenate[object, P], Run]]:
    """Let a function of a source and a call take each part of the call by its own name."""

    def wrap(function: Callable[[object, RunCall], Run]) -> Callable[Concatenate[object, P], Run]:
        @functools.wraps(function)
        def wrapped(source: object, /, *args: P.args, **kwargs: P.kwargs) -> Run:
            return function(source, call(*args, **kwargs))

        first = next(iter(inspect.signature(function).parameters.values()))
        known = inspect.signature(call).parameters.values()
        wrapped.__signature__ = inspect.Signature([first, *known])  # type: ignore[attr-defined]
        return wrapped

    return wrap


@shows_progress
@_takes(RunCall)
def run(source: object, call: RunCall) -> Run:
    """Do the whole job, from a source to a run folder: what `citytune tune` does.

    The last part of the source (a quarter, at most 14 days) is held out, and every model is scored
    on it; the model that is kept and forecasts onward is then fitted on everything. The folder is
    written whole or, after any failure, not at all.

    Args:
        source: What was measured: a frame, or anything that `read` takes.
        call: By name: `horizon` and every other field of `Settings`; `out`, the folder to write,
            and `overwrite`, whether it may take the place of an earlier run; `alerts`, such as
            "pm2.5>150"; the options of `read`; and `progress`, called with the stage and the share
            of it done, 0 … 1 (by default a line on the terminal; False shows nothing). For more
            sensors than fit into memory, `engine` ("local", "ray", "ray://host:10001", or what
            `register_engine` knows), which reads, scores and forecasts `group` of them at a time;
            the forecast is then a folder of Parquet.

    Raises:
        InputError: the source cannot be read, or a setting does not fit it.
        RunError: `out` is there and must be kept, or another process is writing it.

    Example:
        >>> run = ct.run("loops.csv", horizon="24h", out="runs/loops")  # doctest: +SKIP
        >>> run.scores["models"]["tuned"]["mae"]                        # doctest: +SKIP
    """
    out = Path(call.out)
    new, tell = call.overwrite, call.progress or None
    if call.how is not None:
        return run_groups(source, call.job, out, call.how, overwrite=new, progress=tell)[0]
    return run_job(source, call.job, out, overwrite=new, progress=tell)


def run_job(
    source: object,
    job: Job,
    out: Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run:
    """The same with a job that is already one thing."""
    leave_no_drafts(out.resolve().parent)
    with locked(out), replacing_folder(out, may_take_place(out, overwrite=overwrite)) as draft:
        result = work(source, job, progress)
        begin(progress, "Writing the report")
        write(result, draft, job, source)
    return Run(out, result)


def run_groups(
    source: object,
    job: Job,
    out: Path,
    how: How,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[Run, GroupResult]:
    """The same by groups of sensors; what came of each is told besides."""
    from citytune.runs.groups import work_by_groups

    check_engine(how.engine)
    leave_no_drafts(out.resolve().parent)
    with locked(out), replacing_folder(out, may_take_place(out, overwrite=overwrite)) as draft:
        name = out.resolve().name
        result = work_by_groups(source, job, how, draft, name=name, progress=progress)
    written = replace(result.written, path=str(out / FORECASTS))
    return Run(out, result.shown), replace(result, written=written)


def open_run(path: str | Path) -> Run:
    """Open a run folder, or the folder of a model saved by itself.

    What killed processes left next to it is put right first.

    Raises:
        RunError: there is none. What is damaged in it is said when it is asked for.

    Example:
        >>> ct.open_run("runs/loops").forecast("loops-until-today.csv")  # doctest: +SKIP
    """
    folder = Path(path)
    leave_no_drafts(folder.resolve().parent)
    if not folder.exists():
        raise RunError(
            f"there is no run folder {folder}; `citytune tune FILE --out {folder}` makes one"
        )
    if not folder.is_dir():
        raise RunError(f"{folder} is a file; a run is the folder that `citytune tune` wrote")
    return Run(folder)
