"""Review cases read from the warehouse: both records as cards, the evidence, and who waits, on both engines."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.marc import Record, control_field, data_field
from schemas.warehouse.core import core_bib, core_match, core_outcome, core_review
from schemas.warehouse.raw import raw_delivery, raw_record
from schemas.warehouse.stage import stage_holding_line
from tasks.marc.encode import encode
from tasks.notices.cases import review_cases
from tasks.notices.worklist import EvidenceKind
from tasks.warehouse.engine import Warehouse

LATE_EVENING = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
STOCKHOLM = ZoneInfo("Europe/Stockholm")
EVIDENCE = {
    "score": 0.75,
    "found_by": ["isbn_a"],
    "features": [{"feature": "isbn", "points": 0.75, "incoming": "1", "existing": "1", "text": "one shared"}],
    "vetoes": [{"name": "carrier", "text": "print and online"}],
    "doubts": [],
}


def record(title: str, level: str = "7") -> bytes:
    fields = [control_field("001", "x1"), data_field("245", "00", [("a", title)])]
    return encode(Record(f"00000nam a22000{level} a 4500"[:17] + level + " a 4500", fields))


@pytest.fixture
def connection(warehouse: Warehouse):  # type: ignore[no-untyped-def]
    """Delivery 1: bib 1 in review against bib 7, its holding for LUNV waits."""
    facts = {
        "title": "t", "author": "", "encoding_level": "7", "record_type": "a", "bib_level": "m", "carrier": "print",
        "is_national_bibliography": False,
    }  # fmt: skip
    with warehouse.write() as connection:
        rows = [
            (raw_delivery, {"delivery_id": 1, "kind": "supplier", "sender": "NORDBOK", "sha256": "a", "name": "day.mrc",
                            "uri": "u", "bytes": 1, "state": "settled", "received_at": LATE_EVENING}),
            (raw_record, {"delivery_id": 1, "position": 1, "member_no": 0, "byte_offset": 0, "record_type": "bib",
                          "charset": "utf-8", "bib_position": 1, "content": record("As it came"),
                          "normalised": record("The flounder")}),
            (raw_record, {"delivery_id": 1, "position": 2, "member_no": 0, "byte_offset": 9, "record_type": "holding",
                          "charset": "utf-8", "bib_position": 1, "content": b"x"}),
            (stage_holding_line, {"delivery_id": 1, "position": 2, "part": 0, "line_no": 1, "owner": "NORDBOK",
                                  "tag": "852", "shelf_mark": "Hce", "public_note": "", "internal_note": "",
                                  "content": "[]"}),
            (core_outcome, {"delivery_id": 1, "position": 2, "part": 0, "seq": 1, "is_latest": True,
                            "record_type": "holding", "outcome": "waiting", "rule": "bib_in_review", "reason": "r",
                            "sigel": "LUNV", "decided_at": LATE_EVENING}),
            (core_bib, {"bib_id": 7, "control_number": "sk7", "source": "catalogue", "last_editor": "human", **facts,
                        "is_provisional": False, "is_deleted": False, "content": record("Flounder, The"), "version": 1,
                        "change_no": 1, "created_at": LATE_EVENING, "updated_at": LATE_EVENING}),
            (core_match, {"delivery_id": 1, "position": 1, "bib_id": 7, "verdict": "review", "score": 0.75,
                          "rule": "isbn_a_vetoed", "evidence": json.dumps(EVIDENCE), "created_at": LATE_EVENING}),
            (core_review, {"review_id": 4, "delivery_id": 1, "position": 1, "state": "open", "rule": "isbn_a_vetoed",
                           "reason": "print and online", "owner": "o@x.example", "opened_at": LATE_EVENING,
                           "due_on": date(2026, 3, 4)}),
        ]  # fmt: skip
        for table, values in rows:
            connection.execute(sa.insert(table).values(**values))
        yield connection


def test_a_case_holds_both_records_the_evidence_and_who_waits(connection: Connection) -> None:
    (case,) = review_cases(connection, read_register(SAMPLE_REGISTER), STOCKHOLM)
    assert (case.review_id, case.supplier_name, case.file_name, case.position) == (
        4, "Nordbok Distribusjon AS", "day.mrc", 1,
    )  # fmt: skip
    assert case.incoming.get("title") == "The flounder"
    assert (case.opened_on, case.due_on, case.is_provisional) == (date(2026, 3, 2), date(2026, 3, 4), False)
    (candidate,) = case.candidates
    assert (candidate.bib_id, candidate.control_number, candidate.card.get("title")) == (7, "sk7", "Flounder, The")
    assert [(each.name, each.kind, each.points) for each in candidate.evidence] == [
        ("carrier", EvidenceKind.VETO, 0.0),
        ("isbn", EvidenceKind.FEATURE, 0.75),
    ]
    assert [(each.sigel, each.shelf_mark) for each in case.waiting] == [("LUNV", "Hce")]
    assert case.waiting[0].library_name != "LUNV"


def test_a_decided_case_is_shown_when_asked_for_and_bytes_that_need_no_change_are_taken_as_they_came(
    connection: Connection,
) -> None:
    connection.execute(sa.update(core_review).values(state="decided"))
    connection.execute(sa.update(raw_record).values(normalised=None))
    register = read_register(SAMPLE_REGISTER)
    assert review_cases(connection, register, STOCKHOLM) == ()
    (case,) = review_cases(connection, register, STOCKHOLM, [4])
    assert case.incoming.get("title") == "As it came"
