"""The tables: what a server keeps apart from files."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

QUANTILES = ("q05", "q10", "q20", "q30", "q40", "q50", "q60", "q70", "q80", "q90", "q95")
QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
"""States of a job."""
Key = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[dt.datetime]):
    """A moment in UTC, with its zone, in every database.

    Of a source without a time zone, the wall time that was written, labelled UTC.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        """SQLite keeps no zones."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment needs a zone, got {value}")
        utc = value.astimezone(dt.UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        """With the zone again, in UTC whatever that of the session is."""
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


NEVER_AGAIN = {"sqlite_autoincrement": True}
"""No number is given twice: whoever remembers one of a deleted row finds nothing, and no other."""


class Base(DeclarativeBase):
    """Of all tables; those with a key of several columns say that they have no numbers."""

    __table_args__: ClassVar[Any] = NEVER_AGAIN


class Source(Base):
    """Where readings come from, and how they are read."""

    __tablename__ = "sources"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    """upload, path, url, database or readings."""
    place: Mapped[str | None] = mapped_column(Text)
    """Name of the uploaded file, path, address, or name of a connection of the configuration."""
    query: Mapped[str | None] = mapped_column(Text)
    reading: Mapped[dict[str, Any]] = mapped_column(JSON)
    policy: Mapped[str | None] = mapped_column(String(20))
    """What an alarm brings about that a model fits no more; None: what the server does."""
    created_at: Mapped[dt.datetime] = mapped_column(Moment)


class Reading(Base):
    """A value that was pushed; the last one sent for a sensor and time counts."""

    __tablename__ = "readings"
    __table_args__: ClassVar[Any] = {"sqlite_with_rowid": False}
    source_id: Mapped[int] = mapped_column(
        Key, ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True
    )
    sensor: Mapped[str] = mapped_column(String(200), primary_key=True)
    time: Mapped[dt.datetime] = mapped_column(Moment, primary_key=True)
    value: Mapped[float | None] = mapped_column(Float)
    """Empty: measured, and withdrawn."""


class Run(Base):
    """A setup that is tuned to a source; its versions are what came of it."""

    __tablename__ = "runs"
    # Of a source: a name that is taken elsewhere tells nobody who may not see it that it is there.
    __table_args__: ClassVar[Any] = (UniqueConstraint("source_id", "name"), NEVER_AGAIN)
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    source_id: Mapped[int] = mapped_column(Key, ForeignKey("sources.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    alerts: Mapped[list[str]] = mapped_column(JSON)
    promoted_id: Mapped[int | None] = mapped_column(Key)
    """The version that forecasts."""
    created_at: Mapped[dt.datetime] = mapped_column(Moment)


class Version(Base):
    """A run folder, made once and never changed."""

    __tablename__ = "versions"
    __table_args__: ClassVar[Any] = (UniqueConstraint("run_id", "number"), NEVER_AGAIN)
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    run_id: Mapped[int] = mapped_column(Key, ForeignKey("runs.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    folder: Mapped[str] = mapped_column(Text)
    made_by: Mapped[str] = mapped_column(String(20))
    """tune or refresh."""
    kept: Mapped[bool] = mapped_column(default=True)
    """Whether its folder is still there."""
    scores: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    verification: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    created_at: Mapped[dt.datetime] = mapped_column(Moment)


class Promotion(Base):
    """When which version began to forecast: the way back."""

    __tablename__ = "promotions"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    run_id: Mapped[int] = mapped_column(Key, ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    version_id: Mapped[int] = mapped_column(Key, ForeignKey("versions.id", ondelete="CASCADE"))
    at: Mapped[dt.datetime] = mapped_column(Moment)
    by: Mapped[str] = mapped_column(String(100))
    """Name of the token, or of the job."""
    back: Mapped[bool] = mapped_column(default=False)
    """Whether it was the way back from a later one."""


class Forecast(Base):
    """One forecast of all sensors of a run."""

    __tablename__ = "forecasts"
    __table_args__: ClassVar[Any] = (Index("forecasts_newest", "run_id", "id"), NEVER_AGAIN)
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    run_id: Mapped[int] = mapped_column(Key, ForeignKey("runs.id", ondelete="CASCADE"))
    version_id: Mapped[int] = mapped_column(Key, ForeignKey("versions.id", ondelete="CASCADE"))
    issued_at: Mapped[dt.datetime] = mapped_column(Moment)
    """The first step that is forecast."""
    created_at: Mapped[dt.datetime] = mapped_column(Moment)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """quantity, unit, timezone, step in seconds, model, notes, raised."""


class ForecastValue(Base):
    """The forecast of one sensor at one time."""

    __tablename__ = "forecast_values"
    __table_args__: ClassVar[Any] = {"sqlite_with_rowid": False}
    forecast_id: Mapped[int] = mapped_column(
        Key, ForeignKey("forecasts.id", ondelete="CASCADE"), primary_key=True
    )
    sensor: Mapped[str] = mapped_column(String(200), primary_key=True)
    time: Mapped[dt.datetime] = mapped_column(Moment, primary_key=True)
    mean: Mapped[float | None] = mapped_column(Float)
    point: Mapped[float | None] = mapped_column(Float)
    q05: Mapped[float | None] = mapped_column(Float)
    q10: Mapped[float | None] = mapped_column(Float)
    q20: Mapped[float | None] = mapped_column(Float)
    q30: Mapped[float | None] = mapped_column(Float)
    q40: Mapped[float | None] = mapped_column(Float)
    q50: Mapped[float | None] = mapped_column(Float)
    q60: Mapped[float | None] = mapped_column(Float)
    q70: Mapped[float | None] = mapped_column(Float)
    q80: Mapped[float | None] = mapped_column(Float)
    q90: Mapped[float | None] = mapped_column(Float)
    q95: Mapped[float | None] = mapped_column(Float)
    quality: Mapped[str] = mapped_column(Text)
    chances: Mapped[dict[str, float | None] | None] = mapped_column(JSON)
    """Column of an alert, such as p_above_50 → its chance."""


class Job(Base):
    """Something to do; a worker does it."""

    __tablename__ = "jobs"
    __table_args__: ClassVar[Any] = (
        Index("jobs_waiting", "state", "not_before"),
        # However many workers there are: the database refuses a second running job of a source.
        Index("jobs_one_a_source", "source_id", unique=True,
              sqlite_where=text("state = 'running'"), postgresql_where=text("state = 'running'")),
        NEVER_AGAIN,
    )  # fmt: skip
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    source_id: Mapped[int] = mapped_column(Key, ForeignKey("sources.id", ondelete="CASCADE"))
    run_id: Mapped[int | None] = mapped_column(Key, ForeignKey("runs.id", ondelete="CASCADE"))
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(20), default=QUEUED)
    created_at: Mapped[dt.datetime] = mapped_column(Moment)
    not_before: Mapped[dt.datetime] = mapped_column(Moment)
    started_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    ended_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    lease: Mapped[str | None] = mapped_column(String(64))
    """Who is doing it: a new word for each attempt."""
    lease_until: Mapped[dt.datetime | None] = mapped_column(Moment)
    cancel: Mapped[bool] = mapped_column(default=False)
    """Whether someone asked to stop it."""
    stage: Mapped[str] = mapped_column(Text, default="")
    share: Mapped[float] = mapped_column(Float, default=0.0)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(Text)
    told_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    """When somebody was told that it failed."""


class JobLine(Base):
    """A line of the log of a job."""

    __tablename__ = "job_log"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    job_id: Mapped[int] = mapped_column(Key, ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    at: Mapped[dt.datetime] = mapped_column(Moment)
    text: Mapped[str] = mapped_column(Text)


class Schedule(Base):
    """When a run is refreshed or forecast by itself."""

    __tablename__ = "schedules"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    run_id: Mapped[int] = mapped_column(Key, ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    cron: Mapped[str] = mapped_column(String(100))
    timezone: Mapped[str] = mapped_column(String(60))
    quiet: Mapped[str | None] = mapped_column(String(11))
    """Hours in which nothing is begun, such as 22:00-06:00."""
    next_at: Mapped[dt.datetime] = mapped_column(Moment, index=True)


class Token(Base):
    """Who may do what."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    role: Mapped[str] = mapped_column(String(10))
    hash: Mapped[str] = mapped_column(Text)
    sources: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    """The sources that it is limited to; None: all."""
    created_at: Mapped[dt.datetime] = mapped_column(Moment)
    expires_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    revoked_at: Mapped[dt.datetime | None] = mapped_column(Moment)


class AuditLine(Base):
    """Who changed what, or was refused."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(Moment)
    who: Mapped[str] = mapped_column(String(100))
    address: Mapped[str] = mapped_column(String(60))
    action: Mapped[str] = mapped_column(Text)
    status: Mapped[int] = mapped_column(Integer)


class Alarm(Base):
    """Something a person should look at; the same one is not told twice while it stands."""

    __tablename__ = "alarms"
    __table_args__: ClassVar[Any] = (Index("alarms_of_run", "run_id", "ended_at"), NEVER_AGAIN)
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    run_id: Mapped[int] = mapped_column(Key, ForeignKey("runs.id", ondelete="CASCADE"))
    watch: Mapped[str] = mapped_column(String(60))
    """Which watch found it: it also says when it is over."""
    kind: Mapped[str] = mapped_column(String(60))
    sensor: Mapped[str | None] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)
    raised_at: Mapped[dt.datetime] = mapped_column(Moment)
    ended_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    severity: Mapped[dict[str, float] | None] = mapped_column(JSON(none_as_null=True))
    """How bad it is; see `Finding`."""
    told_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    """When somebody was told of it last."""
    told_severity: Mapped[dict[str, float] | None] = mapped_column(JSON(none_as_null=True))
    """The worst that somebody was told of."""
    worse_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    """Since when it is clearly worse than that, until somebody is told."""
