"""Read lines of logfmt, in which services write what they do: ts=2024-03-31T14:00Z flow=12."""

from __future__ import annotations

import re

from citytune.readers.cells._encodings import decoded
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import TIME
from citytune.readers.cells._vocabulary import plain_name
from citytune.readers.containers._delimited import read_rows
from citytune.readers.containers._openers import register

HEAD_BYTES = 1 << 14
MOST_KEYS = 200
"""Different words before a = up to which lines are records."""
_PAIR = re.compile(r'([A-Za-z_][\w.@/-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\s+|$)')
_LINE = re.compile(rf"\s*(?:{_PAIR.pattern}){{2,}}")
_FEWEST = 3
"""Lines from which it is told."""


def is_logfmt(data: bytes) -> bool:
    """Whether the first lines hold pairs alone, one of which is called a time."""
    if b"=" not in data[:256]:
        return False
    head = data[:HEAD_BYTES].decode("utf-8-sig", errors="replace").splitlines()
    lines = [line for line in head[: -1 if len(data) > HEAD_BYTES else None] if line.strip()]
    some = lines[:20]
    return len(some) >= _FEWEST and all(map(_LINE.fullmatch, some)) and any(
        plain_name(key) in TIME for key in _pairs(some[0])
    )  # fmt: skip


def read_logfmt(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each line, a column for each key; lines without a time are none of it."""
    found = [_pairs(line) for line in decoded(data).splitlines() if line.strip()]
    keys = [*dict.fromkeys(key for line in found for key in line)]
    if len(keys) > MOST_KEYS:
        findings.fail("not-a-table", f"the lines hold {len(keys):,} different keys",
                      "keep the lines of readings alone")  # fmt: skip
    time = next(key for key in keys if plain_name(key) in TIME)
    timed = [line for line in found if line.get(time)]
    if rest := len(found) - len(timed):
        findings.note("footer", f"{rest} lines without {time}=", "left out", count=rest)
    rows = [[line.get(key, "") for key in keys] for line in timed]
    return read_rows([keys, *rows], name, stem, findings)


def _pairs(line: str) -> dict[str, str]:
    """Key → value.

    >>> _pairs('ts=2024-03-31 msg="a b" flow=12')
    {'ts': '2024-03-31', 'msg': 'a b', 'flow': '12'}
    """
    return {key: _bare(value) for key, value in _PAIR.findall(line)}


def _bare(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


register(is_logfmt, read_logfmt)
