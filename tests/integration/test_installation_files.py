"""What an installation is made from: compose file, first start of PostgreSQL, systemd units; their own tools judge."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from tasks.warehouse.engine import connect
from tasks.warehouse.migrate import migrate, require_current
from tests.integration.servers import Postgres, debian_postgresql

pytestmark = pytest.mark.integration

DEPLOYMENTS = Path(__file__).resolve().parents[2] / "deployments"
UNITS = sorted((DEPLOYMENTS / "systemd").glob("samkat*"))
SECRETS = ("POSTGRES_PASSWORD", "OWNER_DB_PASSWORD", "NIGHT_DB_PASSWORD", "PREFECT_DB_PASSWORD", "PREFECT_AUTH")


@pytest.fixture
def filled_in(tmp_path: Path) -> Path:
    """The example of the environment file with a value for each secret that is its own name in small letters."""
    lines = (DEPLOYMENTS / "samkat.env.example").read_text("utf-8").splitlines()
    file = tmp_path / "samkat.env"
    file.write_text("\n".join(f"{line}{line[:-1].lower()}" if line.endswith("=") else line for line in lines))
    return file


def composed(environment_file: Path) -> subprocess.CompletedProcess[str]:
    """What docker-compose makes of the file, everything filled in."""
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed (Debian package docker-compose)")
    return subprocess.run(
        ["docker-compose", "--env-file", environment_file, "-f", DEPLOYMENTS / "compose.yaml", "config"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.fixture
def services(filled_in: Path) -> dict[str, dict[str, Any]]:
    done = composed(filled_in)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = yaml.safe_load(done.stdout)["services"]
    return found


def test_the_compose_file_is_valid_and_has_every_part(services: dict[str, dict[str, Any]]) -> None:
    assert sorted(services) == ["deploy", "intake", "migrate", "postgres", "prefect", "watcher", "worker"]
    assert [each for each in services if "ports" in services[each]] == ["intake", "prefect"]


def test_a_secret_that_is_missing_is_named() -> None:
    done = composed(DEPLOYMENTS / "samkat.env.example")
    assert done.returncode != 0
    assert "POSTGRES_PASSWORD" in done.stderr


def test_each_service_is_given_its_own_secrets_and_no_other(services: dict[str, dict[str, Any]]) -> None:
    given = {
        name: {secret for secret in SECRETS if secret.lower() in str(service["environment"])}
        for name, service in services.items()
    }
    assert given == {
        "postgres": set(SECRETS) - {"PREFECT_AUTH"},
        "prefect": {"PREFECT_DB_PASSWORD", "PREFECT_AUTH"},
        "migrate": {"OWNER_DB_PASSWORD"},
        "deploy": {"NIGHT_DB_PASSWORD", "PREFECT_AUTH"},
        "worker": {"NIGHT_DB_PASSWORD", "PREFECT_AUTH"},
        "intake": {"NIGHT_DB_PASSWORD"},
        "watcher": {"NIGHT_DB_PASSWORD", "PREFECT_AUTH"},
    }


def test_the_first_start_of_postgresql_leaves_databases_roles_and_logins() -> None:
    programs = debian_postgresql()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    server = Postgres(programs)
    try:
        server.start()
        passwords = {f"{name}_DB_PASSWORD": f"{name.lower()}-word" for name in ("PREFECT", "NIGHT", "OWNER")}
        environment = os.environ | passwords | {
            "POSTGRES_USER": "samkat", "PGPASSWORD": server.password, "PGHOST": "127.0.0.1", "PGPORT": str(server.port),
            "ROLES": str(DEPLOYMENTS / "postgresql" / "roles.sql"),
        }  # fmt: skip
        script = DEPLOYMENTS / "postgresql" / "first-start.sh"
        done = subprocess.run(["bash", script], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

        def url(login: str, password: str) -> str:
            return f"postgresql+psycopg://{login}:{password}@127.0.0.1:{server.port}/samkat"

        owner = connect(url("upgrade", "owner-word"))
        migrate(owner)
        owner.dispose()
        night = connect(url("night", "night-word"))
        require_current(night)
        night.dispose()
        prefect = sa.create_engine(url("prefect", "prefect-word").replace("/samkat", "/prefect"))
        with prefect.connect() as connection:
            extensions = connection.exec_driver_sql("SELECT extname FROM pg_extension").scalars().all()
        prefect.dispose()
        assert "pg_trgm" in extensions
    finally:
        server.remove()


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian package systemd)")
    assert len(UNITS) == 5
    for unit in UNITS:
        # The programs must be there to be judged: those of this environment stand for the installed ones.
        text = unit.read_text("utf-8").replace("/opt/samkat/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if "samkat" in line]
    assert (done.returncode, complaints) == (0, [])
