"""What a run needs to go on: both sets of weights, the optimiser's memory, and where it was."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from citytune._errors import RunError
from citytune.pretraining._recipe import Recipe
from citytune.pretraining._write import replacing

FORMAT = 1


class Begun(NamedTuple):
    """Where a run begins."""

    step: int
    loss: float


class Checkpoint:
    """One file, replaced as a whole, so that a kill at any moment leaves the one before.

    Args:
        path: Of the file.
        recipe: Of the run; one of another is refused, but for the number of steps.
        fingerprint: Of the corpus.
        weights: Set → how often it is drawn.
        start: Fingerprint of the network the run began from; empty for fresh weights.
    """

    def __init__(
        self,
        path: Path,
        recipe: Recipe,
        fingerprint: str = "",
        weights: Mapping[str, float] | None = None,
        start: str = "",
    ) -> None:
        self.path = path
        self.recipe = recipe
        self.fingerprint = fingerprint
        self.weights = dict(weights or {})
        self.start = start

    def step(self) -> int:
        """Steps done; 0 if nothing was saved yet. Whether the corpus is the same is not asked.

        Raises:
            RunError: what was saved is damaged, or of another recipe or version.
        """
        if not self.path.is_file():
            return 0
        state = self._read()
        with self._suspicious():
            self._check_recipe(state)
            return int(state["step"])

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
            "weights": self.weights,
            "start": self.start,
            "network": network.state_dict(),
            "average": average.state_dict(),
            "optimisers": [one.state_dict() for one in optimisers],
        }
        # Through a file of our own, so that a full disk is named as one.
        with replacing(self.path) as draft, draft.open("wb") as file:
            torch.save(state, file)

    def load(
        self,
        network: nn.Module,
        average: nn.Module,
        optimisers: Sequence[torch.optim.Optimizer],
    ) -> Begun:
        """Put the saved state in place; the start, if nothing was saved yet.

        Raises:
            RunError: what was saved is damaged, or of another recipe, corpus, start or version.
        """
        if not self.path.is_file():
            return Begun(0, 0.0)
        state = self._read()
        with self._suspicious():
            self._check_recipe(state)
            self._check_ground(state)
            network.load_state_dict(state["network"])
            average.load_state_dict(state["average"])
            for optimiser, memory in zip(optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(memory)
            return Begun(state["step"], state["loss"])

    def _read(self) -> dict[str, Any]:
        with self._suspicious():
            with zipfile.ZipFile(self.path) as file:
                if broken := file.testzip():  # torch reads on over flipped bits
                    raise ValueError(f"{broken} is not what was written")
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            if state["format"] == FORMAT:
                return dict(state)
        raise RunError(
            f"{self.path} was written in format {state['format']}, and this citytune reads "
            f"{FORMAT}: delete it to begin anew"
        )

    @contextmanager
    def _suspicious(self) -> Iterator[None]:
        """Whatever goes wrong in here, the file is damaged."""
        try:
            yield
        except (RunError, OSError):
            raise
        except Exception as error:
            raise RunError(
                f"{self.path} is damaged ({type(error).__name__}): delete it to begin anew"
            ) from error

    def _check_recipe(self, state: Mapping[str, Any]) -> None:
        before = Recipe(**state["recipe"])
        if names := before.differs(self.recipe):
            raise RunError(
                f"{self.path.parent} holds a run of another recipe ({', '.join(names)} "
                f"{'differs' if len(names) == 1 else 'differ'}): name another folder, or use the "
                "same options to go on"
            )
        step, recipe = int(state["step"]), self.recipe
        if recipe.steps != before.steps and step > min(before.level_steps, recipe.level_steps):
            raise RunError(
                f"{self.path.parent} holds a run of {before.steps} steps whose rate is already "
                f"falling (step {step}): it can only be finished with --steps {before.steps}"
            )

    def _check_ground(self, state: Mapping[str, Any]) -> None:
        """Refuse another corpus, or another network to begin from."""
        weights = state.get("weights", self.weights)
        if (state["fingerprint"], weights) != (self.fingerprint, self.weights):
            raise RunError(
                f"{self.path.parent} holds a run on another corpus: name another folder, or the "
                "same corpus to go on"
            )
        if state.get("start", self.start) != self.start:
            raise RunError(
                f"{self.path.parent} holds a run that began from another network: name another "
                "folder, or the same network to go on"
            )
