"""BUPS 1: elements, records, the code table, and national ids cut out on receipt."""

from __future__ import annotations

import io
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.patrons import ABSENT, IncomingPerson, RejectedRow
from tasks.patrons.bups1 import Bups1Reader
from tasks.patrons.national_ids import NationalIdCutter
from tasks.patrons.reading import FileTotals
from tests.unit.patron_samples import outcome, person, read, rejected, source

SOURCE = source(format="bups1", categories={"10": "employee", "20": "student"})
LINE = "-" * 10
ASTRID = "LT:N100\nRS:1234567\nEN:Ålund\nFN:Astrid\nKA:10\n"
BJORN = "LT:N200\nRS:1234567\nEN:Berg\nFN:Bjørn\nKA:20\n"


def test_the_standard_codes_become_paths() -> None:
    lines = ASTRID + "FI:astrid@nordhavet.example\nGD:2027-06-30\nAV:HUM\nFD:1980-02-29\nSK:SWE\nGL:N099\n"
    found = person(lines.encode(), SOURCE)
    assert dict(found.values) == {
        "primary_id": "N100",
        "last_name": "Ålund",
        "first_name": "Astrid",
        "expiry_date": date(2027, 6, 30),
        "department": "HUM",
        "birth_date": date(1980, 2, 29),
        "preferred_language": "SWE",
        "user_group": "employee",
    }
    assert [(each.type, each.value) for each in found.source_ids] == [("primary_id", "N100")]
    assert [(each.type, each.key) for each in found.search_ids] == [
        ("barcode", "n100"),
        ("feide", "astrid@nordhavet.example"),
    ]
    assert [(each.type, each.value) for each in found.rekeyed_from] == [("primary_id", "N099")]
    (tie,) = found.affiliations
    assert (tie.institution, tie.library, tie.category, tie.user_group) == ("NORU", "1234567", "10", "employee")
    assert (tie.department, tie.valid_from, tie.valid_to) == ("HUM", None, date(2027, 6, 30))


def test_what_is_not_sent_is_absent_and_what_is_empty_is_what_the_register_says() -> None:
    of = source(
        format="bups1",
        columns=[
            {"name": "AV", "to": ["department"], "empty": "null"},
            {"name": "EP", "to": ["emails[work].email_address"], "empty": "null"},
        ],
    )
    found = person((ASTRID + "AV:\nGD:\nEP:\n").encode(), of)
    assert found.value("department") is None
    assert found.value("expiry_date") is ABSENT
    assert found.items("emails") == ()
    assert found.items("phones") is ABSENT
    assert person(ASTRID.encode(), of).items("emails") is ABSENT


def test_of_a_repeated_code_the_last_valid_one_counts() -> None:
    found = person((ASTRID + "GD:2027-06-30\nGD:2028-06-30\nGD:30.06.2029\nEN:\n").encode(), SOURCE)
    assert found.value("expiry_date") == date(2028, 6, 30)
    assert found.value("last_name") == "Ålund"


def test_a_flag_that_cannot_be_one_leaves_the_earlier_one() -> None:
    of = source(format="bups1", columns=[{"name": "SP", "to": ["is_confidential"], "values": {"X": "yes"}}])
    assert person((ASTRID + "SP:X\nSP:perhaps\n").encode(), of).is_confidential is True
    assert rejected((ASTRID + "SP:perhaps\n").encode(), of).field == "SP"


def test_records_end_with_ten_minus_signs_or_more_and_nine_are_no_separator() -> None:
    rows = read(f"{ASTRID}{LINE}\n{LINE}---\n\n{BJORN}---------\n{LINE}\n{BJORN}".encode(), SOURCE)
    assert outcome(rows) == ["N100", "unreadable", "N200"]
    assert [each.position.record_no for each in rows] == [1, 2, 3]
    assert [each.position.line for each in rows] == [1, 9, 16]


def test_unknown_codes_are_counted_and_not_taken() -> None:
    totals = FileTotals()
    rows = read(f"{ASTRID}ZZ:x\nQ1:y\n{LINE}\n{BJORN}ZZ:x\n".encode(), SOURCE, totals=totals)
    assert outcome(rows) == ["N100", "N200"]
    assert totals.ignored == {"ZZ": 2, "Q1": 1}
    assert totals.records == 2


def test_a_bad_row_says_why_without_the_persons_data() -> None:
    cases = {
        ASTRID.replace("EN:Ålund\n", ""): ("missing", "EN"),
        ASTRID.replace("KA:10", "KA:99"): ("unknown_category", "KA"),
        ASTRID.replace("KA:10", "KA:tenth"): ("bad_value", "KA"),
        ASTRID.replace("1234567", "12"): ("bad_value", "RS"),
        ASTRID + "FD:1980-02-30\n": ("bad_value", "FD"),
        ASTRID + "FD:1980-2-3\n": ("bad_value", "FD"),
        ASTRID + "no element\n": ("unreadable", None),
    }
    for content, (rule, field) in cases.items():
        row = rejected(content.encode(), SOURCE)
        assert (row.rule, row.field) == (rule, field)
        assert not any(word in str(row) for word in ("Ålund", "Astrid", "N100", "1980", "tenth", "99"))


def test_the_character_set_is_that_of_the_register_and_a_bad_byte_costs_its_row() -> None:
    latin = source(format="bups1", charset="iso8859-1")
    assert person(ASTRID.encode("iso8859-1"), latin).value("last_name") == "Ålund"
    rows = read(ASTRID.encode("iso8859-1") + f"{LINE}\n{BJORN}".encode(), SOURCE)
    assert outcome(rows) == ["charset", "N200"]
    assert isinstance(rows[0], RejectedRow)
    assert rows[0].cause == "line 3 is not utf-8"
    # UTF-8 that is read as ISO 8859-1 gives control characters: Å is C3 85.
    assert rejected(ASTRID.encode(), latin).rule == "bad_value"


def test_the_same_person_has_the_same_hash_wherever_it_stands() -> None:
    first = read(f"{ASTRID}{LINE}\n{BJORN}{LINE}\n".encode(), SOURCE)
    second = read(f"{BJORN}{LINE}\n{ASTRID}{LINE}\n".encode(), SOURCE)
    hashes = [[each.content_hash for each in rows if isinstance(each, IncomingPerson)] for rows in (first, second)]
    assert hashes[0] == hashes[1][::-1]
    assert len(set(hashes[0])) == 2


def test_national_ids_are_cut_out_and_the_cut_is_proved() -> None:
    content = (
        f"{ASTRID}FR:01018012345\nGR: 010180 54321\n{LINE}\n{BJORN}fr:02029012345\r\n{LINE}\n".encode("iso8859-1")
        + b"LT:03030312345\nFR:03030312345\nEN:Dahl\n"
    )
    cutter = NationalIdCutter()
    kept = b"".join(cutter.cut(io.BytesIO(content)))
    assert cutter.count == (4, 1)
    assert kept == f"{ASTRID}{LINE}\n{BJORN}{LINE}\nEN:Dahl\n".encode("iso8859-1")
    assert cutter.remaining([kept]) == 0
    assert cutter.remaining([content]) == 5
    assert cutter.remaining([b"EN:030303-12345\n"]) == 1


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.lists(
            st.one_of(
                st.from_regex(r"(FR|GR):[0-9]{6} ?[0-9]{5}", fullmatch=True),
                st.from_regex(r"(LT|EN|FI|ZZ):[0-9a-zå -]{0,20}", fullmatch=True),
            ),
            max_size=6,
        ),
        max_size=6,
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_no_digits_of_a_records_national_id_stay_in_that_record(records: list[list[str]], end: str) -> None:
    content = "".join(end.join([*lines, LINE, ""]) for lines in records)
    cutter = NationalIdCutter()
    kept = b"".join(cutter.cut(io.BytesIO(content.encode()))).decode()
    assert "FR:" not in kept
    assert "GR:" not in kept
    clean = kept.split(LINE)
    assert len(clean) == len(records) + 1
    for lines, left in zip(records, clean, strict=False):
        for line in lines:
            if line[:2] in ("FR", "GR"):
                digits = "".join(filter(str.isdigit, line))
                assert all(digits not in "".join(filter(str.isdigit, each)) for each in left.splitlines())


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_every_piece_of_any_bytes_becomes_a_person_or_a_rejected_row(content: bytes) -> None:
    reader = Bups1Reader(source(format="bups1", charset="iso8859-1"))
    pieces = list(reader.pieces(io.BytesIO(content)))
    assert len(list(reader.persons(pieces))) == len(pieces)
