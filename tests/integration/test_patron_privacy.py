"""The search for persons in what a night leaves (tests/flows/test_patron_privacy.py), on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.conftest import prefect_server
from tests.flows.test_patron_privacy import check_a_night

__all__ = ["prefect_server"]

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def test_a_night_leaves_no_person_outside_the_places_of_persons(
    postgresql_warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("SAMKAT_HOME", str(home))
    monkeypatch.setenv("SAMKAT_WAREHOUSE_URL", postgresql_warehouse_url)
    check_a_night(home, tmp_path, monkeypatch)
