"""CSV and JSON by the mapping of the register; several files in one zip; keys."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.errors import DeliveryRejectedError
from schemas.patrons import ABSENT, ITEM_FIELDS, KEY_FIELDS, LIST_PATHS, IncomingPerson
from tasks.patrons.csv_rows import CsvReader
from tasks.patrons.keys import email_key, item_key, phone_key, text_key
from tasks.patrons.reading import FileTotals, read_persons
from tests.unit.patron_samples import outcome, person, read, rejected, source

COLUMNS = [
    {"name": "Id", "to": ["primary_id"], "needed": True},
    {"name": "Name", "to": ["last_name"]},
    {"name": "Mail", "to": ["emails[work].email_address"], "split": ";", "empty": "null"},
    {"name": "Born", "to": ["birth_date"], "dates": ["%d.%m.%Y"]},
    {"name": "Hidden", "to": ["is_confidential"], "values": {"X": "true"}},
]
CSV = source(format="csv", columns=COLUMNS)
HEADER = "Id,Name,Mail,Born,Hidden\n"


def test_cells_become_values_by_the_columns_of_the_register() -> None:
    found = person((HEADER + '1,"Vik, Åse ""Å""",a@x.example; B@x.example,03.02.2001,X\n').encode(), CSV)
    assert dict(found.values) == {
        "primary_id": "1",
        "last_name": 'Vik, Åse "Å"',
        "birth_date": date(2001, 2, 3),
        "is_confidential": True,
    }
    assert [(each.type, each.key) for each in found.items("emails") or ()] == [
        ("work", "a@x.example"),
        ("work", "b@x.example"),
    ]


def test_an_empty_cell_is_absent_or_null_by_column() -> None:
    found = person((HEADER + "1,,,,\n").encode(), CSV)
    assert dict(found.values) == {"primary_id": "1"}
    assert found.items("emails") == ()
    assert found.items("phones") is ABSENT


def test_rows_that_cannot_be_read_are_told_by_line_and_their_neighbours_go_on() -> None:
    lines = [
        HEADER,
        "1,A,,,\n",
        '2,"B,,,\n',
        "3,C\n",
        "4,D,,2001-02-03,\n",
        "\n",
        '5,"E\nE",,,\n',
        ",F,,,\n",
        "7,G,,,\n",
    ]
    rows = read("".join(lines).encode() + b"8,\xe5,,,\n9,I,,,maybe\n", CSV)
    assert outcome(rows) == [
        *("1", "unreadable", "unreadable", "bad_value", "5", "missing", "7", "charset", "bad_value"),
    ]
    assert [each.position.line for each in rows] == [2, 3, 4, 5, 7, 9, 10, 11, 12]
    assert [each.position.record_no for each in rows] == list(range(1, 10))


def test_a_header_that_lacks_a_column_refuses_the_file() -> None:
    with pytest.raises(DeliveryRejectedError, match="no column 'Mail'") as caught:
        read(b"Id,Name,Born,Hidden\n1,A,,\n", CSV, "staff.csv")
    assert caught.value.file == "staff.csv"
    with pytest.raises(DeliveryRejectedError, match="empty"):
        read(b"", CSV, "staff.csv")


def test_order_of_columns_and_unknown_columns_do_not_matter() -> None:
    totals = FileTotals()
    moved = "\ufeffHidden,Extra,Born, Mail ,Name,Id\n,x,,,A,1\n"
    assert outcome(read(moved.encode(), CSV, totals=totals)) == ["1"]
    assert totals.ignored == {"Extra": 1}


def test_a_header_that_stands_twice_is_told_apart_by_occurrence() -> None:
    of = source(
        format="csv",
        csv_rules={"separator": "\t", "quote": ""},
        columns=[
            {"name": "id", "to": ["primary_id"]},
            {"name": "mail", "to": ["emails[work].email_address"]},
            {"name": "mail", "occurrence": 2, "to": ["emails[home].email_address"]},
        ],
    )
    found = person(b'id\tmail\tmail\n1\ta@x.example\t"b"@x.example\n', of)
    assert [(each.type, each.key) for each in found.items("emails") or ()] == [
        ("work", "a@x.example"),
        ("home", '"b"@x.example'),
    ]


def test_the_sample_hospital_reads_its_own_header() -> None:
    of = read_register(SAMPLE_REGISTER).patron_source_by_code["SJUKHUS"]
    header = ";".join(each.name for each in of.columns)
    row = "77;Lund;Siv;;LAK;Kirurgi;siv@lundvikssjukhus.example;;Gatan 1;12345;Lundviken;2020-01-01;31.12.2027;J;9;"
    found = person(f"{header}\n{row}\n".encode(), of)
    assert [(each.type, each.value) for each in found.source_ids] == [("employee_no", "77")]
    assert found.value("account_type") == "EXTERNAL"
    assert found.is_confidential is True
    assert found.affiliations[0].valid_from == date(2020, 1, 1)
    assert found.affiliations[0].valid_to == date(2027, 12, 31)
    assert [dict(each.fields) for each in found.items("addresses") or ()] == [
        {"line1": "Gatan 1", "city": "Lundviken", "postal_code": "12345"}
    ]


_CELL = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=8)


@settings(deadline=None)
@given(st.lists(st.lists(_CELL, min_size=3, max_size=3), max_size=6))
def test_what_the_csv_module_writes_is_read_back(rows: list[list[str]]) -> None:
    of = source(format="csv", columns=[{"name": n, "to": [t]} for n, t in (("a", "primary_id"), ("b", "last_name"))])
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([["a", "b", "c"], *rows])
    pieces = list(CsvReader(of).pieces(io.BytesIO(out.getvalue().encode())))
    assert [json.loads(each.content) for each in pieces] == [row[:2] for row in rows]


JSON = source(
    format="json",
    json_rules={"records": "users[]"},
    stable_ids=["ext"],
    columns=[
        {"name": "externalId", "to": ["user_identifiers[ext].value"]},
        {"name": "personal.lastName", "to": ["last_name"], "empty": "null"},
        {"name": "personal.addresses[].kind", "to": ["addresses[].type"]},
        {"name": "personal.addresses[].street", "to": ["addresses[].line1"]},
        {"name": "personal.addresses[].city", "to": ["addresses[].city"]},
        {"name": "personal.addresses[].first", "to": ["addresses[].preferred"]},
        {"name": "tags[]", "to": ["user_statistics[tag].statistic_category"]},
    ],
)


def test_json_keeps_the_fields_of_one_element_together() -> None:
    addresses = [{"kind": "home", "street": "A 1"}, {"kind": "work", "city": "Solberg", "first": True}]
    record = {"externalId": 7, "personal": {"lastName": None, "addresses": addresses}, "tags": ["x", "y"], "other": {}}
    totals = FileTotals()
    (found,) = read(json.dumps({"users": [record]}).encode(), JSON, totals=totals)
    assert isinstance(found, IncomingPerson)
    assert found.source_ids[0].value == "7"
    assert found.value("last_name") is None
    assert [(each.type, dict(each.fields), each.is_preferred) for each in found.items("addresses") or ()] == [
        ("home", {"line1": "A 1"}, False),
        ("work", {"city": "Solberg"}, True),
    ]
    assert [each.key for each in found.items("user_statistics") or ()] == ["x", "y"]
    assert totals.ignored == {"other": 1}


def test_json_without_its_place_for_persons_is_refused_and_an_empty_one_is_empty() -> None:
    assert read(b'{"users": []}', JSON) == []
    for content in (b"{}", b'{"users": [', b"", b"[]"):
        with pytest.raises(DeliveryRejectedError):
            read(content, JSON)


def test_json_lines_lose_only_the_line_that_is_broken() -> None:
    of = source(format="json", json_rules={"lines": True}, columns=[{"name": "id", "to": ["primary_id"]}])
    rows = read(b'{"id": "a"}\n{"id": \n\n7\n{"id": {"x": 1}}\n{"id": "b"}', of)
    assert outcome(rows) == ["a", "unreadable", "unreadable", "bad_value", "b"]
    assert [each.position.line for each in rows] == [1, 2, 4, 5, 6]


def test_the_files_of_a_zip_are_one_file_with_members() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.csv", HEADER + "3,C,,,\n")
        archive.writestr("a.csv", HEADER + "1,A,,,\n2,B\n")
    totals = FileTotals()
    rows = list(read_persons(io.BytesIO(packed.getvalue()), "night.zip", CSV, totals))
    assert outcome(rows) == ["1", "unreadable", "3"]
    assert [(each.position.member, each.position.record_no) for each in rows] == [
        ("a.csv", 1),
        ("a.csv", 2),
        ("b.csv", 3),
    ]
    assert (totals.members, totals.records) == (2, 3)


def test_several_ids_match_in_the_order_of_the_register() -> None:
    of = source(
        format="csv",
        stable_ids=["feide", "primary_id"],
        columns=[
            {"name": "id", "to": ["primary_id"]},
            {"name": "feide", "to": ["user_identifiers[feide].value"]},
            {"name": "card", "to": ["user_identifiers[barcode].value"]},
        ],
    )
    found = person(b"id,feide,card\n1,A@x.example,C1\n", of)
    assert [each.type for each in found.source_ids] == ["feide", "primary_id"]
    assert [each.type for each in found.search_ids] == ["barcode"]
    assert rejected(b"id,feide,card\n,,C1\n", of).rule == "missing"


@settings(deadline=None)
@given(st.text())
def test_a_key_is_its_own_key(text: str) -> None:
    assert text_key(text_key(text)) == text_key(text)
    assert email_key(email_key(text)) == email_key(text)


def test_keys_fold_case_blanks_and_ways_of_writing() -> None:
    assert text_key("  A\u030ase  VIK ") == text_key("åse vik")
    assert email_key(" Siv@Lund.Example ") == "siv@lund.example"
    assert phone_key("00 46 (70) 123-45.67") == phone_key("+46 70 123 45 67") == "+46701234567"
    assert item_key("addresses", {"line1": "Gatan 1", "city": "LUND"}) == item_key(
        "addresses", {"city": "lund", "line1": "GATAN  1"}
    )
    assert item_key("addresses", {"address_note": "x"}) == ""


def test_every_list_has_fields_and_a_key_made_of_them() -> None:
    assert set(ITEM_FIELDS) == set(KEY_FIELDS) == LIST_PATHS
    assert all(set(KEY_FIELDS[path]) <= set(ITEM_FIELDS[path]) for path in LIST_PATHS)
