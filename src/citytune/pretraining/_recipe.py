"""Everything that decides what comes out of a pretraining run, apart from the corpus."""

from __future__ import annotations

from dataclasses import dataclass, fields

from citytune._errors import InputError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to pretrain; equal recipes on equal corpora give equal weights."""

    steps: int = 20_000
    """Gradient steps."""
    width: int = 192
    """Channels of a token."""
    layers: int = 4
    """Layers over all tokens."""
    heads: int = 6
    """Heads of attention."""
    rate: float = 2e-3
    """Learning rate, reached after `warm` steps and kept until the last `cool` share of them."""
    warm: int = 300
    """Steps until the full rate."""
    cool: float = 0.35
    """Share of steps in which the rate falls to nothing."""
    decay: float = 0.02
    """Weight decay."""
    average: float = 0.998
    """Memory of the running average of the weights, which is what is kept."""
    tokens: int = 4096
    """Size of a batch: examples times tokens."""
    synthetic: float = 0.2
    """Share of batches of synthetic series."""
    held: float = 0.04
    """Share of every set, its last part, that is kept for scores."""
    seed: int = 0
    """Of the initial weights and of every batch."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} must be between {low:g} and {high:g}, got {value:g}")
        if self.width % self.heads:
            raise InputError(
                f"the width must be a multiple of the heads, got {self.width} and {self.heads}"
            )

    @property
    def level_steps(self) -> int:
        """Steps before the rate begins to fall: until then, `steps` may still be changed."""
        return int(self.steps * (1 - self.cool))

    def height(self, step: int) -> float:
        """The learning rate of a step, as a share of `rate`.

        It goes up, is level, and goes down to nothing (Hägele et al. 2024).
        """
        rising = min(1.0, (step + 1) / self.warm)
        left = (self.steps - step) / max(1, self.steps - self.level_steps)
        return rising * min(1.0, left)

    def differs(self, other: Recipe) -> list[str]:
        """Names of what differs, but for the number of steps."""
        names = (field.name for field in fields(self) if field.name != "steps")
        return [name for name in names if getattr(self, name) != getattr(other, name)]


_RANGES = {
    "steps": (1, 1e9),
    "width": (8, 4096),
    "layers": (1, 64),
    "heads": (1, 64),
    "rate": (1e-7, 1.0),
    "warm": (1, 1e9),
    "cool": (0.0, 1.0),
    "decay": (0.0, 1.0),
    "average": (0.0, 0.99999),
    "tokens": (64, 1e7),
    "synthetic": (0.0, 1.0),
    "held": (0.0, 0.5),
    "seed": (0, 2**31),
}
