"""Respect columns that say whether a reading is valid."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import polars as pl

from citytune._errors import InputError, UnknownName
from citytune._text import listed
from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import tokens
from citytune.readers.columns._measures import words_of

WORDS = frozenset(
    [
        "valid",
        "validity",
        "validez",
        "gueltig",
        "gültig",
        "validation",
        "validite",
        "validité",
        "valido",
        "valida",
        "valide",
        "geldig",
        "gyldig",
        "giltig",
        "wazny",
        "ważny",
    ]
)
"""Words of the names of columns that say whether a reading is valid."""
ERROR_WORDS = frozenset(["error", "fehler", "erreur"])
GOOD = frozenset(
    [
        "1",
        "2",
        "3",
        "v",
        "valid",
        "true",
        "yes",
        "y",
        "ok",
        "good",
        "r",
        "a",
        "p",
        "t",
        "gültig",
        "valide",
        "sim",
        "si",
        "sí",
        "oui",
        "ja",
        "tak",
    ]
)
"""Cells of such a column that let a reading pass; 2 and 3 are EEA's "below detection limit"."""
GOOD_ERRORS = frozenset(["n", "0", "none", "no", "false", "ok"])
"""Cells of a column of errors that let a reading pass."""
STATUS_WORDS = frozenset(
    ["status", "statuscode", "quality", "qualitat", "qualite", "qualidade", "calidad"]
)
SOUND = frozenset(["good", "ok", "normal", "valid", "gut", "bon", "good-overridden"])
UNSOUND = frozenset(
    ["bad", "uncertain", "questionable", "fault", "down", "offline", "invalid", "error",
     "comm fail", "no data", "failed", "stale", "schlecht", "substituted", "bad input",
     "i/o timeout"]
)  # fmt: skip
"""Words by which historians and control systems call readings."""
_TROUBLE = re.compile(
    r"\b(loss|lost|fail\w*|fault\w*|err(or)?|bad|offline|down|stale|invalid\w*|time-?out|missing|"
    r"disconnect\w*|no (comm|signal|data|reply)\w*|out of (service|range|order)|malfunction|"
    r"gestort|gestört|störung|ausfall|ungültig|defekt|falla|avería|averia|fallo|inválido|"
    r"perdida|panne|défaut|guasto|storing|awaria)\b"
)
"""What is said of a reading that is none."""
_OPC_UA = re.compile(r"(good|uncertain|bad)(_\w+)?( ?\(0x[0-9a-f]+\))?")
"""Codes of status of OPC UA: Good (0x00000000), Bad_NoCommunication."""
_VALID = re.compile(
    r"valid\w?|valid[eé]e?|v[aá]lid[oa]|g(ü|ue)ltig|geldig|gyldig|giltig|ważn[yea]|conforme|correct|"
    r"correct[oa]|corrett[oa]|korrekt|plausib(el|le)|reliable|fiable|действительн\w+|достоверн\w+"
)
_NOT = re.compile(r"(in|un|u|o|nie|im|не)|(non?|not|nicht|niet|ikke|ej|inte|nie|не)[ _-]?")
"""What stands before such a word where a reading is not valid."""
_PAIRS = frozenset([("有效", "无效"), ("有效", "無效"), ("正常", "异常"), ("正常", "異常"),
                    ("有効", "無効"), ("유효", "무효"), ("정상", "비정상")])  # fmt: skip
_COVERAGE = frozenset(
    words_of("completeness coverage dekningsgrad couverture cobertura copertura abdeckung dekking "
             "vollstandigkeit completezza completude dekning deckung tackning daekning kattavuus")
)  # fmt: skip
"""Words of names of how much of a step was measured."""
LOST = frozenset(["invalid", "error", "missing", "unavailable", "nodata", "no data"])
"""Verdicts that among numbers say that there is none, so that no cell of a column holds them."""
MOST_VALUES = 12
OPC_WORDS = frozenset(["quality", "opcquality", "opc"])
OPC_GOOD, OPC_MOST = 192, 255
"""Of the quality that OPC servers and historians write, from 0 (bad) over 64 (uncertain)."""


def valid_rows(
    table: SourceTable,
    columns: Columns,
    asked: Mapping[str, Sequence[str]],
    taken: set[str],
    findings: Findings,
) -> pl.Expr | None:
    """Which rows hold valid readings; None if no column tells.

    Args:
        table: Holds the columns.
        columns: What they hold.
        asked: Column → the cells that mean valid, as the person said.
        taken: Columns with another role.
        findings: Told what was guessed.
    """
    if asked:
        return _told(table, asked)
    kept = _measured(table, columns, taken, findings)
    for name, column in columns.by_name.items():
        if name in taken or column.kind not in ("text", "number", "bool"):
            continue
        good = _good_cells(column)
        lost = _lost_verdicts(table, name) if good and column.constant else []
        if not good or not 1 < len(column.cells) + len(lost) <= MOST_VALUES:
            continue
        cell = pl.col(name).cast(pl.String).str.strip_chars().str.to_lowercase()
        cell = cell.str.replace(r"\.0$", "")
        fine = cell.is_in(sorted(good))
        fine = fine.fill_null(value=False) if lost else fine
        share = table.rows.select(fine.mean()).collect(engine="streaming").item()
        if share is None or share < 0.5:
            continue  # the words mean something else here
        said = [str(v) for v in (*column.cells, *lost)]
        bad = [v for v in said if v.strip().lower().removesuffix(".0") not in good]
        findings.warn(
            "invalid-readings",
            f"column {name!r} calls {100 * (1 - share):.2g} % of the readings invalid "
            f"({listed(bad, quoted=True)})",
            f"they were treated as missing; pass valid={{{name!r}: [...]}} with what is valid",
        )
        kept = fine if kept is None else kept & fine
    return kept


def _lost_verdicts(table: SourceTable, name: str) -> list[str]:
    """What a column of one verdict says where it seems to say nothing: invalid, error."""
    cells = table.rows.select(name).collect()
    if cells[name].null_count() and table.exact is not None:
        cells = table.exact((name,))
    said = cells[name].cast(pl.String).drop_nulls().unique(maintain_order=True)
    return [cell for cell in said.to_list() if cell.strip().lower() in LOST]


def _good_cells(column: Column) -> frozenset[str]:
    """The cells of a column that let a reading pass; none if it does not tell."""
    words = set(tokens(column.name))
    if negated := _good_of_a_pair(column):
        return negated
    if words & WORDS:
        return GOOD
    if words & ERROR_WORDS:
        return GOOD_ERRORS
    if words & STATUS_WORDS and (good := _good_status(column)):
        return good
    if words & OPC_WORDS and column.whole and 0 <= column.low < OPC_GOOD <= column.high <= OPC_MOST:
        return frozenset(str(quality) for quality in range(OPC_GOOD, OPC_MOST + 1))
    return frozenset()


def _good_of_a_pair(column: Column) -> frozenset[str]:
    """Of two words of which one denies the other, such as Gültig and Ungültig, the sound one."""
    if column.kind != "text" or len(column.cells) > MOST_VALUES:
        return frozenset()
    said = sorted({str(cell).strip().lower() for cell in column.cells}, key=len)
    if len(said) != 2:
        return frozenset()
    good, bad = said
    denied = bad.endswith(good) and _NOT.fullmatch(bad.removesuffix(good))
    known = (denied and _VALID.fullmatch(good)) or {(good, bad), (bad, good)} & _PAIRS
    if not known:
        return frozenset()
    return frozenset([good if denied or (good, bad) in _PAIRS else bad])


def _measured(
    table: SourceTable, columns: Columns, taken: set[str], findings: Findings
) -> pl.Expr | None:
    """Rows of which some was measured, where none was and all readings of such rows are 0.

    The sum of nothing is 0, and is no reading.
    """
    numbers = [n for n in columns.numbers(taken) if not columns.by_name[n].constant]
    for name in numbers:
        column = columns.by_name[name]
        others = [n for n in numbers if n != name and columns.by_name[n].high > 0]
        if not (_COVERAGE & {*tokens(name)} and column.low == 0 and column.high <= 100 and others):
            continue
        share = pl.col(name).cast(pl.Float64, strict=False)
        rows = table.rows.select(
            (share == 0).mean().alias("none"),
            pl.max_horizontal(pl.col(n).cast(pl.Float64, strict=False).abs() for n in others)
            .filter(share == 0).max().alias("most"),
        ).collect(engine="streaming")  # fmt: skip
        empty = rows["none"][0] or 0.0
        if 0 < empty < 0.5 and not rows["most"][0]:
            findings.warn(
                "invalid-readings",
                f"column {name!r} is 0 in {100 * empty:.2g} % of the rows, and all that "
                "they hold is 0",
                "they were treated as missing",
            )
            return share.fill_null(1.0) > 0
    return None


def _good_status(column: Column) -> frozenset[str]:
    """Of the statuses that a control system writes in words, those of sound readings."""
    said = {str(cell).strip().lower() for cell in column.cells}
    if all(re.fullmatch(r"\{.*\}", cell) for cell in said):
        return frozenset(cell for cell in said if "ok" in re.split(r"\W+", cell))
    if all(map(_OPC_UA.fullmatch, said)):
        return frozenset(cell for cell in said if cell.startswith("good"))
    known = all(cell in SOUND | UNSOUND or _TROUBLE.search(cell) for cell in said)
    return frozenset(said & SOUND) if known else frozenset()


def _told(table: SourceTable, asked: Mapping[str, Sequence[str]]) -> pl.Expr:
    kept = pl.lit(True)
    for name, values in asked.items():
        if name not in table.schema:
            raise UnknownName(f"column of {table.name}", name, table.schema.names())
        texts = [str(value) for value in values]
        if not texts:
            raise InputError(f"valid= names no cell of column {name!r} that means valid")
        cell = pl.col(name).cast(pl.String).str.strip_chars()
        fine = cell.is_in(texts) | cell.str.replace(r"\.0$", "").is_in(texts)
        kept = kept & fine.fill_null(value=any(text.lower() in LOST for text in texts))
    return kept
