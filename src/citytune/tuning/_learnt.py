"""How far a network that was fine-tuned here takes the place of the pretrained one.

The gate asks for proof, for what it judges are choices among forecasts, most of which gain nothing.
Fine-tuning on months gains nearly everywhere, and the more the longer a history: on other cities it
was measured how much. What was seen here out of fold is weighed against that (a normal prior, as
in empirical Bayes: Efron and Morris 1975), and the share of the way is the one that is best for
what is then to be expected. Half-way between two good forecasts is better than the mean of their
errors, so that it is also where nothing is known.
"""

from __future__ import annotations

import torch
from torch import Tensor

from citytune.tuning._gate import Estimate, gains
from citytune.tuning._stack import bands
from citytune.tuning._task import Task

YEAR_GAIN, SPREAD = 0.08, 0.06
"""Share of the error that a network tuned on a year gained on other cities, and how much it varied
from city to city and season to season."""
YEAR = 365.0
"""Less history gains less; of more years no more is taken for granted, for on two of four cities
three years gained nothing beyond one."""
UNSEEN = 0.5
"""Share of it that the folds, which learn from less, and less that is recent, fail to show."""
HALF_LIFE = 30.0
"""Days after which evidence counts half: the weeks to come are most like the last ones."""
SHARED_TARGETS = 1.6
"""Times as large as that of days apart is the variance of a mean over days whose windows overlap:
gains of neighbouring days were correlated by 0.3."""
DOUBT = 0.25
"""Standard errors that are taken off the gain to expect, for each unit of caution."""
MEETING = 0.01
"""Gain of half-way beyond the mean of the gains at both ends, for each unit of caution."""


def share_of(task: Task, forecasts: Tensor) -> Tensor:
    """(band, sensor) share of the way, 0 … 1, from the pretrained forecast to a learnt one.

    Every band ahead is judged by itself: most is often gained in the first steps.

    Args:
        task: Whose windows they are.
        forecasts: (example, horizon) of the learnt one, as if unseen.
    """
    home = task.forecast_of(task.prior)
    before, after = (((one - task.actual) / task.scale).abs() for one in (home, forecasts))
    unseen, recency = torch.ones(len(before)) > 0, task.recency * 2.0 ** (-task.age / HALF_LIFE)
    parts = [slice(*band) for band in bands(before.shape[1])]
    return torch.stack(
        [_share(task, gains(task, before, after, unseen, recency, p)) for p in parts]
    )


def _share(task: Task, found: Estimate) -> Tensor:
    """(sensor,) of what was seen in one band."""
    first = task.history.first if task.memory is None else task.memory.since
    days = (task.history.end - first) / task.history.steps_per_day
    usual = YEAR_GAIN * min(days / YEAR, 1.0)
    certainty = 1 / (SHARED_TARGETS * found.variance).clamp_min(1e-9)
    seen = (found.gain + UNSEEN * usual).where(certainty > 0, torch.zeros_like(found.gain))
    gain = (usual / SPREAD**2 + seen * certainty) / (1 / SPREAD**2 + certainty)
    error = (1 / SPREAD**2 + certainty).rsqrt()
    caution = task.settings.caution
    if caution == 0:
        return (gain > 0).float()
    sure = gain - DOUBT * caution * error
    share = (0.5 + sure / (4 * MEETING * caution)).clamp(0.0, 1.0)
    worse = seen * certainty.sqrt() < -1  # what was seen here goes before what others gained
    return share.masked_fill(worse, 0.0).float()
