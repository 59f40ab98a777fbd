"""Notices, proposals, and tokens that are limited to sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
PENDING = sa.text("state IN ('open', 'started')")


def upgrade() -> None:
    """Change the tables."""
    op.add_column("alarms", sa.Column("told_at", MOMENT, nullable=True))
    op.add_column("jobs", sa.Column("told_at", MOMENT, nullable=True))
    op.add_column("tokens", sa.Column("sources", sa.JSON(), nullable=True))
    op.create_table(
        "notices",
        sa.Column("id", KEY, nullable=False),
        sa.Column("event", sa.String(length=100), nullable=False),
        sa.Column("channel", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("run_id", KEY, nullable=True),
        sa.Column("source_id", KEY, nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("not_before", MOMENT, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event", "channel"),
        sqlite_autoincrement=True,
    )
    op.create_index("notices_waiting", "notices", ["state", "not_before"], unique=False)
    op.create_table(
        "proposals",
        sa.Column("id", KEY, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("job_id", KEY, nullable=True),
        sa.Column("version_id", KEY, nullable=True),
        sa.Column("comparison", sa.JSON(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "proposals_one_a_run",
        "proposals",
        ["run_id"],
        unique=True,
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
