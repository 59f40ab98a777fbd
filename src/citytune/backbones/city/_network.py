"""The network of `citytune-base`: patches ahead that look at like slots of the past.

Ideas and their sources: patches as tokens (Nie et al. 2023, PatchTST, arXiv:2211.14730); dense
residual input layers and known calendar ahead (Das et al. 2023, TiDE, arXiv:2304.08424); attention
without positions over what came before (Vaswani et al. 2017) on root-mean-square norms (Zhang and
Sennrich 2019) and gated layers (Shazeer 2020, SwiGLU); the answer as a weighted average of past
days, as a kernel or analogue forecast does (Lorenz 1969), with a learned correction; quantiles
that cannot cross, as sums of positive steps (Gasthaus et al. 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, rms_norm, silu, softplus

from citytune.backbones._protocol import LEVELS
from citytune.backbones.city._input import (
    CLOCK,
    LAGS,
    PATCH,
    RECENT,
    RELATION,
    ROW_POINTS,
    WHEN,
    CityInput,
)

MEDIAN = LEVELS.index(0.5)
VIEWERS = 8
"""Heads that each choose their own like days."""
PAST = 4 + RECENT // PATCH
"""Tokens of the past: four weeks condensed, and the last steps; those ahead come after them."""
NOTE = 64
"""Channels of a candidate."""


class Norm(nn.RMSNorm):
    """A root-mean-square norm that stays in the precision it is given."""

    def forward(self, tokens: Tensor) -> Tensor:
        """(…, width) to the same."""
        assert self.weight is not None, "it has one by default"
        return rms_norm(tokens, self.normalized_shape, self.weight.to(tokens.dtype), self.eps)


class SelfAttention(nn.Module):
    """Every token asks every token."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = Norm(width)
        self.ask = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, tokens: Tensor, first: int = 0, there: Tensor | None = None) -> Tensor:
        """(example, token, width) to the same, without the tokens before the `first`.

        `there` (example, token) bool tells which tokens may be asked; None is all of them.
        """
        parts = self.ask(self.norm(tokens)).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        query, tokens = query[:, :, first:], tokens[:, first:]
        # Written out: on a processor the fused kernel is far slower backward for so few tokens.
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if there is not None:
            scores = scores.masked_fill(~there[:, None, None], -1e9)
        found = scores.softmax(-1).to(value.dtype) @ value
        return tokens + self.out(found.transpose(1, 2).flatten(2))


class Gated(nn.Module):
    """A gated layer within each token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = Norm(width)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(2 * width, width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(example, token, width) to the same."""
        gate, value = self.up(self.norm(tokens)).chunk(2, -1)
        return tokens + self.down(silu(gate) * value)


class Layer(nn.Module):
    """Every token asks every token, then thinks by itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ask = SelfAttention(width, heads)
        self.think = Gated(width)

    def forward(self, tokens: Tensor, first: int = 0, there: Tensor | None = None) -> Tensor:
        """(example, token, width) to the same, without the tokens before the `first`."""
        return self.think(self.ask(tokens, first, there))


class Embed(nn.Module):
    """A dense residual layer into the network's width."""

    def __init__(self, seen: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(seen, width)
        self.more = nn.Linear(width, width)

    def forward(self, seen: Tensor) -> Tensor:
        """(…, seen) to (…, width)."""
        first = self.enter(seen)
        return first + self.more(silu(first))


class LikeDays(nn.Module):
    """Each patch ahead chooses among the same slots of past rows: in what it knows of each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = Norm(width)
        self.ask = nn.Linear(width, NOTE)
        self.key = nn.Linear(NOTE, NOTE)
        self.fit = nn.Linear(NOTE, VIEWERS)

    def forward(
        self, tokens: Tensor, notes: Tensor, view: CityInput
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Averages of past values (example, patch, viewer, PATCH), of shifts, and of notes."""
        query = self.ask(self.norm(tokens)).unflatten(-1, (VIEWERS, -1))
        key = self.key(notes).unflatten(-1, (VIEWERS, -1))
        scores = torch.einsum("bfvd,bfrvd->bfvr", query, key) + self.fit(notes).transpose(2, 3)
        empty = view.known.sum(-1) == 0
        scores = scores.float().masked_fill(empty[:, :, None], -1e4)
        weights = scores.softmax(-1)
        most = weights @ view.known
        values = (weights @ view.candidates) / most.clamp_min(1e-4)
        shift = (weights @ view.shift[..., None]).squeeze(-1)
        return values, shift, (weights @ notes.float()).flatten(2)


class CityNetwork(nn.Module):
    """Quantiles of every step ahead from a `CityInput`."""

    def __init__(self, width: int = 192, layers: int = 4, heads: int = 6) -> None:
        super().__init__()
        self.weeks = Embed(7 * ROW_POINTS * 2, width)
        self.recent = Embed(4 * PATCH + 10, width)
        self.ahead = Embed(WHEN + 2 * len(LAGS) * PATCH, width)
        self.clock = nn.Linear(CLOCK, width)
        self.place = nn.Parameter(torch.zeros(PAST, width))
        self.notes = nn.Sequential(
            nn.Linear(2 * PATCH + RELATION, NOTE), nn.SiLU(), nn.Linear(NOTE, NOTE)
        )
        self.first = LikeDays(width)
        self.like_days_in = nn.Linear(VIEWERS * (PATCH + 1 + NOTE), width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.last = LikeDays(width)
        self.norm = Norm(width)
        self.trust = nn.Linear(width, VIEWERS)
        self.fade = nn.Linear(width, VIEWERS * PATCH)
        self.mend = nn.Linear(width + VIEWERS * (PATCH + 1), PATCH * len(LEVELS))
        for layer in (self.fade, self.mend):
            nn.init.zeros_(layer.bias)
            nn.init.normal_(layer.weight, std=0.01)
        self.register_load_state_dict_pre_hook(_with_released_names)

    @property
    def size(self) -> dict[str, int]:
        """What decides the shape of its weights."""
        first = self.layers[0]
        assert isinstance(first, Layer), "so it is made"
        return {
            "width": self.place.shape[1],
            "layers": len(self.layers),
            "heads": first.ask.heads,
        }

    def parts(self) -> list[nn.Module]:
        """What is seen, the layers, and what answers: all but `place`, which no part owns."""
        seen = [
            self.notes,
            self.clock,
            self.ahead,
            self.first,
            self.like_days_in,
            self.weeks,
            self.recent,
        ]
        answers = [self.last, self.norm, self.trust, self.fade, self.mend]
        return [_together(seen), *self.layers, _together(answers)]

    def states(self, view: CityInput, there: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """State of now and of every patch ahead (example, 1 + patch, width); notes on candidates.

        With `there` (example, patch) bool, patches where it is False are answered, but nothing is
        made of them: the others come out as they would without. The last layer answers for now and
        the patches alone: what becomes of the other tokens nobody reads.
        """
        notes = self.notes(torch.cat([view.candidates, view.known, view.relation], -1))
        clock = self.clock(view.clock)[:, None]
        ahead = self.ahead(torch.cat([view.when, view.lags], -1)) + clock
        ahead = ahead + self.like_days_in(_joined(*self.first(ahead, notes, view)))
        past = torch.cat([self.weeks(view.weeks), self.recent(view.recent)], 1)
        tokens = torch.cat([past + clock + self.place, ahead], 1)
        if there is not None:
            there = pad(there, (PAST, 0), value=True)
        for i, layer in enumerate(self.layers, 1):
            tokens = layer(tokens, PAST - 1 if i == len(self.layers) else 0, there)
        return tokens, notes

    def forward(self, view: CityInput, there: Tensor | None = None) -> Tensor:
        """(example, patch · PATCH, level) in units of the window's spread, rising with level.

        `there` is as in `states`.
        """
        states, notes = self.states(view, there)
        return self.answer(states[:, 1:], notes, view)

    def answer(self, ahead: Tensor, notes: Tensor, view: CityInput) -> Tensor:
        """The same of the states `ahead` (example, patch, width)."""
        values, shift, _ = self.last(ahead, notes, view)
        ahead = self.norm(ahead)
        trust = self.trust(ahead).softmax(-1).float()
        fade = self.fade(ahead).float().unflatten(-1, (VIEWERS, PATCH))
        base = torch.einsum("bfv,bfvp->bfp", trust, values + fade * shift[..., None])
        seen = torch.cat([ahead, values.flatten(2), shift], -1)
        mended = self.mend(seen).float().unflatten(-1, (PATCH, len(LEVELS)))
        middle = base + mended[..., MEDIAN]
        below = 0.3 * softplus(mended[..., :MEDIAN]).flip(-1).cumsum(-1).flip(-1)
        above = 0.3 * softplus(mended[..., MEDIAN + 1 :]).cumsum(-1)
        middle = middle[..., None]
        return torch.cat([middle - below, middle, middle + above], -1).flatten(1, 2)


def _together(parts: list[nn.Module]) -> nn.Module:
    """Parts as one block, in the mode that they are in."""
    block = nn.ModuleList(parts)
    block.training = parts[0].training
    return block


def _joined(values: Tensor, shift: Tensor, notes: Tensor) -> Tensor:
    return torch.cat([values.flatten(2), shift, notes], -1)


def _with_released_names(_: nn.Module, state: dict[str, Tensor], prefix: str, *__: object) -> None:
    """Weights as `citytune-base` was released call one layer `heard`."""
    for name in [one for one in state if one.startswith(f"{prefix}heard.")]:
        state[name.replace("heard.", "like_days_in.")] = state.pop(name)
