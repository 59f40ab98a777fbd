"""Go on learning: new rows join what a model was fitted on, whose history is not needed again."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from citytune._errors import InputError, RunError
from citytune.forecasting._model import TunedModel, short_of_history
from citytune.frame import SensorFrame
from citytune.settings import Progress
from citytune.tuning import COVARIATES, Memory, Task, fit, make_strategy
from citytune.windows import History


class Update(NamedTuple):
    """What came of new rows."""

    model: TunedModel
    learned: bool
    why: str = ""  # why nothing was learned


def update(
    model: TunedModel,
    frame: SensorFrame,
    *,
    forget: float | None = None,
    progress: Progress | None = None,
) -> Update:
    """See `TunedModel.update`."""
    started = time.perf_counter()
    asked = model.settings.forget if forget is None else forget
    settings = replace(model.settings, forget=asked)
    memory = model.recall()
    frame = _alike(model.fitting(frame), model, memory)
    if frame.clock.number(len(frame)) <= memory.until:
        return Update(
            model,
            learned=False,
            why=f"{frame.source} has no rows after {_text(model, memory.until - 1)}, the last one "
            "that the model was fitted on, so it is left as it is",
        )
    task = Task(
        backbone=model.backbone,
        history=History.of(_recent(frame, model, memory), ahead=model.spec.horizon),
        spec=model.spec,
        settings=settings,
        progress=progress,
        memory=memory,
        earlier=model.tuned.mixture.experts,
    )
    tuned = fit(task, make_strategy(model.strategy, settings.options))
    new = replace(
        model,
        clock=frame.clock,
        trained_until=frame.clock.moments(len(frame) - 1, 1)[0],
        tuned=tuned,
        covariates=memory.known_ahead if tuned.mixture.uses(COVARIATES) else (),
        fallback=short_of_history(frame, model.spec),
        seconds={"update": time.perf_counter() - started},
        settings=settings,
        memory=task.remember(memory.known_ahead),
    )
    return Update(new, learned=True)


def _alike(frame: SensorFrame, model: TunedModel, memory: Memory) -> SensorFrame:
    """The frame with the covariates of the first fit, or an error that says why not."""
    clock, own = frame.clock, model.clock
    if clock.timezone != own.timezone or (_micros(clock.start) - _micros(own.start)) % _micros(
        clock.step
    ):
        raise RunError(
            f"{frame.source} is on another clock than the model ({clock.timezone or 'no zone'} "
            f"from {clock.text(0)}; the model: {own.timezone or 'no zone'} from {own.text(0)}); "
            "read it with the same time zone, or tune anew"
        )
    if lacking := [name for name in memory.known_ahead if name not in frame.covariates]:
        raise InputError(
            f"the model was fitted with {', '.join(map(repr, lacking))} known ahead, and "
            f"{frame.source} was read without; pass covariates={lacking!r}"
        )
    return replace(frame, covariates={name: frame.covariates[name] for name in memory.known_ahead})


def _recent(frame: SensorFrame, model: TunedModel, memory: Memory) -> SensorFrame:
    """The rows that new windows look at; an error if the frame does not hold them."""
    needed = memory.after(model.spec) + 1 - model.reach
    first = needed - frame.clock.number(0)
    if first < 0 and frame.clock.number(0) > memory.since:
        raise InputError(
            f"{frame.source} begins at {frame.clock.text(0)}; to go on learning from where the "
            f"model stopped, at {_text(model, memory.until - 1)}, it must reach back to "
            f"{_text(model, max(needed, memory.since))}; give it with those rows, or tune anew"
        )
    return frame.since(max(0, first))


def _text(model: TunedModel, step: int) -> str:
    return model.clock.text(step - model.clock.number(0))


def _micros(of: object) -> int:
    kind = "datetime64[us]" if hasattr(of, "year") else "timedelta64[us]"
    return int(np.asarray(of, kind).astype(np.int64))
