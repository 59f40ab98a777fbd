"""The reading of a file as a person corrects it: roles chosen in a table become options."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from citytune._errors import InputError

ROLES = {"time": "time", "sensor": "sensor", "reading": "target", "known ahead": "covariates"}
"""Role of a column → the option that gives it."""
UNUSED = "not used"
WORDS = ("quantity", "unit", "timezone", "country", "stamp", "date_order")
"""Options that are one text."""
FIELDS = {
    "quantity": "What is measured",
    "unit": "Unit",
    "timezone": "Time zone",
    "missing": "Values that stand for no data",
    "country": "Country, for its holidays",
    "stamp": "A time names",
    "date_order": "A date begins with",
}
"""Option → the label of its field."""
_SEVERAL = re.compile(r"'.*' and [\d,]+ more$")


def fields_in(translated: Callable[[str], str]) -> dict[str, str]:
    """Option → what the page of a source calls it, in a language."""
    roles = {option: translated(role) for role, option in ROLES.items()}
    found = {name: f"the field “{translated(label)}”" for name, label in FIELDS.items()}
    return found | {option: f"the role “{role}”" for option, role in roles.items()}


def is_one(column: Mapping[str, Any]) -> bool:
    """Whether a line of the table is one column, and not many alike."""
    return _SEVERAL.search(str(column["name"])) is None


def options_of(
    before: Mapping[str, Any], columns: Sequence[Mapping[str, Any]], said: Mapping[str, str]
) -> dict[str, Any]:
    """Options of `read`: as before, but for what was said.

    Args:
        before: The options so far.
        columns: Name and role of each, as the last check found them.
        said: Name of a column, as `role:NAME`, → its role; and options by name.
    """
    found = {name: one for name, one in before.items() if name not in (*WORDS, "missing")}
    singles = [one for one in columns if is_one(one)]
    wanted = {one["name"]: said.get(f"role:{one['name']}") or one["role"] for one in singles}
    for role, option in ROLES.items():
        now = [one["name"] for one in singles if one["role"] == role]
        then = [name for name, one in wanted.items() if one == role]
        if now == then:
            continue
        found.pop(option, None)
        if then:
            found[option] = then
    for option in ("time", "sensor", "target", "covariates"):
        if names := _names(said.get(option, "")):
            found[option] = names
    found |= {name: said[name].strip() for name in WORDS if said.get(name, "").strip()}
    if missing := _names(said.get("missing", "")):
        found["missing"] = [_number(one) for one in missing]
    return found


def _names(text: str) -> list[str]:
    return [one.strip() for one in text.split(";") if one.strip()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"values that stand for no data are numbers with ; between them, got {text[:50]!r}"
        ) from None
