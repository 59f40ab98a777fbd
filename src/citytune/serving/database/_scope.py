"""Sessions that see some sources alone, with their runs, jobs and forecasts, whatever is asked."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from citytune.serving.database._tables import (
    Alarm,
    AuditLine,
    Forecast,
    Job,
    Promotion,
    Reading,
    Run,
    Schedule,
    Source,
    Token,
    Version,
)
from citytune.serving.database._told import Notice, Proposal

OF_SOURCE = (Job, Reading, Run)
OF_RUN = (Alarm, Forecast, Promotion, Proposal, Schedule, Version)
HIDDEN = (AuditLine, Token)
"""Of which nothing is seen."""
SOURCES = "sources"


class Limited(Session):
    """Every query of an entity is limited to the sources in its `info`."""


def limited_session(bind: Engine | Connection, sources: frozenset[int]) -> Session:
    """A session that sees some sources, and finds nothing else, as if it were not there.

    Values of forecasts and logs of jobs are reached by the forecast or job that they are of.
    """
    return Limited(bind, expire_on_commit=False, info={SOURCES: sorted(sources)})


@event.listens_for(Limited, "do_orm_execute")
def _limit(state: ORMExecuteState) -> None:
    if not state.is_column_load and (state.is_select or state.is_update or state.is_delete):
        state.statement = state.statement.options(*_criteria(state.session.info[SOURCES]))


def _criteria(sources: list[int]) -> list[Any]:
    # Of the table itself, as this must not be limited in turn.
    own = Run.__table__.c
    runs = select(own.id).where(own.source_id.in_(sources))
    found: list[Any] = [with_loader_criteria(Source, Source.id.in_(sources))]
    found += [with_loader_criteria(one, one.source_id.in_(sources)) for one in OF_SOURCE]
    found += [with_loader_criteria(one, one.run_id.in_(runs)) for one in OF_RUN]
    of_notice = Notice.run_id.in_(runs) | Notice.source_id.in_(sources)
    found.append(with_loader_criteria(Notice, of_notice))
    found += [with_loader_criteria(one, one.id.is_(None)) for one in HIDDEN]
    return found
