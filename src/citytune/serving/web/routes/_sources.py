"""From a file to a run: upload it, look at how it is read, correct that, and tune."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from citytune.serving.database import Alarm, Job, Run, Source
from citytune.serving.http import _pages as pages
from citytune.serving.http import _shapes as shapes
from citytune.serving.http._access import Config, Data, Number
from citytune.serving.http._elsewhere import NAMES
from citytune.serving.http.routes import _runs as runs_api
from citytune.serving.http.routes import _sources as api
from citytune.serving.web._access import PageRoute, Reader, Writer
from citytune.serving.web._page import page
from citytune.serving.web._reading import ROLES, UNUSED, is_one, options_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
EFFORTS = ("quick", "usual", "thorough")


async def _said(request: Request) -> dict[str, str]:
    """A form's texts, by their names."""
    async with request.form(max_files=0, max_fields=5000) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


Said = Annotated[dict[str, str], Depends(_said)]


@router.get("/sources")
def list_sources(request: Request, data: Data, _visitor: Reader) -> Response:
    """All sources, and a form for a new one."""
    with data.reading() as session:
        sources = session.scalars(select(Source).order_by(Source.name)).all()
    return page(request, "sources.html", sources=sources)


@router.post("/sources/upload")
def upload(
    data: Data,
    config: Config,
    _visitor: Writer,
    file: Annotated[UploadFile, File()],
    name: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Take a file; its job checks it."""
    named = name.strip() or (file.filename or "").rpartition(".")[0] or "upload"
    shown = shapes.SourceIn.model_validate({"name": named[:100]})
    made = api.upload(data, config, Response(), file, shown.name)
    return RedirectResponse(f"/sources/{made.id}", 303)


@router.get("/sources/{number}")
def source(
    number: Number, request: Request, data: Data, config: Config, _visitor: Reader
) -> Response:
    """How it is read, as a table; a newer check may be under way."""
    with data.reading() as session:
        found = pages.the(session, Source, number, "source")
        newest = _last_check(session, number)
        checked = api.result_of_check(session, number)
        runs = session.scalars(select(Run).where(Run.source_id == number)).all()
        alarms = _standing(session, runs)
    columns = (checked or {}).get("columns", [])
    return page(
        request, "source.html", source=found, job=newest, checked=checked, columns=columns,
        faults=(checked or {}).get("faults", []),
        is_one=is_one, roles=[*ROLES, UNUSED], runs=runs, alarms=alarms,
        waits=newest is not None and newest.state in ("queued", "running"),
        error=newest.error if newest is not None and newest.error else "",
        models=NAMES.get().at_hand, efforts=EFFORTS, options=_shown(found.reading),
        usual=config.policy,
    )  # fmt: skip


@router.post("/sources/{number}/reading")
def change(number: Number, data: Data, _visitor: Writer, said: Said) -> Response:
    """Read it otherwise from now on; its job checks it anew."""
    with data.reading() as session:
        found = pages.the(session, Source, number, "source")
        checked = api.result_of_check(session, number) or {}
    options = options_of(found.reading, checked.get("columns", []), said)
    api.change_source(number, shapes.SourceChange(reading=options), data)
    return RedirectResponse(f"/sources/{number}", 303)


@router.post("/sources/{number}/policy")
def decide(number: Number, data: Data, _visitor: Writer, said: Said) -> Response:
    """Say what an alarm brings about that a model fits no more."""
    asked = shapes.SourceChange.model_validate({"policy": said.get("policy") or None})
    api.change_source(number, asked, data)
    return RedirectResponse(f"/sources/{number}", 303)


@router.post("/sources/{number}/runs")
def tune(number: Number, data: Data, _visitor: Writer, said: Said) -> Response:
    """Tune a model to it, and show how far that is."""
    settings = {name: said[name].strip() for name in ("horizon", "backbone", "strategy", "effort")
                if said.get(name, "").strip()}  # fmt: skip
    alerts = [one.strip() for one in said.get("alerts", "").split(";") if one.strip()]
    asked = shapes.RunIn(source=number, name=said.get("name", ""), settings=settings, alerts=alerts)
    made = runs_api.start_run(asked, data, Response())
    return RedirectResponse(f"/jobs/{made.job.id}", 303)


@router.post("/sources/{number}/delete")
def delete(number: Number, data: Data, config: Config, _visitor: Writer) -> Response:
    """Delete it with what was pushed."""
    api.delete_source(number, data, config)
    return RedirectResponse("/sources", 303)


def _last_check(session: Session, number: int) -> Job | None:
    asked = select(Job).where(Job.source_id == number, Job.kind == "check")
    found: Job | None = session.scalars(asked.order_by(Job.id.desc()).limit(1)).first()
    return found


def _standing(session: Session, runs: Sequence[Run]) -> dict[int, int]:
    """Run → how many alarms stand."""
    of_these = (Alarm.run_id.in_([one.id for one in runs]), Alarm.ended_at.is_(None))
    counted = select(Alarm.run_id, func.count()).where(*of_these).group_by(Alarm.run_id)
    return {int(run): int(count) for run, count in session.execute(counted)}


def _shown(reading: dict[str, Any]) -> dict[str, str]:
    """Options as texts of a form."""
    return {name: "; ".join(map(_text, one)) if isinstance(one, list) else str(one)
            for name, one in reading.items()}  # fmt: skip


def _text(one: Any) -> str:
    return f"{one:.15g}" if isinstance(one, float) else str(one)
