"""Bibs that are one, in the flows of Prefect: found at night, decided in the worklist, merged by hand, taken back."""

from __future__ import annotations

import pytest

from flows.bib_merge import bib_merge
from flows.bib_split import bib_split
from flows.duplicate_bibs import duplicate_bibs
from flows.revert import revert
from flows.review_decide import review_decide
from schemas.errors import UsageError
from tasks.workplace import Workplace
from tests.flows.runs import run
from tests.warehouse.notices_night import notices
from tests.warehouse.parcels import Export, book
from tests.warehouse.pipeline import catalogue_content


@pytest.fixture
def warehouse_url(sqlite_url: str) -> str:
    """SQLite alone: what merging does is tried on both engines in tests/warehouse."""
    return sqlite_url


def addressees(home: Workplace, kind: str) -> list[str]:
    """Whom messages of a kind went to, in the order in which they were queued; all of them are sent."""
    rows = notices(home.warehouse, kind=kind)
    assert {row.state for row in rows} == {"sent"}
    return [row.recipient for row in rows]


def test_a_pair_is_found_at_night_decided_and_taken_back(home: Workplace) -> None:
    export = Export().bib(book(1), "SK01").holding("SOLB").bib(book(1), "SK02").holding("NORU").holding("SOLB")
    export.bib(book(2), "SK03").load(home, "full")
    before = catalogue_content(home.warehouse)
    found = run(duplicate_bibs)
    assert {name: number for name, number in found.value.items() if number} == {"bibs": 3, "found": 1}
    assert "| D1 | 1, 2 |" in found.artifacts()["duplicate-bibs"]
    (mail,) = home.settings.outbox.glob("*worklist*.eml")
    assert "D1" in mail.read_text("utf-8")

    decided = run(review_decide, {}, "Ada Kvist", {1: "same:2"})
    assert decided.value == {"done": {"D1": "bib 1 was merged into bib 2: 0 holdings moved, 1 joined"}, "problems": {}}
    assert addressees(home, "digest") == ["medier@solberg.example"]
    back = run(revert, str(decided.flow_run.id))
    assert addressees(home, "correction") == ["medier@solberg.example"]
    assert (back.value["runs"], back.value["merges"], back.value["survivors"]) == (["merge-1"], 1, [])
    assert catalogue_content(home.warehouse) == before

    merged = run(bib_merge, 1, [2], "Ada Kvist", "the same edition")
    assert merged.names("send notices") == ["merge bibs", "send worklist", "send notices"]
    (line,) = merged.value["merges"]
    assert (line.merged_id, line.moves, line.joins) == (2, ("NORU",), ("SOLB",))
    assert addressees(home, "digest")[1:] == ["forvarv@nordhavet.example", "medier@solberg.example"]
    assert "| 2 | 1 | NORU | SOLB |" in merged.artifacts()["merged-bibs"]
    (parted,) = run(bib_split, [2], "Bo Alm").value["splits"]
    assert (parted.holdings, parted.left) == (3, ())
    assert catalogue_content(home.warehouse) == before
    refused = run(bib_merge, 1, [3], "Ada Kvist")
    assert refused.flow_run.state_name == "Failed"
    with pytest.raises(UsageError, match="no number leads from one to the other"):
        refused.value  # noqa: B018 - raises what the run ended with
