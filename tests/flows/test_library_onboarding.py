"""`library-onboarding` and `holdings-freshness` run by Prefect: what a run leaves for people."""

from __future__ import annotations

import email
import email.policy
import shutil
from pathlib import Path

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from flows.holdings_freshness import holdings_freshness
from flows.library_onboarding import library_onboarding
from schemas.errors import ConfigurationError
from tasks.workplace import Workplace, workplace
from tests.flows.runs import run
from tests.unit.library_samples import PUBLIC, changed


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: tests/warehouse/test_joining.py tries both engines."""
    return sqlite_url


def subjects(place: Workplace) -> list[str]:
    """Of the e-mails that were sent."""
    files = sorted(place.settings.outbox.glob("*.eml"))
    return [str(email.message_from_bytes(each.read_bytes(), policy=email.policy.default)["Subject"]) for each in files]


def test_an_applicant_is_refused_with_its_checklist_then_admitted_and_welcomed(
    home: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))
    monkeypatch.setenv("SAMKAT_REGISTER", str(folder))
    place = workplace()
    refused = run(library_onboarding, changed(PUBLIC, ("keeps_current = true", "")), step="admit")
    assert (refused.flow_run.name, refused.flow_run.state_name) == ("library-onboarding-admit", "Completed")
    assert refused.value.state == "refused"
    page = refused.artifacts()["library-nylu"]
    assert "| `holdings_kept_current` | **not met** |" in page
    assert subjects(place) == []

    admitted = run(library_onboarding, PUBLIC, step="admit", by="Ada Kvist")
    assert admitted.names("show applicant") == ["check applicant", "admit applicant", "send notices", "show applicant"]
    assert "agreement_from = 2025-04-01" in admitted.artifacts()["library-nylu"]
    assert "NYLU" in read_register(folder).library_by_sigel
    assert subjects(place) == ["Nylunda bibliotek är med i Samkatalogen"]

    withdrawn = run(library_onboarding, "NYLU", step="withdraw", reason="signed by the wrong side")
    assert withdrawn.value.state == "withdrawn"
    assert len(subjects(place)) == 2
    with pytest.raises(ConfigurationError, match="unknown key"):
        _ = run(library_onboarding, f"sygel = 1\n{PUBLIC}").value


def test_libraries_whose_holdings_stand_still_are_listed(home: Workplace) -> None:
    ran = run(holdings_freshness)
    assert ran.value == {"libraries": 7, "stale": 7, "told": 1}
    assert "7 of 7 registering libraries stand still" in ran.artifacts()["holdings-freshness"]
    assert subjects(home) == ["7 bibliotek vars bestånd står stilla"]
