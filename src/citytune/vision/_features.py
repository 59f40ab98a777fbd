"""What a frozen network sees in pictures, computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from citytune.backbones import Eye
from citytune.vision._picture import Picture, decode_all

BATCH = 16
"""Pictures that are unpacked and seen at a time."""


def features_of(
    eye: Eye,
    pictures: Sequence[Picture],
    progress: Callable[[float], None] = lambda _share: None,
) -> Tensor:
    """(picture, feature) means over the whole picture of what the last layer sees."""
    found = []
    for start, colours in _batches(pictures, eye.pixels):
        with torch.no_grad():  # a network may keep what it makes, and be trained later
            found.append(pooled(eye, colours).cpu())
        progress((start + len(colours)) / len(pictures))
    return torch.cat(found).clone()


def pooled(eye: Eye, colours: Tensor) -> Tensor:
    """(picture, feature) of pictures (picture, 3, row, column) in 0…1."""
    seen = eye(colours.to(eye.place))
    return seen.float().mean((2, 3))


def maps_of(eye: Eye, pictures: Sequence[Picture], centre: Tensor, weights: Tensor) -> Tensor:
    """(picture, row, column) what each part of a picture adds to the answer.

    With a linear last layer on means, the answer is the mean of the same layer at every place: the
    class activation map (Zhou et al. 2016, arXiv:1512.04150), which Grad-CAM equals here (Selvaraju
    et al. 2017, arXiv:1610.02391) but for the parts that speak against.

    Args:
        eye: Sees the pictures.
        pictures: Which.
        centre: (feature,) what is usually seen.
        weights: (picture, feature) the last layer of the answer asked about.
    """
    found = []
    for start, colours in _batches(pictures, eye.pixels):
        with torch.inference_mode():
            seen = eye(colours.to(eye.place)).cpu().double() - centre[:, None, None]
            some = weights[start : start + len(colours)]
            found.append(torch.einsum("pfrc,pf->prc", seen, some))
    return torch.cat(found).clone()


def enlarged(maps: Tensor, pixels: int) -> Tensor:
    """Maps (picture, row, column) as large as the pictures."""
    return interpolate(maps[:, None].float(), size=(pixels, pixels), mode="bicubic")[:, 0]


def as_tensor(pictures: Sequence[Picture], pixels: int) -> Tensor:
    """(picture, 3, row, column) of bytes."""
    return torch.from_numpy(decode_all(pictures, pixels)).permute(0, 3, 1, 2)


def _batches(pictures: Sequence[Picture], pixels: int) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(pictures), BATCH):
        yield start, as_tensor(pictures[start : start + BATCH], pixels).float() / 255
