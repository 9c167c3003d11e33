"""An export that is half, old, repeated or silent is never read as what the library system holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.errors import DeliveryRejectedError
from tasks.patrons.export_guards import ExportTime, Written, exported_at, is_fresh, judge_export
from tasks.patrons.file_guards import FileFacts, Manifest
from tests.unit.test_patron_targets import target

STOCKHOLM = ZoneInfo("Europe/Stockholm")
NOW = datetime(2025, 11, 21, 3, 0, tzinfo=UTC)
MADE = ExportTime(NOW - timedelta(hours=2), "name")
FILLED = {"last_name": 1_000, "emails": 900, "user_title": 40}
LAST = FileFacts("NORU_20251120.xml", "a" * 64, 1_000_000, 1_000, filled=FILLED)
GOOD = replace(LAST, name="NORU_20251121.xml", sha256="b" * 64, size=1_010_000, persons=1_005)
TOLD = Written(980, 975, {"last_name": 980, "user_title": 30})


def rules_of(
    facts: FileFacts = GOOD, exported: ExportTime = MADE, keys: dict[str, Any] | None = None, **more: Any
) -> list[str]:
    given = {"last": LAST, "last_at": NOW - timedelta(days=1), "written": TOLD} | more
    return [each.rule for each in judge_export(facts, target(**(keys or {})), exported, NOW, 24, **given)]


def test_an_export_like_the_one_before_is_the_read_back() -> None:
    assert rules_of() == []
    assert rules_of(last=None, last_at=None, written=Written()) == []


def test_half_an_export_is_held_by_size_count_and_by_who_is_missing() -> None:
    half = replace(GOOD, size=400_000, persons=400, filled={"last_name": 400, "emails": 360, "user_title": 16})
    assert rules_of(half, written=TOLD._replace(found=390)) == ["size", "count", "missing"]
    found = judge_export(half, target(), MADE, NOW, 24, written=TOLD._replace(found=390))
    assert [(each.rule, each.text) for each in found] == [
        ("missing", "590 of 980 persons that were written are not there"),
    ]


@pytest.mark.parametrize(("found", "held"), [(980, False), (961, False), (960, False), (959, True)])
def test_a_library_may_delete_some_by_hand(found: int, held: bool) -> None:
    keys = {"export": {"missing_window": 20 / 980}}
    assert rules_of(keys=keys, written=TOLD._replace(found=found)) == (["missing"] if held else [])
    few = Written(12, 2)
    assert rules_of(written=few) == []
    assert rules_of(written=few._replace(found=1)) == ["missing"]


def test_one_that_breaks_off_or_holds_nobody_is_held() -> None:
    assert rules_of(replace(GOOD, defects=("it breaks off",))) == ["broken"]
    nobody = replace(GOOD, persons=0, size=100, filled={})
    assert rules_of(nobody, last=None, written=Written()) == ["empty"]


def test_its_manifest_counts() -> None:
    keys = {"export": {"manifest": ".json"}}
    assert rules_of(keys=keys) == ["manifest"]
    assert rules_of(keys=keys, manifest=Manifest(1_005, "b" * 64)) == []
    assert rules_of(keys=keys, manifest=Manifest(2_000, None)) == ["manifest"]


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (timedelta(hours=24), []),
        (timedelta(hours=24, seconds=1), ["age", "order"]),
        (timedelta(minutes=-15), []),
        (timedelta(minutes=-16), ["future"]),
    ],
)
def test_its_age_is_that_of_what_it_shows(ago: timedelta, expected: list[str]) -> None:
    assert rules_of(exported=ExportTime(NOW - ago, "name")) == expected
    assert is_fresh(NOW - ago, NOW, 24) == ("age" not in expected)


def test_the_same_bytes_are_stale_only_where_something_was_written_since() -> None:
    again = replace(LAST, name="NORU_20251121.xml")
    assert rules_of(again) == []
    assert rules_of(again, written=TOLD._replace(since_last=True)) == ["repeated"]
    assert rules_of(GOOD, written=TOLD._replace(since_last=True)) == []


def test_a_path_that_nobody_has_any_more_was_not_cleared_by_staff() -> None:
    without = replace(GOOD, filled={"last_name": 1_005, "emails": 900})
    found = judge_export(without, target(), MADE, NOW, 24, last=LAST, written=TOLD)
    assert [(each.rule, each.field) for each in found] == [("unseen", "user_title")]
    assert rules_of(without, keys={"not_exported": ["user_title"]}) == []
    assert rules_of(without, written=TOLD._replace(filled={"user_title": 10})) == []


def test_a_path_that_many_have_lost_is_told_as_in_any_file() -> None:
    assert rules_of(replace(GOOD, filled=FILLED | {"emails": 500})) == ["null_rate"]


def test_users_without_a_readable_id_hold_it() -> None:
    assert rules_of(unplaced=1) == ["unplaced"]


def test_a_delta_has_no_window_and_lacks_most_persons() -> None:
    few = replace(GOOD, persons=3, size=3_000, filled={"last_name": 3})
    assert rules_of(few, keys={"export": {"content": "delta"}}, written=TOLD._replace(found=3)) == []
    assert (
        rules_of(replace(few, persons=0), keys={"export": {"content": "delta"}}, written=TOLD._replace(found=0)) == []
    )


NAMED = {"export": {"pattern": r"NORU_(?P<date>\d{8})(?:_(?P<time>\d{4,6}))?\.xml", "manifest": ".json"}}


@pytest.mark.parametrize(
    ("name", "manifest", "expected"),
    [
        ("NORU_20251121_0215.xml", None, ("2025-11-21T01:15:00", "name")),
        ("NORU_20250701_021530.xml", None, ("2025-07-01T00:15:30", "name")),
        ("NORU_20251121.xml", None, ("2025-11-20T23:00:00", "name")),
        ("users.xml", None, ("2025-11-21T02:59:00", "arrival")),
        ("NORU_20251121.xml", b'{"persons": 3}', ("2025-11-20T23:00:00", "name")),
        ("NORU_20251121.xml", b'{"exported_at": "2025-11-21T02:00:00+01:00"}', ("2025-11-21T01:00:00", "manifest")),
        ("NORU_20251121.xml", b'{"exported_at": "2025-11-21T02:00:00"}', ("2025-11-21T01:00:00", "manifest")),
    ],
)
def test_the_time_comes_from_manifest_name_or_arrival(
    name: str, manifest: bytes | None, expected: tuple[str, str]
) -> None:
    found = exported_at(name, target(**NAMED), STOCKHOLM, NOW - timedelta(minutes=1), manifest)
    assert (found.at.replace(tzinfo=None).isoformat(), found.told_by) == expected
    assert found.at.tzinfo == UTC


@pytest.mark.parametrize(
    ("name", "manifest", "file"),
    [
        ("NORU_20251332.xml", None, "NORU_20251332.xml"),
        ("NORU_20251121_2575.xml", None, "NORU_20251121_2575.xml"),
        ("NORU_20251121.xml", b'{"exported_at": "yesterday"}', "NORU_20251121.xml.json"),
        ("NORU_20251121.xml", b'{"exported_at": 3}', "NORU_20251121.xml.json"),
        ("NORU_20251121.xml", b"{", "NORU_20251121.xml.json"),
    ],
)
def test_a_time_that_there_is_not_is_no_time(name: str, manifest: bytes | None, file: str) -> None:
    with pytest.raises(DeliveryRejectedError) as caught:
        exported_at(name, target(**NAMED), STOCKHOLM, NOW, manifest)
    assert caught.value.file == file
