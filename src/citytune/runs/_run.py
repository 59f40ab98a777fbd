"""A run: one whole job in a folder, which goes on forecasting and learning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citytune._errors import RunError
from citytune._files import locked, read_json
from citytune.engines import Engine
from citytune.runs._by_groups import ByGroups, is_by_groups, refuse_groups
from citytune.runs._changes import earlier
from citytune.runs._folder import FORECAST, SCORES, Seal, seal_of
from citytune.runs._job import Job, JobResult, alerts_on, check_alerts, limit_threads
from citytune.runs._joined import joined
from citytune.runs._kept import Kept
from citytune.runs._made import kept_settings, watches_of
from citytune.runs._progress import Asked, begin, shows_progress
from citytune.runs._reading import Reading
from citytune.runs._record import last_readings, read_filled
from citytune.runs._refresh import Before, By, Refreshed, refresh, source_of
from citytune.runs._renew import Update, learn
from citytune.runs._safe import served
from citytune.runs._stored import stored_forecast, stored_model, stored_of

if TYPE_CHECKING:
    from citytune.evaluation import Alert, Scores
    from citytune.forecasting import Forecast, TunedModel, Watch
    from citytune.frame import SensorFrame


class Run(ByGroups, Kept):
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
        return stored_model(self.path)

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

    def read(self, source: object, reading: Reading | None = None) -> SensorFrame:
        """A source as a frame, read as the run's own was where `reading` says nothing else.

        Raises:
            InputError: the run was made with covariates from elsewhere, and they are not given;
                or the source has other columns.
        """
        kept = None if self._seal is None else self._seal.reading
        return (reading or Reading()).for_run(source, kept, self.path)

    @shows_progress
    def forecast(
        self,
        source: object = None,
        *,
        alerts: Iterable[str | Alert] = (),
        safe: bool = True,
        progress: Asked = None,
        **reading: Any,
    ) -> Forecast:
        """Forecast on from the last row of a source; without one, what the run was written with.

        Args:
            source: Readings up to now, of the same sensors; what is new is enough.
            alerts: What to be warned of, such as "pm2.5>150"; by default the alerts of the run.
            safe: Give a broken sensor a naive forecast, which `quality` names.
            progress: Called with the stage and the share done; False shows nothing.
            reading: Options of `read`.
        """
        from citytune.forecasting import admit

        progress = progress or None
        wanted = tuple(alerts)
        check_alerts(wanted)
        model = self.model
        if source is None:
            stored = stored_of(self.path, model) or stored_forecast(self.file(FORECAST), model)
            return self._signed(self._watched(stored, wanted, None))
        begin(progress, "Reading")
        frame = self.read(source, Reading(**reading))
        limit_threads()
        begin(progress, "Forecasting")
        frame = self._with_kept(model, frame)
        whole = admit(model, frame, new="forecast untuned").whole
        found = model.forecast(frame)
        found = replace(found, notes=(*found.notes, *earlier(whole, last_readings(self.path))))
        if safe:
            found = served(found, whole, read_filled(self.path, whole)).forecast
        return self._signed(self._watched(found, wanted, frame))

    def _watched(
        self, forecast: Forecast, wanted: tuple[str | Alert, ...], frame: SensorFrame | None
    ) -> Forecast:
        """With the alerts asked for, or the run's own."""
        if wanted:
            return forecast.with_alerts(wanted, frame)
        return replace(forecast, alerts=self.watches(forecast.sensors))

    @shows_progress
    def score(
        self,
        source: object,
        *,
        days: float | None = None,
        alerts: Iterable[str | Alert] = (),
        progress: Asked = None,
        **reading: Any,
    ) -> Scores:
        """Score the model on a source, compared with the zero-shot model and simple rules.

        Args:
            source: Its rows newer than those the model was fitted on are scored; without any, its
                last part, by a model fitted anew on what lies before.
            days: Only the last so many.
            alerts: What to be warned of; by default the alerts of the run, or the top 5 %.
            progress: Called with the stage and the share done; False shows nothing.
            reading: Options of `read`.
        """
        from citytune.evaluation import backtest

        progress = progress or None
        wanted = tuple(alerts) or self._asked
        check_alerts(wanted)
        begin(progress, "Reading")
        model, frame = self.model, self.read(source, Reading(**reading))
        limit_threads()
        frame = self._with_kept(model, frame)
        found, told = alerts_on(frame, wanted), begin(progress, "Scoring")
        return backtest(model, frame, days=days, alerts=found, progress=told)

    @shows_progress
    def update(
        self,
        source: object,
        *,
        forget: float | None = None,
        progress: Asked = None,
        **reading: Any,
    ) -> Update:
        """Let the model learn from new readings: it and the forecast are renewed, both or neither.

        Args:
            source: Ends with new rows. What the run has read before them is kept.
            forget: Half-life in days from now on; by default the model's.
            progress: Called with the stage and the share done; False shows nothing.
            reading: Options of `read`.

        Raises:
            RunError: the folder is not a whole run, or another process is writing it.
        """
        progress = progress or None
        with locked(self.path):
            seal = self._whole()
            refuse_groups(self.path, seal)
            begin(progress, "Reading")
            model, frame = self.model, self.read(source, Reading(**reading))
            limit_threads()
            whole = self._with_kept(model, frame)
            found = learn(self.path, seal, model, whole, forget, progress)
            self._is_renewed()
        return found

    def _with_kept(self, model: TunedModel, frame: SensorFrame) -> SensorFrame:
        """A source with what was kept before it, if that is as it was written."""
        found = joined(model, frame, self.path)
        if found.rows and self._seal is not None:
            self._seal.check_record(self.path)
        return found.frame

    def _signed(self, forecast: Forecast) -> Forecast:
        return replace(forecast, run=self.path.resolve().name)

    @shows_progress
    def refresh(
        self,
        source: object = None,
        *,
        by: By = "auto",
        engine: str | Engine | None = None,
        progress: Asked = None,
        **reading: Any,
    ) -> Refreshed:
        """Monday's job: verify the last forecast, learn from what is new, forecast, and report.

        Every file of the run is renewed, all or none; its record keeps forecasts and what came.

        Args:
            source: Readings up to now; by default the source that the run was made from.
            by: "update" learns from what is new, in seconds. "refit" does the whole job again, as
                the run was made. "auto" updates and, where there is a reason (the history has
                grown by a third, forecasts got worse), fits the same choice anew if that would have
                been better on the newest days.
            engine: Of a run made by groups of sensors, what does the groups; by default "local".
                Scores stay those of the run's test period, and the forecast in the answer is that
                of the sensors on its page.
            progress: Called with the stage and the share done; False shows nothing.
            reading: Options of `read`.

        Raises:
            NothingNew: the source ends where it ended before; an `InputError`.
            InputError: the source is older, or contradicts what was read before.
            RunError: the folder is not a whole run, or does not remember its source.

        Example:
            >>> ct.open_run("runs/air").refresh().raised  # doctest: +SKIP
        """
        progress = progress or None
        with locked(self.path):
            seal = self._whole()
            begin(progress, "Reading")
            given = source_of(seal, self.path) if source is None else source
            asked, model = Reading(**reading), self.model
            if is_by_groups(self.path, seal, engine):
                found = self._refresh_groups(seal, given, asked, by, engine or "local", progress)
            else:
                watches, frame = self.watches(model.sensors), self.read(given, asked)
                found = refresh(Before(self.path, seal, model, watches, frame), by, progress)
            self._is_renewed()
        return found

    def made_otherwise(self, job: Job) -> bool:
        """Whether a job has other settings or alerts than the one that made this run."""
        made = self._whole().made
        said = kept_settings(job.settings), [str(alert) for alert in job.alerts]
        return "asked" in made and (made.get("settings"), made["asked"]) != said

    def _is_renewed(self) -> None:
        for name in ("model", "_seal"):
            self.__dict__.pop(name, None)
        self._result = None

    def _whole(self) -> Seal:
        """The seal as it is now; its record is checked."""
        self._is_renewed()
        if self._seal is None:
            raise RunError(
                f"{self.path} holds a model, but it is not a run; name a folder that `citytune "
                "tune` wrote, or update the model from Python"
            )
        self._seal.check_record(self.path)
        return self._seal

    @cached_property
    def _seal(self) -> Seal | None:
        """None in the folder of a model saved by itself."""
        return seal_of(self.path)
