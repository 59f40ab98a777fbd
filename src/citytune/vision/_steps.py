"""Move the network itself: its last blocks or all of it, on pictures that are changed a little."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from citytune._errors import InputError
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
    loss_of: Callable[[Tensor, Tensor], Tensor],
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
        loss_of: Given what the head says (picture, label) of some pictures, by index, what that
            costs (picture,).
        held_out: (picture,) bool: which are held back; the head has not learnt from them.
        which: What moves: "last-blocks" or "full".
        loop: How.
        seed: Of the order and of the changes.
    """
    body, free = free_copy(eye, which)
    layer = nn.Parameter(head.weights.clone())
    shown = _Pictures(pictures, eye.pixels)
    held, train = (some.nonzero()[:, 0] for some in (held_out, ~held_out))

    def says(colours: Tensor) -> Tensor:
        seen = head.view(pooled(body, colours).cpu())
        return (seen @ layer).float()

    def loss(batch: Tensor) -> Tensor:
        some = train[batch]
        return loss_of(says(_changed(shown[some])), some).mean()

    def loss_held() -> float:
        with torch.no_grad():
            parts = [loss_of(says(shown[some]), some).sum() for some in held.split(loop.batch)]
        return float(torch.stack(parts).sum()) / len(held)

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


def free_copy(eye: Eye, which: str) -> tuple[Eye, list[Tensor]]:
    """A copy of a network, and those of its weights that may move.

    Raises:
        InputError: it cannot be copied, or none of them can move.
    """
    try:
        body = copy.deepcopy(eye).to(device())
    except Exception as error:
        raise _unmoved(eye, which, f"it cannot be copied, {type(error).__name__}") from error
    return body, _freed(body, which)


def changed_weights(before: Eye, after: Eye) -> dict[str, Tensor]:
    """Name → values of the weights that are no longer as pretrained."""
    start = before.numbers()
    return {
        name: value.detach().cpu().clone()
        for name, value in after.numbers().items()
        if not torch.equal(value.cpu(), start[name].cpu())
    }


def _freed(body: Eye, which: str) -> list[Tensor]:
    """The weights that may move; normalisations keep what they counted, as in pretraining."""
    some = list(body.parts())[-LAST:]
    owners = [body] if which == "full" else some
    weights = [one for part in owners for one in part.parameters() if one.is_floating_point()]
    for weight in weights:
        weight.requires_grad = True
    try:
        reached = _reached(body, weights)
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"
        raise _unmoved(body, which, reason) from error
    if not reached:
        raise _unmoved(body, which, "no gradient reaches a weight")
    return reached


def _reached(body: Eye, weights: Sequence[Tensor]) -> list[Tensor]:
    """The weights that a gradient reaches; the others, such as an old last layer's, stay."""
    shown = torch.linspace(0, 1, body.pixels, device=body.place).expand(1, 3, body.pixels, -1)
    with torch.enable_grad():
        pooled(body, shown).square().sum().backward()
    reached = [weight for weight in weights if weight.grad is not None]
    for weight in weights:
        weight.requires_grad, weight.grad = weight.grad is not None, None
    return reached


def _unmoved(body: Eye, which: str, reason: str) -> InputError:
    return InputError(
        f"strategy {which!r} cannot move the network {body.name!r} ({reason}); take 'head', which "
        "leaves it as it is, or give a network of torch or Keras whose weights are floats"
    )


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
