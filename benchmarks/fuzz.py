"""Change valid files a little, thousands of times: only `InputError`, and never a wrong value.

    python benchmarks/fuzz.py [COUNT] [FIRST]

A change of bytes may make a file unreadable, and it may change what is written in it. It must never
make a reading out of another cell: each value of a frame must be one that is written in the file.
Exits 1 if one does, or if an exception escapes, or a read takes over 10 s of a
processor.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from layouts import Drawn, compare, draw

from citytune import InputError
from citytune.readers import read

SLOW = 10.0
"""Seconds of a processor."""
PLAIN = {"shape": "wide", "notation": "iso", "preamble": "none", "footer": "none", "gaps": "none",
         "numbers": "one decimal", "summer time": "none"}  # fmt: skip
Mutation = Callable[[bytes, np.random.Generator], bytes]


def seeds() -> list[tuple[str, bytes, Drawn]]:
    """Twelve files: eight texts, and one of them as gzip, Parquet, Arrow and JSON."""
    drawn = [draw(seed) for seed in (3, 5, 8, 12, 14, 20, 28, 33)]
    found = [(f"{i}.csv", one.data, one) for i, one in enumerate(drawn)]
    wide = draw(1, **PLAIN)
    rows = pl.read_csv(wide.data, separator=wide.dimensions["delimiter"], try_parse_dates=True)
    parquet, arrow = io.BytesIO(), io.BytesIO()
    rows.write_parquet(parquet)
    rows.write_ipc(arrow)
    lines = json.dumps(rows.with_columns(pl.col(pl.Datetime).cast(pl.String)).to_dicts())
    return [*found, ("a.csv.gz", gzip.compress(wide.data), wide),
            ("a.parquet", parquet.getvalue(), wide), ("a.arrow", arrow.getvalue(), wide),
            ("a.json", lines.encode(), wide)]  # fmt: skip


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(len(data)))
    return data[:place] + bytes([int(rng.integers(256))]) + data[place + 1 :]


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(1, len(data)))]


def _repeat_line(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    place = int(rng.integers(len(lines)))
    return b"\n".join([*lines[:place], lines[place], *lines[place:]])


def _drop_line(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    place = int(rng.integers(len(lines)))
    return b"\n".join([*lines[:place], *lines[place + 1 :]])


def _odd_cell(data: bytes, rng: np.random.Generator) -> bytes:
    cells = (b"", b"NaN", b"1e309", b"-999", b"n/a", b'"', b"'", b"9999-12-31 23:00", b"\xff\xfe",
             b"0x10", b"1_000", b"=1+1", "٣٤".encode(), b"2024-13-45", b"a,b", b"inf",
             b"*")  # fmt: skip
    lines = data.split(b"\n")
    place = int(rng.integers(len(lines)))
    mark = next((m for m in (b";", b"\t", b"|", b",") if m in lines[place]), b",")
    parts = lines[place].split(mark)
    parts[int(rng.integers(len(parts)))] = cells[int(rng.integers(len(cells)))]
    lines[place] = mark.join(parts)
    return b"\n".join(lines)


def _add_cell(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    place = int(rng.integers(len(lines)))
    mark = next((m for m in (b";", b"\t", b"|", b",") if m in lines[place]), b",")
    lines[place] += mark + (b"" if rng.random() < 0.5 else b"7")
    return b"\n".join(lines)


def _line_ends(data: bytes, rng: np.random.Generator) -> bytes:
    return data.replace(b"\n", b"\r\n" if rng.random() < 0.7 else b"\n\n")


def _encoded(data: bytes, rng: np.random.Generator) -> bytes:
    if rng.random() < 0.5:
        return b"\xef\xbb\xbf" + data
    return data.decode("utf-8", "replace").encode("utf-16")


HARMLESS: tuple[Mutation, ...] = (_line_ends, _encoded, _repeat_line)
HARMFUL: tuple[Mutation, ...] = (_flip, _cut, _drop_line, _odd_cell, _add_cell)


def changed(drawn: Drawn, source: Path, harmless: bool) -> str:
    """What becomes of a changed file: "read", "refused", or what is wrong."""
    begun = time.process_time()
    try:
        frame = read(source, **drawn.options)
    except InputError:
        return "refused"
    except BaseException as error:  # noqa: BLE001 - a panic of Rust is no Exception
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"CRASH {type(error).__name__}: {str(error)[:80]} ({where.name}:{where.lineno})"
    if time.process_time() - begun > SLOW:
        return "SLOW"
    if harmless and (said := compare(drawn, frame)) != "right":
        return f"CHANGED {said}"
    return "read"


def main(count: int = 10_000, first: int = 0) -> int:
    """Print what became of the files; the number of bad ones."""
    warnings.simplefilter("ignore")
    tally: Counter[str] = Counter()
    files, begun = seeds(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for i in range(first, first + count):
            rng = np.random.default_rng(i)
            name, data, drawn = files[i % len(files)]
            text = name.endswith("csv")
            kinds = (*HARMLESS, *HARMFUL) if text else (_flip, _cut)
            kind = kinds[int(rng.integers(len(kinds)))]
            path = Path(folder, name)
            path.write_bytes(kind(data, rng))
            said = changed(drawn, path, kind in HARMLESS)
            if said not in ("read", "refused"):
                print(i, name, kind.__name__, said, sep="\t", flush=True)
            tally[said.split()[0]] += 1
            if i % 500 == 499:
                print(i + 1 - first, dict(tally), file=sys.stderr, flush=True)
    print(dict(tally), f"{count} files, {time.monotonic() - begun:.0f} s")
    return sum(n for said, n in tally.items() if said not in ("read", "refused"))


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
