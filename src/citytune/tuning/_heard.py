"""What a mixture says of windows that were already passed through the backbone."""

from __future__ import annotations

import torch
from torch import Tensor

from citytune.tuning._covariates import COMPARED_RULES
from citytune.tuning._mixture import HEAD, KNOWN, Mixture, mix_in_season
from citytune.tuning._task import Task


def replay(mixture: Mixture, task: Task) -> Tensor:
    """Forecasts (example, horizon) of the task's windows; the backbone is not asked anew.

    The same as `Mixture.forecast` of closed-form strategies, but for rounding.
    """
    heard = dict(zip(task.experts, task.says.unbind(-1), strict=True))
    prior = heard[mixture.prior]
    if mixture.head is not None:
        head_data = task.head_data
        heard[HEAD] = prior + head_data.unit * task.scale * mixture.head.residual(
            head_data.features
        )
    if mixture.known is not None:
        beside = torch.stack([heard[name] for name in COMPARED_RULES], -1)
        heard[KNOWN] = mixture.known.correct(task.history, task.examples, prior, beside)
    says = torch.stack([heard[name] for name in mixture.experts], -1)
    season, sensor = task.windows.season, task.windows.sensor
    mixed = mix_in_season(season, sensor, says, mixture.weights, mixture.experts)
    return torch.lerp(prior, mixed, mixture.trust_of(sensor))
