"""Libraries are told of bibs that became one, or two again: whose holdings moved, once, each in its language."""

from __future__ import annotations

import pytest

from deployments.sample.records import Line
from tasks.merging import stages
from tasks.merging.stages import decide_duplicates, find_duplicates, merge_bibs, revert_merges, split_bibs
from tasks.notices import merge_telling
from tasks.notices.merged_titles import compose_merge_news
from tasks.workplace import Workplace
from tests.warehouse.notices_night import notices
from tests.warehouse.parcels import Export, Parcel, book, with_isbn
from tests.warehouse.pipeline import catalogue_content, ingest

HC, MAG, REF = Line("Hc"), Line("Magasin"), Line("Ref")
SECOND_ISBN = "9789100999995"
JOINED = "Två bestånd har blivit ett"


@pytest.fixture
def twice(place: Workplace) -> Workplace:
    """SK01 and SK02 are one book: SOLB holds both, NORU the first, FJOR and a stranger to the register the second."""
    export = Export().bib(book(1), "SK01").holding("SOLB", HC, REF).holding("NORU", MAG)
    export.bib(with_isbn(book(1), SECOND_ISBN), "SK02", level="8", agency="FORHAND")
    export.holding("SOLB", HC, Line("Pall", owner="NORDBOK")).holding("FJOR", MAG).holding("XXXX")
    export.bib(with_isbn(book(1), "9789100999988"), "SK03").holding("FJOR", Line("Arkiv")).holding("LUNV", Line(""))
    export.load(place, "full")
    return place


def told(place: Workplace, kind: str = "digest", after: int = 0) -> dict[str, str]:
    """Text of the messages of a kind by whom they go to, but for the first `after`."""
    rows = notices(place.warehouse, kind=kind)[after:]
    assert len({row.recipient for row in rows}) == len(rows)
    return {row.recipient.partition("@")[2]: row.body_text for row in rows}


def test_whose_holdings_moved_or_were_joined_is_told_which_record_they_stand_under(twice: Workplace) -> None:
    merge_bibs.fn(1, [2], "Ada Kvist", "samma bok i två bindningar")
    messages = told(twice)
    assert set(messages) == {"solberg.example", "fjordkyst.example"}
    swedish, norwegian = messages["solberg.example"], messages["fjordkyst.example"]
    assert "Beslutet fattades av Ada Kvist, med skälet: samma bok i två bindningar\n" in swedish
    assert f"{JOINED.upper()} (1)\n" in swedish
    assert f"  Post före: SK02, ISBN {SECOND_ISBN}\n  Post nu: SK01, ISBN {book(1).isbn}\n" in swedish
    assert "  Hyllsignum: Hc, Ref, Pall\n" in swedish
    assert "Behållet från SK01: Ref. Tillagt från SK02: Pall. Fanns på båda, behållet en gång: Hc.\n" in swedish
    assert "med nästa export" in swedish
    assert "PÅ EN ANNEN POST (1)\n" in norwegian
    assert "  Hyllesignatur: Magasin\n" in norwegian
    assert book(1).title in norwegian


def test_a_library_is_told_once_of_all_that_a_run_merged(twice: Workplace) -> None:
    merge_bibs.fn(1, [2, 3], "Ada Kvist", "", force=True)
    messages = told(twice)
    assert set(messages) == {"solberg.example", "fjordkyst.example", "lundviken.example"}
    assert "Avgjort av Ada Kvist, uten oppgitt grunn." in messages["fjordkyst.example"]
    assert "Beholdt fra SK01: Magasin. Lagt til fra SK03: Arkiv." in messages["fjordkyst.example"]
    assert "  Hyllsignum: utan hyllsignum\n" in messages["lundviken.example"]
    before = [row.dedup_key for row in notices(twice.warehouse)]
    merge_bibs.fn(1, [2, 3], "Ada Kvist", "", force=True)
    assert [row.dedup_key for row in notices(twice.warehouse)] == before


def test_a_dry_run_and_a_refused_merge_tell_nobody(twice: Workplace) -> None:
    merge_bibs.fn(1, [2], "Ada Kvist", "", dry_run=True)
    merge_bibs.fn(1, [2], "Ada Kvist", "")
    first = len(notices(twice.warehouse))
    split_bibs.fn([2], "Bo Alm", "", dry_run=True)
    with twice.warehouse.read() as connection:
        merges = connection.exec_driver_sql("SELECT merge_id FROM core_bib_merge").scalars().all()
    revert_merges.fn(merges, dry_run=True)
    assert (first, len(notices(twice.warehouse))) == (2, 2)


def test_a_run_that_is_killed_before_its_commit_tells_nobody_and_done_again_all_once(
    twice: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = catalogue_content(twice.warehouse)

    def die(*args: object) -> None:
        compose_merge_news(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(merge_telling, "compose_merge_news", die)
        with pytest.raises(KeyboardInterrupt):
            merge_bibs.fn(1, [2], "Ada Kvist", "")
    assert (notices(twice.warehouse), catalogue_content(twice.warehouse)) == ([], before)
    with monkeypatch.context() as killed:
        killed.setattr(stages, "_show", lambda *_: die_after_commit())
        with pytest.raises(KeyboardInterrupt):
            merge_bibs.fn(1, [2], "Ada Kvist", "")
    assert set(told(twice)) == {"solberg.example", "fjordkyst.example"}
    merge_bibs.fn(1, [2], "Ada Kvist", "")
    assert len(notices(twice.warehouse)) == 2


def die_after_commit() -> None:
    raise KeyboardInterrupt


def test_a_split_sends_the_correction_and_the_same_merge_again_is_news_again(twice: Workplace) -> None:
    merge_bibs.fn(1, [2], "Ada Kvist", "")
    split_bibs.fn([2], "Bo Alm", "olika upplagor")
    messages = told(twice, "correction")
    assert set(messages) == {"solberg.example", "fjordkyst.example"}
    swedish, norwegian = messages["solberg.example"], messages["fjordkyst.example"]
    assert "Beslutet fattades av Bo Alm, med skälet: olika upplagor\n" in swedish
    assert "ÅTER TVÅ BESTÅND (1)\n" in swedish
    assert "  Hyllsignum: Hc, Pall\n  Det andra finns på SK01.\n" in swedish
    assert f"  Post før: SK01, ISBN {book(1).isbn}\n  Post nå: SK02, ISBN {SECOND_ISBN}\n" in norwegian
    split_bibs.fn([2], "Bo Alm", "olika upplagor")
    assert len(notices(twice.warehouse, kind="correction")) == 2
    merge_bibs.fn(1, [2], "Ada Kvist", "")
    assert set(told(twice, after=2)) == {"solberg.example", "fjordkyst.example"}


def test_a_revert_says_that_the_merge_was_a_mistake(twice: Workplace) -> None:
    merge_bibs.fn(1, [2, 3], "Ada Kvist", "", force=True)
    with twice.warehouse.read() as connection:
        merges = connection.exec_driver_sql("SELECT merge_id FROM core_bib_merge").scalars().all()
    revert_merges.fn(merges)
    messages = told(twice, "correction")
    assert set(messages) == {"solberg.example", "fjordkyst.example", "lundviken.example"}
    assert "Sammenslåingen var en feil og er trukket tilbake." in messages["fjordkyst.example"]
    assert "samkat revert" not in "".join(messages.values())
    revert_merges.fn(merges)
    assert len(notices(twice.warehouse, kind="correction")) == 3


def test_what_others_did_in_between_is_to_be_checked(twice: Workplace) -> None:
    merge_bibs.fn(1, [2], "Ada Kvist", "")
    ingest("NORDBOK", [Parcel().bib(book(1), "N1").holding("SOLB", "Ny").holding("LUNV", "Ny").land(twice)])
    Export().bib(book(1), "SK01").holding("FJOR", is_delete=True).load(twice, name="change.mrc")
    split_bibs.fn([2], "Bo Alm", "")
    messages = told(twice, "correction")
    assert "KONTROLLERA GÄRNA (1)" in messages["lundviken.example"]
    assert "Beståndet kom till efter sammanslagningen och stannar på SK01." in messages["lundviken.example"]
    assert "Dere har fjernet beholdningen etter sammenslåingen." in messages["fjordkyst.example"]
    assert "Det gemensamma beståndet har ändrats efter sammanslagningen." in messages["solberg.example"]


def test_what_the_worklist_decided_is_told_once_a_run_and_a_wrong_decision_stops_none(place: Workplace) -> None:
    export = Export().bib(book(1), "SK01").holding("SOLB").bib(book(1), "SK02").holding("FJOR")
    export.bib(book(2), "SK03").holding("SOLB").bib(book(2), "SK04").holding("FJOR").load(place, "full")
    find_duplicates.fn()
    decided = decide_duplicates.fn({1: "same:1", 9: "same", 2: "same:3"}, "Ada Kvist")
    assert (set(decided.said), set(decided.problems)) == ({"D1", "D2"}, {"D9"})
    (message,) = told(place).values()
    assert "Avgjort av Ada Kvist, ut fra katalogisatorenes liste" in message
    assert "PÅ EN ANNEN POST (2)\n" in message
    decide_duplicates.fn({1: "same:1", 2: "same:3"}, "Ada Kvist")
    assert len(notices(place.warehouse)) == 1
