"""What was decided after the first digest: told to the libraries whose titles waited, just those, once."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import SAMPLE_REGISTER
from deployments.sample.records import Line
from schemas.warehouse.core import core_plan
from tasks.catalogue import stages as catalogue
from tasks.notices import telling
from tasks.notices.stages import notify_decided, notify_libraries, notify_reverted
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.notices_night import ingest_and_tell, notices, to_the_shelves
from tests.warehouse.parcels import Export, Parcel, book, with_isbn
from tests.warehouse.pipeline import decide_plan, decide_reviews, load_overdue, revert

SUPPLIER = "Nordbok Distribusjon AS"
WITHDRAWN = 11
"""The sample's guards.toml lets 10 through."""


def in_review() -> Parcel:
    """A bib that resembles SK01 by a $z alone, with two holdings and a refused one; and a plain new bib."""
    parcel = Parcel().bib(with_isbn(book(1), book(1).isbn, "z"), "N1").holding("SOLB", "Ny").holding("HAVN")
    return parcel.holding("XXXX").bib(book(2), "N2").holding("SOLB")


@pytest.fixture
def delivery(place: Workplace) -> int:
    """A delivery of which SOLB knows that one of two titles waits, and HAVN that its one does."""
    Export().bib(book(1), "SK01", level="5", agency="FORHAND").holding("SOLB").load(place)
    (delivery,) = ingest_and_tell("NORDBOK", [in_review().land(place)])
    assert digests(place) == [
        ("materialer@havnso.example", f"1 titel fra {SUPPLIER}: 1 venter (Havnsø Bibliotek)"),
        ("medier@solberg.example", f"2 titlar från {SUPPLIER}: 1 väntar (Solbergs stadsbibliotek)"),
    ]
    return delivery


def digests(place: Workplace, after: int = 0) -> list[tuple[str, str]]:
    """Recipient and subject of the digests in the outbox, but for the first `after`."""
    return [(row.recipient, row.subject) for row in notices(place.warehouse, kind="digest")[after:]]


def bodies(place: Workplace, after: int) -> list[str]:
    return [row.body_text for row in notices(place.warehouse, kind="digest")[after:]]


@pytest.mark.parametrize("decision", ["match:1", "new"])
def test_a_decided_review_tells_each_library_that_its_title_is_there_once(
    place: Workplace, delivery: int, decision: str
) -> None:
    decide_reviews({1: decision})
    assert notify_decided.fn([delivery]) == {"digest": 2}
    assert digests(place, 2) == [
        ("materialer@havnso.example", f"1 titel fra {SUPPLIER}, der har ventet: alt i orden (Havnsø Bibliotek)"),
        ("medier@solberg.example", f"1 titel från {SUPPLIER} som har väntat: allt klart (Solbergs stadsbibliotek)"),
    ]
    danish, swedish = bodies(place, 2)
    assert f"Besked den 14. marts 2025 om 1 titel fra {SUPPLIER}, der har ventet: 1 tilføjet." in danish
    how = "1 uppdaterad" if decision == "match:1" else "1 tillagd"
    assert f"Besked den 14 mars 2025 om 1 titel från {SUPPLIER} som har väntat: {how}." in swedish
    assert book(1).title in swedish
    assert book(2).title not in swedish
    assert "Hyllsignum: Ny\n" in swedish
    assert [row.delivery_id for row in notices(place.warehouse, kind="digest")] == [delivery] * 4
    assert notify_decided.fn([delivery]) == {}
    decide_reviews({1: decision})
    assert notify_decided.fn([delivery]) == {}


def test_a_rejected_review_tells_that_a_cataloguer_decided_so(place: Workplace, delivery: int) -> None:
    decide_reviews({1: "reject"})
    assert notify_decided.fn([delivery]) == {"digest": 2}
    assert [subject for _, subject in digests(place, 2)] == [
        f"1 titel fra {SUPPLIER}, der har ventet: 1 ikke indlæst (Havnsø Bibliotek)",
        f"1 titel från {SUPPLIER} som har väntat: 1 inte inläst (Solbergs stadsbibliotek)",
    ]
    swedish = bodies(place, 2)[1]
    assert "INTE INLÄSTA (1)\nDe här väntade, och beslutet blev att inte läsa in dem." in swedish
    assert "En katalogisatör har beslutat att titeln inte ska läsas in." in swedish
    assert "fel i" not in swedish
    assert notify_decided.fn([delivery]) == {}


def test_the_key_is_made_of_the_outcomes(place: Workplace, delivery: int) -> None:
    decide_reviews({1: "new"})
    notify_decided.fn([delivery])
    outcome = f"NORDBOK/{hashlib.sha256(in_review().content).hexdigest()}/0/2/0/2"
    key = hashlib.sha256(outcome.encode()).hexdigest()[:16]
    assert notices(place.warehouse, kind="digest")[-1].dedup_key == f"digest|{key}|NORDBOK|SOLB"


def test_nothing_is_told_before_something_is_decided(place: Workplace, delivery: int) -> None:
    assert notify_decided.fn([delivery]) == {}
    assert notify_decided.fn([]) == {}
    assert len(digests(place)) == 2


def test_a_provisional_bib_is_told_as_such_and_its_decision_not_again(
    place: Workplace, delivery: int, open_place: OpenPlace
) -> None:
    open_place(today="2025-03-17")
    load_overdue()
    assert notify_decided.fn([delivery]) == {"digest": 2}
    assert digests(place, 2)[1][1] == (f"1 titel från {SUPPLIER} som har väntat: allt klart (Solbergs stadsbibliotek)")
    swedish = bodies(place, 2)[1]
    assert "Titeln är preliminärt inläst i katalogen; en katalogisatör ska ta ställning till den." in swedish
    assert "Hyllsignum: Ny\n" in swedish
    decide_reviews({1: "match:1"})
    assert notify_decided.fn([delivery]) == {}


def test_a_provisional_bib_that_was_decided_before_anybody_was_told_is_told_once_as_it_is_now(
    place: Workplace, delivery: int, open_place: OpenPlace
) -> None:
    open_place(today="2025-03-17")
    load_overdue()
    decide_reviews({1: "match:1"})
    assert notify_decided.fn([delivery]) == {"digest": 2}
    assert "preliminärt" not in bodies(place, 2)[1]
    assert notify_decided.fn([delivery]) == {}


def test_what_a_killed_run_decided_and_left_untold_comes_with_the_next(
    place: Workplace, delivery: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide_reviews({1: "new"})
    with monkeypatch.context() as killed:
        killed.setattr(telling, "_mark_told", _die)
        with pytest.raises(KeyboardInterrupt):
            notify_decided.fn([delivery])
    assert len(digests(place)) == 2
    assert notify_decided.fn([]) == {"digest": 2}
    assert notify_decided.fn([]) == {}


def test_a_provisional_bib_that_a_killed_run_left_untold_comes_with_the_next(
    place: Workplace, delivery: int, open_place: OpenPlace
) -> None:
    open_place(today="2025-03-17")
    load_overdue()
    assert notify_decided.fn([]) == {"digest": 2}
    assert notify_decided.fn([]) == {}


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_is_decided_before_the_first_digest_is_told_there_and_not_again(place: Workplace) -> None:
    Export().bib(book(1), "SK01", level="5", agency="FORHAND").holding("SOLB").load(place)
    (delivery,) = to_the_shelves("NORDBOK", [in_review().land(place)])
    decide_reviews({1: "new"})
    assert notify_decided.fn([delivery]) == {}
    assert notify_libraries.fn([delivery])["digest"] == 2
    assert [subject for _, subject in digests(place)] == [
        f"1 titel fra {SUPPLIER}: alt i orden (Havnsø Bibliotek)",
        f"2 titlar från {SUPPLIER}: allt klart (Solbergs stadsbibliotek)",
    ]
    assert notify_decided.fn([delivery]) == {}


def test_two_decisions_at_different_times_are_told_apart(place: Workplace) -> None:
    export, parcel = Export(), Parcel()
    for serial in (1, 2):
        export.bib(book(serial), f"SK0{serial}", level="5", agency="FORHAND")
        parcel.bib(with_isbn(book(serial), book(serial).isbn, "z"), f"N{serial}").holding("VEST")
    export.load(place)
    (delivery,) = ingest_and_tell("NORDBOK", [parcel.land(place)])
    for review_id in (1, 2):
        decide_reviews({review_id: "new"})
        assert notify_decided.fn([delivery]) == {"digest": 1}
    first, second = bodies(place, 1)
    assert (book(1).title in first, book(2).title in first) == (True, False)
    assert (book(1).title in second, book(2).title in second) == (False, True)
    assert {subject for _, subject in digests(place, 1)} == {
        f"1 title from {SUPPLIER} that had waited: all done (Vestmark University Library)"
    }


def test_what_was_decided_and_undone_again_is_left_to_the_correction(place: Workplace, delivery: int) -> None:
    decide_reviews({1: "new"})
    revert(delivery)
    assert notify_decided.fn([delivery]) == {}
    assert notify_reverted.fn(delivery) == {"correction": 2}


def plan_hash(place: Workplace) -> str:
    with place.warehouse.read() as connection:
        return str(connection.execute(sa.select(core_plan.c.plan_hash)).scalar_one())


@pytest.fixture
def withdrawn(place: Workplace) -> int:
    """A delivery whose removals from VEST wait for approval; VEST has been told."""
    export, parcel = Export(), Parcel()
    for serial in range(WITHDRAWN):
        export.bib(book(serial), f"SK{serial:02d}").holding("VEST", Line("Hc", owner="NORDBOK"))
        parcel.bib(book(serial), f"N{serial}").holding("VEST", is_delete=True)
    export.load(place)
    (delivery,) = ingest_and_tell("NORDBOK", [parcel.land(place)])
    assert [subject for _, subject in digests(place)] == [
        f"11 titles from {SUPPLIER}: 11 waiting (Vestmark University Library)"
    ]
    return delivery


def test_an_approved_removal_is_told_once(place: Workplace, withdrawn: int) -> None:
    decide_plan(plan_hash(place), "approve")
    assert notify_decided.fn([withdrawn]) == {"digest": 1}
    assert digests(place, 1) == [
        (
            "acquisitions@vestmark.example",
            f"11 titles from {SUPPLIER} that had waited: all done (Vestmark University Library)",
        )
    ]
    (body,) = bodies(place, 1)
    assert "that had waited: 11 removed." in body
    assert body.count("Shelf mark: Hc\n") == WITHDRAWN
    decide_plan(plan_hash(place), "approve")
    assert notify_decided.fn([withdrawn]) == {}


def test_a_removal_that_is_rejected_and_thought_over_is_told_each_time(place: Workplace, withdrawn: int) -> None:
    decide_plan(plan_hash(place), "reject")
    assert notify_decided.fn([withdrawn]) == {"digest": 1}
    decide_plan(plan_hash(place), "reject")
    assert notify_decided.fn([withdrawn]) == {}
    decide_plan(plan_hash(place), "approve")
    assert notify_decided.fn([withdrawn]) == {"digest": 1}
    assert [subject.split(":")[1] for _, subject in digests(place, 1)] == [
        " 11 refused (Vestmark University Library)",
        " all done (Vestmark University Library)",
    ]
    assert "the removal was not approved. Your holding stays as it was." in bodies(place, 1)[0]


@pytest.fixture
def strict(open_place: OpenPlace, tmp_path: Path) -> Workplace:
    """The sample's register, with a guard that lets two bibs be created."""
    register = tmp_path / "register"
    shutil.copytree(SAMPLE_REGISTER, register)
    guards = "[flows.supplier-ingest.bib_create]\nat_least = 2\nshare = 0.0\nmin_population = 0\n"
    (register / "guards.toml").write_text(guards)
    return open_place(today="2025-03-14", register_folder=register)


@pytest.fixture
def created(strict: Workplace) -> int:
    """A delivery of three new titles that wait for approval; VEST has been told."""
    parcel = Parcel()
    for serial in range(3):
        parcel.bib(book(serial), f"N{serial}").holding("VEST")
    (delivery,) = ingest_and_tell("NORDBOK", [parcel.land(strict)])
    return delivery


def test_approved_new_titles_are_told(strict: Workplace, created: int) -> None:
    decide_plan(plan_hash(strict), "approve")
    assert notify_decided.fn([created]) == {"digest": 1}
    (body,) = bodies(strict, 1)
    assert "that had waited: 3 added." in body
    assert body.count("The title is new in the catalogue.") == 3
    assert "In the shared catalogue: 3 new titles." in body


def test_new_titles_that_were_not_approved_are_told_so(strict: Workplace, created: int) -> None:
    decide_plan(plan_hash(strict), "reject")
    assert notify_decided.fn([created]) == {"digest": 1}
    assert digests(strict, 1)[0][1] == (
        f"3 titles from {SUPPLIER} that had waited: 3 not added (Vestmark University Library)"
    )
    (body,) = bodies(strict, 1)
    assert body.count("The delivery brought more new titles than usual, and they were not approved.") == 3
    assert "wait for approval" not in body


def test_an_approved_title_that_needs_a_cataloguer_is_told_when_that_is_decided(strict: Workplace) -> None:
    parcel = Parcel().bib(with_isbn(book(1), book(1).isbn, "z"), "N1").holding("VEST")
    parcel.bib(book(2), "N2").holding("VEST").bib(book(3), "N3").holding("VEST")
    (delivery,) = ingest_and_tell("NORDBOK", [parcel.land(strict)])
    Export().bib(book(1), "SK01", level="5", agency="FORHAND").load(strict)
    decide_plan(plan_hash(strict), "approve")
    assert notify_decided.fn([delivery]) == {"digest": 1}
    decide_reviews({1: "match:1"})
    assert notify_decided.fn([delivery]) == {"digest": 1}
    assert [subject.split(" from ")[0] for _, subject in digests(strict)] == ["3 titles", "2 titles", "1 title"]
    first, second = bodies(strict, 1)
    assert (book(1).title in first, book(1).title in second) == (False, True)


def test_a_delivery_that_did_not_add_up_is_not_told_of(place: Workplace, delivery: int) -> None:
    decide_reviews({1: "new"})
    with place.warehouse.write() as connection:
        connection.exec_driver_sql("UPDATE raw_delivery SET hold_reason = 'stopped by an error: x'")
    assert notify_decided.fn([delivery]) == {}
    with place.warehouse.write() as connection:
        connection.exec_driver_sql("UPDATE raw_delivery SET hold_reason = NULL")
    assert notify_decided.fn([delivery]) == {"digest": 2}


def test_decisions_are_carried_by_the_ids_that_a_run_hands_on(place: Workplace, delivery: int) -> None:
    decided = catalogue.decide_reviews.fn({1: "new"}, "Ada Kvist")
    assert notify_decided.fn(decided.deliveries) == {"digest": 2}
