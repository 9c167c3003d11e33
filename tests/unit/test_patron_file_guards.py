"""Checks of a patron file against its declaration and its history."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import DeliveryRejectedError
from schemas.patrons import IncomingPerson
from schemas.register.patron_sources import PatronFileRules
from tasks.patrons.file_guards import (
    ByteTally,
    FieldTally,
    FileFacts,
    Manifest,
    filled_paths,
    judge_changes,
    judge_file,
    read_manifest,
)
from tests.unit.patron_samples import read, source

SOURCE = source(format="bups2")
LAST = FileFacts("night.xml", "a" * 64, 1_000_000, 1_000, filled={"last_name": 1_000, "emails": 900, "pin_number": 20})
GOOD = replace(LAST, sha256="b" * 64, size=1_010_000, persons=1_005, filled={"last_name": 1_005, "emails": 890})


def rules_of(
    facts: FileFacts, last: FileFacts | None = LAST, manifest: Manifest | None = None, **file: object
) -> list[str]:
    of = source(format="bups2", file=file)
    return [each.rule for each in judge_file(facts, of, last, manifest)]


def test_a_file_like_the_one_before_has_no_findings() -> None:
    assert rules_of(GOOD) == []
    assert rules_of(GOOD, last=None) == []


def test_a_truncated_night_is_outside_both_windows() -> None:
    truncated = replace(GOOD, size=400_000, persons=400, filled={"last_name": 400, "emails": 360})
    findings = judge_file(truncated, SOURCE, LAST)
    assert [(each.rule, each.text) for each in findings] == [
        ("size", "400,000 bytes, last time 1,000,000: more than 15% away"),
        ("count", "400 persons, last time 1,000: more than 15% away"),
    ]


@pytest.mark.parametrize(("persons", "breaks"), [(1_150, False), (1_151, True), (850, False), (849, True)])
def test_the_window_has_two_sides_and_its_ends_belong_to_it(persons: int, breaks: bool) -> None:
    facts = replace(GOOD, persons=persons, filled={"last_name": persons, "emails": persons})
    assert rules_of(facts) == (["count"] if breaks else [])


def test_small_sources_and_deltas_have_no_window() -> None:
    small, tiny = (
        replace(LAST, persons=99, filled={"last_name": 99}),
        replace(GOOD, persons=10, filled={"last_name": 10}),
    )
    assert rules_of(tiny, last=small) == []
    assert rules_of(tiny, last=small, window_from=50) == ["count"]
    delta = source(format="bups2", content="delta")
    assert judge_file(replace(GOOD, persons=0, size=100, filled={}), delta, LAST) == []


def test_a_snapshot_of_nobody_is_always_held() -> None:
    assert rules_of(replace(GOOD, persons=0), last=None) == ["empty"]


def test_the_same_content_is_stale_unless_the_register_says_otherwise() -> None:
    assert rules_of(replace(GOOD, sha256=LAST.sha256)) == ["stale"]
    assert rules_of(replace(GOOD, sha256=LAST.sha256), same_is_stale=False) == []


def test_a_cleared_column_is_named() -> None:
    (finding,) = judge_file(replace(GOOD, filled={"last_name": 1_005}), SOURCE, LAST)
    assert (finding.rule, finding.field) == ("null_rate", "emails")
    assert finding.text == "empty for 100.0% of the persons, last time for 10.0%"


def test_the_manifest_has_to_be_there_and_to_be_right() -> None:
    needed = source(format="bups2", file={"manifest": ".json"})
    assert [each.rule for each in judge_file(GOOD, needed, LAST)] == ["manifest"]
    assert judge_file(GOOD, needed, LAST, Manifest(1_005, "b" * 64)) == []
    assert judge_file(replace(GOOD, persons=1_000, rejected=5), needed, LAST, Manifest(1_005, None)) == []
    wrong = judge_file(GOOD, needed, LAST, Manifest(1_006, "c" * 64))
    assert [each.text for each in wrong] == [
        "it holds 1,005 persons, its manifest says 1,006",
        "its sha256 is not that of its manifest",
    ]


def test_a_manifest_is_read_strictly() -> None:
    assert read_manifest(b'{"persons": 7, "sha256": "%s"}' % (b"A" * 64), "m") == Manifest(7, "a" * 64)
    assert read_manifest(b'{"persons": 0}', "m") == Manifest(0, None)
    for content in (
        b"",
        b"[]",
        b"{}",
        b'{"persons": "7"}',
        b'{"persons": true}',
        b'{"sha256": "abc"}',
        b'{"persons": -1}',
    ):
        with pytest.raises(DeliveryRejectedError):
            read_manifest(content, "m")


def test_name_and_defects_are_findings() -> None:
    facts = replace(GOOD, defects=("it breaks off",))
    assert rules_of(facts, pattern=r"other_\d+\.xml") == ["broken", "name"]


def test_a_field_that_changes_for_many_is_a_finding_of_its_own() -> None:
    rules = PatronFileRules()
    assert judge_changes({"last_name": 300, "user_group": 301}, 1_000, rules) == [
        ("change_rate", "changes for 301 of 1,000 persons (30.1%)", "user_group")
    ]
    assert judge_changes({"user_group": 99}, 99, rules) == []


def test_filled_paths_leave_out_null_absent_and_empty_lists() -> None:
    content = b"<users><user><primary_id>1</primary_id><first_name/><user_notes/></user></users>"
    (found,) = read(content, SOURCE)
    assert isinstance(found, IncomingPerson)
    tally = FieldTally()
    tally.add(filled_paths(found))
    tally.add(["primary_id"])
    assert (tally.persons, tally.filled) == (2, {"primary_id": 2})


@pytest.mark.parametrize(
    ("content", "charset", "breaks"),
    [
        (b"plain", "utf-8", False),
        (b"plain", "iso8859-1", False),
        ("Åse".encode(), "utf-8", False),
        ("Åse".encode("iso8859-1"), "iso8859-1", False),
        ("Åse".encode(), "iso8859-1", True),
        ("Åse".encode("iso8859-1"), "utf-8", True),
        ("Å".encode()[:1], "utf-8", True),
    ],
)
def test_the_declared_character_set_is_checked_on_the_bytes(content: bytes, charset: str, breaks: bool) -> None:
    tally = ByteTally()
    tally.feed(content)
    assert [each.rule for each in tally.judged(charset)] == (["charset"] if breaks else [])


@settings(deadline=None)
@given(st.text(), st.lists(st.integers(min_value=1, max_value=5)))
def test_where_the_bytes_are_cut_does_not_matter(text: str, sizes: list[int]) -> None:
    content = text.encode("utf-8", "surrogatepass")
    tally, place = ByteTally(), 0
    for size in [*sizes, len(content)]:
        tally.feed(content[place : place + size])
        place += size
    assert (tally.size, tally.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    is_valid = not any(0xD800 <= ord(each) <= 0xDFFF for each in text)
    assert (tally.judged("utf-8") == []) == is_valid
