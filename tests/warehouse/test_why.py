"""Explanations: from a bib, a holding or an ISBN back to the byte of the delivery, on both engines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from deployments.cli.output import json_text
from schemas.errors import UsageError
from schemas.warehouse.core import (
    core_bib,
    core_bib_identifier,
    core_bib_isbn,
    core_bib_version,
    core_holding,
    core_holding_line,
    core_holding_version,
    core_match,
    core_notice,
    core_outcome,
    core_plan,
    core_review,
)
from schemas.warehouse.raw import raw_delivery, raw_delivery_name, raw_member, raw_record
from schemas.warehouse.stage import stage_holding, stage_isbn
from tasks.catalogue.orders import why_isbn
from tasks.catalogue.why import bib_id_of, why_bib, why_holding
from tasks.warehouse.engine import Warehouse

NIGHT = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
FLOUNDER = "9789100123451"
SALTMARSH = "9789100999995"
EVIDENCE = {
    "score": 1.25,
    "found_by": ["isbn_a"],
    "features": [
        {"feature": "title", "points": 0.5, "incoming": "a", "existing": "a", "text": "the same title"},
        {"feature": "isbn", "points": 0.75, "incoming": "1", "existing": "1", "text": "one ISBN shared"},
    ],
    "vetoes": [],
    "doubts": [{"name": "year", "text": "2019 and 2024"}],
}


class Shelf:
    """Writes rows as the flows do, so that a test says only what it is about."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def insert(self, table: sa.Table, **values: Any) -> None:
        self.connection.execute(sa.insert(table).values(**values))

    def delivery(self, delivery_id: int, name: str, **values: Any) -> None:
        self.insert(
            raw_delivery,
            **{
                "delivery_id": delivery_id, "kind": "supplier", "sender": "NORDBOK", "sha256": f"{delivery_id:064x}",
                "name": name, "uri": f"file:///archive/{name}", "bytes": 4_000, "state": "settled",
                "received_at": NIGHT + timedelta(days=delivery_id), "flow_run_id": f"run-{delivery_id}", **values,
            },
        )  # fmt: skip
        self.insert(raw_delivery_name, delivery_id=delivery_id, name=name, uri="u", seen_at=NIGHT)
        self.insert(raw_member, delivery_id=delivery_id, member_no=0, name=name, format="iso2709", pieces=2)

    def piece(self, delivery_id: int, position: int, record_type: str, bib_position: int | None, **values: Any) -> None:
        self.insert(
            raw_record,
            **{
                "delivery_id": delivery_id, "position": position, "member_no": 0, "byte_offset": position * 1_000,
                "record_type": record_type, "charset": "utf-8", "bib_position": bib_position, "content": b"x" * 700,
                "supplier_control_number": f"N{position}", **values,
            },
        )  # fmt: skip

    def bib(self, bib_id: int, isbn: str, **values: Any) -> None:
        facts = {
            "title": "The flounder", "author": "Grass, Günter", "encoding_level": "7", "record_type": "a",
            "bib_level": "m", "carrier": "print", "year": 1977, "is_national_bibliography": False,
            "source": "NORDBOK", "last_editor": "supplier", "is_provisional": False, "is_deleted": False,
            "version": 1, "updated_at": NIGHT, **values,
        }  # fmt: skip
        self.insert(core_bib, bib_id=bib_id, control_number=f"sk{bib_id:04d}", change_no=1, created_at=NIGHT, **facts)
        self.insert(
            core_bib_isbn, bib_id=bib_id, seq=1, isbn13=isbn, raw=isbn, subfield="a", qualifier="inb.", status="valid"
        )

    def holding(self, holding_id: int, bib_id: int, sigel: str, mark: str, **values: Any) -> None:
        self.insert(
            core_holding,
            **{
                "holding_id": holding_id, "bib_id": bib_id, "sigel": sigel, "control_number": "", "version": 1,
                "delivery_id": 1, "created_at": NIGHT, "updated_at": NIGHT, "is_visible": True, **values,
            },
        )  # fmt: skip
        self.insert(core_holding_line, holding_id=holding_id, line_no=1, owner="NORDBOK", **line(mark))

    def outcome(self, delivery_id: int, position: int, record_type: str, outcome: str, **values: Any) -> None:
        self.insert(
            core_outcome,
            **{
                "delivery_id": delivery_id, "position": position, "part": 0, "seq": 1, "is_latest": True,
                "record_type": record_type, "outcome": outcome, "rule": f"{outcome}_rule", "reason": f"{outcome} so",
                "decided_at": NIGHT + timedelta(days=delivery_id, seconds=position), **values,
            },
        )  # fmt: skip


def line(mark: str) -> dict[str, str]:
    content = json.dumps(["  ", [["b", "LUNV"], ["h", mark]]])
    return {"tag": "852", "shelf_mark": mark, "public_note": "", "internal_note": "", "content": content}


@pytest.fixture
def shelf(warehouse: Warehouse) -> Iterator[Shelf]:
    """A bib that delivery 1 made and delivery 2 replaced, with holdings at LUNV and HAVN."""
    with warehouse.write() as connection:
        shelf = Shelf(connection)
        for delivery_id, name in ((1, "monday.mrc"), (2, "tuesday.mrc")):
            shelf.delivery(delivery_id, name)
            shelf.piece(delivery_id, 1, "bib", 1, title="The flounder", isbn13=FLOUNDER)
            shelf.piece(delivery_id, 2, "holding", 1, sigel="LUNV")
        shelf.bib(7, FLOUNDER, version=2, origin_delivery_id=2, origin_position=1, updated_at=NIGHT + timedelta(days=2))
        shelf.insert(core_bib_identifier, bib_id=7, scheme="035", value="(NB)77", source="NORDBOK")
        earlier = sa.select(*[core_bib.c[name] for name in set(core_bib.c.keys()) & set(core_bib_version.c.keys())])
        row = dict(connection.execute(earlier).one()._mapping)
        shelf.insert(
            core_bib_version,
            **{**row, "version": 1, "title": "Flounder", "encoding_level": "5", "isbns": "[]", "identifiers": "[]"},
            ended_at=NIGHT + timedelta(days=2),
        )
        shelf.holding(12, 7, "LUNV", "Hce", version=2, delivery_id=2)
        shelf.insert(
            core_holding_version,
            holding_id=12, version=1, bib_id=7, delivery_id=1, updated_at=NIGHT, ended_at=NIGHT + timedelta(days=2),
            lines=orjson.dumps([["852", "Hc", "", "", "[]", "NORDBOK"]]).decode(),
        )  # fmt: skip
        shelf.holding(13, 7, "HAVN", "86-3", is_visible=False)
        shelf.outcome(1, 1, "bib", "created", bib_id=7, version=1)
        shelf.outcome(1, 2, "holding", "created", bib_id=7, holding_id=12, version=1, sigel="LUNV")
        shelf.outcome(2, 1, "bib", "replaced", bib_id=7, version=2)
        shelf.outcome(2, 2, "holding", "updated", bib_id=7, holding_id=12, version=2, sigel="LUNV")
        shelf.insert(
            core_match,
            delivery_id=2, position=1, bib_id=7, verdict="match", score=1.25, rule="isbn_a+title",
            evidence=json.dumps(EVIDENCE), created_at=NIGHT,
        )  # fmt: skip
        yield shelf


def test_a_bib_leads_back_to_the_bytes_that_made_each_version(shelf: Shelf) -> None:
    found = why_bib(shelf.connection, 7)
    assert (found.bib.title, found.bib.version, found.bib.control_number) == ("The flounder", 2, "sk0007")
    assert found.isbns == (f"{FLOUNDER} (020 $a, valid, inb.)",)
    assert found.identifiers == ("035 (NB)77 (from NORDBOK)",)
    assert [(each.version, each.title, each.encoding_level) for each in found.earlier] == [(1, "Flounder", "5")]
    assert [(each.outcome, each.version, each.delivery.name, each.piece.byte_offset) for each in found.steps] == [
        ("created", 1, "monday.mrc", 1_000),
        ("replaced", 2, "tuesday.mrc", 1_000),
    ]
    assert found.steps[1].delivery.sha256 == f"{2:064x}"
    assert (found.steps[1].piece.length, found.steps[1].piece.member) == (700, "tuesday.mrc")
    assert [(each.sigel, each.shelf_mark) for each in found.holdings] == [("HAVN", "86-3"), ("LUNV", "Hce")]


def test_a_match_is_told_in_words_vetoes_and_doubts_first_then_by_weight(shelf: Shelf) -> None:
    (candidate,) = why_bib(shelf.connection, 7).steps[1].candidates
    assert (candidate.bib_id, candidate.verdict, candidate.score, candidate.title) == (7, "match", 1.25, "The flounder")
    assert candidate.evidence == (
        "doubt, year: 2019 and 2024",
        "+0.75 isbn: one ISBN shared",
        "+0.50 title: the same title",
    )


def test_a_holding_tells_its_lines_before_and_how_its_bib_was_found(shelf: Shelf) -> None:
    found = why_holding(shelf.connection, 12)
    assert (found.holding.sigel, found.holding.shelf_mark, found.holding.delivery_id) == ("LUNV", "Hce", 2)
    assert [(each.version, each.shelf_mark) for each in found.earlier] == [(1, "Hc")]
    assert [(each.outcome, each.piece.byte_offset) for each in found.steps] == [("created", 2_000), ("updated", 2_000)]
    assert [(each.outcome, each.piece.position) for each in found.bib_steps] == [("created", 1), ("replaced", 1)]
    assert found.bib_steps[1].candidates[0].rule == "isbn_a+title"


def test_a_moved_holding_keeps_the_trail_it_left_under_its_former_bib(shelf: Shelf) -> None:
    shelf.bib(8, SALTMARSH)
    shelf.connection.execute(sa.update(core_holding).where(core_holding.c.holding_id == 12).values(bib_id=8))
    found = why_holding(shelf.connection, 12)
    assert found.bib.bib_id == 8
    assert [each.outcome for each in found.steps] == ["created", "updated"]


def test_superseded_outcomes_are_told_as_well(shelf: Shelf) -> None:
    shelf.connection.execute(
        sa.update(core_outcome)
        .where(core_outcome.c.delivery_id == 2, core_outcome.c.position == 2)
        .values(is_latest=False)
    )
    again = {"seq": 2, "bib_id": 7, "holding_id": 12, "sigel": "LUNV", "decided_at": NIGHT + timedelta(days=9)}
    shelf.outcome(2, 2, "holding", "unchanged", **again)
    steps = why_holding(shelf.connection, 12).steps
    assert [(each.outcome, each.is_latest) for each in steps] == [
        ("created", True), ("updated", False), ("unchanged", True),
    ]  # fmt: skip


def test_plans_and_e_mails_of_the_deliveries_stand_beside(shelf: Shelf) -> None:
    shelf.insert(
        core_plan,
        **{"class": "bib_replace"}, plan_id=1, plan_hash="a" * 64, flow="supplier-ingest", scope="s", planned=9,
        population=10, limit=1.0, state="held", reason="9 of 10", delivery_id=2, created_at=NIGHT,
    )  # fmt: skip
    for notice_id, delivery_id, run_id in ((1, 2, None), (2, None, "run-2"), (3, None, "run-9")):
        shelf.insert(
            core_notice,
            notice_id=notice_id, dedup_key=str(notice_id), kind="digest", recipient="shelf@lunv.example", subject="s",
            language="sv", body_text="", body_html="", attachments="[]", message_id="m", state="sent",
            created_at=NIGHT, delivery_id=delivery_id, run_id=run_id,
        )  # fmt: skip
    found = why_bib(shelf.connection, 7)
    assert [(each.change_class, each.planned, each.state) for each in found.plans] == [("bib_replace", 9, "held")]
    assert [each.notice_id for each in found.notices] == [1, 2]


def test_an_order_on_the_shelf_says_where(shelf: Shelf) -> None:
    found = why_isbn(shelf.connection, FLOUNDER, "LUNV")
    assert found.answer == ("LUNV has it: holding 12 of bib 7, shelf mark Hce.",)
    assert [(each.delivery.delivery_id, each.outcome) for each in found.orders] == [(2, "replaced"), (1, "created")]
    assert [each.sigel for each in found.holdings] == ["LUNV"]


def test_a_holding_of_limited_participation_is_said_to_be_hidden(shelf: Shelf) -> None:
    assert why_isbn(shelf.connection, FLOUNDER, "HAVN").answer[0] == (
        "HAVN has it: holding 13 of bib 7, shelf mark 86-3, not shown to the public (limited participation)."
    )


def test_without_a_library_all_holders_are_named(shelf: Shelf) -> None:
    assert why_isbn(shelf.connection, FLOUNDER).answer == (
        f"1 bib of the catalogue with {FLOUNDER}; held by HAVN, LUNV.",
    )


def test_an_order_that_waits_for_a_review_names_it_and_its_deadline(shelf: Shelf) -> None:
    shelf.delivery(3, "wednesday.mrc")
    shelf.piece(3, 1, "bib", 1, title="The salt marsh", isbn13=SALTMARSH)
    shelf.piece(3, 2, "holding", 1, sigel="LUNV")
    shelf.piece(3, 3, "bib", 3, title="Another")
    shelf.piece(3, 4, "holding", 3, sigel="LUNV")
    shelf.insert(
        stage_isbn, delivery_id=3, position=1, seq=1, isbn13=SALTMARSH, raw=SALTMARSH, subfield="a", qualifier="",
        status="valid",
    )  # fmt: skip
    shelf.outcome(3, 1, "bib", "review", reason="two bibs have this number")
    shelf.outcome(3, 2, "holding", "waiting", sigel="LUNV", reason="its bib waits for a cataloguer")
    shelf.outcome(3, 4, "holding", "refused", sigel="LUNV", reason="of another book")
    shelf.insert(
        core_review,
        review_id=4, delivery_id=3, position=1, state="open", rule="ambiguous", reason="two bibs have this number",
        owner="cataloguing@samkatalogen.example", opened_at=NIGHT, due_on=date(2026, 3, 5),
    )  # fmt: skip
    found = why_isbn(shelf.connection, SALTMARSH, "LUNV")
    assert found.answer == (
        "LUNV: came with delivery 3 of NORDBOK (wednesday.mrc), waiting: its bib waits for a cataloguer; review 4, due "
        "on 2026-03-05.",
    )
    assert why_isbn(shelf.connection, SALTMARSH, "HAVN").answer == (f"No delivery brought {SALTMARSH} for HAVN.",)


def test_an_order_in_a_held_delivery_says_that_it_is_not_decided_and_why(shelf: Shelf) -> None:
    shelf.delivery(3, "wednesday.mrc", state="held", hold_reason="half of the titles are missing")
    shelf.piece(3, 1, "bib", 1, title="The salt marsh", isbn13=SALTMARSH)
    shelf.insert(
        stage_isbn, delivery_id=3, position=1, seq=1, isbn13=SALTMARSH, raw=SALTMARSH, subfield="a", qualifier="",
        status="valid",
    )  # fmt: skip
    shelf.insert(
        stage_holding, delivery_id=3, position=1, part=1, bib_position=1, sigel="LUNV", control_number="",
        reject_reason="",
    )  # fmt: skip
    assert why_isbn(shelf.connection, SALTMARSH, "LUNV").answer == (
        "LUNV: came with delivery 3 of NORDBOK (wednesday.mrc), not decided yet: half of the titles are missing.",
    )


def test_a_rejected_record_is_found_although_no_bib_came_of_it(shelf: Shelf) -> None:
    shelf.delivery(3, "wednesday.mrc")
    shelf.piece(3, 1, "bib", 1, isbn13=SALTMARSH)
    shelf.piece(3, 2, "holding", 1, sigel="LUNV")
    shelf.outcome(3, 1, "bib", "rejected", reason="no title")
    shelf.outcome(3, 2, "holding", "rejected", sigel="LUNV", reason="its bib was rejected: no title")
    assert why_isbn(shelf.connection, SALTMARSH, "LUNV").answer == (
        "LUNV: came with delivery 3 of NORDBOK (wednesday.mrc), rejected: its bib was rejected: no title.",
    )


def test_a_number_nobody_sent_is_said_to_be_nowhere(shelf: Shelf) -> None:
    assert why_isbn(shelf.connection, SALTMARSH, "LUNV").answer == (
        f"No delivery brought {SALTMARSH} for LUNV.",
        f"Neither a delivery nor the catalogue has {SALTMARSH}; has the supplier sent it yet?",
    )


def test_an_invalid_number_is_looked_up_as_it_is_written(shelf: Shelf) -> None:
    shelf.bib(8, SALTMARSH)
    shelf.connection.execute(
        sa.update(core_bib_isbn)
        .where(core_bib_isbn.c.bib_id == 8)
        .values(isbn13=None, raw="91-0-012345-9", status="invalid")
    )
    assert [bib.bib_id for bib in why_isbn(shelf.connection, "91-0-012345-9").bibs] == [8]


def test_the_bib_that_took_a_merged_ones_place_is_found_by_its_number(shelf: Shelf) -> None:
    shelf.bib(8, SALTMARSH, is_deleted=True, merged_into=7)
    found = why_isbn(shelf.connection, SALTMARSH, "LUNV")
    assert [bib.bib_id for bib in found.bibs] == [7, 8]
    assert found.answer[0] == "LUNV has it: holding 12 of bib 7, shelf mark Hce."


def test_a_reverted_delivery_is_named_as_such(shelf: Shelf) -> None:
    shelf.connection.execute(
        sa.update(raw_delivery).where(raw_delivery.c.delivery_id == 2).values(state="reverted", reverted_at=NIGHT)
    )
    assert (
        "It came with delivery 2 of NORDBOK (tuesday.mrc), which has been reverted."
        in why_isbn(shelf.connection, FLOUNDER, "LUNV").answer
    )


def test_a_bib_is_named_by_its_id_or_by_its_control_number(shelf: Shelf) -> None:
    assert bib_id_of(shelf.connection, " 7 ") == 7
    assert bib_id_of(shelf.connection, "sk0007") == 7
    with pytest.raises(UsageError, match="no bib with the id or control number '99'"):
        bib_id_of(shelf.connection, "99")
    with pytest.raises(UsageError, match="there is no bib 99"):
        why_bib(shelf.connection, 99)
    with pytest.raises(UsageError, match="there is no holding 99"):
        why_holding(shelf.connection, 99)


def test_explanations_can_be_written_as_json(shelf: Shelf) -> None:
    for found in (
        why_bib(shelf.connection, 7),
        why_holding(shelf.connection, 12),
        why_isbn(shelf.connection, FLOUNDER),
    ):
        written = json.loads(json_text(found))
        assert set(written) == set(found.__dataclass_fields__)
