"""Check the prose of the repository: words that readers stumble on, each with a better one.

python scripts/prose.py [PATH ...]
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATHS = ("src", "docs", "benchmarks", "scripts", "README.md", "CHANGELOG.md")
"""What is covered if nothing is named; this file, which lists the words, is left out."""
PHRASES = {
    r"untouched": "without fine-tuning, zero-shot",
    r"foretold?|foretell": "warned of",
    r"beside": "next to, with, compared with, apart from",
    r"heed\w*": "weight, take into account",
    r"(90 % )?intervals? (that |of \w+ )?held|held \d+ ?%|\d+ ?% held": "coverage",
    r"(; |, |or )else (it|they|the)|though it else|they else|would else": "otherwise",
    r"faults? of (its|ours|theirs|citytune)|no rule of its": "its own, a bug in citytune",
    r"on end": "in a row",
    r"(it|model|forecast) errs": "is wrong",
    r"it had not seen": "test period",
    r"if not so": "if this is wrong",
    r"every which": "every, any",
    r"is no window at all|no free lunch": "plain words",
    r"with a pencil": "simple rule",
    r"tuning paid|did not pay": "helped, did not help",
    r"care for rare values": "emphasis on rare values",
    r"for its level": "relative to its level",
    r"said beside|tells? of the model": "describes",
    r"is there already and was kept": "already exists and was not overwritten",
}
"""Pattern → what to write instead."""
NAMES = re.compile(r"heed\w*|todays|says_of|says_again|_heard|heard")
"""Private words that nobody can search for, as identifiers."""
_PATTERNS = {re.compile(rf"\b({pattern})\b", re.I): better for pattern, better in PHRASES.items()}


def findings(path: Path) -> Iterator[str]:
    """Each stumbling block of a file, as "file:line: word; write ..."."""
    text = path.read_text(encoding="utf-8")
    prose = _python(text) if path.suffix == ".py" else _markdown(text)
    for line, part in prose:
        for pattern, better in _PATTERNS.items():
            for found in pattern.finditer(" ".join(part.split())):
                yield f"{path}:{line}: {found[0]!r}; write: {better}"
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and NAMES.fullmatch(token.string):
                yield f"{path}:{token.start[0]}: the name {token.string!r}; use the field's term"


def _python(text: str) -> Iterator[tuple[int, str]]:
    """Every string of a program, docstrings among them, and every comment."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _markdown(text: str) -> Iterator[tuple[int, str]]:
    """Every paragraph."""
    line = 1
    for part in text.split("\n\n"):
        yield line, part
        line += part.count("\n") + 2


def main(given: list[str]) -> int:
    """Print every finding; 1 if there is one."""
    roots = [Path(name) for name in given] or [ROOT / name for name in PATHS]
    files = [p for r in roots for p in (sorted(r.rglob("*")) if r.is_dir() else [r])]
    kinds = (".py", ".md", ".html")
    wanted = [p for p in files if p.suffix in kinds and p.resolve() != Path(__file__).resolve()]
    found = [one for path in wanted for one in findings(path)]
    print("\n".join(found) or "The prose is plain.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
