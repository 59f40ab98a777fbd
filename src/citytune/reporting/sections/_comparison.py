"""The table of the tuned model beside simpler forecasts."""

from __future__ import annotations

import math
from typing import Any

from citytune.reporting import _words as words
from citytune.reporting._material import Material
from citytune.reporting._numbers import number, percent

METRICS = {
    "mae": "mean error",
    "rmse": "RMSE",
    "mase": "MASE",
    "wql": "WQL",
    "coverage_90": "90\N{NO-BREAK SPACE}% coverage",
    "width_90": "90\N{NO-BREAK SPACE}% width",
}
"""Metric → column."""


def comparison(material: Material) -> dict[str, Any] | None:
    """Rows by error, the least first; None without a holdout."""
    if material.scores is None:
        return None
    best = {metric: _best(material, metric) for metric in METRICS}
    ranked = sorted(material.models, key=lambda name: _rank(material.metric(name, "mae")))
    return {
        "rows": [_row(material, name, best) for name in ranked],
        "intervals": bool(best["width_90"]),
        "anchor": _anchor(material),
        "notes": material.scores.notes,
        "labels": list(METRICS.values()),
        "unit": material.unit,
    }


def _anchor(material: Material) -> str:
    if not material.anchored or "zero-shot" not in material.models:
        return ""
    return words.anchor(material.model.card)


def _rank(error: float) -> tuple[bool, float]:
    return not math.isfinite(error), error


def _row(material: Material, name: str, best: dict[str, set[str]]) -> dict[str, Any]:
    change = math.nan if name == "tuned" else material.change(name)
    return {
        "name": material.call(name),
        "tuned": name == "tuned",
        "said": words.less_or_more(change),
        "tone": words.tone(change),
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
    if metric == "width_90":  # a narrow interval that does not hold is no virtue
        held = {name: words.held(material.metric(name, "coverage_90")) for name in found}
        found = {name: value for name, value in found.items() if held[name] == "good"}
    least = min(found.values(), default=math.nan)
    return {name for name, value in found.items() if value <= least * (1 + 1e-6) + 1e-12}
