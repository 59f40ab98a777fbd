"""Move the network itself: its last blocks or all of it, on pictures that are changed a little."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from citytune.backbones import Eye
from citytune.training import Group, Loop, device, minimise
from citytune.tuning import Head
from citytune.vision._features import as_tensor, pooled
from citytune.vision._picture import Picture

STEPS = Loop(epochs=6, batch=32, rate=1e-4, decay=1e-4, clip=1.0, patience=2)
"""How the network is moved; the weights of the best epoch on held-back groups are kept."""
LAST = 2
"""Parts of the network that "last-blocks" moves."""
HELD = 5
KEPT_BYTES = 1_500_000_000
"""Unpacked pictures that are kept in memory; more are unpacked anew in every epoch."""
BRIGHTER = 0.2
"""Most that brightness and contrast are changed, as a share."""


class Moved(NamedTuple):
    """A network that was moved, and its last layer."""

    eye: Eye
    head: Head
    notes: tuple[str, ...]
    improved: bool
    """Whether some epoch was better than the start on the groups held back."""


def held_back(group: Tensor) -> Tensor:
    """(picture,) bool: those of every fifth group, which say when to stop; of one group none."""
    number = group.unique(return_inverse=True)[1]
    last = int(number.max())
    return (number % HELD == min(HELD // 2, last)) & (last > 0)


def move(
    eye: Eye,
    head: Head,
    pictures: Sequence[Picture],
    goal: Tensor,
    held_out: Tensor,
    which: str,
    loop: Loop,
    seed: int,
) -> Moved:
    """Go on from the exact last layer, with more weights free, by the project's one loop.

    A picture is mirrored in half of the steps, and its brightness and contrast vary; it is neither
    cropped nor turned, as a count is of all of it.

    Args:
        eye: As pretrained; it is copied.
        head: Where the last layer begins.
        pictures: To learn from.
        goal: (picture, label) what the head must say, in its own unit.
        held_out: (picture,) bool: which are held back; the head has not learnt from them.
        which: What moves: "last-blocks" or "full".
        loop: How.
        seed: Of the order and of the changes.
    """
    body = copy.deepcopy(eye).to(device())
    layer = nn.Parameter(head.weights.clone())
    free = _freed(body, which)
    shown = _Pictures(pictures, eye.pixels)
    held, train = (some.nonzero()[:, 0] for some in (held_out, ~held_out))

    def says(colours: Tensor) -> Tensor:
        seen = head.view(pooled(body, colours).cpu())
        return (seen @ layer).float()

    def loss(batch: Tensor) -> Tensor:
        some = train[batch]
        return (says(_changed(shown[some])) - goal[some]).square().mean()

    def loss_held() -> float:
        with torch.no_grad():
            parts = [
                (says(shown[some]) - goal[some]).square().sum() for some in held.split(loop.batch)
            ]
        return float(torch.stack(parts).sum()) / goal[held].numel()

    record = minimise(
        [Group(free), Group([layer])],
        loss,
        len(train),
        loop,
        seed=seed,
        held=loss_held if len(held) else None,
    )
    body.requires_grad_(requires_grad=False)
    learnt = Head(head.view, layer.detach().clone(), head.penalty)
    return Moved(body.cpu(), learnt, record.notes, record.best > 0)


def changed_weights(before: Eye, after: Eye) -> dict[str, Tensor]:
    """Name → values of the weights that are no longer as pretrained."""
    start = before.state_dict()
    return {
        name: value.detach().cpu().clone()
        for name, value in after.state_dict().items()
        if not torch.equal(value.cpu(), start[name].cpu())
    }


def _freed(body: Eye, which: str) -> list[Tensor]:
    """The weights that may move; normalisations keep what they counted, as in pretraining."""
    parts = list(body.parts())
    some = parts if which == "full" else parts[-LAST:]
    weights: list[Tensor] = [weight for part in some for weight in part.parameters()]
    for weight in weights:
        weight.requires_grad = True
    return weights


def _changed(colours: Tensor) -> Tensor:
    """Pictures mirrored or not, brighter or darker, with more contrast or less."""
    count = len(colours)
    mirror = torch.rand(count) < 0.5
    colours = torch.where(mirror[:, None, None, None], colours.flip(3), colours)
    light, contrast = (1 + BRIGHTER * (2 * torch.rand(2, count, 1, 1, 1) - 1)).unbind(0)
    middle = colours.mean((1, 2, 3), keepdim=True)
    return ((colours - middle) * contrast + middle * light).clamp(0, 1)


class _Pictures:
    """Unpacked pictures by index: from memory, or unpacked when asked for."""

    def __init__(self, pictures: Sequence[Picture], pixels: int) -> None:
        self.pictures, self.pixels = pictures, pixels
        small = 3 * pixels * pixels * len(pictures) <= KEPT_BYTES
        self.kept = as_tensor(pictures, pixels) if small else None

    def __getitem__(self, which: Tensor) -> Tensor:
        """(picture, 3, row, column) in 0…1."""
        if self.kept is not None:
            return self.kept[which].float() / 255
        some = [self.pictures[i] for i in which.tolist()]
        return as_tensor(some, self.pixels).float() / 255
