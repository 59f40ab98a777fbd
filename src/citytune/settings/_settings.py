"""Everything a person can decide about a fit: one field, one check and one sentence each."""

from __future__ import annotations

import datetime as dt
import functools
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeAlias, TypeVar, get_args

from citytune._errors import InputError, UnknownName
from citytune._progress import Asked, Progress
from citytune.settings._options import Options, read_options
from citytune.settings._rare import Rare, Wanted

if TYPE_CHECKING:
    from citytune.engines import Engine
    from citytune.frame import Clock, SensorFrame

Effort: TypeAlias = Literal["quick", "usual", "thorough"]
"""How much work fine-tuning may take."""
Horizon: TypeAlias = int | str | dt.timedelta
"""A number of steps, or a time such as "24h", "90min" or "7d"."""
Source = TypeVar("Source")
Result = TypeVar("Result")
P = ParamSpec("P")

LONGEST_HORIZON_DAYS = 28
"""Longest horizon, in days (in weeks on a daily clock)."""
UNITS = {"min": 60, "h": 3600, "d": 86400, "w": 604800}


def setting(default: Any, text: str, *, metavar: str | None = None, repeated: bool = False) -> Any:
    """A field of `Settings`; the command line makes its option from what is said here.

    A model that was saved before there was such a field is read with its default.
    """
    facts = {"help": text, "metavar": metavar, "repeated": repeated, "may_lack": default is not ...}
    if isinstance(default, type) and issubclass(default, dict):
        return field(default_factory=default, metadata=facts)
    return field(metadata=facts) if default is ... else field(default=default, metadata=facts)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person decides about a fit; numpy's numbers and times do as well as Python's.

    Raises:
        InputError: a value is of the wrong kind or out of range; it says which would do.

    Example:
        >>> Settings(horizon="24h", rare="top 5%").horizon
        '24h'
    """

    horizon: Horizon = setting(
        ..., "How far ahead: a number of steps (24) or a time (24h, 90min, 7d).", metavar="N"
    )
    backbone: str = setting(
        "auto", "Pretrained model; auto takes the best one at hand.", metavar="NAME"
    )
    strategy: str = setting(
        "auto",
        "zero-shot, blend, head, head-sgd, bias, norms, last-blocks, lora, full or gradual; auto "
        "takes the one that measures best here, mostly blend.",
        metavar="NAME",
    )
    options: Options = setting(
        dict,
        "An option of the strategy, such as head_days=30; may be repeated.",
        metavar="NAME=VALUE",
        repeated=True,
    )
    seed: int = setting(0, "The same seed and data give the same model.")
    caution: float = setting(
        2.0,
        "How often a gain must have repeated before the model leaves the safe forecasts: 0 trusts "
        "every gain, 4 hardly any.",
    )
    effort: Effort = setting(
        "usual",
        "Work that fine-tuning the network may take: quick (seconds), usual (half a minute for 24 "
        "sensors on 2 cores) or thorough (minutes). It is counted in windows, not in seconds.",
        metavar="EFFORT",
    )
    max_seconds: float | None = setting(
        None,
        "Time that gradient steps, or trying strategies, may take; the best so far is kept.",
        metavar="SECONDS",
    )
    rare: Wanted = setting(
        None,
        "Values to treat fairly though they are rare: 'density' (where a sensor's values are "
        "sparse), 'pm2.5>150', 'top 5%' or '7-9h,16-18h' (local hours); may be repeated. The "
        "forecast is moved toward them, at a price in usual hours that is shown.",
        metavar="TEXT",
        repeated=True,
    )
    forget: float | None = setting(
        None,
        "Half-life in days, for a city that drifts: readings this old count half.",
        metavar="DAYS",
    )

    def __post_init__(self) -> None:
        checked = {
            "horizon": _horizon(self.horizon),
            "options": read_options(self.options),
            "seed": _whole("seed", self.seed),
            "caution": _number("caution", self.caution, "2 is usual, 4 very careful", zero=True),
            "max_seconds": _number("max_seconds", self.max_seconds, "such as 60"),
            "forget": _number("forget", self.forget, "a half-life in days, such as 30"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        for name in ("backbone", "strategy"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"{name} is a name or 'auto', got {getattr(self, name)!r}")
        if self.effort not in get_args(Effort):
            raise UnknownName("effort", str(self.effort), get_args(Effort))
        if not isinstance(self.rare, Rare):
            Rare.of(self.rare)

    @property
    def steps(self) -> int:
        """The horizon in steps, once `on` a frame."""
        assert isinstance(self.horizon, int), "a time is turned into steps by a frame's clock"
        return self.horizon

    @property
    def rarity(self) -> Rare | None:
        """What is rare, once `on` a frame."""
        assert self.rare is None or isinstance(self.rare, Rare), "words are read on a frame"
        return self.rare

    def on(self, frame: SensorFrame) -> Settings:
        """The same for one frame: the horizon in its steps, rare values in its quantity.

        Raises:
            InputError: the horizon does not fit the frame, or it holds no such quantity.
        """
        horizon = steps_of(self.horizon, frame.clock)
        _check_fits(horizon, frame)
        return replace(self, horizon=horizon, rare=Rare.of(self.rare, frame.quantity))


@dataclass(frozen=True, kw_only=True)
class Call(Settings):
    """The settings of a call, and who is told how far it has come."""

    progress: Asked = field(default=None, compare=False, repr=False)

    @property
    def settings(self) -> Settings:
        """Without `progress`."""
        return Settings(**{one.name: getattr(self, one.name) for one in fields(Settings)})

    @property
    def more(self) -> dict[str, Any]:
        """What the function is given besides settings and progress."""
        return {}


@dataclass(frozen=True, kw_only=True)
class SpreadCall(Call):
    """The same, and what tries candidates side by side."""

    engine: str | Engine | None = field(default=None, compare=False, repr=False)

    @property
    def more(self) -> dict[str, Any]:
        """The engine, by name or made."""
        return {"engine": self.engine}


def takes_settings(
    call: Callable[P, Call],
) -> Callable[
    [Callable[Concatenate[Source, Settings, Progress | None, ...], Result]],
    Callable[Concatenate[Source, P], Result],
]:
    """Let a function of (source, settings, progress) take every setting by its own name."""
    fields_of = inspect.signature(call).parameters

    def wrap(
        function: Callable[Concatenate[Source, Settings, Progress | None, ...], Result],
    ) -> Callable[Concatenate[Source, P], Result]:
        @functools.wraps(function)
        def wrapped(source: Source, /, *args: P.args, **kwargs: P.kwargs) -> Result:
            for name in kwargs:
                if name not in fields_of:
                    raise UnknownName(f"setting of {function.__name__}", name, fields_of)
            if "horizon" not in kwargs:
                raise InputError(
                    f"{function.__name__} needs a horizon, such as horizon=24 or '24h'"
                )
            asked = call(*args, **kwargs)
            return function(source, asked.settings, asked.progress or None, **asked.more)

        first = next(iter(inspect.signature(function).parameters.values()))
        wrapped.__signature__ = inspect.Signature([first, *fields_of.values()])  # type: ignore[attr-defined]
        return wrapped

    return wrap


def steps_of(horizon: Horizon, clock: Clock) -> int:
    """A horizon in steps: a number as it is, "24h" or "7d" by the clock.

    Raises:
        InputError: it is no whole number of steps of the clock.
    """
    if isinstance(horizon, int):
        return horizon
    number, seconds = (
        (0, horizon.total_seconds()) if isinstance(horizon, dt.timedelta) else (_in_words(horizon))
    )
    if not seconds:
        return number
    step = clock.step.total_seconds()
    if seconds % step:
        raise InputError(
            f"a horizon of {horizon} is not a whole number of steps: this file has one every "
            f"{clock.freq}; give a multiple of it, or the number of steps"
        )
    return round(seconds / step)


def _horizon(given: Any) -> Horizon:
    if type(given).__name__ == "timedelta64":  # of numpy, which need not be loaded for this
        given = given.astype("timedelta64[us]").item()
    if isinstance(given, dt.timedelta):
        if given <= dt.timedelta(0):
            raise InputError(f"a horizon is at least one step ahead, got {given}")
        return given
    if isinstance(given, str):
        number, seconds = _in_words(given)
        return given.strip() if seconds else number
    if isinstance(given, bool) or not isinstance(given, Integral) or given < 1:
        raise InputError(
            "the horizon is how many steps to forecast, a whole number of at least 1, or a time "
            f"such as '24h'; got {given!r}"
        )
    return int(given)


def _in_words(text: str) -> tuple[int, float]:
    """A number of steps and 0, or 0 steps and seconds."""
    found = re.fullmatch(r"([+-]?\d{1,9})\s*(min|h|d|w|)", text.strip().lower())
    if found is None:
        raise InputError(
            f"{text[:50]!r} is not a valid horizon; give a number of steps, such as 24, or a time, "
            "such as 24h, 90min or 7d"
        )
    number = int(found[1])
    if number < 1:
        raise InputError(f"a horizon is at least one step ahead, got {text}; give 24, 24h or 7d")
    return (number, 0.0) if not found[2] else (0, float(number * UNITS[found[2]]))


def _check_fits(horizon: int, frame: SensorFrame) -> None:
    most = LONGEST_HORIZON_DAYS * max(frame.clock.steps_per_day, 7)
    if horizon > most:
        a_day = 86400 / frame.clock.step.total_seconds()
        asked, able = (f"{n / a_day:,.2f}".rstrip("0").rstrip(".") for n in (horizon, most))
        raise InputError(
            f"a horizon of {asked} days ({horizon:,} steps of {frame.clock.freq}) is further than "
            f"citytune forecasts; ask for at most {able} days ({most:,} steps)"
        )
    if len(frame) <= horizon:
        raise InputError(
            f"{frame.source} has {len(frame)} rows, and a horizon of {horizon} steps needs more "
            "than that to learn from; bring more history or ask for a shorter horizon"
        )


def _whole(name: str, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, Integral):
        raise InputError(f"{name} must be a whole number, got {given!r}")
    return int(given)


def _number(name: str, given: Any, usual: str, *, zero: bool = False) -> float | None:
    if given is None and not zero:
        return None
    number = isinstance(given, Real) and not isinstance(given, bool)
    if not number or not (0 < given <= sys.float_info.max or (zero and given == 0)):
        least = "of at least 0" if zero else "above 0"
        raise InputError(f"{name} must be a number {least}; {usual}; got {given!r}")
    return float(given)
