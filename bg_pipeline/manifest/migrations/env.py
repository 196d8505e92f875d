"""Runs the migrations on the connection that `Database` hands over."""

from alembic import context

from bg_pipeline.manifest.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
