"""`zero-shot`: nothing moves; the pretrained model's own forecast."""

from __future__ import annotations

from dataclasses import dataclass

from citytune.tuning._mixture import Mixture
from citytune.tuning._strategy import Learned, strategies
from citytune.tuning._task import Task


@dataclass(frozen=True, kw_only=True)
class ZeroShot:
    """The pretrained model untouched; for one that cannot forecast, the best seasonal rule."""

    def fit(self, task: Task) -> Learned:
        """Learn nothing but how wide its intervals must be."""
        mixture = Mixture.of_one(task.prior, task.prior, task.spec.horizon)
        return Learned(mixture, task.said_by(task.prior))


strategies.add("zero-shot", ZeroShot)
