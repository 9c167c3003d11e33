"""A supplier's list of customers: what is taken, and what is told of each row that is not."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.notices.wording import standard_book
from tasks.suppliers.customers_file import MAX_BYTES, Customer, read_customers

SIGELS = ("SOLB", "LUNV", "FJOR")
HEAD = "name;sigel;email;ends_on\n"


def read(rows: str, head: str = HEAD) -> list[tuple[int, str, str]]:
    return [(each.line, each.field, each.rule) for each in read_customers((head + rows).encode(), SIGELS).faults]


def test_rows_become_customers_and_the_last_day_may_be_left_out() -> None:
    content = HEAD + "Solberg;SOLB;a@solberg.example;\n\nFjordkyst;FJOR;b@fjord.example;2025-12-31\n"
    found = read_customers(content.encode(), SIGELS)
    assert found.faults == ()
    assert found.customers == (
        Customer(2, "SOLB", "Solberg", "a@solberg.example"),
        Customer(4, "FJOR", "Fjordkyst", "b@fjord.example", date(2025, 12, 31)),
    )
    assert (found.rows, found.rejected) == (2, 0)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("Biblioteksnamn,Librissigel,E-post\nÖstanå,SOLB,a@x.example\n".encode(), "Östanå"),
        ("﻿email\tsigel\tname\r\na@x.example\tSOLB\tØstby\r\n".encode(), "Østby"),
        ("name;sigel;email\nMalmö;SOLB;a@x.example\n".encode("cp1252"), "Malmö"),
        (b'name;sigel;email\n"Sol; and Berg";SOLB;a@x.example\n', "Sol; and Berg"),
    ],
    ids=["swedish-commas", "bom-tabs-order", "windows", "quoted"],
)
def test_headers_separators_and_character_sets_of_spreadsheets_are_understood(content: bytes, name: str) -> None:
    found = read_customers(content, SIGELS)
    assert [(each.sigel, each.name) for each in found.customers] == [("SOLB", name)]
    assert found.faults == ()


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("Solberg;SOLX;a@x.example;", (2, "sigel", "unknown_sigel")),
        ("Solberg;;a@x.example;", (2, "sigel", "empty")),
        (";SOLB;a@x.example;", (2, "name", "empty")),
        ("Solberg;SOLB;a@x.example, b@x.example;", (2, "email", "no_email")),
        ("Solberg;SOLB;nobody;", (2, "email", "no_email")),
        ("Solberg;SOLB;a@x.example;31.12.2025", (2, "ends_on", "no_day")),
        ("Solberg;SOLB", (2, "email", "empty")),
        ("Sol\x07berg;SOLB;a@x.example;", (2, "name", "no_name")),
    ],
)
def test_what_is_wrong_with_a_row_is_told_by_line_column_and_rule(row: str, fault: tuple[int, str, str]) -> None:
    assert read(f"{row}\n") == [fault]


def test_a_wrong_row_costs_that_row_only_and_the_nearest_sigel_is_named() -> None:
    found = read_customers(f"{HEAD}A;SOLX;a@x.example;\nB;LUNV;b@x.example;\n".encode(), SIGELS)
    assert [each.sigel for each in found.customers] == ["LUNV"]
    assert [each.remedy for each in found.faults] == ["did you mean SOLB?"]


def test_a_second_row_of_a_library_is_not_taken_and_names_the_first() -> None:
    found = read_customers(f"{HEAD}A;SOLB;a@x.example;\nB;SOLB;b@x.example;\n".encode(), SIGELS)
    assert [each.email for each in found.customers] == ["a@x.example"]
    assert [(each.line, each.rule, each.cause) for each in found.faults] == [
        (3, "duplicate", "the sigel stands on line 2 already")
    ]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "empty_file"),
        (b"\n \n", "empty_file"),
        (b"name;email\nA;a@x.example\n", "header"),
        (b"%PDF-1.7 nonsense", "header"),
        pytest.param(b"x" * (MAX_BYTES + 1), "too_large", id="too large"),
    ],
)
def test_a_file_that_is_no_list_is_told_as_a_whole(content: bytes, rule: str) -> None:
    found = read_customers(content, SIGELS)
    assert (found.customers, [each.rule for each in found.faults]) == ((), [rule])


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_told_and_every_rule_has_its_words(content: bytes) -> None:
    found = read_customers(HEAD.encode() + content, SIGELS)
    assert found.rows == len(found.customers) + found.rejected
    phrases = standard_book().source.phrases
    for each in found.faults:
        assert {f"customer_fault.{each.rule}", f"customer_remedy.{each.rule}"} <= phrases.keys()
