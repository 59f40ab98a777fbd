"""TiRex: patches of the past to nine quantiles, by a recurrent network (xLSTM) of 35 million."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune._errors import MissingWeights
from citytune.backbones._guest import Shown, SureGuest
from citytune.backbones._network import ask, silence
from citytune.backbones._protocol import Backbone, Card
from citytune.backbones.guests._kind import (
    CHECKPOINT,
    Config,
    Kind,
    add_kind,
    read_checkpoint,
    released,
)

HORIZON = 960
"""Steps ahead; it can go further, and loses itself."""
COMMON: dict[str, Any] = {
    "title": "TiRex, a recurrent forecaster pretrained on many kinds of series",
    "licence": "the NXAI Community License",
    "restricted": "asks companies with a revenue of 100 million euros a year or more for a licence "
    "of their own, and users for an attribution "
    "(https://huggingface.co/NX-AI/TiRex/blob/main/LICENSE)",
    "trained_on": "open sets of Chronos and of GIFT-Eval's pretraining, and synthetic series",
    "source": "Auer et al. 2025, TiRex, arXiv:2505.23719; https://huggingface.co/NX-AI/TiRex",
    "packages": ("tirex",),
    "horizon": HORIZON,
    "max_examples": 300,
    "get": "run `pip install 'citytune[tirex]'`",
}


class TiRex(SureGuest):
    """TiRex as a backbone.

    It reads as far back as it was trained to, NaN where nothing was measured; its cells compute in
    bfloat16, so its answers are good to three digits. Features are the states of its middle and
    its last block at the origin.
    """

    chunk, gaps = 32, True

    @property
    def patch(self) -> int:  # type: ignore[override]
        """Steps it reads at once."""
        return int(self._network.config.input_patch_size)

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its quantiles (example, horizon, level)."""

        def question(values: Tensor) -> Tensor:
            found: Tensor = self._network._forecast_tensor(values, horizon)  # noqa: SLF001
            return found.transpose(1, 2)

        return ask(self.network, question, shown.values)

    def state(self, shown: Shown) -> Tensor:
        """What two of its blocks hold at the origin (example, 2 · width)."""

        def question(values: Tensor) -> Tensor:
            network = self._network
            seen, _ = network._prepare_context_for_embedding(values, None)  # noqa: SLF001
            _, states = network._forward_model(seen, return_all_hidden=True)  # noqa: SLF001
            return states[:, -1, [states.shape[2] // 2, -1]].flatten(1)

        return ask(self.network, question, shown.values)

    def blocks(self) -> Sequence[nn.Module]:
        """Patches, blocks, quantiles."""
        network = self._network
        return [
            network.input_patch_embedding,
            *network.blocks,
            network.out_norm,
            network.output_patch_embedding,
        ]

    @property
    def _network(self) -> Any:
        return self.network


def facts(config: Config) -> dict[str, Any]:
    """What a checkpoint says of the card of a TiRex."""
    own = config["model_config"]
    return {
        "context": config["train_ctx_len"],
        "levels": tuple(own["quantiles"]),
        "features": 2 * own["block_kwargs"]["embedding_dim"],
    }


def _make(card: Card, folder: Path) -> Backbone:
    with silence():
        from tirex.models.tirex import TiRexZero
    found = read_checkpoint(folder)
    known = {name: found["hyper_parameters"][name] for name in ("model_config", "train_ctx_len")}
    network = TiRexZero(backend="torch", **known)
    network.on_load_checkpoint(found)
    try:
        network.load_state_dict(found["state_dict"])
    except RuntimeError as error:
        raise MissingWeights(
            f"{folder / CHECKPOINT} has other weights than the network's: it is of another model, "
            "or of another version of the package tirex-ts"
        ) from error
    return TiRex(card, network.to(torch.float32))


CARD = released(
    COMMON,
    name="tirex",
    parameters=35_300_000,
    context=2048,
    features=2 * 512,
    levels=tuple(n / 10 for n in range(1, 10)),
    files=(CHECKPOINT,),
    hub="NX-AI/TiRex",
)
KIND = Kind("tirex", lambda config: "model_config" in config, facts, _make, COMMON)
add_kind(KIND, [CARD])
