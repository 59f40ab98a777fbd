"""`citytune pretrain` in Python: from files to a folder that can be used as a backbone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from citytune._errors import InputError, RunError, UnknownName
from citytune.backbones import FAMILIAR, load_backbone, shelf, write_familiar
from citytune.backbones.city import SHIPPED, CityBackbone, CityNetwork, read_network
from citytune.pretraining._batches import CLOCKS
from citytune.pretraining._card import Provenance, device_in_words, write_folder
from citytune.pretraining._checkpoint import Checkpoint
from citytune.pretraining._corpus import read_corpus
from citytune.pretraining._familiar import familiar_with
from citytune.pretraining._log import Log
from citytune.pretraining._pretrain import RunStatus, machine_for, train
from citytune.pretraining._recipe import Recipe
from citytune.pretraining._scores import Examiner
from citytune.pretraining._source import Corpus, SetFacts

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
"""What a run keeps to go on from, next to the weights and their card."""
DRAFTS = {"checkpoint.part", "log.part", "model.part", "card.part", "familiar.part"}
"""What a kill may have left."""
PRECISIONS = ("auto", "bf16", "no")


def recipe_like(start: str | None, **said: Any) -> Recipe:
    """The recipe of what was said; a network to go on from brings its own size.

    Raises:
        InputError: a value is out of its range, or `start` is no city network.
    """
    size = {} if start is None else _begin(start).size
    return Recipe(**(size | said))


def pretrain(
    paths: Sequence[Path | str],
    out: Path | str,
    recipe: Recipe,
    *,
    name: str | None = None,
    start: str | None = None,
    every: int = 500,
    compiled: bool = False,
    precision: str = "auto",
    command: str = "",
    progress: Callable[[str, float], None] | None = None,
    tell: Callable[[RunStatus], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Path:
    """Make a backbone from many series, or go on with the run in `out`; returns the folder.

    The folder keeps a checkpoint, so that a run that was killed goes on when it is asked for
    again, and ends with the same weights (to the last bit, with as many threads); and a log, a
    line of JSON for each checkpoint. Once finished it is a backbone, which also knows what its
    corpus looks like to it, for advice: `ct.tune(frame, horizon=24,
    backbone=str(out))`. Asked for again, a finished run only writes what is missing of its weights
    and their card, and of what its corpus looks like.

    Args:
        paths: What `read_corpus` takes: files, folders, listings (`.toml`).
        out: Folder of the run; made when the first checkpoint is.
        recipe: How; see `recipe_like` for one that goes on from a network.
        name: What the backbone is called; the folder's name if not said.
        start: A backbone, by name or folder, whose network to go on from: `citytune-base`, or
            one made here.
        every: Steps between checkpoints.
        compiled: Whether to compile the network first (a minute, then steps a quarter shorter).
        precision: "bf16", "no", or "auto": bfloat16 where the hardware multiplies in it.
        command: For the card: what was typed.
        progress: Told what is being read, and the share that is.
        tell: Told where the run stands.
        warn: Told each set that is skipped, and how many are.

    Raises:
        InputError: nothing to learn from, or an option that cannot be.
        RunError: what is in `out` is no run, or one of another recipe or corpus, or damaged.
    """
    place, said = Path(out).expanduser(), warn or _unheard
    check_place(place)
    name = name or place.resolve().name
    check_name(name, place)
    _check_options(every, precision)
    network = None if start is None else _begin(start)
    _check_size(network, recipe, start)
    machine = machine_for(precision)
    begun = Checkpoint(place / CHECKPOINT, recipe).step()  # refused before hours of reading
    corpus = read_corpus(paths, progress=progress)
    used = _used(corpus)
    if machine.is_main:  # of several, one speaks
        _warn_of(corpus, used, said)

    diary = _Diary(place, recipe, begun, tell if tell and machine.is_main else _unheard)
    try:
        trained = train(
            corpus.sources,
            recipe,
            place / CHECKPOINT,
            fingerprint=corpus.fingerprint,
            weights={one.name: one.weight for one in corpus.sets},
            start=network,
            every=every,
            compiled=compiled,
            precision=precision,
            tell=diary.write,
        )
    except Exception as error:
        if compiled and type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise InputError(
                f"the network cannot be compiled here ({type(error).__name__}): leave compiling out"
            ) from error
        raise
    if machine.is_main:
        made = Provenance(
            name=name,
            recipe=recipe,
            corpus=replace(corpus, sets=used),
            score=Examiner(corpus.sources, recipe.held).score(trained),
            command=command,
            start="" if start is None else load_backbone(start).card.name,
            device=device_in_words(machine.device),
            seconds=diary.seconds,
            windows=diary.windows,
        )
        if write_folder(place, trained, made) or not (place / FAMILIAR).exists():
            clocks = {clock for one in used for clock in one.clocks}
            known = familiar_with(read_network(place), corpus.sources, clocks)
            if known is not None:
                write_familiar(place, known)
    machine.accelerator.wait_for_everyone()
    return place


def check_place(out: Path) -> None:
    """Refuse a place where something is that is no run of pretraining."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise RunError(f"{out} is a file; a pretrained network is a folder, so name another")
    held = {path.name for path in out.iterdir()}
    if CHECKPOINT in held or not held - DRAFTS:
        return
    raise RunError(
        f"{out} is there and holds no {CHECKPOINT} to go on from, so it is left alone: "
        "name another folder"
    )


def check_name(name: str, out: Path) -> None:
    """Refuse a name that cannot be used, or that another backbone has."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise InputError(
            f"{name!r} cannot be the name of a backbone: at most 64 letters, digits, '-', '_' "
            "and '.'; give it another, such as 'our-region'"
        )
    known = shelf().get(name)
    anew = name == SHIPPED.name  # the weights that come with citytune are made so too
    if known is not None and not anew and known.folders != (str(out.resolve()),):
        raise InputError(f"there is a backbone called {name!r} already: choose another name")


class _Diary:
    """Tells a run, and writes its log; numbers that add up go on from earlier sessions."""

    def __init__(
        self, place: Path, recipe: Recipe, begun: int, tell: Callable[[RunStatus], None]
    ) -> None:
        self.log = Log(place / LOG, begun)
        self.tell = tell
        self.before = self.log.total("seconds"), int(self.log.total("windows"))
        self.seconds, self.windows = self.before
        tell(RunStatus(step=begun, steps=recipe.steps, begun=begun, saved=begun > 0))

    def write(self, status: RunStatus) -> None:
        self.seconds = self.before[0] + status.seconds
        self.windows = self.before[1] + status.windows
        if status.saved:
            self.log.add(self._line(status))
        self.tell(status)

    def _line(self, status: RunStatus) -> dict[str, Any]:
        score = status.score
        return {
            "step": status.step,
            "loss": status.loss,
            "mae": score.relative if score else None,
            "domains": score.domains if score else {},
            "coverage_90": score.coverage if score else None,
            "windows_per_second": status.speed,
            "windows": self.windows,
            "seconds": self.seconds,
        }


def _begin(start: str) -> CityNetwork:
    """The network of a backbone to go on from."""
    backbone = load_backbone(start)
    if not isinstance(backbone, CityBackbone):
        raise InputError(
            f"{start!r} cannot be gone on from: name {SHIPPED.name}, or a folder made by "
            "`citytune pretrain`"
        )
    return backbone.network


def _check_size(network: CityNetwork | None, recipe: Recipe, start: str | None) -> None:
    if network is None:
        return
    for key, size in network.size.items():
        if getattr(recipe, key) != size:
            raise InputError(
                f"the {key} of {start} {'are' if key.endswith('s') else 'is'} {size}, and "
                f"{getattr(recipe, key)} was asked for: a network that is gone on from keeps its "
                "size"
            )


def _check_options(every: int, precision: str) -> None:
    if every < 1:
        raise InputError(f"every is at least 1 step from checkpoint to checkpoint, got {every}")
    if precision not in PRECISIONS:
        raise UnknownName("precision", precision, PRECISIONS)


def _used(corpus: Corpus) -> tuple[SetFacts, ...]:
    """The sets that windows are drawn from: those with a clock that is learnt from."""
    drawn = {one.name for one in corpus.sources if one.steps_per_day in CLOCKS}
    if not drawn:
        clocks = ", ".join(sorted({one.clock for one in corpus.sets}))
        raise InputError(
            f"no set is on a clock that can be learnt from (they are on {clocks}): give sets of "
            "5 min to 3 h, or of a day"
        )
    return tuple(one for one in corpus.sets if one.name in drawn)


def _warn_of(corpus: Corpus, used: Sequence[SetFacts], warn: Callable[[str], None]) -> None:
    """Each set that is skipped, and how many are."""
    for one in corpus.skipped:
        warn(str(one))
    idle = [one for one in corpus.sets if one not in used]
    for unused in idle:
        warn(f"{unused.name}: nothing is learnt from a clock of {unused.clock}")
    if skipped := len(idle) + sum(one.whole for one in corpus.skipped):
        number = len(used) + skipped
        warn(f"skipped {skipped} of {number} {'set' if number == 1 else 'sets'}")


def _unheard(_: object) -> None:
    """Nobody listens."""
