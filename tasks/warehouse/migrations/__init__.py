"""Alembic migrations of the warehouse, for SQLite and PostgreSQL alike. Run by `tasks.warehouse.migrate`."""
