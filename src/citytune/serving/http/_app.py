"""Put the HTTP interface together."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from citytune.serving._config import Configuration
from citytune.serving.database import Database
from citytune.serving.http._access import Gate
from citytune.serving.http._cache import Cache
from citytune.serving.http._limits import Limits, OnlyFromHere
from citytune.serving.http._problems import MEDIA, answer_problems
from citytune.serving.http._quick import Quick
from citytune.serving.http._tokens import Doorkeeper
from citytune.serving.http._traces import Numbers, Tags, Traces
from citytune.serving.http.routes import ROUTERS

ABOUT = (
    "Readings in, forecasts out. Errors are problem documents (RFC 9457); lists come page by page; "
    "JSON has an ETag."
)
PROBLEM: dict[str, Any] = {
    "description": "A problem document (RFC 9457): what is wrong, and what to do.",
    "content": {
        MEDIA: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "errors": {"type": "array", "items": {"type": "object"}},
                },
            }
        }
    },
}


def create_app(database: Database, config: Configuration, *, needs_token: bool = True) -> FastAPI:
    """The application; what it works with is passed in, so that tests can pass their own."""
    app = FastAPI(
        title="citytune",
        version=version("citytune"),
        description=ABOUT,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its pages would fetch scripts from elsewhere
        redoc_url=None,
        responses={"4XX": PROBLEM, "5XX": PROBLEM, 422: PROBLEM},
    )
    numbers = Numbers()
    app.state.database, app.state.config, app.state.numbers = database, config, numbers
    app.state.cache = Cache(database)
    app.state.doorkeeper = Doorkeeper(database, needs_token=needs_token)
    for router in ROUTERS:
        app.include_router(router)
    answer_problems(app)
    app.add_middleware(Tags)
    app.add_middleware(Gate)
    app.add_middleware(Quick, cache=app.state.cache, doorkeeper=app.state.doorkeeper)
    if not needs_token:
        app.add_middleware(OnlyFromHere)
    app.add_middleware(Limits, config=config)
    app.add_middleware(Traces, database=database, config=config, numbers=numbers)
    return app
