"""Boosted trees as experts: they correct the forecast.

Trees on the error of the pretrained forecast see what it forecasts and how sure it is, and learn
where it is wrong in this city: by hour and season, or with the weather. What they say of other
windows than those they were grown on tells how far they are followed in each band ahead, before
the stack weighs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from citytune.backbones import Backbone, Card
from citytune.settings import Effort
from citytune.tuning.closed_form._trees import LEAST_ROWS, Trees, lightgbm_here
from citytune.tuning.examples._batch import Batch
from citytune.tuning.examples._remember import level_and_spread
from citytune.tuning.examples._timetable import Timetable
from citytune.tuning.examples._training_windows import Span
from citytune.tuning.experts._expert import Candidate, Expert, Start, register
from citytune.tuning.experts._lessons import Lessons, span_of
from citytune.tuning.experts._tree_rows import View, Weather
from citytune.tuning.experts._within import check_inside, inside_of, unfit_without_quantiles, within
from citytune.tuning.stacking._band_trust import band_trust, by_step
from citytune.windows import Axes, purged_folds

if TYPE_CHECKING:
    from citytune.tuning.task._task import Task

FOLDS = 2
"""Stretches of the recent past, each forecast by trees that had not seen it."""
MOST_ROWS: dict[Effort, int] = {"quick": 20_000, "usual": 45_000, "thorough": 140_000}
"""Steps of all windows that trees are grown on."""
MOST_ERROR = 8.0
"""Errors beyond this, in units of the usual one at their step, are cut."""
GOLDEN = 0.6180339887498949
LONG_DAYS = 120.0
"""Days of history from which trees without anything known ahead are worth their time: at 28 and
90 days they lost."""
SHORT_DAYS = 14.0
"""Days of history from which trees on what is known ahead are."""
LACKING = (
    "LightGBM is not installed, so no boosted trees were tried; with months of history, or with "
    "what is known ahead, they often help: pip install 'citytune[boost]'"
)
WORDS = {
    "known-ahead-trees": "the forecast corrected by boosted trees on what is known ahead",
    "boosted": "the forecast corrected by boosted trees",
}


@dataclass(frozen=True, eq=False)
class Boosted(Expert):
    """Boosted trees around a forecast."""

    called: str
    """Name in `WORDS`."""
    view: View
    """What the trees see."""
    trees: Trees
    unit: Annotated[Tensor, Axes("horizon")]
    """(horizon,) usual error of what is corrected at each step, in spreads of the sensor."""
    share: Annotated[Tensor, Axes("fine band")]
    """(band,) how far the trees are followed in each of `fine_bands`."""
    inside: int | None
    """Place in `LEVELS` of the quantile of the network that a correction does not pass, nor its
    counterpart; None for no bounds."""

    def __post_init__(self) -> None:
        if self.called not in WORDS:
            raise ValueError(f"no trees are called {self.called!r}")
        if self.trees.features != self.view.features:
            raise ValueError("the trees ask for other features than there are")
        check_inside(self.inside)

    @property
    def name(self) -> str:
        """Of what the trees see; there is one of each."""
        return self.called

    @property
    def words(self) -> str:
        """What it is."""
        return WORDS[self.called]

    @property
    def needs(self) -> tuple[str, ...]:
        """What it corrects, the rules it sees, and what is known ahead."""
        return self.view.needs

    def start(self, card: Card) -> Start:
        """What corrects a model that adapts is that model, where it has shown to help."""
        adapts = card.horizon is not None and card.context_days is not None
        return Start.SHARED if adapts else Start.REST

    def unfit(self, backbone: Callable[[], Backbone]) -> str:
        """Quantiles that it looks at and the backbone lacks."""
        looks = self.inside is not None or self.view.network
        return unfit_without_quantiles(backbone()) if looks else ""

    def forecast(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """Correct, where all is known of a step ahead."""
        rows, around = self.view.rows(batch, so_far), so_far[self.view.around]
        found = self.trees(rows.flatten(0, 1)).view_as(around)
        found = found * self.unit * by_step(self.share, around.shape[1])
        found = self.view.spread[batch.sensor][:, None] * found
        found = within(found, None if self.inside is None else batch.deviations, self.inside)
        if self.view.weather is not None:
            found = found.where(self.view.known(batch), 0.0)
        return around + found

    @classmethod
    def fit(cls, task: Task) -> Iterable[Candidate]:
        """Trees for what is known ahead, and others where there are months.

        Those of an earlier fit stay as they are, and are judged anew.
        """
        if task.memory is not None:
            earlier = [one for one in task.earlier if isinstance(one, cls)]
            yield from (Candidate(one, task.forecast_again(one)) for one in earlier)
            return
        wanted = view_of(task)
        found = (
            None if wanted is None or not lightgbm_here() else _Growth(task, *wanted).candidate()
        )
        if found is not None:
            task.note(found.expert.name, found.out_of_fold)
            yield found


def view_of(task: Task) -> tuple[str, View] | None:
    """The name of the trees of a task and what they would see; None if none are grown.

    Nothing for a model that cannot forecast, nor for some windows of a task, which are to be judged
    by others: trees learn from all of the history. A network that was fine-tuned here knows what
    trees would learn without anything known ahead.
    """
    if task.backbone.card.horizon is None or task.part_of is not None:
        return None
    weather = Weather.of(Timetable.of(task.history)) if len(task.history.covariates) else None
    days = task.history.length / task.history.steps_per_day
    long = days >= LONG_DAYS
    if long and (weather is not None or not task.has_learnt):
        called = "boosted"
    elif weather is not None and SHORT_DAYS <= days < LONG_DAYS:
        called = "known-ahead-trees"
    else:
        return None
    level, spread = level_and_spread(task.history)
    return called, View(task.prior, long, task.knows_spread, weather, level[:, 0], spread)


def lacking(task: Task) -> tuple[str, ...]:
    """That trees would be grown if LightGBM were here."""
    wanted = task.memory is None and view_of(task) is not None
    return (LACKING,) if wanted and not lightgbm_here() else ()


class _Growth:
    """One fit of trees: grown on all of the history, judged by recent windows."""

    def __init__(self, task: Task, called: str, view: View) -> None:
        self.task, self.called, self.view = task, called, view
        self.lessons = lessons = Lessons.of_history(task, view.needs)
        self.evidence = Lessons.of_evidence(task, view.needs)
        self.around = task.forecast_of(view.around)
        self.inside = inside_of(task) if view.network else None
        usual = ((task.actual - self.around).abs() / task.scale).nanmean(0).nan_to_num(0.0)
        self.unit = usual.clamp_min(1e-3 * float(usual.max()) + 1e-9)
        spread = view.spread[lessons.batch.sensor][:, None]
        error = (lessons.actual - lessons.forecasts[view.around]) / spread / self.unit
        self.target = error.clamp(-MOST_ERROR, MOST_ERROR)
        self.some = _sampled(~error.isnan(), MOST_ROWS[task.settings.effort])

    def candidate(self) -> Candidate | None:
        """The expert, if it gains anywhere out of fold."""
        task, horizon = self.task, self.task.spec.horizon
        folds = purged_folds(task.windows.origin, horizon=horizon, folds=FOLDS)
        if len(folds) < 2:
            return None
        rows = self._rows()
        trees = self._grow(rows, None)
        apart = [self._grow(rows, span_of(task.windows.origin[f.test], horizon)) for f in folds]
        if trees is None or None in apart:
            return None
        said, known = self._said([fold.test for fold in folds], [one for one in apart if one])
        found = task.scale * self.unit * said
        after = self._applied(found, known)
        before, after = ((one - task.actual).abs() / task.scale for one in (self.around, after))
        share = band_trust(before, after, task.day, task.recency * task.pool.weight)
        if not bool(share.any()):
            return None
        made = Boosted(self.called, self.view, trees, self.unit, share, self.inside)
        return Candidate(made, self._applied(found * by_step(share, horizon), known))

    def _rows(self) -> Tensor:
        """(row, feature) of the steps that trees are grown on."""
        parts = self.lessons.parts(self.view.needs)
        rows = [self.view.rows(one.batch, one.so_far)[self.some[one.which]] for one in parts]
        return torch.cat([torch.empty(0, self.view.features), *rows])

    def _grow(self, rows: Tensor, but: Span | None) -> Trees | None:
        """Trees without the windows that touch a span; None with fewer rows than two leaves."""
        some = self.some & self.lessons.apart_from(but)[:, None]
        if int(some.sum()) < 2 * LEAST_ROWS:
            return None
        return Trees.grow(rows[some[self.some]], self.target[some], self._weight[some])

    @cached_property
    def _weight(self) -> Tensor:
        """(example, horizon) how much each error counts."""
        history, lessons = self.task.history, self.lessons
        age = (history.end - lessons.origin) / history.steps_per_day
        forget = self.task.settings.forget
        recency = torch.ones_like(age) if forget is None else 2.0 ** (-age / forget)
        voice = self.task.pool.voice[lessons.batch.sensor]
        return (voice * recency).float()[:, None].expand_as(self.some)

    def _said(self, tests: list[Tensor], trees: list[Trees]) -> tuple[Tensor, Tensor]:
        """(example, horizon) what trees say of the windows left to them, and where they may."""
        whose = torch.zeros(len(self.around), dtype=torch.long)
        for i, test in enumerate(tests):
            whose[test] = i
        said, known = torch.zeros_like(self.around), torch.ones_like(self.around) > 0
        for which, batch, so_far in self.evidence.parts(self.view.needs):
            rows = self.view.rows(batch, so_far)
            for i, one in enumerate(trees):
                own = whose[which] == i
                said[which[own]] = one(rows[own].flatten(0, 1)).view(-1, rows.shape[1])
            if self.view.weather is not None:
                known[which] = self.view.known(batch)
        return said, known

    def _applied(self, found: Tensor, known: Tensor) -> Tensor:
        found = within(found, self.task.deviations, self.inside)
        return self.around + found.where(known, 0.0)


def _sampled(some: Tensor, most: int) -> Tensor:
    """About `most` of the marked places (example, step), or all of them, evenly."""
    count = int(some.sum())
    if count <= most:
        return some
    found = some.clone()
    found[some] = torch.arange(count).double() * GOLDEN % 1 < most / count
    return found


register("boosted", Boosted)
