"""A person's own forecaster as a backbone: any function from the past to points or quantiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from citytune._errors import InputError
from citytune.backbones._lags import CARD as LAGS
from citytune.backbones._lags import Lags
from citytune.backbones._levels import MIDDLE, check_levels, to_levels
from citytune.backbones._own_table import answer_of, table_of
from citytune.backbones._protocol import Card, Past
from citytune.backbones._shelf import register

ANY_HORIZON = 10_000
"""Steps ahead of a function that is not said to be bounded."""
Kind: TypeAlias = Literal["", "pandas", "polars"]


def from_forecaster(
    fn: Callable[..., Any],
    *,
    name: str,
    context: int = 512,
    horizon: int | None = None,
    levels: Sequence[float] | None = None,
    table: Kind = "",
    gaps: bool = False,
    batch: int = 256,
    title: str = "",
    licence: str = "not stated",
) -> str:
    """Take any function that forecasts as a pretrained model: to calibrate, gate, compare, blend.

    Nothing of it is trained. Its forecast takes part as the pretrained one does, its intervals are
    calibrated, and a head in closed form may correct it from recent values and the calendar.

    Args:
        fn: `fn(past, horizon)`. `past` is an array (window, time) in the unit of the data, and the
            answer an array (window, horizon), or (window, horizon, level) with `levels`. With
            `table` it is given a table with the columns `unique_id`, `ds` and `y`, as
            statsforecast and others take it, and gives one with `unique_id`, `ds` and one column
            of points, or one column for each level, named like "0.1". The weekday and the hour of
            `ds` are right, its date is not.
        name: Its name as a backbone. Your own of that name is replaced.
        context: Longest past it is shown, in steps.
        horizon: Most steps it can forecast at once; by default any.
        levels: Quantile levels of what it gives, such as (0.1, 0.5, 0.9); None for points.
        table: Kind of table it takes and gives; by default arrays.
        gaps: Whether it is shown NaN where nothing was measured; by default gaps are filled.
        batch: Most windows it is given at once.
        title: One line for people.
        licence: Of whatever it uses.

    Returns:
        The name, for `citytune.tune(backbone=…)`.

    Raises:
        InputError: an option cannot be used, or the name is that of another backbone. When it is
            asked: it fails, or its answer is of another shape or not finite.

    >>> mine = from_forecaster(lambda past, horizon: past[:, -24:][:, :horizon],
    ...                        name="yesterday", horizon=24)
    """
    own = None if levels is None else check_levels(levels)
    if not callable(fn):
        raise InputError(f"a forecaster is a function of (past, horizon), and this is {fn!r}")
    if table not in get_args(Kind):
        raise InputError(f"option 'table' is {table!r}: it is one of {get_args(Kind)}")
    card = own_card(
        name=name,
        title=title or "a forecaster of your own",
        parameters=0,
        context=context,
        horizon=horizon or ANY_HORIZON,
        levels=own or (),
        licence=licence,
        get=f"call citytune.backbones.from_forecaster(…, name={name!r}) in this program first.",
    )
    kind = Points if own is None else Quantiles
    put(card, kind(card, Question(fn, table, gaps, check_count("batch", batch), name)))
    return name


def own_card(*, name: str, context: int, horizon: int | None, **facts: Any) -> Card:
    """The card of a person's own model, its numbers checked."""
    if not str(name).strip():
        raise InputError("option 'name' is empty: give the backbone a name")
    common: dict[str, Any] = {
        "features": LAGS.features,
        "trained_on": "what its maker knows",
        "source": "your own",
        "max_examples": 1000,
    }
    check_count("context", context)
    if horizon is not None:
        check_count("horizon", horizon)
    return Card(name=name, context=context, horizon=horizon, **common | facts)


def check_count(name: str, value: object) -> int:
    """A number of steps or windows, if it is one."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"option {name!r} is {value!r}: it is a whole number from 1 on")
    return value


def put(card: Card, backbone: Any) -> None:
    """Put a person's own backbone on the shelf, in the place of one with that name."""
    try:
        register(card, lambda: backbone, own=True)
    except ValueError as error:
        raise InputError(f"{error}, which is not yours: choose another name") from None


class Question:
    """How a function is asked, and its answer checked."""

    def __init__(
        self, fn: Callable[..., Any], table: Kind, gaps: bool, batch: int, name: str
    ) -> None:
        self.fn, self.table, self.gaps, self.batch, self.name = fn, table, gaps, batch, name

    def __call__(self, past: Past, horizon: int, levels: Sequence[float]) -> Tensor:
        """(example, horizon, level) of all windows, some at a time; one level for points."""
        if not bool(past.values.isfinite().all()):
            raise ValueError("a window holds NaN or infinite values; fill its gaps before it")
        count = len(past.values)
        found = [
            self._some(past.pick(which), horizon, levels)
            for which in torch.arange(count).split(self.batch)
            if count
        ]
        empty = past.values.new_zeros(0, horizon, max(1, len(levels)))
        return torch.cat(found) if found else empty

    def _some(self, past: Past, horizon: int, levels: Sequence[float]) -> Tensor:
        shown = past.values.double()
        shown = shown.masked_fill(~past.measured, torch.nan) if self.gaps else shown
        try:
            if self.table:
                given = table_of(shown, past, self.table)
                answer = answer_of(self.fn(given, horizon), len(shown), horizon, levels)
            else:
                answer = np.array(self.fn(shown.numpy(), horizon), dtype=np.float64)
        except InputError as error:
            raise InputError(f"the forecaster {self.name!r} {error}") from error
        except Exception as error:
            raise InputError(
                f"the forecaster {self.name!r} failed ({type(error).__name__}: {error}); mend the "
                "function that was given to from_forecaster"
            ) from error
        return torch.from_numpy(self._checked(answer, len(shown), horizon, levels)).to(
            past.values.dtype
        )

    def _checked(
        self, answer: NDArray[np.float64], count: int, horizon: int, levels: Sequence[float]
    ) -> NDArray[np.float64]:
        wanted = (count, horizon, len(levels)) if levels else (count, horizon)
        if answer.shape != wanted:
            axes = "(window, horizon, level)" if levels else "(window, horizon)"
            also = "" if levels or answer.ndim != 3 else ", or say the `levels` of its quantiles"
            raise InputError(
                f"the forecaster {self.name!r} gave {answer.shape}, asked for {axes} = {wanted}: "
                f"give one row for each window and {horizon} steps{also}"
            )
        if not np.isfinite(answer).all():
            raise InputError(
                f"the forecaster {self.name!r} gave NaN or infinite values; give a finite forecast "
                "for every window, or leave out what it cannot forecast"
            )
        return answer if levels else answer[..., None]


class Points:
    """A function that gives points, as a backbone; its features are recent values and calendar."""

    def __init__(self, card: Card, ask: Question) -> None:
        self.card, self.ask = card, ask

    def features(self, past: Past) -> Tensor:
        """Those of `lags`: (example, feature)."""
        return Lags().features(past)

    def forecast(self, past: Past, horizon: int) -> Tensor:
        """What the function forecasts (example, horizon)."""
        return self.ask(past, horizon, ())[..., 0]

    def blocks(self) -> Sequence[nn.Module]:
        """No weights, no parts."""
        return ()


class Quantiles(Points):
    """A function that gives quantiles."""

    def forecast(self, past: Past, horizon: int) -> Tensor:
        """The median (example, horizon)."""
        return self.quantiles(past, horizon)[..., MIDDLE]

    def quantiles(self, past: Past, horizon: int) -> Tensor:
        """(example, horizon, level) at `LEVELS`."""
        levels = self.card.levels
        return to_levels(self.ask(past, horizon, levels), levels)
