"""Killed right before or right after any commit and run again: the same warehouse as undisturbed.

A run over a few deliveries in small chunks is stopped at each of its commits in turn. What it leaves is taken up by the
next run, as after a power cut; in the end content, outcomes, ledger and archive must be those of an undisturbed run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from deployments.sample.records import Line
from schemas.marc import data_field
from tasks.warehouse.engine import Warehouse
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.parcels import Export, Parcel, book, file_name, with_isbn
from tests.warehouse.pipeline import (
    catalogue_content,
    decide_reviews,
    everything,
    ingest,
    land,
    ledger_facts,
    outcomes,
    restore,
    revert,
)


class KilledError(BaseException):
    """As SIGKILL: nothing catches it."""


class Commits:
    """Counts the commits of a warehouse, and kills at one of them: before it (nothing of it stays) or after it."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.number = 0
        self.kill_at: int | None = None
        self.is_after = False
        self._is_write = False
        sa.event.listen(warehouse.engine, "commit", self._before)
        self._dialect = warehouse.engine.dialect
        self._commit = self._dialect.do_commit

    def _before(self, connection: sa.Connection) -> None:
        # A transaction that only reads ends with a commit, too; nothing is to be seen there.
        self._is_write = connection.get_execution_options().get("samkat_write", False)
        if self._is_write:
            self.number += 1
            if self.number == self.kill_at and not self.is_after:
                raise KilledError(self.number)

    def _after(self, dbapi_connection: Any) -> None:
        self._commit(dbapi_connection)
        if self._is_write and self.number == self.kill_at and self.is_after:
            raise KilledError(self.number)

    @contextmanager
    def killing(self, number: int, *, is_after: bool) -> Iterator[None]:
        """Kill at the commit of this number, counted from 1."""
        self.number, self.kill_at, self.is_after = 0, number, is_after
        self._dialect.do_commit = self._after  # type: ignore[method-assign]
        try:
            yield
        finally:
            self.kill_at = None
            self._dialect.do_commit = self._commit  # type: ignore[method-assign]


LOGIN_PAGE = (file_name("NORDBOK", 3, "inloggning"), b"<html><body>Logga in</body></html>")


def evening() -> tuple[str, bytes]:
    """Two new titles."""
    parcel = Parcel().bib(book(10), "N10").holding("NORU").bib(book(11), "N11").holding("SOLB")
    return file_name("NORDBOK", 2, "kvall"), parcel.content


def day() -> tuple[str, bytes]:
    """Every outcome of bibs and holdings, one title twice, and a record that is cut short."""
    note = data_field("500", "  ", [("a", "Andra posten")])
    parcel = Parcel().bib(book(10), "N10").holding("SOLB").holding("XXXX").bib(book(1), "N1").holding("LUNV")
    parcel.bib(with_isbn(book(3), book(3).isbn, "z"), "N3").holding("SOLB").bib(book(10), "N10b", extra=(note,))
    parcel.holding("SOLB", "Hc.2").bib(book(2), "N2").holding("SOLB", "Hc.02").holding("VEST", is_delete=True)
    return file_name("NORDBOK", 1, "dag"), parcel.content + b"00200nam  cut short\x1d"


def planted() -> Export:
    export = Export().bib(book(1), "SK01", level="8", agency="FORHAND").holding("NORU")
    export.bib(book(2), "SK02").holding("SOLB", Line("Hc", owner="NORDBOK"), Line("Ref"))
    return export.holding("VEST", Line("Hc", owner="NORDBOK")).bib(book(3), "SK03")


def end_of(place: Workplace) -> dict[str, Any]:
    """What must be the same: content, outcomes, ledger, plans, reviews, and where the files are."""
    zone = Path(place.settings.landing_url)
    rows = everything(place.warehouse)
    return {
        "content": catalogue_content(place.warehouse),
        "outcomes": outcomes(place.warehouse),
        "ledger": ledger_facts(place.warehouse),
        "reviews": [row[2:6] for row in rows["core_review"]],
        "matches": [row[1:6] for row in rows["core_match"]],
        "pieces": [(row[1], row[3], row[4], row[-1]) for row in rows["raw_record"]],
        "left in the working set": {name: len(some) for name, some in rows.items() if name.startswith("stage_")},
        "files": sorted((file.parts[len(zone.parts)], file.name) for file in zone.rglob("*") if file.is_file()),
    }


def run(place: Workplace) -> None:
    """What waits in the landing zone, and what an earlier run left."""
    ingest("NORDBOK", [each.uri for each in place.zone.waiting("NORDBOK")])


def test_killed_before_any_commit_and_run_again(open_place: OpenPlace) -> None:
    # The day's file is two chunks: all that happens between chunks does, with fewer commits of one kind.
    kill_everywhere(open_place(today="2025-03-14", chunk_records=10), day(), LOGIN_PAGE, is_after=False)


def test_killed_after_any_commit_and_run_again(open_place: OpenPlace) -> None:
    """After a commit is before the next one, but for what is done to files between: the small batch shows that."""
    kill_everywhere(open_place(today="2025-03-14", chunk_records=5), evening(), LOGIN_PAGE, is_after=True)


def kill_everywhere(place: Workplace, *files: tuple[str, bytes], is_after: bool) -> None:
    """Run over these files once undisturbed, then once for each of its commits, killed there and run again."""
    commits = Commits(place.warehouse)
    planted().load(place)
    begun = everything(place.warehouse)
    begin(place, begun, files)
    commits.number = 0
    run(place)
    total, undisturbed = commits.number, end_of(place)
    assert total >= 12
    reached = 0
    for number in range(1, total + 1):
        begin(place, begun, files)
        with commits.killing(number, is_after=is_after):
            try:
                run(place)
            except KilledError:
                reached += 1
        run(place)
        assert end_of(place) == undisturbed, f"killed at commit {number} of {total}"
    assert reached == total


def begin(place: Workplace, begun: dict[str, Any], files: Sequence[tuple[str, bytes]]) -> None:
    """The warehouse as it had `begun`, and these files waiting."""
    restore(place.warehouse, begun)
    for file in Path(place.settings.landing_url).rglob("*"):
        if file.is_file():
            file.unlink()
    for name, content in files:
        land(place, "NORDBOK", name, content)


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_decisions_killed_at_any_commit_and_taken_again(open_place: OpenPlace, is_after: bool) -> None:
    place = open_place(today="2025-03-14", chunk_records=5)
    commits = Commits(place.warehouse)
    planted().load(place)
    begin(place, everything(place.warehouse), [day()])
    run(place)
    begun = everything(place.warehouse)
    commits.number = 0
    decide_reviews({1: "match:3"})
    total, undisturbed = commits.number, end_of(place)
    for number in range(1, total + 1):
        restore(place.warehouse, begun)
        with commits.killing(number, is_after=is_after), pytest.raises(KilledError):
            decide_reviews({1: "match:3"})
        decide_reviews({1: "match:3"})
        assert end_of(place) == undisturbed, f"killed at commit {number} of {total}"


def test_an_export_of_the_catalogue_killed_before_any_commit_and_loaded_again(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-14", chunk_records=3)
    commits = Commits(place.warehouse)
    planted().load(place)
    begun = everything(place.warehouse)
    merged = data_field("019", "  ", [("a", "SK03")])
    export = Export().bib(book(1), "SK01", level="3", extra=(merged,)).holding("NORU", Line("Ny"))
    export.bib(book(2), "SK02", status="d").holding("SOLB", is_delete=True).bib(book(4), "SK04").holding("LUNV")
    begin(place, begun, [])
    commits.number = 0
    export.load(place, "full", "two.mrc")
    total, undisturbed = commits.number, end_of(place)
    for number in range(1, total + 1):
        begin(place, begun, [])
        with commits.killing(number, is_after=False), pytest.raises(KilledError):
            export.load(place, "full", "two.mrc")
        export.load(place, "full", "two.mrc")
        assert end_of(place) == undisturbed, f"killed at commit {number} of {total}"


def test_undo_killed_at_any_commit_and_run_again(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-14", chunk_records=5)
    commits = Commits(place.warehouse)
    planted().load(place)
    before = catalogue_content(place.warehouse)
    begin(place, everything(place.warehouse), [day()])
    run(place)
    begun = everything(place.warehouse)
    commits.number = 0
    revert(2)
    total, undisturbed = commits.number, end_of(place)
    assert undisturbed["content"] == before
    for number in range(1, total + 1):
        restore(place.warehouse, begun)
        with commits.killing(number, is_after=number % 2 == 0), pytest.raises(KilledError):
            revert(2)
        revert(2)
        assert end_of(place) == undisturbed, f"killed at commit {number} of {total}"
