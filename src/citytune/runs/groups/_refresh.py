"""Monday's job by groups of sensors: learnt by all at once, verified and forecast by groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from citytune._errors import InputError, NothingNew
from citytune._files import names_in, read_json, replacing_folder
from citytune.engines import SIZE, Engine, How, opened
from citytune.runs._folder import SCORES, Seal, copy_rest, only_known, own_file, sums_of
from citytune.runs._job import Stopwatch, alerts_on, limit_threads, score_trial, seconds_of
from citytune.runs._learning import UPDATED, Choice
from citytune.runs._made import watches_of
from citytune.runs._progress import Progress, begin
from citytune.runs._reading import Reading
from citytune.runs._record import test_of
from citytune.runs._refresh import (
    Before,
    By,
    News,
    Refreshed,
    decided,
    job_again,
    learnt_model,
    news,
)
from citytune.runs.groups._job import (
    SCORED,
    SHOWN,
    Fit,
    facts_of,
    fitted,
    made_of,
    shown_of,
    some,
    write_groups,
)
from citytune.runs.groups._keep import Layout, keep_groups
from citytune.runs.groups._source import grouped, said_of_bad

KEPT = ("holdout", "models", "regions", "alerts", "scored")
"""What of scores.json is of the test period, which stays that of the run."""


class Old(NamedTuple):
    """A run by groups, which is locked, as it is."""

    path: Path
    seal: Seal
    model: Any


def group_of(seal: Seal) -> int:
    """How many sensors the groups of a run have."""
    return int(seal.made["groups"].get("group", SIZE))


def refresh_groups(
    old: Old, source: object, reading: Reading, by: By, how: How, progress: Progress | None
) -> Refreshed:
    """See `Run.refresh`."""
    limit_threads()
    with opened(how.engine) as engine:
        laid = grouped(source, reading, engine, how.group, progress)
        frame = laid.whole(engine, progress)
        watches = watches_of(old.seal.made, old.model.sensors)
        try:
            told = news(Before(old.path, old.seal, old.model, watches, frame), by)
        except NothingNew as nothing:
            if not laid.bad:
                raise
            raise InputError(f"{said_of_bad(laid.bad)}; of the rest, {nothing}") from None
        choice = _decided(told, by, progress)
        known = names_in(old.path)
        with replacing_folder(old.path, only_known(old.path, known)) as draft:
            work = _Work(told, choice, how, engine, draft, progress)
            found = work.again() if by == "refit" else work.learnt()
    return replace(found, bad=laid.bad)


def _decided(told: News, by: By, progress: Progress | None) -> Choice:
    """As for all at once, but that many sensors are not fitted twice to compare."""
    count = len(told.frame.sensors)
    if by != "auto" or count <= SCORED:
        return decided(told, by, progress)
    return Choice(
        False,
        f"{UPDATED}; a refit, which takes all {count:,} sensors at once, was not compared.",
    )


class _Work(NamedTuple):
    """What is done into the draft of the renewed run."""

    told: News
    choice: Choice
    how: How
    engine: Engine
    draft: Path
    progress: Progress | None

    def learnt(self) -> Refreshed:
        """The model learns what is new, or the same choice is fitted anew."""
        before, watch = self.told.before, Stopwatch()
        watch.lap("read")
        model = learnt_model(before, self.choice, self.progress)
        watch.lap("fit")
        scored = {n: v for n, v in read_json(own_file(before.path, SCORES)).items() if n in KEPT}
        return self._renewed(model, None, scored, before.seal.made, watch)

    def again(self) -> Refreshed:
        """The whole job again."""
        before, frame, watch = self.told.before, self.told.frame, Stopwatch()
        watch.lap("read")
        job = job_again(before)
        fit = fitted(frame, job, self.engine, self.how.group, self.progress, watch)
        made = made_of(None, job, frame, self.how.group)
        made = {**before.seal.made, "alerts": made["alerts"]}
        return self._renewed(fit.model, fit, facts_of(fit.scores), made, watch)

    def _renewed(
        self, model: Any, fit: Fit | None, scored: dict[str, Any], made: Any, watch: Stopwatch
    ) -> Refreshed:
        """Forecast, write the run anew, and say what came of it."""
        from citytune.evaluation import Tally

        before, frame, progress = self.told.before, self.told.frame, self.progress
        if self.choice.until is not None:
            made = {**made, "compared": self.choice.until}
        whole = before.path.resolve()
        layout = Layout(self.draft, group_of(before.seal), made, whole.name, whole)
        known = {*model.sensors}
        few = some(frame.select([name for name in frame.sensors if name in known]), SHOWN)
        kept = keep_groups(model, frame, self.engine, layout, few.sensors, progress)
        watch.lap("forecast")
        begin(progress, "Writing the report")
        tested, why = test_of(before.path), ""
        if fit is not None:
            alerts = alerts_on(few, job_again(before).alerts)
            tested, why = score_trial(fit.trial.part(few.sensors), few, alerts, progress)
        seconds = seconds_of(model, watch)
        shown = shown_of(model, few, layout, kept, tested, seconds, why)
        write_groups(layout, model, shown, kept, scored)
        copied = copy_rest(before.path, self.draft)
        sums = sums_of(self.draft) | {n: s for n, s in before.seal.sums.items() if n in copied}
        replace(before.seal, sums=sums, made=made).write(self.draft)

        def means(found: Tally | None) -> Any:
            return None if found is None else found.verified

        return Refreshed(
            changes=tuple(self.told.said),
            how=self.choice.said,
            last=means(kept.last),
            record=means(kept.record),
            model=model,
            forecast=shown.forecast,
            scores=tested,
            outlook=kept.outlook,
            raised=tuple(one for one in kept.reached if one.sensor not in kept.outlook.dead),
            held=tuple(one for one in kept.reached if one.sensor in kept.outlook.dead),
            alarms=kept.alarms,
        )
