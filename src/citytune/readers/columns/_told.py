"""See that the columns a person asks for can be what they are asked for."""

from __future__ import annotations

from citytune._errors import InputError
from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._durations import refuse_clocks
from citytune.readers.cells._findings import Findings


def refuse_words(covariates: tuple[str, ...], columns: Columns, findings: Findings) -> None:
    """Say which covariates that were asked for hold no numbers."""
    for name in covariates:
        if columns.kind(name) not in ("number", "bool", "empty"):
            findings.error(
                "text-covariate",
                f"covariate {name!r} does not hold numbers{columns.shown(name)}",
                "write it as numbers (for example 0 and 1 for no and yes), or leave it out",
            )


def told_targets(
    targets: tuple[str, ...], columns: Columns, sensor: tuple[str, ...], findings: Findings
) -> tuple[str, ...]:
    """The targets as they were asked for, if they can be read."""
    if len(set(targets)) < len(targets):
        raise InputError(f"target names a column twice: {listed(list(targets), quoted=True)}")
    if sensor and len(targets) > 1:
        raise InputError(
            f"column {sensor[0]!r} names the sensors, so there can be one target, not "
            f"{len(targets)} ({listed(list(targets), quoted=True)}); read them one by one, the "
            f"first with target={targets[0]!r}"
        )
    for name in targets:
        able = columns.kind(name) in ("number", "empty")
        if not able and not refuse_clocks(columns, (), name, findings):
            findings.error(
                "no-numeric-target",
                f"column {name!r} is asked for as target but does not hold numbers"
                f"{columns.shown(name)}",
                "name a column of readings with target=",
            )
    return targets
