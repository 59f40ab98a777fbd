"""All that a forecast asks of the networks, in one pass of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from citytune.backbones import LEVELS, Card, Past
from citytune.backbones.city import (
    MEDIAN,
    CityInput,
    CityNetwork,
    GraphBackbone,
    Layout,
    features_of,
    one_above_the_other,
    quantiles_of,
    view_of,
)
from citytune.tuning import (
    DEVIATIONS,
    FEATURES,
    LENSES,
    STEP_AGO,
    Batch,
    FineTuned,
    LastHour,
    LensExpert,
    deviations_of,
    shown_a_step_ago,
)

if TYPE_CHECKING:
    from citytune.forecasting._model import TunedModel

PLAIN = "plain"
TOGETHER = (PLAIN, "squashed")
"""Lenses that show as long a context, on the clock of the data, and ask once."""


class Answers(NamedTuple):
    """What is known of a batch before its experts are asked."""

    forecasts: dict[str, Tensor]
    """As `forecasts_of` gives them."""
    parts: dict[str, Tensor]
    """What is `computed` of the batch."""


class Passes(nn.Module):
    """Asks the pretrained network, and the fine-tuned one, all that the experts would ask."""

    def __init__(self, model: TunedModel, backbone: GraphBackbone) -> None:
        super().__init__()
        needed = model.tuned.mixture.needed
        self.backbone, self.network = backbone, backbone.network
        self.spread = model.tuned.intervals.trust < 1
        lenses = {one.lens for one in needed if isinstance(one, LensExpert)}
        self.lenses = tuple(lens for lens in TOGETHER if lens in lenses)
        self.tuned = next((one for one in needed if isinstance(one, FineTuned)), None)
        asked = (
            *((PLAIN,) if self.spread and PLAIN not in lenses else ()),
            *self.lenses,
            *((FEATURES,) if any(FEATURES in one.needs for one in needed) else ()),
            *((STEP_AGO,) if any(isinstance(one, LastHour) for one in needed) else ()),
        )
        shared = None if self.tuned is None else self.tuned.lens
        self.asked = tuple(sorted(asked, key=lambda key: key != shared))
        if self.tuned is not None:
            applied = self.tuned.applied(backbone)
            assert isinstance(applied, GraphBackbone), "it is a copy"
            self.tuned_network = applied.network

    def forward(self, batch: Batch) -> Answers:
        """Of windows whose horizon a network answers at once; of others nothing."""
        tuned = () if self.tuned is None or self.tuned.lens not in TOGETHER else (self.tuned.lens,)
        keys = tuple(dict.fromkeys((*tuned, *self.asked)))
        if not keys or batch.spec.horizon > (self.backbone.card.horizon or 0):
            return Answers({}, {})
        seen = Seen.of({key: self._shown(key, batch) for key in keys})
        answers = self._pretrained(seen.said(self.network, self.asked), batch)
        if not tuned:
            return answers
        said = seen.said(self.tuned_network, tuned)[0]
        batch = replace(batch, computed={**batch.computed, **answers.parts})
        return Answers(answers.forecasts | self._tuned(said, batch), answers.parts)

    def _shown(self, key: str, batch: Batch) -> Layout:
        if key == FEATURES:
            return self.backbone.for_features(batch.past(torch.arange(batch.sensor.shape[0])))
        noted = Noted(self.backbone.card)
        if key == STEP_AGO:
            LENSES[PLAIN](noted, shown_a_step_ago(batch))
        else:
            LENSES[key](noted, batch.shown)
        return self.backbone.for_horizon(*noted.asked)

    def _pretrained(self, said: Sequence[Said], batch: Batch) -> Answers:
        found = dict(zip(self.asked, said, strict=True))
        parts = {}
        if self.spread:
            quantiles = found[PLAIN].quantiles(batch.spec.horizon)
            parts[DEVIATIONS] = quantiles - quantiles[..., MEDIAN, None]
        if FEATURES in found:
            parts[FEATURES] = features_of(found[FEATURES].states)
        if STEP_AGO in found:
            parts[STEP_AGO] = found[STEP_AGO].quantiles(shown_a_step_ago(batch).horizon)[
                ..., MEDIAN
            ]
        card = self.backbone.card
        forecasts = {
            lens: LENSES[lens](Answering(card, found[lens]), batch.shown) for lens in self.lenses
        }
        return Answers(forecasts, parts)

    def _tuned(self, said: Said, batch: Batch) -> dict[str, Tensor]:
        expert, applied = self.tuned, Answering(self.backbone.card, said)
        assert expert is not None, "it said something"
        if not (self.spread and expert.has_quantiles):
            return {expert.name: expert.forecast_by(applied, batch, {})}
        found = expert.quantiles_by(applied, batch)
        middle = found[..., MEDIAN]
        return {expert.name: middle, deviations_of(expert.name): found - middle[..., None]}


class Said(NamedTuple):
    """What a network said of windows."""

    states: Tensor  # (example, 1 + patch, width), of its own patches
    ahead: Tensor  # (example, patch · PATCH, level)
    level: Tensor  # (example, 1)
    spread: Tensor  # (example, 1)
    shown: Layout

    def quantiles(self, horizon: int) -> Tensor:
        """(example, horizon, level) in the unit of what was shown."""
        return quantiles_of(self.ahead, self.level, self.spread, self.shown, horizon)


class Seen(NamedTuple):
    """Windows that were laid out in several ways, one above the other."""

    shown: Mapping[str, Layout]
    view: CityInput
    there: Tensor | None

    @classmethod
    def of(cls, shown: Mapping[str, Layout]) -> Seen:
        """As the networks see them."""
        whole = one_above_the_other(list(shown.values()))
        return cls(shown, view_of(whole), whole.there)

    def said(self, network: CityNetwork, keys: Sequence[str]) -> list[Said]:
        """What a network says of some of them, which are next to each other."""
        if not keys:
            return []
        part = self._only(keys)
        states, notes = network.states(part.view, part.there)
        ahead = network.answer(states[:, 1:], notes, part.view)
        each = states, ahead, part.view.level, part.view.spread
        rows = zip(*(one.unflatten(0, (len(keys), -1)) for one in each), strict=True)
        return [
            Said(state[:, : 1 + shown.patches], said, level, spread, shown)
            for shown, (state, said, level, spread) in zip(part.shown.values(), rows, strict=True)
        ]

    def _only(self, keys: Sequence[str]) -> Seen:
        order = list(self.shown)
        if order == list(keys):
            return self
        which = slice(order.index(keys[0]), order.index(keys[0]) + len(keys))
        assert order[which] == list(keys), "those of one network are next to each other"

        def some(part: Tensor) -> Tensor:
            return part.unflatten(0, (len(order), -1))[which].flatten(0, 1)

        view = CityInput(*map(some, self.view))
        there = None if self.there is None else some(self.there)
        return Seen({key: self.shown[key] for key in keys}, view, there)


class Noted:
    """In the place of a network: notes what it is asked, and answers nothing."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.asked: tuple[Past, int]

    def forecast(self, past: Past, horizon: int) -> Tensor:
        """Zeros (example, horizon)."""
        self.asked = past, horizon
        return past.values.new_zeros(past.values.shape[0], horizon)

    def quantiles(self, past: Past, horizon: int) -> Tensor:
        """Zeros (example, horizon, level)."""
        return self.forecast(past, horizon)[..., None].expand(-1, -1, len(LEVELS))

    def features(self, past: Past) -> Tensor:
        """Nobody asks for them through a lens."""
        raise NotImplementedError

    def blocks(self) -> Sequence[nn.Module]:
        """None."""
        return ()


class Answering(Noted):
    """In the place of a network: gives the answer that it gave before."""

    def __init__(self, card: Card, said: Said) -> None:
        super().__init__(card)
        self.said = said

    def forecast(self, past: Past, horizon: int) -> Tensor:
        """The median (example, horizon)."""
        return self.quantiles(past, horizon)[..., MEDIAN]

    def quantiles(self, past: Past, horizon: int) -> Tensor:
        """Those that it gave (example, horizon, level)."""
        return self.said.quantiles(horizon)
