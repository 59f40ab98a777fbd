"""Compare models, strategies and functions on the same past days: one call, one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from citytune._errors import InputError, UnknownName
from citytune._progress import Asked, shows_progress
from citytune._text import listed
from citytune.evaluation._arrays import Floats
from citytune.evaluation._backtest import seen_of
from citytune.evaluation._baselines import Baseline, baselines, choose
from citytune.evaluation._detail import Detail
from citytune.evaluation._forecasts import Forecasts, measured, predict, quantiles_of, simple_of
from citytune.evaluation._holdout import Holdout, Refit, plan
from citytune.evaluation._leaderboard import Leaderboard, leaderboard_of
from citytune.evaluation._measured import measured_of, shrunk
from citytune.evaluation._metrics import day_scale
from citytune.evaluation._origins import Moment, Origins
from citytune.evaluation._progress import Tell
from citytune.evaluation._rivals import rival
from citytune.frame import SensorFrame
from citytune.settings import Horizon, Settings, steps_of

if TYPE_CHECKING:
    from citytune.forecasting import TunedModel

Entry: TypeAlias = "TunedModel | str | Mapping[str, Any] | Callable[..., Any]"
"""A model, the name of a strategy, backbone or rival, settings by name, or a function."""
_Ready: TypeAlias = "TunedModel | Settings | Baseline"


class _Found(NamedTuple):
    point: Floats  # (origin, horizon, sensor)
    mean: Floats | None
    quantiles: Floats | None


@shows_progress
def compare(
    models: Mapping[str, Entry] | Sequence[str],
    source: object,
    *,
    horizon: Horizon | None = None,
    reference: str = "naive-week",
    days: float | None = None,
    refit: Refit = "auto",
    origins: Sequence[Moment] | None = None,
    stride: Horizon | None = None,
    windows: int | None = None,
    progress: Asked = None,
    **common: Any,
) -> Leaderboard:
    """Rank models by their error on past days, and say which differences are within noise.

    All forecast from the same moments, learn from the same rows before them, and are measured
    where each of them has a forecast, in the unit of the first model. A model that learnt until an
    earlier moment than the others is fitted anew; if it cannot be, a note says so.

    Args:
        models: Name → what to compare: a model that `tune` gave; the name of a strategy
            ("blend"), a backbone ("lags") or a rival ("naive-day", and those of
            `register_rival`); settings such as {"strategy": "lora", "options": {"rank": 8}}; or a
            function of (history, horizon) that gives (horizon, sensor). A list of names will do.
            Strategies are of `citytune-base` unless the settings name a backbone.
        source: What was measured, a frame or anything that `read` takes.
        horizon: How far ahead; not needed if one of them is a model.
        reference: Which of them, or which rival, the others are compared with.
        days: How much to score, as in `backtest`; so are `refit`, `origins`, `stride` and
            `windows`. A model that has seen the days scored is fitted anew on those before.
        refit: See `days`.
        origins: See `days`.
        stride: See `days`.
        windows: See `days`.
        progress: Called with what is being done and the share done, 0 … 1; False shows nothing.
        **common: Settings of all that are fitted here, such as `backbone`, `effort` or `seed`;
            what a model's own settings say goes before.

    Raises:
        InputError: two of them do not fit each other or the data, or a name is unknown.

    Example:
        >>> compare({"mine": my_forecast, "tuned": "blend"}, frame, horizon=24)  # doctest: +SKIP
        >>> compare(["blend", "head"], frame, horizon=24, backbone="lags")       # doctest: +SKIP
    """
    named = {name: name for name in models} if not isinstance(models, Mapping) else dict(models)
    if not named:
        raise InputError("there is nothing to compare; name at least one model")
    if reference not in named:
        choose([reference])  # which refuses what nobody knows
        named[reference] = reference
    tuned: list[Any] = [one for one in named.values() if _is_tuned(one)]
    frame, notes = _frame(tuned, source)
    steps = _horizon(tuned, horizon, frame)
    settings = _checked({**common, "horizon": steps})
    ready = {name: _ready(name, one, settings) for name, one in named.items()}
    seen = max([seen_of(model, frame) for model in tuned], default=len(frame))
    asked = Origins(origins=origins, stride=stride, windows=windows)
    refit = "auto" if refit is False and not tuned else refit
    holdout = plan(frame, horizon=steps, seen=seen, days=days, refit=refit, asked=asked)
    tell = Tell(progress or None, 2 * len(named) * len(holdout.blocks))
    late = {name: one for name, one in ready.items() if _is_behind(one, frame, holdout)}
    found = {}
    for name, one in ready.items():
        anew = holdout.refit or (name in late and refit is not False and seen_of(one, frame) > 0)
        found[name] = _ask(name, one, frame, holdout, steps, tell, anew=anew)
        if name in late:
            notes = (*notes, _said_of_late(name, one, frame, holdout, anew=anew))
    tell.end()
    return _ranked(found, frame, holdout, steps, reference, (*notes, *holdout.notes))


def _is_tuned(entry: object) -> bool:
    from citytune.forecasting import TunedModel

    return isinstance(entry, TunedModel)


def _frame(tuned: Sequence[Any], source: object) -> tuple[SensorFrame, tuple[str, ...]]:
    """What is scored, by every model's own door: unit, clock and sensors must fit them all."""
    from citytune.forecasting import admit
    from citytune.readers import framed

    if not tuned:
        return framed(source), ()
    admitted = admit(tuned[0], source, new="not scored")
    frame = measured(admitted)
    for model in tuned[1:]:
        lacking = [name for name in frame.sensors if name not in model.sensors]
        if lacking:
            raise InputError(
                "the models do not know the same sensors: one lacks "
                f"{listed(lacking, quoted=True)}; tune them on the same frame, or compare on "
                "frame.select(...) of those they share"
            )
    return frame, tuple(admitted.said)


def _is_behind(one: object, frame: SensorFrame, holdout: Holdout) -> bool:
    """Whether a model as it is has not learnt from all rows that the others learn from."""
    if holdout.refit or not _is_tuned(one):
        return False
    model: Any = one
    return bool(frame.clock.index(model.trained_until) + 1 < holdout.blocks[0].train_end)


def _said_of_late(
    name: str, model: Any, frame: SensorFrame, holdout: Holdout, *, anew: bool
) -> str:
    clock = frame.clock
    done = "fitted anew on those rows" if anew else "scored as it is"
    return (
        f"{name} learnt until {clock.text(clock.index(model.trained_until))}, before the last row "
        f"to learn from here, {clock.text(holdout.blocks[0].train_end - 1)}; it was {done}"
    )


def _horizon(tuned: Sequence[Any], asked: Horizon | None, frame: SensorFrame) -> int:
    steps = {model.spec.horizon for model in tuned}
    if asked is not None:
        steps.add(steps_of(Settings(horizon=asked).horizon, frame.clock))
    if not steps:
        raise InputError("compare needs a horizon, such as horizon=24 or '24h'")
    if len(steps) > 1:
        raise InputError(
            f"the models forecast {listed([str(one) for one in sorted(steps)])} steps; compare "
            "models of one horizon"
        )
    return int(steps.pop())


def _ready(name: str, entry: object, common: Mapping[str, Any]) -> Any:
    """A model as it is, settings to fit one by, or a rule."""
    if _is_tuned(entry):
        return entry
    if isinstance(entry, str):
        return _named(entry, common)
    if isinstance(entry, Mapping):
        return Settings(**{**common, **_checked(entry)})
    if callable(entry):
        return rival(name, entry)
    raise InputError(
        f"{name!r} is a {type(entry).__name__}, which cannot be compared; give a tuned model, the "
        "name of a strategy, backbone or rival, settings by name, or a function of (history, "
        "horizon)"
    )


def _named(name: str, common: Mapping[str, Any]) -> Any:
    from citytune.backbones import shelf
    from citytune.tuning import strategies

    if name in baselines:
        choose([name])  # which says what a rival lacks to run
        return baselines[name]
    if name in strategies:
        return Settings(**{**common, "strategy": name})
    if name in shelf():
        return Settings(**{**common, "backbone": name})
    raise UnknownName("strategy, backbone or rival", name, [*baselines, *strategies, *shelf()])


def _checked(given: Mapping[str, Any]) -> Mapping[str, Any]:
    known = Settings.__dataclass_fields__
    for name in given:
        if name not in known:
            raise UnknownName("setting of compare", str(name), known)
    return given


def _ask(
    name: str,
    ready: _Ready,
    frame: SensorFrame,
    holdout: Holdout,
    horizon: int,
    tell: Tell,
    *,
    anew: bool,
) -> _Found:
    if not (isinstance(ready, Settings) or _is_tuned(ready)):
        rule: Any = ready
        point = simple_of(name, frame, holdout, horizon, tell, rule)
        return _Found(point, None, quantiles_of(name, point, frame, holdout, tell, rule))
    found = _fit_and_predict(name, ready, frame, holdout, tell, anew=anew)
    return _Found(found.point, found.mean, found.quantiles)


def _fit_and_predict(
    name: str, ready: Any, frame: SensorFrame, holdout: Holdout, tell: Tell, *, anew: bool
) -> Forecasts:
    from citytune.forecasting import fit_with, refit

    fitted = []
    for block in holdout.blocks:
        tell.start(f"fitting {name}")
        rows = frame.until(block.train_end)
        if isinstance(ready, Settings):
            fitted.append(fit_with(rows, ready, tell.within))
        else:
            fitted.append(refit(ready, rows, progress=tell.within) if anew else ready)
        tell.finish()
    return predict(fitted, frame, holdout)


def _ranked(
    found: Mapping[str, _Found],
    frame: SensorFrame,
    holdout: Holdout,
    horizon: int,
    reference: str,
    notes: tuple[str, ...],
) -> Leaderboard:
    origins = holdout.origins
    actual = frame.values[origins[:, None] + np.arange(horizon)]
    points = {name: one.point for name, one in found.items()}
    means = {name: one.mean for name, one in found.items() if one.mean is not None}
    # Of one model only, as in a backtest: those of all are gigabytes with hundreds of sensors.
    kept = found["tuned"].quantiles if "tuned" in found else None
    none = np.empty((0, *actual.shape[1:], 0), np.float32)
    detail = Detail(actual, points, none if kept is None else kept, origins, frame, means)
    scale = day_scale(frame.values[: holdout.blocks[0].train_end], frame.clock.steps_per_day)
    models = {
        name: measured_of(detail.fair, one.point, one.quantiles, scale, one.mean)
        for name, one in found.items()
    }
    return leaderboard_of(models, detail, reference, (*notes, *shrunk(detail)))
