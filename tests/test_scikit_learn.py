"""Promise: a `Forecaster` passes scikit-learn's own checks of estimators, where they apply.

scikit-learn feeds its checks numbers without times, so they are given a clock first. What does not
apply is named below, with the reason; whatever begins to pass must be taken off that list.
"""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest

import citytune as ct

pytest.importorskip("sklearn")
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import estimator_checks_generator

NO_ROWS = "a forecast is of the hours after the last row, and not a prediction for each row"
NO_SPARSE = (
    "readings are tables with times; a sparse matrix has none, and is refused in other words"
)
SHORT = "too short a history is refused in other words: how many rows there are and are needed"
NOT_APPLYING = {
    "check_methods_sample_order_invariance": NO_ROWS,
    "check_methods_subset_invariance": NO_ROWS,
    "check_estimator_sparse_tag": NO_SPARSE,
    "check_estimator_sparse_array": NO_SPARSE,
    "check_estimator_sparse_matrix": NO_SPARSE,
    "check_fit2d_1sample": SHORT,
    "check_fit2d_1feature": SHORT,
}


class OnNumbers(ct.Forecaster):
    """A forecaster that takes rows of numbers for readings of successive hours."""

    def fit(self, X: Any, y: Any = None) -> OnNumbers:
        return super().fit(table(X), y)

    def predict(self, X: Any) -> Any:
        return super().predict(table(X)).mean

    def score(self, X: Any, y: Any = None) -> float:
        return super().score(table(X), y)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.no_validation = True
        return tags


def table(rows: Any) -> pl.DataFrame:
    values = np.asarray(rows, float)
    start, hour = np.datetime64("2024-01-01T00", "us"), np.timedelta64(1, "h")
    columns = {f"s{i}": column for i, column in enumerate(values.T)}
    return pl.DataFrame({"time": start + np.arange(len(values)) * hour, **columns})


def checks() -> list[Any]:
    estimator = OnNumbers(horizon=2, backbone="lags", strategy="zero-shot")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it does not inherit from scikit-learn's own base
        found = estimator_checks_generator(
            estimator, expected_failed_checks=NOT_APPLYING, mark="xfail", xfail_strict=True
        )
        return list(found)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*does not inherit from.*:UserWarning")
@pytest.mark.parametrize(("estimator", "check"), checks())
def test_scikit_learn_finds_nothing_wrong(estimator: Any, check: Any) -> None:
    check(estimator)


def test_an_unfitted_forecaster_raises_the_error_of_both() -> None:
    with pytest.raises(NotFittedError, match="call fit first") as ours:
        ct.Forecaster().predict("loops.csv")
    assert isinstance(ours.value, ct.CitytuneError)


def test_a_forecaster_survives_a_pickle() -> None:
    one = ct.Forecaster(horizon=12, options={"head_days": 30})
    assert pickle.loads(pickle.dumps(one)).get_params() == one.get_params()
