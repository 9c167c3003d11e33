"""What the local systems are sent: what changed, once, with its holdings; and what went, said in the right way."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import pymarc
import pytest
import sqlalchemy as sa
from lxml import etree

from deployments.sample.records import Line
from schemas.marc import data_field
from schemas.register.export_profiles import ExportTriggers
from schemas.warehouse.core import core_bib, core_holding
from tasks.catalogue.holding_store import HoldingVersion, lines_of, write_holding_versions
from tasks.warehouse.migrate import migrate
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenHome
from tests.warehouse.export_checks import (
    ALL,
    BOTH,
    ON_SQLITE,
    SOLB,
    content_of,
    counts,
    manifest_of,
    records_of,
    send,
    sent,
    shown,
)
from tests.warehouse.parcels import Export, Parcel, book, with_isbn
from tests.warehouse.pipeline import ingest, load_catalogue, revert


@pytest.fixture
def catalogue(place: Workplace) -> Workplace:
    """Three bibs: two held in Solberg, one of them and another in Nordhavet."""
    export = Export().bib(book(1), "SK01").holding("SOLB", Line("Hc")).holding("NORU", Line("Mag"))
    export.bib(book(2), "SK02").holding("SOLB", Line("Hcg")).bib(book(3), "SK03").holding("NORU", Line("Mag"))
    export.load(place, "full")
    return place


def edited(number: int, word: str, export: Export | None = None) -> Export:
    note = data_field("500", "  ", [("a", word)])
    return (export or Export()).bib(book(number), f"SK{number:02d}", extra=(note,))


def move(place: Workplace, bib: str, sigel: str, to: str) -> None:
    """Move a holding to another bib, as a merge does."""
    with place.warehouse.write("catalogue") as connection:
        ids = dict(tuple(row) for row in connection.execute(sa.select(core_bib.c.control_number, core_bib.c.bib_id)))
        holding = core_holding.c
        (number,) = connection.execute(
            sa.select(holding.holding_id).where(holding.bib_id == ids[bib], holding.sigel == sigel)
        ).scalars()
        version = HoldingVersion(number, lines_of(connection, [number])[number], bib_id=ids[to])
        write_holding_versions(connection, None, [version], place.now)


def test_the_first_file_has_all_that_is_held_and_the_next_one_only_what_changed(catalogue: Workplace) -> None:
    first = send(catalogue)
    assert shown(catalogue, first) == [
        "n bib SK01", "n holding SK01-SOLB of SK01: Hc", "n bib SK02", "n holding SK02-SOLB of SK02: Hcg",
    ]  # fmt: skip
    assert first.uri.endswith("exports/solberg/solberg.20250314.marc")
    assert counts(first) == {"records": 4, "bibs_written": 2, "holdings_written": 2}
    content = content_of(catalogue, first)
    assert (first.sha256, first.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert manifest_of(catalogue, first)["files"] == [
        {"name": "solberg.20250314.marc", "kind": "records", "sha256": first.sha256, "bytes": first.bytes}
    ]
    assert send(catalogue).state == "nothing"
    edited(2, "Ny not").load(catalogue)
    edited(3, "Elsewhere").load(catalogue, name="other.mrc")
    second = send(catalogue)
    assert shown(catalogue, second) == ["n bib SK02", "n holding SK02-SOLB of SK02: Hcg"]
    assert second.name == "solberg.20250314-2.marc"


def test_a_bib_that_three_deliveries_of_a_night_changed_goes_out_once(catalogue: Workplace) -> None:
    send(catalogue)
    for word in ("first", "second", "third"):
        edited(1, word).load(catalogue, name=f"{word}.mrc")
    Export().bib(book(1), "SK01", extra=(data_field("500", "  ", [("a", "third")]),)).holding(
        "SOLB", Line("Hc"), Line("Ref")
    ).load(catalogue, name="holding.mrc")
    row = send(catalogue)
    assert shown(catalogue, row) == ["n bib SK01", "n holding SK01-SOLB of SK01: Hc/Ref"]
    assert [each["a"] for each in records_of(catalogue, row)[0].get_fields("500")] == ["third"]


def test_a_suppliers_title_of_today_is_in_the_file_of_its_library_alone(catalogue: Workplace) -> None:
    send(catalogue), send(catalogue, BOTH)
    parcel = Parcel().bib(book(7), "NB7").holding("SOLB", "Hd").bib(book(8), "NB8").holding("NORU")
    ingest("NORDBOK", [parcel.land(catalogue)])
    row = send(catalogue)
    (bib, holding) = records_of(catalogue, row)
    number = bib["001"].data
    assert (number, bib["003"].data, len(bib["005"].data)) == ("samkat4", "SAMKAT", 16)
    assert (holding["001"].data, holding["004"].data) == (f"{number}-SOLB", number)
    assert holding["852"].get_subfields("x") == ["origin:NORDBOK"]
    assert counts(send(catalogue, BOTH)) == {"records": 4, "bibs_written": 2, "holdings_written": 2}


def test_a_holding_that_moved_exports_both_bibs(catalogue: Workplace) -> None:
    for profile in (SOLB, BOTH, ALL):
        send(catalogue, profile)
    move(catalogue, "SK01", "SOLB", to="SK03")
    alone = send(catalogue)
    assert shown(catalogue, alone) == ["d bib SK01", "n bib SK03", "n holding SK01-SOLB of SK03: Hc"]
    assert counts(alone) == {"records": 3, "bibs_written": 1, "bibs_unheld": 1, "holdings_written": 1}
    assert sent(catalogue, BOTH) == [
        "n bib SK01", "n holding SK01-NORU of SK01: Mag",
        "n bib SK03", "n holding SK03-NORU of SK03: Mag", "n holding SK01-SOLB of SK03: Hc",
    ]  # fmt: skip
    assert [line for line in sent(catalogue, ALL) if "bib" in line] == ["n bib SK01", "n bib SK03"]
    # A number that the catalogue did not give is made of the bib's, so the receiver is told that the old one is gone.
    ingest("NORDBOK", [Parcel().bib(book(7), "NB7").holding("SOLB").holding("NORU").land(catalogue)])
    send(catalogue, BOTH)
    move(catalogue, "samkat4", "SOLB", to="SK01")
    assert "d holding samkat4-SOLB of samkat4: -" in sent(catalogue, BOTH)
    send(catalogue)
    # What came after does not bring the bib it once left back.
    Export().bib(book(3), "SK03").holding("SOLB", Line("Hc"), Line("Ref")).load(catalogue)
    assert sent(catalogue) == ["n bib SK03", "n holding SK01-SOLB of SK03: Hc/Ref"]


def test_a_deleted_holding_is_told_and_the_last_one_is_a_virtual_delete(catalogue: Workplace) -> None:
    for profile in (SOLB, BOTH, ALL):
        send(catalogue, profile)
    Export().bib(book(1), "SK01").holding("SOLB", is_delete=True).load(catalogue)
    assert sent(catalogue) == ["d bib SK01"]
    assert sent(catalogue, BOTH) == [
        "n bib SK01", "n holding SK01-NORU of SK01: Mag", "d holding SK01-SOLB of SK01: -",
    ]  # fmt: skip
    assert sent(catalogue, ALL)[0] == "n bib SK01"
    Export().bib(book(1), "SK01").holding("SOLB", Line("Hc")).load(catalogue, name="again.mrc")
    assert sent(catalogue) == ["n bib SK01", "n holding SK01-SOLB of SK01: Hc"]


def test_a_deleted_bib_and_a_merged_one_with_its_successor(catalogue: Workplace) -> None:
    send(catalogue), send(catalogue, ALL)
    listed = SOLB.model_copy(update={"name": "listed", "deleted": "list"})
    silent = SOLB.model_copy(update={"name": "silent", "deleted": "ignore"})
    send(catalogue, listed), send(catalogue, silent)
    Export().bib(book(3), "SK03", status="d").load(catalogue)
    Export().bib(book(1), "SK01", extra=(data_field("019", "  ", [("a", "SK02")]),)).load(catalogue, name="merge.mrc")
    everything = send(catalogue, ALL)
    assert shown(catalogue, everything) == [
        "n bib SK01", "n holding SK01-NORU of SK01: Mag", "n holding SK01-SOLB of SK01: Hc/Hcg",
        "d bib SK02", "d bib SK03",
    ]  # fmt: skip
    survivor, *_, merged, deleted = records_of(catalogue, everything)
    assert survivor["019"].get_subfields("a") == ["SK02"]
    assert merged["787"].get_subfields("i", "w") == ["Replaced by:", "(SAMKAT)SK01"]
    assert deleted.get_fields("787") == []
    assert counts(everything) == {
        "records": 5, "bibs_written": 1, "bibs_deleted": 1, "bibs_merged": 1, "holdings_written": 2,
    }  # fmt: skip
    assert "d bib SK02" in sent(catalogue)
    row = send(catalogue, listed)
    with catalogue.zone.open(f"{row.uri}.deleted.csv") as stream:
        assert list(csv.reader(io.TextIOWrapper(stream, "utf-8"))) == [
            ["control_number", "reason", "successor"], ["SK02", "merged", "SK01"],
        ]  # fmt: skip
    assert counts(row)["bibs_merged"] == 1
    assert "bibs_merged" not in counts(send(catalogue, silent))


@ON_SQLITE
def test_what_came_and_went_between_two_files_is_not_told(catalogue: Workplace) -> None:
    send(catalogue), send(catalogue, ALL)
    (delivery,) = ingest("NORDBOK", [Parcel().bib(book(7), "NB7").holding("SOLB").land(catalogue)])
    revert(delivery)
    assert send(catalogue).state == "nothing"
    assert send(catalogue, ALL).state == "nothing"


@ON_SQLITE
def test_an_undone_delivery_is_taken_back_by_the_next_file(catalogue: Workplace) -> None:
    send(catalogue)
    (delivery,) = ingest("NORDBOK", [Parcel().bib(book(7), "NB7").holding("SOLB").land(catalogue)])
    assert [line.split()[:2] for line in sent(catalogue)] == [["n", "bib"], ["n", "holding"]]
    revert(delivery)
    assert sent(catalogue) == ["d bib samkat4"]


def test_triggers_and_filters_choose_among_changes(catalogue: Workplace) -> None:
    asked: list[tuple[dict[str, object], list[str]]] = [
        ({"triggers": ExportTriggers(bib_updated=False)}, ["SK03"]),
        ({"triggers": ExportTriggers(holding_created=False)}, ["SK01", "SK02"]),
        ({"triggers": ExportTriggers(sources=("NORDBOK",))}, ["SK03"]),
        ({"drop_levels": ("8",)}, ["SK01", "SK03"]),
        ({"e_resources": "only"}, []),
        ({"e_resources": "none"}, ["SK01", "SK02", "SK03"]),
    ]
    profiles = [BOTH.model_copy(update={"name": f"p{place}", **changes}) for place, (changes, _) in enumerate(asked)]
    for profile in profiles:
        send(catalogue, profile)
    edited(1, "edited").load(catalogue)
    Export().bib(book(2), "SK02", level="8").load(catalogue, name="level.mrc")
    third = Parcel().bib(with_isbn(book(3), book(3).numbers[0].text), "NB3").holding("SOLB")
    ingest("NORDBOK", [third.land(catalogue)])
    found = [[line.split()[-1] for line in sent(catalogue, each) if "bib" in line] for each in profiles]
    assert found == [expected for _, expected in asked]


@ON_SQLITE
def test_holdings_stand_where_the_profile_wants_them(catalogue: Workplace) -> None:
    Export().bib(book(4), "SK04").holding("GRAN", Line("Sk")).load(catalogue, name="school.mrc")

    def lines(**changes: object) -> list[str]:
        return sent(catalogue, ALL.model_copy(update={"name": f"h{len(str(changes))}", **changes}))

    bibs = [f"n bib SK0{number}" for number in (1, 2, 3, 4)]
    assert lines(holdings="none") == bibs
    assert lines(holdings="after")[:4] == bibs
    assert len(lines(holdings="after", letters="decomposed")) == 9
    assert len(lines(hidden_holdings=False)) == 8
    embedded = send(catalogue, ALL.model_copy(update={"name": "embedded", "holdings": "embedded"}))
    first = records_of(catalogue, embedded)[0]
    assert [(each["b"], each["h"]) for each in first.get_fields("852")] == [("NORU", "Mag"), ("SOLB", "Hc")]
    assert counts(embedded) == {"records": 4, "bibs_written": 4, "holdings_written": 5}


def test_exported_loaded_elsewhere_and_exported_again_the_records_are_the_same(
    catalogue: Workplace, open_home: OpenHome, tmp_path: Path
) -> None:
    parcel = Parcel().bib(book(7), "NB7").holding("SOLB", "Hd", "He").bib(book(2), "NB2", level="5").holding("SOLB")
    ingest("NORDBOK", [parcel.land(catalogue)])
    Export().bib(book(1), "SK01", extra=(data_field("019", "  ", [("a", "SK03")]),)).load(catalogue, name="merge.mrc")
    first = content_of(catalogue, send(catalogue, ALL))
    assert len(first.split(b"\x1d")) == 8
    file = tmp_path / "everything.marc"
    file.write_bytes(first)
    elsewhere = open_home(f"sqlite:///{tmp_path / 'elsewhere.db'}", tmp_path / "elsewhere", today="2025-03-15")
    migrate(elsewhere.warehouse)
    load_catalogue(elsewhere, [file], "full")
    assert content_of(elsewhere, send(elsewhere, ALL)) == first


@ON_SQLITE
def test_an_xml_file_validates_and_holds_the_same(catalogue: Workplace, shared_data: Path) -> None:
    (schema,) = (shared_data / "xsd").rglob("*MARC21slim.xsd")
    ingest("NORDBOK", [Parcel().bib(book(7), "NB7").holding("SOLB", "Å & Ö").land(catalogue)])
    found = content_of(catalogue, send(catalogue, ALL.model_copy(update={"name": "xml", "format": "marcxml"})))
    document = etree.fromstring(found)
    etree.XMLSchema(etree.parse(str(schema))).assertValid(document)
    in_xml = pymarc.parse_xml_to_array(io.BytesIO(found))
    in_iso = records_of(catalogue, send(catalogue, ALL))
    assert [record.as_dict()["fields"] for record in in_xml] == [record.as_dict()["fields"] for record in in_iso]


@ON_SQLITE
def test_latin1_lists_what_it_cannot_write(catalogue: Workplace) -> None:
    edited(1, "Łódź – “ö” Ж", edited(2, "plain")).load(catalogue)
    row = send(catalogue, SOLB.model_copy(update={"charset": "iso8859-1"}))
    content = content_of(catalogue, row)
    pieces = content.split(b"\x1d")
    assert all(int(piece[:5]) == len(piece) + 1 and piece[9:10] == b" " for piece in pieces[:-1])
    assert 'Lódz - "ö" ?'.encode("iso8859-1") in content
    with catalogue.zone.open(f"{row.uri}.left-out.csv") as stream:
        listed = list(csv.DictReader(io.TextIOWrapper(stream, "utf-8")))
    assert [(each["control_number"], each["field"], each["code_point"], each["written"]) for each in listed] == [
        ("SK01", "500", code, written)
        for code, written in (
            ("U+0141", "L"), ("U+017A", "z"), ("U+2013", "-"), ("U+201C", '"'), ("U+201D", '"'), ("U+0416", "?"),
        )
    ]  # fmt: skip
    assert counts(row)["characters_replaced"] == 6


@ON_SQLITE
def test_a_record_too_long_for_iso2709_is_listed_and_stops_no_other(catalogue: Workplace) -> None:
    edited(1, "x" * 12_000, edited(2, "short")).load(catalogue)
    row = send(catalogue)
    assert [line for line in shown(catalogue, row) if "bib" in line] == ["n bib SK02"]
    assert counts(row) == {"records": 2, "bibs_written": 1, "holdings_written": 1, "left_out": 1}
    with catalogue.zone.open(f"{row.uri}.left-out.csv") as stream:
        (listed,) = csv.DictReader(io.TextIOWrapper(stream, "utf-8"))
    assert (listed["control_number"], listed["problem"]) == (
        "SK01", "left out: 500 has more than 9,999 bytes, which ISO2709 cannot say",
    )  # fmt: skip
