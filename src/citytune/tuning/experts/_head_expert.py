"""The head expert: the prior, corrected by a new last layer on the frozen features."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from citytune.tuning.closed_form._head import Head, fit_head
from citytune.tuning.examples._batch import FEATURES, Batch
from citytune.tuning.experts._expert import Candidate, Expert, register

if TYPE_CHECKING:
    from citytune.tuning.task._task import Task


@dataclass(frozen=True, eq=False)
class HeadExpert(Expert):
    """The prior, corrected from what the frozen network sees."""

    many_weights: ClassVar[bool] = True

    prior: str
    head: Head

    @property
    def name(self) -> str:
        """Of the kind; there is one."""
        return "head"

    @property
    def words(self) -> str:
        """What corrects."""
        return "the new last layer on the model's features"

    @property
    def needs(self) -> tuple[str, ...]:
        """What it corrects, and the features."""
        return (self.prior, FEATURES)

    def forecast(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """Correct the prior."""
        return so_far[self.prior] + batch.window_spread * self.head.residual(batch.features)

    @classmethod
    def fit(cls, task: Task) -> Iterable[Candidate]:
        """Where a head helps, beyond one standard error."""
        if not task.teachable:
            warnings.warn(
                f"the model knows {task.days:.0f} days by now, from which a new last layer could "
                "be learnt as well, but it does not remember enough of them; tune anew to have it",
                stacklevel=2,
            )
            return
        head, residual = fit_head(task.head_data, horizon=task.spec.horizon)
        if head.penalty < torch.inf:
            yield cls.candidate(task, head, residual)

    @classmethod
    def candidate(cls, task: Task, head: Head, residual: Tensor) -> Candidate:
        """A head that was fitted, and its corrections (example, horizon) in spreads of windows."""
        return Candidate(cls(task.prior, head), task.corrected(residual))


register("head", HeadExpert)
