"""What Moirai-2, Toto and MOMENT answer in their packages' own networks, for tests to compare with.

Run it where uni2ts 2.0.0, toto-ts 0.2.0 and momentfm 0.1.4 can be imported, to write the file anew;
they need not be installed where the tests run:

    PYTHONPATH=src:tests python tests/guest_originals.py
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from guest_plain_files import write_moirai, write_moment, write_toto
from torch import Tensor

ANSWERS = Path(__file__).parent / "data" / "guest_originals.json"
LEVELS = (0.1, 0.5, 0.9)


def windows() -> tuple[Tensor, Tensor]:
    """Two windows of 192 steps, and which values were measured: the first has gaps."""
    steps = torch.arange(192.0)
    values = torch.stack([torch.sin(steps * 0.26) + 0.01 * steps, torch.cos(steps * 0.9) * 0.5])
    known = torch.ones(2, 192, dtype=torch.bool)
    known[0, 40:52] = False
    known[0, 185] = False
    return values, known


def ask_moirai(folder: Path) -> Tensor:
    """(window, step, level) of the next 24 steps."""
    from uni2ts.model.moirai2 import Moirai2Forecast, Moirai2Module

    values, known = windows()
    asked = {
        "prediction_length": 24, "target_dim": 1, "feat_dynamic_real_dim": 0,
        "past_feat_dynamic_real_dim": 0, "context_length": 192,
    }  # fmt: skip
    network = Moirai2Forecast(module=Moirai2Module.from_pretrained(str(folder)), **asked)
    with torch.inference_mode():
        pad = torch.zeros_like(known)
        return network(values[..., None], known[..., None], pad).transpose(1, 2)


def mix_toto(folder: Path) -> Tensor:
    """(4, window, step, part) of the next 32 steps: what is mixed, in the unit of the windows."""
    from toto.model.toto import Toto

    values, known = windows()
    network = Toto.load_from_checkpoint(str(folder)).eval()
    with torch.inference_mode():
        found, level, spread = network.model(
            100 * values[:, None], known[:, None], torch.zeros_like(values[:, None])
        )
        parts, shares = found.component_distribution, found.mixture_distribution.probs
        mixed = (parts.df, parts.loc, parts.scale, shares)
        free, place, size, share = (part[:, 0, -32:] for part in mixed)
        wide, middle = spread[:, 0, -32:, None], level[:, 0, -32:, None]
        return torch.stack([free, place * wide + middle, size * wide, share])


def read_moment(folder: Path) -> Tensor:
    """(window, width): the mean over the patches, gaps read as they were filled."""
    from momentfm import MOMENTPipeline

    values, _ = windows()
    network = MOMENTPipeline.from_pretrained(str(folder), model_kwargs={"task_name": "embedding"})
    network.init()
    network.eval()
    shown = torch.nn.functional.pad(values, (512 - 192, 0))
    there = (torch.arange(512) >= 512 - 192).float().expand(2, -1)
    with torch.inference_mode():
        return network(x_enc=shown[:, None], input_mask=there).embeddings


def main() -> None:
    """Write what each answers."""
    found: dict[str, Any] = {}
    asked = {"moirai-2": (write_moirai, ask_moirai), "toto": (write_toto, mix_toto),
             "moment": (write_moment, read_moment)}  # fmt: skip
    with TemporaryDirectory() as place:
        for kind, (write, ask) in asked.items():
            found[kind] = ask(write(Path(place) / kind)).double().round(decimals=6).tolist()
    ANSWERS.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
