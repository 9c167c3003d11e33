"""A look at the landing zone, and what is started for it: no clock, no disk, no Prefect."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from schemas.register.suppliers import FileRules
from tasks.landing.looking import look, stale_markers, within
from tasks.landing.settle import Sighting
from tasks.landing.starts import MOST_FILES, MOST_URI_BYTES, pause_after, plan_starts
from tasks.landing.waiting import as_markdown
from tasks.landing.zone import LandedFile

NOW = datetime(2025, 3, 14, 20, 0, tzinfo=UTC)
STAMPED = FileRules(pattern=r"BOKAB_(?P<stamp>\d{14})_\w+\.mrc")
SUPPLIERS = {"BOKAB": STAMPED, "FRI": FileRules(), "MARK": FileRules(marker=".done")}


def landed(sender: str, name: str, age: float = 3600, size: int = 100) -> LandedFile:
    key = f"incoming/{sender}/{name}"
    return LandedFile(f"file:///zone/{key}", key, sender, name, size, NOW - timedelta(seconds=age))


def names(files: list[LandedFile]) -> list[str]:
    return [each.name for each in files]


def test_files_are_parted_by_sender_and_by_whether_they_are_whole() -> None:
    files = [landed("FRI", "a.mrc"), landed("FRI", "b.mrc", age=1), landed("FRI", "c.mrc.part"), landed("XX", "d.mrc")]
    seen = look(files, SUPPLIERS, NOW, 2)
    assert {sender: names(some) for sender, some in seen.taken.items()} == {"FRI": ["a.mrc"]}
    assert [(each.name, why) for each, why in seen.left] == [
        ("b.mrc", "it changed 1 s ago; it is taken after 2 s without a change"),
        ("c.mrc.part", "its name says that it is still being written"),
    ]
    assert names(seen.strangers) == ["d.mrc"]


def test_a_strangers_file_that_is_still_written_is_no_stray_yet() -> None:
    assert look([landed("XX", "d.mrc", age=0)], SUPPLIERS, NOW, 2).strangers == []


def test_a_file_that_was_renamed_into_place_is_taken_at_once() -> None:
    file = landed("FRI", "a.mrc", age=0)
    assert look([file], SUPPLIERS, NOW, 2).taken == {}
    assert look([file], SUPPLIERS, NOW, 2, renamed={file.uri}).taken == {"FRI": [file]}
    part = landed("FRI", "a.mrc.part", age=0)
    assert look([part], SUPPLIERS, NOW, 2, renamed={part.uri}).taken == {}


def test_a_sender_with_markers_is_taken_at_its_word_and_only_then() -> None:
    file, marker = landed("MARK", "day.mrc", age=0), landed("MARK", "day.mrc.done", age=0)
    assert look([file], SUPPLIERS, NOW, 2, renamed={file.uri}).taken == {}
    seen = look([file, marker], SUPPLIERS, NOW, 2)
    assert seen.taken == {"MARK": [file]}
    assert seen.left == []


def test_a_file_that_grows_under_an_old_time_is_left_alone() -> None:
    file = landed("FRI", "a.mrc", size=200)
    earlier = {file.uri: Sighting(100, file.modified_at, NOW - timedelta(hours=1))}
    seen = look([file], SUPPLIERS, NOW, 2, earlier=earlier)
    assert seen.taken == {}
    assert look([file], SUPPLIERS, NOW + timedelta(seconds=2), 2, earlier=seen.sightings).taken == {"FRI": [file]}


def test_files_are_worked_off_by_the_time_in_their_names_then_by_arrival() -> None:
    late, early = landed("BOKAB", "BOKAB_20250312180000_a.mrc", 9000), landed("BOKAB", "BOKAB_20250311180000_b.mrc", 60)
    unreadable = landed("BOKAB", "holiday.mrc", age=86_400 * 2.5)
    assert names(look([late, early, unreadable], SUPPLIERS, NOW, 2).taken["BOKAB"]) == [
        "BOKAB_20250311180000_b.mrc", "holiday.mrc", "BOKAB_20250312180000_a.mrc",
    ]  # fmt: skip


def test_a_window_of_days_leaves_older_files_and_says_so() -> None:
    files = [landed("BOKAB", f"BOKAB_202503{day}230000_a.mrc") for day in (10, 12, 13)]
    files.append(landed("FRI", "a.mrc", age=86_400 * 3))
    seen = within(look(files, SUPPLIERS, NOW, 2), SUPPLIERS, ZoneInfo("Europe/Stockholm"), date(2025, 3, 12))
    assert {sender: names(some) for sender, some in seen.taken.items()} == {"BOKAB": names(files[1:3])}
    assert {(each.name, why) for each, why in seen.left} == {
        (name, "its date is before 2025-03-12, the first day asked for") for name in (files[0].name, "a.mrc")
    }


def test_a_marker_is_stale_once_no_file_lies_beside_it() -> None:
    files = [landed("MARK", name) for name in ("a.mrc", "a.mrc.done", "b.done", "b.xml", "c.mrc.done", "d.done")]
    assert names(stale_markers(files, ".done")) == ["c.mrc.done", "d.done"]


def test_one_run_a_sender_with_everything_that_waits_the_oldest_first() -> None:
    waiting = {"FRI": [landed("FRI", f"{n}.mrc", age=50) for n in range(3)], "BOKAB": [landed("BOKAB", "x", age=99)]}
    starts = plan_starts(waiting, {"MARK": ["7 staged"]}, busy=())
    assert [(each.sender, len(each.uris), each.later) for each in starts] == [
        ("MARK", 0, 0), ("BOKAB", 1, 0), ("FRI", 3, 0),
    ]  # fmt: skip


def test_a_sender_with_a_run_under_way_gets_no_second_one() -> None:
    waiting = {"FRI": [landed("FRI", "a.mrc")], "BOKAB": [landed("BOKAB", "x")]}
    assert [each.sender for each in plan_starts(waiting, {"FRI": ["1 staged"]}, busy={"FRI"})] == ["BOKAB"]


def test_a_run_is_started_with_so_many_files_and_the_rest_waits_for_the_next() -> None:
    files = [landed("FRI", f"{n:04}.mrc") for n in range(MOST_FILES + 20)]
    (start,) = plan_starts({"FRI": files}, {}, ())
    assert (len(start.uris), start.later) == (MOST_FILES, 20)
    assert start.uris[0] == files[0].uri
    long = [landed("FRI", f"{n:04}" + "å" * 120) for n in range(MOST_FILES)]
    long = [each._replace(uri=each.uri + "%C3%A5" * 150) for each in long]
    (start,) = plan_starts({"FRI": long}, {}, ())
    assert 200 < len(start.uris) < MOST_FILES
    assert sum(len(each) for each in start.uris) < MOST_URI_BYTES
    assert len(start.uris) + start.later == MOST_FILES


@given(st.permutations(range(6)))
def test_the_same_files_have_the_same_key_in_any_order(order: list[int]) -> None:
    files = [landed("FRI", f"{n}.mrc") for n in range(6)]
    (one,) = plan_starts({"FRI": files}, {}, ())
    (other,) = plan_starts({"FRI": [files[n] for n in order]}, {}, ())
    assert one.key == other.key


def test_the_key_changes_with_a_file_its_size_its_time_and_what_was_left() -> None:
    file = landed("FRI", "a.mrc")
    variants = [
        ({"FRI": [file]}, {}),
        ({"FRI": [file._replace(size=101)]}, {}),
        ({"FRI": [file._replace(modified_at=NOW)]}, {}),
        ({"FRI": [file, landed("FRI", "b.mrc")]}, {}),
        ({"FRI": [file]}, {"FRI": ["1 staged"]}),
        ({"FRI": [file]}, {"FRI": ["1 matched"]}),
    ]
    assert len({plan_starts(waiting, left, ())[0].key for waiting, left in variants}) == len(variants)


def test_work_that_stays_is_started_again_after_longer_and_longer_pauses() -> None:
    minutes = [pause_after(attempts).total_seconds() / 60 for attempts in (1, 2, 3, 4, 20, 1000)]
    assert minutes == [5, 10, 20, 40, 360, 360]


def test_the_page_of_what_waits_names_runs_and_files() -> None:
    seen = look([landed("FRI", "a|b.mrc", age=0), landed("FRI", "c.mrc")], SUPPLIERS, NOW, 2)
    page = as_markdown(seen, plan_starts(seen.taken, {}, ()))
    assert "| FRI | 1 | 0 |" in page
    assert r"`incoming/FRI/a\|b.mrc`" in page
    assert "None: nothing waits" in as_markdown(look([], SUPPLIERS, NOW, 2), [])
