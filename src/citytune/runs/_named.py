"""What a job may name, as plain data: for those who ask a process that has loaded PyTorch."""

from __future__ import annotations

from typing import Any, NamedTuple


class Named(NamedTuple):
    """What there is on this machine."""

    models: tuple[dict[str, Any], ...]
    """The pretrained models; `how_to_get` says what one lacks, and is None where it is at hand."""
    families: tuple[str, ...]
    strategies: tuple[str, ...]

    @property
    def at_hand(self) -> list[str]:
        """Names of the models whose weights are here."""
        return [one["name"] for one in self.models if one["at_hand"]]


def named() -> Named:
    """Look what there is; loads PyTorch."""
    from citytune.backbones import families, missing, shelf
    from citytune.tuning import strategies

    lacking = missing()
    models = tuple(
        {"name": card.name, "title": card.title, "at_hand": card.name not in lacking,
         "how_to_get": lacking.get(card.name), "parameters": card.parameters,
         "licence": card.licence, "trained_on": card.trained_on}
        for card in shelf().values()
    )  # fmt: skip
    return Named(models, tuple(families()), tuple(strategies))
