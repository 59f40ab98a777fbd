"""Which model was chosen, why, and what its forecast is made of."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from citytune._text import capital, duration, percent
from citytune.evaluation import compared
from citytune.reporting import _words as words
from citytune.reporting._material import Material

MOST_EXPERTS = 6
"""Experts with a look of their own; the rest are drawn as one."""
SMALLEST_SHARE_SHOWN = 0.005
"""Shares below this are not shown."""


def model(material: Material) -> dict[str, Any]:
    """What was done, the stack's weights as bars and in words, the card, and the advice."""
    tuned = material.model
    return {
        "which": _which(material),
        "explained": words.strategy(tuned),
        "why": _why(material),
        "notes": [f"{words.for_page(capital(note))}." for note in tuned.notes],
        "words": tuned.words(),
        "stack": _stack(material),
        "facts": _card(material),
        "advice": None if material.advice is None else words.for_page(str(material.advice)),
    }


def _which(material: Material) -> str:
    """That the errors are not of this model, if they are those of an earlier fit."""
    if not material.fitted_again:
        return ""
    tuned = material.model
    until = tuned.clock.text(tuned.clock.index(tuned.trained_until))
    return (
        f"This is the model that forecasts, fitted on data up to {until}. The test period was "
        "forecast by one fitted on the days before it, so what helped in the test may differ from "
        "what is used now."
    )


def _why(material: Material) -> str:
    """How it did in cross-validation: what an automatic choice is based on."""
    error = material.model.fold_error
    if material.model.strategy == "zero-shot" or not math.isfinite(error):
        return ""
    return f"In cross-validation on the history: {compared(1 - error, 'the best seasonal rule')}."


def _card(material: Material) -> list[tuple[str, str]]:
    card, spec, step = material.model.card, material.model.spec, material.model.clock.step
    size = f"{card.parameters:,} weights" if card.parameters else "no pretrained weights"
    return [
        ("Model", f"{card.name}: {card.title}"),
        ("Size", size),
        ("Trained on", card.trained_on),
        ("Licence", card.licence),
        ("More about it", words.for_page(card.source)),
        ("Looks back", duration(spec.context * step)),
        ("Looks ahead", duration(spec.horizon * step)),
    ]


def _stack(material: Material) -> dict[str, Any] | None:
    """Shares of the experts per band of the horizon, each expert with one look throughout."""
    weights, experts = material.model.weights, material.model.experts
    total: Counter[str] = Counter()
    for shares in weights.values():
        total.update(
            {name: share for name, share in shares.items() if share >= SMALLEST_SHARE_SHOWN}
        )
    if not total:
        return None
    shown = [name for name, _ in total.most_common(MOST_EXPERTS)]
    bands = [
        {"name": words.band(name, material.model.clock), "parts": _parts(shares, shown, experts)}
        for name, shares in weights.items()
    ]
    names = [experts[name] for name in shown] + ["others"] * (len(total) > len(shown))
    return {
        "bands": bands,
        "legend": list(enumerate(names)),
        "columns": ["forecast", *(band["name"] for band in bands)],
        "rows": [
            [experts[name], *(percent(shares.get(name, 0.0)) for shares in weights.values())]
            for name, _ in total.most_common()
        ],
    }


def _parts(
    shares: dict[str, float], shown: list[str], experts: dict[str, str]
) -> list[dict[str, Any]]:
    kept = [shares.get(name, 0.0) for name in shown]
    names = [*(experts[name] for name in shown), "others"]
    parts = zip(names, [*kept, sum(shares.values()) - sum(kept)], strict=True)
    return [
        {"expert": name, "share": f"{100 * share:.1f}", "text": percent(share), "look": look}
        for look, (name, share) in enumerate(parts)
        if share >= SMALLEST_SHARE_SHOWN
    ]
