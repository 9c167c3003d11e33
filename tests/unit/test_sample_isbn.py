"""The sample's ISBNs: right check digits, never the same twice, and wrong where they are meant to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import isbn as stdnum_isbn

from deployments.sample.isbn import GROUPS, hyphenated, isbn10, isbn13, wrong_check_digit


@given(st.sampled_from(sorted(GROUPS)), st.integers(0, 9_999_999), st.integers(0, 10_000))
def test_every_number_is_valid_and_of_its_group(group: str, serial: int, seed: int) -> None:
    number = isbn13(group, serial, seed)
    assert stdnum_isbn.is_valid(number)
    assert len(number) == 13
    assert number.startswith(GROUPS[group])


def test_numbers_of_a_group_do_not_repeat() -> None:
    assert len({isbn13("swe", serial) for serial in range(100_000)}) == 100_000


@given(st.sampled_from(["swe", "nob", "dan", "dut", "eng"]), st.integers(0, 9_999_999))
def test_the_isbn_10_is_the_same_number(group: str, serial: int) -> None:
    number = isbn13(group, serial)
    assert stdnum_isbn.to_isbn13(isbn10(number)) == number


def test_979_has_no_isbn_10() -> None:
    with pytest.raises(ValueError, match="has no ISBN-10"):
        isbn10(isbn13("979", 1))


@given(st.sampled_from(sorted(GROUPS)), st.integers(0, 9_999_999))
def test_a_wrong_check_digit_is_wrong(group: str, serial: int) -> None:
    number = isbn13(group, serial)
    assert not stdnum_isbn.is_valid(wrong_check_digit(number))
    if number.startswith("978"):
        assert not stdnum_isbn.is_valid(wrong_check_digit(isbn10(number)))


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("9789112345674", "978-91-1234-567-4"),
        ("9781234567897", "978-1-23456-789-7"),
        ("9798598504000", "979-8-59850-400-0"),
        ("9112345679", "91-1234-567-9"),
        ("8212345679", "82-1234-567-9"),
        ("1234567890", "1-23456-789-0"),
    ],
)
def test_hyphens_part_the_groups(number: str, shown: str) -> None:
    assert hyphenated(number) == shown
