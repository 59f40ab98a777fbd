"""A network in a file, run by another runtime than torch, as a backbone whose weights stay."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from citytune._errors import InputError
from citytune.backbones._guest import Guest, Shown, SureGuest, lengthened
from citytune.backbones._lags import Lags
from citytune.backbones._own import check_count, own_card, put
from citytune.backbones._protocol import Card, Past

Run = Callable[[NDArray[Any]], NDArray[Any]]
"""Windows as the file takes them to its answer."""


class FileNetwork(nn.Module):
    """A runtime behind the door of a module; it has no weights that torch could move."""

    def __init__(
        self,
        run: Run | None,
        shape: Sequence[Any],
        place: Path,
        context: int | None,
        *,
        double: bool,
        reads: Run | None = None,
    ) -> None:
        super().__init__()
        self.run, self.reads = run, reads
        self.shape, self.place = list(shape), place
        self.kind = np.float64 if double else np.float32
        self.context = self._length(context)
        self.batch = self.shape[0] if isinstance(self.shape[0], int) else None
        self.axes = 2
        """Of its answer: a third one is that of levels."""

    def forward(self, values: Tensor) -> Tensor:
        """(example, context) to (example, horizon), or with levels."""
        assert self.run is not None
        found = self._all(self.run, values)
        while found.ndim > self.axes and 1 in found.shape[1:]:
            found = found.squeeze(max(i for i in range(1, found.ndim) if found.shape[i] == 1))
        return found

    def read(self, values: Tensor) -> Tensor:
        """(example, context) to what is read of it (example, feature)."""
        assert self.reads is not None
        found = self._all(self.reads, values)
        return found if found.ndim <= 2 else found.flatten(1, -2).mean(1)

    def _all(self, run: Run, values: Tensor) -> Tensor:
        whole = self._with_axes(np.ascontiguousarray(values.detach().numpy().astype(self.kind)))
        size = self.batch or max(1, len(whole))
        parts = [self._asked(run, whole[i : i + size], size) for i in range(0, len(whole), size)]
        return torch.from_numpy(np.concatenate(parts)).float()

    def _asked(self, run: Run, some: NDArray[Any], size: int) -> NDArray[Any]:
        """A file made for so many windows at once is given as many, the last one repeated."""
        lacking = size - len(some) if self.batch else 0
        whole = np.concatenate([some, *[some[-1:]] * lacking]) if lacking else some
        try:
            found = run(whole)
        except Exception as error:
            raise InputError(
                f"{self.place.name} cannot be run on windows {whole.shape} ({error})"
            ) from error
        return np.asarray(found)[: len(some)]

    def _length(self, context: int | None) -> int:
        axes = [size for size in self.shape[1:] if size != 1]
        if len(axes) != 1:
            raise InputError(
                f"{self.place.name} takes {self.shape}: it must take windows (example, context), "
                "of one series"
            )
        fixed = axes[0] if isinstance(axes[0], int) else None
        if fixed is None and context is None:
            raise InputError(
                f"{self.place.name} takes windows of any length: say `context`, how many steps of "
                "past it is shown"
            )
        if fixed is not None and context not in (None, fixed):
            raise InputError(f"{self.place.name} takes {fixed} steps of past, not {context}")
        return check_count("context", context if fixed is None else fixed)

    def _with_axes(self, values: NDArray[Any]) -> NDArray[Any]:
        for axis, size in enumerate(self.shape):
            if axis and size == 1:
                values = np.expand_dims(values, axis)
        return values


class FilePoints(Guest):
    """A file that gives points; its features are its own, or recent values and the calendar."""

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its answer (example, horizon, level)."""
        values = lengthened(shown.values, self.card.context)
        found: Tensor = self.network(values)[:, :horizon]
        return found if found.ndim == 3 else found[..., None]

    def state(self, shown: Shown) -> Tensor:
        """What is read of it, or recent values and the calendar."""
        network: Any = self.network
        if network.reads is None:
            return Lags().features(shown.past)
        found: Tensor = network.read(lengthened(shown.values, self.card.context))
        return found

    def blocks(self) -> Sequence[nn.Module]:
        """None that could move."""
        return ()


class FileQuantiles(FilePoints, SureGuest):
    """A file that gives quantiles."""


class FileFeatures:
    """A file that does not forecast: what it makes of the past is read."""

    def __init__(self, card: Card, network: FileNetwork) -> None:
        self.card = card
        self.reader = FilePoints(card, network)

    def features(self, past: Past) -> Tensor:
        """What is read of it (example, feature)."""
        return self.reader.features(past)

    def forecast(self, past: Past, horizon: int) -> None:
        """None: it cannot forecast."""

    def blocks(self) -> Sequence[nn.Module]:
        """None that could move."""
        return ()


def put_file(network: FileNetwork, levels: tuple[float, ...] | None, **facts: Any) -> str:
    """Put a network in a file on the shelf, once it has answered as it should; its name."""
    place, network.axes = network.place, 2 if levels is None else 3
    files = sorted(path for path in place.rglob("*") if path.is_file()) or [place]
    common: dict[str, Any] = {
        "name": place.stem,
        "title": f"the network in {place.name}",
        "parameters": sum(path.stat().st_size for path in files) // 4,
        "sha256": (_digest(files),),
        "folders": (str(place),),
    }
    sizes = {"context": network.context, "horizon": _horizon(network, levels)}
    read = {"features": _width(network)} if network.reads else {}
    given = {name: value for name, value in facts.items() if value not in (None, "")}
    card = own_card(**common | sizes | read | given, levels=levels or ())
    kind: Any = FilePoints if levels is None else FileQuantiles
    put(card, (FileFeatures if network.run is None else kind)(card, network))
    return card.name


def _horizon(network: FileNetwork, levels: tuple[float, ...] | None) -> int | None:
    """Steps ahead that it gives for two windows; None if it does not forecast."""
    if network.run is None:
        return None
    answer = network(_tried(network))
    if answer.ndim != (2 if levels is None else 3) or (levels and answer.shape[2] != len(levels)):
        wanted = "(window, horizon); for quantiles say their `levels`"
        if levels is not None:
            wanted = "(window, horizon, level), with one level for each of `levels`"
        raise InputError(
            f"{network.place.name} gives {tuple(answer.shape)} for 2 windows: it must be {wanted}"
        )
    return answer.shape[1]


def _width(network: FileNetwork) -> int:
    """Features that it gives for two windows."""
    found = network.read(_tried(network))
    if found.ndim != 2 or len(found) != 2:
        raise InputError(
            f"{network.place.name} gives features {tuple(found.shape)} for 2 windows: they must be "
            "(window, feature)"
        )
    return found.shape[1]


def _tried(network: FileNetwork) -> Tensor:
    return torch.linspace(-1, 1, 2 * network.context).view(2, -1)


def _digest(files: Sequence[Path]) -> str:
    found = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()
