"""Who visits: by a cookie that holds the token, and whose forms are taken."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException

from citytune._errors import InputError
from citytune.reporting import for_page
from citytune.serving.http._access import Allowed
from citytune.serving.http._limits import OTHER_SITE, is_own_form
from citytune.serving.http._problems import Problem, bug, outage_of
from citytune.serving.http._tokens import Caller
from citytune.serving.web._page import page

COOKIE = "citytune_token"
LOGIN = "/login"


class Visitor(Allowed):
    """A dependency: whose role is enough, and whose form comes from a page of this server."""

    async def __call__(self, request: Request) -> Caller:
        """See the class."""
        check_own_form(request)
        found = await super().__call__(request)
        request.state.visitor = found
        return found

    def credential(self, request: Request) -> str | None:
        """The token of the cookie, which other sites cannot read, and do not send either."""
        token = request.cookies.get(COOKIE)
        return None if token is None else f"Bearer {token}"


VISITOR = Visitor("read")
Reader: TypeAlias = Annotated[Caller, Depends(VISITOR)]
Writer: TypeAlias = Annotated[Caller, Depends(Visitor("write"))]
Admin: TypeAlias = Annotated[Caller, Depends(Visitor("admin"))]


def check_own_form(request: Request) -> None:
    """Refuse what changes something and was sent by another site.

    Raises:
        Problem: it was, or it cannot be told.
    """
    if request.method not in ("GET", "HEAD") and not is_own_form(request.headers):
        raise Problem(403, OTHER_SITE)


class PageRoute(APIRoute):
    """A route whose errors are pages, too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See the class."""
        answered = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await answered(request)
            except Problem as error:
                if error.status == 401 and request.url.path != LOGIN:
                    return _to_login()
                found = problem_page(request, error.status, error.detail)
                found.headers.update(error.headers)
                return found
            except InputError as error:
                return problem_page(request, 422, str(error))
            except (RequestValidationError, ValidationError) as error:
                said = [f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()[:5]]
                return problem_page(request, 422, "; ".join(said)[:1000])
            except IntegrityError:
                return problem_page(
                    request, 409, "somebody else changed the same thing; look again"
                )
            except HTTPException as error:
                outage = outage_of(error.__cause__)
                if outage is None:
                    raise
                return problem_page(request, outage.status, outage.detail)
            except Exception as error:  # noqa: BLE001 - a browser gets a page whatever happens
                problem = outage_of(error) or bug(request, error)
                return problem_page(request, problem.status, problem.detail)

        return handler


def problem_page(request: Request, status: int, detail: str) -> Response:
    """What went wrong, as a page."""
    return page(request, "problem.html", status, detail=for_page(detail), corrigible=status < 500)


def _to_login() -> Response:
    """Without the cookie, since a token that counts no more is a wrong one each time it is sent."""
    answer = RedirectResponse(LOGIN, 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer
