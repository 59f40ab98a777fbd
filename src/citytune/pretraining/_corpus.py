"""Bring many sets together into one corpus for pretraining."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from citytune._errors import CitytuneError, InputError, TableError
from citytune._text import listed
from citytune.frame import Clock, SensorFrame, spell
from citytune.pretraining._coarser import (
    DAY,
    clocks_of,
    divides,
    fewest_steps,
    judge,
    measured_span,
    on_clock,
)
from citytune.pretraining._listing import Entry, Span, read_listing
from citytune.pretraining._source import Corpus, SetFacts, Skipped, Source, fingerprint
from citytune.readers import read

Progress = Callable[[str, float], None]

DOMAINS = ("traffic", "energy", "air")
"""Names of folders that tell the domain of the files in them."""
_ENDINGS = (".csv", ".csv.gz", ".parquet", ".pq", ".tsv", ".txt")
_FEW = 20  # reasons shown in one error


def read_corpus(paths: Sequence[Path | str], *, progress: Progress | None = None) -> Corpus:
    """Read the sets to pretrain on.

    What cannot be used is skipped and listed in `skipped`, so that hours of training do not end
    on a bad file.

    Args:
        paths: Each a CSV or Parquet file; a folder, of which every such file is taken; or a
            corpus listing (`.toml`).
        progress: Called with what is being done and the share that is done.

    Raises:
        InputError: A listing is wrong, a path is not there, or nothing at all is left.
    """
    where = [Path(path).expanduser() for path in paths]
    parts = []
    entries = _distinct([one for path in where for one in _entries(path)])
    for i, entry in enumerate(entries):
        if progress is not None:
            progress(f"reading {entry.name}", i / len(entries))
        parts.append(_read_set(entry))
    if progress is not None:
        progress("corpus read", 1.0)
    return _together(parts, where)


def _entries(path: Path) -> list[Entry]:
    """The sets of one path."""
    if path.suffix.lower() == ".toml":
        return read_listing(path)
    if path.is_dir():
        return [Entry(path=file, name=_stem(file)) for file in sorted(_tables(path))]
    if not path.exists():
        raise InputError(f"{path} is not there: pass a file, a folder or a corpus listing (.toml)")
    return [Entry(path=path, name=_stem(path))]


def _tables(folder: Path) -> Iterator[Path]:
    """The CSV and Parquet files below a folder, but for hidden ones."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.name.lower().endswith(_ENDINGS) and path.is_file():
            yield path


def _stem(path: Path) -> str:
    """The file's name without its ending."""
    endings = [one for one in _ENDINGS if path.name.lower().endswith(one)]
    return path.name[: -max(map(len, endings))] if endings else path.name


def _distinct(entries: Sequence[Entry]) -> list[Entry]:
    """The entries, of which no two have the same name: later ones are numbered."""
    met: Counter[str] = Counter()
    named = []
    for entry in entries:
        met[entry.name] += 1
        number = met[entry.name]
        named.append(entry if number == 1 else replace(entry, name=f"{entry.name} ({number})"))
    return named


def _together(parts: Sequence[Corpus], paths: Sequence[Path]) -> Corpus:
    sources = tuple(source for part in parts for source in part.sources)
    skipped = tuple(one for part in parts for one in part.skipped)
    if not sources:
        reasons = [f"\n  - {one}" for one in skipped[:_FEW]]
        if more := len(skipped) - len(reasons):
            reasons.append(f"\n  - and {more} more")
        raise InputError(
            f"there is nothing to pretrain on in {', '.join(map(str, paths)) or 'no path at all'}: "
            "pass CSV or Parquet files, folders of them, or a corpus listing (.toml)"
            + "".join(reasons)
        )
    sets = tuple(one for part in parts for one in part.sets)
    return Corpus(sources, skipped, sets, fingerprint(sources))


def _read_set(entry: Entry) -> Corpus:
    """One set as a corpus of its own, empty if it cannot be used."""
    try:
        frame = _frame(entry)
        sources = _sources(entry, frame)
        skipped = tuple(_losses(entry, frame, sources))
        sets = (_facts(entry, frame, sources),) if sources else ()
    except CitytuneError as error:
        return Corpus((), (Skipped(entry.name, _reason(error)),), (), "")
    except Exception as error:  # noqa: BLE001 - one odd file must not end hours of work
        why = f"reading it failed unexpectedly ({type(error).__name__}: {error})"
        return Corpus((), (Skipped(entry.name, why),), (), "")
    return Corpus(sources, skipped, sets, "")


def _reason(error: CitytuneError) -> str:
    """The first reason of an error, in one line."""
    if isinstance(error, TableError) and error.problems:
        return " ".join(error.problems[0].split())
    return " ".join(str(error).split())


def _frame(entry: Entry) -> SensorFrame:
    """The set as read, with what the listing keeps out of it missing."""
    if not entry.path.exists():
        raise InputError(f"the file {entry.path} is not there")
    options = dict(entry.options)
    if entry.written is None:
        frame = read(entry.path, **options)
    else:
        zone = options.get("timezone", entry.written)
        frame = read(entry.path, **{**options, "timezone": entry.written})
        frame = replace(frame, clock=Clock(frame.clock.start, frame.clock.step, zone))
    if not entry.cut:
        return frame
    out = _within(frame, entry.cut)
    return replace(frame, values=np.where(out[:, None], np.float32(np.nan), frame.values))


def _within(frame: SensorFrame, spans: Sequence[Span]) -> NDArray[np.bool_]:
    """Which steps (time,) overlap any of `spans`, by the wall clock."""
    local = frame.clock.local(0, len(frame))
    step = np.timedelta64(frame.clock.step, "us")
    out = np.zeros(len(local), bool)
    for first, end in spans:
        out |= (local + step > np.datetime64(first, "us")) & (local < np.datetime64(end, "us"))
    return out


def _sources(entry: Entry, frame: SensorFrame) -> tuple[Source, ...]:
    """The set on every clock it allows."""
    step = frame.clock.step
    if not divides(step, DAY):
        raise InputError(
            f"its clock of {frame.clock.freq} does not divide the day into equal steps"
        )
    steps = clocks_of(step, len(frame) * step / DAY)
    if entry.clocks is not None:
        steps = [one for one in entry.clocks if divides(step, one)]
    domain = _domain(entry, frame)
    found = (
        on_clock(frame, one, name=entry.name, domain=domain, most_sensors=entry.most_sensors)
        for one in steps
    )
    return tuple(source for source in found if source is not None)


def _domain(entry: Entry, frame: SensorFrame) -> str:
    """As listed, or the folder's name if it is a domain, or that of the quantity."""
    parent = entry.path.resolve().parent.name.lower()
    return entry.domain or (parent if parent in DOMAINS else frame.quantity.domain)


def _losses(entry: Entry, frame: SensorFrame, sources: Sequence[Source]) -> Iterator[Skipped]:
    """The sensors of a set that are not used, or all of it."""
    clock, verdict = frame.clock, judge(frame.values.T, frame.clock)
    reasons = [
        _counted(frame, verdict.never, "never measured"),
        _counted(frame, verdict.short, f"measured for under {fewest_steps(clock) // 2} steps"),
        _counted(frame, verdict.constant, "constant"),
    ]
    found = ", ".join(filter(None, reasons))
    if sources:
        if found:
            yield Skipped(entry.name, f"sensors left out: {found}", whole=False)
    elif not verdict.kept.any():
        yield Skipped(entry.name, f"no sensor can be used: {found}")
    else:
        asked = "" if entry.clocks is None else f" on {', '.join(map(spell, entry.clocks))}"
        yield Skipped(
            entry.name,
            f"{len(frame)} steps of {clock.freq} are too few{asked}: "
            f"at least {fewest_steps(clock)} are needed",
        )


def _counted(frame: SensorFrame, which: NDArray[np.bool_], what: str) -> str:
    """Such as "2 constant (north and south)"; empty for none."""
    names = [name for name, one in zip(frame.sensors, which, strict=True) if one]
    if not names:
        return ""
    return f"{len(names):,} {what} ({listed(names, 3)})"


def _facts(entry: Entry, frame: SensorFrame, sources: Sequence[Source]) -> SetFacts:
    clock = frame.clock
    values = frame.values.T[judge(frame.values.T, clock).kept]
    first, end = measured_span(values)
    return SetFacts(
        name=entry.name,
        domain=sources[0].domain,
        quantity=str(frame.quantity),
        clock=clock.freq,
        clocks=tuple(spell(DAY / source.steps_per_day) for source in sources),
        sensors=max(len(source.values) for source in sources),
        steps=end - first,
        measured=int(np.isfinite(values).sum()),
        first=clock.text(first),
        last=clock.text(end - 1),
        left_out=tuple((_moment(start), _moment(stop)) for start, stop in entry.cut),
        weight=entry.weight,
        licence=entry.licence,
        citation=entry.citation,
    )


def _moment(moment: dt.datetime) -> str:
    return "the end" if moment == dt.datetime.max else f"{moment:%Y-%m-%d %H:%M}"
