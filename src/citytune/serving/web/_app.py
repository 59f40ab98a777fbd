"""Add the pages to the HTTP interface, whose limits, audit log and tokens hold for them too."""

from __future__ import annotations

from fastapi import FastAPI

from citytune.serving.web.routes import ROUTERS


def add_pages(app: FastAPI) -> FastAPI:
    """The same application, with pages for a browser at `/`."""
    for router in ROUTERS:
        app.include_router(router)
    return app
