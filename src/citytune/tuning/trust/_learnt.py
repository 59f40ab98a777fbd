"""How far a network that was fine-tuned here takes the place of the pretrained one.

The gate asks for proof, for what it judges are choices among forecasts, most of which gain nothing.
Fine-tuning on months gains nearly everywhere, and the more the longer a history: on other cities it
was measured how much. What was seen here out of fold is weighed against that (a normal prior, as
in empirical Bayes: Efron and Morris 1975), and the share of the way is the one that is best for
what is then to be expected. An absolute error is convex, so that half-way between two forecasts is
better than the mean of their errors; by how much is seen here too. It is nearly a parabola on the
way, and the less the network gains for how far it has moved, the earlier lies its lowest point.

Seasons differ: what comes after a fit is not what its folds showed, by more than chance. That is
doubt as well, and no evidence makes it less.
"""

from __future__ import annotations

import torch
from torch import Tensor

from citytune.tuning.stacking._stack import bands
from citytune.tuning.task._task import Task
from citytune.tuning.trust._gate import Gains

YEAR_GAIN, SPREAD = 0.045, 0.035
"""Share of the error that a network tuned on a year gained on other cities over eight weeks, and
how much it varied from city to city and season to season."""
YEAR = 365.0
"""Less history gains less; of more years no more is taken for granted, for on two of four cities
three years gained nothing beyond one."""
UNSEEN, APART = 0.02, 0.02
"""Gain of a network tuned on a year that its folds, which learn from less, and less that is recent,
fail to show; and how much more than by chance that differs."""
HALF_LIFE = 30.0
"""Days after which evidence counts half: the weeks to come are most like the last ones."""
SHARED_TARGETS = 1.6
"""Times as large as that of days apart is the variance of a mean over days whose windows overlap:
gains of neighbouring days were correlated by 0.3."""
DOUBT = 0.6
"""Standard deviations of the gain to come that are taken off it, for each unit of caution."""
LEAST_MEETING = 0.005
"""Gain of half-way beyond the mean of the gains at both ends, at least: two forecasts that hardly
differ show none, and it matters little which is taken."""


def share_of(task: Task, forecasts: Tensor) -> Tensor:
    """(band, sensor) share of the way, 0 … 1, from the pretrained forecast to a learnt one.

    Every band ahead is judged by itself: most is often gained in the first steps.

    Args:
        task: Whose windows they are.
        forecasts: (example, horizon) of the learnt one, as if unseen.
    """
    home = task.forecast_of(task.prior)
    every, recency = (
        torch.ones(len(home), dtype=torch.bool),
        task.recency * 2.0 ** (-task.age / HALF_LIFE),
    )
    before, midway, after = (
        ((torch.lerp(home, forecasts, way) - task.actual) / task.scale).abs()
        for way in (0.0, 0.5, 1.0)
    )

    def share(steps: slice) -> Tensor:
        half, whole = (
            Gains.of(task, before, one, every, recency, steps) for one in (midway, after)
        )
        meeting = half.together.gain - whole.together.gain / 2
        return _share(task, whole, max(float(meeting), LEAST_MEETING))

    return torch.stack([share(slice(*band)) for band in bands(home.shape[1])])


def _share(task: Task, seen_of: Gains, meeting: float) -> Tensor:
    """(sensor,) of what was seen in one band."""
    first = task.history.first if task.memory is None else task.memory.since
    days = (task.history.end - first) / task.history.steps_per_day
    share_of_year, found = min(days / YEAR, 1.0), seen_of.by_sensor()
    usual = YEAR_GAIN * share_of_year
    certainty = 1 / (SHARED_TARGETS * found.variance + APART**2)
    seen = found.gain + UNSEEN * share_of_year
    gain = (usual / SPREAD**2 + seen * certainty) / (1 / SPREAD**2 + certainty)
    error = (1 / SPREAD**2 + certainty).rsqrt()
    caution = task.settings.caution
    if caution == 0:
        return (gain > 0).float()
    sure = gain - DOUBT * caution * error
    share = (0.5 + sure / (8 * meeting)).clamp(0.0, 1.0)
    worse = seen * certainty.sqrt() < -1  # what was seen here goes before what others gained
    return share.masked_fill(worse, 0.0).float()
