"""Go on learning: new rows join what a model was fitted on, whose history is not needed again."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from citytune._aside import aside
from citytune._errors import InputError
from citytune.forecasting._copula import Copula
from citytune.forecasting._door import admit, spans_of
from citytune.forecasting._fallback import short_of_history
from citytune.forecasting._past import Past, learn_copula, past_of
from citytune.forecasting._predict import below
from citytune.frame import SensorFrame
from citytune.settings import Progress
from citytune.tuning import Memory, Task, Tuned, fit, make_strategy
from citytune.windows import History

if TYPE_CHECKING:
    from citytune.forecasting._model import TunedModel


class Update(NamedTuple):
    """What came of new rows."""

    model: TunedModel
    learned: bool
    why: str = ""  # why nothing was learned
    past: Past | None = None  # what the model said of the new days before, if it was asked


def update(
    model: TunedModel,
    source: object,
    *,
    forget: float | None = None,
    progress: Progress | None = None,
) -> Update:
    """See `TunedModel.update`."""
    started = time.perf_counter()
    asked = model.settings.forget if forget is None else forget
    settings = replace(model.settings, forget=asked)
    memory = model.recall()
    unknown = "not learnt; tune anew to forecast them with the others"
    admitted = admit(model, source, covariates=memory.known_ahead, new=unknown)
    admitted.warn(3)
    frame = admitted.frame
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
    tuned, past = _fitted(task, model, frame)
    lower = below(model.quantity.low, frame)
    new = replace(
        model,
        clock=frame.clock,
        trained_until=frame.clock.moments(len(frame) - 1, 1)[0],
        tuned=tuned,
        covariates=memory.known_ahead if tuned.looks_ahead(model.backbone) else (),
        fallback=short_of_history(frame, model.spec),
        seconds={"update": time.perf_counter() - started},
        settings=settings,
        memory=task.remember(memory.known_ahead),
        below=tuple({**dict.fromkeys(model.below), **dict.fromkeys(lower)}),
        learnt=_learnt(model, frame),
        copula=_copula(model, frame, past),
    )
    return Update(new, learned=True, past=past)


def _fitted(task: Task, model: TunedModel, frame: SensorFrame) -> tuple[Tuned, Past | None]:
    """What is learnt, and what the model said of the new days, which is asked at the same time."""
    strategy = make_strategy(model.strategy, task.settings.options)
    if model.copula is None:  # nor would the errors of a few days be one
        return fit(task, strategy), None
    with aside(lambda _: fit(replace(task, progress=None), strategy)) as fitted:
        past = past_of(model, frame, after=model.trained_until, progress=task.progress)
    return fitted.result(), past


def _copula(model: TunedModel, frame: SensorFrame, past: Past | None) -> Copula | None:
    """With the errors of the model as it was, on rows that are new to it."""
    if model.copula is None or past is None:
        return model.copula
    new = learn_copula(model, frame, past=past)
    return model.copula if new is None else model.copula.then(new)


def _learnt(model: TunedModel, frame: SensorFrame) -> dict[str, tuple[float, float]]:
    """The ranges that were learnt from, before and now."""
    found = dict(model.learnt)
    for name, (low, high) in spans_of(frame).items():
        before = found.get(name, (low, high))
        found[name] = min(low, before[0]), max(high, before[1])
    return found


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
