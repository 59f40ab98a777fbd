"""`citytune advise`: which pretrained model fits a file best, and why."""

from __future__ import annotations

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
    json: Json = False,
) -> None:
    """Rank the pretrained models at hand for a file, with reasons; nothing is written.

    Each is tuned and measured out of fold on the whole file, so this takes about as long as tuning
    with every one of them.

    ```
    citytune advise loops.csv --horizon 24
    ```
    """
    from citytune.advice import recommend

    wish = job.Wish(horizon=horizon, caution=caution, seed=seed)
    job.check_wish(wish)
    with stages() as stage:
        stage("Reading")
        frame = reading.read(file)
        ahead = job.horizon_of(frame, wish)
        job.limit_threads()
        told = stage("Trying the models at hand")
        found = recommend(frame, horizon=ahead, seed=seed, caution=caution, progress=told)
    if json:
        say_json(found.to_dict())
    else:
        say(about(frame))
        say()
        say(str(found))
