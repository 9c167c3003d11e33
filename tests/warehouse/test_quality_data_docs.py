"""What the gate judged is kept, and Great Expectations comes to the same figures from it, on both engines."""

from __future__ import annotations

import subprocess
import sys
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from schemas.expectations import EXPECTATIONS
from schemas.register.register import Register
from schemas.warehouse.raw import raw_delivery
from tasks.quality.data_docs import DocsRequest, docs_requests
from tasks.quality.docs_judge import Figures, Judge, figures_of
from tasks.quality.gate import CheckResult, check_deliveries
from tasks.quality.judged import FURTHER, MOST_REFUSED, read_judged
from tasks.warehouse.all_tables import metadata
from tasks.warehouse.engine import Warehouse
from tests.warehouse.quality_samples import (
    DELIVERIES,
    as_the_child_gets_it,
    bib,
    holding,
    register_with,
    settle_some,
    stage,
    supplier,
)

CLOCK = ZoneInfo("Europe/Stockholm")


def test_the_gate_and_great_expectations_agree(warehouse: Warehouse) -> None:
    settle_some(warehouse, [1, 1, 2, 2, 2])
    of = supplier()
    register = register_with(of)
    names = {stage(warehouse, pieces, f"{name}.mrc"): name for name, pieces in DELIVERIES.items()}
    with warehouse.write() as connection:
        gate = check_deliveries(connection, list(names), of, register)
        (request,) = docs_requests(connection, list(names), {}, CLOCK)
    sent = as_the_child_gets_it(request)
    judge = Judge(sent["limits"], sent["allowed"])
    by_gate = {(names[d], e.expectation.key): _figures(e) for d, found in gate.items() for e in found}
    by_gx = {
        (names[delivery["delivery_id"]], key): figures
        for delivery in sent["deliveries"]
        for key, figures in figures_of(judge.validate(delivery["counts"])).items()
    }
    assert len(by_gx) == len(DELIVERIES) * len(EXPECTATIONS)
    assert {place: each[1:] for place, each in by_gx.items()} == {place: each[1:] for place, each in by_gate.items()}
    assert {place: each.share for place, each in by_gx.items()} == pytest.approx(
        {place: each.share for place, each in by_gate.items()}
    )
    # The deliveries are worth comparing only where each expectation is met by one and broken by another.
    seen = {(key, figures.is_met) for (_, key), figures in by_gate.items()}
    assert seen == {(each.key, is_met) for each in EXPECTATIONS for is_met in (True, False)}


def _figures(result: CheckResult) -> Figures:
    """The gate's result as Great Expectations puts it: of a factor, too, the share of rows within the limit."""
    share = result.observed if result.expectation.kind == "share" else 1.0 - result.unexpected
    return Figures(None if result.observed is None else share, result.elements, result.unexpected, result.is_met)


# What is kept


def judge_all(warehouse: Warehouse, *delivery_ids: int, register: Register | None = None, **limits: Any) -> None:
    of = supplier(**limits)
    with warehouse.write() as connection:
        check_deliveries(connection, delivery_ids, of, register or register_with(of))


def requests(warehouse: Warehouse, *delivery_ids: int) -> list[DocsRequest]:
    with warehouse.read() as connection:
        return docs_requests(connection, delivery_ids, {"NORDBOK": "Nordbok"}, CLOCK)


def column(warehouse: Warehouse, name: str, delivery_id: int) -> Any:
    with warehouse.read() as connection:
        return connection.execute(
            sa.select(raw_delivery.c[name]).where(raw_delivery.c.delivery_id == delivery_id)
        ).scalar_one()


def test_data_docs_need_the_ledger_alone(warehouse: Warehouse) -> None:
    mixed = stage(warehouse, DELIVERIES["mixed"], "mixed.mrc")
    judge_all(warehouse, mixed)
    before = requests(warehouse, mixed)
    with warehouse.write() as connection:
        for table in metadata.sorted_tables:
            if table.name.startswith("stage_") or table.name == "raw_record":
                connection.execute(sa.delete(table))
    assert requests(warehouse, mixed) == before
    (request,) = before
    assert (request.supplier_name, request.limits["sigel"], request.allowed["sigel"]) == ("Nordbok", 0.8, ["SOLB"])
    (delivery,) = request.deliveries
    assert (delivery.name, delivery.received_at, delivery.is_small) == ("mixed.mrc", "2026-03-01 03:00 CET", False)
    assert delivery.unexpected == {"readable": (7, 28), "title": (7, 14), "isbn_valid": (7, 21), "sigel": (7, 14)}
    assert delivery.counts["holdings"] == [[["SOLB"], 7], [["ZZ"], 7]]


def test_a_delivery_that_was_not_judged_has_nothing_to_show(warehouse: Warehouse) -> None:
    assert requests(warehouse, stage(warehouse, DELIVERIES["mixed"])) == []
    assert requests(warehouse) == []


def test_what_was_judged_by_other_limits_or_another_register_is_shown_apart(warehouse: Warehouse) -> None:
    ids = [stage(warehouse, [bib(embedded=["SOLB", "ZZ"])], f"{number}.mrc") for number in range(5)]
    judge_all(warehouse, ids[0], ids[1])
    judge_all(warehouse, ids[2], min_title_share=0.5)
    of = supplier()
    known = register_with(of)
    with_zz = known.libraries[0].model_copy(update={"sigel": "ZZ"})
    judge_all(warehouse, ids[3], register=known.model_copy(update={"libraries": (*known.libraries, with_zz)}))
    judge_all(warehouse, ids[4])
    found = requests(warehouse, *ids)
    assert [[each.delivery_id for each in request.deliveries] for request in found] == [
        [ids[0], ids[1], ids[4]],
        [ids[2]],
        [ids[3]],
    ]
    assert [(each.limits["title"], each.allowed["sigel"]) for each in found] == [
        (0.95, ["SOLB"]),
        (0.5, ["SOLB"]),
        (0.95, ["SOLB", "ZZ"]),
    ]


def test_a_page_stays_while_the_judgement_does_and_goes_when_it_changes(warehouse: Warehouse) -> None:
    delivery_id = stage(warehouse, DELIVERIES["mixed"])
    judge_all(warehouse, delivery_id)
    with warehouse.write() as connection:
        connection.execute(sa.update(raw_delivery).values(docs_uri="file:///page.html"))
    judge_all(warehouse, delivery_id)
    assert column(warehouse, "docs_uri", delivery_id) == "file:///page.html"
    judge_all(warehouse, delivery_id, min_title_share=0.5)
    assert column(warehouse, "docs_uri", delivery_id) is None


def test_many_and_long_values_do_not_swell_the_ledger_and_no_row_is_lost(warehouse: Warehouse) -> None:
    sigels = [f"barcode {number}" for number in range(500)] + ["barcode 7", "SOLB", "X" * 500, "X" * 400]
    delivery_id = stage(warehouse, [holding(sigel) for sigel in sigels])
    judge_all(warehouse, delivery_id)
    text = column(warehouse, "check_tally", delivery_id)
    assert len(text) < 6_000
    kept = {values[0]: number for values, number in read_judged(text).counts["holdings"]}
    assert sum(kept.values()) == 504
    assert (len(kept), kept[FURTHER]) == (MOST_REFUSED + 2, 504 - 1 - 99 - 3)
    assert (kept["barcode 7"], kept["SOLB"], kept["X" * 60 + "..."]) == (2, 1, 2)
    (request,) = requests(warehouse, delivery_id)
    assert request.deliveries[0].unexpected["sigel"] == (503, 504)
    sent = as_the_child_gets_it(request)
    validation = Judge(sent["limits"], sent["allowed"]).validate(sent["deliveries"][0]["counts"])
    assert figures_of(validation)["sigel"][1:] == (504, 503, False)


def test_the_pipeline_never_imports_great_expectations_or_pandas() -> None:
    code = (
        "import sys, tasks.quality.data_docs, tasks.quality.docs_pages, tasks.quality.hold, tasks.quality.conservation;"
        "print(sorted({'great_expectations', 'pandas', 'prefect'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
