"""How many forecasts of a day a second guests make here, at the size they were released in.

python benchmarks/guests.py [NAME ...]

The weights of those that are not here are random: speed does not hang on them. Each is asked with
the longest past it can use, and with four weeks; speeds are also given next to that of
`citytune-base` in the same run. Its weights are counted and compared with its card. MOMENT, which
forecasts nothing, is timed on its features; the widths of TTM-r3, which are not stated, are those
of r2 of the same past.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from citytune._prefer_torch import prefer_torch
from citytune.backbones import Backbone, Card, load_backbone, shelf, speed_of
from citytune.backbones.guests import (
    _chronos,
    _chronos2,
    _chronos_t5,
    _flowstate,
    _moirai,
    _moirai_network,
    _moment,
    _timesfm,
    _tirex,
    _toto,
    _toto_network,
    _ttm3,
)

WIDTHS = {"tiny": (256, 4, 4), "mini": (384, 4, 8), "small": (512, 6, 8), "base": (768, 12, 12)}
"""Size of a Chronos-Bolt → width, layers, heads."""
MOMENTS = {"small": (512, 1024, 8, 6), "base": (768, 2048, 12, 12), "large": (1024, 2816, 24, 16)}
"""Size of a MOMENT → width, width within, layers, heads."""


def bolt(card: Card) -> Backbone:
    from chronos.chronos_bolt import ChronosBoltModelForForecasting
    from transformers import T5Config

    width, layers, heads = WIDTHS[card.name.rpartition("-")[2]]
    own = {
        "context_length": card.context, "prediction_length": card.horizon, "input_patch_size": 16,
        "input_patch_stride": 16, "quantiles": [*card.levels], "use_reg_token": True,
    }  # fmt: skip
    config = T5Config(
        d_model=width, d_ff=4 * width, d_kv=64, num_layers=layers, num_heads=heads, vocab_size=2,
        feed_forward_proj="relu", decoder_start_token_id=0, pad_token_id=0, chronos_config=own,
    )  # fmt: skip
    return _chronos.Bolt(card, ChronosBoltModelForForecasting(config))


def chronos2(card: Card) -> Backbone:
    from chronos.chronos2 import Chronos2CoreConfig, Chronos2Model

    own = {
        "context_length": card.context, "input_patch_size": 16, "input_patch_stride": 16,
        "output_patch_size": 16, "quantiles": [*card.levels], "use_reg_token": True,
        "use_arcsinh": True, "max_output_patches": 64,
    }  # fmt: skip
    config = Chronos2CoreConfig(
        d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12, chronos_config=own
    )
    return _chronos2.Chronos2(card, Chronos2Model(config))


def timesfm(card: Card) -> Backbone:
    from timesfm.timesfm_2p5.timesfm_2p5_torch import TimesFM_2p5_200M_torch_module

    return _timesfm.TimesFM(card, TimesFM_2p5_200M_torch_module())


def tirex(card: Card) -> Backbone:
    from tirex.models.tirex import TiRexZero

    block = {"num_blocks": 12, "embedding_dim": 512, "num_heads": 4}
    own: dict[str, Any] = {
        "input_patch_size": 32, "output_patch_size": 32, "quantiles": [*card.levels],
        "block_kwargs": block, "input_ff_dim": 2048,
    }  # fmt: skip
    network = TiRexZero(backend="torch", model_config=own, train_ctx_len=card.context)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.02)
    return _tirex.TiRex(card, network)


def flowstate(card: Card) -> Backbone:
    from tsfm_public.models.flowstate import FlowStateConfig, FlowStateForPrediction

    return _flowstate.FlowState(card, FlowStateForPrediction(FlowStateConfig(min_context=0)))


def moirai(card: Card) -> Backbone:
    sizes = _moirai_network.Sizes(
        width=384, inner=1024, layers=6, patch=16, ahead=4, levels=len(card.levels)
    )
    return _moirai.Moirai(card, _moirai_network.Moirai2(sizes))


def toto(card: Card) -> Backbone:
    sizes = _toto_network.Sizes(
        width=768, inner=3072, layers=12, heads=12, patch=64, every=12, first=False, parts=24
    )
    return _toto.TotoGuest(card, _toto_network.Toto(sizes))


def moment(card: Card) -> Backbone:
    width, inner, layers, heads = MOMENTS[card.name.rpartition("-")[2]]
    t5_config = {
        "d_model": width, "d_ff": inner, "d_kv": 64, "num_layers": layers, "num_heads": heads,
        "vocab_size": 8, "feed_forward_proj": "gated-gelu", "is_encoder_decoder": False,
        "use_cache": False,
    }  # fmt: skip
    config = {"seq_len": card.context, "patch_len": 8, "t5_config": t5_config}
    return _moment.Moment(card, _moment.Network(config))


def ttm3(card: Card) -> Backbone:
    from tsfm_public.models.tinytimemixer import TinyTimeMixerConfig, TinyTimeMixerForPrediction

    config = TinyTimeMixerConfig(
        context_length=card.context, prediction_length=card.horizon, patch_length=128,
        patch_stride=128, d_model=384, decoder_d_model=256, num_layers=2, decoder_num_layers=2,
        adaptive_patching_levels=3, multi_scale=True, register_tokens=2, fft_length=4,
        multi_quantile_head=True, mq_use_decoder_pool=True, scaling="std", loss="mse",
    )  # fmt: skip
    told = _ttm3.facts(config.to_dict())
    return _ttm3.Ttm3(replace(card, **told), TinyTimeMixerForPrediction(config))


def t5(card: Card) -> Backbone:
    from chronos.chronos import ChronosConfig
    from transformers import T5Config, T5ForConditionalGeneration

    width, layers, heads = WIDTHS[card.name.rpartition("-")[2]]
    own = {
        "tokenizer_class": "MeanScaleUniformBins", "context_length": card.context,
        "tokenizer_kwargs": {"low_limit": -15.0, "high_limit": 15.0}, "n_tokens": 4096,
        "prediction_length": card.horizon, "n_special_tokens": 2, "pad_token_id": 0,
        "eos_token_id": 1, "use_eos_token": True, "model_type": "seq2seq", "num_samples": 20,
        "temperature": 1.0, "top_k": 50, "top_p": 1.0,
    }  # fmt: skip
    config = T5Config(
        d_model=width, d_ff=4 * width, d_kv=64, num_layers=layers, num_heads=heads,
        vocab_size=4096, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    network = T5ForConditionalGeneration(config)
    return _chronos_t5.ChronosT5(card, network, ChronosConfig(**own).create_tokenizer())


OURS = "citytune-base"
MAKERS: dict[str, Callable[[Card], Backbone]] = {
    OURS: lambda card: load_backbone(card.name),
    "ttm-r2": lambda card: load_backbone(card.name),
    "tabpfn-ts": lambda card: load_backbone(card.name),
    "flowstate": flowstate,
    **{f"chronos-bolt-{size}": bolt for size in WIDTHS},
    "moirai-2": moirai,
    "tirex": tirex,
    "toto": toto,
    "chronos-2": chronos2,
    "timesfm-2.5": timesfm,
    "ttm-r3-1024-96": ttm3,
    **{f"moment-{size}": moment for size in MOMENTS},
    **{f"chronos-t5-{size}": t5 for size in WIDTHS if size != "mini"},
}
WEEKS = 672
"""Hours of the shorter past."""


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(MAKERS), help="which; by default all")
    parser.add_argument("--windows", type=int, default=4)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    prefer_torch()
    ours = load_backbone(OURS)
    print(f"| backbone | weights | its card | {WEEKS} hours | its longest past | as {OURS} |")
    print("|---|---|---|---|---|---|")
    for name in asked.names:
        card = shelf()[name]
        guest = MAKERS[name](card)
        network: torch.nn.Module = guest.network  # type: ignore[attr-defined]
        weights = sum(weight.numel() for weight in network.parameters())
        longest = guest.card.context_at(24)
        far = speed_of(guest, windows=asked.windows)
        near = far
        fixed = isinstance(guest, _ttm3.Ttm3)  # it is always shown as much, padded
        if card.context_days is None and longest > WEEKS and not fixed:
            guest.card = replace(card, context=WEEKS)
            near = speed_of(guest, windows=asked.windows)
        beside = speed_of(ours, windows=asked.windows)
        print(
            f"| `{name}` | {weights:,} | {card.parameters:,} | {near:.3g} "
            f"| {far:.3g} of {longest:,} | {near / beside:.2g} × |",
            flush=True,
        )


if __name__ == "__main__":
    main()
