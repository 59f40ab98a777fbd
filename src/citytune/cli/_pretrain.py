"""`citytune pretrain`: from many files to a backbone of one's own."""

from __future__ import annotations

import json as codec
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from citytune._text import counted, elapsed, number, percent
from citytune.cli._console import Progress, complain, say, say_json, stages
from citytune.cli._reading import Json
from citytune.cli._words import for_terminal
from citytune.runs import begin

if TYPE_CHECKING:
    from rich.table import Table

    from citytune.pretraining import RunStatus

INTERRUPTED = 130


def pretrain(
    corpus: Annotated[
        list[Path],
        typer.Argument(
            metavar="CORPUS...",
            show_default=False,
            help="CSV or Parquet files, folders of them, or listings (.toml) that say how each "
            "is read.",
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            show_default=False,
            help="Folder of the run; the same folder again goes on with it.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the backbone is called; as the folder.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME",
            help="Go on from citytune-base, or from a folder made by this command.",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(metavar="N", help="Gradient steps.")] = 20_000,
    width: Annotated[
        int | None, typer.Option(metavar="N", help="Channels of the network; 192 if not said.")
    ] = None,
    layers: Annotated[
        int | None, typer.Option(metavar="N", help="Its layers; 4 if not said.")
    ] = None,
    heads: Annotated[
        int | None, typer.Option(metavar="N", help="Its heads of attention; 6 if not said.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 2e-3,
    synthetic: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of batches of synthetic series, 0 to 1.")
    ] = 0.2,
    tokens: Annotated[int, typer.Option(metavar="N", help="Size of a batch.")] = 4096,
    seed: Annotated[
        int, typer.Option(help="The same seed, options and corpus give the same weights.")
    ] = 0,
    every: Annotated[
        int, typer.Option(metavar="N", help="Steps from checkpoint to checkpoint.")
    ] = 500,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile", help="Compile the network first: a minute, then steps a quarter shorter."
        ),
    ] = False,
    precision: Annotated[
        str,
        typer.Option(metavar="NAME", help="auto, bf16 or no; auto is bf16 where it is faster."),
    ] = "auto",
    json: Json = False,
) -> None:
    """Make a backbone of your own from many series, or teach citytune-base your region's.

    The last 4 % of every set are kept out; at every checkpoint the network is scored on them,
    against the best simple rule of each set. A run that was stopped, or killed, goes on when the
    same command is given again, and ends with the same weights. DIR holds `model.safetensors`,
    `card.json` and `familiar.json` once it is done, and `checkpoint.pt` and `log.jsonl`, which may
    then be deleted.
    Several GPUs share the work under `accelerate launch -m citytune pretrain ...`.

    ```
    citytune pretrain archive/ --from citytune-base --steps 2000 --rate 5e-4 --out our-region
    citytune tune loops.csv --horizon 24 --backbone our-region --out runs/loops
    ```
    """
    from accelerate import PartialState

    from citytune.pretraining import pretrain as make
    from citytune.pretraining import recipe_like

    size = {"width": width, "layers": layers, "heads": heads}
    settings = {
        "rate": rate,
        "synthetic": synthetic,
        "tokens": tokens,
        "seed": seed,
        "steps": steps,
    }
    recipe = recipe_like(start, **settings, **{k: v for k, v in size.items() if v is not None})
    teller = _Teller()
    with _interruptible(teller), stages() as bars:
        reading = begin(bars, "Reading the corpus")
        teller.begin = lambda: begin(bars, "Pretraining")
        folder = make(
            corpus,
            out,
            recipe,
            name=name,
            start=start,
            every=every,
            compiled=compiled,
            precision=precision,
            command=shlex.join(["citytune", *sys.argv[1:]]),
            progress=reading,
            tell=teller.tell,
            warn=_warn,
        )
    if not PartialState().is_main_process:
        return
    card = codec.loads((folder / "card.json").read_text(encoding="utf-8"))
    if json:
        say_json({"folder": str(out), **{key: card[key] for key in ("card", "made", "scores")}})
    else:
        _show(card, out)


class _Teller:
    """Tells where a run stands: on a bar, or a line for each checkpoint where nobody looks."""

    begin: Callable[[], Progress]

    def __init__(self) -> None:
        self.bar: Progress | None = None
        self.step = self.saved = 0

    def tell(self, stand: RunStatus) -> None:
        first, self.bar = self.bar is None, self.bar or self.begin()
        self.step = stand.step
        self.saved = stand.step if stand.saved else self.saved
        if not first:
            self.bar(_words(stand, short=True), stand.step / stand.steps)
            if stand.saved and not sys.stderr.isatty():
                _write(_words(stand))
        elif stand.step == stand.steps:
            _write(f"All {stand.steps:,} steps were done before; nothing is trained again.")
        elif stand.step:
            _write(f"Going on from step {stand.step:,} of {stand.steps:,}.")


@contextmanager
def _interruptible(teller: _Teller) -> Iterator[None]:
    """After Ctrl-C, say how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        where = f"goes on from step {teller.saved:,}" if teller.saved else "begins anew"
        after = f" after step {teller.step:,}" if teller.step else ""
        complain(f"interrupted{after}; the same command {where}")
        raise SystemExit(INTERRUPTED) from None


def _words(stand: RunStatus, *, short: bool = False) -> str:
    """Where a run stands, in one line."""
    parts = [f"step {stand.step:,} of {stand.steps:,}: loss {stand.loss:.4f}"]
    if stand.score is not None:
        parts.append(f"{stand.score.relative:.3f} × naive")
    if not short:
        parts.append(f"{stand.speed:,.0f} windows/s")
    if stand.step < stand.steps:
        parts.append(f"{elapsed(stand.left)} left")
    return ", ".join(parts)


def _warn(text: str) -> None:
    _write(f"Note: {for_terminal(text)}")


def _write(text: str) -> None:
    """A line on stderr, above the bar if there is one."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _show(card: dict[str, Any], out: Path) -> None:
    about, made, scores = card["card"], card["made"], card["scores"]
    sets = len(card["corpus"])
    say(
        f"{about['name']}: {about['parameters']:,} weights, {made['steps']:,} steps on "
        f"{made['windows']:,} windows of {counted(sets, 'set')} in "
        f"{elapsed(made['seconds'])}."
    )
    if scores:
        say()
        say(_table(scores))
        say(
            f"\nIts 90 % intervals contained {percent(scores['coverage_90'])} of the measurements "
            "held back."
        )
    else:
        say("The sets are too short to hold anything back for a score.")
    say(f"Written to {out}: card.json, model.safetensors")
    say(f"Use it: citytune tune FILE --horizon N --backbone {shlex.quote(str(out))} --out RUN")


def _table(scores: dict[str, Any]) -> Table:
    """Mean absolute error against the best simple rule, by domain."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("mean error against\nthe best simple rule", justify="right")
    for domain, error in scores["domains"].items():
        table.add_row(domain, f"× {number(error)}")
    if len(scores["domains"]) > 1:
        table.add_row("all", f"× {number(scores['mae'])}")
    return table
