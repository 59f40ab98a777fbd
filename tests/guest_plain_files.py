"""Guests of a few thousand weights, as their packages write them, which need not be installed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

NINE = [n / 10 for n in range(1, 10)]


def _drawn(shapes: Mapping[str, Sequence[int]]) -> dict[str, torch.Tensor]:
    """Weights of these shapes, the same on every machine and in every version of torch."""
    places = enumerate(shapes.items(), start=1)
    found = {}
    for place, (name, shape) in places:
        waves = torch.sin(torch.arange(math.prod(shape)) * 0.37 * place + place)
        size = 1 / math.sqrt(shape[-1]) if len(shape) > 1 else 0.1
        is_scale = name.endswith(("norm.weight", "norm1.weight", "norm2.weight", ".scale"))
        found[name] = size * waves.reshape(tuple(shape)) + is_scale
    return found


def _write(folder: Path, config: Mapping[str, Any], shapes: Mapping[str, Sequence[int]]) -> Path:
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(_drawn(shapes), folder / "model.safetensors", {"format": "pt"})
    return folder


def write_moirai(folder: Path) -> Path:
    """A Moirai-2 of two heads, named as uni2ts 2.0.0 names its weights."""
    wide, inner, patch, ahead = 128, 48, 16, 2
    config = {
        "d_model": wide, "d_ff": inner, "num_layers": 2, "patch_size": patch, "max_seq_len": 512,
        "attn_dropout_p": 0.0, "dropout_p": 0.0, "scaling": True, "num_predict_token": ahead,
        "quantile_levels": NINE,
    }  # fmt: skip

    def block(name: str, width: int, out: int) -> dict[str, Sequence[int]]:
        sizes = {"hidden": (wide, width), "output": (out, wide), "residual": (out, width)}
        return {
            f"{name}.{part}_layer.{what}": shape if what == "weight" else shape[:1]
            for part, shape in sizes.items()
            for what in ("weight", "bias")
        }

    shapes = block("in_proj", 2 * patch, wide)
    for layer in ("encoder.layers.0", "encoder.layers.1"):
        shapes |= {
            f"{layer}.self_attn.{part}_proj.weight": (wide, wide) for part in ("q", "k", "v", "out")
        }
        shapes |= {f"{layer}.self_attn.{part}_norm.weight": (64,) for part in "qk"}
        shapes |= {
            f"{layer}.self_attn.var_attn_bias.emb.weight": (2, 2),
            f"{layer}.ffn.fc1.weight": (inner, wide), f"{layer}.ffn.fc2.weight": (wide, inner),
            f"{layer}.ffn.fc_gate.weight": (inner, wide), f"{layer}.norm1.weight": (wide,),
            f"{layer}.norm2.weight": (wide,),
        }  # fmt: skip
    shapes |= {"encoder.norm.weight": (wide,)}
    return _write(folder, config, shapes | block("out_proj", wide, ahead * len(NINE) * patch))


def write_toto(folder: Path) -> Path:
    """A Toto of two heads and patches of 32 steps, named as toto-ts 0.2.0 names its weights."""
    wide, inner, patch, parts = 32, 24, 32, 3
    config = {
        "patch_size": patch, "stride": patch, "embed_dim": wide, "num_layers": 2, "num_heads": 2,
        "mlp_hidden_dim": inner, "dropout": 0.1, "spacewise_every_n_layers": 2,
        "spacewise_first": False, "use_memory_efficient_attention": False,
        "scaler_cls": "<class 'model.scaler.CausalPatchStdMeanScaler'>",
        "output_distribution_classes": ["<class 'model.distribution.MixtureOfStudentTsOutput'>"],
        "output_distribution_kwargs": {"k_components": parts}, "stabilize_with_global": True,
        "scale_factor_exponent": 10.0,
    }  # fmt: skip
    linear: dict[str, tuple[int, int]] = {"patch_embed.projection": (wide, patch)}
    scales: dict[str, Sequence[int]] = {}
    for layer in ("transformer.layers.0", "transformer.layers.1"):
        linear |= {
            f"{layer}.attention.wQKV": (3 * wide, wide), f"{layer}.attention.wO": (wide, wide),
            f"{layer}.mlp.0.w12": (2 * inner, wide), f"{layer}.mlp.0.w3": (wide, inner),
        }  # fmt: skip
        scales |= {f"model.{layer}.norm1.scale": (wide,), f"model.{layer}.norm2.scale": (wide,)}
    linear |= {"unembed": (patch * wide, wide)}
    for part in ("df", "loc_proj", "scale_proj", "mixture_weights"):
        linear[f"output_distribution.{part}"] = (parts, wide)
    weights = {f"model.{name}.weight": shape for name, shape in linear.items()}
    biases = {f"model.{name}.bias": shape[:1] for name, shape in linear.items()}
    return _write(folder, config, scales | weights | biases)


def write_moment(folder: Path) -> Path:
    """A MOMENT of two heads, named as momentfm 0.1.4 names its weights."""
    wide, inner, head = 32, 48, 16
    config = {
        "task_name": "reconstruction", "model_name": "MOMENT", "transformer_type": "encoder_only",
        "d_model": None, "seq_len": 512, "patch_len": 8, "patch_stride_len": 8, "device": "cpu",
        "transformer_backbone": "google/flan-t5-large", "model_kwargs": {},
        "t5_config": {
            "d_model": wide, "d_ff": inner, "d_kv": 8, "num_layers": 2, "num_heads": 2,
            "vocab_size": 8, "feed_forward_proj": "gated-gelu", "is_encoder_decoder": False,
            "use_cache": False, "dropout_rate": 0.1,
        },
    }  # fmt: skip
    shapes: dict[str, Sequence[int]] = {
        "patch_embedding.mask_embedding": (wide,),
        "patch_embedding.value_embedding.weight": (wide, 8),
        "patch_embedding.position_embedding.pe": (1, 5000, wide),
        "encoder.embed_tokens.weight": (8, wide),
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": (32, 2),
        "encoder.final_layer_norm.weight": (wide,),
        "head.linear.weight": (8, wide), "head.linear.bias": (8,),
    }  # fmt: skip
    for block in ("encoder.block.0", "encoder.block.1"):
        look, feed = f"{block}.layer.0", f"{block}.layer.1"
        shapes |= {f"{look}.SelfAttention.{part}.weight": (head, wide) for part in "qkv"}
        shapes |= {
            f"{look}.SelfAttention.o.weight": (wide, head), f"{look}.layer_norm.weight": (wide,),
            f"{feed}.DenseReluDense.wi_0.weight": (inner, wide),
            f"{feed}.DenseReluDense.wi_1.weight": (inner, wide),
            f"{feed}.DenseReluDense.wo.weight": (wide, inner), f"{feed}.layer_norm.weight": (wide,),
        }  # fmt: skip
    return _write(folder, config, shapes)
