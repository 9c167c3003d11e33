"""A joining library's whole stock: what is found, what waits, what is attached, and what can be undone."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from deployments.sample.records import Line
from schemas.errors import UsageError
from tasks.collections import files
from tasks.workplace import Workplace
from tests.warehouse.collection_runs import decide, handed, match, read_csv, shelf, table, view
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.export_checks import ON_SQLITE
from tests.warehouse.parcels import Export, Parcel, book, with_isbn
from tests.warehouse.pipeline import catalogue_content, decide_reviews, everything, load_overdue, revert


def row(serial: int, mark: str = "Hc", local_id: str = "", **changes: object) -> list[object]:
    one = book(serial)
    said: dict[str, object] = {
        "isbn": one.isbn, "title": one.title, "author": one.author, "year": one.year, "mark": mark, "id": local_id,
    }  # fmt: skip
    return list({**said, **changes}.values())


STOCK = (
    row(1, "Hcf", "101"),
    row(2, "Hc", "102"),
    row(3, "Hcg", "103", title="Något helt annat", author=""),
    row(7, "Hc", "104"),
    row(1, "Hcf.2", "105"),
    row(8, "Hc", "106", isbn="9.78914E+12"),
    row(9, "Hc", "107", isbn=""),
)
HELD_ALREADY = "attached to the holding that was there"
BY_PART = "isbn_a+title_part+authors"
UNREADABLE = b'"aldrig st\xc3\xa4ngd;x;y\r\n'


@pytest.fixture
def catalogue(place: Workplace) -> Workplace:
    """Three bibs; Solberg holds one of them already."""
    export = Export().bib(book(1), "SK01").bib(book(2), "SK02").holding("SOLB", Line("Ref")).holding("NORU")
    export.bib(book(3), "SK03").load(place, "full")
    return place


def test_every_row_ends_once_and_nothing_is_written_before_it_is_approved(catalogue: Workplace) -> None:
    before = catalogue_content(catalogue.warehouse)
    found = match(catalogue, table(*STOCK) + UNREADABLE)
    assert found.endings == {"matched": 3, "review": 1, "not_found": 2, "bad_isbn": 1, "unreadable": 1}
    assert sum(found.endings.values()) == len(STOCK) + 1
    assert catalogue_content(catalogue.warehouse) == before
    rows = view(catalogue, "out_collection_row", "position", "ending", "rule", "local_id", "control_number")
    assert [each[1:] for each in rows] == [
        ("matched", BY_PART, "101", "SK01"), ("matched", BY_PART, "102", "SK02"),
        ("review", "isbn_a_unconfirmed", "103", None), ("not_found", "no_candidate", "104", None),
        ("matched", BY_PART, "105", "SK01"), ("bad_isbn", "isbn_wrong", "106", None),
        ("not_found", "no_number", "107", None), ("unreadable", "unreadable", "", None),
    ]  # fmt: skip
    ((*counts, plan_state),) = view(
        catalogue, "out_collection", "rows_read", "matched", "review", "not_found", "bad_isbn", "unreadable",
        "plan_state",
    )  # fmt: skip
    assert (counts, plan_state) == ([8, 3, 1, 2, 1, 1], "held")
    assert shelf(catalogue) == [("SK02", "Ref")]


def test_approval_attaches_the_holdings_and_revert_takes_them_away(catalogue: Workplace) -> None:
    before = catalogue_content(catalogue.warehouse)
    found = match(catalogue, table(*STOCK))
    said = decide(found.plan_hash)
    assert "1 holdings created, 2 holdings updated" in said
    assert shelf(catalogue) == [("SK01", "Hcf"), ("SK01", "Hcf.2"), ("SK02", "Ref"), ("SK02", "Hc")]
    after = catalogue_content(catalogue.warehouse)
    assert decide(found.plan_hash) == ""
    assert catalogue_content(catalogue.warehouse) == after
    assert revert(found.delivery_id)["holdings"] == 2
    assert catalogue_content(catalogue.warehouse) == before
    assert revert(found.delivery_id)["was_reverted"]


@ON_SQLITE
def test_the_same_file_again_changes_nothing(catalogue: Workplace) -> None:
    found = match(catalogue, table(*STOCK))
    decide(found.plan_hash)
    kept = everything(catalogue.warehouse, but=("raw_delivery_name", "core_counter"))
    again = match(catalogue, table(*STOCK), name="sent-again.csv")
    assert (again.delivery_id, again.plan_state, again.endings) == (found.delivery_id, "applied", found.endings)
    assert everything(catalogue.warehouse, but=("raw_delivery_name", "core_counter")) == kept


def test_a_dry_run_says_the_same_and_settles_nothing(catalogue: Workplace) -> None:
    dry = match(catalogue, table(*STOCK), dry_run=True)
    assert (dry.is_preview, dry.plan_hash) == (True, "")
    assert view(catalogue, "out_plan", "plan_hash", "scope") == []
    assert view(catalogue, "out_collection", "delivery_id", "matched") == []
    told = read_csv(catalogue, dry.files["matched"])
    assert [(each["local_id"], each["catalogue_number"], each["holding"]) for each in told] == [
        ("101", "SK01", "waits for approval"), ("102", "SK02", "waits for approval"),
        ("105", "SK01", "waits for approval"),
    ]  # fmt: skip
    real = match(catalogue, table(*STOCK))
    assert real.endings == dry.endings
    assert read_csv(catalogue, real.files["not_found"]) == read_csv(catalogue, dry.files["not_found"])


@ON_SQLITE
def test_a_library_gets_four_files_and_a_report(catalogue: Workplace) -> None:
    found = match(catalogue, table(*STOCK))
    assert sorted(found.files) == ["bad_isbn", "matched", "not_found", "report", "review"]
    (bad,) = read_csv(catalogue, found.files["bad_isbn"])
    assert (bad["row"], bad["local_id"], bad["isbn"]) == ("6", "106", "9.78914E+12")
    assert "a spreadsheet has rounded the number" in bad["why"]
    (asked,) = read_csv(catalogue, found.files["review"])
    number, title = asked["candidate_1"].split(" | ")[1:3]
    assert number == "SK03"
    assert title.startswith(book(3).title)
    with catalogue.zone.open(found.files["report"]) as stream:
        page = stream.read().decode()
    assert "42.9%" in page
    assert page.count("data:image/svg+xml") == 3
    assert "matched.csv" in page
    decide(found.plan_hash)
    assert read_csv(catalogue, found.files["matched"])[0]["holding"] == "attached"


def test_the_files_are_the_same_however_few_rows_are_looked_at_at_once(
    catalogue: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = match(catalogue, table(*STOCK) + UNREADABLE)
    decide(found.plan_hash)
    endings = [each for each in found.files if each != "report"]
    before = {each: read_csv(catalogue, found.files[each]) for each in endings}
    assert [each["holding"] for each in before["matched"]] == ["attached", HELD_ALREADY, HELD_ALREADY]
    source = files.Source(found.delivery_id, is_preview=False)
    for at_once, span in ((1, 1), (2, 3), (100, 4)):
        monkeypatch.setattr(files, "AT_ONCE", at_once)
        monkeypatch.setattr(files, "SPAN", span)
        again = files.write_files(catalogue.warehouse, catalogue.zone, source, found.endings, ";")
        assert {each: read_csv(catalogue, again[each]) for each in endings} == before


@ON_SQLITE
@pytest.mark.parametrize("approved_first", [True, False])
def test_a_decided_row_is_attached_with_the_plan_or_after_it(catalogue: Workplace, approved_first: bool) -> None:
    found = match(catalogue, table(*STOCK))
    (asked,) = read_csv(catalogue, found.files["review"])
    decisions = {int(asked["review_id"]): asked["candidate_1"].split(" | ")[0]}
    if approved_first:
        decide(found.plan_hash)
        assert ("SK03", "Hcg") not in shelf(catalogue)
        decide_reviews(decisions)
    else:
        decide_reviews(decisions)
        assert ("SK03", "Hcg") not in shelf(catalogue)
        decide(found.plan_hash)
    assert ("SK03", "Hcg") in shelf(catalogue)


@ON_SQLITE
def test_a_cataloguer_may_make_a_bib_of_a_row_and_nothing_else_does(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-14")
    Export().bib(book(3), "SK03").load(place, "full")
    found = match(place, table(STOCK[2]))
    assert found.plan_state == "held"
    (asked,) = read_csv(place, found.files["review"])
    place = open_place(today="2026-03-14")
    assert load_overdue().deliveries == []
    decide_reviews({int(asked["review_id"]): "new"})
    decide(found.plan_hash)
    ((number, mark),) = shelf(place)
    assert number.startswith("samkat")
    assert mark == "Hcg"


def test_missing_bibs_are_made_where_they_are_asked_for_and_can_be_looked_for(catalogue: Workplace) -> None:
    found = match(catalogue, table(*STOCK), create_missing=True)
    assert found.endings["not_found"] == 2
    assert len(shelf(catalogue)) == 1
    said = decide(found.plan_hash)
    assert "1 bibs created" in said
    made = [number for number, _ in shelf(catalogue) if number.startswith("samkat")]
    assert len(made) == 1
    assert [each["became"] for each in read_csv(catalogue, found.files["not_found"])] == [
        f"created as {made[0]}", "",
    ]  # fmt: skip
    assert revert(found.delivery_id)["bibs"] == 1


@ON_SQLITE
def test_a_rejected_plan_attaches_nothing_and_may_be_approved_later(catalogue: Workplace) -> None:
    before = catalogue_content(catalogue.warehouse)
    found = match(catalogue, table(*STOCK))
    assert "3 left as they were" in decide(found.plan_hash, "reject")
    assert catalogue_content(catalogue.warehouse) == before
    decide(found.plan_hash, "approve")
    assert len(shelf(catalogue)) == 4


@ON_SQLITE
def test_libraries_with_one_common_catalogue_join_together(catalogue: Workplace) -> None:
    columns = ("ISBN", "Titel", "Upphov", "Filial", "Hylla")
    said = ((1, "Huvudbiblioteket", "Hc"), (2, "Huvudbiblioteket, lunv", "Hcf"), (3, "Bokbussen", "Hc"))
    rows = [(book(each).isbn, book(each).title, book(each).author, *more) for each, *more in said]
    found = match(catalogue, table(*rows, columns=columns), "SOLB=Huvudbiblioteket", "LUNV")
    assert found.sender == "LUNV+SOLB"
    assert "1 holdings are of nobody who joins" in found.remarks[0]
    decide(found.plan_hash)
    assert shelf(catalogue, "LUNV") == [("SK02", "Hcf")]
    assert shelf(catalogue) == [("SK01", "Hc"), ("SK02", "Ref"), ("SK02", "Hcf")]
    refused = view(catalogue, "out_record", "position", "outcome", "reason", "record_type")
    assert (3, "rejected", "'Bokbussen' is none of the libraries that join", "holding") in refused


@pytest.mark.parametrize("chunk_records", [1, 20_000])
def test_records_of_a_local_system_are_matched_with_its_branches_as_places(
    open_place: OpenPlace, chunk_records: int
) -> None:
    place = open_place(today="2025-03-14", chunk_records=chunk_records)
    Export().bib(book(1), "SK01").bib(book(2), "SK02").load(place, "full")
    stock = Parcel("LOKAL").bib(book(1), "1").holding("Huset", "Hcf").holding("Filial", "Hc").bib(book(2), "2")
    found = match(place, stock.bib(book(5), "5").content, name="stock.mrc")
    assert found.endings["matched"] == 2
    assert found.endings["not_found"] == 1
    decide(found.plan_hash)
    assert shelf(place) == [("SK01", "Hcf"), ("SK01", "Hc"), ("SK02", "")]
    with place.warehouse.read() as connection:
        contents = connection.execute(sa.text("SELECT content FROM out_holding_line ORDER BY content")).scalars().all()
    assert '["c","Filial"]' in contents[0].replace(" ", "") or '["c","Filial"]' in contents[1].replace(" ", "")


@ON_SQLITE
def test_a_file_that_cannot_be_read_is_answered_in_words(catalogue: Workplace) -> None:
    lost = match(catalogue, table((1, 2), columns=("Signum", "Namn")))
    assert lost.state == "rejected"
    assert "stock.csv, record 1" in lost.reason or "stock.csv" in lost.reason
    assert "--columns isbn=COLUMN,title=COLUMN" in lost.reason
    assert "Signum, Namn" in lost.reason
    named = match(catalogue, table(*STOCK), columns={"isbn": "Streckkod"})
    assert "no column 'Streckkod' (for isbn)" in named.reason
    empty = match(catalogue, table(), name="empty.csv")
    assert "a heading line and no row" in empty.reason
    with pytest.raises(UsageError, match="is a workbook"):
        match(catalogue, b"PK\x03\x04", name="stock.xlsx")
    with pytest.raises(UsageError, match="no library has the sigel 'NOWHERE'"):
        match(catalogue, table(*STOCK), "NOWHERE")


@ON_SQLITE
def test_a_number_that_is_wrong_leads_to_review_at_most(catalogue: Workplace) -> None:
    Export().bib(with_isbn(book(20), "9789100000001"), "SK20").load(catalogue)
    found = match(catalogue, table(row(20, isbn="9789100000001")))
    assert found.endings["review"] + found.endings["bad_isbn"] == 1
    assert found.endings["matched"] == 0
    assert handed(catalogue, b"x").is_file()
