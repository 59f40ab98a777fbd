"""FlowState: a state space that is told the clock, to nine quantiles at any step; IBM Granite."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune.backbones._guest import Shown, SureGuest
from citytune.backbones._network import ask, silence
from citytune.backbones._protocol import COARSE, Backbone, Card
from citytune.backbones.guests._chronos import load
from citytune.backbones.guests._kind import Config, Kind, add_kind, released

MOST_STEPS = 8192
"""Of a fine clock, which its own code shows it."""
FEWEST_STEPS = 2
"""Steps without which it cannot be asked."""
CYCLE = 24
"""Steps of the cycle that it was trained to see; others are told by a scale."""
COMMON: dict[str, Any] = {
    "title": "FlowState, a small forecaster that is told the length of the day",
    "licence": "Apache-2.0",
    "trained_on": "open sets of GIFT-Eval's pretraining and of Chronos, and synthetic series",
    "source": "Graf et al. 2025, FlowState, arXiv:2508.05287; "
    "https://huggingface.co/ibm-granite/granite-timeseries-flowstate-r1",
    "packages": ("tsfm_public",),
    "max_examples": 300,
    "get": "run `pip install 'citytune[granite]'`",
}


class FlowState(SureGuest):
    """FlowState as a backbone.

    It is told how long a day is (a week, on a coarse clock), reads NaN where nothing was measured,
    and answers at any step ahead. Features are the state of its encoder at the origin.
    """

    chunk, gaps = 32, True

    def __init__(self, card: Card, network: nn.Module) -> None:
        super().__init__(card, network)
        self.turn = _Turn()

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its quantiles (example, horizon, level)."""
        return self._asked(shown, horizon, _quantiles)

    def state(self, shown: Shown) -> Tensor:
        """What its encoder holds at the origin (example, width)."""
        return self._asked(shown, 1, lambda found: found.backbone_hidden_state[-1])

    def _asked(self, shown: Shown, horizon: int, part: Callable[[Any], Tensor]) -> Tensor:
        day = shown.past.steps_per_day
        scale = CYCLE / (day if day >= COARSE else 7 * day)

        def question(values: Tensor) -> Tensor:
            found = self.network(
                past_values=values[..., None],
                prediction_length=horizon,
                scale_factor=scale,
                batch_first=True,
                return_dict=True,
            )
            return part(found)

        fewest = nn.functional.pad(
            shown.values, (max(0, FEWEST_STEPS - shown.values.shape[1]), 0), value=torch.nan
        )
        with self.turn.lock:  # it keeps the mean and spread of a batch in itself
            return ask(self.network, question, fewest)

    def blocks(self) -> Sequence[nn.Module]:
        """What is seen, the layers of the state space, and the curves ahead."""
        model: Any = self.network.model
        return [model.embed, model.encoder, model.decoder]


def _quantiles(found: Any) -> Tensor:
    """(example, step, level), which granite-tsfm names by themselves only in its later versions."""
    named = getattr(found, "quantile_outputs", None)
    answer: Tensor = found.prediction_outputs if named is None else named
    return answer[..., 0].transpose(1, 2)


class _Turn:
    """One pass at a time; a copy has its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __deepcopy__(self, _memo: object) -> _Turn:
        return _Turn()


def facts(config: Config) -> dict[str, Any]:
    """What a config says of the card of a FlowState."""
    return {
        "context": config["context_length"],
        "context_days": config["context_length"] // CYCLE,
        "most_steps": MOST_STEPS,
        "horizon": 4 * config["decoder_patch_len"],
        "levels": tuple(config["quantiles"]),
        "features": config["embedding_feature_dim"],
    }


def _make(card: Card, folder: Path) -> Backbone:
    with silence():
        from tsfm_public.models.flowstate import FlowStateForPrediction
    network = load(FlowStateForPrediction, folder)
    return FlowState(card, network.to(torch.float32))


CARD = released(
    COMMON,
    name="flowstate",
    parameters=9_070_000,
    context=2048,
    context_days=85,
    most_steps=MOST_STEPS,
    horizon=96,
    features=512,
    levels=tuple(n / 10 for n in range(1, 10)),
    hub="ibm-granite/granite-timeseries-flowstate-r1",
)
KIND = Kind(
    "flowstate", lambda config: config.get("model_type") == "flowstate", facts, _make, COMMON
)
add_kind(KIND, [CARD])
