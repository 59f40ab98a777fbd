"""What a strategy is: a choice of which weights are φ, and how they are found."""

from __future__ import annotations

import types
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import (
    Any,
    Literal,
    NamedTuple,
    Protocol,
    get_args,
    get_origin,
    get_type_hints,
)

from torch import Tensor

from citytune._errors import InputError, UnknownName
from citytune._registry import Registry
from citytune.settings import Options
from citytune.tuning.experts._expert import Expert
from citytune.tuning.experts._mixture import Mixture
from citytune.tuning.task._task import Task

PLAIN = (bool, int, float, str)


class Learned(NamedTuple):
    """What a strategy found."""

    mixture: Mixture
    out_of_fold: Tensor  # (example, horizon), forecasts of the task's windows, as if unseen
    notes: tuple[str, ...] = ()  # what a person should know of the fit
    deviations: Tensor | None = None  # (example, horizon, level) its quantiles less the forecasts


class Strategy(Protocol):
    """A way to tune: a frozen dataclass whose fields are its options."""

    def fit(self, task: Task) -> Learned:
        """Find φ on the task's windows, of which there is at least one."""
        ...


strategies: Registry[Strategy] = Registry("strategy")


def alone(task: Task, expert: Expert | None = None) -> Mixture:
    """All weight on one expert; by default on the one that stands for "as pretrained"."""
    expert = task.expert(task.prior) if expert is None else expert
    return Mixture.of_one(expert, task.prior, task.spec.horizon, among=task.experts)


def make_strategy(name: str, options: Options | None = None) -> Strategy:
    """The strategy called `name`, with some of its options set.

    Raises:
        UnknownName: nobody knows the strategy or an option; the nearest name is suggested.
        InputError: an option's value is of the wrong kind.

    >>> make_strategy("blend", {"head_days": 30}).head_days
    30
    """
    chosen = strategies.make(name)
    allowed = options_of(chosen)
    for option, value in (options or {}).items():
        if option not in allowed:
            raise UnknownName(f"option of {name}", option, allowed)
        if not _fits(value, allowed[option]):
            raise InputError(
                f"option {option!r} of {name} is {_in_words(allowed[option])}, got {value!r}"
            )
    assert is_dataclass(chosen)
    return replace(chosen, **(options or {}))


def options_of(strategy: Strategy) -> dict[str, Any]:
    """Name → type of the options of a strategy that a plain value can set."""
    if not is_dataclass(strategy):
        return {}
    hints = get_type_hints(type(strategy))
    found = {field.name: hints[field.name] for field in fields(strategy)}
    return {name: hint for name, hint in found.items() if _plain(hint)}


def _plain(hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return True
    if isinstance(hint, types.UnionType):
        return all(_plain(part) for part in get_args(hint))
    return hint in (*PLAIN, type(None))


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if isinstance(hint, types.UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is hint


def _in_words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if isinstance(hint, types.UnionType):
        return " or ".join(map(_in_words, get_args(hint)))
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    return words.get(hint, "none")


def once(notes: Sequence[str]) -> list[str]:
    """Each note once, with how many trainings it is about if there are several.

    >>> once(["stopped", "halved", "stopped"])
    ['stopped (2 trainings)', 'halved']
    """
    return [
        f"{note} ({count} trainings)" if count > 1 else note
        for note, count in Counter(notes).items()
    ]
