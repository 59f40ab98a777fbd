"""`citytune update`: go on learning from new readings."""

from __future__ import annotations

from citytune.cli._console import note, say, stages
from citytune.cli._forecast import Run
from citytune.cli._reading import File, reads_a_file
from citytune.cli._settings import Forget
from citytune.runs import FORECAST, Reading, open_run


@reads_a_file
def update(
    run: Run,
    file: File,
    *,
    reading: Reading,
    forget: Forget = None,
) -> None:
    """Let a tuned model learn from new readings, in seconds and without the old ones.

    FILE ends with new rows; those that the run has read before need not be in it. The model and
    `forecast.csv` in RUN are renewed, both or, after any failure, neither. The model is the one
    that a fit to everything would give. `scores.json` and `report.html` stay as they are: they
    describe the earlier fit.

    ```
    citytune update runs/loops loops-until-today.csv
    citytune update runs/loops loops-until-today.csv --forget 30
    ```
    """
    with stages() as progress:
        found = open_run(run).update(file, forget=forget, progress=progress, **reading.said())
    if not found.learned:
        note(found.note)
        return
    if found.stale:
        names = " and ".join(found.stale)
        verb = "describe" if len(found.stale) > 1 else "describes"
        note(f"{names} still {verb} the earlier model; `citytune score` scores the new one")
    say(f"Fitted to {found.note}; the model and {FORECAST} in {run} are renewed")
