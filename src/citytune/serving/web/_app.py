"""Add the pages to the HTTP interface, whose limits, audit log and tokens hold for them too."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from citytune.serving.web._access import problem_page
from citytune.serving.web.routes import ROUTERS


def add_pages(app: FastAPI) -> FastAPI:
    """The same application, with pages for a browser at `/`."""
    for router in ROUTERS:
        app.include_router(router)
    document = app.exception_handlers[HTTPException]

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        """A browser gets a page where there is none; a program gets the document."""
        browser = "text/html" in request.headers.get("accept", "")
        if error.status_code == 404 and browser:
            return problem_page(request, 404, "there is no such page")
        answer: Response = await document(request, error)
        return answer

    return app
