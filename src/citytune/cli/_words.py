"""Say in words what was read, chosen, found and written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from citytune._text import counted, name_options, percent

if TYPE_CHECKING:
    from citytune.evaluation import Scores
    from citytune.frame import SensorFrame

VALUES = {
    "quantity": "NAME",
    "unit": "UNIT",
    "timezone": "ZONE",
    "missing": "VALUE",
    "country": "CODE",
    "table": "NAME",
    "query": "SQL",
    "days": "N",
    "horizon": "N",
}
"""What follows an option; a column where nothing else is said."""


def about(frame: SensorFrame) -> str:
    """What was read, in one line."""
    import numpy as np

    rows, last = len(frame), len(frame) - 1
    missing = float(np.isnan(frame.values).mean())
    return (
        f"{frame.source}: {frame.quantity}, {counted(len(frame.sensors), 'sensor')}, "
        f"{counted(rows, 'row')} of {frame.clock.freq} from {frame.clock.text(0)} to "
        f"{frame.clock.text(last)}, {percent(missing)} missing"
    )


def findings(frame: SensorFrame) -> str:
    """How much was found wrong, in a few words; empty if nothing."""
    found = sum(fault.severity == "warning" for fault in frame.faults)
    return f"{counted(found, 'warning')}, listed by `citytune check`" if found else ""


def comparison(scores: Scores) -> list[str]:
    """How good it is: against a simple rule, against the pretrained model, and its coverage."""
    from citytune.evaluation import compared, describe_coverage

    found = [scores.sentence()]
    if scores.best_naive and "zero-shot" in scores.models:
        saved = scores.skill("zero-shot")
        if math.isfinite(saved):
            found.append(f"It has {compared(saved, scores.call('zero-shot'))}.")
    coverage = scores.models["tuned"]["coverage_90"]
    if math.isfinite(coverage):
        found.append(describe_coverage(coverage))
    return found


def rare(scores: Scores) -> list[str]:
    """How well rare values and alerts were forecast: sentences and small tables, line by line."""
    lines = scores.rare_lines()
    found = filter(None, [scores.rare_sentence(), scores.price_sentence()])
    return [*found, *lines, ""] if lines else []


def change(scores: Scores, rival: str | None) -> str:
    """The tuned model's error against another's, for a table: "−31 %"."""
    if rival is None or rival not in scores.models:
        return "–"
    return percent(-scores.skill(rival), signed=True)


def not_at_hand(names: Sequence[str]) -> str:
    """Which backbones were not tried, in one line; empty if all were."""
    if not names:
        return ""
    return f"Not installed: {', '.join(sorted(names))}; `citytune models` shows how to get them."


def for_terminal(text: str) -> str:
    """Name options as one types them here, rather than as Python's arguments.

    >>> for_terminal("use time= if this is wrong, or add missing=-1"), for_terminal("outtime=3")
    ('use --time COLUMN if this is wrong, or add --missing -1', 'outtime=3')
    """
    return name_options(
        text, lambda name, value: f"--{name} {'' if value else VALUES.get(name, 'COLUMN')}"
    )
