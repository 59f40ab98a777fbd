"""The routes, a file for each noun."""

from citytune.serving.http.routes import (
    _admin,
    _forecasts,
    _jobs,
    _operations,
    _outgoing,
    _readings,
    _runs,
    _sources,
)

ROUTERS = (
    _sources.router, _readings.router, _runs.router, _forecasts.router, _jobs.router,
    _operations.router, _operations.metrics, _outgoing.router,
    _admin.router,
)  # fmt: skip

__all__ = ["ROUTERS"]
