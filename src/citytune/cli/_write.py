"""Write what a job came to: the model, the scores, the forecast and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from citytune.cli._folder import FORECAST, MODEL, READING, REPORT, SCORES
from citytune.cli._job import Outcome
from citytune.cli._reading import Reading

UNKNOWN: dict[str, None] = dict.fromkeys(("mae", "rmse", "mase", "wql", "coverage_90", "width_90"))
"""The row of scores.json of a model that was not scored."""
NOTHING: dict[str, Any] = {
    "holdout": {"start": None, "end": None, "origins": 0},
    "models": {},
    "regions": {},
    "alerts": [],
}
"""What scores.json says of a holdout without one."""


def write(outcome: Outcome, folder: Path, reading: Reading) -> None:
    """Write every part of a run into an empty folder."""
    from citytune.reporting import Report

    outcome.model.save(folder / MODEL)
    _write_json(folder / MODEL / READING, reading.said())
    _write_json(folder / SCORES, summary(outcome))
    outcome.forecast.write_csv(folder / FORECAST)
    parts = (outcome.frame, outcome.model, outcome.scores, outcome.forecast)
    Report(*parts, advice=outcome.advice).write(folder / REPORT)


def summary(outcome: Outcome) -> dict[str, Any]:
    """What scores.json holds; other tools read it."""
    frame, model = outcome.frame, outcome.model
    found = NOTHING if outcome.scores is None else outcome.scores.summary()
    models = {name: found["models"].get(name, UNKNOWN) for name in ("tuned", "zero-shot")}
    return {
        "format": 1,
        "quantity": frame.quantity.name,
        "unit": frame.quantity.unit,
        "freq": frame.clock.freq,
        "horizon": model.spec.horizon,
        "sensors": len(frame.sensors),
        "chosen": {
            "backbone": model.card.name,
            "strategy": model.strategy,
            "weights": {band: dict(shares) for band, shares in model.weights.items()},
        },
        "holdout": found["holdout"],
        "models": models | found["models"],
        "regions": found["regions"],
        "alerts": found["alerts"],
        "seconds": {name: round(spent, 3) for name, spent in outcome.seconds.items()},
    }


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")
