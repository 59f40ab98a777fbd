"""`citytune demo`: the whole job on the bundled sample, offline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from citytune._files import new_file
from citytune._sample import SAMPLES, Sample
from citytune._text import number, percent
from citytune.cli._console import note, say, stages
from citytune.cli._words import change, not_at_hand
from citytune.runs import REPORT, Job, JobResult, Reading, may_take_place, run_job
from citytune.settings import Settings

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

HOURS = 24
"""How far ahead each domain is forecast."""

RULES = {"naive-day": "yesterday", "naive-week": "last week", "naive-weeks4": "four weeks"}
"""The simple rules, in a word or two."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A sample, and which part of it the demo shows."""

    sample: Sample
    days: int = 120
    """Only the last days, so that the demo is quick."""
    covariates: tuple[str, ...] = ()
    """Weather known ahead: its last day stands in for a weather forecast."""

    def reading(self) -> Reading:
        """How its file is to be read."""
        return Reading(
            time="time",
            target=self.sample.sensors,
            covariates=self.covariates,
            unit=self.sample.unit,
            country=self.sample.country,
            timezone=self.sample.timezone,
        )

    def excerpt(self) -> pl.DataFrame:
        """The rows shown; with covariates, the last day has weather and no readings yet."""
        import polars as pl

        table = pl.read_parquet(self.sample.path).select(
            "time", *self.sample.sensors, *self.covariates
        )
        end = table["time"].max()
        table = table.filter(pl.col("time") > end - pl.duration(days=self.days))
        if not self.covariates:
            return table
        known = pl.col("time") <= end - pl.duration(hours=HOURS)
        return table.with_columns(
            pl.when(known).then(name).alias(name) for name in self.sample.sensors
        )


DOMAINS = (
    Domain(sample=SAMPLES["traffic"]),
    Domain(sample=SAMPLES["air"], covariates=("wind", "dew_point", "temperature", "pressure")),
    Domain(sample=SAMPLES["energy"]),
)


def demo(
    *,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to write.")] = Path(
        "citytune-demo"
    ),
) -> None:
    """Do the whole job on the bundled sample: traffic, air and energy; offline, in a minute or two.

    FOLDER gets a CSV file and a run folder of each, as if you had tuned that file yourself. What an
    earlier demo wrote there is replaced.

    ```
    citytune demo
    ```
    """
    rows: list[tuple[str, Path, JobResult]] = []
    for domain in DOMAINS:
        place = out / domain.sample.name
        if place.exists():
            may_take_place(place, overwrite=True)(place)
    out.mkdir(parents=True, exist_ok=True)
    for domain in DOMAINS:
        run = out / domain.sample.name
        rows.append((domain.sample.name, run, _run(domain, run)))
    _show(rows)


def _run(domain: Domain, run: Path) -> JobResult:
    say(f"{domain.sample.name.capitalize()}: {domain.sample.title}; the last {domain.days} days")
    file = run.with_suffix(".csv")
    job = Job(settings=Settings(horizon=f"{HOURS}h", effort="quick"), reading=domain.reading())
    with new_file(file, overwrite=True) as draft:
        domain.excerpt().write_csv(draft, datetime_format="%Y-%m-%dT%H:%M:%S")
    with stages() as progress:
        result = run_job(file, job, run, overwrite=True, progress=progress).made_from
    if result.note:
        note(result.note)
    return result


def _show(rows: list[tuple[str, Path, JobResult]]) -> None:
    say()
    say(_table([(name, result) for name, _, result in rows]))
    spent = sum(result.seconds["total"] for _, _, result in rows)
    say(
        "\nTested on the last 14 days of each, which the models had not seen. It all took "
        f"{spent:.0f} s. Open the reports:"
    )
    for _, run, _result in rows:
        say(f"  {run / REPORT}")
    advice = rows[0][2].advice
    if advice is not None and advice.not_at_hand:
        say(not_at_hand(list(advice.not_at_hand)))


def _table(rows: list[tuple[str, JobResult]]) -> Table:
    from rich.table import Table

    untouched = any(o.scores is not None and "zero-shot" in o.scores.models for _, o in rows)
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    headings = ["mean\nerror", "best simple\nrule", "against\nit"]
    headings += ["against\nzero-shot"] if untouched else []
    table.add_column("", no_wrap=True)
    table.add_column("\nmodel", no_wrap=True)
    for heading in (*headings, "90 %\ncoverage"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, result in rows:
        cells = _cells(result, untouched) if result.scores else ["–"] * (len(headings) + 1)
        table.add_row(name, result.model.card.name, *cells)
    return table


def _cells(result: JobResult, untouched: bool) -> list[str]:
    scores, unit = result.scores, result.frame.quantity.unit
    assert scores is not None, "asked only of what was scored"
    rule, tuned = scores.best_naive, scores.models["tuned"]
    return [
        f"{number(tuned['mae'])} {unit}",
        f"{number(scores.models[rule]['mae'])} ({RULES[rule]})" if rule else "–",
        change(scores, rule),
        *([change(scores, "zero-shot")] if untouched else []),
        percent(tuned["coverage_90"]),
    ]
