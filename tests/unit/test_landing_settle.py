"""When a file is there: names, quiet time, clocks that run ahead, marker files. No test waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.landing.settle import SettleRules, Sighting, is_unfinished_name, marker_of, reason_to_wait, settled, sight
from tasks.landing.zone import LandedFile

NOW = datetime(2025, 1, 31, 2, 0, tzinfo=UTC)
QUIET_30 = SettleRules(quiet_seconds=30)
AT_ONCE = SettleRules(quiet_seconds=0)


def landed(name: str, age: float = 3600, size: int = 100) -> LandedFile:
    key = f"incoming/BOKAB/{name}"
    return LandedFile(f"file:///zone/{key}", key, "BOKAB", name, size, NOW - timedelta(seconds=age))


def names(files: list[LandedFile]) -> list[str]:
    return [each.name for each in files]


@pytest.mark.parametrize(
    "key",
    [
        "incoming/BOKAB/a.mrc.part",
        "incoming/BOKAB/a.mrc.PART",
        "incoming/BOKAB/a.tmp",
        "incoming/BOKAB/a.mrc.filepart",
        "incoming/BOKAB/a.partial",
        "incoming/BOKAB/.a.mrc",
        "incoming/BOKAB/.sync/a.mrc",
    ],
)
def test_a_name_of_a_transfer_program_is_never_taken(key: str) -> None:
    assert is_unfinished_name(key)
    old = sight(100, NOW - timedelta(days=365), NOW)
    assert reason_to_wait(key, old, NOW, AT_ONCE) == "its name says that it is still being written"


@pytest.mark.parametrize("key", ["incoming/BOKAB/a.mrc", "incoming/BOKAB/part.xml", "incoming/BOKAB/a.tmp.mrc"])
def test_an_ordinary_name_is_not_mistaken_for_one(key: str) -> None:
    assert not is_unfinished_name(key)


def test_a_file_is_left_until_it_has_been_quiet_long_enough() -> None:
    look = settled([landed("young.mrc", age=29.9), landed("old.mrc", age=30)], NOW, QUIET_30)
    assert names(look.taken) == ["old.mrc"]
    [(left, reason)] = look.left
    assert left.name == "young.mrc"
    assert reason == "it changed 30 s ago; it is taken after 30 s without a change"


def test_zero_seconds_take_a_file_at_once() -> None:
    assert names(settled([landed("a.mrc", age=0)], NOW, AT_ONCE).taken) == ["a.mrc"]


def test_a_file_that_grows_under_an_old_time_is_left() -> None:
    first = settled([landed("a.mrc", age=3600, size=100)], NOW, QUIET_30)
    assert names(first.taken) == ["a.mrc"]
    later = NOW + timedelta(seconds=10)
    second = settled([landed("a.mrc", age=3600, size=200)], later, QUIET_30, first.sightings)
    assert names(second.taken) == []
    third = settled([landed("a.mrc", age=3600, size=200)], later + timedelta(seconds=30), QUIET_30, second.sightings)
    assert names(third.taken) == ["a.mrc"]


def test_a_file_written_again_with_an_older_time_is_left() -> None:
    before = {landed("a.mrc").uri: Sighting(100, NOW - timedelta(hours=1), NOW - timedelta(hours=1))}
    assert names(settled([landed("a.mrc", age=7200)], NOW, QUIET_30, before).taken) == []


def test_a_clock_that_runs_ahead_does_not_make_a_file_wait_for_ever() -> None:
    from_the_future = landed("a.mrc", age=-86400)
    first = settled([from_the_future], NOW, QUIET_30)
    assert names(first.taken) == []
    second = settled([from_the_future], NOW + timedelta(seconds=29), QUIET_30, first.sightings)
    assert names(second.taken) == []
    third = settled([from_the_future], NOW + timedelta(seconds=30), QUIET_30, second.sightings)
    assert names(third.taken) == ["a.mrc"]


def test_files_that_are_gone_are_forgotten() -> None:
    first = settled([landed("a.mrc"), landed("b.mrc")], NOW, QUIET_30)
    second = settled([landed("b.mrc")], NOW, QUIET_30, first.sightings)
    assert set(second.sightings) == {landed("b.mrc").uri}


def test_with_markers_a_file_is_whole_when_its_marker_is_there_and_only_then() -> None:
    files = [landed("a.mrc", age=1), landed("a.mrc.done", age=0), landed("b.xml"), landed("c.xml", 1), landed("c.done")]
    look = settled(files, NOW, SettleRules(quiet_seconds=30, marker_suffix=".done"))
    assert names(look.taken) == ["a.mrc", "c.xml"]
    assert [(each.name, reason) for each, reason in look.left] == [
        ("b.xml", "the sender's marker file (.done) is not there yet")
    ]


def test_without_markers_a_marker_file_is_a_file_like_any_other() -> None:
    assert names(settled([landed("a.mrc.done")], NOW, QUIET_30).taken) == ["a.mrc.done"]


def test_the_marker_of_a_file_is_told_so_that_it_can_be_deleted() -> None:
    keys = {"incoming/B/a.mrc", "incoming/B/a.done", "incoming/B/b", "incoming/B/b.done", "incoming/B/x.y/c"}
    assert marker_of("incoming/B/a.mrc", keys) == "incoming/B/a.done"
    assert marker_of("incoming/B/b", keys) == "incoming/B/b.done"
    assert marker_of("incoming/B/x.y/c", keys | {"incoming/B/x.done"}) is None


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-100, 100), st.integers(1, 40)), min_size=1, max_size=12),
    st.integers(1, 60),
)
def test_no_file_is_taken_that_was_seen_to_change_within_the_quiet_time(
    looks: list[tuple[int, int, int]], quiet: int
) -> None:
    """Each look: (size, age of the file's time in seconds, seconds since the look before)."""
    now, changed_at, shape, seen = NOW, NOW, (-1, NOW), None
    for size, age, step in looks:
        now += timedelta(seconds=step)
        modified_at = NOW - timedelta(seconds=age)
        if seen is not None and shape != (size, modified_at):
            changed_at = now
        elif seen is None:
            changed_at = min(modified_at, now)
        shape = (size, modified_at)
        seen = sight(size, modified_at, now, seen)
        taken = not reason_to_wait("incoming/B/a.mrc", seen, now, SettleRules(quiet_seconds=quiet))
        assert taken == ((now - changed_at).total_seconds() >= quiet)
