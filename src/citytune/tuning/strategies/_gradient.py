"""Fine-tune by gradient steps: a strategy says which weights are trained, the rest is here.

Every such strategy minimises Σ loss(y, f(x; θ, φ)) + λ‖φ − φ₀‖² over its own φ. A network that
gives quantiles is tuned by the loss that it was pretrained with, on all of the history
(`cross_fit`). Any other is trained once for each of a few purged folds, for forecasts as if unseen,
and then on everything; how far to go from the pretrained weights toward the tuned ones is chosen
out of fold (`FineTuned.toward_pretrained`). What comes of it is one expert among others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch

from citytune._errors import InputError
from citytune.backbones import CROSS, Backbone, reads_together
from citytune.training import Group
from citytune.tuning.experts._expert import Candidate
from citytune.tuning.experts._finetuned import FineTuned
from citytune.tuning.experts._lens import PLAIN
from citytune.tuning.strategies._blend import Blend
from citytune.tuning.strategies._cross_fit import Plan, can_cross_fit, cross_fit
from citytune.tuning.strategies._fold_fit import NO_GAIN, TOO_FEW_WINDOWS, FoldFit
from citytune.tuning.strategies._strategy import Learned, alone, once
from citytune.tuning.strategies._trainable import Trainable
from citytune.tuning.task._task import Task
from citytune.tuning.trust._learnt import share_of

Lens = Literal["plain", "squashed", "squashed-minus-week", "squashed-minus-kind"]


@dataclass(frozen=True, kw_only=True)
class GradientStrategy:
    """Options of every strategy that moves weights of the network itself."""

    stack: bool = True
    """Whether the forecast enters the blend's stack and so stays safe; otherwise it is alone."""
    interpolate: bool = True
    """Whether to go back toward the pretrained weights as far as the folds say (WiSE-FT)."""
    lens: Lens = "plain"
    """How the series is shown to the network."""
    loss: Literal["own", "mae", "mse"] = "own"
    """Of errors in units of each sensor's usual spread; by default the network's own, the pinball
    loss of its quantiles in units of each window's spread, and "mae" for one without quantiles."""
    epochs: int | None = None
    """Most passes over the windows; by default 1, or 2 where there are few windows; without
    quantiles 8."""
    batch: int = 64
    """Windows a step."""
    rate: float | None = None
    """Highest learning rate; by default 8e-4, without quantiles found by a range test."""
    weight_decay: float = 0.0
    """λ of ‖φ‖²."""
    l2_sp: float | None = None
    """λ of ‖φ − φ₀‖², the distance to the pretrained weights (Xuhong et al. 2018); by default 0,
    without quantiles 0.01."""
    patience: int = 3
    """Epochs without gain, on the most recent windows, after which training stops; without
    quantiles only."""
    windows: int | None = None
    """Most windows to learn from; by default as many as the effort allows, without quantiles
    1,000."""
    folds: int | None = None
    """Purged folds; by default 2 or 3."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience", "windows"):
            if (getattr(self, name) or 0) < 1 and getattr(self, name) is not None:
                raise InputError(f"option {name!r} must be at least 1, got {getattr(self, name)}")
        if self.folds is not None and self.folds < 2:
            raise InputError(f"option 'folds' must be at least 2, got {self.folds}")
        if self.rate is not None and not self.rate > 0:
            raise InputError(f"option 'rate' must be positive, got {self.rate}")
        for name in ("weight_decay", "l2_sp"):
            if not (getattr(self, name) or 0) >= 0:
                raise InputError(f"option {name!r} must be at least 0, got {getattr(self, name)}")

    def phases(self, trainable: Trainable, seed: int) -> list[list[Group]]:
        """The weights that move, phase after phase; most strategies have one."""
        raise NotImplementedError

    def cannot(self, backbone: Backbone) -> str:
        """Why this strategy cannot tune `backbone`; empty if it can."""
        if reads_together(backbone):
            other = backbone.card.name.removesuffix(CROSS)
            return f"it reads all sensors together; tune {other!r}, which reads each by itself"
        return "it has no weights to move" if not list(backbone.blocks()) else ""

    def closed_form(self) -> bool:
        """Whether a head in closed form comes first."""
        return False

    def fit(self, task: Task) -> Learned:
        """Train on folds and on everything, then let the stack weigh what comes of it.

        Weights that an earlier fit has changed stay as they are.
        """
        if task.memory is not None:
            return self._learned(task, list(FineTuned.fit(task)))
        if self.loss == "own" and self.lens == PLAIN and can_cross_fit(task):
            found, notes = self._cross_fitted(task)
        else:
            found, notes = FoldFit(self, task).candidates()
        for candidate in found:
            task.note(candidate.expert.name, candidate.out_of_fold, candidate.deviations)
        learned = self._learned(task, found)
        return learned._replace(notes=(*once(notes), *learned.notes))

    def _cross_fitted(self, task: Task) -> tuple[list[Candidate], list[str]]:
        """Tuned by the network's own loss; alone, as far as its gains justify."""
        found, notes = cross_fit(task, self._plan(task), self.phases)
        if not found:
            few = TOO_FEW_WINDOWS.format(windows=len(task.examples), days=task.days)
            return [], [*notes, few]
        if self.stack or not self.interpolate:
            return found, notes
        share = float(share_of(task, found[0].out_of_fold).mean())
        return ([_part_way(task, found[0], share)], notes) if share else ([], [*notes, NO_GAIN])

    def _plan(self, task: Task) -> Plan:
        said = {
            "passes": self.epochs,
            "windows": self.windows,
            "folds": self.folds,
            "rate": self.rate,
            "l2_sp": self.l2_sp,
            "weight_decay": self.weight_decay or None,
        }
        known = {name: value for name, value in said.items() if value is not None}
        return replace(Plan.of(task), batch=self.batch, **known)  # type: ignore[arg-type]

    def _learned(self, task: Task, found: list[Candidate]) -> Learned:
        if self.stack:
            return Blend(fine_tune=False).fit(task, found)
        if not found:
            return Learned(alone(task), task.forecast_of(task.prior))
        one = found[0]
        return Learned(alone(task, one.expert), one.out_of_fold, deviations=one.deviations)


def _part_way(task: Task, found: Candidate, share: float) -> Candidate:
    """A fine-tuned network part of the way only; on it forecasts lie nearly on a line."""
    assert isinstance(found.expert, FineTuned), "so it was made"
    assert found.deviations is not None, "as above"
    assert task.deviations is not None, "as above"
    return Candidate(
        found.expert.toward_pretrained(task.backbone, share),
        torch.lerp(task.forecast_of(task.prior), found.out_of_fold, share),
        torch.lerp(task.deviations, found.deviations, share),
    )
