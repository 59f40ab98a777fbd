"""What a run needs to go on: both sets of weights, the optimiser's memory, and where it was."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from citytune._errors import RunError
from citytune.pretraining._recipe import Recipe

FORMAT = 1


class Begun(NamedTuple):
    """Where a run begins."""

    step: int
    loss: float


class Checkpoint:
    """One file, replaced as a whole, so that a kill at any moment leaves the one before."""

    def __init__(self, path: Path, recipe: Recipe, fingerprint: str) -> None:
        self.path = path
        self.recipe = recipe
        self.fingerprint = fingerprint

    def save(
        self,
        step: int,
        loss: float,
        network: nn.Module,
        average: nn.Module,
        optimisers: Sequence[torch.optim.Optimizer],
    ) -> None:
        """Write where the run is."""
        state = {
            "format": FORMAT,
            "step": step,
            "loss": loss,
            "recipe": asdict(self.recipe),
            "fingerprint": self.fingerprint,
            "network": network.state_dict(),
            "average": average.state_dict(),
            "optimisers": [one.state_dict() for one in optimisers],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".part")
        torch.save(state, draft)
        os.replace(draft, self.path)

    def load(
        self,
        network: nn.Module,
        average: nn.Module,
        optimisers: Sequence[torch.optim.Optimizer],
    ) -> Begun:
        """Put the saved state in place; the start, if nothing was saved yet.

        Raises:
            RunError: what was saved is damaged, or of another recipe, corpus or version.
        """
        if not self.path.is_file():
            return Begun(0, 0.0)
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            self._check(state)
            network.load_state_dict(state["network"])
            average.load_state_dict(state["average"])
            for optimiser, memory in zip(optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(memory)
        except RunError:
            raise
        except Exception as error:
            raise RunError(
                f"{self.path} is damaged ({type(error).__name__}): delete it to begin anew"
            ) from error
        return Begun(state["step"], state["loss"])

    def _check(self, state: dict[str, object]) -> None:
        if state["format"] != FORMAT:
            raise RunError(
                f"{self.path} was written in format {state['format']}, and this citytune reads "
                f"{FORMAT}: delete it to begin anew"
            )
        before = Recipe(**state["recipe"])  # type: ignore[arg-type]
        if names := before.differs(self.recipe):
            raise RunError(
                f"{self.path.parent} holds a run of another recipe ({', '.join(names)} "
                f"{'differs' if len(names) == 1 else 'differ'}): name another folder, or use the "
                "same options to go on"
            )
        if state["fingerprint"] != self.fingerprint:
            raise RunError(
                f"{self.path.parent} holds a run on another corpus: name another folder, or the "
                "same corpus to go on"
            )
        step, recipe = int(state["step"]), self.recipe  # type: ignore[call-overload]
        if recipe.steps != before.steps and step > min(before.level_steps, recipe.level_steps):
            raise RunError(
                f"{self.path.parent} holds a run of {before.steps} steps whose rate is already "
                f"falling (step {step}): it can only be finished with --steps {before.steps}"
            )
