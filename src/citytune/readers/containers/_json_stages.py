"""Lists of a JSON document that are stages of one table: what was measured, what is expected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from citytune._text import listed
from citytune.readers.cells._findings import Findings

_EXPECTED = re.compile(
    r"(.*_)?(forecasts?|predict(ion|ed)s?|prognos[ei]s?|expected)", re.IGNORECASE
)
_LATEST = re.compile(r"current|latest|now|last", re.IGNORECASE)


def without_forecasts(document: Any, findings: Findings) -> Any:
    """A document without what stands next to a list of measured records and looks like them.

    A forecast is not measured, and the latest value is one of the list or of a part of an hour.
    """
    if not isinstance(document, Mapping):
        return document
    shapes = {key: _shape(one) for key, one in document.items()}
    odd = [key for key in document if _EXPECTED.fullmatch(key) or _LATEST.fullmatch(key)]
    measured = {
        shapes[key] for key, one in document.items() if key not in odd and isinstance(one, list)
    }
    lost = [key for key in odd if shapes[key] and shapes[key] in measured]
    if not lost:
        return document
    findings.note(
        "forecasts",
        f"{listed(lost, quoted=True)} of the document stand next to what was measured",
        "they were left out; pass what they hold as a file of its own if it is meant",
        count=len(lost),
    )
    return {key: one for key, one in document.items() if key not in lost}


def _shape(value: Any) -> frozenset[str]:
    """The fields of a record, or of the first of a list of them; none of anything else."""
    first = value[0] if isinstance(value, list) and value else value
    return frozenset(first) if isinstance(first, Mapping) else frozenset()
