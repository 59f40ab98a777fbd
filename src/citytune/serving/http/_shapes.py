"""What is sent and what is answered, field by field."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field

from citytune.runs import By
from citytune.serving.http._fields import Id, Json, Moment, Name, Sensor, Sent, Sql, Text
from citytune.serving.http._tokens import Role

Policy: TypeAlias = Literal["nothing", "propose", "retune"]
POLICY: Any = Field(
    None,
    description="What an alarm brings about that a model fits no more; null: what the server does.",
)


class SourceIn(Sent):
    """Where readings come from."""

    name: Name = Field(examples=["loops"])
    kind: Literal["path", "url", "database", "readings"] = Field(
        "readings", description="`readings`: whatever is pushed. Files are uploaded elsewhere."
    )
    place: Text | None = Field(
        None,
        description="A path in an open folder, an http(s) address, or the name of a connection.",
        examples=["loops.csv"],
    )
    query: Sql | None = Field(None, description="Of a database, the rows to read: a SELECT.")
    reading: Json = Field(
        default_factory=dict,
        description="Options of `read`: time, sensor, target, covariates, quantity, unit, "
        "timezone, missing, country, stamp, date_order, valid, table. What is not said is guessed.",
        examples=[{"quantity": "traffic_volume", "unit": "veh/h", "timezone": "Europe/Oslo"}],
    )
    policy: Policy | None = POLICY


class SourceChange(Sent):
    """What is to be otherwise from now on; what is left out stays."""

    reading: Json | None = Field(None, examples=[{"target": "flow", "timezone": "Europe/Oslo"}])
    policy: Policy | None = POLICY


class SourceOut(BaseModel):
    """A source."""

    id: int
    name: str
    kind: str
    place: str | None = Field(description="Passwords and keys in an address are hidden.")
    query: str | None
    reading: dict[str, Any]
    policy: Policy | None = POLICY
    created_at: dt.datetime
    check_job: int | None = Field(None, description="The job that checks it.")


class ReadingIn(Sent):
    """One reading."""

    sensor: Sensor = Field(examples=["Ring road"])
    time: Moment = Field(
        description="With an offset if the source has a time zone, without one if it has none.",
        examples=["2024-05-03T06:00:00+02:00"],
    )
    value: Annotated[float, Field(ge=-1e30, le=1e30)] | None = Field(
        description="In the unit of the source; null takes a reading back.", examples=[412.0]
    )


class ReadingsIn(Sent):
    """Readings to push; sent twice they count once, and of two for one time the last counts."""

    source: Id
    readings: list[ReadingIn] = Field(max_length=200_000)
    new_sensors: bool = Field(
        False,
        description="Whether sensors may be among them that the source does not know yet. To a "
        "source without any, all may be pushed.",
    )


class Accepted(BaseModel):
    """What became of readings that were pushed."""

    accepted: int = Field(description="Distinct readings.")
    jobs: list[int] = Field(description="The forecasts that follow.")


class ReadingOut(BaseModel):
    """A reading that was pushed."""

    sensor: str
    time: dt.datetime
    value: float | None


class RunIn(Sent):
    """What to tune to a source."""

    source: Id
    name: Name = Field(examples=["loops, a day ahead"])
    settings: Json = Field(
        description="As of `ct.run`: horizon, backbone, strategy, effort, rare, …",
        examples=[{"horizon": "24h"}],
    )
    alerts: list[Name] = Field(default_factory=list, max_length=20, examples=[[">7500"]])


class RunOut(BaseModel):
    """A run."""

    id: int
    source: int
    name: str
    settings: dict[str, Any]
    alerts: list[str]
    promoted: int | None = Field(description="The version that forecasts.")
    created_at: dt.datetime


class VersionOut(BaseModel):
    """A version of a run."""

    id: int
    run: int
    number: int
    made_by: str
    kept: bool = Field(description="Whether it can be promoted: its folder is still there.")
    promoted: bool
    created_at: dt.datetime


class VersionChoice(Sent):
    """Which version."""

    version: Id


class JobIn(Sent):
    """What to do with a run."""

    kind: Literal["tune", "refresh", "forecast", "retune"] = Field(
        description="`retune` tunes anew, and promotes what is better on the newest days."
    )
    by: By | None = Field(
        None,
        description="Of a refresh: `auto`, the usual one, learns what is new, or fits anew where "
        "there was a reason to compare and that was better; `refit` tunes anew.",
    )
    promote: bool | None = Field(
        None,
        description="Whether the new version forecasts at once. By default so do the first one and "
        "one of a refresh, unless `by` is `refit`, and no other.",
    )


class JobOut(BaseModel):
    """A job."""

    id: int
    kind: str
    source: int
    run: int | None
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str
    share: float = Field(description="Of the stage that is done, 0 … 1.")
    attempts: int
    created_at: dt.datetime
    not_before: dt.datetime
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    error: str | None
    result: dict[str, Any] | None


class Started(BaseModel):
    """A run and the job that makes its first version."""

    run: RunOut
    job: JobOut


class LineOut(BaseModel):
    """A line of a job's log."""

    id: int
    at: dt.datetime
    text: str


class ForecastOut(BaseModel):
    """That a forecast was issued; its values are asked for on their own."""

    id: int
    run: int
    version: int
    issued_at: dt.datetime
    created_at: dt.datetime
    facts: dict[str, Any]


class ScheduleIn(Sent):
    """When to do something by itself."""

    run: Id
    kind: Literal["forecast", "refresh"]
    cron: Name = Field(examples=["30 6 * * *"])
    timezone: Name = Field("UTC", examples=["Europe/Oslo"])
    quiet: Name | None = Field(None, examples=["22:00-06:00"])


class ScheduleOut(BaseModel):
    """A schedule."""

    id: int
    run: int
    kind: str
    cron: str
    timezone: str
    quiet: str | None
    next_at: dt.datetime


class AlarmOut(BaseModel):
    """Something a person should look at."""

    id: int
    run: int
    kind: str
    sensor: str | None
    text: str
    evidence: dict[str, Any]
    raised_at: dt.datetime
    ended_at: dt.datetime | None


class TokenIn(Sent):
    """A token to make."""

    name: Name = Field(examples=["dashboard"])
    role: Role
    days: Annotated[float, Field(gt=0, le=36_500)] | None = Field(
        None, description="How long it is good for; by default until it is revoked."
    )
    sources: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = Field(
        None,
        description="The sources that it sees, with their runs; by default all. Not for an admin.",
    )


class TokenOut(BaseModel):
    """A token, without its text."""

    id: int
    name: str
    role: Role
    sources: list[int] | None = Field(description="That it is limited to; null: all.")
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None


class NewToken(TokenOut):
    """A token with its text, this once."""

    token: str


class AuditOut(BaseModel):
    """A line of the audit log."""

    id: int
    at: dt.datetime
    who: str
    address: str
    action: str
    status: int


class Health(BaseModel):
    """Whether all is well."""

    status: Literal["ok"]
    version: str
    waiting: int | None = Field(
        None, description="Jobs that could begin now; not said where tokens are needed."
    )
    running: int | None = None
