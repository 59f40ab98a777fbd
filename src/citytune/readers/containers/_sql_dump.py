"""Read what mysqldump, pg_dump, sqlite3 and SQL Server write: a table as statements of SQL.

Nothing is executed: the names of columns and the rows of `INSERT` and `COPY` are taken as text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._delimited import read_delimited
from citytune.readers.containers._openers import register

Rows: TypeAlias = list[Sequence[str]]
HEAD_BYTES = 1 << 16
MOST_ROWS_OF_A_LOOKUP = 20
"""Rows up to which a table only describes another."""
_NAME = r"[`\"\[]?[\w.`\"\[\]]+[`\"\]]?"
_BEGINS = re.compile(r"\s*(--|/\*|(create|insert|set|drop|begin|pragma|copy|use)\b)", re.IGNORECASE)
_ROWS = re.compile(
    rf"^(insert into {_NAME}.*values|copy {_NAME}\s*\(.*\)\s*from stdin)",
    re.IGNORECASE | re.MULTILINE,
)
_CREATE = re.compile(
    rf"^create table (?:if not exists )?({_NAME})\s*\((.*?)(?:^\)|\)[ \t]*;)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_NO_COLUMN = re.compile(r"(primary|unique|key|constraint|index|foreign|check|fulltext)\b", re.I)
_INSERT = re.compile(
    rf"^insert into ({_NAME})\s*(?:\(([^)]*)\))?\s*values\s*(.*?);[ \t]*$",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_COPY = re.compile(
    rf"^copy ({_NAME})\s*\(([^)]*)\)\s*from stdin;\n(.*?)^\\\.$",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_BETWEEN_COLUMNS = re.compile(r",(?![^(]*\))")
"""A comma outside of brackets: DECIMAL(9, 2) is one type."""
_GO = re.compile(r"^GO[ \t]*$", re.MULTILINE)
_CAST = re.compile(r"\bcast\(('(?:[^']|'')*'|[^\s()']+) as \w+(?: ?\([\d, ]+\))?\)", re.IGNORECASE)
_END = re.compile(r"^insert (?:into )?(\S.*\))[ \t]*;?[ \t]*$", re.IGNORECASE | re.MULTILINE)
"""An `INSERT` of SQL Server in a line of its own; "into" and the semicolon may be missing."""
_TOKEN = re.compile(r"'((?:[^'\\]|\\.|'')*)'|([^\s,()']+)|([(),])")


def is_dump(data: bytes) -> bool:
    """Whether a file begins as SQL does and has rows of a table further on."""
    text = _text_of(data[:HEAD_BYTES])
    return bool(_BEGINS.match(text) and _ROWS.search(text))


def read_dump(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The only table of a dump that has more than a few rows."""
    text = _text_of(data)
    names = {_bare(one[1]): _columns(one[2]) for one in _CREATE.finditer(text)}
    tables: dict[str, Rows] = {}
    for one in _INSERT.finditer(text):
        rows = tables.setdefault(_bare(one[1]), [])
        if one[2]:
            names[_bare(one[1])] = [_bare(column) for column in one[2].split(",")]
        rows.extend(_tuples(one[3]))
    for one in _COPY.finditer(text):
        names[_bare(one[1])] = [_bare(column) for column in one[2].split(",")]
        rows = tables.setdefault(_bare(one[1]), [])
        rows.extend([_unescaped(cell) for cell in line.split("\t")] for line in one[3].splitlines())
    large = [table for table, rows in tables.items() if len(rows) > MOST_ROWS_OF_A_LOOKUP] or [
        *tables
    ]
    if len(large) != 1:
        findings.fail(
            "several-tables",
            f"the dump holds {len(large)} tables ({listed(large, quoted=True)})",
            "dump the one that holds the readings, or load it into a database and name it with "
            "table=",
        )
    rows = tables[large[0]]
    header = names.get(large[0]) or [f"column_{i + 1}" for i in range(len(rows[0]))]
    found = io.StringIO()
    csv.writer(found, lineterminator="\n").writerows([header, *rows])
    return read_delimited(found.getvalue().encode(), name, stem, findings)


def _text_of(data: bytes) -> str:
    """A script as other databases write it: that of SQL Server has GO for a semicolon."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = data.decode(encoding, errors="replace").replace("\r\n", "\n").lstrip("\ufeff")
    if not _GO.search(text):
        return text
    text = _CAST.sub(r"\1", re.sub(r"(?<![\w'])N'", "'", text))
    return _END.sub(r"insert into \1;", text)


def _columns(body: str) -> list[str]:
    """The names of the columns that a statement creates."""
    lines = [line.strip() for line in body.splitlines()]
    if len(lines) == 1:
        lines = [part.strip() for part in _BETWEEN_COLUMNS.split(body)]
    told = [line for line in lines if line and not _NO_COLUMN.match(line)]
    return [_bare(line.split()[0]) for line in told]


def _bare(name: str) -> str:
    """A name without quotes and without that of its schema."""
    return re.sub(r"[`\"\[\]\s]", "", name).rpartition(".")[2]


def _tuples(text: str) -> Iterator[list[str]]:
    """The rows of the values of an `INSERT`."""
    row: list[str] = []
    depth = 0
    for quoted, plain, sign in _TOKEN.findall(text):
        if sign == "(":
            depth += 1
            row = row if depth > 1 else []
        elif sign == ")":
            depth -= 1
            if not depth:
                yield row
        elif not sign and depth:
            null = plain.upper() == "NULL"
            row.append("" if null else plain or re.sub(r"\\(.)|''", _quote, quoted))


def _quote(found: re.Match[str]) -> str:
    return found[1] or "'"


def _unescaped(cell: str) -> str:
    return "" if cell == r"\N" else cell.replace(r"\t", "\t").replace(r"\\", "\\")


register(is_dump, read_dump)
