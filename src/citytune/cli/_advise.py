"""`citytune advise`: which pretrained model and strategy fit a file best, and why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from citytune.cli import _job as job
from citytune.cli._console import say, say_json, stages
from citytune.cli._reading import File, Json, Reading, reads_a_file
from citytune.cli._tune import Caution, Horizon, Seed
from citytune.cli._words import about


@reads_a_file
def advise(
    file: File,
    *,
    reading: Reading,
    horizon: Horizon,
    caution: Caution = 2.0,
    seed: Seed = 0,
    max_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            show_default=False,
            help="Time for trying strategies; by default twice what blend takes.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Rank the pretrained models at hand for a file, and name a strategy, with reasons.

    Nothing is written. Each model is tuned and measured out of fold on the whole file, so this
    takes somewhat longer than tuning with every one of them. It also says whether the days are
    enough, and warns of doubled and constant sensors, shifted levels and weeks unlike the others.

    ```
    citytune advise loops.csv --horizon 24
    ```
    """
    from citytune.advice import recommend

    wish = job.Wish(horizon=horizon, caution=caution, seed=seed, max_seconds=max_seconds)
    job.check_wish(wish)
    with stages() as stage:
        stage("Reading")
        frame = reading.read(file)
        ahead = job.horizon_of(frame, wish)
        job.limit_threads()
        told = stage("Trying the models at hand")
        dials: dict[str, Any] = {"seed": seed, "caution": caution, "max_seconds": max_seconds}
        found = recommend(frame, horizon=ahead, progress=told, **dials)
    if json:
        say_json(found.to_dict())
    else:
        say(about(frame))
        say()
        say(str(found))
