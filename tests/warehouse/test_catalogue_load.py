"""An export of the union catalogue comes in as it is: edits marked, deletes and merges followed, absence only told."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from deployments.sample.catalogue import write_catalogue
from deployments.sample.records import Line
from schemas.marc import data_field
from schemas.outcomes import DeliveryState
from tasks.catalogue.fingerprint import content
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenHome
from tests.warehouse.parcels import Export, Parcel, book, with_isbn
from tests.warehouse.pipeline import (
    catalogue_content,
    decide_plan,
    everything,
    ingest,
    ledger,
    load_catalogue,
    outcomes,
    revert,
)


def merged_from(*numbers: str) -> Any:
    return data_field("019", "  ", [("a", number) for number in numbers])


def bibs(
    place: Workplace, columns: str = "control_number, source, last_editor, encoding_level"
) -> list[tuple[Any, ...]]:
    with place.warehouse.read() as connection:
        rows = connection.exec_driver_sql(f"SELECT {columns} FROM out_bib WHERE NOT is_deleted ORDER BY control_number")
        return [tuple(row) for row in rows]


def holdings(place: Workplace) -> list[tuple[Any, ...]]:
    with place.warehouse.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT b.control_number, h.sigel, l.owner, l.shelf_mark FROM out_holding h"
            " JOIN out_bib b ON b.bib_id = h.bib_id JOIN out_holding_line l ON l.holding_id = h.holding_id"
            " WHERE NOT h.is_deleted ORDER BY 1, 2, l.line_no"
        )
        return [tuple(row) for row in rows]


@pytest.fixture
def first(place: Workplace) -> int:
    """Three bibs: the catalogue's own, a supplier's that is early, and one that a library has edited."""
    export = Export().bib(book(1), "SK01").holding("SOLB", Line("Hc", owner="NORDBOK"), Line("Ref"))
    export.bib(book(2), "SK02", level="8", agency="FORHAND").holding("NORU").holding("GRAN")
    export.bib(book(3), "SK03", level="8", agency="FORHAND", editors=("FORHAND", "NORU"))
    return export.load(place, "full")


def test_records_keep_their_numbers_and_say_who_made_and_edited_them(place: Workplace, first: int) -> None:
    assert bibs(place) == [
        ("SK01", "catalogue", "system", " "),
        ("SK02", "FORHAND", "supplier", "8"),
        ("SK03", "FORHAND", "human", "8"),
    ]
    assert holdings(place) == [
        ("SK01", "SOLB", "NORDBOK", "Hc"),
        ("SK01", "SOLB", "library", "Ref"),
        ("SK02", "GRAN", "library", "Magasin"),
        ("SK02", "NORU", "library", "Magasin"),
    ]
    row = ledger(place.warehouse, first)
    assert (row.state, row.kind, row.mode, row.bibs_created, row.holdings_created) == (
        DeliveryState.SETTLED, "catalogue", "full", 3, 3,
    )  # fmt: skip
    with place.warehouse.read() as connection:
        hidden = connection.exec_driver_sql("SELECT sigel FROM out_holding WHERE NOT is_visible").scalars().all()
    assert hidden == ["GRAN"]


def test_the_same_export_again_changes_nothing(place: Workplace, first: int, tmp_path: Path) -> None:
    content = catalogue_content(place.warehouse)
    core = {name: rows for name, rows in everything(place.warehouse).items() if name in ("core_bib", "core_holding")}
    # The same records in another file are another delivery, and change nothing either.
    export = Export().bib(book(3), "SK03", level="8", agency="FORHAND", editors=("FORHAND", "NORU"))
    export.bib(book(1), "SK01").holding("SOLB", Line("Hc", owner="NORDBOK"), Line("Ref"))
    export.bib(book(2), "SK02", level="8", agency="FORHAND").holding("NORU").holding("GRAN")
    second = export.load(place, "full", "again.mrc")
    row = ledger(place.warehouse, second)
    assert (row.bibs_kept, row.holdings_unchanged) == (3, 3)
    assert catalogue_content(place.warehouse) == content
    assert {name: rows for name, rows in everything(place.warehouse).items() if name in core} == core
    with place.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM core_plan").scalar() == 0


def test_a_record_that_differs_was_edited_by_a_person_and_no_supplier_replaces_it(place: Workplace, first: int) -> None:
    edited = Export().bib(book(2, title="Rättad titel"), "SK02", level="8", agency="FORHAND").load(place)
    assert ledger(place.warehouse, edited).bibs_replaced == 1
    assert bibs(place)[1] == ("SK02", "catalogue", "human", "8")
    (delivery,) = ingest("NORDBOK", [Parcel().bib(book(2, title="Rättad titel"), "N2").land(place)])
    assert ledger(place.warehouse, delivery).bibs_kept == 1
    assert {each[6] for each in outcomes(place.warehouse)} >= {"kept_human_edit", "human_edit"}


def test_deletes_are_followed_and_a_record_that_is_back_is_back(place: Workplace, first: int) -> None:
    gone = Export().bib(book(1), "SK01", status="d").holding("SOLB", is_delete=True).bib(book(9), "SK99", status="d")
    delivery = gone.load(place)
    row = ledger(place.warehouse, delivery)
    assert (row.bibs_replaced, row.bibs_kept, row.holdings_deleted) == (1, 1, 1)
    assert [each[0] for each in bibs(place)] == ["SK02", "SK03"]
    again = gone.load(place, name="gone-again.mrc")
    assert again == delivery
    back = Export().bib(book(1), "SK01").holding("SOLB").load(place, name="back.mrc")
    assert ledger(place.warehouse, back).holdings_created == 1
    assert [each[0] for each in bibs(place)] == ["SK01", "SK02", "SK03"]
    revert(back)
    assert [each[0] for each in bibs(place)] == ["SK02", "SK03"]
    revert(delivery)
    assert [each[0] for each in bibs(place)] == ["SK01", "SK02", "SK03"]


def test_merges_are_followed_and_holdings_move(place: Workplace, first: int) -> None:
    Export().bib(book(4), "SK04").holding("NORU", Line("Pall")).load(place, name="four.mrc")
    merge = Export().bib(book(4), "SK04", extra=(merged_from("SK02", "SK77"),)).holding("NORU", Line("Pall"))
    merge.load(place, name="merge.mrc")
    assert [each[0] for each in bibs(place)] == ["SK01", "SK03", "SK04"]
    assert [each[1:] for each in holdings(place) if each[0] == "SK04"] == [
        ("GRAN", "library", "Magasin"),
        ("NORU", "library", "Pall"),
    ]
    with place.warehouse.read() as connection:
        merged = connection.exec_driver_sql("SELECT merged_into FROM out_bib WHERE control_number = 'SK02'").scalar()
        assert merged == 4
    content, core = catalogue_content(place.warehouse), everything(place.warehouse)["core_bib"]
    merge.bib(book(5), "SK05").load(place, name="merge-again.mrc")
    Export().bib(book(5), "SK05", status="d").load(place, name="without-five.mrc")
    assert catalogue_content(place.warehouse) == content
    assert [row for row in everything(place.warehouse)["core_bib"] if row[1] != "SK05"] == core


def test_a_record_whose_number_was_merged_away_stays_merged(place: Workplace, first: int) -> None:
    Export().bib(book(3), "SK03", extra=(merged_from("SK02"),)).load(place, name="merge.mrc")
    late = Export().bib(book(2), "SK02", level="8", agency="FORHAND").holding("FJOR").load(place, name="late.mrc")
    row = ledger(place.warehouse, late)
    assert (row.bibs_kept, row.holdings_created) == (1, 1)
    assert [each[0] for each in bibs(place)] == ["SK01", "SK03"]
    assert ("SK03", "FJOR", "library", "Magasin") in holdings(place)


def test_a_record_that_cannot_be_taken_in_takes_nobodys_place(place: Workplace, first: int) -> None:
    broken = Export().bib(book(6), "SK06", extra=(merged_from("SK01"),))
    broken.pieces[-1].all_fields = [each for each in broken.pieces[-1].all_fields if each.tag != "245"]
    broken.bib(book(7), "").load(place, name="broken.mrc")
    rejected = {each[6] for each in outcomes(place.warehouse) if each[5] == "rejected"}
    assert rejected == {"bib_unfit", "no_control_number"}
    assert [each[0] for each in bibs(place)] == ["SK01", "SK02", "SK03"]


def test_what_a_full_export_lacks_is_only_planned_and_deleted_after_approval(place: Workplace, first: int) -> None:
    ingest("NORDBOK", [Parcel().bib(book(30), "N30").land(place)])
    full = Export().bib(book(1), "SK01").holding("SOLB", Line("Hc", owner="NORDBOK"), Line("Ref"))
    full.load(place, "full", "short.mrc")
    assert [each[0] for each in bibs(place)] == ["SK01", "SK02", "SK03", "samkat4"]
    with place.warehouse.read() as connection:
        (plan,) = connection.exec_driver_sql("SELECT * FROM out_plan").all()
    # SK02 was edited by its supplier last and may be newer than the export; only SK03 is meant.
    assert (plan._mapping["class"], plan.planned, plan.state) == ("bib_absent", 1, "held")
    decide_plan(plan.plan_hash, "approve")
    assert [each[0] for each in bibs(place)] == ["SK01", "SK02", "samkat4"]
    before = everything(place.warehouse)
    decide_plan(plan.plan_hash, "approve")
    assert everything(place.warehouse) == before


def test_a_delta_says_nothing_about_what_it_lacks(place: Workplace, first: int) -> None:
    Export().bib(book(1), "SK01").load(place, "delta", "delta.mrc")
    with place.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM core_plan").scalar() == 0


def test_an_export_in_several_files_is_one_export(place: Workplace, tmp_path: Path) -> None:
    one, two = tmp_path / "one.mrc", tmp_path / "two.mrc"
    one.write_bytes(Export().bib(book(1), "SK01").bib(book(2), "SK02").content)
    two.write_bytes(Export().bib(book(3), "SK03").content)
    load_catalogue(place, [one, two])
    again = tmp_path / "one-again.mrc"
    again.write_bytes(Export().bib(book(2), "SK02").bib(book(1), "SK01").content)
    load_catalogue(place, [again, two])
    with place.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM core_plan").scalar() == 0


def test_both_engines_end_with_the_same_content(
    open_home: OpenHome, sqlite_template: Path, postgresql_warehouse_url: str, tmp_path: Path
) -> None:
    files = write_catalogue(tmp_path / "catalogue", 1, 150)
    shutil.copyfile(sqlite_template, tmp_path / "warehouse.db")
    contents = []
    for number, url in enumerate((f"sqlite:///{tmp_path / 'warehouse.db'}", postgresql_warehouse_url)):
        place = open_home(url, tmp_path / f"home-{number}", today="2025-03-14")
        load_catalogue(place, files)
        parcel = Parcel().bib(book(1), "N1").holding("SOLB").bib(with_isbn(book(2), "978-91-xxx"), "N2").holding("LUNV")
        ingest("NORDBOK", [parcel.land(place)])
        with place.warehouse.read() as connection:
            contents.append(content(connection))
    assert contents[0] == contents[1]
