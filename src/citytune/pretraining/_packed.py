"""The series of many sets as one value, which a folder of plain arrays can keep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from citytune._errors import RunError
from citytune.pretraining._source import Source

FORMAT = 1
_ABOUT = "corpus.json"
_KINDS: dict[str, type[np.generic]] = {
    "values": np.float32,
    "share": np.float32,
    "weekday": np.uint8,
    "holiday": np.bool_,
}
_SAMPLED = 512  # values of each source that enter the fingerprint
_SAMPLED_STEPS = 16  # the same of its calendar


@dataclass(frozen=True)
class Skipped:
    """A set, or some sensors of one, that nothing is learnt from."""

    name: str
    """Of the set."""
    why: str
    """One sentence."""
    whole: bool = True
    """The whole set, and not only some of its sensors."""

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class SetFacts:
    """What a model's card says of one set."""

    name: str
    """As its sources are called."""
    domain: str
    """Such as "traffic"."""
    quantity: str
    """What was measured, with its unit."""
    clock: str
    """The set's own clock, such as "5min"."""
    clocks: tuple[str, ...]
    """All clocks it is given on."""
    sensors: int
    """Sensors used."""
    steps: int
    """Steps of its own clock, from the first measured to the last."""
    measured: int
    """Values of these sensors that were measured, on its own clock."""
    first: str
    """Wall time of the first step."""
    last: str
    """Wall time of the last step."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Times the listing keeps out of it, from and to."""
    weight: float = 1.0
    """How often it is drawn, against 1 of the others of its domain."""
    licence: str = ""
    """Of the data, if the listing says."""
    citation: str = ""
    """Whom to name, if the listing says."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """The series of many sets, each on its own clock and on coarser ones."""

    sources: tuple[Source, ...]
    """What windows are drawn from; a set has one source for each of its clocks."""
    skipped: tuple[Skipped, ...]
    """What could not be used, and why: for the caller to show."""
    sets: tuple[SetFacts, ...]
    """One for each set used, for the model's card."""
    fingerprint: str
    """Hash over names, shapes and sampled values: equal for an equal corpus."""

    def save(self, folder: Path | str) -> None:
        """Pack the corpus into a folder that `load_corpus` opens in under a second.

        Files are replaced, never overwritten: a run that has an older corpus of the folder open
        keeps what it has.

        Raises:
            RunError: The folder cannot be written.
        """
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for kind in _KINDS:
                _write_arrays(folder / f"{kind}.npy", self.sources, kind)
            beside = folder / f"{_ABOUT}.part"
            beside.write_text(json.dumps(_about(self), indent=1, ensure_ascii=False), "utf-8")
            beside.replace(folder / _ABOUT)
        except OSError as error:
            raise RunError(
                f"the corpus cannot be written to {folder} ({error.strerror}): "
                "free some space, or pass another folder"
            ) from None


def fingerprint(sources: Sequence[Source]) -> str:
    """SHA-256 over names, shapes and evenly sampled values of `sources`, in order."""
    digest = hashlib.sha256()
    for source in sources:
        about = (source.name, source.domain, source.steps_per_day, *source.values.shape)
        digest.update(repr(about).encode())
        flat = source.values.reshape(-1)
        digest.update(flat[_evenly(flat.size, _SAMPLED)].astype("<f4").tobytes())
        steps = _evenly(source.length, _SAMPLED_STEPS)
        for times in (source.share.astype("<f4"), source.weekday, source.holiday):
            digest.update(times[steps].tobytes())
    return digest.hexdigest()


def _evenly(size: int, count: int) -> NDArray[np.int64]:
    return np.linspace(0, size - 1, count).astype(np.int64)


def _about(corpus: Corpus) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "fingerprint": corpus.fingerprint,
        "sources": [
            {
                "name": source.name,
                "domain": source.domain,
                "steps_per_day": source.steps_per_day,
                "sensors": len(source.values),
                "steps": source.length,
            }
            for source in corpus.sources
        ],
        "sets": [asdict(one) for one in corpus.sets],
        "skipped": [asdict(one) for one in corpus.skipped],
    }


def _write_arrays(path: Path, sources: Sequence[Source], kind: str) -> None:
    """The arrays of one kind, end to end; written beside first, as a run may have the old open."""
    beside = path.with_suffix(".part")
    arrays = [getattr(source, kind) for source in sources]
    size = sum(array.size for array in arrays)
    whole = np.lib.format.open_memmap(beside, "w+", dtype=_KINDS[kind], shape=(size,))
    start = 0
    for array in arrays:
        whole[start : start + array.size] = array.reshape(-1)
        start += array.size
    whole.flush()
    del whole
    beside.replace(path)


def is_packed(folder: Path) -> bool:
    """Whether `Corpus.save` wrote this folder."""
    return (folder / _ABOUT).is_file()


def load_corpus(folder: Path | str) -> Corpus:
    """Open a corpus that `Corpus.save` packed, under a second: its arrays stay on disk until read.

    Whatever is written into them stays in memory; the files do not change.

    Raises:
        RunError: The folder is damaged, of another version, or holds no corpus.
    """
    folder = Path(folder)
    if not is_packed(folder):
        raise RunError(f"{folder} holds no packed corpus: pass the folder one was saved to")
    try:
        about = json.loads((folder / _ABOUT).read_text("utf-8"))
        version = about["format"]
        corpus = _open(folder, about) if version == FORMAT else None
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, OSError):
        raise RunError(f"the corpus in {folder} is damaged: pack it again") from None
    if corpus is None:
        raise RunError(
            f"the corpus in {folder} is of format {version}, this version reads {FORMAT}: "
            "pack it again"
        )
    if corpus.fingerprint != about.get("fingerprint"):
        raise RunError(f"the corpus in {folder} is not what was packed there: pack it again")
    return corpus


def _open(folder: Path, about: Mapping[str, Any]) -> Corpus:
    arrays = {
        kind: np.asarray(np.load(folder / f"{kind}.npy", mmap_mode="c", allow_pickle=False))
        for kind in _KINDS
    }
    sources = _sources(about["sources"], arrays)
    skipped = tuple(Skipped(**one) for one in about["skipped"])
    return Corpus(sources, skipped, tuple(map(_facts, about["sets"])), fingerprint(sources))


def _sources(
    listed: Sequence[Mapping[str, Any]], arrays: Mapping[str, NDArray[Any]]
) -> tuple[Source, ...]:
    """The sources as views of the whole arrays."""
    found = []
    value = step = 0
    for one in listed:
        sensors, steps = one["sensors"], one["steps"]
        values = arrays["values"][value : value + sensors * steps].reshape(sensors, steps)
        when = slice(step, step + steps)
        found.append(
            Source(
                name=one["name"],
                domain=one["domain"],
                values=values,
                share=arrays["share"][when],
                weekday=arrays["weekday"][when],
                holiday=arrays["holiday"][when],
                steps_per_day=one["steps_per_day"],
            )
        )
        value, step = value + values.size, step + steps
    return tuple(found)


def _facts(one: Mapping[str, Any]) -> SetFacts:
    left_out = tuple((first, last) for first, last in one["left_out"])
    return SetFacts(**{**one, "clocks": tuple(one["clocks"]), "left_out": left_out})
