"""Promise: SQLite and PostgreSQL keep the same; nothing accepted is lost, doubled or disordered."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from serving_parts import HOUR, T0, a_source
from sqlalchemy.exc import IntegrityError

from citytune import InputError
from citytune.serving.database import (
    Base,
    Database,
    Job,
    Pushed,
    Run,
    Source,
    Version,
    _engine,
    forget_forecasts,
    in_folder,
    newest_forecast,
    open_database,
    page_of_readings,
    put_forecast,
    put_readings,
    table_of_forecast,
    table_of_readings,
)


def test_the_migrations_make_the_tables_of_the_models(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_upgrading_again_changes_nothing_and_a_newer_database_is_refused(
    database: Database,
) -> None:
    number = a_source(database)
    database.upgrade()
    with database.reading() as session:
        assert session.get(Source, number) is not None
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match="newer citytune"):
        database.upgrade()


OF_BEFORE = """
INSERT INTO sources (name, kind, reading, created_at) VALUES ('a', 'x', '{}', '2024-01-01');
INSERT INTO runs (source_id, name, settings, alerts, created_at)
VALUES (1, 'a', '{}', '[]', '2024-01-01'), (1, 'b', '{}', '[]', '2024-01-01');
INSERT INTO versions (run_id, number, folder, made_by, kept, created_at)
VALUES (1, 1, 'x', 'tune', true, '2024-01-01');
DELETE FROM runs WHERE id = 2
"""


def test_an_older_database_keeps_all_that_is_of_a_run(database: Database) -> None:
    from alembic import command

    with database.engine.begin() as connection:
        Base.metadata.drop_all(connection)
        connection.execute(sa.text("DROP TABLE alembic_version"))
        config = _engine._alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for text in OF_BEFORE.split(";"):
            connection.execute(sa.text(text))
    database.upgrade()
    with database.writing() as session:
        assert session.get_one(Version, 1).run_id == 1
        other = Source(name="b", kind="readings", reading={}, created_at=T0)
        session.add(other)
        session.flush()
        run = Run(source_id=other.id, name="a", settings={}, alerts=[], created_at=T0)
        session.add(run)
        session.flush()
        assert run.id == 3  # no number is given twice
    with database.writing() as session:
        session.delete(session.get_one(Run, 1))
    with database.reading() as session:
        assert session.get(Version, 1) is None  # what is of a run goes with it


def test_readings_count_once_however_often_and_in_whatever_order(database: Database) -> None:
    source = a_source(database)
    first = [Pushed("a", T0 + 2 * HOUR, 3.0), Pushed("a", T0, 1.0), Pushed("b", T0, None)]
    again = [Pushed("a", T0, 7.0), Pushed("a", T0, 2.0), Pushed("a", T0 + HOUR, 5.0)]
    for batch in (first, first, again):
        with database.writing() as session:
            put_readings(session, source, batch)
    with database.reading() as session:
        table = table_of_readings(session, source)
        pages = page_of_readings(session, source, most=2)
        rest = page_of_readings(session, source, after=pages[-1][:2], most=9)
    naive = T0.replace(tzinfo=None)
    assert table.filter(sensor="a")["value"].to_list() == [2.0, 5.0, 3.0]
    assert table.filter(sensor="b")["value"].to_list() == [None]
    assert table["time"].min() == naive
    assert [*pages, *rest] == [
        ("a", T0, 2.0), ("a", T0 + HOUR, 5.0), ("a", T0 + 2 * HOUR, 3.0), ("b", T0, None),
    ]  # fmt: skip


def test_no_number_is_given_twice(database: Database) -> None:
    first = a_source(database)
    with database.writing() as session:
        session.delete(session.get(Source, first))
    assert a_source(database) > first


def test_readings_are_put_in_one_order_whatever_that_of_the_push(database: Database) -> None:
    """Two who push the same ones would wait for each other."""
    source = a_source(database)
    said: list[str] = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def seen(*call: Any) -> None:
        said.append(str(call[3]) if "INTO readings" in call[2] else "")

    readings = [Pushed(name, T0 + i * HOUR, 1.0) for i in range(3) for name in "ab"]
    for batch in (readings, readings[::-1]):
        with database.writing() as session:
            put_readings(session, source, batch)
    sent = [one for one in said if one]
    assert len(sent) == 2
    assert sent[0] == sent[1]


def test_a_write_is_tried_again_while_the_database_is_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "AGAIN", 0.0)
    away = [sa.exc.OperationalError("COMMIT", {}, Exception("gone"))] * 2

    def change(session: Any) -> int:
        if away:
            raise away.pop()
        return int(session.execute(sa.text("SELECT 7")).scalar_one())

    assert database.write(change, patience=60) == 7
    away.append(sa.exc.OperationalError("COMMIT", {}, Exception("gone")))
    with pytest.raises(sa.exc.OperationalError):
        database.write(change, patience=-1)


def test_a_moment_keeps_its_place_whatever_its_zone(database: Database) -> None:
    source = a_source(database)
    oslo = dt.timezone(2 * HOUR)
    with database.writing() as session:
        put_readings(session, source, [Pushed("a", T0.astimezone(oslo), 1.0)])
        put_readings(session, source, [Pushed("a", T0, 2.0)])
    with database.reading() as session:
        assert page_of_readings(session, source, most=5) == [("a", T0, 2.0)]


def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    source = a_source(database)

    def put() -> None:
        with database.writing() as session:
            put_readings(session, source, [Pushed("a", T0, 1.0)])
            put_readings(session, source + 99, [Pushed("a", T0, 1.0)])

    with pytest.raises(IntegrityError):
        put()
    with database.reading() as session:
        assert not table_of_readings(session, source).height


def test_a_second_running_job_of_a_source_is_refused_by_the_database(database: Database) -> None:
    source = a_source(database)

    def job(state: str) -> Job:
        return Job(kind="check", source_id=source, params={}, state=state, created_at=T0,
                   not_before=T0)  # fmt: skip

    with database.writing() as session:
        session.add_all([job("queued"), job("queued"), job("done"), job("running")])
    with pytest.raises(IntegrityError), database.writing() as session:
        session.add(job("running"))


def a_version(database: Database) -> dict[str, int]:
    """A run with one version, as `put_forecast` takes them."""
    source = a_source(database)
    with database.writing() as session:
        run = Run(source_id=source, name="r", settings={}, alerts=[], created_at=T0)
        session.add(run)
        session.flush()
        version = Version(run_id=run.id, number=1, folder="x", made_by="tune", created_at=T0)
        session.add(version)
        session.flush()
        return {"run_id": run.id, "version_id": version.id}


@pytest.mark.parametrize("zone", [None, "Europe/Oslo"])
def test_a_forecast_comes_back_as_it_was(
    database: Database, fit_once: Callable[..., Any], zone: str | None
) -> None:
    fitted = fit_once(2, 35, strategy="zero-shot", timezone=zone)
    made = fitted.model.forecast(fitted.frame)
    gap = made.mean.copy()
    gap[3, 1] = np.nan
    made = replace(made, mean=gap).with_alerts(["top 5%"], fitted.frame)
    ids = a_version(database)
    with database.writing() as session:
        number = put_forecast(session, made, now=T0, **ids)
    with database.reading() as session:
        issue = newest_forecast(session, ids["run_id"])
        assert issue is not None
        assert issue.id == number
        assert newest_forecast(session, ids["run_id"], T0 - HOUR) is None
        table = table_of_forecast(session, number)
    assert issue.facts["unit"] == "veh/h"
    assert issue.facts["timezone"] == zone
    np.testing.assert_allclose(
        table["mean"].cast(float).to_numpy().reshape(2, -1), made.mean.T, rtol=1e-6
    )
    np.testing.assert_allclose(
        table["q95"].to_numpy().reshape(2, -1), made.quantiles[..., -1].T, rtol=1e-6
    )
    own = made.to_polars()
    column = next(name for name in own.columns if name.startswith("p_"))
    np.testing.assert_allclose(table[column].to_numpy(), own[column].to_numpy(), rtol=1e-6)
    assert table["time"].to_list()[:3] == made.clock.moments(0, 3).tolist()


def test_old_forecasts_are_forgotten_with_their_values_but_not_the_newest(
    database: Database, fit_once: Callable[..., Any]
) -> None:
    fitted = fit_once(2, 35, strategy="zero-shot", timezone=None)
    made = fitted.model.forecast(fitted.frame)
    ids = a_version(database)
    with database.writing() as session:
        old, newest = (put_forecast(session, made, now=T0 + i * HOUR, **ids) for i in range(2))
        forget_forecasts(session, ids["run_id"], T0 + 9 * HOUR)
    with database.reading() as session:
        assert not table_of_forecast(session, old).height
        assert table_of_forecast(session, newest).height == made.mean.size


@pytest.mark.parametrize("address", ["mysql://host/city", "nonsense"])
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="no database that citytune keeps"):
        open_database(address)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be reached"):
        open_database(in_folder(tmp_path / "nowhere"))
