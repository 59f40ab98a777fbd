"""What every tracker does: listen while a model is made, and note what came of it."""

from __future__ import annotations

import math
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import fields
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Self

from citytune._errors import CitytuneError, InputError
from citytune.evaluation import Leaderboard, Scores
from citytune.forecasting import TunedModel
from citytune.runs import Run
from citytune.settings import Settings
from citytune.training import listening

STEP = 0.01
"""Progress is noted when it has grown by so much, or when the stage changes."""


class Tracker(ABC):
    """Notes of a fit; used in a `with` block, and given as `progress` to what takes it.

    What cannot be noted, as a server is down, is left out with one warning of each kind, and never
    ends the fit. Parameters of a second model are noted as `2/strategy`, and so on.

    Inside the block every epoch of gradient steps is noted as `fit/loss` and `fit/held`, the losses
    on training and held-back data; several trainings of a fit follow each other.
    """

    def __init__(self) -> None:
        self._stack: ExitStack | None = None
        self._lock = Lock()
        self._epochs, self._last = 0, ("", -1.0)
        self._warned: set[str] = set()
        self._failures, self._skipped = 0, 0
        self._models: list[dict[str, str]] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._begin()
            stack.enter_context(listening(self._epoch))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._stack is not None:
            self._stack.close()
            self._stack = None
        self._guarded("the end", lambda: self._finish(failed=kind is not None))

    def __call__(self, stage: str, share: float) -> None:
        """Note how far the work is, 0 … 1; what `progress=` expects."""
        self._check_open()
        with self._lock:
            before, done = self._last
            if stage == before and done <= share < min(1.0, done + STEP):
                return
            self._last = stage, share
            self._passing("progress", lambda: self._progress(stage, share, stage != before))

    def log(self, *things: object) -> None:
        """Note models, scores, leaderboards and runs: parameters, metrics, the report.

        Raises:
            InputError: one of them is none of these.
        """
        self._check_open()
        for thing in things:
            match thing:
                case TunedModel():
                    self._parameters(thing)
                case Scores():
                    self._errors(thing.models)
                case Leaderboard():
                    names = ("mae", "rmse", "ratio", "p_value")
                    self._errors(
                        {s.model: {n: getattr(s, n) for n in names} for s in thing.standings}
                    )
                case Run():
                    self._parameters(thing.model, run=str(thing.path))
                    self._errors((thing.scores or {}).get("models", {}))
                    self._guarded("the report", partial(self._artifact, thing.report))
                case _:
                    raise InputError(
                        f"a {type(thing).__name__} cannot be logged; give a TunedModel, Scores, a "
                        "Leaderboard or a Run"
                    )

    def _errors(self, models: Mapping[str, Mapping[str, float | None]]) -> None:
        found = {
            f"{plain_name(model)}/{metric}": float(value)
            for model, errors in models.items()
            for metric, value in errors.items()
            if value is not None and math.isfinite(value)
        }
        self._guarded("errors", lambda: self._metrics(found, step=0))

    def _parameters(self, model: TunedModel, **more: str) -> None:
        """Note a model's parameters; those of a further model have its number in front."""
        params = params_of(model)
        if params not in self._models:
            self._models.append(params)
        number = self._models.index(params) + 1
        prefix = "" if number == 1 else f"{number}/"
        said = {f"{prefix}{name}": value for name, value in (params | more).items()}
        self._guarded("parameters", lambda: self._params(said))

    def _progress(self, stage: str, share: float, new: bool) -> None:
        self._metrics({"progress": share}, step=round(100 * share))
        if new:
            self._stage(stage)

    def _epoch(self, training: int, epoch: int, loss: float, held: float) -> None:
        with self._lock:
            self._epochs += 1
            found = {"fit/loss": loss, "fit/held": held, "fit/training": float(training)}
            known = {name: value for name, value in found.items() if math.isfinite(value)}
            self._passing("losses", lambda: self._metrics(known, step=self._epochs))

    def _passing(self, what: str, note: Callable[[], None]) -> None:
        """Note what comes again and again; where that fails, ever more are left out between tries.

        Otherwise every epoch would wait for a server that does not answer.
        """
        if self._skipped < self._failures - 1:
            self._skipped += 1
            return
        self._skipped = 0
        self._failures = 0 if self._guarded(what, note) else self._failures + 1

    def _guarded(self, what: str, note: Callable[[], None]) -> bool:
        """Note something; whether that went well."""
        try:
            note()
        except Exception as error:  # noqa: BLE001 - of whatever kind, it must not cost the fit
            if what not in self._warned:
                self._warned.add(what)
                name, reason = type(self).__name__, " ".join(str(error).split())[:200]
                warnings.warn(
                    f"{name} could not note {what} ({type(error).__name__}: {reason}); the fit "
                    "goes on without",
                    stacklevel=3,
                )
            return False
        return True

    def _check_open(self) -> None:
        if self._stack is None:
            name = type(self).__name__
            raise CitytuneError(f"{name} notes nothing outside of its block: with {name}(...) as t")

    @abstractmethod
    def _begin(self) -> None:
        """Open whatever is written to."""

    @abstractmethod
    def _finish(self, *, failed: bool) -> None:
        """Close it."""

    @abstractmethod
    def _params(self, params: Mapping[str, str]) -> None:
        """Note parameters."""

    @abstractmethod
    def _metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Note numbers at a step."""

    @abstractmethod
    def _stage(self, stage: str) -> None:
        """Note what is being done."""

    @abstractmethod
    def _artifact(self, path: Path) -> None:
        """Keep a file."""


def params_of(model: TunedModel) -> dict[str, str]:
    """What a model was made with, in words."""
    settings = {one.name: str(getattr(model.settings, one.name)) for one in fields(Settings)}
    return settings | {
        "backbone": model.card.name,
        "strategy": model.strategy,
        "quantity": str(model.quantity),
        "sensors": str(len(model.sensors)),
        "step": model.clock.freq,
        "trained_until": str(model.trained_until),
    }


def plain_name(name: str) -> str:
    """A model's name with letters that every tracker takes."""
    return re.sub(r"[^\w\-. ]", "_", name)
