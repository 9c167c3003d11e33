"""The promised `out_` views: dropped before a migration, made anew after it (SQLite's batch mode needs that)."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from schemas.warehouse.out import OUT_VIEWS
from schemas.warehouse.out_view import OutView


def view_ddl(view: OutView) -> str:
    """The CREATE VIEW statement, the same text on both engines."""
    columns = ", ".join(f'"{name}"' for name in view.columns)
    return f"CREATE VIEW {view.name} ({columns}) AS {view.select.format(columns=columns)}"


def drop_views(connection: Connection) -> None:
    """Drop every promised view that is there."""
    for view in reversed(OUT_VIEWS):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view.name}")


def create_views(connection: Connection) -> None:
    """Make every promised view."""
    for view in OUT_VIEWS:
        connection.exec_driver_sql(view_ddl(view))
