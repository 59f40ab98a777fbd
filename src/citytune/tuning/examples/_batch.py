"""Windows to forecast, and what is computed of them once for all experts that look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from citytune._graph import exporting
from citytune.backbones import LEVELS, Backbone, Past, Probabilistic, reads_ahead
from citytune.tuning.examples._lens_input import LensInput, calendar_of, covariates_of
from citytune.tuning.examples._lenses import quantiles
from citytune.tuning.examples._timetable import Timetable
from citytune.windows import Examples, Scale, Seasonal, WindowSpec, cut_measured, cut_past

WINDOWS_AT_ONCE = 1024
"""Most windows passed through a backbone at a time."""
VALUES_AT_ONCE = 4_000_000
"""Most values of them in memory at a time."""
MIDDLE = LEVELS.index(0.5)
FEATURES, COVARIATES = "features", "covariates"
"""What an expert may need besides forecasts of other experts."""
DEVIATIONS = "deviations"
"""Next to the experts: the quantiles of the model itself, less its forecast."""
STEP_AGO = "a step ago"
"""What the model forecast as of a step ago, where that was computed before."""
SENSOR = "sensor"
"""Which sensor of the model a window is of, where that is not its place in the history."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some windows of a history, in the unit of the data; each part is computed when asked for."""

    backbone: Backbone
    seasonal: Seasonal
    """The seasonal rules over the history."""
    examples: Examples
    """The windows; origins are rows of the history."""
    spec: WindowSpec
    spread: bool = False
    """Whether the model's own quantiles are wanted as well."""
    computed: Mapping[str, Tensor] = field(default_factory=dict)
    """Name of a part → its value for every window, where it was computed before."""

    def pick(self, which: Tensor) -> Batch:
        """Some of the windows, by index."""
        computed = {name: part[which] for name, part in self.computed.items()}
        return replace(self, examples=self.examples.pick(which), computed=computed)

    def chunks(self) -> Iterator[Batch]:
        """The same windows, as many at a time as memory allows."""
        windows = self.examples.origin.shape[0]
        parts = _chunks(windows, max(self.spec.horizon, self.spec.context))
        if len(parts) == 1:
            yield self  # with all that was computed of it
        else:
            yield from map(self.pick, parts)

    @property
    def sensor(self) -> Tensor:
        """(example,) long: each window's sensor in the model; the history may hold but some."""
        return self.computed.get(SENSOR, self.examples.sensor)

    @cached_property
    def rules(self) -> Mapping[str, Tensor]:
        """Seasonal rule → forecast (example, horizon), each made when it is first asked for."""
        return self.seasonal.ahead(self.examples, self.spec.horizon)

    @cached_property
    def shown(self) -> LensInput:
        """What the lenses see."""
        spec = self.spec
        return LensInput(self.seasonal, self.examples, spec.context, spec.horizon, self.rules)

    @cached_property
    def quantiles(self) -> Tensor:
        """(example, horizon, level) the model's own, as it gives them."""
        backbone = self.backbone
        assert isinstance(backbone, Probabilistic), f"{backbone.card.name} has no quantiles"
        return quantiles(backbone, self.shown)

    @property
    def deviations(self) -> Tensor:
        """(example, horizon, level) these less the model's forecast, in ascending order.

        A plug-in's quantiles may cross; here they are sorted, once for all that follows.
        """
        if DEVIATIONS in self.computed:
            return self.computed[DEVIATIONS]
        return (self.quantiles - self.quantiles[..., MIDDLE, None]).sort(-1).values

    @cached_property
    def features(self) -> Tensor:
        """(example, feature) of the frozen backbone; each window passes through it once."""
        if FEATURES in self.computed:
            return self.computed[FEATURES]
        parts = [
            self._features(part)
            for part in _chunks(self.examples.origin.shape[0], self.spec.context)
        ]
        return torch.cat([torch.empty(0, self.backbone.card.features), *parts])

    def _features(self, which: Tensor) -> Tensor:
        return self.backbone.features(self.past(which))

    def past(self, which: Tensor) -> Past:
        """What a model is shown of some of the windows, by index."""
        history, some = self.seasonal.history, self.examples.pick(which)
        context, horizon = self.spec.context, self.spec.horizon
        ahead = reads_ahead(self.backbone)
        return Past(
            cut_past(history.filled, some, context, period=history.steps_per_day),
            cut_measured(self.seasonal.known, some, context),
            calendar_of(history, some, context, horizon),
            history.steps_per_day,
            covariates_of(history, some, context, horizon) if ahead else None,
        )

    @cached_property
    def window_spread(self) -> Tensor:
        """(example, 1) the spread of each window's past, in which a head corrects."""
        history = self.seasonal.history
        period = history.steps_per_day
        return Scale.of(
            cut_past(history.filled, self.examples, self.spec.context, period=period)
        ).spread

    @cached_property
    def timetable(self) -> Timetable:
        """What is known ahead."""
        return Timetable.of(self.seasonal.history)


def _chunks(windows: int, length: int) -> tuple[Tensor, ...]:
    """Which windows to take at a time, each of so many steps; none if there are none."""
    if exporting():
        return (torch.arange(windows),)
    size = max(1, min(WINDOWS_AT_ONCE, VALUES_AT_ONCE // length))
    return torch.arange(windows).split(size) if windows else ()
