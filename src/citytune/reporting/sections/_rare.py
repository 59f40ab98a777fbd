"""What is gained on rare values, what that costs on typical ones, and how good alerts are."""

from __future__ import annotations

import math
from typing import Any

from citytune._text import capital, listed, number, percent
from citytune.evaluation import REGIONS, AlertScore, Region
from citytune.reporting._material import Material


def rare(material: Material) -> dict[str, Any] | None:
    """Errors by region, and a table for each alert; None if nothing was scored so."""
    scores = material.scores
    if scores is None or not (any(r.values for r in scores.regions) or scores.alerts):
        return None
    names = scores.shown
    return {
        "text": f"{scores.rare_sentence()} {scores.price_sentence()}".strip(),
        "unit": material.unit,
        "beyond": material.in_unit("error beyond"),
        "columns": [material.call(name) for name in names],
        "regions": [_region(region, names) for region in scores.regions if region.values],
        "alerts": [
            _alert(alert, sentence, material, names)
            for alert, sentence in zip(scores.alerts, scores.alert_sentences(), strict=True)
        ],
    }


def _region(region: Region, names: list[str]) -> dict[str, Any]:
    errors = [region.errors.get(name, math.nan) for name in names]
    least = min((error for error in errors if math.isfinite(error)), default=math.nan)
    return {
        "name": capital(REGIONS[region.name]),
        "values": f"{region.values:,}",
        "cells": [{"text": number(error), "best": error <= least} for error in errors],
    }


def _alert(
    score: AlertScore, sentence: str, material: Material, names: list[str]
) -> dict[str, Any]:
    return {
        "name": score.name,
        "text": capital(sentence.removeprefix(f"{score.name}: ")),
        "thresholds": _thresholds(score, material.unit),
        "rows": [
            {"name": material.call(name), "tuned": name == "tuned", "cells": _cells(score, name)}
            for name in names
            if score.events and name in score.models
        ],
    }


def _cells(score: AlertScore, name: str) -> list[str]:
    found = score.models[name]
    lead = found["lead_hours"]
    return [
        *(percent(found[metric]) for metric in ("precision", "recall", "f1")),
        f"{found['caught']:.0f} of {score.episodes}",
        f"{lead:.3g}" if math.isfinite(lead) else "–",
        number(found["twcrps"]),
    ]


def _thresholds(score: AlertScore, unit: str) -> str:
    """Where each sensor's own alert begins; empty if it is one threshold for all."""
    if score.alert.threshold is not None:
        return ""
    known = {name: at for name, at in score.thresholds.items() if math.isfinite(at)}
    word = "above" if score.alert.above else "below"
    told = listed([f"{number(at)} ({name})" for name, at in known.items()], 8)
    return f"Thresholds: {word} {told}{f', in {unit}' if unit else ''}." if known else ""
