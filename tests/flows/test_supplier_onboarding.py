"""The way in of a supplier, run by Prefect: what is dropped is tried or taken as a list, and nothing is loaded."""

from __future__ import annotations

import email
import email.policy
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import SAMPLE_REGISTER
from flows.landing_sweep import landing_sweep
from schemas.warehouse.core import core_bib, core_run
from tasks.workplace import Workplace, workplace
from tests.flows.runs import run
from tests.warehouse.parcels import Parcel, book
from tests.warehouse.pipeline import land


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: the engines have their tests in tests/warehouse."""
    return sqlite_url


@pytest.fixture
def sandbox(home: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """A home in which NORDBOK is in the sandbox, and files are taken at once."""
    register = Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))
    file = register / "suppliers.toml"
    file.write_text(file.read_text("utf-8").replace('"NORDBOK"\n', '"NORDBOK"\nsandbox = true\n', 1), "utf-8")
    monkeypatch.setenv("SAMKAT_REGISTER", str(register))
    monkeypatch.setenv("SAMKAT_STABLE_SECONDS", "0")
    return workplace()


def test_what_a_supplier_in_the_sandbox_drops_is_tried_and_reported_and_its_customers_are_taken(
    sandbox: Workplace,
) -> None:
    parcel = Parcel()
    for serial in range(1, 12):
        parcel.bib(book(serial), f"N{serial}").holding("SOLB")
    parcel.land(sandbox)
    land(sandbox, "NORDBOK", "customers-2025.csv", b"name;sigel;email\nSolberg;SOLB;medier@solberg.example\n")
    ran = run(landing_sweep, here=True)
    assert ran.value == {"runs": 2, "failed": 0}
    assert sandbox.zone.waiting() == []
    with sandbox.warehouse.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(core_bib)).scalar_one() == 0
        flows = set(connection.execute(sa.select(core_run.c.flow)).scalars())
        ready = connection.exec_driver_sql("SELECT is_ready FROM out_trial").scalars().all()
        customers = connection.exec_driver_sql("SELECT sigel FROM out_supplier_customer").scalars().all()
    assert flows == {"landing-sweep", "supplier-trial", "supplier-customers"}
    assert [bool(each) for each in ready] == [True]
    assert customers == ["SOLB"]
    contact = sandbox.register.supplier_by_code["NORDBOK"].contact
    mails = [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        for file in sandbox.settings.outbox.glob("*.eml")
    ]
    assert len([each for each in mails if contact in str(each["To"])]) == 1
