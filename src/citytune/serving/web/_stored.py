"""What the database and the library say in English, in the language of a page."""

from __future__ import annotations

import re
from collections.abc import Callable

from citytune.watching import KINDS

RULES = ("yesterday", "last week", "last good day", "last good week", "last day measured")
"""What a fallback is made of."""
BY_RULE, SINCE = "fallback: {rule}", "{kind} since {date}"
STAGES = ("Reading", "Choosing a model", "Scoring", "Fitting on everything", "Fitting",
          "Comparing with a refit", "Learning from what is new", "Forecasting",
          "Writing the report")  # fmt: skip
"""What a job says that it is doing."""
STORED = (
    *RULES, BY_RULE, SINCE, *STAGES, *KINDS, "new: untuned model", "over 99 %", "under 1 %",
    "upload", "path", "url", "database", "readings", "error", "warning", "note",
    "quick", "usual", "thorough",
)  # fmt: skip
"""All of it, for catalogues."""
_RULE = re.compile(rf"fallback: ({'|'.join(RULES)})\b")
_SINCE = re.compile(rf"\b({'|'.join(KINDS)}) since (\d{{4}}-\d\d-\d\d)")


def quality_words(text: str, say: Callable[[str], str]) -> str:
    """What the quality of a forecast says.

    >>> quality_words("fallback: last week (frozen since 2024-03-01)", str)
    'fallback: last week (frozen since 2024-03-01)'
    """
    text = _RULE.sub(lambda found: say(BY_RULE).format(rule=say(found[1])), say(text))
    return _SINCE.sub(lambda found: say(SINCE).format(kind=say(found[1]), date=found[2]), text)


def stage_words(text: str, say: Callable[[str], str]) -> str:
    """A stage, of which what comes after a colon stays as it is."""
    stage, colon, part = text.partition(": ")
    return f"{say(stage)}{colon}{part}"
