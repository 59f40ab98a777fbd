"""Write what a job came to: the model, the scores, the forecast and the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from citytune.runs._folder import FORECAST, MODEL, REPORT, SCORES, Seal, sums_of
from citytune.runs._job import Job, JobResult
from citytune.runs._made import kept_of
from citytune.runs._record import note_forecast, note_readings, note_test, read_record

UNKNOWN: dict[str, None] = dict.fromkeys(("mae", "rmse", "mase", "wql", "coverage_90", "width_90"))
"""The row of scores.json of a model that was not scored."""
NOTHING: dict[str, Any] = {
    "holdout": {"start": None, "end": None, "origins": 0},
    "models": {},
    "regions": {},
    "alerts": [],
}
"""What scores.json holds without a test period."""


def write(result: JobResult, folder: Path, job: Job, source: object) -> None:
    """Write every part of a run into an empty folder."""
    result.model.save(folder / MODEL)
    result.forecast.write_csv(folder / FORECAST)
    note_forecast(folder, result.served, result.frame)
    note_readings(folder, result.model, result.frame)
    if result.scores is not None:
        note_test(folder, result.scores)
    write_results(result, folder)
    made = kept_of(source, job, result.forecast)
    Seal(job.reading.kept(result.frame), sums_of(folder), made).write(folder)


def write_results(result: JobResult, folder: Path) -> None:
    """Write the scores and the report into a folder that holds the record."""
    from citytune.evaluation import record_summary
    from citytune.reporting import Report

    record = read_record(folder)
    came_true = record_summary(record)
    facts = summary(result) | ({} if came_true is None else {"record": came_true})
    scores = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / SCORES).write_text(f"{scores}\n", encoding="utf-8")
    parts = (result.frame, result.model, result.scores, result.forecast)
    page = Report(*parts, advice=result.advice, record=record, unusual=result.served.unusual)
    page.write(folder / REPORT)


def summary(result: JobResult) -> dict[str, Any]:
    """What scores.json holds of a job; other tools read it."""
    frame, model = result.frame, result.model
    found = NOTHING if result.scores is None else result.scores.summary()
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
        "seconds": {name: round(spent, 3) for name, spent in result.seconds.items()},
    }
