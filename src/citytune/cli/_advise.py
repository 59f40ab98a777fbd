"""`citytune advise`: which pretrained model and strategy fit a file best, and why."""

from __future__ import annotations

from citytune.cli._console import say, say_json, stages
from citytune.cli._reading import File, Json, reads_a_file
from citytune.cli._settings import takes_settings
from citytune.cli._words import about
from citytune.runs import Reading, begin, limit_threads
from citytune.settings import Settings


@takes_settings("horizon", "caution", "seed", "max_seconds")
@reads_a_file
def advise(
    file: File,
    *,
    reading: Reading,
    settings: Settings,
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
    from citytune.advice import recommend_with

    with stages() as progress:
        begin(progress, "Reading")
        frame = reading.read(file)
        settings.on(frame)
        limit_threads()
        found = recommend_with(frame, settings, begin(progress, "Trying the models at hand"))
    if json:
        say_json(found.to_dict())
    else:
        say(about(frame))
        say()
        say(str(found))
