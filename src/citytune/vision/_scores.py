"""How good a model of pictures is on groups it has not learnt from, and against what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from citytune._text import number, percent
from citytune.tuning import LEVELS
from citytune.vision._learn import CrossFit, Examples
from citytune.vision._target import Target

ALIKE = 0.05
"""Share of an error by which another must be less before that tells anything."""


@dataclass(frozen=True)
class GroupScore:
    """One group that was left out."""

    group: str
    pictures: int
    errors: Mapping[str, float]
    """Model → its error."""


@dataclass(frozen=True)
class VisionScores:
    """Errors on groups that were left out: a clip, or a camera's day, never single pictures.

    Of numbers they are mean absolute errors in the unit of the data, of classes shares of wrong
    ones. "tuned" is what the model answers; "network" is the same without the gate.
    """

    target: str
    kind: str
    pictures: int
    errors: Mapping[str, float]
    """Model → its error over all pictures: tuned, network, mean, hour mean, nothing."""
    groups: tuple[GroupScore, ...]
    random_split: float
    """What a test on pictures drawn at random would have claimed of a new last layer."""
    coverage_90: float
    """Share of the values within their 90 % interval; NaN of classes."""
    width_90: float
    """Mean width of that interval."""

    def sentence(self) -> str:
        """How good it is, in words."""
        what = "share of wrong answers" if self.kind == "class" else "mean absolute error"
        tuned, rival = self.errors["tuned"], self.best_usual
        saved = 1 - tuned / max(self.errors[rival], 1e-12)
        size = f"{percent(abs(saved))} {'less' if saved > 0 else 'more'} than"
        how = size if abs(saved) > 0.0005 else "as"
        called = "the mean of all" if rival == "mean" else "the camera's hour mean"
        if self.kind == "class" and rival == "mean":
            called = "the commonest class"
        return (
            f"On {len(self.groups)} groups of pictures that were left out one after the other, the "
            f"{what} of {self.target!r} is {number(tuned)}, {how} {called} "
            f"({number(self.errors[rival])})."
        )

    def leakage(self) -> str:
        """What a random split would have claimed, in words."""
        claimed = f"A random split of the pictures would have claimed {number(self.random_split)}"
        if self.random_split >= (1 - ALIKE) * self.errors["tuned"]:
            hardly = "hardly" if self.random_split < self.errors["tuned"] else "no"
            return f"{claimed}, which is {hardly} better here."
        return (
            f"{claimed}: pictures of one group are nearly the same, so such a test asks for what "
            "was learnt."
        )

    def coverage(self) -> str:
        """How often the intervals were right; empty of classes."""
        if self.kind == "class":
            return ""
        return (
            f"The 90 % intervals covered {percent(self.coverage_90)} of the values, and are "
            f"{number(self.width_90)} wide on average."
        )

    @property
    def best_usual(self) -> str:
        """The best answer that needs no picture."""
        return min(("mean", "hour mean"), key=lambda name: self.errors[name])

    def __str__(self) -> str:
        """Sentences, and a line for each model and group."""
        lines = [self.sentence(), self.leakage(), self.coverage(), ""]
        lines += [f"{name:12s} {number(error):>8s}" for name, error in self.errors.items()]
        lines += ["", f"{'group':24s} {'pictures':>8s} {'tuned':>8s} {'mean':>8s}"]
        for row in self.groups:
            own, mean = number(row.errors["tuned"]), number(row.errors["mean"])
            lines.append(f"{row.group[:24]:24s} {row.pictures:8d} {own:>8s} {mean:>8s}")
        return "\n".join(lines)


def score(
    target: Target,
    examples: Examples,
    names: tuple[str, ...],
    found: CrossFit,
    answers: Tensor,
    levels: Tensor | None,
    random_split: float,
) -> VisionScores:
    """Scores of answers (picture, label) to groups left out.

    Args:
        target: What was learnt.
        examples: With the values.
        names: Of the groups.
        found: What the network and the means answered.
        answers: (picture, label) those of the model, gated.
        levels: (picture, level) quantiles, None of classes.
        random_split: The error that a random split claims.
    """
    said = {
        "tuned": answers,
        "network": target.back(found.seen),
        "mean": found.mean,
        "hour mean": found.hour_mean,
    }
    if target.kind == "count":
        said["nothing"] = torch.zeros_like(answers)
    errors = {name: target.errors(one, examples.values) for name, one in said.items()}
    rows = []
    for i, name in enumerate(names):
        mine = examples.group == i
        own = {model: float(one[mine].mean()) for model, one in errors.items()}
        rows.append(GroupScore(name, int(mine.sum()), own))
    covered = width = float("nan")
    if levels is not None:
        low, high = levels[:, LEVELS.index(0.05)], levels[:, LEVELS.index(0.95)]
        actual = examples.values[:, 0]
        covered = float(((low <= actual) & (actual <= high)).double().mean())
        width = float((high - low).mean())
    total = {model: float(one.mean()) for model, one in errors.items()}
    return VisionScores(
        target.name, target.kind, len(answers), total, tuple(rows), random_split, covered, width
    )
