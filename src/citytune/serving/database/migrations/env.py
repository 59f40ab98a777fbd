"""Run by Alembic: bring the tables of a connection up to date."""

from alembic import context

from citytune.serving.database._tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
