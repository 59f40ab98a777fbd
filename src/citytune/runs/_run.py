"""A run: one whole job in a folder, which goes on forecasting and learning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citytune._errors import InputError, RunError
from citytune._files import locked, read_json
from citytune.runs._folder import FORECAST, REPORT, SCORES, Seal, check_model, own_file, seal_of
from citytune.runs._job import Job, JobResult, alerts_on, check_alerts, limit_threads
from citytune.runs._made import kept_settings, watches_of
from citytune.runs._progress import Progress, begin
from citytune.runs._reading import ELSEWHERE, Reading
from citytune.runs._record import read_record
from citytune.runs._refresh import Before, By, Refreshed, refresh, source_of
from citytune.runs._renew import Update, learned, renew
from citytune.runs._stored import stored_forecast

if TYPE_CHECKING:
    import polars as pl

    from citytune.evaluation import Alert, Scores
    from citytune.forecasting import Forecast, TunedModel, Watch
    from citytune.frame import SensorFrame


class Run:
    """A run folder: its model, its scores, and how its source was read.

    Wherever a source is wanted, anything that `read` takes will do, or a frame. It is read as the
    run's own source was, unless the options of `read`, by name, ask for something else.

    Example:
        >>> run = ct.open_run("runs/loops")                # doctest: +SKIP
        >>> run.forecast("loops-until-today.csv").plot()   # doctest: +SKIP
    """

    def __init__(self, path: Path, result: JobResult | None = None) -> None:
        self.path = path
        self._result = result

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def made_from(self) -> JobResult:
        """The frame, the scores, the advice …: known only where it was just made."""
        if self._result is None:
            raise RunError(f"{self.path} was made by another process; its report tells of that")
        return self._result

    @cached_property
    def model(self) -> TunedModel:
        """The model, fitted on everything.

        Raises:
            RunError: it is damaged, or one of its files is a link.
        """
        from citytune.forecasting import load

        check_model(self.path)
        try:
            return load(self.path)
        except (RecursionError, IsADirectoryError, NotADirectoryError) as error:
            raise RunError(
                f"{self.path} is damaged ({error}); tune anew, or restore it from a copy"
            ) from error

    @property
    def scores(self) -> dict[str, Any] | None:
        """What `scores.json` holds; None in the folder of a model saved by itself."""
        return read_json(self.file(SCORES)) if self._seal is not None else None

    @property
    def reading(self) -> Reading:
        """How its source was read, as far as that was said."""
        return Reading() if self._seal is None else Reading.of_run(self._seal.reading)

    def watches(self, sensors: Sequence[str]) -> tuple[Watch, ...]:
        """What the run was asked to warn of, on the sensors of a forecast."""
        return () if self._seal is None else watches_of(self._seal.made, sensors)

    @property
    def report(self) -> Path:
        """The page to open in a browser."""
        return self.file(REPORT)

    def file(self, name: str) -> Path:
        """The path of one of its files; a `RunError` if it is not there, or a link."""
        if self._seal is None:
            raise RunError(
                f"{self.path} is not a run of citytune: it holds no {name}; give a FILE, or name a "
                "folder that `citytune tune` wrote"
            )
        return own_file(self.path, name)

    def changed(self, *names: str) -> tuple[str, ...]:
        """Files, of these names or of all, that are no longer what was written.

        A model renewed by `TunedModel.save` is among them; one that is damaged is refused.
        """
        return () if self._seal is None else self._seal.changed(self.path, names)

    def read(self, source: object, reading: Reading | None = None) -> SensorFrame:
        """A source as a frame, read as the run's own was where `reading` says nothing else.

        Raises:
            InputError: the run was made with covariates from elsewhere, and they are not given.
        """
        from citytune.frame import SensorFrame

        asked = reading or Reading()
        elsewhere = () if self._seal is None else self._seal.reading.get(ELSEWHERE, ())
        if isinstance(source, SensorFrame):
            return asked.read(source)
        if elsewhere and "covariates" not in asked.said():
            raise InputError(
                f"{self.path} was made with covariates from {', '.join(elsewhere)}, which is only "
                "read if it is named again; pass covariates="
            )
        return asked.over(self.reading, source).read(source)

    def forecast(
        self,
        source: object = None,
        *,
        alerts: Iterable[str | Alert] = (),
        progress: Progress | None = None,
        **reading: Any,
    ) -> Forecast:
        """Forecast on from the last row of a source; without one, what the run was written with.

        Args:
            source: Readings up to now, of the same sensors; a few weeks are enough.
            alerts: What to be warned of, such as "pm2.5>150"; by default the alerts of the run.
            progress: Called with the stage and the share done.
            reading: Options of `read`.
        """
        wanted = tuple(alerts)
        check_alerts(wanted)
        if source is None:
            stored = stored_forecast(self.file(FORECAST), self.model)
            return self._signed(self._watched(stored, wanted, None))
        begin(progress, "Reading")
        model, frame = self.model, self.read(source, Reading(**reading))
        limit_threads()
        begin(progress, "Forecasting")
        return self._signed(self._watched(model.forecast(frame), wanted, frame))

    def _watched(
        self, forecast: Forecast, wanted: tuple[str | Alert, ...], frame: SensorFrame | None
    ) -> Forecast:
        """With the alerts asked for, or the run's own."""
        if wanted:
            return forecast.with_alerts(wanted, frame)
        return replace(forecast, alerts=self.watches(forecast.sensors))

    def score(
        self,
        source: object,
        *,
        days: float | None = None,
        alerts: Iterable[str | Alert] = (),
        progress: Progress | None = None,
        **reading: Any,
    ) -> Scores:
        """Score the model on a source, compared with the zero-shot model and simple rules.

        Args:
            source: Its rows newer than those the model was fitted on are scored; without any, its
                last part, by a model fitted anew on what lies before.
            days: Only the last so many.
            alerts: What to be warned of, such as "pm2.5>150"; by default the top 5 %.
            progress: Called with the stage and the share done.
            reading: Options of `read`.
        """
        from citytune.evaluation import backtest

        wanted = tuple(alerts)
        check_alerts(wanted)
        begin(progress, "Reading")
        model, frame = self.model, self.read(source, Reading(**reading))
        limit_threads()
        found, told = alerts_on(frame, wanted), begin(progress, "Scoring")
        return backtest(model, frame, days=days, alerts=found, progress=told)

    def update(
        self,
        source: object,
        *,
        forget: float | None = None,
        progress: Progress | None = None,
        **reading: Any,
    ) -> Update:
        """Let the model learn from new readings: it and the forecast are renewed, both or neither.

        Args:
            source: Ends with new rows, and reaches back some three months before them, or to where
                the first source began.
            forget: Half-life in days from now on; by default the model's.
            progress: Called with the stage and the share done.
            reading: Options of `read`.

        Raises:
            RunError: the folder is not a whole run, or another process is writing it.
        """
        from citytune.forecasting import admit
        from citytune.forecasting import update as learn_from

        with locked(self.path):
            seal = self._whole()
            begin(progress, "Reading")
            model, frame = self.model, self.read(source, Reading(**reading))
            limit_threads()
            told = begin(progress, "Learning from what is new")
            found = learn_from(model, frame, forget=forget, progress=told)
            if not found.learned:
                return Update(False, found.why)
            new = found.model
            begin(progress, "Forecasting")
            forecast = self._watched(new.forecast(frame), (), frame)
            renew(self.path, seal, new, forecast, admit(model, frame, new="not kept").frame)
            self._is_renewed()
        stale = tuple(name for name in (SCORES, REPORT) if (self.path / name).exists())
        return Update(True, learned(frame, new), stale)

    def _signed(self, forecast: Forecast) -> Forecast:
        return replace(forecast, run=self.path.resolve().name)

    def refresh(
        self,
        source: object = None,
        *,
        by: By = "update",
        progress: Progress | None = None,
        **reading: Any,
    ) -> Refreshed:
        """Monday's job: verify the last forecast, learn from what is new, forecast, and report.

        Every file of the run is renewed, all or none. Its record keeps each forecast that was
        written, and what came.

        Args:
            source: Readings up to now, reaching back as for `update`; by default the source that
                the run was made from.
            by: "update" learns from what is new, in seconds: for a closed-form strategy as good as
                a fit to everything. "refit" does the whole job again, as the run was made.
            progress: Called with the stage and the share done.
            reading: Options of `read`.

        Raises:
            InputError: the source has nothing new, is older, or contradicts what was read before.
            RunError: the folder is not a whole run, or does not remember its source.

        Example:
            >>> ct.open_run("runs/air").refresh().raised  # doctest: +SKIP
        """
        with locked(self.path):
            seal = self._whole()
            begin(progress, "Reading")
            given = source_of(seal, self.path) if source is None else source
            model, frame = self.model, self.read(given, Reading(**reading))
            before = Before(self.path, seal, model, self.watches(model.sensors), frame)
            found = refresh(before, by, progress)
            self._is_renewed()
        return found

    def made_otherwise(self, job: Job) -> bool:
        """Whether a job has other settings or alerts than the one that made this run."""
        made = self._whole().made
        said = kept_settings(job.settings), [str(alert) for alert in job.alerts]
        return "asked" in made and (made.get("settings"), made["asked"]) != said

    @property
    def record(self) -> pl.DataFrame:
        """Every forecast that was written, with what was measured since as `actual`."""
        self.file(SCORES)
        return read_record(self.path)

    def _is_renewed(self) -> None:
        for name in ("model", "_seal"):
            self.__dict__.pop(name, None)
        self._result = None

    def _whole(self) -> Seal:
        """The seal as it is now, which another process may have changed meanwhile."""
        self._is_renewed()
        if self._seal is None:
            raise RunError(
                f"{self.path} holds a model, but it is not a run; name a folder that `citytune "
                "tune` wrote, or update the model from Python"
            )
        return self._seal

    @cached_property
    def _seal(self) -> Seal | None:
        """None in the folder of a model saved by itself."""
        return seal_of(self.path)
