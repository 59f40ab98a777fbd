"""A backbone of your own: pretrained on one city here, tuned to another."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

import citytune as ct
from citytune.backbones import Backbone, Card, Past, register

CONTEXT, HORIZON = 168, 24

CARD = Card(
    name="linear-week",
    title="One linear layer from the last week to the next day",
    parameters=CONTEXT * HORIZON,
    context=CONTEXT,
    horizon=HORIZON,
    features=CONTEXT,
    licence="Apache-2.0",
    trained_on="power of a household near Paris, 2006 to 2010",
    source="Zeng et al. 2023, Are Transformers Effective for Time Series Forecasting?",
)


class LinearWeek:
    """Forecasts the next day from the last week, each window in its own units."""

    card = CARD

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer.requires_grad_(False).eval()

    def features(self, past: Past) -> Tensor:
        return standardise(past.values)[0]

    def forecast(self, past: Past, horizon: int) -> Tensor:
        scaled, level, spread = standardise(past.values)
        return self.layer(scaled)[:, :horizon] * spread + level

    def blocks(self) -> Sequence[nn.Module]:
        return (self.layer,)


def standardise(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    level, spread = values.mean(1, keepdim=True), values.std(1, keepdim=True) + 1e-6
    return (values - level) / spread, level, spread


def pretrain() -> Backbone:
    """Least squares on another city's windows; yours would read a file of weights instead."""
    power = torch.from_numpy(ct.read(ct.sample("energy"), target="household").values[:, 0])
    windows = power.unfold(0, CONTEXT + HORIZON, 7)
    windows = windows[windows.isfinite().all(1)]
    past, level, spread = standardise(windows[:, :CONTEXT])
    future = (windows[:, CONTEXT:] - level) / spread
    layer = nn.Linear(CONTEXT, HORIZON, bias=False)
    layer.weight.data = torch.linalg.lstsq(past, future).solution.T.contiguous()
    return LinearWeek(layer)


register(CARD, pretrain)

frame = ct.read(ct.sample("traffic"), timezone="America/Chicago", country="US-MN")
today = len(frame) - 14 * 24
model = ct.tune(frame.until(today), horizon=24, backbone="linear-week")
for sentence in model.words():
    print("-", sentence)
scores = ct.backtest(model, frame, against=["naive-day", "naive-week", "naive-weeks4"])
print(scores)
