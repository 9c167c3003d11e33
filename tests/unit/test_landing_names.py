"""File names: what they promise, and whether the file keeps it."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from pydantic import ValidationError

from schemas.errors import DeliveryRejectedError
from schemas.register.suppliers import FileRules
from tasks.landing.names import NamePromise, business_date, check_name, check_promise

PATTERN = r"BOKAB_(?P<sigel>[A-Za-z]+)_(?P<stamp>\d+)_(?P<order>SE-LIBR\d+|BOKAB\d+)\.(?P<format>xml|iso88591)"
RULES = FileRules(pattern=PATTERN, one_order=True, example="BOKAB_Um_20250131083000_SE-LIBR123.xml")


def test_a_name_of_the_annex_is_read() -> None:
    assert check_name("BOKAB_Um_20250131083000_SE-LIBR123.iso88591", RULES) == NamePromise(
        sigel="Um",
        stamp=datetime(2025, 1, 31, 8, 30),
        format="iso2709",
        charset="iso8859-1",
        one_order=True,
    )


def test_xml_promises_marcxml_and_no_character_set() -> None:
    promise = check_name("BOKAB_Gbg_20250131083000_BOKAB77.xml", RULES)
    assert (promise.format, promise.charset, promise.sigel) == ("marcxml", "", "Gbg")


@pytest.mark.parametrize("packed", [".gz", ".zip", ".GZ"])
def test_the_suffix_of_the_packing_is_left_out(packed: str) -> None:
    assert check_name(f"BOKAB_Um_20250131083000_SE-LIBR123.xml{packed}", RULES).sigel == "Um"


def test_a_pattern_may_ask_for_the_packing() -> None:
    rules = FileRules(pattern=r"dag(?P<stamp>\d{8})\.mrc\.gz")
    assert check_name("dag20250131.mrc.gz", rules).stamp == datetime(2025, 1, 31)


@pytest.mark.parametrize(
    ("digits", "stamp"),
    [
        ("20240229235959", datetime(2024, 2, 29, 23, 59, 59)),
        ("202402292359", datetime(2024, 2, 29, 23, 59)),
        ("20240229", datetime(2024, 2, 29)),
    ],
)
def test_a_stamp_is_read_to_the_second_the_minute_or_the_day(digits: str, stamp: datetime) -> None:
    assert check_name(f"BOKAB_Um_{digits}_SE-LIBR1.xml", RULES).stamp == stamp


@pytest.mark.parametrize("digits", ["20250229083000", "20251331083000", "20250131246000", "2025013", "202501310830001"])
def test_a_stamp_that_is_no_time_rejects_the_delivery(digits: str) -> None:
    with pytest.raises(DeliveryRejectedError) as rejection:
        check_name(f"BOKAB_Um_{digits}_SE-LIBR1.xml", RULES)
    assert rejection.value.cause == f"'{digits}' is no date or time"
    assert rejection.value.file == f"BOKAB_Um_{digits}_SE-LIBR1.xml"


def test_digits_of_another_script_are_no_stamp() -> None:
    with pytest.raises(DeliveryRejectedError, match="is no date or time"):
        check_name("BOKAB_Um_٢٠٢٥٠١٣١_SE-LIBR1.xml", RULES)


@pytest.mark.parametrize("name", ["BOKAB.xml", "BOKAB_Um_20250131083000_SE-LIBR123.xml.bak", "x.zip", ""])
def test_a_name_that_breaks_the_pattern_is_rejected_with_the_form_in_words_and_an_example(name: str) -> None:
    with pytest.raises(DeliveryRejectedError) as rejection:
        check_name(name, RULES)
    assert rejection.value.cause == "the file name is not as agreed"
    assert rejection.value.field == "file name"
    assert rejection.value.remedy == (
        f"rename it: the agreed pattern is {PATTERN}, that is, in this order: the library's sigel, "
        "the time as YYYYMMDDhhmmss, order, the format, `xml` or `iso88591`; "
        "for example BOKAB_Um_20250131083000_SE-LIBR123.xml"
    )


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (r"N_(?P<stamp>\d{14})\.(?:(?P<format>mrc)(?:\.gz)?|zip)", "the format, `mrc`)"),
        (r"N\.(?P<format>mrc|xml)", "the format, `mrc` or `xml`)"),
        (r"N\.(?P<format>\w+)", "the format)"),
    ],
)
def test_the_endings_told_are_those_of_the_suppliers_own_pattern(pattern: str, told: str) -> None:
    with pytest.raises(DeliveryRejectedError) as rejection:
        check_name("other.txt", FileRules(pattern=pattern))
    assert str(rejection.value).endswith(told)


def test_without_an_example_the_pattern_alone_is_told() -> None:
    with pytest.raises(DeliveryRejectedError, match=r"the agreed pattern is day\\\.mrc\)$"):
        check_name("night.mrc", FileRules(pattern=r"day\.mrc"))


def test_a_supplier_without_a_pattern_may_use_any_name() -> None:
    assert check_name("whatever.bin", FileRules(one_order=True)) == NamePromise(one_order=True)


def test_a_group_that_took_no_part_promises_nothing() -> None:
    rules = FileRules(pattern=r"(?P<sigel>[A-Z]\w*)?day(?P<stamp>\d{8})?\.mrc")
    assert check_name("day.mrc", rules) == NamePromise()


def test_an_example_that_breaks_its_own_pattern_is_refused_by_the_register() -> None:
    with pytest.raises(ValidationError, match="does not keep the pattern"):
        FileRules(pattern=r"day\.mrc", example="night.mrc")


def test_a_kept_promise_has_nothing_to_tell() -> None:
    assert check_promise(NamePromise(sigel="Um", one_order=True), 1, 1, ["Um"]) == []


def test_capitals_in_a_file_name_are_no_broken_promise() -> None:
    assert check_promise(NamePromise(sigel="UM"), 3, 3, ["Um", "Um", "Um"]) == []


def test_more_than_one_order_is_told_for_bibs_and_for_holdings() -> None:
    assert check_promise(NamePromise(one_order=True), 2, 0, []) == [
        "one file per ordered title is agreed: it must hold exactly one bib, it holds 2",
        "one file per ordered title is agreed: it must hold exactly one holding, it holds 0",
    ]


def test_another_librarys_holding_is_told_once_and_a_missing_sigel_not_here() -> None:
    assert check_promise(NamePromise(sigel="Um"), 4, 5, ["Gbg", "Um", "Alv", "Gbg", ""]) == [
        "the file name says Um, but 852 $b says Alv, Gbg"
    ]


def test_a_name_without_promises_holds_anything() -> None:
    assert check_promise(NamePromise(), 7, 0, ["Gbg", "Um"]) == []


def test_the_business_date_is_the_stamps_and_else_the_day_of_receipt() -> None:
    assert business_date(NamePromise(stamp=datetime(2025, 1, 31, 23, 59)), date(2025, 2, 2)) == date(2025, 1, 31)
    assert business_date(NamePromise(), date(2025, 2, 2)) == date(2025, 2, 2)
