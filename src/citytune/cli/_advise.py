"""`citytune advise`: which pretrained model and strategy fit a file best, and why."""

from __future__ import annotations

from citytune.cli._console import say, say_json, stages
from citytune.cli._engine import SideBySide
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
    engine: SideBySide = None,
    json: Json = False,
) -> None:
    """Rank the installed pretrained models on a file, and suggest a strategy, with reasons.

    Nothing is written. Each model is tuned and tested by cross-validation on the whole file, so
    this takes a little longer than tuning all of them. It also says whether there are enough days,
    and warns of sensors that are copies or constant, of levels that shifted and of unusual weeks.

    ```
    citytune advise loops.csv --horizon 24
    ```
    """
    from citytune.advice import recommend_with
    from citytune.engines import opened_if

    with stages() as progress:
        begin(progress, "Reading")
        frame = reading.read(file)
        settings.on(frame)
        limit_threads()
        with opened_if(engine) as used:
            tell = begin(progress, "Trying the models at hand")
            found = recommend_with(frame, settings, tell, engine=used)
    if json:
        say_json(found.to_dict())
    else:
        say(about(frame))
        say()
        say(str(found))
