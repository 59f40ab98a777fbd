"""Proposals, notices and the audit log: what was done without a person, and who was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from citytune.serving._config import Configuration
from citytune.serving.database import AuditLine, Database, Notice
from citytune.serving.http import _told_shapes as told
from citytune.serving.http._access import Config, Data, Number
from citytune.serving.http._fields import LARGEST
from citytune.serving.http.routes import _outgoing as api
from citytune.serving.notices import names_of
from citytune.serving.web._access import Admin, PageRoute, Reader, Writer
from citytune.serving.web._page import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST_NOTICES, MOST_LINES = 100, 100


@router.get("/notices")
def list_notices(request: Request, data: Data, config: Config, _visitor: Reader) -> Response:
    """What people were told, and how."""
    return _told(request, data, config)


@router.post("/notices/test")
def send_test(request: Request, data: Data, config: Config, _visitor: Admin) -> Response:
    """Send a test by every channel, and say what arrived."""
    return _told(request, data, config, api.send_test(config))


@router.get("/audit")
def list_audit(
    request: Request,
    data: Data,
    _visitor: Admin,
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
) -> Response:
    """Who changed what, and who was refused, the newest first."""
    asked = select(AuditLine).order_by(AuditLine.id.desc()).limit(MOST_LINES)
    with data.reading() as session:
        lines = session.scalars(
            asked if before is None else asked.where(AuditLine.id < before)
        ).all()
    older = lines[-1].id if len(lines) == MOST_LINES else None
    return page(request, "audit.html", lines=lines, older=older)


@router.post("/proposals/{number}/start")
def start(number: Number, data: Data, config: Config, _visitor: Writer) -> Response:
    """Tune anew, and show how far that is."""
    return RedirectResponse(f"/jobs/{api.start(number, data, config).id}", 303)


@router.post("/proposals/{number}/dismiss")
def dismiss(number: Number, data: Data, _visitor: Writer) -> Response:
    """Leave the model as it is."""
    return RedirectResponse(f"/runs/{api.dismiss(number, data).run}#proposals", 303)


def _told(
    request: Request, data: Database, config: Configuration, tried: Sequence[told.Tried] = ()
) -> Response:
    with data.reading() as session:
        asked = select(Notice).order_by(Notice.id.desc()).limit(MOST_NOTICES)
        notices = session.scalars(asked).all()
    quiet = f"{config.notices.quiet} {config.notices.timezone}" if config.notices.quiet else ""
    return page(request, "notices.html", notices=notices, channels=names_of(config.notices),
                quiet=quiet, tried=tried)  # fmt: skip
