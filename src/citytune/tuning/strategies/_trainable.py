"""What gradient steps are taken on: a copy of the backbone, free to move, before its windows."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from citytune.backbones import Backbone, Past, root_of
from citytune.training import device
from citytune.tuning.closed_form._head import Head, Projection, fit_head
from citytune.tuning.examples._lens_input import LensInput
from citytune.tuning.examples._lenses import LENSES
from citytune.tuning.experts._finetuned import FineTuned
from citytune.tuning.task._task import Task

PROFILES = ("weeks", "day-kind")
"""Seasonal rules that lenses take off."""


class Trainable:
    """A network that may move, and its forecasts of a task's windows, with gradients.

    A model that forecasts is asked through one lens. One that cannot gets a new last layer on its
    features, which starts from the closed form and adds to the prior.
    """

    def __init__(
        self,
        task: Task,
        lens: str,
        seen: Tensor,
        *,
        closed_form: bool = False,
        first: Backbone | None = None,
    ) -> None:
        """Begin as pretrained.

        Args:
            task: What to learn from.
            lens: How the series is shown.
            seen: The windows it may learn from.
            closed_form: Whether to start with a new head.
            first: The same backbone with other weights, to begin from.
        """
        self.task, self.lens = task, lens
        self.backbone = copy.deepcopy(task.backbone if first is None else first)
        self.root = root_of(self.backbone).to(device())
        self.blocks = list(self.backbone.blocks())
        self.forecasts = task.backbone.card.horizon is not None
        self.view: Projection | None = None
        self.layer: nn.Parameter | None = None
        self.fixed: Head | None = None
        if not self.forecasts or closed_form:
            head_data = task.head_data
            head, _ = fit_head(head_data.pick(seen), horizon=task.spec.horizon)
            self.window_spread = head_data.window_spread * task.scale
            if self.forecasts:
                self.fixed = head
                self.correction = self.window_spread * head.residual(head_data.features)
            else:
                self.view, self.layer = head.view, nn.Parameter(head.weights)
                self.prior = task.forecast_of(task.prior)

    def head(self) -> list[nn.Parameter]:
        """The weights of what answers: the last block, or the new last layer."""
        if self.layer is not None:
            return [self.layer]
        return list(self.blocks[-1].parameters())

    def body(self) -> list[nn.Module]:
        """The blocks below it, in depth order."""
        return self.blocks if self.layer is not None else self.blocks[:-1]

    def free(self, weights: Sequence[Tensor]) -> None:
        """Let these move, and nothing else of the backbone."""
        self.root.requires_grad_(requires_grad=False)
        for weight in weights:
            weight.requires_grad = True

    def forecast(self, which: Tensor) -> Tensor:
        """(example, horizon) of some of the task's windows, in the unit of the data."""
        live = self.task.live.pick(which)
        spec = live.spec
        profiles = {name: part[which] for name, part in zip(PROFILES, self._profiles, strict=True)}
        shown = LensInput(live.seasonal, live.examples, spec.context, spec.horizon, profiles)
        if self.forecasts:
            found = LENSES[self.lens](self.backbone, shown)
            return found if self.fixed is None else found + self.correction[which]
        assert self.view is not None, "a model that cannot forecast has a new last layer"
        assert self.layer is not None, "as above"
        past = Past(shown.past, shown.measured, shown.calendar, shown.day)
        seen = self.view(self.backbone.features(past))
        return self.prior[which] + self.window_spread[which] * (seen @ self.layer).float()

    @cached_property
    def _profiles(self) -> tuple[Tensor, ...]:
        return self.task.forecasts_of(PROFILES).unbind(-1)

    def fine_tuned(self) -> FineTuned:
        """What has changed against the backbone as pretrained."""
        before = dict(root_of(self.task.backbone).named_parameters())
        low_rank = _adapters(self.root)
        values = {
            name: weight.detach().cpu().clone()
            for name, weight in self.root.named_parameters()
            if name in before and not torch.equal(weight.cpu(), before[name])
        }
        head, prior = self.fixed, None if self.forecasts else self.task.prior
        if self.layer is not None and self.view is not None:
            head = Head(self.view, self.layer.detach().clone(), 0.0)
        return FineTuned(self.lens, values, low_rank, head, prior)


def _adapters(root: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Weight's name → B (out, rank), scaled, and A (rank, in), of the LoRA layers in `root`."""
    found = {}
    for name, module in root.named_modules():
        if hasattr(module, "lora_A"):
            ((adapter, a),) = module.lora_A.items()
            b = module.scaling[adapter] * module.lora_B[adapter].weight
            found[f"{name}.weight"] = (b.detach().cpu().clone(), a.weight.detach().cpu().clone())
    return found
