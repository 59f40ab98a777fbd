"""TimesFM 2.5: up to 16,256 steps of past to nine quantiles of the next 128, by Google Research."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune._errors import MissingWeights
from citytune.backbones._guest import Shown, SureGuest, in_patches
from citytune.backbones._network import ask, silence
from citytune.backbones._protocol import Backbone, Card
from citytune.backbones.guests._kind import (
    WEIGHTS,
    Config,
    Kind,
    add_kind,
    refuse_incomplete,
    released,
)

PATCH, HORIZON, LONGEST = 32, 128, 16_256
LEVELS = tuple(n / 10 for n in range(1, 10))
POINT = 5
"""Which of its ten answers is the median; the first is a mean, which is not read."""
COMMON: dict[str, Any] = {
    "title": "TimesFM 2.5, a large forecaster pretrained on many kinds of series",
    "licence": "Apache-2.0",
    "trained_on": "search trends and page views, GIFT-Eval's pretraining, and synthetic series",
    "source": "Das et al. 2024, TimesFM, arXiv:2310.10688; "
    "https://huggingface.co/google/timesfm-2.5-200m-pytorch",
    "packages": ("timesfm",),
    "context": LONGEST,
    "horizon": HORIZON,
    "levels": LEVELS,
    "max_examples": 100,
    "get": "run `pip install 'citytune[timesfm]'`",
}


class TimesFM(SureGuest):
    """TimesFM 2.5 as a backbone.

    Gaps are filled, as it wants them; what lies before the first reading is masked. As its makers
    advise, it is asked of the window and of its mirror image, and its quantiles are those of its
    head of quantiles around the median of its head of points. Features are its last state.
    """

    chunk, patch = 4, PATCH

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its quantiles (example, horizon, level)."""
        seen, masked = _patched(shown)

        def question(seen: Tensor, masked: Tensor) -> Tensor:
            upright, mirrored = self._heads(seen, masked), self._heads(-seen, masked)
            points, spread = (
                (one - two.flip(-1)) / 2 for one, two in zip(upright, mirrored, strict=True)
            )
            middle = points[..., POINT - 1 : POINT]
            around = spread[:, :HORIZON] - spread[:, :HORIZON, POINT - 1 : POINT]
            return (middle + around)[:, :horizon]

        return ask(self.network, question, seen, masked)

    def state(self, shown: Shown) -> Tensor:
        """The state of the last patch (example, width)."""

        def question(seen: Tensor, masked: Tensor) -> Tensor:
            return self._pass(seen, masked)[0][1][:, -1]

        return ask(self.network, question, *_patched(shown))

    def blocks(self) -> Sequence[nn.Module]:
        """Patches, layers, and what answers."""
        network: Any = self.network
        return [
            network.tokenizer,
            *network.stacked_xf,
            nn.ModuleList([network.output_projection_point, network.output_projection_quantiles]),
        ]

    def _pass(self, seen: Tensor, masked: Tensor) -> tuple[Any, Tensor, Tensor]:
        """The network's answers, and the mean and spread of all up to the last patch."""
        from timesfm.torch.util import revin, update_running_stats

        known, found = masked > 0.5, []
        so_far = (seen.new_zeros(len(seen)),) * 3
        for place in range(seen.shape[1]):
            so_far, _ = update_running_stats(*so_far, seen[:, place], known[:, place])
            found.append(so_far[1:])
        mean, spread = (torch.stack(one, 1) for one in zip(*found, strict=True))
        scaled = torch.where(known, 0.0, revin(seen, mean, spread))
        return self.network(scaled, known)[0], mean[:, -1], spread[:, -1]

    def _heads(self, seen: Tensor, masked: Tensor) -> tuple[Tensor, Tensor]:
        """Quantiles (example, step, level) of the head of points, and of that of quantiles."""
        (_, _, points, spread), mean, wide = self._pass(seen, masked)
        both = (one[:, -1].unflatten(-1, (-1, 10))[..., 1:] for one in (points, spread))
        one, two = (part * wide[:, None, None] + mean[:, None, None] for part in both)
        return one, two


def _patched(shown: Shown) -> tuple[Tensor, Tensor]:
    """Windows (example, patch, 32), and 1 where they are before the first reading."""
    values, known = in_patches(shown, PATCH)
    before = (known.cumsum(1) == 0).to(values)
    return values.unflatten(1, (-1, PATCH)), before.unflatten(1, (-1, PATCH))


def facts(config: Config) -> dict[str, Any]:
    """What the released class says of itself; a config.json of it says nothing more."""
    with silence():
        from timesfm.timesfm_2p5.timesfm_2p5_torch import TimesFM_2p5_200M_torch_module as Network
    own: Any = Network.config
    return {"features": own.stacked_transformers.transformer.model_dims}


def _make(card: Card, folder: Path) -> Backbone:
    from safetensors.torch import load_file

    with silence():
        from timesfm.timesfm_2p5.timesfm_2p5_torch import TimesFM_2p5_200M_torch_module as Network
    network = Network()
    refuse_incomplete(folder, network.state_dict().keys())
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except RuntimeError as error:
        raise MissingWeights(
            f"{folder / WEIGHTS} has other weights than TimesFM 2.5: it is of another model"
        ) from error
    return TimesFM(card, network)


def _fits(config: Config) -> bool:
    found = str(config.get("model_type") or config.get("architectures") or config.get("_name", ""))
    return "timesfm" in found.lower().replace("_", "") or config.get("library_name") == "timesfm"


CARD = released(
    COMMON,
    name="timesfm-2.5",
    parameters=231_300_000,
    features=1280,
    hub="google/timesfm-2.5-200m-pytorch",
    files=(WEIGHTS,),
)
KIND = Kind("timesfm-2.5", _fits, facts, _make, COMMON)
add_kind(KIND, [CARD])
