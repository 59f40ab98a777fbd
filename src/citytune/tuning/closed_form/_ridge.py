"""The article's objective with a linear head, minimised exactly, for every λ at once.

For frozen features φ(x) and a squared loss, Σ w‖r − Wᵀφ‖² + λ‖W‖² is a ridge regression (Hoerl
and Kennard 1970). Its sufficient statistics add up over windows, sensors, days and machines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Statistics(NamedTuple):
    """What a ridge is solved from; add two of them to learn from both."""

    gram: Tensor  # (feature, feature) Σ w φφᵀ
    cross: Tensor  # (feature, target) Σ w φ rᵀ
    power: Tensor  # (target,) Σ w r²

    @classmethod
    def of(cls, features: Tensor, residual: Tensor, weight: Tensor) -> Statistics:
        """Statistics of examples: features (example, feature), residual (example, target)."""
        weighted = features * weight[:, None]
        return cls(
            weighted.T @ features,
            weighted.T @ residual,
            (residual.square() * weight[:, None]).sum(0),
        )

    def objective(self, head: Tensor, penalty: float) -> float:
        """Σ w‖r − Wᵀφ‖² + λ‖W‖² of a head (feature, target)."""
        fit = self.power.sum() - 2 * (head * self.cross).sum() + (head * (self.gram @ head)).sum()
        return float(fit + penalty * head.square().sum())


@dataclass(frozen=True, eq=False)
class RidgePath:
    """The minimiser as a function of λ."""

    values: Tensor  # (feature,) eigenvalues of the Gram matrix
    vectors: Tensor  # (feature, feature)
    loads: Tensor  # (feature, target), `cross` in the eigenvectors' basis

    @classmethod
    def of(cls, statistics: Statistics) -> RidgePath:
        """One eigendecomposition, after which every λ costs a multiplication."""
        values, vectors = torch.linalg.eigh(statistics.gram)
        return cls(values.clamp_min(0.0), vectors, vectors.T @ statistics.cross)

    def head(self, penalty: float) -> Tensor:
        """The exact minimiser (feature, target) for λ = `penalty`."""
        return self.vectors @ (self.loads / (self.values + penalty)[:, None])
