"""A database that refuses everybody for some seconds, as one that is being restarted."""

from __future__ import annotations

import threading

import sqlalchemy as sa


def shut(server_url: str, database: str, seconds: float) -> None:
    """Break off every connection to a PostgreSQL database and let nobody in for so long; returns at once."""
    url = sa.make_url(server_url).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def run(statement: str) -> None:
        with admin.connect() as connection:
            connection.exec_driver_sql(statement)

    run(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
    run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    threading.Timer(seconds, run, [f"ALTER DATABASE {database} ALLOW_CONNECTIONS true"]).start()
