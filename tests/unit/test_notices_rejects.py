"""What a supplier gets when something was rejected: list, table and the records themselves."""

from __future__ import annotations

import csv
import io

import pymarc
import pytest
from lxml import etree, html

from schemas.marc import Finding
from schemas.outcomes import RecordType
from tasks.notices.message import Message
from tasks.notices.rejects import CSV_COLUMNS, compose_supplier_rejects
from tasks.notices.wording import Reason
from tests.unit.notices_samples import CATALOGUE, REJECTED_FILE, SENDER, rejected, rejects


def iso2709(title: str) -> bytes:
    record = pymarc.Record(leader="00000nam a2200000   4500")
    record.add_field(pymarc.Field("245", ["0", "0"], [pymarc.Subfield("a", title)]))
    return record.as_marc()


MARCXML = (
    '<record><leader>00000nam a2200000   4500</leader><datafield tag="300" ind1=" " ind2=" ">'
    '<subfield code="a">{}</subfield></datafield></record>'
)


def composed(*records: object, max_attached_bytes: int = 7_000_000, **changes: object) -> Message:
    made = rejects(*records, **changes)  # type: ignore[arg-type]
    message = compose_supplier_rejects(made, CATALOGUE, SENDER, max_attached_bytes=max_attached_bytes)
    assert message is not None
    return message


def table(message: Message) -> list[dict[str, str]]:
    text = files(message)["rejected-NORDBOK-2025-11-21.csv"].decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def files(message: Message) -> dict[str, bytes]:
    return {each.name: each.content for each in message.attachments}


def test_nothing_is_sent_when_everything_was_accepted() -> None:
    assert compose_supplier_rejects(rejects(), CATALOGUE, SENDER) is None


@pytest.mark.parametrize(
    ("records", "whole_files", "subject"),
    [
        (1, 0, "1 record not accepted from Nordbok, 21 November 2025"),
        (0, 1, "1 file not accepted from Nordbok, 21 November 2025"),
        (3, 1, "1 file and 3 records not accepted from Nordbok, 21 November 2025"),
    ],
)
def test_the_subject_says_how_many(records: int, whole_files: int, subject: str) -> None:
    assert composed(*[rejected()] * records, files=(REJECTED_FILE,) * whole_files).subject == subject


def test_the_list_names_place_error_and_remedy() -> None:
    text = composed(rejected(title="Husdjur")).text
    assert "* day.mrc, record 12: Husdjur (nb-12)" in text
    assert "The bibliographic record cannot be taken in. [bib_unfit]\n  there is no 245 $a" in text
    assert "Correct the record and send it again, with its holdings after it." in text
    assert "120 records arrived on 21 November 2025. 1 record could not be accepted" in text
    assert "The rejected records are kept for 90 days." in text


def test_the_supplier_is_told_in_its_language() -> None:
    text = composed(rejected(), language="da").text
    assert "Den bibliografiske post kan ikke indlæses. [bib_unfit]" in text


def test_the_table_has_what_a_developer_needs() -> None:
    record = rejected(
        content=b"00028nam a2200025   4500\x1e\xe5\x1e\x1d",
        title="=HYPERLINK(1)",
        findings=(Finding("length_wrong", "leader/00-04 is 99999", "LDR"),),
    )
    (row,) = table(composed(record))
    assert tuple(row) == CSV_COLUMNS
    assert row == {
        "file": "day.mrc",
        "record": "12",
        "byte_offset": "4711",
        "record_type": "bib",
        "control_number": "nb-12",
        "title": "'=HYPERLINK(1)",
        "error_code": "bib_unfit",
        "error": "The bibliographic record cannot be taken in.",
        "detail": "there is no 245 $a",
        "remedy": "Correct the record and send it again, with its holdings after it.",
        "findings": "length_wrong: leader/00-04 is 99999",
        "attached_in": "rejected-NORDBOK-2025-11-21.mrc",
        "attached_at_byte": "0",
        "bytes": "28",
        "content": "00028nam a2200025   4500␞\\xe5␞␝",
    }


def test_rejected_iso2709_records_come_back_byte_for_byte_and_open_in_pymarc() -> None:
    pieces = [iso2709("Etta"), iso2709("Tvåa"), iso2709("Trea")]
    message = composed(*[rejected(content=piece) for piece in pieces])
    content = files(message)["rejected-NORDBOK-2025-11-21.mrc"]
    assert content == b"".join(pieces)
    assert [record.title for record in pymarc.MARCReader(content) if record] == ["Etta", "Tvåa", "Trea"]


def test_offsets_in_the_table_lead_to_each_record_in_its_file() -> None:
    pieces = [
        rejected(content=iso2709("Etta")),
        rejected(content=MARCXML.format("a").encode(), format="marcxml"),
        rejected(content=b"00050nam torn", record_type=RecordType.UNREADABLE),
        rejected(content=iso2709("Tvåa")),
        rejected(content=MARCXML.format("å").encode(), format="marcxml"),
        rejected(content=b"also torn", record_type=RecordType.UNREADABLE),
    ]
    message = composed(*pieces)
    attached = files(message)
    for piece, row in zip(pieces, table(message), strict=True):
        start = int(row["attached_at_byte"])
        assert attached[row["attached_in"]][start : start + int(row["bytes"])] == piece.content
    assert set(attached) == {
        "rejected-NORDBOK-2025-11-21.csv",
        "rejected-NORDBOK-2025-11-21.mrc",
        "rejected-NORDBOK-2025-11-21.xml",
        "unreadable-NORDBOK-2025-11-21.bin",
    }


def test_rejected_marcxml_records_make_one_collection() -> None:
    prefixed = b"<marc:record><marc:leader>00000nam a2200000   4500</marc:leader></marc:record>"
    message = composed(
        rejected(content=MARCXML.format("Åäö").encode(), format="marcxml"),
        rejected(content=prefixed, format="marcxml"),
    )
    root = etree.fromstring(files(message)["rejected-NORDBOK-2025-11-21.xml"])
    assert [child.tag for child in root] == ["{http://www.loc.gov/MARC21/slim}record"] * 2


def test_marcxml_keeps_the_character_set_it_came_in() -> None:
    content = MARCXML.format("Åäö").encode("latin-1")
    message = composed(rejected(content=content, format="marcxml", charset="iso8859-1"))
    data = files(message)["rejected-NORDBOK-2025-11-21.xml"]
    assert content in data
    assert "Åäö" in "".join(etree.fromstring(data).itertext())


@pytest.mark.parametrize("broken", [b"<record><leader>", b"<record>&entity;</record>", b"<record>\xe5</record>"])
def test_a_broken_xml_piece_does_not_break_its_neighbours(broken: bytes) -> None:
    message = composed(
        rejected(content=broken, format="marcxml"), rejected(content=MARCXML.format("x").encode(), format="marcxml")
    )
    first_charset_is_kept = etree.fromstring(files(message)["rejected-NORDBOK-2025-11-21.xml"])
    assert len(first_charset_is_kept) == 1
    assert files(message)["unreadable-NORDBOK-2025-11-21.bin"] == broken


def test_a_record_without_terminator_does_not_swallow_the_next() -> None:
    message = composed(rejected(content=b"00050nam torn"), rejected(content=iso2709("Hel")))
    assert files(message)["rejected-NORDBOK-2025-11-21.mrc"] == iso2709("Hel")
    assert files(message)["unreadable-NORDBOK-2025-11-21.bin"] == b"00050nam torn"


def test_what_is_too_large_for_mail_is_named_and_stays_in_the_table() -> None:
    message = composed(
        rejected(content=b"x" * 900 + b"\x1d"), rejected(content=b"y" * 200 + b"\x1d"), max_attached_bytes=500
    )
    assert files(message)["rejected-NORDBOK-2025-11-21.mrc"] == b"y" * 200 + b"\x1d"
    assert [(row["attached_in"], row["attached_at_byte"], row["bytes"]) for row in table(message)] == [
        ("", "", "901"),
        ("rejected-NORDBOK-2025-11-21.mrc", "0", "201"),
    ]
    assert "1 record is too large to be attached." in message.text


def test_a_long_record_is_cut_in_the_table_and_says_so() -> None:
    (row,) = table(composed(rejected(content=b"a" * 50_000 + b"\x1d")))
    assert row["content"] == "a" * 4000 + " [...]"


def test_the_mail_lists_the_first_fifty_and_the_table_all() -> None:
    message = composed(*[rejected(position=number) for number in range(1, 61)])
    assert len(html.fromstring(message.html).xpath("//table/tbody/tr")) == 50
    assert "50 of 60" in message.text
    assert [row["record"] for row in table(message)] == [str(number) for number in range(1, 61)]


def test_a_whole_rejected_file_is_named_with_its_size_and_reason() -> None:
    message = composed(files=(REJECTED_FILE,))
    assert message.attachments == ()
    assert "login.html, 2,048 bytes, SHA-256 abab" in message.text
    assert "The file is neither ISO2709 nor MARCXML.\n  it begins with <!DOCTYPE html>" in message.text
    assert "Check what was exported, and send the file again." in message.text
    # What to do stands with each file; records to be corrected there are none.
    for said in (message.text, message.html):
        assert "correct the records" not in said


def test_an_unknown_fault_keeps_its_own_words_and_gets_a_remedy_by_type() -> None:
    record = rejected(reason=Reason("odd_fault", "the moon was full"), record_type=RecordType.HOLDING)
    text = composed(record).text
    assert "The moon was full [odd_fault]\n  Correct the holding and send it again" in text


def test_one_message_a_supplier_and_run() -> None:
    assert composed(rejected()).dedup_key == "rejects|run-1|NORDBOK"
