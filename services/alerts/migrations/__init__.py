"""Alembic migrations of the alerts database."""
