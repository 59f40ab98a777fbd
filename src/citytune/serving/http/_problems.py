"""Say what is wrong with a request: a problem document (RFC 9457) for every error."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException

from citytune._errors import InputError
from citytune.serving._outage import AWAY, FULL, is_full
from citytune.serving.database import NO_ANSWER

MEDIA = "application/problem+json"
UNREADABLE = "There was an error parsing the body"
"""What FastAPI says of one that it cannot take apart."""
NO_OBJECT = "model_attributes_type"
"""What pydantic calls text where an object is needed."""
_log = logging.getLogger("citytune.serving")


class Problem(Exception):  # noqa: N818 - reads as what it says
    """A request that cannot be answered, with what to do about it."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.detail, self.headers = status, detail, dict(headers or {})
        super().__init__(detail)


def not_found(what: str, name: object) -> Problem:
    """There is none of this number or name."""
    return Problem(404, f"there is no {what} {str(name)[:100]!r}; its list says which there are")


def document(status: int, detail: str, **more: Any) -> JSONResponse:
    """The problem document."""
    title = HTTPStatus(status).phrase
    said = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(said, status, media_type=MEDIA)


def problem_answer(error: Problem) -> JSONResponse:
    """The document of a problem, with its headers."""
    found = document(error.status, error.detail)
    found.headers.update(error.headers)
    return found


def outage_of(error: BaseException | None) -> Problem | None:
    """What is said where the disk is full or the database is away; None if neither is so."""
    if is_full(error):
        _log.error("the disk is full: %s", error)
        return Problem(507, FULL, {"Retry-After": "60"})
    if isinstance(error, NO_ANSWER):
        _log.error("the database does not answer: %s", getattr(error, "orig", error))
        return Problem(503, AWAY, {"Retry-After": "2"})
    return None


def bug(request: Request, error: Exception) -> Problem:
    """Log what nobody has foreseen, and say whose fault it is."""
    _log.exception("%s %s", request.method, request.url.path, exc_info=error)
    return Problem(500, "an internal error (a bug in citytune); the server's log has the rest")


def answer_problems(app: FastAPI) -> None:
    """Turn whatever happens into a problem document."""

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> JSONResponse:
        return problem_answer(error)

    @app.exception_handler(InputError)
    async def unusable(_: Request, error: InputError) -> JSONResponse:
        return document(422, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return document(
            422, "the request is not as it should be; see errors", errors=_errors(error)
        )

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        said = outage_of(error.__cause__) if is_full(error.__cause__) else None
        if said is not None:  # the body could not be kept anywhere
            return problem_answer(said)
        found = document(error.status_code, _told(request, error))
        found.headers.update(error.headers or {})
        return found

    @app.exception_handler(IntegrityError)
    async def overtaken(_: Request, _error: IntegrityError) -> JSONResponse:
        return document(
            409, "somebody else changed the same thing at this moment; look, and ask again"
        )

    async def out_of_order(_: Request, error: Exception) -> JSONResponse:
        said = outage_of(error)
        if said is None:
            raise error
        return problem_answer(said)

    for kind in (OSError, *NO_ANSWER):
        app.exception_handler(kind)(out_of_order)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return problem_answer(bug(request, error))


def _told(request: Request, error: HTTPException) -> str:
    """What is wrong, where the framework knows no more than the name of the status."""
    if error.status_code == 404:
        return "there is nothing at this address; /v1/openapi.json describes those that there are"
    if error.status_code == 405:
        return f"{request.method[:20]} is not possible here; /v1/openapi.json says what is"
    if str(error.detail) == UNREADABLE:
        return "the body cannot be read; send JSON (or, with a file, a form), and nest it little"
    return str(error.detail)


def _errors(error: RequestValidationError) -> list[dict[str, str]]:
    """Where and what, without what was sent, which may be large or secret."""
    return [
        {"where": ".".join(str(part)[:100] for part in one["loc"]), "what": _what(one)[:300]}
        for one in error.errors()[:20]
    ]


def _what(error: Mapping[str, Any]) -> str:
    if error["type"] == NO_OBJECT and tuple(error["loc"]) == ("body",):
        return "a JSON object is needed, sent with the header Content-Type: application/json"
    return str(error["msg"])
