"""Measure every backbone at hand on the city's own windows, then strategies on the best one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from citytune._errors import MissingWeights
from citytune._progress import shows_progress
from citytune.advice._candidate import Candidate, Choice, try_backbone
from citytune.advice._curve import enough_of
from citytune.advice._decide import Decision, decide
from citytune.advice._ranking import rank, reason
from citytune.advice._recommendation import Recommendation
from citytune.advice._relevance import Relevance
from citytune.advice._warnings import warnings_of
from citytune.backbones import CROSS, at_hand, missing
from citytune.engines import Engine, opened_if
from citytune.forecasting import TunedModel
from citytune.frame import SensorFrame
from citytune.readers import framed
from citytune.settings import Progress, Settings, SpreadCall, takes_settings

ASKED = "it was asked for"


@shows_progress
@takes_settings(SpreadCall)
def recommend(
    source: object,
    settings: Settings,
    progress: Progress | None = None,
    engine: str | Engine | None = None,
) -> Recommendation:
    """Rank the backbones at hand by measuring each one here, then choose a strategy for the best.

    Every backbone is tuned by `blend` and judged by its cross-validated error. Strategies that the
    rules name are tried on the best one by successive halving, and one is taken only if it is
    clearly better than `blend`. What is tried is counted in work, not in seconds, so that the same
    data give the same answer on every machine.

    Args:
        source: What the city measured, a frame or anything that `read` takes; all of it may be
            learnt from.
        settings: Every field of `Settings` by its own name; backbone and strategy are "auto".
        progress: Called with what is being done and the share done, 0 … 1; False shows nothing.
        engine: "local", "ray", "ray://host:10001", one of `register_engine`, or an `Engine`: tries
            backbones, and histories of each length, side by side, with the same numbers. Without it
            one after the other is tried here.

    Raises:
        InputError: the horizon does not fit the frame, or the engine cannot be used.

    Example:
        >>> print(recommend(frame, horizon=24))  # doctest: +SKIP
    """
    with opened_if(engine) as used:
        return recommend_with(framed(source), settings, progress, engine=used)


def recommend_with(
    frame: SensorFrame,
    settings: Settings,
    progress: Progress | None = None,
    *,
    thorough: bool = True,
    strategies: bool = True,
    engine: Engine | None = None,
) -> Recommendation:
    """The same with settings that are already one thing.

    Args:
        frame: What the city measured.
        settings: Backbone and strategy are left open, whatever they say.
        progress: Called with what is being done and the share done, 0 … 1.
        thorough: Also compare the city with what each backbone was trained on, and draw the
            learning curve that shows whether the data are enough.
        strategies: Also try strategies on the best backbone; otherwise it is `blend`.
        engine: Tries side by side what does not wait for one another.
    """
    settings = replace(settings, strategy="auto", options={}).on(frame)
    trial = Trial(frame, settings, thorough)
    found, lacking = _try_all(trial, part_of(progress, 0.0, 0.7), engine)
    ranked = rank([one.choice for one in found])
    rows = tuple(replace(row, reason=reason(row, ranked[0])) for row in ranked)
    advice = Recommendation(rows, ranked[0].model, lacking, warnings=warnings_of(frame))
    if not strategies:
        return advice
    task = next(one.task for one in found if one.choice is ranked[0])
    told = part_of(progress, 0.7, 0.8 if thorough else 1.0)
    advice = advice.decided(decide(frame, task, advice.model, told))
    if not thorough:
        return advice
    days = len(frame) / frame.clock.steps_per_day
    return replace(advice, enough=enough_of(task, days, part_of(progress, 0.8, 1.0), engine))


def alone(model: TunedModel, decision: Decision) -> Recommendation:
    """The recommendation of a strategy for a backbone that was asked for."""
    row = Choice(model, None, Relevance.unknown(), ASKED)
    return Recommendation((row,), model, {}).decided(decision)


@dataclass(frozen=True, eq=False)
class Trial:
    """What is done to each backbone, here or on another machine."""

    frame: SensorFrame
    settings: Settings
    thorough: bool

    def __call__(self, name: str, progress: Progress | None = None) -> Candidate | str:
        """It tuned and measured, or why that could not be."""
        try:
            named = replace(self.settings, backbone=name)
            return try_backbone(self.frame, named, progress=progress, thorough=self.thorough)
        except MissingWeights as error:  # damaged files are found only when they are read
            return str(error)


def _try_all(
    trial: Trial, progress: Progress | None, engine: Engine | None
) -> tuple[list[Candidate], dict[str, str]]:
    """Every backbone at hand, tuned and measured, and why the others were not tried."""
    names = [name for name in at_hand() if not name.endswith(CROSS)]
    lacking = {name: why for name, why in missing().items() if not name.endswith(CROSS)}
    found = []
    for name, one in zip(names, _tried(trial, names, progress, engine), strict=True):
        if isinstance(one, str):
            lacking[name] = one
        else:
            found.append(one)
    return found, lacking


def _tried(
    trial: Trial, names: Sequence[str], progress: Progress | None, engine: Engine | None
) -> Iterator[Candidate | str]:
    if engine is None:
        for done, name in enumerate(names):
            part = part_of(progress, done / len(names), (done + 1) / len(names), f"{name}: ")
            yield trial(name, part)
        return
    for done, one in enumerate(engine.map(trial, names)):
        yield one
        if progress is not None:
            progress(f"{names[done]} was tried", (done + 1) / len(names))


def part_of(
    progress: Progress | None, start: float, end: float, prefix: str = ""
) -> Progress | None:
    """Progress of a stretch of the whole."""
    if progress is None:
        return None

    def tell(stage: str, share: float) -> None:
        progress(f"{prefix}{stage}", start + (end - start) * share)

    return tell
