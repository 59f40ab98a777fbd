"""`citytune tune`: from a file to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from citytune._text import capital, listed
from citytune.cli import _job as job
from citytune.cli._alerts import Alerts
from citytune.cli._console import note, say, say_json, stages
from citytune.cli._folder import PARTS, new_run
from citytune.cli._reading import File, Json, Reading, reads_a_file
from citytune.cli._settings import takes_settings
from citytune.cli._words import about, comparison, findings, not_at_hand, rare
from citytune.cli._write import summary, write
from citytune.settings import Settings


@takes_settings()
@reads_a_file
def tune(
    file: File,
    *,
    reading: Reading,
    settings: Settings,
    out: Annotated[
        Path, typer.Option(metavar="RUN", show_default=False, help="Folder to write; made anew.")
    ],
    alert: Alerts = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace a run that is there, once this one is done."),
    ] = False,
    json: Json = False,
) -> None:
    """Fine-tune a model to a file, score it on days it has not seen, forecast, and report.

    The last part of the file (a quarter, at most 14 days) is held out and every model is scored on
    it; the model that is saved and forecasts onward is then fitted on everything. RUN holds
    `report.html`, `forecast.csv`, `scores.json` and `model/`, all of them or, after any failure,
    none.

    ```
    citytune tune loops.csv --horizon 24 --out runs/loops
    citytune tune air.csv --horizon 48h --target pm25 --covariates wind,temperature --out runs/air
    citytune tune air.csv --horizon 24h --target pm25 --alert 'pm2.5>150' --out runs/air
    citytune tune loops.csv --horizon 24 --rare 'top 5%' --out runs/loops
    ```
    """
    wish = job.Wish(settings=settings, alerts=tuple(alert or ()))
    job.check_wish(wish)
    with new_run(out, overwrite=overwrite) as folder, stages() as stage:
        outcome = job.work(file, reading, wish, stage)
        stage("Writing the report")
        write(outcome, folder, reading)
    if outcome.note:
        note(outcome.note)
    if json:
        say_json({"run": str(out), **summary(outcome)})
    else:
        _tell(outcome, out)


def _tell(outcome: job.Outcome, out: Path) -> None:
    say(about(outcome.frame))
    if found := findings(outcome.frame):
        say(f"In the file: {found}.")
    if outcome.frame.country is None:
        say("No --country, so public holidays are taken for ordinary days; --country NO adds them.")
    model = outcome.model
    among = [row.card.name for row in outcome.advice.rows] if outcome.advice is not None else []
    chosen = f", chosen out of fold among {listed(among)}" if len(among) > 1 else ""
    spent = outcome.seconds["total"]
    say(f"Model: {model.card.name}, {model.strategy}{chosen}; {spent:.0f} s in all.")
    if outcome.advice is not None and outcome.advice.verdict:
        say(f"Strategy: {outcome.advice.verdict}")
    for warning in outcome.advice.warnings if outcome.advice is not None else ():
        say(f"Look at this: {warning}.")
    for sentence in comparison(outcome.scores) if outcome.scores is not None else []:
        say(sentence)
    for line in rare(outcome.scores) if outcome.scores is not None else []:
        say(line)
    for sentence in model.notes:
        say(f"{capital(sentence)}.")
    if model.fallback:
        say(f"Too little history, so forecast by the naive rule: {listed(model.fallback)}.")
    for sentence in outcome.forecast.notes:
        say(f"{sentence[:1].upper()}{sentence[1:]}.")
    say(f"Written to {out}: {', '.join(reversed(PARTS))}")
    if outcome.advice is not None and outcome.advice.not_at_hand:
        say(not_at_hand(list(outcome.advice.not_at_hand)))
