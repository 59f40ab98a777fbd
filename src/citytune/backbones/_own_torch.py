"""A person's own torch network as a backbone: every strategy may move its weights."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from citytune._errors import InputError
from citytune.backbones._guest import Guest, Shown, SureGuest, lengthened
from citytune.backbones._lags import CARD as LAGS
from citytune.backbones._lags import Lags
from citytune.backbones._levels import check_levels
from citytune.backbones._network import ask, digest_of
from citytune.backbones._own import check_count, own_card, put
from citytune.backbones._protocol import Card


def from_torch(
    module: nn.Module,
    *,
    name: str,
    context: int,
    horizon: int,
    levels: Sequence[float] | None = None,
    features: str | None = None,
    gaps: bool = False,
    title: str = "",
    licence: str = "not stated",
) -> str:
    """Take a torch network that forecasts as a pretrained model: every strategy may tune it.

    It is copied, so yours stays as it is.

    Args:
        module: Takes windows (example, `context`), each around its own mean in units of its own
            spread, and gives (example, `horizon`), or (example, `horizon`, level) with `levels`,
            in the same unit.
        name: Its name as a backbone. Your own of that name is replaced.
        context: Steps of past it takes.
        horizon: Steps ahead it gives.
        levels: Quantile levels of what it gives, such as (0.1, 0.5, 0.9); None for points.
        features: Name of a part of it, as in `module.named_modules()`, whose output a head reads;
            of more than two axes the mean is taken over those between the first and the last. By
            default a head reads recent values and the calendar.
        gaps: Whether it is shown NaN where nothing was measured; by default gaps are filled.
        title: One line for people.
        licence: Of its weights.

    Returns:
        The name, for `citytune.tune(backbone=…)`. A saved run knows the weights by their hash, and
        is loaded in a program that has called `from_torch` with the same ones before.

    Raises:
        InputError: an option cannot be used, or the network's answer is of another shape.
    """
    check_count("context", context)
    check_count("horizon", horizon)
    own = None if levels is None else check_levels(levels)
    network = _copied(module)
    answer = _tried(network, context)
    wanted = (2, horizon) if own is None else (2, horizon, len(own))
    if tuple(answer.shape) != wanted:
        also = "" if own or answer.ndim != 3 else ", or say the `levels` of its quantiles"
        raise InputError(
            f"the network {name!r} gives {tuple(answer.shape)} for windows {(2, context)}, and "
            f"{wanted} is asked for: say the horizon that it gives{also}"
        )
    width = LAGS.features if features is None else _read(network, features, context).shape[1]
    card = own_card(
        name=name,
        title=title or f"a network of your own ({type(module).__name__})",
        parameters=sum(weight.numel() for weight in network.parameters()),
        context=context,
        horizon=horizon,
        features=width,
        levels=own or (),
        licence=licence,
        sha256=(digest_of(network.state_dict()),),
        get=f"call citytune.backbones.from_torch(…, name={name!r}) with the same network first.",
    )
    kind = OwnPoints if own is None else OwnQuantiles
    put(card, kind(card, network, features, gaps=gaps))
    return name


class OwnPoints(Guest):
    """A network that gives points; its features are those of a part of it, or of `lags`."""

    def __init__(self, card: Card, network: nn.Module, part: str | None, *, gaps: bool) -> None:
        super().__init__(card, network)
        self.part, self.gaps = part, gaps

    def show(self, past: Any) -> Shown:
        """As many steps as the network takes; what lies before a shorter window repeats it."""
        shown = super().show(past)
        return shown._replace(values=lengthened(shown.values, self.card.context))

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its answer (example, horizon, level)."""
        found = ask(self.network, self.network, shown.values)[:, :horizon]
        return found if found.ndim == 3 else found[..., None]

    def state(self, shown: Shown) -> Tensor:
        """What the part named gives (example, feature), or recent values and the calendar."""
        if self.part is None:
            return Lags().features(shown.past)
        part = self.part
        return ask(self.network, lambda values: output_of(self.network, part, values), shown.values)

    def blocks(self) -> Sequence[nn.Module]:
        """Its parts that have weights, in the order in which they were made."""
        parts = [one for one in self.network.children() if list(one.parameters())]
        return parts if len(parts) > 1 else [self.network] if parts else []


class OwnQuantiles(OwnPoints, SureGuest):
    """A network that gives quantiles."""


_reading = threading.Lock()
"""What a part gives is caught as it passes, which is a matter of one pass at a time."""


def output_of(network: nn.Module, part: str, values: Tensor) -> Tensor:
    """What a part of a network gives (example, feature) on the way of `values` through all of it.

    Of more than two axes the mean over those between the first and the last is taken.
    """
    caught: list[Any] = []
    with _reading:
        place = network.get_submodule(part)
        hook = place.register_forward_hook(lambda _module, _given, found: caught.append(found))
        try:
            network(values)
        finally:
            hook.remove()
    found = caught[0][0] if isinstance(caught[0], tuple) else caught[0]
    return found if found.ndim == 2 else found.flatten(1, -2).mean(1)


def _copied(module: object) -> nn.Module:
    if not isinstance(module, nn.Module):
        raise InputError(f"a network is a torch.nn.Module, and this is a {type(module).__name__}")
    try:
        return copy.deepcopy(module).cpu().float().eval()
    except Exception as error:
        raise InputError(
            f"the network cannot be copied ({type(error).__name__}: {error}): keep in it only what "
            "can be, such as layers and numbers"
        ) from error


def _tried(network: nn.Module, context: int) -> Tensor:
    """Its answer to two windows."""
    values = torch.linspace(-1, 1, 2 * context).view(2, context)
    try:
        with torch.no_grad():
            answer = network(values)
    except Exception as error:
        raise InputError(
            f"the network does not take windows (example, {context}) "
            f"({type(error).__name__}: {error}); wrap it in a module that does"
        ) from error
    if not isinstance(answer, Tensor):
        raise InputError(
            f"the network gives a {type(answer).__name__}, not a tensor; wrap it in a module that "
            "gives its forecast alone"
        )
    return answer


def _read(network: nn.Module, part: str, context: int) -> Tensor:
    """The features of two windows."""
    known = [name for name, _ in network.named_modules() if name]
    if part not in known:
        listed = ", ".join(known[:20])
        raise InputError(f"the network has no part {part!r} to read from; it has {listed}")
    values = torch.linspace(-1, 1, 2 * context).view(2, context)
    with torch.no_grad():
        return output_of(network, part, values)
