"""Notes for MLflow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from citytune._errors import InputError
from citytune.callbacks._tracker import Tracker

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Set unless it is: a server that is down costs seconds, where MLflow would wait for minutes."""


class MLflow(Tracker):
    """A run of MLflow, in the extra `mlflow`: parameters, metrics, losses, the report.

    MLflow reports its use to its makers unless told otherwise; here it is told so.

    Args:
        experiment: Its name; made if it is not there.
        run_name: Of the run.
        tracking_uri: A server ("http://mlflow:5000") or a database ("sqlite:///mlflow.db"); as
            MLflow is set up if None.

    Raises:
        InputError: MLflow is not installed, or its store cannot be used.

    Example:
        >>> with MLflow("loops") as tracker:                                 # doctest: +SKIP
        ...     model = ct.tune(frame, horizon=24, progress=tracker)
        ...     tracker.log(model, ct.backtest(model, frame))
    """

    def __init__(
        self, experiment: str = "citytune", *, run_name: str | None = None,
        tracking_uri: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.experiment, self.run_name, self.tracking_uri = experiment, run_name, tracking_uri
        self.run_id = ""
        self._client: Any = None

    def _begin(self) -> None:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        try:
            import mlflow
        except ImportError:
            raise InputError(
                "MLflow is not installed; run `pip install 'citytune[mlflow]'`"
            ) from None
        try:
            self._client = mlflow.MlflowClient(tracking_uri=self.tracking_uri)
            found = self._client.get_experiment_by_name(self.experiment)
            number = found.experiment_id if found else self._client.create_experiment(
                self.experiment
            )  # fmt: skip
            self.run_id = self._client.create_run(number, run_name=self.run_name).info.run_id
        except mlflow.exceptions.MlflowException as error:
            raise InputError(f"MLflow's store cannot be used: {error}") from error

    def _finish(self, *, failed: bool) -> None:
        self._client.set_terminated(self.run_id, status="FAILED" if failed else "FINISHED")

    def _params(self, params: Mapping[str, str]) -> None:
        for name, value in params.items():
            self._client.log_param(self.run_id, name, value)

    def _metrics(self, metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            self._client.log_metric(self.run_id, name, value, step=step)

    def _stage(self, stage: str) -> None:
        self._client.set_tag(self.run_id, "stage", stage)

    def _artifact(self, path: Path) -> None:
        self._client.log_artifact(self.run_id, str(path))
