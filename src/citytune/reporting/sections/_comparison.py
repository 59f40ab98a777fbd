"""The table of the tuned model and of simpler forecasts."""

from __future__ import annotations

import math
from typing import Any

from citytune._text import capital, number, percent
from citytune.evaluation import error_change, judge_coverage, judge_error
from citytune.reporting import _words as words
from citytune.reporting._material import Material

METRICS = {
    "mae": "mean error",
    "rmse": "RMSE",
    "mase": "MASE",
    "wql": "WQL",
    "coverage_90": "90 % coverage",
    "width_90": "90 % width",
}
"""Metric → column."""
IN_UNIT = ("mae", "rmse", "width_90")
"""Those in the unit of the data."""


def comparison(material: Material) -> dict[str, Any] | None:
    """Rows by error, the smallest first; None without a test period."""
    if material.scores is None:
        return None
    best = {metric: _best(material, metric) for metric in METRICS}
    ranked = sorted(material.models, key=lambda name: _rank(material.metric(name, "mae")))
    return {
        "rows": [_row(material, name, best) for name in ranked],
        "intervals": bool(best["width_90"]),
        "anchor": _anchor(material),
        "notes": [f"{words.for_page(capital(note))}." for note in material.scores.notes],
        "labels": [
            material.in_unit(label) if metric in IN_UNIT else label
            for metric, label in METRICS.items()
        ],
    }


def _anchor(material: Material) -> str:
    if not material.anchored or "zero-shot" not in material.models:
        return ""
    return words.anchor(material.model.card)


def _rank(error: float) -> tuple[bool, float]:
    return not math.isfinite(error), error


def _row(material: Material, name: str, best: dict[str, set[str]]) -> dict[str, Any]:
    saved = math.nan if name == "tuned" else material.saved(name)
    return {
        "name": material.call(name),
        "tuned": name == "tuned",
        "change": error_change(saved),
        "tone": judge_error(saved),
        "cells": [
            {"text": _cell(metric, material.metric(name, metric)), "best": name in best[metric]}
            for metric in METRICS
        ],
    }


def _cell(metric: str, value: float) -> str:
    return percent(value, 1) if metric == "coverage_90" else number(value)


def _best(material: Material, metric: str) -> set[str]:
    """Who is best; several if they cannot be told apart in the table."""
    found = {name: material.metric(name, metric) for name in material.models}
    found = {name: value for name, value in found.items() if math.isfinite(value)}
    if metric == "coverage_90":
        found = {name: abs(value - 0.9) for name, value in found.items()}
    if metric == "width_90":  # narrow intervals are good only where coverage is
        judged = {name: judge_coverage(material.metric(name, "coverage_90")) for name in found}
        found = {name: value for name, value in found.items() if judged[name] == "good"}
    least = min(found.values(), default=math.nan)
    return {name for name, value in found.items() if value <= least * (1 + 1e-6) + 1e-12}
