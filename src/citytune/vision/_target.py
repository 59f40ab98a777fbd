"""What is learnt from pictures: counts, shares, plain values or classes, and their scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from citytune._errors import InputError
from citytune.vision._poisson import count_of, deviance, log_of

Kind: TypeAlias = Literal["count", "share", "value", "class"]
Link: TypeAlias = Literal["identity", "log", "poisson"]
LEAST_CHANCE = 0.01
"""Smallest chance that a class is given."""


@dataclass(frozen=True)
class Target:
    """A kind of label, and how it becomes numbers that a last layer can learn."""

    name: str
    """What the labels are called."""
    kind: Kind
    """"count" (whole numbers from 0), "share" (0 … 1), "value" (any number) or "class" (words)."""
    classes: tuple[str, ...] = ()
    """The words, of a class."""
    link: Link = "identity"
    """"identity": a count is a sum over the picture; "log": squared errors of log(1 + y), for
    counts over decades; "poisson": the deviance of a Poisson count whose mean's logarithm is a sum
    over the picture."""

    @classmethod
    def of(cls, name: str, values: NDArray[Any], kind: str, link: str) -> Target:
        """The kind that is asked for, or that the labels show, if "auto".

        Raises:
            InputError: the labels are not of that kind, or may be of several.
        """
        words = values.dtype == object
        found = _kind_of(name, values) if kind == "auto" else kind
        if found not in get_args(Kind):
            raise InputError(f"kind is one of 'auto', {str(get_args(Kind))[1:-1]}, got {kind!r}")
        if link not in get_args(Link) or (link != "identity" and found != "count"):
            raise InputError(
                f"link is 'identity', or 'log' or 'poisson' for counts, got {link!r} for a {found}"
            )
        if words and found != "class":
            raise InputError(f"the labels {name!r} are words, so they are classes, not a {found}")
        if found == "class":
            classes = tuple(sorted({_word(value) for value in values}))
            if len(classes) < 2:
                raise InputError(
                    f"all labels {name!r} are {classes[0]!r}: there is nothing to tell"
                )
            return cls(name, "class", classes)
        low, high = float(values.min()), float(values.max())
        if low == high:
            raise InputError(f"all labels {name!r} are {low:g}: there is nothing to learn")
        if found == "count" and low < 0:
            raise InputError(
                f"labels {name!r} fall to {low:g}, and counts do not: take out what stands for a "
                "missing value, or use kind='value'"
            )
        if found == "share" and not 0 <= low <= high <= 1:
            raise InputError(f"labels {name!r} lie in {low:g} … {high:g}; a share lies in 0 … 1")
        return cls(name, found, (), link)  # type: ignore[arg-type]

    def values(self, labels: NDArray[Any]) -> Tensor:
        """(picture, 1) numbers, or (picture, class) 1 for the class and 0 for the others."""
        if self.kind != "class":
            return torch.from_numpy(labels.astype(np.float64))[:, None]
        place = {name: i for i, name in enumerate(self.classes)}
        which = torch.tensor([place[_word(label)] for label in labels])
        return torch.nn.functional.one_hot(which, len(self.classes)).double()

    def linked(self, values: Tensor) -> Tensor:
        """Values on the scale that is learnt on."""
        if self.link == "poisson":
            return log_of(values)
        return values.clamp_min(0).log1p() if self.link == "log" else values

    def back(self, learnt: Tensor) -> Tensor:
        """From that scale: counts from 0 on, shares in 0 … 1, chances of classes that sum to 1."""
        if self.link == "poisson":
            return count_of(learnt)
        found = learnt.expm1() if self.link == "log" else learnt
        if self.kind == "class":
            found = found.clamp(LEAST_CHANCE, 1)
            return found / found.sum(1, keepdim=True)
        if self.kind == "value":
            return found
        return found.clamp(0, 1) if self.kind == "share" else found.clamp_min(0)

    def cost(self, change: Tensor, actual: Tensor, usual: Tensor) -> Tensor:
        """(picture,) the loss that is made small, of what is said about the usual answer.

        Args:
            change: (picture, label) what the picture adds, on the scale that is learnt on.
            actual: (picture, label) in the unit of the data.
            usual: (picture, label) in the unit of the data.
        """
        learnt = self.linked(usual) + change.to(usual)
        if self.link == "poisson":
            return deviance(learnt, actual).sum(1)
        return (learnt - self.linked(actual)).square().mean(1)

    def even(self, values: Tensor) -> Tensor:
        """On a scale of even noise: roots of counts, whose spread grows with them."""
        return values.clamp_min(0).sqrt() if self.kind == "count" else values

    def uneven(self, even: Tensor) -> Tensor:
        """Back from the scale of even noise."""
        found = even.clamp_min(0).square() if self.kind == "count" else even
        return found.clamp(0, 1) if self.kind == "share" else found

    def losses(self, found: Tensor, actual: Tensor) -> Tensor:
        """(picture,) what an answer costs: its absolute error, or the Brier score of chances."""
        if self.kind == "class":
            return (found - actual).square().sum(1)
        return (found - actual).abs()[:, 0]

    def errors(self, found: Tensor, actual: Tensor) -> Tensor:
        """(picture,) what is told to people: the absolute error, or 1 for a wrong class."""
        if self.kind == "class":
            return (found.argmax(1) != actual.argmax(1)).double()
        return self.losses(found, actual)


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _kind_of(name: str, values: NDArray[Any]) -> str:
    if values.dtype == object:
        return "class"
    if set(values.tolist()) == {0.0, 1.0}:
        raise InputError(
            f"all labels {name!r} are 0 or 1, which may be counts, shares or two classes: say "
            "kind='count', kind='share' or kind='class'"
        )
    if bool((values == np.round(values)).all()):
        return "count"  # also below 0, which is then refused: a -1 may stand for a missing one
    return "share" if values.min() >= 0 and values.max() <= 1 else "value"
