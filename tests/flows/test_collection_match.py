"""`collection-match` and the decision on its plan, run by Prefect: held, told, attached."""

from __future__ import annotations

from deployments.sample.records import Line
from flows.collection_match import collection_match
from flows.plan_decide import plan_decide
from tasks.workplace import Workplace
from tests.flows.runs import run
from tests.warehouse.collection_runs import handed, shelf, table
from tests.warehouse.parcels import Export, book

STAGES = [
    "receive", "stage records", "match on isbn", "decide rows", "hold holdings", "prove conservation", "settle",
    "summarise",
]  # fmt: skip


def test_a_stock_is_held_told_as_files_and_attached_when_it_is_approved(home: Workplace) -> None:
    Export().bib(book(1), "SK01").holding("NORU", Line("Mag")).load(home, "full")
    one, other = book(1), book(2)
    rows = [(each.isbn, each.title, each.author, each.year, "Hc", each.isbn[-3:]) for each in (one, other)]
    uri = home.zone.adopt(handed(home, table(*rows)), "SOLB")

    ran = run(collection_match, ["SOLB"], [uri])
    assert ran.names("summarise") == STAGES
    assert ran.flow_run.state_name == "Held"
    (found,) = ran.value
    assert found.endings == {"matched": 1, "review": 0, "not_found": 1, "bad_isbn": 0, "unreadable": 0}
    told = ran.artifacts()["collections"]
    assert "| the union catalogue has it | 1 | 50.0% |" in told
    assert one.title not in told
    assert shelf(home) == []

    decided = run(plan_decide, found.plan_hash[:8], "approve", "Bo Alm")
    assert decided.value["done"]["holding_attach of delivery 2"] == "1 holdings created"
    assert shelf(home) == [("SK01", "Hc")]
