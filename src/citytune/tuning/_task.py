"""What every strategy is given: a frozen backbone, a city's windows, and what was said of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from citytune.backbones import Backbone, Probabilistic, load_backbone, shelf
from citytune.settings import Progress, Settings
from citytune.tuning._cache import cached, key_of
from citytune.tuning._covariates import Timetable
from citytune.tuning._experts import DEVIATIONS, ask, experts_of, features, window_unit
from citytune.tuning._head import HeadData
from citytune.tuning._memory import Memory, Windows, beginnings
from citytune.tuning._pool import Pool, PoolWindows
from citytune.tuning._seasonal import SEASONAL, Seasonal
from citytune.tuning._stats import t_inflation
from citytune.windows import (
    Examples,
    History,
    WindowSpec,
    candidates,
    needed,
    stride_of,
    target_weights,
    thin,
)

Ask = Callable[[Seasonal, Examples], Tensor]
"""What an expert says of windows (example, horizon), in the unit of the data."""
WINDOW_DAYS = 120
"""Windows older than this are not learnt from."""
RECENT_DAYS = 49
"""Days from which a sensor's usual spread is taken."""
TIE = 0.002
"""Gains that differ by less, as a share of the error, are the same …"""
DIGITS = 3
"""… and digits of one that must not be 0: the last ones differ between processors."""
USUAL_RULE = "day-kind"
"""The seasonal rule to take where none has shown to be better."""
VALUES = 600_000
"""Most values of one expert, window times step, to learn from."""


@dataclass(frozen=True, eq=False)
class Task:
    """One fit: the windows to learn from, and what the frozen model and the rules say of them."""

    backbone: Backbone
    history: History
    spec: WindowSpec
    settings: Settings
    """`on` the frame that was laid out."""
    progress: Progress | None = None
    memory: Memory | None = None
    """Of an earlier fit: its windows are learnt from too, without their history."""
    beside: Mapping[str, Ask] = field(default_factory=dict)
    """Experts of the earlier fit that stay as they were found, by name."""

    @cached_property
    def place(self) -> tuple[Seasonal, Examples]:
        """The seasonal rules over the sensors with fresh windows, and these windows there."""
        some, where = self.fresh.sensor.unique(return_inverse=True)
        history = self.history if len(some) == len(self.history.raw) else self.history.part(some)
        return Seasonal(history), Examples(where, self.fresh.origin)

    @cached_property
    def _choice(self) -> tuple[Memory | None, Examples, Tensor]:
        """What is remembered and still counts; new windows, and the context they cover."""
        history, old = self.history, self.memory
        stride = stride_of(history)
        most = min(self.backbone.card.max_examples, max(200, VALUES // self.spec.horizon))
        after = None if old is None else old.after(self.spec)
        fresh, covered = candidates(
            history, self.spec, days=WINDOW_DAYS, stride=stride, after=after
        )
        enough = needed(beginnings(history, old), history.end, self.spec)
        good = covered >= enough[fresh.sensor]
        fresh, covered = fresh.pick(good), covered[good]
        sensor, origin = fresh.sensor, fresh.origin + history.first
        if old is not None:
            seen = old.windows
            good = seen.origin >= history.end - WINDOW_DAYS * history.steps_per_day
            old = old.pick(good & (seen.covered >= enough[seen.sensor]))
            sensor = torch.cat([old.windows.sensor, sensor])
            origin = torch.cat([old.windows.origin, origin])
        keep = thin(sensor, origin, stride, most, len(history.raw))
        count = len(keep) - len(fresh)
        old = None if old is None else old.pick(keep[:count])
        return old, fresh.pick(keep[count:]), covered[keep[count:]]

    @property
    def remembered(self) -> Memory | None:
        """What the memory holds of windows that are still learnt from; they come first."""
        return self._choice[0]

    @property
    def fresh(self) -> Examples:
        """The windows of the history that no fit has seen."""
        return self._choice[1]

    @cached_property
    def windows(self) -> Windows:
        """The windows to learn from."""
        old, fresh, covered = self._choice
        found = Windows.of(self.history, fresh, covered, self.spec.horizon)
        return found if old is None else old.windows.then(found)

    @cached_property
    def examples(self) -> Examples:
        """The windows to learn from; origins below 0 lie before the history."""
        return Examples(self.windows.sensor, self.windows.origin - self.history.first)

    @property
    def actual(self) -> Tensor:
        """(example, horizon) what was measured then; NaN is missing."""
        return self.windows.actual

    @cached_property
    def age(self) -> Tensor:
        """(example,) days since each origin."""
        return (self.history.end - self.windows.origin) / self.history.steps_per_day

    @cached_property
    def recency(self) -> Tensor:
        """(example,) how much each window counts for its age."""
        if self.settings.forget is None:
            return torch.ones_like(self.age)
        return 2.0 ** (-self.age / self.settings.forget)

    @property
    def known(self) -> Tensor:
        """(example, horizon) bool."""
        return ~self.actual.isnan()

    @cached_property
    def pool(self) -> Pool:
        """How much each sensor and each window counts in what all sensors share."""
        windows = PoolWindows(self.windows.sensor, self.windows.origin, len(self.history.raw))
        names = SEASONAL if self.backbone.card.horizon is None else ("plain", *SEASONAL)
        return Pool.of(self.says_of(names), self.actual, windows)

    @cached_property
    def rare_weights(self) -> Tensor:
        """(example, horizon) how much each target counts, with a mean of 1; all 1 without `rare`.

        For any loss that is a mean over targets.
        """
        rare = self.settings.rarity
        if rare is None or not rare.moves_fit:
            return torch.ones_like(self.actual)
        windows = self.windows
        return target_weights(rare, self.history, windows.sensor, windows.slot, windows.actual)

    @property
    def target_weight(self) -> Tensor | None:
        """`rare_weights`, or None where all targets count alike."""
        rare = self.settings.rarity
        return self.rare_weights if rare is not None and rare.moves_fit else None

    @cached_property
    def experts(self) -> tuple[str, ...]:
        """Names of the experts that need no fitting."""
        return experts_of(self.backbone.card, self.history.steps_per_day)

    @property
    def says(self) -> Tensor:
        """(example, horizon, expert) what they say."""
        return self.says_of(self.experts)

    def says_of(self, names: Sequence[str]) -> Tensor:
        """(example, horizon, expert) of some experts; each is asked of each window once."""
        wanted = (*names, DEVIATIONS) if "plain" in names and self.knows_spread else names
        lacking = tuple(name for name in wanted if name not in self._heard)
        asked = tuple(name for name in lacking if name not in self.beside)
        said = self._kept(asked, self._ask) if asked else {}
        for name in lacking:
            new = said[name] if name in said else self.beside[name](*self.place)
            self.note(name, new if self.remembered is None else self._after(name, new))
        return torch.stack([self._heard[name] for name in names], -1)

    @cached_property
    def knows_spread(self) -> bool:
        """Whether the pretrained model says of every window how sure it is."""
        old = self.memory
        remembers = old is None or DEVIATIONS in old.says or not len(old.windows.origin)
        own = isinstance(self.backbone, Probabilistic) and "plain" in self.experts
        return own and remembers

    @property
    def deviations(self) -> Tensor | None:
        """(example, horizon, level) its quantiles less its forecast; None if it has none."""
        if not self.knows_spread:
            return None
        self.says_of(("plain",))
        return self._heard[DEVIATIONS]

    def note(self, name: str, says: Tensor) -> None:
        """Keep what an expert says of the windows (example, horizon), as if it had not seen them.

        What is noted goes into the memory.
        """
        self._heard[name] = says

    @cached_property
    def _heard(self) -> dict[str, Tensor]:
        return {}

    def _after(self, name: str, new: Tensor) -> Tensor:
        assert self.remembered is not None
        if not len(self.remembered.windows.origin):  # of which nothing was asked
            return new
        return torch.cat([self.remembered.says[name], new])

    def _ask(self, names: tuple[str, ...]) -> dict[str, Tensor]:
        """Name → (fresh example, horizon), what experts say that need no fitting."""

        def tell(share: float) -> None:
            if self.progress is not None:
                self.progress("asking the pretrained model", 0.8 * share)

        size = self.spec.horizon, self.spec.context
        return ask(self.backbone, *self.place, *size, names, tell)

    def _kept(
        self, names: tuple[str, ...], compute: Callable[[tuple[str, ...]], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Answers of the backbone as it is on the shelf, from the disk if they are there."""
        card, (seasonal, examples) = self.backbone.card, self.place
        if card.name not in shelf() or load_backbone(card.name) is not self.backbone:
            return compute(names)
        size = self.spec.horizon, self.spec.context
        return cached(lambda: key_of(card, seasonal.history, examples, *size), names, compute)

    def said_by(self, name: str) -> Tensor:
        """(example, horizon) of one expert."""
        return self.says_of((name,))[..., 0]

    def part(self, which: Tensor, *, max_seconds: float | None = None) -> Task:
        """Some of the windows, by index, with what was already said of them."""
        assert self.memory is None, "what is remembered is learnt from as a whole"
        part = replace(self, settings=replace(self.settings, max_seconds=max_seconds))
        seasonal, examples = self.place
        _, fresh, covered = self._choice
        kept: dict[str, object] = {
            "_choice": (None, fresh.pick(which), covered[which]),
            "place": (seasonal, examples.pick(which)),
            "windows": self.windows.pick(which),
            "_heard": {name: says[which] for name, says in self._heard.items()},
        }
        if "_view" in self.__dict__:
            kept["_view"] = tuple(column[which] for column in self._view)
        part.__dict__.update(kept)
        return part

    @cached_property
    def spread(self) -> Tensor:
        """(sensor,) usual spread of each sensor, in the unit of the data; never 0."""
        recent = self.history.raw[:, -RECENT_DAYS * self.history.steps_per_day :]
        mean = recent.nanmean(1, keepdim=True)
        square = (recent - mean).double().square().nanmean(1)  # it may be beyond floats
        found = square.sqrt().nan_to_num(0.0).float()
        usual = float(found[found > 0].median()) if (found > 0).any() else 1.0
        return found.where(found > 1e-6 * usual, torch.tensor(usual))

    @cached_property
    def scale(self) -> Tensor:
        """(example, 1) spread of each window's sensor."""
        return self.spread[self.windows.sensor][:, None]

    @cached_property
    def days(self) -> float:
        """How many days the windows' origins span."""
        if not len(self.examples):
            return 0.0
        first, last = self.windows.origin.aminmax()
        return float(last - first) / self.history.steps_per_day + 1

    @property
    def day(self) -> Tensor:
        """(example,) long: local day of each origin."""
        return self.windows.day

    @cached_property
    def timetable(self) -> Timetable:
        """What is known ahead, of the memory and of the history."""
        found = Timetable.of(self.history)
        old = None if self.memory is None else self.memory.timetable
        return found if old is None else old.then(found)

    @cached_property
    def prior(self) -> str:
        """The expert that stands for "as pretrained"."""
        return "plain" if self.backbone.card.horizon is not None else self.best_rule

    @cached_property
    def best_rule(self) -> str:
        """The seasonal rule with the least error on the windows, if it repeats from day to day."""
        if not len(self.examples):
            return USUAL_RULE
        return self._rule_beating(self.said_by(USUAL_RULE)) or USUAL_RULE

    @cached_property
    def better_rule(self) -> str | None:
        """The seasonal rule that beats the prior by most, if that repeats from day to day."""
        return self._rule_beating(self.said_by(self.prior))

    def _rule_beating(self, rival: Tensor) -> str | None:
        """The rule whose gain over `rival` (example, horizon) is largest, less a standard error.

        Of rules that are as good but for `TIE`, the last: those that follow today's level.
        """
        days, block = self.day.unique(return_inverse=True)
        known = self.known * self.pool.weight[:, None]
        count = torch.zeros(len(days)).index_add(0, block, known.sum(1)).clamp_min(1e-9)

        def by_day(says: Tensor) -> Tensor:
            error = ((says - self.actual).abs() / self.scale).nan_to_num(0.0) * known
            return torch.zeros(len(days)).index_add(0, block, error.sum(1)) / count

        before = by_day(rival)
        gains = before[:, None] - torch.stack(
            [by_day(says) for says in self.says_of(SEASONAL).unbind(-1)], 1
        )
        freedom = max(len(days) - 1, 1)
        error = t_inflation(freedom) * gains.std(0, correction=0) / freedom**0.5
        sure = ((gains.mean(0) - error) / before.mean().clamp_min(1e-9)).tolist()
        best = max((i for i, gain in enumerate(sure) if gain >= max(sure) - TIE), default=0)
        return SEASONAL[best] if round(sure[best], DIGITS) > 0 else None

    @property
    def teachable(self) -> bool:
        """Whether there are features of every window, or can be."""
        old = self.remembered
        return old is None or old.features is not None or not len(old.windows.origin)

    @cached_property
    def _view(self) -> tuple[Tensor, Tensor]:
        """Features (example, feature) and unit (example, 1); each window is passed through once."""
        old = self.remembered
        unit = window_unit(*self.place, self.spec.context)
        size = self.spec.horizon, self.spec.context
        seen = self._kept(
            ("features",), lambda _: {"features": features(self.backbone, *self.place, *size)}
        )["features"]
        if old is None or old.features is None or old.unit is None:
            return seen, unit
        return torch.cat([old.features, seen]), torch.cat([old.unit, unit])

    @cached_property
    def head_data(self) -> HeadData:
        """What a new last layer learns from."""
        seen, unit = self._view
        residual = (self.actual - self.said_by(self.prior)) / unit
        unit = unit / self.scale
        counts = self.recency * self.pool.weight
        return HeadData(seen, residual, unit, self.windows.origin, counts, self.target_weight)

    def remember(self, known_ahead: Sequence[str] = ()) -> Memory:
        """What the next fit needs of this one; the history's covariates are named."""
        old, history = self.memory, self.history
        seen, unit = self._view if "_view" in self.__dict__ else (None, None)
        ahead = self.timetable.recent(self.spec.horizon) if len(history.covariates) else None
        return Memory(
            since=history.first if old is None else old.since,
            until=history.end,
            first=beginnings(history, old),
            windows=self.windows,
            says=dict(self._heard),
            features=seen,
            unit=unit,
            timetable=ahead,
            known_ahead=tuple(known_ahead),
        )
