"""Guests of a few thousand random weights, written as their packages write them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from guest_plain_files import NINE, write_moirai, write_toto

TWENTY_ONE = [0.01, *(round(n / 20, 2) for n in range(1, 20)), 0.99]


@contextmanager
def _quiet(package: str) -> Iterator[Any]:
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        yield pytest.importorskip(package, reason=f"the package {package} is not installed")


def write_bolt(folder: Path, *, context: int = 256, horizon: int = 64, width: int = 32) -> Path:
    """A Chronos-Bolt."""
    with _quiet("chronos.chronos_bolt") as chronos:
        from transformers import T5Config

        config = T5Config(
            d_model=width, d_ff=48, d_kv=8, num_layers=2, num_decoder_layers=1, num_heads=2,
            vocab_size=2, feed_forward_proj="relu", decoder_start_token_id=0, pad_token_id=0,
            architectures=["ChronosBoltModelForForecasting"], initializer_factor=0.3,
            chronos_pipeline_class="ChronosBoltPipeline",
            chronos_config={
                "context_length": context, "prediction_length": horizon, "input_patch_size": 16,
                "input_patch_stride": 16, "quantiles": NINE, "use_reg_token": True,
            },
        )  # fmt: skip
        chronos.ChronosBoltModelForForecasting(config).save_pretrained(folder)
    return folder


def write_chronos2(folder: Path, *, context: int = 512) -> Path:
    """A Chronos-2."""
    with _quiet("chronos.chronos2") as chronos:
        config = chronos.Chronos2CoreConfig(
            d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=2, dropout_rate=0.0,
            initializer_factor=0.3, architectures=["Chronos2Model"],
            chronos_pipeline_class="Chronos2Pipeline",
            chronos_config={
                "context_length": context, "output_patch_size": 16, "input_patch_size": 16,
                "input_patch_stride": 16, "quantiles": TWENTY_ONE, "use_reg_token": True,
                "use_arcsinh": True, "max_output_patches": 4,
            },
        )  # fmt: skip
        chronos.Chronos2Model(config).save_pretrained(folder)
    return folder


def write_t5(folder: Path) -> Path:
    """A Chronos T5 that knows 60 words."""
    with _quiet("chronos.chronos"):
        from transformers import T5Config, T5ForConditionalGeneration

        config = T5Config(
            d_model=32, d_ff=48, d_kv=8, num_layers=2, num_decoder_layers=1, num_heads=2,
            vocab_size=64, feed_forward_proj="relu", decoder_start_token_id=0, pad_token_id=0,
            eos_token_id=1, architectures=["T5ForConditionalGeneration"],
            chronos_config={
                "tokenizer_class": "MeanScaleUniformBins",
                "tokenizer_kwargs": {"low_limit": -15.0, "high_limit": 15.0}, "context_length": 96,
                "prediction_length": 24, "n_tokens": 64, "n_special_tokens": 2, "pad_token_id": 0,
                "eos_token_id": 1, "use_eos_token": True, "model_type": "seq2seq",
                "num_samples": 20, "temperature": 1.0, "top_k": 50, "top_p": 1.0,
            },
        )  # fmt: skip
        T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def write_tirex(folder: Path) -> Path:
    """A TiRex, as Lightning writes a checkpoint."""
    with _quiet("tirex.models.tirex") as tirex:
        hyper_parameters = {
            "model_config": {
                "input_patch_size": 16, "output_patch_size": 16, "quantiles": NINE,
                "block_kwargs": {"num_blocks": 2, "embedding_dim": 32, "num_heads": 2},
                "input_ff_dim": 48,
            },
            "train_ctx_len": 256,
        }  # fmt: skip
        network = tirex.TiRexZero(backend="torch", **hyper_parameters)
        for weight in network.parameters():
            torch.nn.init.normal_(weight, std=0.1)
        folder.mkdir(parents=True)
        whole = {"state_dict": network.state_dict(), "hyper_parameters": hyper_parameters}
        torch.save(whole, folder / "model.ckpt")
    return folder


def write_flowstate(folder: Path) -> Path:
    """A FlowState."""
    with _quiet("tsfm_public.models.flowstate") as flowstate:
        config = flowstate.FlowStateConfig(
            context_length=240, embedding_feature_dim=32, encoder_num_layers=2,
            encoder_state_dim=16, encoder_num_hippo_blocks=2, decoder_patch_len=24, decoder_dim=16,
            min_context=0,
        )  # fmt: skip
        flowstate.FlowStateForPrediction(config).save_pretrained(folder)
    return folder


def write_timesfm(folder: Path) -> Path:
    """A TimesFM 2.5; its class, which knows one size, is made small for all of the process."""
    with _quiet("timesfm.timesfm_2p5.timesfm_2p5_torch") as timesfm:
        from safetensors.torch import save_file

        kind = timesfm.TimesFM_2p5_200M_torch_module
        whole = kind.config
        layers = whole.stacked_transformers
        few = replace(layers.transformer, model_dims=32, hidden_dims=32, num_heads=2)
        small = {"hidden_dims": 32}
        kind.config = replace(
            whole,
            tokenizer=replace(whole.tokenizer, **small, output_dims=32),
            stacked_transformers=replace(layers, num_layers=2, transformer=few),
            output_projection_point=replace(whole.output_projection_point, **small, input_dims=32),
            output_projection_quantiles=replace(
                whole.output_projection_quantiles, **small, input_dims=32
            ),
        )
        folder.mkdir(parents=True)
        (folder / "config.json").write_text('{"library_name": "timesfm"}')
        network = kind()
        for weight in network.parameters():
            torch.nn.init.normal_(weight, std=0.1)
        save_file(network.state_dict(), folder / "model.safetensors")
    return folder


def write_tabpfn(path: Path) -> Path:
    """The weights of a TabPFN regressor of one layer and 50 steps, named as those released."""
    wide, heads, bars = 192, 6, 50
    layer = "transformer_encoder.layers.0"
    shapes = {
        "encoder.5.layer.weight": (wide, 4), "y_encoder.1.layer.weight": (wide, 2),
        "y_encoder.1.layer.bias": (wide,),
        **{f"{layer}.self_attn_between_{what}._w_out": (heads, wide // heads, wide)
           for what in ("features", "items")},
        **{f"{layer}.self_attn_between_{what}._w_qkv": (3, heads, wide // heads, wide)
           for what in ("features", "items")},
        f"{layer}.mlp.linear1.weight": (4 * wide, wide),
        f"{layer}.mlp.linear2.weight": (wide, 4 * wide),
        "decoder_dict.standard.0.weight": (4 * wide, wide),
        "decoder_dict.standard.0.bias": (4 * wide,),
        "decoder_dict.standard.2.weight": (bars, 4 * wide),
        "decoder_dict.standard.2.bias": (bars,),
        "feature_positional_embedding_embeddings.weight": (wide, wide // 4),
        "feature_positional_embedding_embeddings.bias": (wide,),
    }  # fmt: skip
    draw = torch.Generator().manual_seed(0)
    weights = {name: 0.1 * torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    weights["criterion.borders"] = torch.linspace(-3, 3, bars + 1)
    weights["criterion.losses_per_bucket"] = torch.zeros(bars)
    config = {
        "emsize": wide, "nhead": heads, "nlayers": 1, "features_per_group": 2, "num_buckets": bars,
        "max_num_classes": 0, "task_type": "regression",
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": weights, "config": config}, path)
    return path


TTM: dict[str, dict[str, Any]] = {
    "longer": {"context_length": 1024, "prediction_length": 192, "patch_length": 128,
               "patch_stride": 128, "adaptive_patching_levels": 3},
    "longest, with its past": {"context_length": 1536, "prediction_length": 720,
                               "patch_length": 128, "patch_stride": 128, "d_model": 16,
                               "adaptive_patching_levels": 4, "decoder_raw_residual": True},
    "told the clock": {"context_length": 52, "prediction_length": 16, "patch_length": 4,
                       "patch_stride": 4, "adaptive_patching_levels": 3,
                       "resolution_prefix_tuning": True, "frequency_token_vocab_size": 10},
    "plain layers, patches that overlap": {"context_length": 90, "prediction_length": 30,
                                           "patch_length": 16, "patch_stride": 8,
                                           "expansion_factor": 3, "decoder_raw_residual": True,
                                           "resolution_prefix_tuning": True,
                                           "frequency_token_vocab_size": 10},
}  # fmt: skip
"""What TinyTimeMixers of other lengths are like → that in their own words."""


def write_ttm(folder: Path, **sizes: Any) -> Path:
    """A TinyTimeMixer, by default a small one of 1024 steps to 96."""
    with _quiet("tsfm_public.models.tinytimemixer") as ttm:
        usual = TTM["longer"] | {"prediction_length": 96, "d_model": 24, "decoder_d_model": 16}
        fixed = {"num_layers": 2, "decoder_num_layers": 2, "adaptive_patching_levels": 0}
        config = ttm.TinyTimeMixerConfig(**(fixed | usual if not sizes else fixed | {
            "d_model": 24, "decoder_d_model": 16} | sizes))  # fmt: skip
        if hasattr(config, "multi_scale") and config.patch_length != config.patch_stride:
            pytest.skip("this version of granite-tsfm has no patches that overlap")
        ttm.TinyTimeMixerForPrediction(config).save_pretrained(folder)
    return folder


def write_ttm3(folder: Path, *, parted: bool = False, past: int = 256, ahead: int = 48) -> Path:
    """A TinyTimeMixer r3, of several scales, or (`parted`) one that tells trend and rest apart."""
    with _quiet("tsfm_public.models.tinytimemixer.modeling_tinytimemixer") as ttm:
        if not hasattr(ttm, "TinyTimeMixerForDecomposedPrediction"):
            pytest.skip("this version of granite-tsfm has no TinyTimeMixer r3")
        kind = ttm.TinyTimeMixerForPrediction
        own: dict[str, Any] = {"multi_scale": True, "register_tokens": 2}
        if parted:
            kind = ttm.TinyTimeMixerForDecomposedPrediction
            own = {"decompose": True, "residual_context_length": 128, "trend_patch_length": 32,
                   "trend_patch_stride": 32, "combine_quantiles_via_variance": True}  # fmt: skip
        config = ttm.TinyTimeMixerConfig(
            context_length=past, prediction_length=ahead, patch_length=16, patch_stride=16,
            d_model=24, decoder_d_model=16, num_layers=2, decoder_num_layers=2,
            adaptive_patching_levels=2, fft_length=4, multi_quantile_head=True,
            mq_use_decoder_pool=True, scaling="std", loss="mse", light_mode=True, **own,
        )  # fmt: skip
        kind(config).save_pretrained(folder)
    return folder


WRITERS: dict[str, Callable[[Path], Path]] = {
    "chronos-bolt": write_bolt,
    "chronos-2": write_chronos2,
    "chronos-t5": write_t5,
    "flowstate": write_flowstate,
    "moirai-2": write_moirai,
    "timesfm-2.5": write_timesfm,
    "tirex": write_tirex,
    "toto": write_toto,
    "ttm-r3": write_ttm3,
    "ttm-r3-parted": partial(write_ttm3, parted=True),
}
"""Kind → what writes a folder of one that forecasts."""
