"""Notices about fictional libraries and suppliers. Builders take as arguments what a test is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from schemas.marc import Record, control_field, data_field
from schemas.outcomes import BibOutcome, HoldingOutcome, RecordType, Verdict
from tasks.notices.cards import RecordCard, record_card
from tasks.notices.corrections import CorrectionEffect, CorrectionLine, LibraryCorrection
from tasks.notices.digest import DigestLine, LibraryDigest
from tasks.notices.holds import HeldClass, HeldDelivery
from tasks.notices.merged_titles import MergedTitle, MergeEffect, MergeNews, NamedBib
from tasks.notices.patron_digest import PathCounts, PatronDigest
from tasks.notices.patron_holds import FileFault, HeldPatronFile
from tasks.notices.patron_rejects import FileRows, PatronRejects
from tasks.notices.rejects import RejectedFile, RejectedRecord, SupplierRejects
from tasks.notices.wording import Reason
from tasks.notices.worklist import (
    Candidate,
    DuplicateCase,
    Evidence,
    EvidenceKind,
    ReviewCase,
    WaitingHolding,
    Worklist,
)

CATALOGUE = "Samkatalogen"
SENDER = "catalogue@samkatalogen.example"
DAY = date(2025, 11, 21)
HOSTILE = '<img src=x onerror="alert(1)">\r\nBcc: all@evil.example'

LINE = DigestLine(
    title="Skärgårdens fåglar",
    author="Öberg, Åsa",
    isbn="9789100000001",
    shelf_mark="Ncb",
    outcome=HoldingOutcome.CREATED,
    bib_outcome=BibOutcome.CREATED,
    reason=Reason("new_holding", "the library's first holding of this bib"),
    position=1,
    file_name="NORDBOK_[STO]_[20251120093000]_NORDBOK[77].xml",
)


def digest_line(**changes: Any) -> DigestLine:
    return replace(LINE, **changes)


def digest(*lines: DigestLine, **changes: Any) -> LibraryDigest:
    made = LibraryDigest(
        library_name="Storstads bibliotek",
        sigel="STO",
        recipient="kontakt@storstad.example",
        supplier_code="NORDBOK",
        supplier_name="Nordbok",
        language="en",
        run_key="run-1",
        run_date=DAY,
        lines=lines or (LINE,),
    )
    return replace(made, **changes)


RECORD = RejectedRecord(
    file_name="day.mrc",
    format="iso2709",
    position=12,
    byte_offset=4711,
    record_type=RecordType.BIB,
    content=b"00026nam a2200025   4500\x1e\x1d",
    charset="utf-8",
    control_number="nb-12",
    title="",
    reason=Reason("bib_unfit", "there is no 245 $a"),
)


def rejected(**changes: Any) -> RejectedRecord:
    return replace(RECORD, **changes)


def rejects(*records: RejectedRecord, **changes: Any) -> SupplierRejects:
    made = SupplierRejects(
        supplier_code="NORDBOK",
        supplier_name="Nordbok",
        recipient="data@nordbok.example",
        language="en",
        run_key="run-1",
        run_date=DAY,
        records_read=120,
        records=records,
    )
    return replace(made, **changes)


REJECTED_FILE = RejectedFile("login.html", 2048, "ab" * 32, Reason("not_marc", "it begins with <!DOCTYPE html>"))


def book_card(**subfields: str) -> RecordCard:
    """The card of a printed book; `title`, `edition`, `year`, `isbn` and `author` can be given."""
    said = {"title": "Röda rummet", "edition": "2. uppl.", "year": "1998", "isbn": "9789100000003"} | subfields
    return record_card(
        Record(
            "00000nam a22000007  4500",
            [
                control_field("001", said.get("number", "x1")),
                control_field("008", f"980101s{said['year']}    sw            000 1 swe  "),
                data_field("020", "  ", [("a", said["isbn"]), ("q", "inb.")]),
                data_field("100", "1 ", [("a", said.get("author", "Strindberg, August,")), ("d", "1849-1912")]),
                data_field("245", "10", [("a", f"{said['title']} :"), ("b", "skildringar /"), ("c", "A. Strindberg")]),
                data_field("250", "  ", [("a", said["edition"])]),
                data_field("264", " 1", [("a", "Stockholm :"), ("b", "Skärgård,"), ("c", said["year"])]),
                data_field("264", " 4", [("c", "©1990")]),
                data_field("300", "  ", [("a", "312 s. ;"), ("c", "22 cm")]),
            ],
        )
    )


def review_case(review_id: int = 41, **changes: Any) -> ReviewCase:
    candidate = Candidate(
        bib_id=881,
        control_number="SAMKAT881",
        card=book_card(edition="3. uppl.", year="2001", number="SAMKAT881"),
        score=0.72,
        verdict=Verdict.REVIEW,
        evidence=(Evidence("title", 0.5, "the same title"), Evidence("edition", 0.0, "2 and 3", EvidenceKind.VETO)),
    )
    made = ReviewCase(
        review_id=review_id,
        supplier_name="Nordbok",
        file_name="day.mrc",
        position=7,
        incoming=book_card(),
        candidates=(candidate,),
        reason=Reason("veto:edition", "the numbers agree, but 2 and 3"),
        owner="cataloguing@samkatalogen.example",
        opened_on=date(2025, 11, 18),
        due_on=date(2025, 11, 20),
        waiting=(WaitingHolding("STO", "Storstads bibliotek", "Hc"),),
    )
    return replace(made, **changes)


def duplicate_case(duplicate_id: int = 4, **changes: Any) -> DuplicateCase:
    made = DuplicateCase(
        duplicate_id=duplicate_id,
        bib_id=912,
        control_number="SAMKAT912",
        incoming=book_card(number="SAMKAT912"),
        candidate=review_case().candidates[0],
        reason=Reason("isbn_a+title", "a valid ISBN and the title agree, score 1.9"),
        owner="cataloguing@samkatalogen.example",
        found_on=date(2025, 11, 18),
        held=("STO",),
    )
    return replace(made, **changes)


def worklist(*cases: ReviewCase, **changes: Any) -> Worklist:
    made = Worklist("cataloguing@samkatalogen.example", "en", "run-1", DAY, cases or (review_case(),))
    return replace(made, **changes)


def held(**changes: Any) -> HeldDelivery:
    made = HeldDelivery(
        recipient="drift@samkatalogen.example",
        language="en",
        delivery_id=7,
        supplier_name="Nordbok",
        file_name="day.mrc",
        plan_hash="9f2c41d0",
        is_whole=True,
        classes=(HeldClass("quality:readable", 40, 120, 12.0, Reason("x", "33% of 120 pieces cannot be read")),),
    )
    return replace(made, **changes)


def correction(*lines: CorrectionLine, **changes: Any) -> LibraryCorrection:
    made = LibraryCorrection(
        library_name="Storstads bibliotek",
        sigel="STO",
        recipient="kontakt@storstad.example",
        language="en",
        delivery_id=7,
        supplier_name="Nordbok",
        file_name="day.mrc",
        delivered_on=date(2025, 11, 20),
        reverted_on=DAY,
        lines=lines
        or (
            CorrectionLine("Husdjur", "Ek, Bo", "9789100000002", "Qm", CorrectionEffect.REMOVED),
            CorrectionLine("Röda rummet", "", "", "Hc", CorrectionEffect.KEPT, Reason("changed_later", "x")),
        ),
    )
    return replace(made, **changes)


def merge_news(*titles: MergedTitle, **changes: Any) -> MergeNews:
    before, now = NamedBib("SK02", "Husdjur", "Ek, Bo", "9789100000002"), NamedBib("SK01", "Husdjur", "Ek, Bo", "")
    made = MergeNews(
        on=DAY,
        by="Ada Kvist",
        rule="asked",
        reason="",
        key="merge-1",
        library_name="Storstads bibliotek",
        sigel="STO",
        recipient="kontakt@storstad.example",
        language="en",
        titles=titles or (MergedTitle(MergeEffect.MOVED, before, now, ("Qm",)),),
    )
    return replace(made, **changes)


def patron_digest(**changes: Any) -> PatronDigest:
    made = PatronDigest(
        library_name="Nordhavets universitetsbibliotek",
        recipient="biblioteket@nordhavet.example",
        language="en",
        source_code="NORUPERS",
        source_name="Personnel register",
        run_key="run-1",
        dates=(DAY,),
        happened={"created": 12, "changed": 1300, "missing": 4},
        paths=(PathCounts("emails", 7, 2, 0, 1), PathCounts("last_name", 1293), PathCounts("user_group", 0, 0, 3)),
        held={"deactivate": 41},
        rows_rejected=2,
        rows_quarantined=1,
        lists=("rejects/NORUPERS/7/errors.csv",),
        reviews=("rejects/NORUPERS/7/review.csv",),
    )
    return replace(made, **changes)


def patron_rejects(**changes: Any) -> PatronRejects:
    made = PatronRejects(
        source_code="NORUPERS",
        source_name="Personnel register",
        recipient="ansatte@nordhavet.example",
        language="en",
        run_key="run-1",
        run_date=DAY,
        rows=(FileRows("NORUPERS_20251121.txt", 1200, 2, 1, "rejects/NORUPERS/7/errors.csv"),),
    )
    return replace(made, **changes)


def held_patron_file(**changes: Any) -> HeldPatronFile:
    made = HeldPatronFile(
        recipient="drift@samkatalogen.example",
        language="en",
        source_name="Personnel register",
        file_name="NORUPERS_20251121.txt",
        business_date=DAY,
        identity="NORUPERS/2025-11-21/ab12/0",
        faults=(FileFault("count", "480 persons, last time 1,200: more than 15% away"),),
        plan_hash="9f2c41d0",
    )
    return replace(made, **changes)
