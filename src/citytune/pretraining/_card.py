"""Write a pretrained network to a folder that can be used as a backbone."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from citytune._errors import MissingWeights
from citytune._text import listed
from citytune.backbones import check_file
from citytune.backbones.city import CARD, FORMAT, ROWS, SHIPPED, WEIGHTS, CityNetwork, read_card
from citytune.pretraining._log import plain
from citytune.pretraining._recipe import Recipe
from citytune.pretraining._scores import Score
from citytune.pretraining._source import Corpus
from citytune.pretraining._write import replacing

LICENCE = "Apache-2.0"
"""Of the weights."""
HORIZON = 336
"""Steps ahead that are forecast in one pass."""
MOST_STEPS = ROWS * 288
"""Steps of the longest past: all of it, down to a clock of 5 minutes."""
HOURS = 24


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How weights came to be."""

    name: str
    """On the shelf of backbones."""
    recipe: Recipe
    corpus: Corpus
    score: Score | None
    """On the held last part of every set."""
    command: str
    """As it was typed; empty from Python."""
    start: str
    """Name of the network it went on from; empty for fresh weights."""
    device: str
    seconds: float
    """Of training, over all sessions."""
    windows: int
    """Learnt from, over all sessions."""


def write_folder(folder: Path, network: CityNetwork, made: Provenance) -> bool:
    """Write weights and card, each in place as a whole, the card last; no card twice.

    Returns:
        False if they were there.
    """
    from safetensors.torch import save

    packed = save({name: value.contiguous() for name, value in network.state_dict().items()})
    sha256 = hashlib.sha256(packed).hexdigest()
    if _is_there(folder, made.name, sha256):
        return False  # its card says when and how they were made
    card = make_card(network, made, sha256)
    with replacing(folder / WEIGHTS) as draft:
        draft.write_bytes(packed)
    text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(folder / CARD) as draft:
        draft.write_text(text, encoding="utf-8")
    return True


def _is_there(folder: Path, name: str, sha256: str) -> bool:
    """Whether these weights were written before, under this name."""
    try:
        card, facts = read_card(folder)
    except MissingWeights:
        return False
    same = (card.name, facts.get("sha256")) == (name, sha256)
    return same and not check_file(folder / WEIGHTS, sha256)


def make_card(network: CityNetwork, made: Provenance, sha256: str) -> dict[str, Any]:
    """All that `card.json` says; `sha256` is that of the weights' file."""
    size = network.size
    domains = _counted(made.corpus)
    return {
        "format": FORMAT,
        "card": {
            "name": made.name,
            "title": f"City network pretrained on series of {listed(list(domains))}",
            "parameters": sum(weight.numel() for weight in network.parameters()),
            "context": ROWS * HOURS,
            "context_days": ROWS,
            "most_steps": MOST_STEPS,
            "horizon": HORIZON,
            "features": 4 * size["width"],
            "licence": LICENCE,
            "trained_on": trained_on(made),
            "source": "made by `citytune pretrain`; see docs/pretrain.md",
            "sha256": [sha256],
            "get": _how_to_get(made.name),
            "max_examples": 2000,
        },
        "network": size,
        "sha256": sha256,
        "recipe": asdict(made.recipe),
        "corpus": [asdict(one) for one in made.corpus.sets],
        "synthetic": made.recipe.synthetic,
        "made": {
            "citytune": version("citytune"),
            "commit": commit(),
            "command": made.command or None,
            "start": made.start or None,
            "torch": torch.__version__,
            "device": made.device,
            "seconds": round(made.seconds),
            "steps": made.recipe.steps,
            "windows": made.windows,
            "corpus": made.corpus.fingerprint,
        },
        "scores": scores(made.score),
    }


def scores(score: Score | None) -> dict[str, Any]:
    """Scores for JSON; empty if there was nothing to score on.

    MAE is relative to the best naive forecast of each set, a geometric mean over sets.
    """
    if score is None:
        return {}
    return plain(
        {
            "mae": score.relative,
            "coverage_90": score.coverage,
            "domains": score.domains,
            "sets": score.sets,
        }
    )


def trained_on(made: Provenance) -> str:
    """The data, in words: how many sets of which domain, and what else."""
    parts = [
        f"{number} {'set' if number == 1 else 'sets'} of {domain}"
        for domain, number in _counted(made.corpus).items()
    ]
    parts += ["synthetic series"] if made.recipe.synthetic else []
    return listed(parts) + (f", after {made.start}" if made.start else "")


def commit() -> str | None:
    """The commit of citytune's own checkout, with "+" if its source differs; None without one."""
    package = Path(__file__).resolve().parents[1]
    root = _git("rev-parse", "--show-toplevel", cwd=package)
    if not root or Path(root).resolve() / "src" / "citytune" != package:
        return None  # installed, perhaps within a checkout of something else
    head = _git("rev-parse", "HEAD", cwd=package)
    changed = _git("status", "--porcelain", ".", cwd=package)
    return f"{head}+" if head and changed else head or None


def device_in_words(device: torch.device) -> str:
    """What it was trained on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return f"{platform.machine()} processor, {torch.get_num_threads()} threads"
    return device.type


def _git(*words: str, cwd: Path) -> str:
    """What git says; empty if there is no git, or it does not know."""
    try:
        found = subprocess.run(  # noqa: S603 - fixed words
            ["git", *words],  # noqa: S607 - whichever git the person has
            cwd=cwd,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()


def _how_to_get(name: str) -> str:
    if name == SHIPPED.name:
        return "it comes with citytune: install citytune anew."
    return "restore its folder from a copy, or run `citytune pretrain` anew."


def _counted(corpus: Corpus) -> dict[str, int]:
    """Domain → sets, the most first."""
    return dict(Counter(one.domain for one in corpus.sets).most_common())
