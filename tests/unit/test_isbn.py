"""The one ISBN rule, against its table of pitfalls and against python-stdnum."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import isbn as stdnum_isbn

from tasks.marc.isbn import has_number, isbn10_of, isbn13_of, isbn_fact, issn_key, keys_of

ISBN13 = "9789100123451"
digits = st.text("0123456789", min_size=13, max_size=13)
isbn13s = st.one_of(
    digits,
    st.builds(
        lambda prefix, rest: prefix + rest,
        st.sampled_from(["978", "979"]),
        st.text("0123456789", min_size=10, max_size=10),
    ),
)


@pytest.mark.parametrize(
    ("raw", "key", "qualifier"),
    [
        ("9789100123451", ISBN13, ""),
        ("978-91-0-012345-1", ISBN13, ""),
        ("978 91 0 012345 1", ISBN13, ""),
        ("9100123455", ISBN13, ""),
        ("91-0-012345-5", ISBN13, ""),
        ("080442957X", "9780804429573", ""),
        ("0-8044-2957-x", "9780804429573", ""),
        ("9789100123451 (inb.)", ISBN13, "inb."),
        ("9789100123451 inb.", ISBN13, "inb."),
        ("9789100123451 (inb.) : 120 kr", ISBN13, "inb. : 120 kr"),
        ("9789100123451 120", ISBN13, "120"),
        ("ISBN-13: 978-91-0-012345-1", ISBN13, ""),
        ("ISBN 10 91-0-012345-5", ISBN13, ""),
        ("ISBN9789100123451", ISBN13, ""),
        ("(hft.) 9789100123451", ISBN13, "hft."),
        ("979-8-6024-0545-3", "9798602405453", ""),
        ("978‐91‑0‒012345–1", ISBN13, ""),
        ("978—91―0−012345-1", ISBN13, ""),
        ("978\u00ad9100\u00ad123451", ISBN13, ""),
        ("978\u00a091\u00a00\u00a0012345\u00a01", ISBN13, ""),
        ("９７８９１００１２３４５１", ISBN13, ""),
        ("\u200e9789100123451\u200b", ISBN13, ""),
        ("٩٧٨٩١٠٠١٢٣٤٥١", ISBN13, ""),
        ("9789100123451 9780198526636", ISBN13, "9780198526636"),
        ("9789100123452 9789100123451", ISBN13, "9789100123452"),
    ],
)
def test_a_number_is_taken_out_of_what_stands_around_it(raw: str, key: str, qualifier: str) -> None:
    fact = isbn_fact(raw, "a")
    assert (fact.isbn13, fact.qualifier, fact.status, fact.raw) == (key, qualifier, "valid", raw.strip())


@pytest.mark.parametrize(
    "raw",
    [
        "9789100123452",  # wrong check digit
        "9100123456",
        "0198526636X",  # 11 characters
        "91001234551",
        "97891001234511",  # 14 digits
        "978-91-0-012345-1-7",
        "7391001234567",  # an EAN that is no ISBN
        "910012345",  # 9 digits
        "inb.",
        "120 kr",
        "",
    ],
)
def test_what_is_not_right_is_invalid_and_never_repaired(raw: str) -> None:
    fact = isbn_fact(raw, "a")
    assert (fact.isbn13, fact.status) == (None, "invalid")


@pytest.mark.parametrize(
    "raw",
    [
        "0000000000", "9999999999", "9780000000002", "9999999999999", "1111111111", "9791111111111", "123456789X",
        "9781234567897", "0123456789", "9780123456786", "9879876543210", "9789876543217",
    ],
)  # fmt: skip
def test_dummy_numbers_are_invalid(raw: str) -> None:
    assert isbn_fact(raw, "a").status == "invalid"


@pytest.mark.parametrize(
    "qualifier",
    [
        "set", "(set)", "complete set", "boxed set", "hela verket", "Helhet", "komplett", "koko teos", "Gesamtwerk",
        "ensemble", "l'ensemble", "hele værket", "samlet verk", "set, v. 1-3", "kompl.",
    ],
)  # fmt: skip
def test_a_number_of_a_whole_set_is_told_by_its_qualifier(qualifier: str) -> None:
    fact = isbn_fact(ISBN13, "a", qualifier)
    assert (fact.isbn13, fact.status) == (ISBN13, "set")
    assert isbn_fact(f"{ISBN13} ({qualifier.strip('()')})", "a").status == "set"


@pytest.mark.parametrize("qualifier", ["inbunden", "v. 2 of the set", "asset management", "Setterwall", "settings"])
def test_other_qualifiers_are_no_set(qualifier: str) -> None:
    assert isbn_fact(ISBN13, "a", qualifier).status == "valid"


def test_the_qualifier_joins_text_and_subfield() -> None:
    assert isbn_fact(f"{ISBN13} (bd 1)", "z", "(inb.)").qualifier == "bd 1; inb."


def test_keys_are_the_valid_numbers_of_a_in_order_and_once() -> None:
    facts = [
        isbn_fact("9780198526636", "a"),
        isbn_fact("0198526636", "a"),
        isbn_fact(ISBN13, "z"),
        isbn_fact("9789100123452", "a"),
        isbn_fact("9780804429573", "a"),
    ]
    assert keys_of(facts) == ("9780198526636", "9780804429573")


def test_a_set_number_is_a_key_only_where_no_volume_has_one() -> None:
    of_set, of_volume = isbn_fact("9780198526636", "a", "set"), isbn_fact(ISBN13, "a", "v. 1")
    assert keys_of([of_set, of_volume]) == (ISBN13,)
    assert keys_of([of_set]) == ("9780198526636",)


def test_979_has_no_isbn_10() -> None:
    assert isbn10_of("9798602405453") is None
    assert isbn10_of(ISBN13) == "9100123455"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("inb.", False), ("120 kr", False), ("", False), ("9789100123452", True), ("91-7130-123", True)],
)
def test_what_may_be_meant_as_a_number(raw: str, expected: bool) -> None:
    assert has_number(raw) is expected


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("0028-0836", "00280836"),
        ("0028-0836 (print)", "00280836"),
        ("2434-561X", "2434561X"),
        ("0028-0837", None),
        ("", None),
    ],
)
def test_an_issn_is_its_eight_characters(raw: str, key: str | None) -> None:
    assert issn_key(raw) == key


@given(isbn13s)
def test_thirteen_digits_are_judged_as_stdnum_judges_them(number: str) -> None:
    expected = number if stdnum_isbn.is_valid(number) else None
    assert isbn13_of(number) == expected or _is_dummy(number)


@given(st.text("0123456789", min_size=9, max_size=9), st.sampled_from("0123456789Xx"))
def test_ten_characters_are_judged_and_converted_as_stdnum_does(core: str, check: str) -> None:
    number = core + check
    expected = stdnum_isbn.to_isbn13(number.upper()) if stdnum_isbn.is_valid(number) else None
    assert isbn13_of(number) == expected or _is_dummy("978" + core)


@given(st.text("0123456789", min_size=9, max_size=9), st.text(" -–\u00a0\u00ad\u200b", max_size=2))
def test_dashes_and_spaces_change_nothing(core: str, between: str) -> None:
    number = "978" + core
    number += stdnum_isbn.ean.calc_check_digit(number)
    spaced = between.join([number[:3], number[3:5], number[5:12], number[12]])
    assert isbn13_of(spaced) == isbn13_of(number)


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(raw: str) -> None:
    fact = isbn_fact(raw, "a", raw)
    assert (fact.isbn13 is None) == (fact.status == "invalid")
    assert fact.isbn13 is None or stdnum_isbn.is_valid(fact.isbn13)


def _is_dummy(number: str) -> bool:
    core = number[3:12]
    return len(set(core)) == 1 or core in ("012345678", "123456789", "987654321", "876543210")
