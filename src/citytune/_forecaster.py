"""Tune in one call, or in the manner of scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from citytune._errors import CitytuneError, UnknownName
from citytune.frame import SensorFrame

if TYPE_CHECKING:
    from citytune.evaluation import Scores
    from citytune.forecasting import Forecast, TunedModel
    from citytune.tuning import Options
    from citytune.windows import Wanted

Progress = Callable[[str, float], None]
PARAMETERS = (
    "horizon",
    "backbone",
    "strategy",
    "options",
    "seed",
    "caution",
    "max_seconds",
    "rare",
    "forget",
)
"""Of a `Forecaster`."""


def tune(
    frame: SensorFrame,
    *,
    horizon: int,
    backbone: str = "auto",
    strategy: str = "auto",
    options: Options | None = None,
    seed: int = 0,
    caution: float = 2.0,
    max_seconds: float | None = None,
    rare: Wanted = None,
    forget: float | None = None,
    progress: Progress | None = None,
) -> TunedModel:
    """Fine-tune a pretrained model to a city's sensors; seconds on a laptop.

    Args:
        frame: What was measured; see `read`.
        horizon: Steps to forecast.
        backbone: A name from `citytune models`; "auto" takes the one that did best, out of fold,
            among those whose weights are at hand.
        strategy: A name such as "blend" or "head"; "auto" is "blend", unless trying others here
            shows one to be better by more than a standard error.
        options: Options of the strategy by name, such as `{"head_days": 30}`.
        seed: The same seed and data give the same model.
        caution: How often a gain must have repeated before the model leaves the safe forecasts;
            0 trusts every gain, 4 hardly any.
        max_seconds: Time that gradient steps, or trying strategies, may take; the best so far is
            kept. By default trying takes at most twice the time of "blend".
        rare: Values to treat fairly though they are rare: True or "density" for those where a
            sensor's are sparse, "top 5%", "pm2.5>150", "7-9h" (local time), several of them in a
            row, or a `Rare`. The forecast is moved toward them at a small price in usual hours.
        forget: Half-life in days, for a city that drifts: what is so old counts half.
        progress: Called with what is being done and the share done, 0 … 1.

    Example:
        >>> model = tune(frame, horizon=24)  # doctest: +SKIP
        >>> model.forecast(frame)            # doctest: +SKIP
    """
    from citytune.advice import choose

    model, _ = choose(
        frame,
        horizon=horizon,
        backbone=backbone,
        strategy=strategy,
        options=options,
        seed=seed,
        caution=caution,
        max_seconds=max_seconds,
        rare=rare,
        forget=forget,
        progress=progress,
    )
    return model


class Forecaster:
    """A tuned model in the manner of scikit-learn: `fit`, `predict`, `score`, parameters.

    Wherever a frame is wanted, anything that `read` accepts will do: a file, or a table of pandas,
    polars or arrow.

    Example:
        >>> forecaster = Forecaster(horizon=24).fit("loops.csv")  # doctest: +SKIP
        >>> forecaster.predict("loops.csv").to_pandas()           # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        horizon: int = 24,
        backbone: str = "auto",
        strategy: str = "auto",
        options: Options | None = None,
        seed: int = 0,
        caution: float = 2.0,
        max_seconds: float | None = None,
        rare: Wanted = None,
        forget: float | None = None,
    ) -> None:
        self.horizon = horizon
        self.backbone = backbone
        self.strategy = strategy
        self.options = options
        self.seed = seed
        self.caution = caution
        self.max_seconds = max_seconds
        self.rare = rare
        self.forget = forget

    def fit(self, frame: object, y: object = None) -> Self:
        """Tune to everything in `frame`; `y` is there only because scikit-learn passes it."""
        self.model_ = tune(_framed(frame), **self.get_params())
        return self

    def predict(self, frame: object) -> Forecast:
        """The forecast from the step after the last row of `frame`."""
        return self._fitted().forecast(_framed(frame))

    def backtest(self, frame: object, **options: Any) -> Scores:
        """Errors beside those of the pretrained model and the simple rules; see `backtest`."""
        from citytune.evaluation import backtest

        return backtest(self._fitted(), _framed(frame), **options)

    def score(self, frame: object, y: object = None) -> float:
        """Share of the best naive forecast's error that is saved; 0 is no better, 1 is perfect.

        Measured on rows newer than those it was fitted to; without any, on the last part of the
        frame, by a model fitted on what lies before.
        """
        scores = self.backtest(frame, against=["naive-day", "naive-week", "naive-weeks4"])
        return scores.skill(scores.best_naive) if scores.best_naive else math.nan

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every parameter by name; `deep` changes nothing, there are no parts."""
        return {name: getattr(self, name) for name in PARAMETERS}

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

    def __sklearn_is_fitted__(self) -> bool:
        return "model_" in vars(self)

    def _fitted(self) -> TunedModel:
        if not self.__sklearn_is_fitted__():
            raise CitytuneError("this Forecaster has not been fitted yet; call fit first")
        return self.model_


def _framed(source: object) -> SensorFrame:
    if isinstance(source, SensorFrame):
        return source
    from citytune.readers import read

    return read(source)
