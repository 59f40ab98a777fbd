"""Why a refresh compares the model with one fitted anew, which costs as much as all the rest.

In none of seven weeks that were measured was a refit better, so it is asked for a reason only:
there is much more to learn from than at the last comparison, or forecasts are worse than they were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from citytune._text import counted, number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from citytune.evaluation import Detail
    from citytune.frame import SensorFrame
    from citytune.watching import Alarm

FEWEST_DAYS, MOST_DAYS = 7, 28
"""Days that are new since the last comparison, without which there is none; so many are enough."""
GROWN = 1 / 3
"""Share by which the history has to grow until there is the next one."""
WORSE = 1.2
"""Error over that of the test period, each over that of the rules, that is a reason, …"""
FEWEST_FORECASTS = 4
"""… of so many forecasts at least."""
RULES = ("naive-day", "naive-week")


def days_until_due(history: float) -> int:
    """New days after which the model is compared without another reason.

    Args:
        history: Days that there were at the last comparison, or when the model was fitted.

    >>> [days_until_due(days) for days in (10, 60, 365)]
    [7, 20, 28]
    """
    return round(min(max(FEWEST_DAYS, GROWN * history), MOST_DAYS))


def has_grown(days: float) -> str:
    """The reason that is the usual one."""
    return f"{counted(round(days), 'day')} are new since the last time"


def unfit(alarms: Sequence[Alarm], sensors: int) -> str:
    """The reason that forecasts of many sensors alarm; empty if they do not."""
    from citytune.watching import FIT, SHARE_THAT_ALARMS

    count = len({one.sensor for one in alarms if one.kind in FIT})
    if count < max(1, SHARE_THAT_ALARMS * sensors):
        return ""
    return f"the forecasts of {counted(count, 'sensor')} are not as good as they were"


def worse(
    detail: Detail,
    frame: SensorFrame,
    rows: NDArray[np.int64],
    own: NDArray[np.float32],
    sensors: Sequence[str],
) -> str:
    """The reason that forecasts are worse than those of the test period; empty if they are not.

    They are measured against yesterday's values and against last week's, as some weeks are harder
    than others, and have to be worse by both.

    Args:
        detail: Of the test period.
        frame: What was measured since.
        rows: (origin,) first rows of forecasts of the model, …
        own: … (origin, horizon, sensor) themselves …
        sensors: … and whose they are.
    """
    import numpy as np

    from citytune.evaluation import baselines

    known = [name for name in sensors if name in detail.frame.sensors]
    rules = [name for name in RULES if name in detail.points]
    if not rules or not known or len(rows) < FEWEST_FORECASTS:
        return ""
    then = [detail.frame.sensors.index(name) for name in known]
    now = [sensors.index(name) for name in known]
    horizon, part = own.shape[1], frame.select(known)
    actual, points = part.values[rows[:, None] + np.arange(horizon)], detail.points
    grown = math.inf
    for rule in rules:
        before = _over(detail.actual, points["tuned"], points[rule], then)
        naive = baselines[rule](part, rows.tolist(), horizon, int(rows[0]))
        since = _over(actual, own[..., now], naive, range(len(known)))
        grown = min(grown, since / before) if before > 0 else math.nan
    if not grown >= WORSE:
        return ""
    return (
        "its error, over that of yesterday's and of last week's values, is at least "
        f"{number(grown, 2)} times that of the test period"
    )


def _over(
    actual: NDArray[np.float32],
    own: NDArray[np.float32],
    rule: NDArray[np.float32],
    sensors: Sequence[int],
) -> float:
    """The error of some sensors over that of a rule; NaN without any."""
    import numpy as np

    actual, own, rule = (one[..., list(sensors)] for one in (actual, own, rule))
    known = np.isfinite(actual) & np.isfinite(own) & np.isfinite(rule)
    errors = [float(np.abs(one - actual)[known].sum()) for one in (own, rule)]
    return errors[0] / errors[1] if errors[1] > 0 else math.nan
