"""Boosted trees as experts: they correct the forecast, or make one of their own.

Trees on the error of the pretrained forecast see what it forecasts and how sure it is, and learn
where it is wrong in this city: by hour and season, or with the weather. Trees that do not look at
it are wrong at other times, and so better company. What either says of other windows than those it
was grown on tells how far it is followed in each band ahead, before the stack weighs it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from citytune.backbones import LEVELS, Card
from citytune.tuning._band_trust import band_trust, by_step, fine_bands
from citytune.tuning._batch import COVARIATES, Batch
from citytune.tuning._expert import DEVIATIONS, Candidate, Expert, Start, register
from citytune.tuning._tree_rows import RULES, View, Weather
from citytune.tuning._trees import LEAST_ROWS, MOST_ROWS, Trees
from citytune.windows import Axes, purged_folds
from citytune.windows._examples import GOLDEN

if TYPE_CHECKING:
    from citytune.tuning._task import Task

FOLDS = 3
"""Stretches of time, each forecast by trees grown on the others."""
DIRECT_AROUND = "day-kind"
"""The rule whose error direct trees forecast: they need not learn the shape of the day anew."""
LONG_DAYS = 120.0
"""Days of windows from which trees without anything known ahead are worth their time: at 28 and
90 days they lost."""
SHORT_DAYS = 7.0
"""Days of windows from which trees on what is known ahead are."""
SURE_DAYS = 60.0
"""Days of windows from which a correction may go to the outermost quantiles of the network."""
INNER, OUTER = LEVELS.index(0.2), 0
MOST_RESIDUAL = 8.0
"""Residuals beyond this, in units of the usual one at their step, are cut."""
WORDS = {
    "known-ahead-trees": "the forecast corrected by boosted trees on what is known ahead",
    "boosted": "the forecast corrected by boosted trees",
    "boosted-direct": "boosted trees on calendar, like days and the last hours",
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
    share: Annotated[Tensor, Axes("any")]
    """(band,) how far the trees are followed in each of `fine_bands`."""
    inside: int | None
    """Place in `LEVELS` of the quantile of the network that a correction does not pass, nor its
    counterpart; None for no bounds."""

    def __post_init__(self) -> None:
        if self.called not in WORDS:
            raise ValueError(f"no trees are called {self.called!r}")
        if self.trees.features != self.view.features:
            raise ValueError("the trees ask for other features than there are")
        if len(self.share) != len(fine_bands(len(self.unit))):
            raise ValueError("there is not one share for each band ahead")
        if self.inside is not None and not (self.view.network and 0 <= self.inside < INNER + 1):
            raise ValueError("the bounds are no quantiles of the network")

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
        return self.seen(self.view)

    @staticmethod
    def seen(view: View) -> tuple[str, ...]:
        """The experts that trees with such a view look at, and `COVARIATES`."""
        names = dict.fromkeys((view.around, *(RULES if view.past else ())))
        return (*names, *((COVARIATES,) if view.weather is not None else ()))

    def start(self, card: Card) -> Start:
        """What corrects a model that adapts is that model, where it has shown to help."""
        adapts = card.horizon is not None and card.context_days is not None
        return Start.SHARED if adapts and self.called != "boosted-direct" else Start.REST

    def forecast(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """Correct, where all is known of a step ahead."""
        rows, around = self.view.rows(batch, so_far), so_far[self.view.around]
        found = self.trees(rows.flatten(0, 1)).view_as(around)
        found = found * self.unit * by_step(self.share, around.shape[1])
        found = self.view.spread[batch.sensor][:, None] * found
        if self.inside is not None:
            found = within(found, batch.deviations, self.inside)
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
        for called, view in views_of(task):
            if lightgbm_here() and (found := Growing(task, called, view).candidate()):
                task.note(called, found.out_of_fold)
                yield found


def within(found: Tensor, deviations: Tensor, inside: int) -> Tensor:
    """Corrections (example, horizon) that do not leave two of the network's own quantiles.

    Args:
        found: Corrections of its forecast.
        deviations: (example, horizon, level) its quantiles less its forecast.
        inside: Place of the lower one in `LEVELS`.
    """
    low, high = deviations[..., inside], deviations[..., -1 - inside]
    return torch.minimum(torch.maximum(found, low), high)


def views_of(task: Task) -> Iterator[tuple[str, View]]:
    """What trees of a task would see, by name."""
    weather = Weather.of(task.timetable) if len(task.history.covariates) else None
    network = task.knows_spread
    if weather is not None and task.days >= SHORT_DAYS:
        sees = View(task.prior, False, network, weather, *task.level_and_spread)
        yield "known-ahead-trees", sees
    if task.days >= LONG_DAYS:
        yield "boosted", View(task.prior, True, network, weather, *task.level_and_spread)
        yield "boosted-direct", View(DIRECT_AROUND, True, False, weather, *task.level_and_spread)


def lightgbm_here() -> bool:
    """Whether LightGBM is installed."""
    return importlib.util.find_spec("lightgbm") is not None


class Growing:
    """One fit of trees to a task."""

    def __init__(self, task: Task, called: str, view: View) -> None:
        self.task, self.called, self.view = task, called, view
        self.around = task.forecast_of(view.around)
        residual = (task.actual - self.around) / task.scale
        usual = residual.abs().nanmean(0).nan_to_num(0.0)
        self.unit = usual.clamp_min(1e-3 * float(usual.max()) + 1e-9)
        self.target = (residual / self.unit).clamp(-MOST_RESIDUAL, MOST_RESIDUAL)
        counts = task.recency * task.pool.weight
        self.weight = counts[:, None].expand_as(self.target)
        if task.target_weight is not None:
            self.weight = self.weight * task.target_weight
        self.sampled = _sampled(task.known & (self.weight > 0), MOST_ROWS)

    def candidate(self) -> Candidate | None:
        """The expert, with forecasts of every window by trees that had not seen it; or None."""
        task, horizon = self.task, self.task.spec.horizon
        folds = purged_folds(task.examples.origin, horizon=horizon, folds=FOLDS)
        rows = self._rows_sampled()
        fold_trees = [self._grow(rows, fold.train) for fold in folds]
        if len(folds) < 2 or None in fold_trees:
            return None
        said, known = self._out_of_fold([fold.test for fold in folds], fold_trees)
        found = self.unit * said
        inside = self._inside()
        share = self._share(task.scale * found, inside, known)
        trees = self._grow(rows, torch.arange(len(self.target)))
        if trees is None or not bool(share.any()):
            return None
        expert = Boosted(self.called, self.view, trees, self.unit, share, inside)
        return Candidate(expert, self._applied(task.scale * found * by_step(share, horizon), inside, known))

    def _share(self, found: Tensor, inside: int | None, known: Tensor) -> Tensor:
        task = self.task
        after = self._applied(found, inside, known)
        before, after = ((one - task.actual).abs() / task.scale for one in (self.around, after))
        return band_trust(before, after, task.day, task.recency * task.pool.weight)

    def _applied(self, found: Tensor, inside: int | None, known: Tensor) -> Tensor:
        if inside is not None:
            found = within(found, self.task.deviations, inside)
        return self.around + found.where(known, 0.0)

    def _inside(self) -> int | None:
        if not self.view.network:
            return None
        return INNER if self.task.days < SURE_DAYS else OUTER

    def _rows_sampled(self) -> Tensor:
        """(row, feature) of the steps that trees are grown on."""
        return torch.cat([rows[self.sampled[which]] for which, rows, _ in self._parts()])

    def _grow(self, rows: Tensor, which: Tensor) -> Trees | None:
        """Trees of some windows; None with fewer targets than two leaves need."""
        chosen = torch.zeros(len(self.target), 1, dtype=torch.bool)
        chosen[which] = True
        some = self.sampled & chosen
        if int(some.sum()) < 2 * LEAST_ROWS:
            return None
        return Trees.grow(rows[some[self.sampled]], self.target[some], self.weight[some])

    def _out_of_fold(self, tests: list[Tensor], trees: list[Trees]) -> tuple[Tensor, Tensor]:
        """(example, horizon) what trees say of the windows left to them, and where they may."""
        whose = torch.zeros(len(self.target), dtype=torch.long)
        for i, test in enumerate(tests):
            whose[test] = i
        said, known = torch.zeros_like(self.target), torch.ones_like(self.sampled)
        for which, rows, there in self._parts():
            for i, one in enumerate(trees):
                own = whose[which] == i
                said[which[own]] = one(rows[own].flatten(0, 1)).view(-1, rows.shape[1])
            known[which] = there
        return said, known

    def _parts(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Which windows, their rows (example, horizon, feature), where all is known ahead."""
        names = [name for name in Boosted.seen(self.view) if name != COVARIATES]
        whole, done = self.task.forecasts_of(names), 0
        for part in self.task.live.chunks():
            which = torch.arange(done, done + len(part.examples))
            so_far = dict(zip(names, whole[which].unbind(-1), strict=True))
            if self.task.deviations is not None:
                part = replace(part, computed={**part.computed, DEVIATIONS: self.task.deviations[which]})
            there = self.view.known(part) if self.view.weather else torch.ones_like(self.sampled[which])
            yield which, self.view.rows(part, so_far), there
            done += len(which)


def _sampled(some: Tensor, most: int) -> Tensor:
    """At most about `most` of the marked places (example, step), evenly."""
    count = int(some.sum())
    if count <= most:
        return some
    found = some.clone()
    found[some] = torch.arange(count).double() * GOLDEN % 1 < most / count
    return found


register("boosted", Boosted)
