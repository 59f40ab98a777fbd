"""What came true of earlier forecasts, week by week."""

from __future__ import annotations

from typing import Any

from citytune._text import counted, number, percent
from citytune.evaluation import Verified, by_week, error_change
from citytune.reporting import _charts as charts
from citytune.reporting._material import Material

MOST_ALERTS = 3
"""Alerts that are drawn."""


def record(material: Material) -> dict[str, Any] | None:
    """A sentence, charts and a table of the weeks; None before anything came."""
    found = material.verified
    if found is None or material.record is None:
        return None
    weeks = by_week(material.record)
    names = [name for name in found.alerts if any(name in week.alerts for week in weeks.values())]
    alerts = {name: _words(material, name) for name in names}
    return {
        "text": said(found, material.unit),
        "charts": _charts(weeks, alerts, material.unit) if len(weeks) > 1 else [],
        "columns": [
            "week from", "values", "mean error", "yesterday's values", "change", "90 % coverage",
            *(f"{word}: {what}" for word in alerts.values() for what in ("chance", "came true")),
        ],
        "rows": [_row(monday, week, list(alerts)) for monday, week in reversed(weeks.items())],
    }  # fmt: skip


def said(found: Verified, unit: str) -> str:
    """How the forecasts did that were made in earnest."""
    error = f"{number(found.mae)} {unit}".strip()
    return (
        f"forecasts as they were made, for {found.first} to {found.last}: mean error {error}, "
        f"{error_change(found.saved)} {'as' if abs(found.saved) < 0.01 else 'than'} yesterday's "
        f"values; {percent(found.coverage)} of {counted(found.values, 'value')} in the 90 % "
        "intervals."
    )


def _words(material: Material, column: str) -> str:
    """An alert in words, by its column."""
    watches = material.watched.alerts
    found = {watch.alert.column: watch.alert.words(material.frame.quantity) for watch in watches}
    return found.get(column, column)


def _row(monday: str, week: Verified, alerts: list[str]) -> list[str]:
    chances = [week.alerts.get(name, (None, None)) for name in alerts]
    return [
        monday,
        f"{week.values:,}",
        number(week.mae),
        number(week.naive),
        error_change(week.saved),
        percent(week.coverage),
        *(percent(share) for pair in chances for share in pair),
    ]


def _charts(weeks: dict[str, Verified], alerts: dict[str, str], unit: str) -> list[dict[str, Any]]:
    mondays, each = list(weeks), list(weeks.values())
    errors = {"forecast": [w.mae for w in each], "yesterday's values": [w.naive for w in each]}
    covered = {"coverage": [100 * w.coverage for w in each]}
    axis = f"mean error ({unit})" if unit else "mean error"
    found = [
        _chart("weekerror", "Mean error", charts.by_week(mondays, errors, axis)),
        _chart("weekcover", "Coverage, which should be 90 %",
               charts.by_week(mondays, covered, "coverage (%)", 90)),
    ]  # fmt: skip
    for i, (name, word) in enumerate([*alerts.items()][:MOST_ALERTS]):
        pairs = [w.alerts.get(name, (float("nan"), float("nan"))) for w in each]
        lines = {
            "mean chance": [100 * said for said, _ in pairs],
            "came true": [100 * came for _, came in pairs],
        }
        figure = charts.by_week(mondays, lines, "share of values (%)")
        found.append(_chart(f"weekalert{i}", f"Chances of {word}", figure))
    return found


def _chart(name: str, caption: str, figure: Any) -> dict[str, Any]:
    return {"id": name, "caption": caption, "figure": figure}
