"""Tune in one call, or in the manner of scikit-learn."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self

from citytune._errors import CitytuneError, UnknownName
from citytune._progress import shows_progress
from citytune.settings import (
    Horizon,
    Options,
    Progress,
    Settings,
    SpreadCall,
    setting,
    takes_settings,
)

if TYPE_CHECKING:
    from citytune.engines import Engine
    from citytune.evaluation import Scores
    from citytune.forecasting import Forecast, TunedModel

P = ParamSpec("P")
PARAMETER_NAMES = tuple(one.name for one in fields(Settings))


@shows_progress
@takes_settings(SpreadCall)
def tune(
    source: object,
    settings: Settings,
    progress: Progress | None = None,
    engine: str | Engine | None = None,
) -> TunedModel:
    """Fine-tune a pretrained model to a city's sensors; seconds on a laptop.

    Args:
        source: What was measured: a frame, or anything that `read` takes.
        settings: Every field of `Settings` by its own name: `horizon` (24 or "24h"), `backbone`,
            `strategy`, `options`, `seed`, `caution`, `effort`, `max_seconds`, `rare`, `forget`.
            What is "auto" is chosen by measuring it here, out of fold.
        progress: Called with what is being done and the share done, 0 … 1; False shows nothing.
        engine: "local", "ray" or another, which tries the backbones side by side where backbone is
            "auto"; see `recommend`.

    Raises:
        InputError: the source cannot be read, or a setting does not fit it.
        UnknownName: nobody knows the backbone, the strategy or an option.
        MissingWeights: the backbone's weights are not here; it says how to get them.

    Example:
        >>> model = tune(frame, horizon="24h")  # doctest: +SKIP
        >>> model.forecast(frame)               # doctest: +SKIP
    """
    from citytune.advice import choose_with
    from citytune.engines import opened_if
    from citytune.forecasting import learn_copula
    from citytune.readers import framed

    frame = framed(source)
    with opened_if(engine) as used:
        model = choose_with(frame, settings, progress, used)[0]
    return replace(model, copula=learn_copula(model, frame))


@dataclass(frozen=True, kw_only=True)
class Parameters(Settings):
    """The settings of a `Forecaster`, which has a default for each of them."""

    horizon: Horizon = setting(24, "As for `Settings`.")
    # scikit-learn refuses defaults that can be changed, such as a dictionary.
    options: Options | None = setting(None, "As for `Settings`; none if None.")  # type: ignore[assignment]


def _takes_parameters(
    parameters: Callable[P, Parameters],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """Give a constructor every parameter by name, kept as it was given (scikit-learn's rule)."""

    def wrap(function: Callable[..., None]) -> Callable[Concatenate[Any, P], None]:
        known = inspect.signature(parameters).parameters

        def init(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> None:
            if args:
                raise TypeError("the parameters of a Forecaster are given by name")
            for name in kwargs:
                if name not in known:
                    raise UnknownName("parameter of Forecaster", name, known)
            function(self, _defaults() | kwargs)

        me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        shown = [known[name].replace(default=value) for name, value in _defaults().items()]
        init.__signature__ = inspect.Signature([me, *shown])  # type: ignore[attr-defined]
        return init

    return wrap


def _defaults() -> dict[str, Any]:
    """Every parameter's default, none of which can be changed."""
    return {one.name: one.default for one in fields(Parameters)}


class Forecaster:
    """A tuned model in the manner of scikit-learn: `fit`, `predict`, `score`, parameters.

    Wherever a frame is wanted, anything that `read` accepts will do: a file, or a table of pandas,
    polars or arrow.

    Example:
        >>> forecaster = Forecaster(horizon=24).fit("loops.csv")  # doctest: +SKIP
        >>> forecaster.predict("loops.csv").to_pandas()           # doctest: +SKIP
    """

    @_takes_parameters(Parameters)
    def __init__(self, parameters: dict[str, Any]) -> None:
        for name, value in parameters.items():
            setattr(self, name, value)

    def fit(self, frame: object, y: object = None) -> Self:
        """Tune to everything in `frame`; `y` is there only because scikit-learn passes it."""
        self.model_ = tune(frame, **self.get_params())
        return self

    def predict(self, frame: object) -> Forecast:
        """The forecast from the step after the last row of `frame`."""
        return self._fitted().forecast(frame)

    def backtest(self, frame: object, **options: Any) -> Scores:
        """Errors, with those of the pretrained model and the simple rules; see `backtest`."""
        from citytune.evaluation import backtest

        return backtest(self._fitted(), frame, **options)

    def score(self, frame: object, y: object = None) -> float:
        """Share of the best naive forecast's error that is saved; 0 is no better, 1 is perfect.

        Measured on rows newer than those it was fitted to; without any, on the last part of the
        frame, by a model fitted on what lies before.
        """
        scores = self.backtest(frame, against=["naive-day", "naive-week", "naive-weeks4"])
        return scores.skill(scores.best_naive) if scores.best_naive else math.nan

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every parameter by name; `deep` changes nothing, there are no parts."""
        return {name: getattr(self, name) for name in PARAMETER_NAMES}

    def set_params(self, **params: Any) -> Self:
        """Change parameters by name; an unknown one is refused."""
        for name, value in params.items():
            if name not in self.get_params():
                raise UnknownName("parameter of Forecaster", name, self.get_params())
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"Forecaster({shown})"

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks of an estimator; it must be installed to ask."""
        from sklearn.utils import InputTags, Tags, TargetTags

        wants = InputTags(two_d_array=False, string=True, allow_nan=True)
        return Tags(estimator_type=None, target_tags=TargetTags(required=False), input_tags=wants)

    def __sklearn_is_fitted__(self) -> bool:
        return "model_" in vars(self)

    def _fitted(self) -> TunedModel:
        if not self.__sklearn_is_fitted__():
            raise _not_fitted()("this Forecaster has not been fitted yet; call fit first")
        return self.model_


def _not_fitted() -> type[CitytuneError]:
    """The error of a model without a fit: scikit-learn's own, too, where that is in use."""
    theirs = sys.modules.get("sklearn.exceptions")
    if theirs is None:
        return CitytuneError
    return type("NotFitted", (CitytuneError, theirs.NotFittedError), {})
