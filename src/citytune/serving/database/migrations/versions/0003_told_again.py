"""How bad an alarm is, a policy of each source, and names of runs that are those of a source."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Change the tables."""
    op.add_column("alarms", sa.Column("severity", sa.JSON(), nullable=True))
    op.add_column("alarms", sa.Column("told_severity", sa.JSON(), nullable=True))
    op.add_column("alarms", sa.Column("worse_at", MOMENT, nullable=True))
    op.add_column("sources", sa.Column("policy", sa.String(length=20), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        _make_runs_anew()
    else:
        op.drop_constraint("runs_name_key", "runs", type_="unique")
        op.create_unique_constraint("runs_source_id_name_key", "runs", ["source_id", "name"])


def _make_runs_anew() -> None:
    """SQLite drops no constraint of a table: it is copied; no number is given twice all the same.

    Whoever calls has to switch foreign keys off, or what is of a run would go with the old table.
    """
    op.create_table(
        "runs_new",
        sa.Column("id", KEY, nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("alerts", sa.JSON(), nullable=False),
        sa.Column("promoted_id", KEY, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source_id", "name"),
        sqlite_autoincrement=True,
    )
    op.execute(
        "INSERT INTO runs_new (id, source_id, name, settings, alerts, promoted_id, created_at) "
        "SELECT id, source_id, name, settings, alerts, promoted_id, created_at FROM runs"
    )
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'runs_new'")
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) "
        "SELECT 'runs_new', seq FROM sqlite_sequence WHERE name = 'runs'"
    )
    op.drop_table("runs")
    op.rename_table("runs_new", "runs")
    op.create_index("ix_runs_source_id", "runs", ["source_id"], unique=False)
