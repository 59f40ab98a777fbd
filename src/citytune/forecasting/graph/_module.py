"""The whole forecast of a tuned model as one module without branches, from which a graph is made.

It asks the very code that forecasts: experts, mixture, intervals and fallbacks. Only what a graph
cannot do by itself is another: the network for all clock changes at once, and the mean.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from citytune.backbones.city import CityBackbone, GraphBackbone
from citytune.forecasting._fallback import FEWEST_WEEKS, fall_back, never_measured, too_few
from citytune.forecasting._predict import around, rules_reach, wider_in_season
from citytune.forecasting.graph._mean import mean_in_graph
from citytune.forecasting.graph._passes import Passes
from citytune.forecasting.graph._rules import GivenHistory, GraphRules
from citytune.tuning import SENSOR as SENSOR_OF_MODEL
from citytune.tuning import Batch, FineTuned, LensExpert, forecasts_of, mix
from citytune.windows import Examples

if TYPE_CHECKING:
    from citytune.forecasting._model import TunedModel

NEAR_LENSES = ("plain", "squashed")
"""Lenses that do not show what the rules said at every step of the past."""


class Asked(NamedTuple):
    """What the graph is given: the windows of some sensors, all ending at the same moment."""

    past: Tensor
    """(sensor, time) float32: readings with gaps filled from the past alone."""
    measured: Tensor
    """(sensor, time) bool: False where `past` was filled."""
    wall: Tensor
    """(time + horizon,) int64: local steps since 1970; jumps where the clock is changed."""
    weekday: Tensor
    """(time + horizon,) int64: Monday 0 … Sunday 6."""
    holiday: Tensor
    """(time + horizon,) bool: public holiday."""
    season: Tensor
    """(time + horizon,) bool: between public holidays close together."""
    rows: Tensor
    """() int64: how many of the last steps of `past` there were; what is before repeats them."""
    first: Tensor
    """() int64: steps of its length from 1970 to the first step of `past`."""
    sensor: Tensor
    """(sensor,) int64: which of the model's sensors each is."""


class Answered(NamedTuple):
    """What the graph answers, in the unit of the data; NaN where there is no forecast."""

    mean: Tensor  # (sensor, horizon)
    quantiles: Tensor  # (sensor, horizon, level)
    point: Tensor  # (sensor, horizon) the median, or what it is moved to for rare values
    fallback: Tensor  # (sensor,) bool: too little was measured, so it is the naive rule


class ForecastGraph(nn.Module):
    """The forecast of a tuned model: `Asked` in, `Answered` out."""

    def __init__(self, model: TunedModel, forward: int) -> None:
        """Of a model on a clock that goes forward by so many steps at most."""
        super().__init__()
        assert isinstance(model.backbone, CityBackbone), "no other network is exported"
        self.model, self.predictor = model, model.predictor
        self.backbone = GraphBackbone(model.backbone, forward)
        self.passes = Passes(model, self.backbone)
        mixture = model.tuned.mixture
        self.needed, self.names = mixture.needed, mixture.counted
        self.which = [mixture.names.index(name) for name in self.names]
        self.followed = bool((mixture.trust < 1).any())
        self.reach = model.reach
        self.steps = self._steps()
        self.lowest = torch.from_numpy(self.predictor.lowest(model.sensors))

    def _steps(self) -> int:
        """Steps before the origin at which the rules are asked."""
        lenses = [one.lens for one in self.needed if isinstance(one, LensExpert | FineTuned)]
        near = all(lens in NEAR_LENSES for lens in lenses)
        return rules_reach(0 if near else self.model.spec.context, self.model.clock)

    def forward(self, *asked: Tensor) -> Answered:
        """The forecast from the step after the last of `past` on."""
        given, spec = Asked(*asked), self.model.spec
        history = self._history(given)
        seasonal = GraphRules(history, self.reach - self.steps)
        count, rows = given.past.shape
        examples = Examples(torch.arange(count), torch.full((count,), rows))
        own = {SENSOR_OF_MODEL: given.sensor}
        intervals = self.model.tuned.intervals
        batch = Batch(self.backbone, seasonal, examples, spec, intervals.trust < 1, own)
        mean, deviations = self._mixed(batch)
        few = too_few(seasonal, examples, spec)
        point = fall_back(mean, few, seasonal, examples, spec)
        when = examples.origin[:, None] + torch.arange(spec.horizon)
        wider = wider_in_season(history, when)
        where = point, given.sensor, history.slot[when]
        quantiles = intervals.quantiles(*where, deviations, wider)
        naive = intervals.conformal.quantiles(*where, wider)
        quantiles = around(point, torch.where(few[:, None, None], naive, quantiles))
        week = 7 * history.steps_per_day
        never = never_measured(seasonal, examples, spec.horizon) & (
            given.rows > FEWEST_WEEKS * week
        )
        return self._legal(point, quantiles, given.sensor, never & ~few[:, None], few)

    def _history(self, given: Asked) -> GivenHistory:
        raw = torch.where(given.measured, given.past, torch.nan)
        return GivenHistory(
            raw=raw,
            steps_per_day=self.model.clock.steps_per_day,
            wall=given.wall,
            weekday=given.weekday,
            holiday=given.holiday,
            season=given.season,
            covariates=raw.new_zeros(0, 1, 1),
            first=given.first,  # type: ignore[arg-type]
            given=given.past,
        )

    def _mixed(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        mixture, sensor = self.model.tuned.mixture, batch.sensor
        answers = self.passes(batch)
        batch = replace(batch, computed={**batch.computed, **answers.parts})
        found = forecasts_of(self.needed, batch, answers.forecasts)
        each = torch.stack([found[name] for name in self.names], -1)
        mean = mix(each, mixture.weights[..., self.which], sensor)
        if self.followed:
            mean = torch.lerp(found[mixture.prior], mean, mixture.trust_of(sensor))
        return mean, mixture.deviations(found, sensor)

    def _legal(
        self, point: Tensor, quantiles: Tensor, sensor: Tensor, never: Tensor, few: Tensor
    ) -> Answered:
        """Within the legal range, and NaN where nothing is ever measured."""
        point = point.masked_fill(never, torch.nan)
        quantiles = quantiles.masked_fill(never[..., None], torch.nan)
        low, high = self.lowest[sensor], self.model.quantity.high
        if (tilt := self.model.tuned.tilt) is not None:
            point = tilt.move(point, quantiles, sensor, low, high)
        point = point.maximum(low[:, None])
        quantiles = quantiles.maximum(low[:, None, None])
        if high is not None:
            point, quantiles = point.clamp_max(high), quantiles.clamp_max(high)
        return Answered(mean_in_graph(quantiles, low[:, None], high), quantiles, point, few)
