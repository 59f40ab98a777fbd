"""`citytune tune`: from a file to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from citytune._text import capital, listed
from citytune.cli._alerts import Alerts
from citytune.cli._console import Quiet, note, say, say_json, stages
from citytune.cli._engine import USUAL, Engine, Group, end, refuse_with_engine
from citytune.cli._reading import File, Json, reads_a_file
from citytune.cli._settings import takes_settings
from citytune.cli._tomorrow import tomorrow, unusual
from citytune.cli._words import about, comparison, findings, not_at_hand, rare, unnamed
from citytune.runs import (
    PARTS,
    How,
    Job,
    JobResult,
    Reading,
    open_run,
    run_groups,
    run_job,
    summary,
)
from citytune.runs import save_config as write_config
from citytune.settings import Settings

if TYPE_CHECKING:
    from citytune.runs.groups import GroupResult

TOLD = ("standard-time", "summer-time", "clock-change", "several-quantities", "other-unit")
"""Kinds of findings that change every number or time, so that they are told one by one."""


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
    save_config: Annotated[
        Path | None,
        typer.Option(
            metavar="TOML",
            show_default=False,
            help="Also write all of this into a config file, for `citytune run`.",
        ),
    ] = None,
    engine: Engine = None,
    group: Group = USUAL,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace a run that is there, once this one is done."),
    ] = False,
    quiet: Quiet = False,
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
    citytune tune s3://city/meters/ --horizon 24 --engine ray --out runs/meters
    ```
    """
    job = Job(settings=settings, reading=reading, alerts=tuple(alert or ()))
    if engine is not None:
        refuse_with_engine(save_config=save_config)
        with stages() as progress:
            how = How(engine, group)
            done = run_groups(file, job, out, how, overwrite=overwrite, progress=progress)[1]
        _tell_groups(done, out, json)
        end(done.written.bad)
        return
    with stages() as progress:
        result = run_job(file, job, out, overwrite=overwrite, progress=progress).made_from
    if save_config is not None:
        write_config(save_config, file, out, job)
        note(f"the options are in {save_config}, as those of the run {out.resolve().name!r}")
    if result.note:
        note(result.note)
    if json:
        say_json({"run": str(out), **summary(result)})
    else:
        _tell(result, out)


def _tell_groups(result: GroupResult, out: Path, json: bool) -> None:
    """What came of a job by groups."""
    if json:
        say_json({"run": str(out), **(open_run(out).scores or {})})
        return
    say(result.written.said)
    model = result.shown.model
    say(
        f"Model: {model.card.name}, {model.strategy}; {result.shown.seconds['total']:.0f} s in all."
    )
    for sentence in model.notes:
        say(f"{capital(sentence)}.")
    say(str(result.scores) if result.scores is not None else capital(result.shown.note))
    say(f"Written to {out}: report.html, forecast/, scores.json, model")


def _tell(result: JobResult, out: Path) -> None:
    from citytune.readers import in_one_line

    say(about(result.frame))
    if guessed := in_one_line(result.frame.faults):
        say(f"Read so: {guessed}.")
    if found := findings(result.frame):
        say(f"In the file: {found}.")
    for fault in result.frame.faults:
        if fault.kind in TOLD:
            say(f"{capital(str(fault))}.")
    if result.frame.country is None:
        say("No --country, so public holidays are taken for ordinary days; a code such as "
            "--country DE adds those of a country.")  # fmt: skip
    if advice := unnamed(result.frame):
        say(advice)
    model = result.model
    among = [row.card.name for row in result.advice.rows] if result.advice is not None else []
    chosen = f", chosen by cross-validation among {listed(among)}" if len(among) > 1 else ""
    spent = result.seconds["total"]
    say(f"Model: {model.card.name}, {model.strategy}{chosen}; {spent:.0f} s in all.")
    if result.advice is not None and result.advice.verdict:
        say(f"Strategy: {result.advice.verdict}")
    for warning in result.advice.warnings if result.advice is not None else ():
        say(f"Look at this: {warning}.")
    for sentence in comparison(result.scores) if result.scores is not None else []:
        say(sentence)
    asked = bool(result.forecast.alerts)
    for line in rare(result.scores, alerts=asked) if result.scores is not None else []:
        say(line)
    for sentence in model.notes:
        say(f"{capital(sentence)}.")
    if model.fallback:
        say(f"Too little history, so forecast by the naive rule: {listed(model.fallback)}.")
    unusual(result.served.alarms)
    for sentence in result.forecast.notes:
        say(f"{capital(sentence)}.")
    tomorrow(result.forecast)
    say(f"Written to {out}: {', '.join(reversed(PARTS))}")
    if result.advice is not None and result.advice.not_at_hand:
        say(not_at_hand(list(result.advice.not_at_hand)))
