"""Empty warehouses on PostgreSQL for tests: a database that a test has used is emptied and goes to the next one.

Making a database means hundreds of files, which costs more than most tests; emptying one takes a tenth of that. The
next test sees what it would see in a new one: the rows of the migrations and no others, numbers that begin at 1, no
foreign session and so no lock. A database whose tables, views, functions or rights a test has changed is dropped.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from psycopg import sql

_OF_OURS = 16_384
"""Objects that PostgreSQL brings with it have lower numbers. A copy of a database has the numbers of its template."""
_SHAPE = f"""
WITH shape (line) AS (
  SELECT concat_ws('|', 'table', oid, relname, relkind, relnamespace, relowner, relacl, reloptions, relrowsecurity)
    FROM pg_class WHERE oid >= {_OF_OURS} AND relkind <> 't' AND relname NOT LIKE 'pg_toast%'
  UNION ALL SELECT concat_ws('|', 'column', attrelid, attnum, attname, atttypid, atttypmod, attnotnull, attacl,
    attidentity, attgenerated, attisdropped) FROM pg_attribute WHERE attrelid >= {_OF_OURS} AND attnum > 0
  UNION ALL SELECT concat_ws('|', 'default', adrelid, adnum, md5(adbin::text)) FROM pg_attrdef
  UNION ALL SELECT concat_ws('|', 'constraint', oid, conname, convalidated) FROM pg_constraint WHERE oid >= {_OF_OURS}
  UNION ALL SELECT concat_ws('|', 'trigger', oid, tgname, tgenabled) FROM pg_trigger WHERE oid >= {_OF_OURS}
  UNION ALL SELECT concat_ws('|', 'rule', oid, ev_enabled, md5(ev_action::text))
    FROM pg_rewrite WHERE oid >= {_OF_OURS}
  UNION ALL SELECT concat_ws('|', 'function', oid, proname, md5(prosrc), proacl) FROM pg_proc WHERE oid >= {_OF_OURS}
  UNION ALL SELECT concat_ws('|', 'type', oid, typname, typacl) FROM pg_type WHERE oid >= {_OF_OURS}
    AND typname NOT LIKE 'pg_toast%'
  UNION ALL SELECT concat_ws('|', 'schema', oid, nspname, nspacl) FROM pg_namespace WHERE nspname NOT LIKE 'pg_t%'
  UNION ALL SELECT concat_ws('|', 'extension', extname, extversion) FROM pg_extension
  UNION ALL SELECT concat_ws('|', 'rights to come', oid, defaclacl) FROM pg_default_acl
  UNION ALL SELECT concat_ws('|', 'database', datacl, datconnlimit, datdba) FROM pg_database
    WHERE datname = current_database()
  UNION ALL SELECT concat_ws('|', 'setting', setrole, setconfig) FROM pg_db_role_setting
    JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = current_database()
)
SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM shape
"""
_TABLES = "SELECT relnamespace::regnamespace::text, relname FROM pg_class WHERE relkind = 'r' AND oid >= %s ORDER BY 2"
_END_OTHERS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type IN ('client backend', 'parallel worker')
"""
_RESTART = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
FROM pg_sequences WHERE last_value IS NOT NULL
"""
_FORGET = (
    "SET allow_system_table_mods = on",
    f"DELETE FROM pg_statistic WHERE starelid >= {_OF_OURS}",
    f"UPDATE pg_class SET reltuples = -1, relpages = 0, relallvisible = 0 WHERE oid >= {_OF_OURS} AND relkind = 'r'"
    " AND reltuples <> -1",
    "SELECT pg_stat_force_next_flush()",
    "SELECT pg_stat_reset()",
)
"""What the planner knows of tables that were full, and how often they changed, this session's own part included."""


class EmptyDatabases:
    """Databases of one server, each as `template` is."""

    def __init__(self, server_url: str, template: str) -> None:
        """`server_url` is of somebody who may make databases; `template` names a migrated database that nobody uses."""
        self._server = sa.make_url(server_url).set(drivername="postgresql")
        self._template = template
        self._free: list[str] = []
        with self._connected(template) as connection:
            self._shape = _one(connection, _SHAPE)
            self._tables = [sql.Identifier(*row) for row in connection.execute(_TABLES, [_OF_OURS]).fetchall()]
            self._which_hold_rows = sql.SQL(" UNION ALL ").join(
                sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(number, table)
                for number, table in enumerate(self._tables)
            )
            self._rows = {number: self._copied(connection, number) for number in self._filled(connection)}

    def take(self) -> str:
        """URL of an empty database."""
        if self._free:
            return self._url(self._free.pop())
        name = f"samkat_{uuid.uuid4().hex[:12]}"
        self._administer("CREATE DATABASE {} TEMPLATE {}", name, self._template)
        return self._url(name)

    def give_back(self, url: str) -> None:
        """The test is over: empty its database for another one."""
        name = str(sa.make_url(url).database)
        try:
            with self._connected(name) as connection:
                while _one(connection, _END_OTHERS):
                    # A session that is gone has let go of its locks.
                    time.sleep(0.005)
                is_as_it_was = _one(connection, _SHAPE) == self._shape
                if is_as_it_was:
                    self._empty(connection)
        except psycopg.Error:
            # A test may have closed or lost it; then it is dropped, as one with other tables is.
            is_as_it_was = False
        if is_as_it_was:
            self._free.append(name)
        else:
            self._administer("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def close(self) -> None:
        """Drop what is left of them."""
        while self._free:
            self._administer("DROP DATABASE IF EXISTS {} WITH (FORCE)", self._free.pop())

    def _empty(self, connection: psycopg.Connection) -> None:
        emptied = [number for number in self._filled(connection) if number not in self._rows]
        restored = [number for number, rows in self._rows.items() if self._copied(connection, number) != rows]
        if emptied or restored:
            # Not DELETE: rows would come to lie in gaps, and a query without an order gives them in another one.
            tables = sql.SQL(", ").join(self._tables[number] for number in (*emptied, *restored))
            connection.execute(sql.SQL("TRUNCATE {}").format(tables))
        for number in restored:
            with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(self._tables[number])) as copy:
                copy.write(self._rows[number])
        for statement in (_RESTART, *_FORGET):
            connection.execute(statement)

    def _filled(self, connection: psycopg.Connection) -> list[int]:
        """Numbers of the tables that hold rows."""
        return [number for (number,) in connection.execute(self._which_hold_rows).fetchall()]

    def _copied(self, connection: psycopg.Connection, number: int) -> bytes:
        """The rows of a table as COPY writes them."""
        with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(self._tables[number])) as copy:
            return b"".join(bytes(block) for block in copy)

    def _url(self, name: str) -> str:
        return self._server.set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def _connected(self, name: str) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self._url(name), autocommit=True) as connection:
            yield connection

    def _administer(self, statement: str, *names: str) -> None:
        with self._connected(str(self._server.database)) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _one(connection: psycopg.Connection, statement: str) -> object:
    row = connection.execute(statement).fetchone()
    return row[0] if row else None
