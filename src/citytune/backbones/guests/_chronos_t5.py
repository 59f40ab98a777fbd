"""Chronos T5: values as words of a language, of whose sentences many are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune.backbones._guest import Shown, SureGuest, last_and_mean
from citytune.backbones._network import ask, silence
from citytune.backbones._protocol import LEVELS, Backbone, Card
from citytune.backbones.guests._chronos import COMMON as BOLT
from citytune.backbones.guests._chronos import is_chronos, load
from citytune.backbones.guests._kind import Config, Kind, add_kind, read_config, released

SAMPLES = 20
"""Futures drawn of each window."""
SIZES = {"tiny": (256, 8_394_496), "small": (512, 46_154_240), "base": (768, 201_374_976)}
"""Size → width, weights."""
COMMON = BOLT | {
    "title": "Chronos T5, which forecasts by drawing futures word by word; slow",
    "max_examples": 100,
}


class ChronosT5(SureGuest):
    """Chronos T5 as a backbone.

    Futures are drawn with the same chance for every window and time, so a window's forecast hangs
    neither on the other windows nor on the day it is asked. No gradient passes through a draw, so
    its weights do not move: a head on what its encoder sees, and the blend, tune it.
    """

    chunk, gaps, centred = 16, True, False

    def __init__(self, card: Card, network: nn.Module, tokens: Any) -> None:
        super().__init__(card, network)
        self.tokens = tokens

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Quantiles (example, horizon, level) of the futures drawn, at `LEVELS`."""
        words, there, scale = self.tokens.context_input_transform(shown.values)
        drawn = ask(
            self.network,
            lambda words, there: self._draw(words, there, horizon),
            words.float(),
            there.float(),
        )
        futures = self.tokens.output_transform(drawn.long(), scale).float()
        return futures.quantile(torch.tensor(LEVELS), 1).permute(1, 2, 0)

    def state(self, shown: Shown) -> Tensor:
        """What the encoder gives (example, 2 · width): at its end, and its mean."""
        words, there, _ = self.tokens.context_input_transform(shown.values)

        def question(words: Tensor, there: Tensor) -> Tensor:
            network: Any = self.network
            found = network.encoder(input_ids=words.long(), attention_mask=there.long())[0]
            return last_and_mean(found, there)

        return ask(self.network, question, words.float(), there.float())

    def _draw(self, words: Tensor, there: Tensor, horizon: int) -> Tensor:
        """Words (example, sample, horizon) of futures, as top-k sampling draws them."""
        from transformers import GenerationConfig, LogitsProcessorList

        network: Any = self.network
        config = self.tokens.config
        each = [part.long().repeat_interleave(SAMPLES, 0) for part in (words, there)]
        asked = GenerationConfig(
            min_new_tokens=horizon,
            max_new_tokens=horizon,
            do_sample=False,
            eos_token_id=config.eos_token_id,
            pad_token_id=config.pad_token_id,
            decoder_start_token_id=network.config.decoder_start_token_id,
        )
        chance = LogitsProcessorList([_Chance(config.top_k, config.temperature)])
        found = network.generate(
            input_ids=each[0],
            attention_mask=each[1],
            generation_config=asked,
            logits_processor=chance,
        )
        return found[:, 1:].unflatten(0, (-1, SAMPLES)).float()

    def blocks(self) -> Sequence[nn.Module]:
        """None through which a gradient could pass."""
        return ()


class _Chance:
    """The largest of scores plus Gumbel noise is a draw from their softmax, the same each time."""

    def __init__(self, top: int, temperature: float) -> None:
        self.top, self.temperature = top, temperature
        self.draw = torch.Generator().manual_seed(0)

    def __call__(self, _words: Tensor, scores: Tensor) -> Tensor:
        lowest = scores.topk(min(self.top, scores.shape[1])).values[:, -1:]
        noise = torch.rand(SAMPLES, scores.shape[1], generator=self.draw).clamp(1e-9, 1 - 1e-7)
        noise = -(-noise.log()).log()
        noise = noise.to(scores.device).repeat(len(scores) // SAMPLES, 1)
        return (scores / self.temperature + noise).masked_fill(scores < lowest, -torch.inf)


def facts(config: Config) -> dict[str, Any]:
    """What a config says of the card of a Chronos T5."""
    own = config["chronos_config"]
    return {
        "context": own["context_length"],
        "horizon": own["prediction_length"],
        "features": 2 * config["d_model"],
    }


def _make(card: Card, folder: Path) -> Backbone:
    with silence():
        from chronos.chronos import ChronosConfig
        from transformers import T5ForConditionalGeneration
    tokens = ChronosConfig(**read_config(folder)["chronos_config"]).create_tokenizer()
    return ChronosT5(card, load(T5ForConditionalGeneration, folder), tokens)


def _card(size: str) -> Card:
    width, parameters = SIZES[size]
    return released(
        COMMON,
        name=f"chronos-t5-{size}",
        parameters=parameters,
        context=512,
        horizon=64,
        features=2 * width,
        hub=f"amazon/chronos-t5-{size}",
    )


KIND = Kind(
    "chronos-t5",
    lambda config: is_chronos("ChronosPipeline", config) and config.get("model_type") == "t5",
    facts,
    _make,
    COMMON,
)
add_kind(KIND, [_card(size) for size in SIZES])
