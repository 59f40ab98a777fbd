"""Granite TinyTimeMixer r3: trend and rest, or scales of patches, to quantiles; in IBM's code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune.backbones._families import Family, register_family
from citytune.backbones._guest import Shown, SureGuest
from citytune.backbones._network import ask, silence
from citytune.backbones._protocol import COARSE, Backbone, Card
from citytune.backbones._ttm import CLOCKS
from citytune.backbones.guests._chronos import load
from citytune.backbones.guests._kind import Config, Kind, add_kind, read_config, released
from citytune.backbones.guests._ttm import fits_best

HUB = "ibm-granite/granite-timeseries-ttm-r3"
FAMILY = "ttm-r3"
NEW = ("decompose", "multi_scale", "register_tokens", "fft_length", "multi_quantile_head")
"""What a config of release 3 says, and none of an earlier one does."""
FINE = [(past, ahead) for past in (1024, 1536, 2048, 2560, 3072) for ahead in (96, 720)]
"""Past and steps ahead of those for minutes and hours."""
PARTED = {
    (52, 16): 52, (156, 16): 52, (90, 30): 90, (512, 30): 90, (180, 60): 180, (360, 60): 360,
    (512, 48): 512, (768, 48): 512, (1024, 48): 512, (512, 96): 512, (512, 336): 512,
}  # fmt: skip
"""The same of those that tell trend and rest apart → the past that the rest is read from."""
COMMON: dict[str, Any] = {
    "title": "TinyTimeMixer r3, a small forecaster that says how sure it is",
    "licence": "not stated",
    "trained_on": "what its page says",
    "source": "Ekambaram et al. 2024, Tiny Time Mixers, arXiv:2401.03955; "
    "https://huggingface.co/ibm-granite/granite-timeseries-ttm-r3",
    "packages": ("tsfm_public",),
    "max_examples": 1500,
    "get": "run `pip install 'citytune[granite]' 'granite-tsfm>=0.3.11'` (which takes torch below "
    "2.12; next to a later one add `--no-deps` to granite-tsfm)",
}


class Ttm3(SureGuest):
    """TinyTimeMixer r3 as a backbone.

    Gaps are filled, and its unit is made of what was measured. Features are the state of its
    decoder (of the trend's, where trend and rest are told apart): of the last patch, and the mean.
    """

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its quantiles (example, horizon, level), or points as the only one."""

        def question(values: Tensor, known: Tensor) -> Tensor:
            found = self._asked(self.network, values, known, shown.past.steps_per_day)
            if found.quantile_outputs is None:
                points: Tensor = found.prediction_outputs
                return points[:, :horizon]
            return found.quantile_outputs[:, :, :horizon, 0].transpose(1, 2)

        return ask(self.network, question, *self._seen(shown))

    def state(self, shown: Shown) -> Tensor:
        """What its decoder holds (example, 2 · width)."""
        reader = getattr(self.network, "trend_forecaster", self.network)

        def question(values: Tensor, known: Tensor) -> Tensor:
            found = self._asked(reader, values, known, shown.past.steps_per_day)
            state: Tensor = found.decoder_hidden_state[:, 0]
            return torch.cat([state[:, -1], state.mean(1)], 1)

        return ask(self.network, question, *self._seen(shown))

    def blocks(self) -> Sequence[nn.Module]:
        """Its parts: encoder, decoder and heads, or the forecasters of trend and rest."""
        parts = list(self.network.children())
        return [part for part in parts if list(part.parameters())]

    def _asked(self, network: Any, values: Tensor, known: Tensor, steps_per_day: int) -> Any:
        told: Any = self.network.config
        number = CLOCKS.get(steps_per_day, 0)
        number = number if number < told.frequency_token_vocab_size else 0
        clock = torch.full((len(values),), number, device=values.device)
        return network(
            past_values=values[..., None],
            past_observed_mask=known[..., None],
            freq_token=clock if told.resolution_prefix_tuning else None,
            return_loss=False,
            return_dict=True,
        )

    def _seen(self, shown: Shown) -> tuple[Tensor, Tensor]:
        """Whole pasts: 0 before the first reading, and where something was measured."""
        measured = shown.past.measured[:, -shown.values.shape[1] :]
        known = (measured | ~measured.any(1, keepdim=True)).to(shown.values)
        values = shown.values * (known.cumsum(1) > 0)
        before = (self.card.context - values.shape[1], 0)
        return nn.functional.pad(values, before), nn.functional.pad(known, before)


def facts(config: Config) -> dict[str, Any]:
    """What a config says of the card of a TinyTimeMixer r3."""
    sure = config.get("multi_quantile_head")
    return {
        "context": config["context_length"],
        "horizon": config.get("prediction_filter_length") or config["prediction_length"],
        "levels": tuple(config["quantile_levels"]) if sure else (0.5,),
        "features": 2 * (config.get("trend_decoder_d_model") or config["decoder_d_model"]),
    }


def _make(card: Card, folder: Path) -> Backbone:
    with silence():
        from tsfm_public.models.tinytimemixer import modeling_tinytimemixer as theirs

        parted: Any = theirs.TinyTimeMixerForDecomposedPrediction  # in versions that know r3 alone
        whole: Any = theirs.TinyTimeMixerForPrediction
        network = load(parted if _parted(read_config(folder)) else whole, folder)
    for part in network.modules():
        if hasattr(getattr(part, "config", None), "light_mode"):
            part.config.light_mode = False  # type: ignore[union-attr]
    return Ttm3(card, network)


def _parted(config: Config) -> bool:
    return bool(config.get("decompose")) or "Decomposed" in str(config.get("architectures"))


def _fits(config: Config) -> bool:
    return config.get("model_type") == "tinytimemixer" and any(map(config.get, NEW))


def _card(past: int, ahead: int) -> Card:
    rest = PARTED.get((past, ahead))
    return released(
        COMMON,
        name=f"ttm-r3-{past}-{ahead}",
        title=f"TinyTimeMixer r3, {past} steps of past to {ahead} ahead",
        parameters=0,  # only its file says
        context=past,
        horizon=ahead,
        features=0,
        hub=f"{HUB}@{past}-{ahead}-{f'dec-{rest}-' if rest else ''}r3",
    )


def pick(rows: int, horizon: int, steps_per_day: int) -> str:
    """The release with the longest past that fits twice, and of those the nearest that reaches."""
    past, ahead = fits_best(PARTED if steps_per_day < COARSE else FINE, rows, horizon)
    return f"{FAMILY}-{past}-{ahead}"


CARDS = [_card(*lengths) for lengths in (*FINE, *PARTED)]
add_kind(Kind("ttm-r3", _fits, facts, _make, COMMON), CARDS)
register_family(
    FAMILY,
    Family(
        "TinyTimeMixer r3: the one whose lengths suit the history and the horizon",
        tuple(card.name for card in CARDS),
        pick,
    ),
)
