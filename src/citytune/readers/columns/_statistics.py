"""Columns of a wide table that say what was computed of a reading: its mean, its percentiles."""

from __future__ import annotations

import re
from collections.abc import Sequence

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._vocabulary import plain_name
from citytune.readers.columns._measures import MEANS, SAMPLES

MOST_STATISTICS = 12
"""Columns up to which some may be statistics of others; networks have more."""
_PERCENTILE = re.compile(
    r"(?:p|q|v|vpp|perc|percentile?|perzentil|quantile?)_?0?(\d\d)(?:th|e)?|"
    r"(\d\d)(?:st|nd|rd|th|e)?_?(?:ile|perc|percentile?|perzentil|quantile?)"
)
_USUAL = frozenset(["05", "10", "15", "20", "25", "50", "75", "80", "84", "85", "90", "95", "98"])
_MIDDLE = frozenset(["50", "85"])
"""Percentiles without which two numbers may be those of streets."""
_COMPUTED = MEANS | {"median", "stddev", "std", "min", "max", "minimum", "maximum"}


def refuse_statistics(chosen: Sequence[str], findings: Findings) -> None:
    """Add an error if some of few columns are means or percentiles, of others or of one reading.

    Args:
        chosen: Columns that would be sensors.
        findings: Told which could be meant.
    """
    percentiles = _percentiles(chosen)
    computed = [n for n in chosen if n in percentiles or plain_name(n) in _COMPUTED]
    rest = [n for n in chosen if n not in computed and plain_name(n) not in SAMPLES]
    if len(chosen) > MOST_STATISTICS or not (computed and (rest or len(percentiles) > 1)):
        return
    groups = [[name] for name in computed]
    groups = groups + [rest] * bool(rest) if len(percentiles) > 1 else [rest, *groups]
    seem = "seem" if computed[1:] else "seems"
    options = " or ".join(f"target={some if some[1:] else some[0]!r}" for some in groups)
    findings.error(
        "which-target",
        f"{listed(computed, 4, quoted=True)} {seem} to be computed of readings, as means and "
        "percentiles are",
        f"name one with {options}, or all with target={[*chosen]!r} if each is a sensor",
        count=len(computed),
    )


def _percentiles(names: Sequence[str]) -> list[str]:
    """Names of percentiles: one behind another word, or several of which one is usual.

    >>> _percentiles(["p15", "p50", "p85", "n"]), _percentiles(["Total", "Vpp 85"])
    (['p15', 'p50', 'p85'], ['Vpp 85'])
    >>> _percentiles(["P10", "P11", "P50"]), _percentiles(["V85", "V86"])
    ([], [])
    """
    found = {n: m[1] or m[2] for n in names if (m := _PERCENTILE.fullmatch(plain_name(n)))}
    letters = [n for n in names if re.fullmatch(r"[a-z]_?\d+", plain_name(n))]
    usual = _USUAL.issuperset(found.values()) and bool(_MIDDLE & {*found.values()})
    return [*found] if usual and {*letters} <= {*found} else []
