"""The worklist of open reviews: sent when something changed and on request, to each owner its own cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.warehouse.core import core_review
from tasks.notices.stages import send_worklist
from tasks.workplace import Workplace
from tests.warehouse.notices_night import ingest_and_tell, load_sample_catalogue, notices, sample


@pytest.fixture
def waiting(place: Workplace) -> Sequence[int]:
    """Reviews that are open, and of which the run that opened them has told."""
    load_sample_catalogue(place)
    ingest_and_tell("NORDBOK", [sample(place, "NORDBOK", "samma-isbn.mrc")])
    with place.warehouse.read() as connection:
        return list(connection.execute(sa.select(core_review.c.review_id)).scalars())


def change(place: Workplace, review_id: int, **values: object) -> None:
    with place.warehouse.write() as connection:
        connection.execute(sa.update(core_review).where(core_review.c.review_id == review_id).values(**values))


def test_it_is_sent_when_something_changed_and_on_request(place: Workplace, waiting: Sequence[int]) -> None:
    number = len(waiting)
    assert number >= 3
    assert len(notices(place.warehouse, kind="worklist")) == 1
    assert send_worklist.fn() == {"cases": number}
    assert send_worklist.fn(on_request=True) == {"cases": number, "worklist": 1}
    change(place, waiting[0], state="decided")
    assert send_worklist.fn() == {"cases": number - 1, "worklist": 1}
    change(place, waiting[0], state="open")
    assert send_worklist.fn() == {"cases": number, "worklist": 1}
    assert send_worklist.fn() == {"cases": number}


def test_a_case_that_becomes_late_is_a_change(
    place: Workplace, waiting: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMKAT_TODAY", "2025-03-15")
    assert send_worklist.fn() == {"cases": len(waiting)}
    monkeypatch.setenv("SAMKAT_TODAY", "2025-03-17")
    assert send_worklist.fn()["worklist"] == 1
    assert notices(place.warehouse, kind="worklist")[-1].subject.endswith("försenade")


def test_each_owner_gets_its_own_cases_and_a_name_that_is_no_address_the_review_owner(
    place: Workplace, waiting: Sequence[int]
) -> None:
    change(place, waiting[0], owner="ada@samkatalogen.example")
    change(place, waiting[1], owner="Bo Alm")
    assert send_worklist.fn() == {"cases": len(waiting), "worklist": 2}
    assert [(row.recipient, row.subject.split()[0]) for row in notices(place.warehouse, kind="worklist")[1:]] == [
        ("ada@samkatalogen.example", "1"),
        ("katalogisering@samkatalogen.example", str(len(waiting) - 1)),
    ]


def test_where_nothing_waits_nobody_is_written_to_and_the_page_says_so(place: Workplace) -> None:
    assert not send_worklist.fn()
    assert notices(place.warehouse) == []
    folder = Path(place.settings.landing_url) / "reports" / "worklist"
    assert "0 titlar" in (folder / "worklist.html").read_text("utf-8")
