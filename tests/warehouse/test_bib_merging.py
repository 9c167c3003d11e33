"""Bibs that are one: merged with all that leads to them, and parted again as if nothing had been."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from deployments.sample.records import Line
from schemas.errors import UsageError
from schemas.warehouse.core import core_bib_identifier
from schemas.warehouse.merging import core_bib_merge
from tasks.catalogue.merge_carrying import Asked, merge_as_asked, merges_named, revert_merges, split_as_asked
from tasks.catalogue.preview import rolled_back
from tasks.catalogue.splitting import Split, SplitOccasion, standing_merge
from tasks.catalogue.why import why_bib
from tasks.warehouse.engine import CATALOGUE_LOCK
from tasks.workplace import Workplace
from tests.warehouse.export_checks import ALL, records_of, send, shown
from tests.warehouse.parcels import Export, Parcel, book, with_isbn
from tests.warehouse.pipeline import catalogue_content, ingest, ledger, outcomes, revert

NOW = datetime(2025, 3, 15, 9, 0, tzinfo=UTC)
HC, MAG, REF = Line("Hc"), Line("Magasin"), Line("Ref")
SECOND_ISBN = "9789100999995"


@pytest.fixture
def twice(place: Workplace) -> Workplace:
    """Bib 1 and 2 are one book with two ISBNs, held by three libraries, one of them twice; bib 3 is another book."""
    export = Export().bib(book(1), "SK01").holding("SOLB", HC, REF).holding("NORU", MAG)
    export.bib(with_isbn(book(1), SECOND_ISBN), "SK02", level="8", agency="FORHAND")
    export.holding("SOLB", HC, Line("Pall", owner="NORDBOK")).holding("FJOR", MAG).holding("GRAN")
    export.bib(book(3), "SK03").holding("SOLB").load(place, "full")
    return place


def merge(place: Workplace, keep: int, *others: int, force: bool = False, run: str = "run-1") -> list[Any]:
    with place.warehouse.write(CATALOGUE_LOCK) as connection:
        asked = Asked("Ada Kvist", "the same book", datetime.now(UTC), force=force, run_id=run)
        return merge_as_asked(connection, keep, others, place.register, asked)


def occasion(by: str = "Bo Alm") -> SplitOccasion:
    return SplitOccasion(datetime.now(UTC), by, "they are two after all", "SAMK")


def split(place: Workplace, bib_id: int) -> Split:
    with place.warehouse.write(CATALOGUE_LOCK) as connection:
        done = split_as_asked(connection, standing_merge(connection, bib_id), occasion())
    assert done is not None
    return done


def shelves(place: Workplace) -> list[str]:
    """`bib sigel owner:mark, ...` of every holding that is there."""
    with place.warehouse.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT h.bib_id, h.sigel, l.owner, l.shelf_mark FROM out_holding h"
            " JOIN out_holding_line l ON l.holding_id = h.holding_id WHERE NOT h.is_deleted"
            " ORDER BY h.bib_id, h.sigel, l.line_no"
        ).all()
    found: dict[str, list[str]] = {}
    for bib_id, sigel, owner, mark in rows:
        found.setdefault(f"{bib_id} {sigel}", []).append(mark if owner == "library" else f"{owner}:{mark}")
    return [f"{key} {', '.join(marks)}" for key, marks in found.items()]


NEVER: tuple[tuple[int, list[int], str], ...] = (
    (1, [1], "cannot be merged into itself"),
    (1, [99], "there is no bib 99"),
    (99, [1], "there is no bib 99"),
    (1, [], "no bib is named"),
    (2, [3], r"bib 2 was merged into bib 1.*name bib 1 instead"),
    (3, [2], r"bib 2 was merged into bib 1.*samkat catalogue split 2"),
)
"""What cannot be merged once 2 is part of 1, and what is said."""


def test_holdings_move_a_double_one_is_joined_and_every_number_leads_to_the_survivor(twice: Workplace) -> None:
    before = catalogue_content(twice.warehouse)
    with rolled_back(twice.warehouse) as connection:
        (previewed,) = merge_as_asked(connection, 1, [2], twice.register, Asked("Ada Kvist", "", datetime.now(UTC)))
    assert (previewed.plan.joins, catalogue_content(twice.warehouse)) == (("SOLB",), before)
    (carried,) = merge(twice, 1, 2)
    assert (carried.plan.moves, carried.plan.joins) == (("FJOR", "GRAN"), ("SOLB",))
    assert shelves(twice) == [
        "1 FJOR Magasin", "1 GRAN Magasin", "1 NORU Magasin", "1 SOLB Hc, Ref, NORDBOK:Pall", "3 SOLB Magasin",
    ]  # fmt: skip
    with twice.warehouse.read() as connection:
        row = connection.exec_driver_sql("SELECT is_deleted, merged_into FROM out_bib WHERE bib_id = 2").one()
        number = core_bib_identifier.c
        leads = connection.execute(sa.select(number.bib_id).where(number.value == "SK02").order_by(number.bib_id))
        assert (bool(row.is_deleted), row.merged_into) == (True, 1)
        assert leads.scalars().all() == [1, 2]
        decided = connection.execute(sa.select(core_bib_merge)).one()
    assert (decided.by, decided.rule, decided.reason) == ("Ada Kvist", "asked", "the same book")
    assert '"title"' in decided.evidence
    merged = catalogue_content(twice.warehouse)
    (again,) = merge(twice, 1, 2)
    assert (again.plan.is_done, again.merge) == (True, None)
    for keep, others, words in NEVER:
        with pytest.raises(UsageError, match=words):
            merge(twice, keep, *others)
    assert catalogue_content(twice.warehouse) == merged


def test_a_record_with_a_number_of_the_lost_bib_lands_on_the_survivor(twice: Workplace) -> None:
    merge(twice, 1, 2)
    parcel = Parcel().bib(with_isbn(book(1), SECOND_ISBN), "N1").holding("LUNV", "Ny")
    (delivery,) = ingest("NORDBOK", [parcel.land(twice)])
    row = ledger(twice.warehouse, delivery)
    assert (row.bibs_created, row.bibs_kept, row.bibs_review, row.holdings_created) == (0, 1, 0, 1)
    assert "1 LUNV NORDBOK:Ny" in shelves(twice)
    with twice.warehouse.read() as connection:
        match = connection.exec_driver_sql("SELECT bib_id, verdict, evidence FROM out_match").one()
    assert (match.bib_id, match.verdict) == (1, "match")
    assert '"merged_bib":2' in match.evidence


def test_a_catalogue_record_of_the_lost_bib_lands_on_the_survivor(twice: Workplace) -> None:
    merge(twice, 1, 2)
    late = Export().bib(with_isbn(book(1), SECOND_ISBN), "SK02", level="8", agency="FORHAND").holding("LUNV")
    late.holding("SOLB", HC, Line("Pall", owner="NORDBOK"), Line("Nytt")).holding("FJOR", Line("Hylla"))
    row = ledger(twice.warehouse, late.load(twice, name="late.mrc"))
    assert (row.bibs_kept, row.holdings_created, row.holdings_updated) == (1, 1, 2)
    assert shelves(twice) == [
        "1 FJOR Hylla", "1 GRAN Magasin", "1 LUNV Magasin", "1 NORU Magasin", "1 SOLB Hc, Ref, NORDBOK:Pall, Nytt",
        "3 SOLB Magasin",
    ]  # fmt: skip


def test_merge_then_split_leaves_the_catalogue_as_before(twice: Workplace) -> None:
    before, stood = catalogue_content(twice.warehouse), shelves(twice)
    merge(twice, 1, 2)
    assert catalogue_content(twice.warehouse) != before
    done = split(twice, 2)
    assert (done.survivor_id, done.merged_id, done.holdings, done.left) == (1, 2, 4, ())
    assert catalogue_content(twice.warehouse) == before
    assert shelves(twice) == stood
    with twice.warehouse.write(CATALOGUE_LOCK) as connection:
        assert split_as_asked(connection, done.merge_id, occasion()) is None
        (of_survivor,), (of_merged,) = why_bib(connection, 1).merges, why_bib(connection, 2).merges
    assert of_survivor == of_merged
    assert (of_merged.by, of_merged.split_by, of_merged.run_id) == ("Ada Kvist", "Bo Alm", "run-1")
    assert any("title" in each for each in of_merged.evidence)


def test_a_delivery_can_be_reverted_as_before_once_a_merge_is_undone(twice: Workplace) -> None:
    before = catalogue_content(twice.warehouse)
    (delivery,) = ingest("NORDBOK", [Parcel().bib(book(4), "N4").holding("SOLB", "Ny").holding("NORU").land(twice)])
    merge(twice, 1, 4, force=True)
    split(twice, 4)
    report = revert(delivery)
    assert (report["bibs"], report["holdings"], report["survivors"]) == (1, 2, [])
    assert catalogue_content(twice.warehouse) == before


def test_what_others_did_between_survives_a_split_and_is_said_in_words(twice: Workplace) -> None:
    merge(twice, 1, 2)
    # The library's own line of the joined holding is replaced by its supplier, another library gives its copy up,
    # a third one changes its shelf mark, and a fourth buys the book.
    parcel = Parcel().bib(book(1), "N1").holding("SOLB", "Ny").holding("LUNV", "Ny")
    ingest("NORDBOK", [parcel.land(twice)])
    change = Export().bib(book(1), "SK01").holding("GRAN", is_delete=True).holding("FJOR", Line("Hylla"))
    change.load(twice, name="change.mrc")
    done = split(twice, 2)
    assert shelves(twice) == [
        "1 LUNV NORDBOK:Ny", "1 NORU Magasin", "1 SOLB Hc, Ref, NORDBOK:Ny", "2 FJOR Hylla", "2 SOLB Hc, NORDBOK:Pall",
        "3 SOLB Magasin",
    ]  # fmt: skip
    words = "\n".join(done.left)
    assert "(FJOR) was changed since: it went back with the lines that it has now" in words
    assert "(GRAN) was given up by its library since: it does not come back" in words
    assert "(SOLB) has its 2 lines again; 1 of them had been changed or removed since" in words
    assert "(LUNV) came to bib 1 after the merge, and stays there" in words
    with twice.warehouse.read() as connection:
        kept = connection.execute(sa.select(core_bib_merge.c.left_as_is, core_bib_merge.c.split_by)).one()
    assert kept.split_by == "Bo Alm"
    assert "given up by its library" in kept.left_as_is


@pytest.fixture
def thrice(twice: Workplace) -> Workplace:
    """A third record of the book, with a copy of FJOR's, which the second has as well, and one of SOLB's."""
    export = Export().bib(with_isbn(book(1), "9789100999988"), "SK04").holding("FJOR", Line("Arkiv"))
    export.holding("SOLB", Line("Arkiv")).load(twice, name="third.mrc")
    return twice


@pytest.mark.parametrize("first_parted", [2, 4])
def test_of_two_merges_into_one_bib_either_can_be_parted_first(thrice: Workplace, first_parted: int) -> None:
    before, stood = catalogue_content(thrice.warehouse), shelves(thrice)
    merge(thrice, 1, 2, 4, force=True)
    assert "1 FJOR Magasin, Arkiv" in shelves(thrice)
    split(thrice, first_parted)
    marks = {2: "1 FJOR Arkiv", 4: "1 FJOR Magasin"}
    assert marks[first_parted] in shelves(thrice)
    split(thrice, 6 - first_parted)
    assert shelves(thrice) == stood
    assert catalogue_content(thrice.warehouse) == before


def test_a_bib_that_was_merged_on_is_parted_from_the_last_one_first(thrice: Workplace) -> None:
    before = catalogue_content(thrice.warehouse)
    merge(thrice, 2, 4, force=True)
    merge(thrice, 1, 2)
    with thrice.warehouse.read() as connection:
        rows = connection.exec_driver_sql("SELECT merged_into FROM out_bib WHERE is_deleted ORDER BY bib_id")
        assert rows.scalars().all() == [1, 1]
    with pytest.raises(UsageError, match="bib 2 was itself merged into bib 1 since"):
        split(thrice, 4)
    split(thrice, 2)
    split(thrice, 4)
    assert catalogue_content(thrice.warehouse) == before


def test_whatever_is_merged_and_parted_in_whatever_order_all_is_as_before_in_the_end(thrice: Workplace) -> None:
    before, stood = catalogue_content(thrice.warehouse), shelves(thrice)
    for seed in (1, 7):
        rng, standing = Random(seed), list[int]()
        for _ in range(5):
            keep, other = rng.sample(range(1, 5), 2)
            with suppress(UsageError):
                standing += [other] * (merge(thrice, keep, other, force=True)[0].merge is not None)
            if standing and rng.random() < 0.4:
                with suppress(UsageError):
                    standing.remove(split(thrice, rng.choice(standing)).merged_id)
        while standing:
            for bib_id in rng.sample(standing, len(standing)):
                with suppress(UsageError):
                    done = split(thrice, bib_id)
                    assert done.left == ()
                    standing.remove(bib_id)
        assert (shelves(thrice), catalogue_content(thrice.warehouse)) == (stood, before), seed


def test_the_undo_of_a_run_parts_all_that_it_merged(thrice: Workplace) -> None:
    before = catalogue_content(thrice.warehouse)
    merge(thrice, 1, 2, 4, force=True, run="run-two-1")
    with thrice.warehouse.write(CATALOGUE_LOCK) as connection:
        done = revert_merges(connection, merges_named(connection, "run-two"), occasion())
    assert (done.merges, done.report.reverted, done.report.survived) == ((1, 2), 2, ())
    assert catalogue_content(thrice.warehouse) == before
    with thrice.warehouse.write(CATALOGUE_LOCK) as connection:
        assert merges_named(connection, "merge-2") == (2,)
        assert merges_named(connection, "sweep-2") == ()
        assert revert_merges(connection, (1, 2), occasion()).was_reverted


def test_what_speaks_against_a_merge_refuses_it_unless_a_person_overrules_it(place: Workplace) -> None:
    export = Export().bib(book(1), "SK01").bib(book(1), "SK02", is_national_bibliography=True)
    export.bib(book(3), "SK03").load(place, "full")
    with pytest.raises(UsageError, match=r"bib 2: bib 2 is of the national bibliography, and bib 1 is not") as refused:
        merge(place, 1, 2)
    assert "--force" in str(refused.value)
    merge(place, 2, 1)
    (forced,) = merge(place, 3, 2, force=True)
    with place.warehouse.read() as connection:
        rows = connection.execute(sa.select(core_bib_merge).order_by(core_bib_merge.c.merge_id)).all()
    assert [row.rule for row in rows] == ["asked", "forced"]
    assert "no number leads from one to the other" in rows[1].objections
    assert forced.plan.objections


def test_local_systems_are_told_of_a_merge_and_of_its_end(twice: Workplace) -> None:
    everything = ALL.model_copy(update={"holdings": "none"})
    send(twice, everything)
    merge(twice, 1, 2)
    night = send(twice, everything)
    assert shown(twice, night) == ["n bib SK01", "d bib SK02"]
    survivor, gone = records_of(twice, night)
    assert [each["a"] for each in survivor.get_fields("019")] == ["SK02"]
    assert gone["787"].get_subfields("i", "w") == ["Replaced by:", "(SAMKAT)SK01"]
    split(twice, 2)
    night = send(twice, everything)
    assert shown(twice, night) == ["n bib SK01", "n bib SK02"]
    assert records_of(twice, night)[0].get_fields("019") == []


def test_a_merge_that_the_catalogue_brought_is_told_as_its_own(place: Workplace) -> None:
    Export().bib(book(1), "SK01").bib(book(2), "SK02").load(place, "full")
    from tests.warehouse.test_catalogue_load import merged_from

    Export().bib(book(1), "SK01", extra=(merged_from("SK02"),)).load(place, name="merge.mrc")
    with place.warehouse.read() as connection:
        row = connection.execute(sa.select(core_bib_merge)).one()
    assert (row.rule, row.by, row.merged_id) == ("catalogue", "catalogue", 2)
    assert {each[6] for each in outcomes(place.warehouse)} >= {"human_edit"}
