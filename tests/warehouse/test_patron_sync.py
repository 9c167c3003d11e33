"""The patron sync over the sample's files, on both engines: what each night does, and what it does not do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from deployments.sample.patrons import DAYS, PatronDay, PatronFile, Sizes, patron_fortnight
from schemas.summaries import PatronSummary
from tasks.library_systems import stages as library_systems
from tasks.notices.stages import notify_patrons
from tasks.patrons.summary import as_markdown
from tasks.warehouse.read_backs import held_read_backs
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.patron_runs import approve_all, content, persons, preview, rows, sync, sync_file
from tests.warehouse.pipeline import everything, land

pytestmark = pytest.mark.xdist_group("patron-sync")
"""What the module prepares is prepared by one worker, not by each."""

SMALL = Sizes(norupers=130, sjukhus=20, veststud=120, fjorkomm=60)
FIRST, SECOND, THIRD = DAYS[:3]
TRUNCATED, AFTER_TRUNCATED = DAYS[3], DAYS[4]
WRONG_CATEGORIES = DAYS[7]
Night = Callable[[date], Workplace]


@pytest.fixture(scope="module")
def fortnight(tmp_path_factory: pytest.TempPathFactory) -> dict[date, PatronDay]:
    return {each.on: each for each in patron_fortnight(tmp_path_factory.mktemp("fortnight"), sizes=SMALL)}


@pytest.fixture
def night(open_place: OpenPlace) -> Night:
    """The workplace on a day."""
    return lambda on: open_place(today=on.isoformat())


def file_of(day: PatronDay, source: str) -> PatronFile:
    return next(each for each in day.files if each.source == source)


def take(place: Workplace, day: PatronDay, source: str) -> PatronSummary:
    """A run over a source's file of a day."""
    file = file_of(day, source)
    return sync_file(place, source, file.path, file.manifest)


def start_with(night: Night, day: PatronDay, source: str) -> Workplace:
    """A source's persons are there: the first file was taken, and its creates were approved."""
    place = night(day.on)
    take(place, day, source)
    approve_all(place)
    return place


def test_a_first_load_waits_for_approval_and_then_everybody_is_there(
    night: Night, fortnight: dict[date, PatronDay]
) -> None:
    place = night(FIRST)
    found = take(place, fortnight[FIRST], "FJORKOMM")
    everybody = file_of(fortnight[FIRST], "FJORKOMM").persons
    assert (found.state, found.rows["held"], found.held) == ("settled", everybody, {"create": everybody})
    assert persons(place.warehouse, "FJOR") == {}
    assert approve_all(place) == [f"create of file {found.delivery_id}"]
    assert len(persons(place.warehouse, "FJOR")) == everybody
    counts = "SELECT rows_read, rows_created, rows_held FROM out_patron_file"
    assert rows(place.warehouse, counts) == [(everybody, everybody, 0)]
    told = rows(
        place.warehouse,
        "SELECT count(*), count(DISTINCT primary_id) FROM out_patron_change"
        " WHERE path = 'person' AND decision = 'applied'",
    )
    assert told == [(everybody, everybody)]


def test_a_night_that_brings_nothing_new_writes_nothing_about_anybody(
    night: Night, fortnight: dict[date, PatronDay]
) -> None:
    place = start_with(night, fortnight[FIRST], "FJORKOMM")
    file = file_of(fortnight[FIRST], "FJORKOMM")
    tables = ("core_patron", "core_patron_source", "core_patron_change", "core_patron_version", "core_patron_history")
    before = everything(place.warehouse)
    place = night(SECOND)
    name = file.path.name.replace(f"{FIRST:%Y%m%d}", f"{SECOND:%Y%m%d}")
    (found,) = sync(place, "FJORKOMM", [land(place, "FJORKOMM", name, file.path.read_bytes() + b"\r\n")])
    assert (found.state, found.rows["unchanged"]) == ("settled", file.persons)
    after = everything(place.warehouse)
    assert {name: after[name] for name in tables} == {name: before[name] for name in tables}
    seen = {each["last_seen_on"] for each in persons(place.warehouse, "FJOR").values()}
    assert {str(each) for each in seen} == {str(SECOND)}


def test_the_same_file_about_the_same_day_has_no_effect_and_about_another_day_is_stale(
    night: Night, fortnight: dict[date, PatronDay]
) -> None:
    place = start_with(night, fortnight[FIRST], "FJORKOMM")
    before = content(place.warehouse)
    again = take(place, fortnight[FIRST], "FJORKOMM")
    assert (again.state, again.rows["created"]) == ("settled", 0 if not again.rows["read"] else again.rows["created"])
    assert content(place.warehouse) == before
    file = file_of(fortnight[FIRST], "FJORKOMM")
    name = file.path.name.replace(f"{FIRST:%Y%m%d}", f"{SECOND:%Y%m%d}")
    place = night(SECOND)
    (stale,) = sync(place, "FJORKOMM", [land(place, "FJORKOMM", name, file.path.read_bytes())])
    assert (stale.state, list(stale.held)) == ("held", ["file:stale"])
    assert content(place.warehouse) == before


def test_a_truncated_night_touches_nobody_and_the_next_whole_file_repairs_everything(
    night: Night, fortnight: dict[date, PatronDay]
) -> None:
    start_with(night, fortnight[FIRST], "NORUPERS")
    place = night(THIRD)
    take(place, fortnight[THIRD], "NORUPERS")
    before = content(place.warehouse)
    place = night(TRUNCATED)
    held = take(place, fortnight[TRUNCATED], "NORUPERS")
    assert held.state == "held"
    assert {"file:size", "file:count"} <= held.held.keys()
    assert content(place.warehouse) == before
    place = night(AFTER_TRUNCATED)
    repaired = take(place, fortnight[AFTER_TRUNCATED], "NORUPERS")
    assert (repaired.state, repaired.held) == ("settled", {})
    lines = file_of(fortnight[AFTER_TRUNCATED], "NORUPERS").path.read_text("iso8859-1").splitlines()
    there = {line[3:].strip().casefold() for line in lines if line.startswith("LT:")}
    found = persons(place.warehouse, "NORU")
    states = {each["state"] for name, each in found.items() if name.casefold() in there}
    assert states <= {"active", "expired"}  # some have a last valid day that is over, as their rows say
    assert sum(each["state"] == "active" for each in found.values()) > 120
    (closed,) = rows(
        place.warehouse, "SELECT state, hold_reason FROM out_delivery WHERE delivery_id = :id", id=held.delivery_id
    )
    assert closed == ("rejected", f"not used: the file of {AFTER_TRUNCATED} was")
    assert rows(place.warehouse, "SELECT 1 FROM out_plan WHERE state = 'held'") == []


def test_a_class_over_its_limit_waits_and_the_rest_of_the_file_goes_on(
    night: Night, fortnight: dict[date, PatronDay]
) -> None:
    start_with(night, fortnight[FIRST], "NORUPERS")
    place = night(WRONG_CATEGORIES)
    groups = rows(place.warehouse, "SELECT user_group, count(*) FROM out_patron GROUP BY 1 ORDER BY 1")
    found = take(place, fortnight[WRONG_CATEGORIES], "NORUPERS")
    assert found.state == "settled"
    assert list(found.held) == ["group_change"]
    assert found.rows["created"] > 0
    now = dict(rows(place.warehouse, "SELECT user_group, count(*) FROM out_patron GROUP BY 1 ORDER BY 1"))
    assert now["student"] >= dict(groups)["student"]
    waiting = rows(place.warehouse, "SELECT count(*) FROM out_patron_change WHERE class = 'group_change'")
    assert waiting[0][0] == found.held["group_change"]
    (done,) = approve_all(place)
    assert done.startswith("group_change")
    now = dict(rows(place.warehouse, "SELECT user_group, count(*) FROM out_patron GROUP BY 1 ORDER BY 1"))
    assert now.get("student", 0) < dict(groups)["student"]


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(night: Night, fortnight: dict[date, PatronDay]) -> None:
    place = night(FIRST)
    file = file_of(fortnight[FIRST], "FJORKOMM")
    handed = place.zone.adopt(file.path, "FJORKOMM")
    (found,) = preview(place, "FJORKOMM", [handed])
    assert (found.is_preview, found.rows["created"], found.held) == (True, file.persons, {"create": file.persons})
    there = everything(place.warehouse)
    assert [name for name, some in there.items() if some and "patron" in name] == ["raw_patron_file"]
    assert there["core_plan"] == []
    settled = take(place, fortnight[FIRST], "FJORKOMM")
    assert settled.held == {"create": file.persons}
    (again,) = preview(place, "FJORKOMM", [place.zone.adopt(file.path, "FJORKOMM")])
    assert (again.is_preview, again.held) == (False, {"create": file.persons})
    assert approve_all(place) == [f"create of file {settled.delivery_id}"]
    assert len(persons(place.warehouse, "FJOR")) == file.persons


def test_national_ids_are_nowhere_after_the_file_was_received(night: Night, fortnight: dict[date, PatronDay]) -> None:
    day = fortnight[DAYS[4]]
    place = night(day.on)
    file = file_of(day, "NORUPERS")
    ids = [
        line[3:].strip() for line in file.path.read_text("iso8859-1").splitlines() if line.startswith(("FR:", "GR:"))
    ]
    assert ids
    take(place, day, "NORUPERS")
    kept = [path for path in Path(place.settings.landing_url).rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        assert not any(each.encode() in path.read_bytes() for each in ids), path
    assert not any(each in repr(everything(place.warehouse)) for each in ids)
    (cut,) = rows(place.warehouse, "SELECT national_ids_cut FROM out_patron_file")
    assert cut[0] >= len(ids)


def test_rows_that_cannot_be_taken_have_their_reason_and_stop_nobody(
    night: Night, fortnight: dict[date, PatronDay]
) -> None:
    start_with(night, fortnight[FIRST], "NORUPERS")
    place = night(THIRD)
    file = file_of(fortnight[THIRD], "NORUPERS")
    found = take(place, fortnight[THIRD], "NORUPERS")
    assert found.rows["rejected"] == len(file.rejected) == 2
    told = rows(place.warehouse, "SELECT rule, field FROM raw_patron_reject ORDER BY record_no")
    assert [rule for rule, _ in told] == list(file.rejected)
    assert found.rows["changed"] + found.rows["created"] > 0


def test_no_document_goes_out_without_a_fresh_read_back(night: Night, fortnight: dict[date, PatronDay]) -> None:
    place = start_with(night, fortnight[FIRST], "VESTSTUD")
    assert library_systems.write_out.fn("VESTSTUD") == {"without_read_back": 1}
    assert list(place.zone.stored("exports")) == []
    stock = fortnight[FIRST].stocks["VEST"]
    land(place, "VESTALMA", stock.name, stock.read_bytes())
    taken = library_systems.take_read_back.fn("VESTSTUD")
    assert taken["users"] > 100
    sent = library_systems.write_out.fn("VESTSTUD")
    assert sent["sent"] == len(
        [1 for each in persons(place.warehouse, "VEST").values() if each["state"] == "active"]
    ) - (len(persons(place.warehouse, "VEST")) - sent["sent"])
    assert library_systems.write_out.fn("VESTSTUD")["sent"] == 0


@pytest.mark.parametrize("source", ["VESTSTUD"])
def test_half_an_export_is_no_read_back(night: Night, fortnight: dict[date, PatronDay], source: str) -> None:
    place = start_with(night, fortnight[FIRST], source)
    stock = fortnight[FIRST].stocks["VEST"]
    whole = stock.read_bytes()
    land(place, "VESTALMA", stock.name, whole)
    library_systems.take_read_back.fn(source)
    before = content(place.warehouse)
    place = night(SECOND)
    users = whole.split(b"<user>")
    half = b"<user>".join(users[: len(users) // 2]) + b"</users>"
    land(place, "VESTALMA", f"VEST_{SECOND:%Y%m%d}.xml", half)
    taken = library_systems.take_read_back.fn(source)
    assert taken["finding count"] == 1
    assert content(place.warehouse) == before
    assert rows(place.warehouse, "SELECT state FROM core_patron_read_back ORDER BY as_of") == [("used",), ("held",)]
    assert notify_patrons.fn([], source) == {"held": 2}
    assert notify_patrons.fn([], source) == {}
    told = dict(rows(place.warehouse, "SELECT recipient, body_text FROM core_notice"))
    assert told.keys() == {place.register.catalogue.operator, "circulation@vestmark.example"}
    assert all("more than 15% away" in text and "samkat plans" not in text for text in told.values())
    assert not any(
        each["family_name"] in text for each in persons(place.warehouse, "VEST").values() for text in told.values()
    )
    with place.warehouse.read() as connection:
        (waits,) = held_read_backs(connection)
        assert (waits.institution, waits.file_name) == ("VEST", f"VEST_{SECOND:%Y%m%d}.xml")
        assert "was not used" in as_markdown("Patrons", [], [waits])
    place = night(THIRD)
    land(place, "VESTALMA", f"VEST_{THIRD:%Y%m%d}.xml", whole)
    assert not library_systems.take_read_back.fn(source)["finding count"]
    with place.warehouse.read() as connection:
        assert held_read_backs(connection) == []
