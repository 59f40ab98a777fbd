"""Records above and below a table that say where a message begins and ends: HDR and FTR."""

from __future__ import annotations

import re

from citytune.readers.cells._findings import Findings

_HEAD = re.compile(rb'\s*"?(hdr|head|header|zhv|zhf)"?[,;|\t]', re.IGNORECASE)
_FOOT = re.compile(
    rb'\s*"?(ftr|footer|trl|trlr|trailer|tlr|zpt|end|eof)"?([,;|\t]|$)', re.IGNORECASE
)


def without_envelope(text: bytes, findings: Findings) -> bytes:
    """The text with an empty line for its first record and none for its last, if both are such."""
    body = text.rstrip()
    last = body.rfind(b"\n") + 1
    first = body.find(b"\n")
    if first < 0 or not (_HEAD.match(body[:first]) and _FOOT.match(body[last:])):
        return text
    findings.note(
        "footer",
        "the first and the last line say where the message begins and ends",
        "left out",
        count=2,
    )
    return body[first:last]
