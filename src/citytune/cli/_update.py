"""`citytune update`: go on learning from new readings."""

from __future__ import annotations

import shutil
import warnings

from citytune._errors import RunError
from citytune._text import counted
from citytune.cli._console import note, say, stages
from citytune.cli._folder import FORECAST, MODEL, READING, REPORT, SCORES, load_run, renewed_run
from citytune.cli._forecast import Run
from citytune.cli._job import limit_threads
from citytune.cli._reading import File, Reading, reads_a_file
from citytune.cli._settings import Forget


@reads_a_file
def update(
    run: Run,
    file: File,
    *,
    reading: Reading,
    forget: Forget = None,
) -> None:
    """Let a tuned model learn from new readings, in seconds and without the old ones.

    FILE ends with new rows and reaches back some three months before them, or to where the first
    file began. The model and `forecast.csv` in RUN are renewed, both or, after any failure,
    neither. The model is the one that a fit to everything would give. `scores.json` and
    `report.html` stay as they are: they tell of the earlier fit.

    ```
    citytune update runs/loops loops-until-today.csv
    citytune update runs/loops loops-until-today.csv --forget 30
    ```
    """
    with stages() as stage:
        stage("Reading")
        model, earlier = load_run(run)
        if not (run / MODEL).is_dir():
            raise RunError(
                f"{run} holds a model, but it is not a run; name a folder that `citytune tune` "
                "wrote, or update the model from Python"
            )
        frame = reading.over(earlier).read(file)
        limit_threads()
        stage("Learning from what is new")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UserWarning)
            new = model.update(frame, forget=forget)
        for warning in told:
            note(str(warning.message))
        if new is model:
            return
        stage("Forecasting")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # told above, or among the notes
            found = new.forecast(frame)
        with renewed_run(run) as draft:
            new.save(draft / MODEL)
            if (run / MODEL / READING).is_file():
                shutil.copyfile(run / MODEL / READING, draft / MODEL / READING)
            found.write_csv(draft / FORECAST)
    left = [name for name in (SCORES, REPORT) if (run / name).exists()]
    if left:
        note(f"{' and '.join(left)} tell of the model as it was before; `citytune score` tells now")
    say(
        f"Fitted to {counted(new.tuned.windows, 'window')} until "
        f"{frame.clock.text(len(frame) - 1)}; "
        f"the model and {FORECAST} in {run} are renewed"
    )
