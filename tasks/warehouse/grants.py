"""What the roles of a PostgreSQL warehouse may do: the flows change rows, readers see the promised views,
and those that show persons only with a role of their own.

`deployments/postgresql/roles.sql` makes the roles; where they are not there, nothing is granted. Granted after each
migration, by the owner of the tables: views are made anew, and what is new must be granted too.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.out import OUT_VIEWS

FLOWS_ROLE, READER_ROLE, PATRON_READER_ROLE = "samkat_flows", "samkat_reader", "samkat_patron_reader"


def grant_roles(connection: Connection) -> tuple[str, ...]:
    """Grant what each role that is there may do, and nothing more; returns those roles. Nothing on SQLite."""
    if connection.dialect.name != "postgresql":
        return ()
    there = set(
        connection.execute(
            sa.text("SELECT rolname FROM pg_catalog.pg_roles WHERE rolname IN (:flows, :reader, :patrons)"),
            {"flows": FLOWS_ROLE, "reader": READER_ROLE, "patrons": PATRON_READER_ROLE},
        ).scalars()
    )
    if FLOWS_ROLE in there:
        connection.exec_driver_sql(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {FLOWS_ROLE}"
        )
        # Who loads rows must not be able to say at which migration the warehouse stands.
        connection.exec_driver_sql(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {FLOWS_ROLE}")
        connection.exec_driver_sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {FLOWS_ROLE}")
    for role, is_personal in ((READER_ROLE, False), (PATRON_READER_ROLE, True)):
        if role in there:
            views = ", ".join(view.name for view in OUT_VIEWS if view.is_personal == is_personal)
            connection.exec_driver_sql(f"GRANT SELECT ON {views} TO {role}")
    return tuple(sorted(there))
