"""Statuses in braces, as Niagara's histories have them: {ok}, {fault,stale}."""

from __future__ import annotations

import re

_HEAD = 1 << 16
_STATUS = re.compile(rb"\{[a-z]+(?:,[a-z]+)+\}", re.IGNORECASE)


def with_plain_statuses(text: bytes) -> bytes:
    """The text with blanks for the commas between the words of a status."""
    if b"{ok}" not in text[:_HEAD]:
        return text
    return _STATUS.sub(lambda found: found[0].replace(b",", b" "), text)
