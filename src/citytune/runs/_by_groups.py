"""What a run does group by group: forecast or score more sensors than fit into memory at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citytune._errors import RunError
from citytune.engines import SIZE, Engine, How, check_engine, opened
from citytune.runs._job import check_alerts, limit_threads
from citytune.runs._progress import Asked, Progress, shows_progress
from citytune.runs._reading import Reading

if TYPE_CHECKING:
    from citytune.evaluation import Alert, GroupScores
    from citytune.forecasting import TunedModel
    from citytune.runs._folder import Seal
    from citytune.runs._refresh import By, Refreshed
    from citytune.runs.groups import Written


def refuse_groups(path: Path, seal: Seal) -> None:
    """A run by groups is refreshed, which renews all of it, and not updated."""
    if "groups" in seal.made:
        raise RunError(
            f"{path} was made by groups of sensors, whose model is not updated by itself; renew "
            f"all of it: citytune refresh {path} FILE"
        )


def is_by_groups(path: Path, seal: Seal, engine: str | Engine | None) -> bool:
    """Whether a run was made by groups; an engine is refused where it was not."""
    if "groups" in seal.made:
        check_engine(engine or "local")
        return True
    if engine is not None:
        raise RunError(
            f"{path} was made at once and not by groups of sensors, so it is refreshed at once, "
            "too; leave engine= (--engine) out, or tune anew with it"
        )
    return False


class ByGroups(ABC):
    """The part of a `Run` that works on groups of sensors."""

    path: Path

    @property
    @abstractmethod
    def model(self) -> TunedModel:
        """The model, fitted on everything."""

    @property
    @abstractmethod
    def _seal(self) -> Seal | None: ...

    @shows_progress
    def forecast_into(
        self,
        source: object,
        out: str | Path,
        *,
        engine: str | Engine = "local",
        group: int = SIZE,
        alerts: Iterable[str | Alert] = (),
        overwrite: bool = False,
        progress: Asked = None,
        **reading: Any,
    ) -> Written:
        """Forecast into a folder of Parquet, group by group; memory holds one group at a time.

        The numbers are those of `forecast`. Each group reads its own part of the source; what
        cannot be read is named in the answer's `bad`, and the rest is forecast.

        Args:
            source: A folder of Parquet, or its address such as "s3://bucket/loops/": files as they
                come, or folders such as `sensor=A17/`, of which each group opens but its own. Other
                sources are read as a whole.
            out: Folder to write, or its address.
            engine: "local", "ray" for all cores of this machine or the cluster that `RAY_ADDRESS`
                names, "ray://host:10001", one of `register_engine`, or an `Engine`.
            group: Sensors that are read and forecast at a time.
            alerts: What to be warned of; by default those that the run was asked for.
            overwrite: Whether an earlier forecast there may be replaced.
            progress: Called with the stage and the share done; False shows nothing.
            reading: Options of `read`.

        Raises:
            InputError: no file can be used, the place is taken, or the engine cannot be had.

        Example:
            >>> run.forecast_into("s3://city/loops/", "forecast", engine="ray")  # doctest: +SKIP
        """
        from citytune.runs.groups import AlertsOf, check_place, forecast_groups, grouped, replacing

        progress = progress or None
        wanted = tuple(alerts) or self._asked
        check_alerts(wanted)
        check_engine(engine)
        check_place(out, overwrite=overwrite, source=source)
        limit_threads()
        with opened(engine) as used:
            with self._like_own(source, reading) as asked:
                laid = grouped(source, asked, used, group, progress).informed(used, progress)
            with replacing(out, overwrite=overwrite) as place:
                found = forecast_groups(
                    self.model, laid, used, place, run=self.path.resolve().name,
                    alerts=AlertsOf(wanted), progress=progress,
                )  # fmt: skip
        return replace(found, path=str(out))

    @shows_progress
    def score_groups(
        self,
        source: object,
        *,
        engine: str | Engine = "local",
        group: int = SIZE,
        days: float | None = None,
        progress: Asked = None,
        **reading: Any,
    ) -> GroupScores:
        """Score the model on rows newer than those it was fitted on, group by group.

        The numbers are those of `score`, for the models that can be compared so. Readings are held
        as four bytes each; everything else is of one group at a time.

        Args:
            source: As for `forecast_into`; so are `engine` and `group`.
            engine: See there.
            group: See there.
            days: Only the last so many.
            progress: Called with the stage and the share done; False shows nothing.
            reading: Options of `read`.

        Raises:
            InputError: the source has too few rows that the model has not learnt from.
        """
        from citytune.runs.groups import grouped, score_groups

        progress = progress or None
        check_engine(engine)
        limit_threads()
        with opened(engine) as used:
            with self._like_own(source, reading) as asked:
                frame = grouped(source, asked, used, group, progress).whole(used, progress)
            return score_groups(self.model, frame, used, group, days=days, progress=progress)

    def _refresh_groups(
        self,
        seal: Seal,
        source: object,
        asked: Reading,
        by: By,
        engine: str | Engine,
        progress: Progress | None,
    ) -> Refreshed:
        """See `Run.refresh`; the run is locked."""
        from citytune.runs.groups import Old, group_of, refresh_groups

        old, how = Old(self.path, seal, self.model), How(engine, group_of(seal))
        with asked.like_run(source, seal.reading, self.path) as reading:
            return refresh_groups(old, source, reading, by, how, progress)

    def _like_own(
        self, source: object, reading: Mapping[str, Any]
    ) -> AbstractContextManager[Reading]:
        """How a source is read: as the run's own was, where `reading` says nothing else."""
        kept = None if self._seal is None else self._seal.reading
        return Reading(**reading).like_run(source, kept, self.path)

    @property
    def _asked(self) -> tuple[str, ...]:
        """The alerts that the run was asked for."""
        return () if self._seal is None else tuple(self._seal.made.get("asked", ()))
