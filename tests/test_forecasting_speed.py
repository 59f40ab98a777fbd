"""Promise: tuning passes each window through the network a few times, and a forecast hardly any.

Work is counted, not timed, so that a busy machine is no reason to fail.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from citytune.backbones import Backbone, Past, at_hand, load_backbone, missing
from citytune.forecasting import fit_model
from citytune.forecasting._predict import rules_reach
from citytune.frame import SensorFrame
from citytune.windows import Lookback, Seasonal

HORIZON = 24


class Counter:
    """How many windows were passed through a backbone."""

    def __init__(self, backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
        self.windows, self._inside = 0, False
        for name in ("forecast", "quantiles", "features"):
            if hasattr(backbone, name):
                monkeypatch.setattr(backbone, name, self._counted(getattr(backbone, name)))

    def _counted(self, call: Callable[..., object]) -> Callable[..., object]:
        def counted(past: Past, *rest: object) -> object:
            if self._inside:  # one way of asking may be made of another
                return call(past, *rest)
            self._inside = True
            self.windows += len(past.values)
            try:
                return call(past, *rest)
            finally:
                self._inside = False

        return counted


@pytest.mark.parametrize("backbone", ["citytune-base", "ttm-r2", "lags", "efficientnet-lite0"])
def test_each_window_is_passed_through_the_network_a_few_times(
    backbone: str,
    weights: None,
    city: Callable[..., SensorFrame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if backbone not in at_hand():
        pytest.skip(missing()[backbone])
    frame, asked = city(3, 14), Counter(load_backbone(backbone), monkeypatch)
    model = fit_model(frame, horizon=HORIZON, backbone=backbone)
    lenses = 5
    assert 0 < asked.windows <= lenses * model.tuned.windows
    asked.windows = 0
    model.forecast(frame)
    assert asked.windows <= lenses * len(frame.sensors)


def test_a_forecast_asks_seasonal_rules_only_where_an_expert_looks(
    city: Callable[..., SensorFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every step before the origin they would take a third of a small network's forecast."""
    frame, seen = city(3, 120), list[int]()
    model = fit_model(frame, horizon=HORIZON, backbone="lags")
    expected = model.forecast(frame)
    made = Seasonal._each_step.func  # type: ignore[attr-defined]

    def noted(self: Seasonal) -> Lookback:
        found: Lookback = made(self)
        seen.append(found.when.shape[1])
        return found

    monkeypatch.setattr(Seasonal, "_each_step", property(noted))
    assert (model.forecast(frame).mean == expected.mean).all()
    assert seen, "some expert looks at them"
    assert max(seen) <= rules_reach(model.spec.context, frame.clock) < len(frame) / 3
