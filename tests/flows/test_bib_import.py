"""`bib-import` run by Prefect: a dry run, the hold of its plan, and the approval that loads it."""

from __future__ import annotations

import pytest

from flows.bib_import import bib_import
from flows.plan_decide import plan_decide
from tasks.workplace import Workplace
from tests.flows.runs import run
from tests.warehouse.pipeline import ledger
from tests.warehouse.test_bib_import import KOHA, hand, held_hash, item, koha

PLANNED = [
    "receive", "read by profile", "stage records", "check deliveries", "match on isbn", "plan imports",
]  # fmt: skip
LOADED = [
    "load bibs", "load holdings", "prove conservation", "notify libraries", "settle", "send notices",
    "start data docs", "summarise",
]  # fmt: skip


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: tests/warehouse tries the import on both engines."""
    return sqlite_url


def test_a_base_is_shown_held_and_loaded_when_its_plan_is_approved(home: Workplace) -> None:
    base = koha(1, item("MAIN", "Hc Berg")) + koha(2, item("BUS", "Hc"))
    seen = run(bib_import, KOHA, [hand(home, base)], dry_run=True)
    assert seen.names("summarise") == [*PLANNED, "forget preview", "summarise"]
    page = seen.artifacts()[f"import-{KOHA}"]
    assert "bibs: 2 created; holdings: 1 created, 1 refused" in page
    assert "* Holding: BUS: refused, Hc (no library has the sigel BUS)" in page

    held = run(bib_import, KOHA, [hand(home, base)])
    assert (held.flow_run.state_name, held.names("summarise")) == ("Held", [*PLANNED, *LOADED])
    (summary,) = held.value
    assert f"plan {held_hash(home)[:12]}" in summary.reason

    decided = run(plan_decide, held_hash(home), "approve", "Bo Alm")
    assert decided.flow_run.state_name == "Completed"
    row = ledger(home.warehouse, summary.delivery_id)
    assert (row.state, row.bibs_created, row.holdings_created, row.holdings_refused) == ("settled", 2, 1, 1)
    mails = [file.read_text("utf-8") for file in home.settings.outbox.glob("*.eml")]
    assert any(home.register.library_by_sigel["SOLB"].contact in each for each in mails)
