"""One run a sender at a time: whose turn it is, what becomes of it when its holder dies, and what a late one may do."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from schemas.warehouse.core import core_turn
from tasks.catalogue.fingerprint import content
from tasks.landing.stages import receive
from tasks.warehouse import turns
from tasks.warehouse.away import patiently
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.turns import TurnLostError, holder_of, require_turn, taken_subjects, turn
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.parcels import Parcel, book
from tests.warehouse.pipeline import TO_THE_SHELVES, everything, ingest, ledger_facts, outcomes, restore
from tests.warehouse.shut import shut

SUBJECT = "supplier:NORDBOK"


def holder(warehouse: Warehouse) -> str | None:
    with warehouse.read() as connection:
        return holder_of(connection, SUBJECT)


def set_row(warehouse: Warehouse, **values: object) -> None:
    with warehouse.write() as connection:
        connection.execute(sa.update(core_turn).values(**values))


def dead_process() -> str:
    """The name of a process of this machine that has ended."""
    ask = "from tasks.warehouse.turns import this_process; print(this_process())"
    return subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def test_a_second_run_does_not_get_the_turn_and_the_next_one_does(warehouse: Warehouse) -> None:
    with turn(warehouse, SUBJECT, "first") as first, turn(warehouse, SUBJECT, "second") as second:
        assert (first is not None, second) == (True, None)
        assert holder(warehouse) == "first"
        with turn(warehouse, "supplier:FORHAND", "second") as other:
            assert other is not None
            with warehouse.read() as connection:
                assert taken_subjects(connection) == {SUBJECT, "supplier:FORHAND"}
    assert holder(warehouse) is None
    with turn(warehouse, SUBJECT, "second") as later:
        assert later is not None


def test_a_run_that_is_tried_again_finds_its_own_turn(warehouse: Warehouse) -> None:
    with turn(warehouse, SUBJECT, "run") as before:
        assert before is not None
        set_row(warehouse, process="another boot/pid:[1]/pid/7/7")
        with turn(warehouse, SUBJECT, "run") as again:
            assert again is not None
            assert again.keep()
            set_row(warehouse, process="another boot/pid:[1]/pid/8/8")
            assert not before.keep()


def test_a_turn_that_was_not_renewed_is_free_and_its_holder_is_stopped(warehouse: Warehouse) -> None:
    with turn(warehouse, SUBJECT, "first"):
        require_turn()
        set_row(warehouse, until=datetime.now(UTC) - timedelta(seconds=1))
        assert holder(warehouse) is None
        with turn(warehouse, SUBJECT, "second") as second:
            assert second is not None
            require_turn()
            set_row(warehouse, holder="third")
            with pytest.raises(TurnLostError, match="another run has taken over"):
                require_turn()
        assert holder(warehouse) == "third"
    assert holder(warehouse) == "third"


def test_a_holder_that_is_late_and_that_nobody_has_followed_goes_on(warehouse: Warehouse) -> None:
    with turn(warehouse, SUBJECT, "first") as first:
        set_row(warehouse, until=datetime.now(UTC) - timedelta(hours=1))
        assert first is not None
        assert first.keep()
        assert holder(warehouse) == "first"


def test_the_turn_of_a_process_that_is_dead_is_free_at_once(warehouse: Warehouse) -> None:
    with turn(warehouse, SUBJECT, "killed"):
        set_row(warehouse, process=dead_process())
        with turn(warehouse, SUBJECT, "next") as taken:
            assert taken is not None


def test_the_turn_of_a_process_elsewhere_is_not_judged_from_here(warehouse: Warehouse) -> None:
    with turn(warehouse, SUBJECT, "elsewhere"):
        for process in ("another boot/pid:[4026531836]/pid/1/1", ""):
            set_row(warehouse, process=process)
            with turn(warehouse, SUBJECT, "next") as taken:
                assert taken is None
        set_row(warehouse, process=turns.this_process())


def test_a_patient_run_waits_until_the_turn_is_given_back(warehouse: Warehouse) -> None:
    waited: list[bool] = []

    def wait() -> None:
        with turn(warehouse, SUBJECT, "patient", patience_seconds=60) as taken:
            waited.append(taken is not None)

    with turn(warehouse, SUBJECT, "first"):
        patient = threading.Thread(target=wait)
        patient.start()
        patient.join(0.3)
        assert waited == []
    patient.join(30)
    assert waited == [True]


@pytest.mark.parametrize("warehouse_url", ["postgresql"], indirect=True)
def test_a_run_that_is_done_while_the_database_is_away_gives_its_turn_back_when_it_is_there_again(
    warehouse: Warehouse, postgresql_url: str
) -> None:
    with turn(warehouse, SUBJECT, "done"):
        shut(postgresql_url, str(warehouse.engine.url.database), 2)
    with warehouse.read() as connection:
        assert connection.execute(sa.select(core_turn)).all() == []


@pytest.mark.parametrize("warehouse_url", ["postgresql"], indirect=True)
def test_a_run_that_fails_while_the_database_is_away_does_not_wait_for_it(
    warehouse: Warehouse, postgresql_url: str
) -> None:
    with pytest.raises(ValueError, match="what was wrong"), turn(warehouse, SUBJECT, "failed"):
        shut(postgresql_url, str(warehouse.engine.url.database), 2)
        raise ValueError("what was wrong")
    assert patiently(lambda: holder(warehouse)) == "failed"


def test_many_at_once_take_turns(warehouse: Warehouse) -> None:
    inside, most, done = 0, 0, 0
    counting = threading.Lock()

    def work(number: int) -> None:
        nonlocal inside, most, done
        with turn(warehouse, SUBJECT, f"run {number}", patience_seconds=60) as taken:
            assert taken is not None
            with counting:
                inside += 1
                most = max(most, inside)
            with counting:
                inside -= 1
                done += 1

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, done) == (1, 4)


@pytest.mark.parametrize("warehouse_url", ["sqlite"], indirect=True)
def test_a_run_that_was_overtaken_between_two_stages_changes_nothing_more(open_place: OpenPlace) -> None:
    """A run that slept longer than its turn lasts goes on with stale ids, wherever it stood."""
    place = open_place(today="2025-03-14", chunk_records=3)
    parcel = Parcel("NORDBOK")
    for serial in range(8):
        parcel.bib(book(serial), f"N{serial}").holding("SOLB")
    begun = everything(place.warehouse)
    ends = []
    for slept_before in range(len(TO_THE_SHELVES) + 1):
        uri = parcel.land(place, 1)
        stale = receive.fn("NORDBOK", [uri])
        for stage in TO_THE_SHELVES[:slept_before]:
            stage(stale)
        ingest("NORDBOK")
        for stage in TO_THE_SHELVES[slept_before:]:
            stage(stale)
        with place.warehouse.read() as connection:
            ends.append((content(connection), outcomes(place.warehouse), ledger_facts(place.warehouse)))
        restore(place.warehouse, begun)
    assert all(end == ends[0] for end in ends)
    assert len(ends[0][1]) == 16
