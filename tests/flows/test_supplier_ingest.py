"""`supplier-ingest` run by Prefect: what it returns, what its graph shows, what it leaves, and what it leaves alone."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.revert import revert
from flows.supplier_ingest import supplier_ingest
from schemas.errors import UsageError
from schemas.warehouse.core import core_notice, core_run
from schemas.warehouse.raw import raw_record
from tasks.workplace import Workplace
from tests.flows.runs import Ran, run
from tests.warehouse.pipeline import catalogue_content, everything, land, ledger, outcomes

STAGES = [
    "receive",
    "stage records",
    "check deliveries",
    "match on isbn",
    "load bibs",
    "load holdings",
    "prove conservation",
    "notify libraries",
    "settle",
    "send notices",
    "start data docs",
    "summarise",
]
STAGES_OF_A_DRY_RUN = ["receive", "stage records", "check deliveries", "match on isbn", "preview", "forget preview"]
NOT_OF_A_DELIVERY = ("core_run", "core_counter")

Night = dict[str, Path]


def ingest(home: Workplace, file: Path, name: str | None = None, **how: bool) -> Ran:
    """Land a file of the night, under another name where given, and run the flow for it."""
    uri = land(home, file.parent.name, name or file.name, file.read_bytes())
    return run(supplier_ingest, file.parent.name, [uri], **how)


def test_a_day_file_goes_through_its_stages_in_order_and_says_what_became_of_it(home: Workplace, night: Night) -> None:
    ran = ingest(home, night["dagfil"])
    (summary,) = ran.value
    assert (summary.sender, summary.state, summary.is_waiting, summary.reason) == ("NORDBOK", "settled", False, "")
    assert {name: number for name, number in summary.bibs.items() if number} == {"read": 7, "created": 7}
    assert {name: number for name, number in summary.holdings.items() if number} == {"read": 9, "created": 9}
    assert (ran.state.name, ran.flow_run.name) == ("Completed", "NORDBOK")
    assert ran.names("summarise") == STAGES
    assert {(each.state, each.tries) for each in ran.stages("summarise")} == {("Completed", 1)}
    assert ledger(home.warehouse, summary.delivery_id).flow_run_id == str(ran.flow_run.id)
    with home.warehouse.read() as connection:
        recorded = connection.execute(sa.select(core_run)).one()
        sent = connection.execute(sa.select(core_notice.c.state, sa.func.count()).group_by(core_notice.c.state)).all()
    assert (recorded.run_id, recorded.flow, recorded.subject) == (str(ran.flow_run.id), "supplier-ingest", "NORDBOK")
    assert (recorded.state, '"bibs created":7' in recorded.summary) == ("done", True)
    assert [tuple(each) for each in sent] == [("sent", len(list(home.settings.outbox.glob("*.eml"))))]


def test_a_run_leaves_a_table_and_a_chart_with_counts_and_no_titles(home: Workplace, night: Night) -> None:
    ran = ingest(home, night["dagfil"])
    artifacts = ran.artifacts()
    assert list(artifacts) == ["deliveries-nordbok"]
    text = artifacts["deliveries-nordbok"]
    name = night["dagfil"].name
    assert f"| {ran.value[0].delivery_id} | {name} | settled | 7 | 7 | 0 | 0 | 0 | 0 | 9 | 9 | 0 | 0 | 0 | 0 |" in text
    chart = re.search(r"!\[Outcomes\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", text)
    assert chart is not None
    svg = base64.b64decode(chart[1]).decode()
    assert (svg[:4], svg[-6:]) == ("<svg", "</svg>")
    assert len(text) < 40_000

    with home.warehouse.read() as connection:
        titles = {row.title for row in connection.execute(sa.select(raw_record.c.title)) if row.title}
        isbns = {row.isbn13 for row in connection.execute(sa.select(raw_record.c.isbn13)) if row.isbn13}
    assert (len(titles), len(isbns)) == (7, 7)
    log = ran.log("summarise:")
    assert "load holdings: created 9, deliveries 1 in " in log
    assert [each for each in titles | isbns if each in text + svg or each in log] == []
    assert "@" not in text + log


def test_the_same_file_again_under_another_name_has_no_effect(home: Workplace, night: Night) -> None:
    ingest(home, night["dagfil"])
    before = everything(home.warehouse, but=[*NOT_OF_A_DELIVERY, "raw_delivery_name"])
    again = ingest(home, night["dagfil"], "NORDBOK_20250314235959_omsand.mrc")
    assert [(each.name, each.state) for each in again.value] == [(night["dagfil"].name, "settled")]
    assert everything(home.warehouse, but=[*NOT_OF_A_DELIVERY, "raw_delivery_name"]) == before
    assert again.names("summarise") == STAGES


def test_a_delivery_over_a_limit_ends_completed_and_named_held_and_nothing_of_it_is_loaded(
    home: Workplace, night: Night
) -> None:
    ran = ingest(home, night["utan-isbn"])
    assert (ran.flow_run.state_type, ran.flow_run.state_name) == ("COMPLETED", "Held")
    why = "67% of 24 bibs have no ISBN (020 $a); the limit for FORHAND is 30%"
    assert ran.state.message == f"{night['utan-isbn'].name}: {why}"
    (summary,) = ran.value
    assert (summary.is_held, summary.reason, outcomes(home.warehouse)) == (True, why, [])
    assert why in ran.artifacts()["deliveries-forhand"]
    with home.warehouse.read() as connection:
        assert connection.execute(sa.select(core_run.c.state)).scalar_one() == "held"
        assert connection.execute(sa.select(core_notice.c.kind)).scalars().all() == ["held"]


def test_a_dry_run_decides_everything_and_settles_nothing(home: Workplace, night: Night) -> None:
    empty = catalogue_content(home.warehouse)
    previewed = ingest(home, night["dagfil"], dry_run=True)
    (summary,) = previewed.value
    assert (summary.is_preview, summary.bibs["created"], summary.holdings["created"]) == (True, 7, 9)
    assert previewed.names("summarise") == [*STAGES_OF_A_DRY_RUN, "summarise"]
    assert previewed.artifacts()["deliveries-nordbok"].startswith("# NORDBOK: dry run, nothing settled\n")
    assert (outcomes(home.warehouse), catalogue_content(home.warehouse)) == ([], empty)
    assert not list(home.settings.outbox.glob("*.eml"))

    loaded = ingest(home, night["dagfil"])
    assert (loaded.value[0].bibs, loaded.value[0].holdings) == (summary.bibs, summary.holdings)


def test_again_loads_a_delivery_that_was_reverted(home: Workplace, night: Night) -> None:
    first = ingest(home, night["dagfil"])
    content = catalogue_content(home.warehouse)
    run(revert, first.value[0].delivery_id)
    assert [each.state for each in ingest(home, night["dagfil"]).value] == ["reverted"]
    again = ingest(home, night["dagfil"], again=True)
    assert [(each.state, each.bibs["created"], each.holdings["created"]) for each in again.value] == [("settled", 7, 9)]
    assert catalogue_content(home.warehouse) == content


def test_a_file_that_is_no_marc_is_rejected_and_the_others_of_the_batch_go_on(home: Workplace, night: Night) -> None:
    page, order = night["BOKRING990001"], night["BOKRING25031400001"]
    uris = [land(home, "BOKRING", file.name, file.read_bytes()) for file in (page, order)]
    ran = run(supplier_ingest, "BOKRING", uris)
    assert [(each.name, each.state) for each in ran.value] == [(page.name, "rejected"), (order.name, "settled")]
    assert "HTML" in ran.value[0].reason
    assert ran.flow_run.state_name == "Completed"


def test_a_run_without_files_takes_up_what_a_killed_one_left(home: Workplace, night: Night) -> None:
    from tasks.landing.stages import receive

    receive.fn("NORDBOK", [land(home, "NORDBOK", night["dagfil"].name, night["dagfil"].read_bytes())])
    ran = run(supplier_ingest, "NORDBOK", [])
    assert [(each.state, each.bibs["created"]) for each in ran.value] == [("settled", 7)]


def test_an_unknown_supplier_fails_at_once_and_the_run_is_recorded(home: Workplace, night: Night) -> None:
    uri = land(home, "NORDBOK", night["dagfil"].name, night["dagfil"].read_bytes())
    ran = run(supplier_ingest, "NORBOK", [uri])
    with pytest.raises(UsageError, match="no supplier has the code 'NORBOK'"):
        ran.state.result()
    assert [(each.name, each.state, each.tries) for each in ran.stages("receive")] == [("receive", "Failed", 1)]
    with home.warehouse.read() as connection:
        recorded = connection.execute(sa.select(core_run)).one()
    assert (recorded.state, "NORBOK" in recorded.summary) == ("failed", True)
    assert home.zone.open(uri).read() == night["dagfil"].read_bytes()
