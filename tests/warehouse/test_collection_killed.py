"""A stock that is matched and approved, killed at any commit and done again: the same as undisturbed."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from deployments.sample.records import Line
from schemas.warehouse.core import core_turn
from tasks.workplace import Workplace
from tests.warehouse.collection_runs import decide, match, table
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.export_checks import ON_SQLITE
from tests.warehouse.parcels import Export, book
from tests.warehouse.pipeline import everything
from tests.warehouse.test_collection_match import UNREADABLE, row
from tests.warehouse.test_killed import Commits, KilledError, begin, end_of

STOCK = table(row(1, "Hcf", "1"), row(2, "Hc", "2"), row(7, "Hc", "3"), row(1, "Hb", "4")) + UNREADABLE


def stock_of(place: Workplace) -> None:
    """The whole way: matched, and approved."""
    decide(match(place, STOCK, create_missing=True).plan_hash)


def end(place: Workplace) -> dict[str, Any]:
    """As of a delivery, and what was found for each row."""
    rows = everything(place.warehouse)
    found = {"rows": rows["raw_collection_row"], "counts": [each[1:9] for each in rows["raw_collection"]]}
    return {**end_of(place), **found, "plans": [each[1:9] for each in rows["core_plan"]]}


def died(place: Workplace) -> None:
    """As others see the one that was killed: of that number there is a process that began at another time."""
    with place.warehouse.write() as connection:
        connection.execute(sa.update(core_turn).values(process=core_turn.c.process + "0"))


@ON_SQLITE
def test_killed_at_any_commit_and_done_again(open_place: OpenPlace) -> None:
    """Right after every other commit: before the next one nothing but files can change (test_killed.py)."""
    place = open_place(today="2025-03-14", chunk_records=3)
    commits = Commits(place.warehouse)
    Export().bib(book(1), "SK01").bib(book(2), "SK02").holding("SOLB", Line("Ref")).load(place)
    begun = everything(place.warehouse)
    begin(place, begun, [])
    commits.number = 0
    stock_of(place)
    total, undisturbed = commits.number, end(place)
    assert total >= 20
    for number in range(1, total + 1, 2):
        begin(place, begun, [])
        with commits.killing(number, is_after=True), pytest.raises(KilledError):
            stock_of(place)
        died(place)
        stock_of(place)
        assert end(place) == undisturbed, f"killed at commit {number} of {total}"
