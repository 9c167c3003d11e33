"""The roles of deployments/postgresql/roles.sql: each can do its work, and nothing beyond it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from schemas.warehouse.out import OUT_VIEWS
from tasks.warehouse.engine import Warehouse, connect
from tasks.warehouse.migrate import migrate
from tests.warehouse.conftest import OpenHome
from tests.warehouse.pipeline import ingest, land

SAMPLE = Path(__file__).parents[1] / "data" / "incoming" / "NORDBOK" / "NORDBOK_20250314180456_dagfil.mrc"
ROLES = Path(__file__).resolve().parents[2] / "deployments" / "postgresql" / "roles.sql"


@pytest.fixture
def logins(postgresql_url: str) -> Iterator[dict[str, str]]:
    """URLs of a fresh database by role, set up as the script and docs/operations.md say, the script run twice."""
    mark = uuid.uuid4().hex[:8]
    name, admin_url = f"samkat_roles_{mark}", sa.make_url(postgresql_url).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(admin_url, isolation_level="AUTOCOMMIT")
    members = {role: f"{role}_{mark}" for role in ("owner", "flows", "reader", "patron_reader")}
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    there = sa.create_engine(admin_url.set(database=name), isolation_level="AUTOCOMMIT")
    with there.connect() as connection:
        for _ in range(2):
            # As psql sends it: SQLAlchemy would look for placeholders in it.
            connection.connection.driver_connection.execute(ROLES.read_text("utf-8"))  # type: ignore[union-attr]
        for role, login in members.items():
            connection.exec_driver_sql(f"CREATE ROLE {login} LOGIN IN ROLE samkat_{role}")
        connection.exec_driver_sql(f"ALTER ROLE {members['owner']} IN DATABASE {name} SET role = 'samkat_owner'")
    there.dispose()
    yield {
        role: admin_url.set(database=name, username=login).render_as_string(hide_password=False)
        for role, login in members.items()
    }
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        for login in members.values():
            connection.exec_driver_sql(f"DROP ROLE {login}")
    admin.dispose()


@pytest.fixture
def migrated(logins: dict[str, str]) -> dict[str, str]:
    """The same, after `samkat init` by the owner, twice: the views were made anew and must be granted again."""
    owner = connect(logins["owner"])
    for _ in range(2):
        migrate(owner)
    owner.dispose()
    return logins


@pytest.fixture
def reader(migrated: dict[str, str]) -> Iterator[Warehouse]:
    opened = connect(migrated["reader"])
    yield opened
    opened.dispose()


def refused(warehouse: Warehouse, statement: str) -> str:
    """What PostgreSQL answers to a statement that a role must not run."""
    with pytest.raises(ProgrammingError) as caught, warehouse.write() as connection:
        connection.exec_driver_sql(statement)
    return str(caught.value.orig)


def test_the_flows_take_a_delivery_to_the_shelves(
    migrated: dict[str, str], open_home: OpenHome, tmp_path: Path
) -> None:
    place = open_home(migrated["flows"], tmp_path / "home", today="2025-03-14")
    (delivery,) = ingest("NORDBOK", [land(place, "NORDBOK", SAMPLE.name, SAMPLE.read_bytes())])
    with place.warehouse.read() as connection:
        state = connection.exec_driver_sql(
            f"SELECT state FROM out_delivery WHERE delivery_id = {delivery}"
        ).scalar_one()
    assert state == "settled"


BEYOND_ROWS = (
    "DROP TABLE core_bib",
    "ALTER TABLE core_bib ADD COLUMN more text",
    "CREATE TABLE another (number int)",
    "TRUNCATE core_bib",
    "DROP VIEW out_bib",
    "UPDATE alembic_version SET version_num = 'x'",
)


def test_the_flows_change_rows_and_nothing_else(migrated: dict[str, str]) -> None:
    flows = connect(migrated["flows"])
    answers = [refused(flows, statement) for statement in BEYOND_ROWS]
    flows.dispose()
    assert ["permission denied" in each or "must be owner" in each for each in answers] == [True] * len(BEYOND_ROWS)


@pytest.mark.parametrize(("role", "sees_persons"), [("reader", False), ("patron_reader", True)])
def test_each_reader_sees_the_promised_views_of_its_role_and_no_other(
    migrated: dict[str, str], role: str, sees_persons: bool
) -> None:
    opened = connect(migrated[role])
    mine = [view.name for view in OUT_VIEWS if view.is_personal == sees_persons]
    others = [view.name for view in OUT_VIEWS if view.is_personal != sees_persons]
    with opened.read() as connection:
        counts = [connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one() for name in mine]
    answers = [refused(opened, f"SELECT 1 FROM {name}") for name in others]
    opened.dispose()
    assert len(mine) >= 3
    assert len(others) >= 3
    assert counts == [0] * len(mine)
    assert ["permission denied" in each for each in answers] == [True] * len(others)


def test_a_reader_sees_no_table_and_changes_nothing(reader: Warehouse) -> None:
    with reader.read() as connection:
        tables = (
            connection.exec_driver_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").scalars().all()
        )
    assert len(tables) > 20
    for table in tables:
        assert "permission denied" in refused(reader, f"SELECT 1 FROM {table}")
    for statement in ("DELETE FROM out_bib", "CREATE TABLE another (number int)", "CREATE TEMP TABLE t (n int)"):
        assert "permission denied" in refused(reader, statement)


def test_who_is_no_member_cannot_even_connect(migrated: dict[str, str], postgresql_url: str) -> None:
    stranger = f"stranger_{uuid.uuid4().hex[:8]}"
    admin = sa.create_engine(
        sa.make_url(postgresql_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {stranger} LOGIN")
    url = sa.make_url(migrated["flows"]).set(username=stranger)
    outside = sa.create_engine(url)
    with pytest.raises(sa.exc.OperationalError, match="permission denied for database"):
        outside.connect()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP ROLE {stranger}")
    admin.dispose()
