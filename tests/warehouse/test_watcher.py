"""What the drop watcher starts at each look, and when it wants to look again. Who starts runs is given to it."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deployments.watcher import BUSY_SECONDS, COALESCE_SECONDS, SAFETY_SECONDS, SOON_SECONDS, Watcher
from tasks.landing.starts import Start
from tasks.starting import Started
from tasks.warehouse.turns import turn
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.pipeline import land

QUIET = 0.4


@dataclass
class Starter:
    """Notes what it is asked to start."""

    asked: list[tuple[str, list[str]]] = field(default_factory=list)
    is_new: bool = True
    is_away: bool = False

    def __call__(self, starts: list[Start]) -> list[Started]:
        if self.is_away:
            raise ConnectionError("no server answers")
        self.asked += [(each.sender, [uri.rsplit("/", 1)[-1] for uri in each.uris]) for each in starts]
        return [Started(each.sender, len(each.uris), "run", self.is_new, "") for each in starts]


@pytest.fixture
def warehouse_url(sqlite_template: Path, tmp_path: Path) -> str:
    """SQLite alone: the engines agree about turns in test_turns.py."""
    shutil.copyfile(sqlite_template, tmp_path / "warehouse.db")
    return f"sqlite:///{tmp_path / 'warehouse.db'}"


@pytest.fixture
def place(open_place: OpenPlace) -> Workplace:
    return open_place(today="2025-03-14", stable_seconds=QUIET)


@pytest.fixture
def starter() -> Starter:
    return Starter()


@pytest.fixture
def watcher(place: Workplace, starter: Starter) -> Watcher:
    return Watcher(place, starter)


def drop(place: Workplace, name: str, supplier: str = "NORDBOK") -> str:
    return land(place, supplier, name, name.encode())


def test_where_nothing_waits_it_looks_again_after_a_while(watcher: Watcher, starter: Starter) -> None:
    assert watcher.look() == SAFETY_SECONDS
    assert starter.asked == []


def test_a_file_is_started_once_it_has_been_quiet(place: Workplace, watcher: Watcher, starter: Starter) -> None:
    watcher.arrivals.written.add(drop(place, "a.mrc"))
    assert watcher.look() == pytest.approx(SOON_SECONDS, abs=2)
    assert starter.asked == []
    time.sleep(QUIET)
    assert watcher.look() >= BUSY_SECONDS
    assert starter.asked == [("NORDBOK", ["a.mrc"])]


def test_a_file_that_was_renamed_is_started_at_once(place: Workplace, watcher: Watcher, starter: Starter) -> None:
    watcher.arrivals.renamed.add(drop(place, "a.mrc"))
    watcher.look()
    assert starter.asked == [("NORDBOK", ["a.mrc"])]


def test_whole_files_wait_for_those_of_their_sender_that_settle_and_no_other_sender_does(
    place: Workplace, watcher: Watcher, starter: Starter
) -> None:
    watcher.arrivals.renamed |= {drop(place, "a.mrc"), drop(place, "c.mrc", "FORHAND")}
    watcher.arrivals.written.add(drop(place, "b.mrc"))
    watcher.look()
    assert starter.asked == [("FORHAND", ["c.mrc"])]
    time.sleep(QUIET)
    watcher.look()
    assert ("NORDBOK", ["a.mrc", "b.mrc"]) in starter.asked


def test_a_file_that_never_settles_holds_up_the_others_only_for_a_while(
    place: Workplace, watcher: Watcher, starter: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher.arrivals.renamed.add(drop(place, "a.mrc"))
    watcher.arrivals.written.add(drop(place, "b.mrc"))
    watcher.look()
    assert starter.asked == []
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + COALESCE_SECONDS + 1)
    watcher.arrivals.written.add(drop(place, "c.mrc"))
    watcher.look()
    ((sender, names),) = starter.asked
    assert sender == "NORDBOK"
    assert "a.mrc" in names
    assert "c.mrc" not in names


def test_while_a_run_is_under_way_it_waits_and_then_starts_one_with_all(
    place: Workplace, watcher: Watcher, starter: Starter
) -> None:
    with turn(place.warehouse, "supplier:NORDBOK", "a run"):
        for name in ("a.mrc", "b.mrc"):
            watcher.arrivals.renamed.add(drop(place, name))
            assert BUSY_SECONDS <= watcher.look() < SAFETY_SECONDS
        assert starter.asked == []
    watcher.look()
    assert starter.asked == [("NORDBOK", ["a.mrc", "b.mrc"])]


def test_what_could_not_be_started_is_started_at_the_next_look(
    place: Workplace, watcher: Watcher, starter: Starter
) -> None:
    watcher.arrivals.renamed.add(drop(place, "a.mrc"))
    starter.is_away = True
    with pytest.raises(ConnectionError):
        watcher.look()
    starter.is_away = False
    watcher.look()
    assert starter.asked == [("NORDBOK", ["a.mrc"])]


def test_work_that_pauses_is_looked_at_rarely(place: Workplace, watcher: Watcher, starter: Starter) -> None:
    watcher.arrivals.renamed.add(drop(place, "a.mrc"))
    starter.is_new = False
    assert watcher.look() == SAFETY_SECONDS
