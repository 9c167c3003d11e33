"""Create or migrate the warehouse. Safe to run again, and by two processes at once."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from schemas.errors import ConfigurationError
from schemas.warehouse.core import core_counter
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.grants import grant_roles
from tasks.warehouse.views import create_views, drop_views

COUNTERS = (
    *("delivery", "bib", "holding", "change", "review", "plan", "notice", "export"),
    *("patron", "patron_lock", "patron_change", "patron_history", "patron_merge", "patron_read_back", "patron_out"),
    *("patron_receipt", "intake_token"),
)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def current_revision(warehouse: Warehouse) -> str | None:
    """The migration that the warehouse stands at, or None where it is empty."""
    with warehouse.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str | None:
    """The newest migration of this program."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def migrate(warehouse: Warehouse) -> str:
    """Bring the warehouse to the newest migration and make the views anew; returns the revision.

    Raises `ConfigurationError` where the warehouse is newer than this program.
    """
    head = head_revision()
    with warehouse.write("migrate") as connection:
        now = MigrationContext.configure(connection).get_current_revision()
        if now is not None and now not in {each.revision for each in _script().walk_revisions()}:
            raise ConfigurationError(
                f"the warehouse is at migration {now}, which this version does not know",
                remedy="use the version of Samkat that made it, or a newer one",
            )
        drop_views(connection)
        command.upgrade(_config(connection), "head")
        create_views(connection)
        _seed_counters(connection)
        grant_roles(connection)
    return str(head)


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _seed_counters(connection: Connection) -> None:
    """Counters exist before anyone counts, so that two writers never race for the first row."""
    there = set(connection.execute(sa.select(core_counter.c.name)).scalars())
    missing = [{"name": name, "next_value": 1} for name in COUNTERS if name not in there]
    if missing:
        connection.execute(sa.insert(core_counter), missing)


def require_current(warehouse: Warehouse) -> None:
    """Raise `ConfigurationError` unless the warehouse stands at this program's migration."""
    now = current_revision(warehouse)
    if now != head_revision():
        what = "is empty" if now is None else f"is at migration {now}, not {head_revision()}"
        raise ConfigurationError(f"the warehouse {what}", remedy="run `samkat init`")
