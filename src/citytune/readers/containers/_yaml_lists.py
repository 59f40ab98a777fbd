"""Read a list of flat records in YAML; all else of YAML is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from citytune.readers.cells._encodings import decoded
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._delimited import read_rows
from citytune.readers.containers._openers import register

HEAD_LINES = 400
_FEWEST = 2
"""Records from which it is told."""
_KEY = r"""(?:"[^"]+"|'[^']+'|[^\W\d][^:#{}\[\],&*!|>"']*)"""
_SCALAR = r"""(?:"[^"]*"|'[^']*'|[^\s#&*!|>\[{"'][^#]*?|)"""
_FIELD = re.compile(rf"({_KEY}):(?:\s+({_SCALAR}))?\s*(?:\s#.*)?")
_ITEM = re.compile(r"(\s*)-\s+(.*)")
_FLOW = re.compile(r"\{(.*)\}\s*")
_IN_FLOW = re.compile(rf"""\s*({_KEY}):\s*("[^"]*"|'[^']*'|[^,"'{{}}\[\]]*?)\s*(?:,|$)""")


def is_yaml(data: bytes) -> bool:
    """Whether a file begins as a list of records in YAML does, perhaps below the one key."""
    lines = data[: 1 << 14].decode("utf-8-sig", errors="replace").splitlines()[:HEAD_LINES]
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    marked = bool(lines) and lines[0].rstrip() == "---"
    lines = lines[1:] if marked else lines
    if lines and re.fullmatch(rf"{_KEY}:\s*", lines[0]):
        lines = lines[1:]
    items = [item[2] for line in lines if (item := _ITEM.fullmatch(line))]
    if len(items) < _FEWEST or not _ITEM.fullmatch(lines[0]):
        return False
    return all(_FLOW.fullmatch(one) or _FIELD.fullmatch(one) for one in items[:_FEWEST])


def read_yaml(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each record of the list."""
    lines = decoded(data).splitlines()
    try:
        records = [*_records(lines)]
    except ValueError as error:
        findings.fail(
            "not-a-table",
            f"this is YAML of more than a list of flat records ({error})",
            "export the readings as CSV, or as JSON if they are nested",
        )
    keys = [*dict.fromkeys(key for record in records for key in record)]
    return read_rows([keys, *([r.get(k, "") for k in keys] for r in records)], name, stem, findings)


def _records(lines: Sequence[str]) -> Iterator[dict[str, str]]:
    record: dict[str, str] | None = None
    dash = inner = 0
    for number, line in enumerate(lines, 1):
        text = line.rstrip()
        if not text.strip() or text.lstrip().startswith("#") or text in ("---", "..."):
            continue
        if item := _ITEM.fullmatch(text):
            if record is None:
                dash = len(item[1])
            else:
                yield record
            if len(item[1]) != dash:
                raise ValueError(f"line {number} is a list within another")
            record, text, inner = {}, item[2], len(text) - len(item[2])
        elif record is None:
            if re.fullmatch(rf"{_KEY}:\s*", text):
                continue  # the one key above the list
            raise ValueError(f"line {number}, {text[:40]!r}")
        elif len(text) - len(text.lstrip()) != inner:
            raise ValueError(f"line {number}, {text.strip()[:40]!r}")
        record |= _fields(text.strip(), number)
    if record is not None:
        yield record


def _fields(text: str, number: int) -> dict[str, str]:
    """The fields of a line of a record, or of a record in one line."""
    if flow := _FLOW.fullmatch(text):
        found = _IN_FLOW.findall(flow[1])
        if not found or _IN_FLOW.sub("", flow[1]).strip():
            raise ValueError(f"line {number}, {text[:40]!r}")
        return {_bare(key): _bare(value) for key, value in found}
    field = _FIELD.fullmatch(text)
    if field is None:
        raise ValueError(f"line {number}, {text[:40]!r}")
    return {_bare(field[1]): _bare(field[2] or "")}


def _bare(text: str) -> str:
    text = text.strip()
    text = text[1:-1] if text[:1] in ("'", '"') and len(text) > 1 else text
    return "" if text in ("~", "null", "Null", "NULL", ".nan", ".NaN") else text


register(is_yaml, read_yaml)
