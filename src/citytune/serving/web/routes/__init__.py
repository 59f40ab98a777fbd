"""The pages, a file for each part of the site."""

from citytune.serving.web.routes import (
    _doors,
    _jobs,
    _outgoing,
    _overview,
    _runs,
    _sensor,
    _sources,
    _tokens,
)

ROUTERS = (
    _doors.router, _overview.router, _sensor.router, _sources.router, _jobs.router, _runs.router,
    _outgoing.router,
    _tokens.router,
)  # fmt: skip

__all__ = ["ROUTERS"]
