"""Score a tuned model as if each of many past days were today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from citytune._progress import Asked, Progress, shows_progress
from citytune.engines import SIZE, Engine, check_group, opened
from citytune.evaluation._alerts import score_alert
from citytune.evaluation._arrays import Floats
from citytune.evaluation._baselines import choose
from citytune.evaluation._detail import Detail
from citytune.evaluation._forecasts import (
    Forecasts,
    Spread,
    measured,
    plain_of,
    quantiles_of,
    simple_of,
    tuned_of,
    untouched_of,
)
from citytune.evaluation._holdout import Holdout, Refit, plan
from citytune.evaluation._measured import measured_of, shrunk
from citytune.evaluation._metrics import day_scale
from citytune.evaluation._origins import Moment, Origins
from citytune.evaluation._progress import Tell
from citytune.evaluation._rare import regions
from citytune.evaluation._scores import Scores
from citytune.forecasting import alerts_of
from citytune.frame import SensorFrame
from citytune.settings import Alert, Horizon

if TYPE_CHECKING:
    from citytune.forecasting import TunedModel


@shows_progress
def backtest(
    model: TunedModel,
    source: object,
    *,
    days: float | None = None,
    refit: Refit = "auto",
    against: Sequence[str] | None = None,
    alerts: Sequence[Alert | str] | None = None,
    origins: Sequence[Moment] | None = None,
    stride: Horizon | None = None,
    windows: int | None = None,
    engine: str | Engine | None = None,
    group: int = SIZE,
    progress: Asked = None,
) -> Scores:
    """Score `model` on rows it has not seen, with the pretrained model and simple forecasts.

    Forecasts are made from many past moments (origins): one a day, or one a horizon if longer, and
    for horizons under half a day so many that every hour is seen. All rivals learn from the same
    rows as the model and are measured at the same moments.

    Args:
        model: What `tune` gave.
        source: What was measured, a frame or anything that `read` takes; the rows the model was
            fitted on may be among them. Sensors that it lacks or the model does not know are left
            out and named in `Scores.notes`.
        days: How much to score. By default every row after the model's training (at most 56 days);
            if it is refitted, the last quarter of the history, at most 14 days and at least one
            horizon.
        refit: "auto" scores the rows after the model's training if they hold at least one
            horizon; otherwise the last part is held out and the model fitted once on what lies
            before. True refits every week of the holdout; False never does, and refuses to score
            rows the model was fitted on.
        against: Names from `baselines`; by default all that can run here. The pretrained model
            without fine-tuning ("zero-shot") is always among the rivals; for one that cannot
            forecast by itself that is the best seasonal rule.
        alerts: What to be warned of: `Alert(150.0)`, or in words "pm2.5>150", "<30", "top 5%" (of
            each sensor's history before the rows scored). By default the top 5 %.
        origins: Forecast from exactly these moments: rows of the frame, or times such as
            "2024-05-01 00:00", local where the frame has a zone.
        stride: Steps, or time such as "6h", from one origin to the next.
        windows: How many forecasts, the last of which ends with the frame.
        engine: "local", "ray", "ray://host:10001", one of `register_engine`, or an `Engine`: does
            the fits of the weeks side by side, and the forecasts group by group, with the same
            numbers. Without it everything is done here, at once.
        group: With an engine: sensors that are forecast at a time.
        progress: Called with what is being done and the share done, 0 … 1; False shows nothing.

    Example:
        >>> scores = backtest(model, frame, days=7)  # doctest: +SKIP
        >>> scores.sentence("naive-week")            # doctest: +SKIP
        "On 7 test days, the tuned model's mean error was 31 % lower than that of last week's
        values."
    """
    asked_for, told = Origins(origins=origins, stride=stride, windows=windows), progress or None
    if engine is not None:
        check_group(group)
        with opened(engine) as used:
            how = Spread(used, group)
            return _backtest(model, source, days, refit, against, alerts, asked_for, told, how)
    return _backtest(model, source, days, refit, against, alerts, asked_for, told)


def _backtest(
    model: TunedModel,
    source: object,
    days: float | None,
    refit: Refit,
    against: Sequence[str] | None,
    alerts: Sequence[Alert | str] | None,
    asked_for: Origins,
    progress: Progress | None,
    spread: Spread | None = None,
) -> Scores:
    """See `backtest`."""
    from citytune.forecasting import admit

    names, notes = choose(against)
    admitted = admit(model, source, new="not scored")
    frame = measured(admitted)
    wanted = alerts_of(alerts, frame.quantity)
    horizon = model.spec.horizon
    seen = seen_of(model, frame)
    holdout = plan(frame, horizon=horizon, seen=seen, days=days, refit=refit, asked=asked_for)
    tell = Tell(progress, len(holdout.blocks) * (2 + 2 * len(names) + _refits(model)))
    asked = {"tuned": tuned_of(model, admitted, holdout, tell, spread)}
    plain = plain_of(model, frame, holdout, asked["tuned"], tell, spread)
    if plain is not None:
        asked["tuned-plain"] = plain
    untouched, why = untouched_of(model, frame, holdout, asked["tuned"], tell, spread)
    if untouched is not None:
        asked["zero-shot"] = untouched
    simple = {name: simple_of(name, frame, holdout, horizon, tell) for name in names}
    said = (*notes, *admitted.said, *why, *holdout.notes, *as_it_came(model), *model.notes)
    scores = _scores(frame, holdout, asked, simple, said, tell)
    found = tuple(score_alert(alert, scores.detail) for alert in wanted)
    tell.end()
    return replace(scores, alerts=found, anchored=model.card.horizon is None)


def _refits(model: TunedModel) -> int:
    """Fits of a block for the model without emphasis on rare values."""
    return int(model.rare is not None and model.rare.moves_fit)


def seen_of(model: TunedModel, frame: SensorFrame) -> int:
    """How many rows of `frame` lie within the model's training; 0 if none."""
    return max(0, frame.clock.index(model.trained_until) + 1)


def holdout_of(model: TunedModel, frame: SensorFrame, days: float | None = None) -> Holdout:
    """What of a frame a model is scored on as it is: rows after those that it has learnt from."""
    horizon, seen = model.spec.horizon, seen_of(model, frame)
    return plan(frame, horizon=horizon, seen=seen, days=days, refit=False)


def as_it_came(model: TunedModel) -> list[str]:
    """That what is known ahead was no forecast in a test, in a sentence; nothing without any."""
    if not model.covariates:
        return []
    names = ", ".join(model.covariates)
    return [
        f"what is known ahead ({names}) was taken as it came true; forecasts of it are less exact"
    ]


def _scores(
    frame: SensorFrame,
    holdout: Holdout,
    asked: dict[str, Forecasts],
    simple: dict[str, Floats],
    notes: tuple[str, ...],
    tell: Tell,
) -> Scores:
    points = {name: found.point for name, found in asked.items()} | simple
    origins, horizon = holdout.origins, points["tuned"].shape[1]
    actual = frame.values[origins[:, None] + np.arange(horizon)]
    means = {name: found.mean for name, found in asked.items()}
    detail = Detail(actual, points, asked["tuned"].quantiles, origins, frame, means)
    fair = detail.fair
    scale = day_scale(frame.values[: holdout.blocks[0].train_end], frame.clock.steps_per_day)
    models = {
        n: measured_of(fair, found.point, found.quantiles, scale, found.mean)
        for n, found in asked.items()
    }
    for name, point in simple.items():
        # One baseline's quantiles at a time: with hundreds of sensors they are a gigabyte together.
        quantiles = quantiles_of(name, point, frame, holdout, tell)
        models[name] = measured_of(fair, point, quantiles, scale)
    return Scores(
        models=models,
        holdout_start=frame.clock.text(int(origins[0])),
        holdout_end=frame.clock.text(int(origins[-1]) + horizon - 1),
        origins=len(origins),
        detail=detail,
        regions=regions(detail),
        refitted=holdout.refit,
        notes=(*notes, *shrunk(detail)),
    )
