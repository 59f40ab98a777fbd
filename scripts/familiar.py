"""Write what `citytune-base` was trained on, in numbers, beside its card.

    python scripts/familiar.py

Looks at some windows of every set of its corpus at the clocks it was shown, as the network's own
features describe them.
"""

from __future__ import annotations

import argparse
import os
import tomllib
from pathlib import Path

import torch

import citytune as ct
from citytune.advice import daily_share
from citytune.backbones import Familiar, load_backbone, write_familiar
from citytune.backbones._city import SHIPPED, read_card
from citytune.forecasting import task_of
from citytune.windows import cut_past

HERE = Path(__file__).parent
DAYS = 120
"""Of each set, in the middle of it: windows are taken from these."""
SENSORS, WINDOWS = 6, 60
"""Most of each set."""


def windows_of(entry: dict, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (window, feature), and the share that a mean day explains (window,)."""
    target = entry.get("target")
    frame = ct.read(
        folder / entry["file"],
        target=[target] if isinstance(target, str) else target,
        sensor=entry.get("sensor"),
        country=entry.get("country"),
        quantity=entry.get("quantity"),
    )
    step = max(1, len(frame.sensors) // SENSORS)
    frame = frame.select(frame.sensors[::step][:SENSORS])
    kept = (DAYS + 30) * frame.clock.steps_per_day
    frame = frame.since(max(0, (len(frame) - kept) // 2))
    frame = frame.until(min(len(frame), kept))
    horizon = min(2 * frame.clock.steps_per_day, 336)
    task = task_of(frame, horizon=horizon, backbone="citytune-base")
    some = torch.linspace(0, len(task.examples) - 1, min(WINDOWS, len(task.examples))).long()
    part = task.part(some)
    history = part.history
    past = cut_past(history.filled, part.examples, part.spec.context, period=history.steps_per_day)
    return part.lesson.features, daily_share(past, history.steps_per_day)


def main() -> None:
    """Look at every set, then write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=HERE / "citytune-base.toml")
    options = parser.parse_args()
    recipe = tomllib.loads(options.recipe.read_text(encoding="utf-8"))
    folder = Path(os.environ.get("CITYTUNE_DATA", options.recipe.parent / recipe["folder"]))
    load_backbone("citytune-base")
    seen, shares = [], []
    for entry in recipe["set"]:
        try:
            features, share = windows_of(entry, folder)
        except ct.InputError as error:
            print(f"{entry['file']} is left out: {error}")
            continue
        seen.append(features)
        shares.append(share)
        print(f"{entry.get('name', entry['file'])}: {len(features)} windows", flush=True)
    features, share = torch.cat(seen), torch.cat(shares)
    clocks = {clock for one in read_card(SHIPPED)[1]["corpus"] for clock in one["clocks"]}
    found = Familiar(
        len(features), tuple(sorted(clocks)), features.mean(0), features.var(0), 0.0, (0.0, 1.0)
    )
    low, high = share.quantile(torch.tensor([0.05, 0.95])).tolist()
    far = float(found.distance(features).quantile(0.95))
    write_familiar(
        SHIPPED, found._replace(far=round(far, 4), daily=(round(low, 4), round(high, 4)))
    )
    print(f"{len(features)} windows; 95 % lie within {far:.2f}")


if __name__ == "__main__":
    main()
