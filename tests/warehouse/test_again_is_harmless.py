"""The same again changes nothing; the same name with other content is another delivery."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.sample.records import Line
from schemas.outcomes import DeliveryState
from tasks.landing.stages import receive
from tasks.workplace import Workplace
from tests.warehouse.parcels import DAY, Export, Parcel, book, file_name, with_isbn
from tests.warehouse.pipeline import TO_THE_SHELVES, catalogue_content, everything, ingest, land, ledger

SEEN = ["raw_delivery_name"]
"""Every sighting of a file is noted; that is all that may change."""


def parcel() -> Parcel:
    """Created, replaced, kept, in review; holdings of every kind."""
    made = Parcel().bib(book(10), "N10").holding("SOLB").holding("XXXX")
    made.bib(book(1), "N1").holding("LUNV").bib(book(2), "N2").holding("SOLB", "Hc.02")
    made.bib(with_isbn(book(3), book(3).isbn, "z"), "N3").holding("SOLB")
    return made.bib(book(2), "N2").holding("VEST", is_delete=True)


@pytest.fixture
def loaded(place: Workplace) -> int:
    export = Export().bib(book(1), "SK01", level="8", agency="FORHAND").bib(book(2), "SK02")
    export.holding("SOLB", Line("Hc", owner="NORDBOK")).bib(book(3), "SK03").load(place)
    (delivery,) = ingest("NORDBOK", [parcel().land(place)])
    return delivery


def test_the_same_file_again_changes_no_row(place: Workplace, loaded: int) -> None:
    before = everything(place.warehouse, but=SEEN)
    assert ingest("NORDBOK", [parcel().land(place)]) == [loaded]
    assert everything(place.warehouse, but=SEEN) == before


def test_the_same_content_under_another_name_is_recognised_and_kept_in_the_archive(
    place: Workplace, loaded: int
) -> None:
    before = everything(place.warehouse, but=SEEN)
    uri = parcel().land(place, minute=59, word="igen")
    assert ingest("NORDBOK", [uri]) == [loaded]
    assert everything(place.warehouse, but=SEEN) == before
    assert not place.zone.exists(uri)
    archive = Path(place.settings.landing_url) / "archive" / "NORDBOK"
    names = sorted(file.name[13:] for file in archive.rglob("*.mrc"))
    assert names == [file_name("NORDBOK"), file_name("NORDBOK", 59, "igen")]
    with place.warehouse.read() as connection:
        rows = connection.exec_driver_sql(
            f"SELECT name, is_repeat FROM raw_delivery_name WHERE delivery_id = {loaded} ORDER BY seen_at, name"
        )
        assert [(row[0], bool(row[1])) for row in rows] == [
            (file_name("NORDBOK"), False),
            (file_name("NORDBOK", 59, "igen"), True),
        ]


def test_the_same_name_with_new_content_is_a_new_delivery(place: Workplace, loaded: int) -> None:
    other = Parcel().bib(book(20), "N20").holding("SOLB")
    (delivery,) = ingest("NORDBOK", [other.land(place)])
    assert delivery != loaded
    row = ledger(place.warehouse, delivery)
    assert (row.name, row.bibs_created) == (file_name("NORDBOK"), 1)
    archive = Path(place.settings.landing_url) / "archive" / "NORDBOK"
    assert len(list(archive.rglob("*.mrc"))) == 2


def test_the_same_content_from_another_sender_is_another_delivery(place: Workplace, loaded: int) -> None:
    content = parcel().content
    (other,) = ingest("FORHAND", [land(place, "FORHAND", file_name("FORHAND"), content)])
    assert other != loaded
    assert ledger(place.warehouse, other).sender == "FORHAND"


def test_again_does_not_load_what_is_on_the_shelves_already(place: Workplace, loaded: int) -> None:
    before = everything(place.warehouse, but=SEEN)
    assert ingest("NORDBOK", [parcel().land(place)], again=True) == [loaded]
    assert everything(place.warehouse, but=SEEN) == before


def test_a_file_that_is_no_marc_is_rejected_once_and_waits_in_quarantine(place: Workplace) -> None:
    name = file_name("NORDBOK")
    (delivery,) = ingest("NORDBOK", [land(place, "NORDBOK", name, b"<html><body>Logga in</body></html>")])
    row = ledger(place.warehouse, delivery)
    assert row.state == DeliveryState.REJECTED
    assert "an HTML page" in row.hold_reason
    assert "/quarantine/NORDBOK/" in row.uri
    assert place.zone.exists(row.uri)
    before = everything(place.warehouse, but=SEEN)
    assert ingest("NORDBOK", [land(place, "NORDBOK", name, b"<html><body>Logga in</body></html>")]) == [delivery]
    assert everything(place.warehouse, but=SEEN) == before


def test_each_stage_run_twice_is_as_run_once(place: Workplace) -> None:
    uri = parcel().land(place)
    deliveries = receive.fn("NORDBOK", [uri])
    for stage in TO_THE_SHELVES:
        stage(deliveries)
        done = everything(place.warehouse)
        assert receive.fn("NORDBOK", []) in (deliveries, [])
        stage(deliveries)
        assert _but_instants(everything(place.warehouse)) == _but_instants(done)
    (delivery,) = deliveries
    assert ledger(place.warehouse, delivery).business_date == DAY


def _but_instants(found: dict[str, list[object]]) -> str:
    """The ledger's own notes (run, instants) may be written again."""
    return repr({name: rows for name, rows in found.items() if name != "raw_delivery"})


def test_a_record_sent_again_unchanged_is_newer_than_what_was_sent_between(place: Workplace) -> None:
    same, other = book(1), book(1, pages=book(1).pages + 1)
    ingest("NORDBOK", [Parcel().bib(same, "N1").land(place, 10, "forst")])
    ingest("NORDBOK", [Parcel().bib(same, "N1").holding("SOLB").land(place, 30, "sist")])
    content = catalogue_content(place.warehouse)
    (late,) = ingest("NORDBOK", [Parcel().bib(other, "N1").land(place, 20, "sen")])
    assert ledger(place.warehouse, late).bibs_kept == 1
    assert catalogue_content(place.warehouse) == content


def test_an_old_file_that_comes_late_puts_nothing_back(place: Workplace) -> None:
    old = Parcel().bib(book(1), "N1").holding("SOLB", "Gammal").holding("LUNV", "Avbeställd")
    new = Parcel().bib(book(1), "N1").holding("SOLB", "Ny").holding("LUNV", is_delete=True)
    ingest("NORDBOK", [new.land(place, 30, "ny")])
    content = catalogue_content(place.warehouse)
    (late,) = ingest("NORDBOK", [old.land(place, 10, "gammal")])
    assert catalogue_content(place.warehouse) == content
    row = ledger(place.warehouse, late)
    assert (row.bibs_kept, row.holdings_unchanged) == (1, 2)
