"""`citytune update`: go on learning from new readings."""

from __future__ import annotations

import shutil

from citytune._errors import RunError
from citytune.cli._console import note, say, stages
from citytune.cli._folder import FORECAST, MODEL, READING, REPORT, SCORES, load_run, renewed_run
from citytune.cli._forecast import Run
from citytune.cli._horizon import check_known_ahead
from citytune.cli._job import limit_threads
from citytune.cli._reading import File, Reading, reads_a_file
from citytune.cli._settings import Forget
from citytune.cli._words import count


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
    from citytune.forecasting import update as learn

    with stages() as stage:
        stage("Reading")
        model, earlier = load_run(run)
        if not (run / MODEL).is_dir():
            raise RunError(
                f"{run} holds a model, but it is not a run; name a folder that `citytune tune` "
                "wrote, or update the model from Python"
            )
        frame = reading.over(earlier).read(file)
        check_known_ahead(frame, model.spec.horizon, model.covariates)
        limit_threads()
        found = learn(model, frame, forget=forget, progress=stage("Learning from what is new"))
        if not found.learned:
            note(found.why)
            return
        new = found.model
        stage("Forecasting")
        forecast = new.forecast(frame)
        with renewed_run(run) as draft:
            new.save(draft / MODEL)
            if (run / MODEL / READING).is_file():
                shutil.copyfile(run / MODEL / READING, draft / MODEL / READING)
            forecast.write_csv(draft / FORECAST)
    left = [name for name in (SCORES, REPORT) if (run / name).exists()]
    if left:
        note(f"{' and '.join(left)} tell of the model as it was before; `citytune score` tells now")
    say(
        f"Fitted to {count(new.tuned.windows, 'window')} until {frame.clock.text(len(frame) - 1)}; "
        f"the model and {FORECAST} in {run} are renewed"
    )
