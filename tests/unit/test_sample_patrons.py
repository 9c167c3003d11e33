"""The sample's fortnight of patron files: read by our readers, judged by our checks, each with what it promises."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from deployments.sample.night import SAMPLE_NIGHT
from deployments.sample.patrons import DAYS, PatronDay, PatronFile, Sizes, patron_fortnight
from deployments.sample.patrons.alma import GROUPS
from deployments.sample.patrons.scenes import SCHEDULE
from deployments.sample.patrons.scenes.rows import IMPOSSIBLE_ID
from schemas.patrons import IncomingPerson, RejectedRow, RejectRule
from schemas.register.patron_limits import PATRON_CHANGES
from tasks.patrons.expiry import ExpiryRule
from tasks.patrons.file_guards import (
    ByteTally,
    FieldTally,
    FileFacts,
    FileRule,
    filled_paths,
    judge_changes,
    judge_file,
    read_manifest,
)
from tasks.patrons.identity import IdentityRule
from tasks.patrons.items import ItemRule
from tasks.patrons.lifecycle import Event
from tasks.patrons.merge import Rule
from tasks.patrons.national_ids import NationalIdCutter
from tasks.patrons.reading import FileTotals, read_persons

pytestmark = pytest.mark.xdist_group("sample-patrons")
"""What the module prepares is prepared by one worker, not by each."""

REGISTER = read_register(SAMPLE_REGISTER)
Rows = list[IncomingPerson | RejectedRow]


class Reading(NamedTuple):
    """One file, read."""

    facts: FileFacts
    rows: Rows
    charset_rules: list[str]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[PatronDay]:
    """The whole fortnight, written."""
    return patron_fortnight(tmp_path_factory.mktemp("fortnight"))


@pytest.fixture(scope="module")
def readings(days: list[PatronDay]) -> Mapping[tuple[date, str], Reading]:
    """What the readers make of every file, by day and source."""
    return {(day.on, file.source): _read(file) for day in days for file in day.files}


@pytest.fixture(scope="module")
def rows(readings: Mapping[tuple[date, str], Reading]) -> Mapping[tuple[date, str], Rows]:
    """Persons and rejected rows of every file, by day and source."""
    return {key: reading.rows for key, reading in readings.items()}


def _kept(file: PatronFile) -> bytes:
    """The file as it is kept: without national ids."""
    content = file.path.read_bytes()
    if REGISTER.patron_source_by_code[file.source].format != "bups1":
        return content
    cutter = NationalIdCutter()
    kept = list(cutter.cut(io.BytesIO(content)))
    assert cutter.remaining(kept) == 0
    return b"".join(kept)


def _read(file: PatronFile) -> Reading:
    content, source = _kept(file), REGISTER.patron_source_by_code[file.source]
    tally, bytes_seen, totals = FieldTally(), ByteTally(), FileTotals()
    bytes_seen.feed(content)
    found = list(read_persons(io.BytesIO(content), file.path.name, source, totals))
    persons = [each for each in found if isinstance(each, IncomingPerson)]
    for person in persons:
        tally.add(filled_paths(person))
    facts = FileFacts(
        file.path.name,
        bytes_seen.sha256,
        bytes_seen.size,
        len(persons),
        len(found) - len(persons),
        tuple(totals.defects),
        tally.filled,
    )
    # The bytes of a zip are of no character set.
    of_charset = bytes_seen.judged(source.charset) if source.format != "bups2" else []
    return Reading(facts, found, [each.rule for each in of_charset])


def _persons(rows: Rows) -> dict[str, IncomingPerson]:
    """By primary id; of two with the same one the last."""
    return {str(each.value("primary_id")): each for each in rows if isinstance(each, IncomingPerson)}


def test_three_institutions_send_over_two_weeks(days: list[PatronDay]) -> None:
    assert [day.on for day in days] == list(DAYS)
    assert (DAYS[0], DAYS[-1]) == (date(2025, 3, 3), date(2025, 3, 16))
    assert SAMPLE_NIGHT in DAYS
    for day in days:
        weekdays = {"SJUKHUS"} if day.on.weekday() < 5 else set()
        assert {file.source for file in day.files} == {"NORUPERS", "VESTSTUD", "FJORKOMM"} | weekdays
        for file in day.files:
            assert file.path.parts[-3:-1] == (day.on.isoformat(), file.source)
            assert file.institution == REGISTER.patron_source_by_code[file.source].institution
    counts = [file.persons for file in days[0].files]
    assert counts == [460, 60, 300, 150]


def test_every_file_is_read_with_the_rows_that_it_promises(
    days: list[PatronDay], rows: Mapping[tuple[date, str], Rows]
) -> None:
    for day in days:
        for file in day.files:
            if file.persons is None:
                assert file.outcome == "held"
                continue
            found = rows[day.on, file.source]
            rejected = [each.rule for each in found if isinstance(each, RejectedRow)]
            assert (len(found) - len(rejected), rejected) == (file.persons, list(file.rejected)), file.path.name


def test_the_checks_of_a_file_find_what_is_promised_and_nothing_in_the_others(
    days: list[PatronDay], readings: Mapping[tuple[date, str], Reading]
) -> None:
    last: dict[str, FileFacts] = {}
    for day in days:
        for file in day.files:
            source = REGISTER.patron_source_by_code[file.source]
            facts, _, of_charset = readings[day.on, file.source]
            manifest = read_manifest(file.manifest.read_bytes(), file.manifest.name) if file.manifest else None
            found = [*of_charset, *(each.rule for each in judge_file(facts, source, last.get(file.source), manifest))]
            if file.outcome == "held":
                assert set(file.findings) <= set(found), file.path.name
            else:
                assert (found, file.findings) == ([], ()), file.path.name
                last[file.source] = facts


def test_the_classes_that_must_be_held_are_over_their_limits_and_under_the_checks_of_the_file(
    days: list[PatronDay], rows: Mapping[tuple[date, str], Rows]
) -> None:
    limits = REGISTER.patron_policy.guards
    before, now = (_persons(rows[date(2025, 3, day), "NORUPERS"]) for day in (9, 10))
    moved = sum(who in before and before[who].value("user_group") != now[who].value("user_group") for who in now)
    assert moved > limits.limit_of("group_change").limit(len(before))
    rules = REGISTER.patron_source_by_code["NORUPERS"].file
    assert judge_changes({"user_group": moved}, len(before), rules) == []
    before, now = (_persons(rows[date(2025, 3, day), "FJORKOMM"]) for day in (13, 14))
    cleared = [who for who in now if who in before and before[who].items("emails") and not now[who].items("emails")]
    assert len(cleared) == 14 > limits.limit_of("clear").limit(len(before))
    held = {(day.on.day, file.source): file.held_classes for day in days for file in day.files if file.held_classes}
    assert held == {(10, "NORUPERS"): ("group_change",), (14, "FJORKOMM"): ("clear",)}


def test_ordinary_nights_stay_under_every_limit(rows: Mapping[tuple[date, str], Rows]) -> None:
    """Over the fortnight together, since the limits of destructive classes are sums."""
    for source in ("NORUPERS", "SJUKHUS", "VESTSTUD", "FJORKOMM"):
        used = [_persons(found) for (_, of), found in rows.items() if of == source]
        shorter = rekeyed = 0
        for before, now in pairwise(used):
            for who in before.keys() & now.keys():
                was, is_now = before[who].value("expiry_date"), now[who].value("expiry_date")
                shorter += bool(is_now and was and is_now < was)  # type: ignore[operator]
            rekeyed += sum(bool(person.rekeyed_from) and who not in before for who, person in now.items())
        assert (shorter <= 10, rekeyed <= 10) == (True, True), source


def test_the_truncated_night_has_two_fifths_and_the_next_one_everybody(days: list[PatronDay]) -> None:
    sizes = {day.on.day: file.path.stat().st_size for day in days for file in day.files if file.source == "NORUPERS"}
    assert 0.38 < sizes[6] / sizes[5] <= 0.40
    assert sizes[7] > sizes[5]
    assert sizes[8] == 0


def test_the_stale_file_has_the_bytes_of_the_night_before(days: list[PatronDay]) -> None:
    files = {day.on.day: file for day in days for file in day.files if file.source == "VESTSTUD"}
    assert files[9].path.read_bytes() == files[8].path.read_bytes()
    assert files[9].path.name != files[8].path.name


def test_each_scene_is_there_as_it_says(rows: Mapping[tuple[date, str], Rows]) -> None:
    def noru(day: int) -> dict[str, IncomingPerson]:
        return _persons(rows[date(2025, 3, day), "NORUPERS"])

    def vest(day: int) -> dict[str, IncomingPerson]:
        return _persons(rows[date(2025, 3, day), "VESTSTUD"])

    assert [noru(day)["NB00000001"].value("last_name") for day in (3, 4)] == ["Askmark", "Örnlid"]
    assert [noru(day)["NB00000003"].value("user_group") for day in (3, 4)] == ["student", "employee"]
    assert [noru(day)["NB00000005"].value("expiry_date") for day in (4, 5)] == [date(2025, 12, 31), date(2025, 3, 7)]
    assert ["NB00000007" in noru(day) for day in (3, 4, 13, 16)] == [True, False, False, False]
    assert ["NB00000010" in noru(day) for day in (3, 4, 5, 7)] == [True, False, False, True]
    assert [each.value for each in noru(5)["NB70500015"].rekeyed_from] == ["NB00000015"]
    assert noru(13)["NB80000017"].source_ids[0] == noru(9)["NB00000017"].source_ids[0]
    hospital = _persons(rows[date(2025, 3, 3), "SJUKHUS"])
    joined = {each.value for person in hospital.values() for each in person.search_ids if each.type == "feide"}
    assert joined == {noru(3)[who].source_ids[0].value for who in ("NB00000012", "NB00000013")}
    assert [who for who, person in hospital.items() if person.is_confidential] == ["LS-00004"]
    assert [vest(day)["V-000006"].is_confidential for day in (7, 8)] == [vest(7)["V-000006"].is_confidential, True]
    freed = _barcode(vest(3)["V-000003"])
    assert (_barcode(vest(7)["V-000301"]), _barcode(vest(7)["V-000003"]) == freed) == (freed, False)
    assert _barcode(vest(10)["V-000302"]) == _barcode(vest(10)["V-000004"])
    assert [(each.action, each.path) for each in vest(6)["V-000007"].orders] == [("protect", "pref_first_name")]
    assert vest(7)["V-000007"].orders == ()
    assert [(each.action, each.path) for each in vest(13)["V-000009"].orders] == [("release", "campus_code")]
    assert [each.value for each in vest(13)["V-700001"].rekeyed_from] == ["V-000001"]


def _barcode(person: IncomingPerson) -> str:
    return next(each.value for each in (*person.source_ids, *person.search_ids) if each.type == "barcode")


def test_every_scene_is_told_with_a_docstring_and_a_word_of_the_code(days: list[PatronDay]) -> None:
    words = {each for kind in (Rule, ItemRule, IdentityRule, Event, FileRule, RejectRule) for each in get_args(kind)}
    words |= {*get_args(ExpiryRule), *PATRON_CHANGES, "is_confidential", "cut_out", "protected", "released"}
    told = {note.scene for day in days for note in day.scenes}
    assert told == {scene.__name__ for _, scene in SCHEDULE} | {"ordinary_day"}
    assert {note.outcome for day in days for note in day.scenes} - words == set()
    assert [scene.__name__ for _, scene in SCHEDULE if "Must happen:" not in (scene.__doc__ or "")] == []


def test_nothing_is_expected_of_a_person_in_a_night_whose_file_is_held(days: list[PatronDay]) -> None:
    for day in days:
        held = {file.source for file in day.files if file.outcome == "held"}
        there = {file.source for file in day.files} | {""}
        assert [note for note in day.scenes if note.persons and note.source in held] == []
        assert [note for note in day.scenes if note.source not in there] == []


def test_the_categories_are_those_of_the_register() -> None:
    assert {code: dict(REGISTER.patron_source_by_code[code].categories) for code in GROUPS} == GROUPS


def test_nothing_looks_like_a_national_id_but_what_must_be_cut_out(days: list[PatronDay]) -> None:
    looks = re.compile(rb"(?<![0-9])[0-9]{6}[-+ ]?[0-9]{4,5}(?![0-9])|(?<![0-9])[0-9]{8}-[0-9]{4}(?![0-9])")
    found = {
        (day.on.day, file.source, match)
        for day in days
        for path, file in [*((each.path, each) for each in day.files), *((each, None) for each in day.stocks.values())]
        for match in looks.findall(path.read_bytes())
    }
    assert found == {(7, "NORUPERS", IMPOSSIBLE_ID.encode())}
    assert not 1 <= int(IMPOSSIBLE_ID[:2]) <= 31 + 40
    kept = next(file for file in days[4].files if file.source == "NORUPERS")
    assert kept.path.read_bytes().count(IMPOSSIBLE_ID.encode()) == 2
    assert IMPOSSIBLE_ID.encode() not in _kept(kept)


def test_every_address_is_one_that_nobody_can_have(days: list[PatronDay]) -> None:
    for file in (file for day in days for file in day.files):
        hosts = re.findall(rb"@([A-Za-z0-9.-]+)", file.path.read_bytes())
        assert {host for host in hosts if not host.endswith(b".example")} == set()


def test_any_day_can_be_written_by_itself(days: list[PatronDay], tmp_path: Path) -> None:
    (alone,) = patron_fortnight(tmp_path, [SAMPLE_NIGHT])
    whole = next(day for day in days if day.on == SAMPLE_NIGHT)
    assert [file.path.read_bytes() for file in alone.files] == [file.path.read_bytes() for file in whole.files]
    assert (alone.scenes, alone.edits, alone.protections) == (whole.scenes, whole.edits, whole.protections)
    assert (set(alone.stocks), whole.stocks) == ({"NORU", "VEST"}, {})


def test_another_seed_has_other_persons_and_the_same_scenes(days: list[PatronDay], tmp_path: Path) -> None:
    (other,) = patron_fortnight(tmp_path, DAYS[:1], seed=2)
    assert [file.path.read_bytes() for file in other.files] != [file.path.read_bytes() for file in days[0].files]
    assert [note.scene for note in other.scenes] == [note.scene for note in days[0].scenes]


def test_a_day_outside_the_fortnight_and_a_source_too_small_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2025-03-17 is not between 2025-03-03 and 2025-03-16"):
        patron_fortnight(tmp_path, [date(2025, 3, 17)])
    with pytest.raises(ValueError, match="VESTSTUD needs more persons for the scenes than 10"):
        patron_fortnight(tmp_path, sizes=Sizes(veststud=10))


def test_staff_edit_in_three_places(days: list[PatronDay]) -> None:
    edits = [edit for day in days for edit in day.edits]
    assert {edit.institution for edit in edits} == {"NORU", "VEST", "FJOR"}
    assert {(edit.institution, edit.path) for edit in edits if edit.kind == "clear"} == {("FJOR", "department")}
    paths = {edit.path for edit in edits}
    assert {"pref_first_name", "emails", "phones", "user_notes", "user_group", "expiry_date", "last_name"} <= paths
    protections = [each for day in days for each in day.protections]
    assert [(each.institution, each.path, each.value is None) for each in protections] == [
        ("FJOR", "last_name", False),
        ("VEST", "pref_first_name", True),
        ("NORU", "user_group", False),
    ]
    assert protections[-1].until == date(2025, 3, 12)
