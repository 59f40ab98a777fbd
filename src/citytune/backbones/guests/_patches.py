"""What networks in plain torch have in common that read patches of the past, each looking back."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from citytune.backbones._guest import Shown, SureGuest, in_patches, last_and_mean
from citytune.backbones._network import ask


class PatchGuest(SureGuest):
    """A network of patches as a backbone, of each series by itself.

    It is shown filled gaps and told which values they are. Features are what it holds of the last
    patch, and the mean over the patches.
    """

    size = 1.0
    """In what unit it is shown windows that have a spread of 1."""

    @abstractmethod
    def answer(self, values: Tensor, known: Tensor) -> Tensor:
        """Its quantiles (example, step, level) of windows (example, time) in its own unit."""

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its quantiles (example, horizon, level)."""

        def question(values: Tensor, known: Tensor) -> Tensor:
            return self.answer(self.size * values, known > 0.5)[:, :horizon] / self.size

        return ask(self.network, question, *in_patches(shown, self.parts.sizes.patch))

    def state(self, shown: Shown) -> Tensor:
        """What it holds (example, 2 · width): of the last patch, and the mean of the patches."""

        def question(values: Tensor, known: Tensor) -> Tensor:
            found, there, *_ = self.parts.states(self.size * values, known > 0.5)
            return last_and_mean(found, there)

        return ask(self.network, question, *in_patches(shown, self.parts.sizes.patch))

    @property
    def parts(self) -> Any:
        """The network, by its own names."""
        return self.network


def allowed_among(there: Tensor) -> Tensor:
    """(example, 1, patch, patch): which patches look at which, none at one that is not there.

    One that is not there looks at its like, so that it holds something, which nobody reads.
    """
    before = there.new_ones(there.shape[1], there.shape[1]).tril()
    return before & (there[:, None, None, :] == there[:, None, :, None])


def turn(heads: Tensor, angle: Tensor) -> Tensor:
    """Pairs of channels of (…, patch, channel), each turned by its angle (patch, pair).

    Su et al. 2021, RoFormer, arXiv:2104.09864.
    """
    one, two = heads.unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([one * cos - two * sin, two * cos + one * sin], -1).flatten(-2)
