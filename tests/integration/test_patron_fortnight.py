"""Two weeks of the sample's files of persons, with library systems that are read back every night, on both engines.

Every file ends as the sample says it must: taken, held in part, or held; and the rules that its scenes are there for
have decided about their persons.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from deployments.sample.patrons import PatronDay, PatronFile, Sizes, patron_fortnight, read_back_export
from schemas.summaries import PatronSummary
from tasks.library_systems import stages as library_systems
from tasks.patrons import stages
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace, open_home, open_place
from tests.warehouse.patron_runs import OF_A_FILE, approve_all, content, persons, rows, summed_up
from tests.warehouse.pipeline import land

__all__ = ["open_home", "open_place"]

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SMALL = Sizes(norupers=130, sjukhus=20, veststud=120, fjorkomm=60)
SYSTEMS = {"NORU": "NORUALMA", "VEST": "VESTALMA"}
SAYS = {"source_wins", "affiliation_changed", "went_missing", "returned_from_missing", "expired", "grace_began"}
SAYS |= {"pinned", "protected", "released", "conflict", "removed_by_staff", "own_removed", "edited", "immutable"}
"""Words of the sample's scenes that stand as rules in the rows of their persons."""


def test_a_fortnight_ends_as_its_scenes_say(open_place: OpenPlace, tmp_path: Path, figures: list[str]) -> None:
    days = patron_fortnight(tmp_path / "files", sizes=SMALL)
    held: dict[str, bytes] = {institution: path.read_bytes() for institution, path in days[0].stocks.items()}
    seen: set[str] = set()
    place = open_place(today=days[0].on.isoformat())
    for day in days:
        place = open_place(today=day.on.isoformat())
        for institution, target in SYSTEMS.items():
            if day is not days[0]:
                held[institution] = exported(place, institution, held[institution], day, seen)
            land(place, target, f"{institution}_{day.on:%Y%m%d}.xml", held[institution])
        for file in day.files:
            check(place, day.on, file, take(place, file))
        if day is days[0]:
            approve_all(place)
    assert rows(place.warehouse, "SELECT DISTINCT state FROM core_patron_read_back") == [("used",)]
    unsaid = scenes_without_a_row(place, days)
    assert not unsaid, unsaid
    before = content(place.warehouse)
    for source in ("NORUPERS", "VESTSTUD", "FJORKOMM"):
        assert stages.receive_files.fn(source, []) == []
    assert content(place.warehouse) == before
    everybody = sum(len(persons(place.warehouse, institution)) for institution in ("NORU", "VEST", "FJOR"))
    assert everybody > 330
    figures.append(f"fortnight of persons on {place.warehouse.engine.dialect.name}: {everybody} persons")


def exported(place: Workplace, institution: str, held: bytes, day: PatronDay, seen: set[str]) -> bytes:
    """What the library system holds now: it has taken in what was sent since, and staff have edited."""
    folder = Path(place.settings.landing_url) / "exports" / "patrons" / institution
    new = sorted(
        (path for path in folder.glob("*.zip") if str(path) not in seen), key=lambda path: path.stat().st_mtime_ns
    )
    seen |= {str(path) for path in new}
    return read_back_export(held, day.edits_at(institution), new)


def take(place: Workplace, file: PatronFile) -> PatronSummary:
    uris = [land(place, file.source, path.name, path.read_bytes()) for path in (file.path, file.manifest) if path]
    (delivery,) = stages.receive_files.fn(file.source, uris)
    library_systems.take_read_back.fn(file.source)
    for stage in OF_A_FILE:
        stage(delivery)
    library_systems.write_out.fn(file.source)
    (found,) = summed_up(place.warehouse, [delivery])
    return found


def check(place: Workplace, on: date, file: PatronFile, found: PatronSummary) -> None:
    """A file ended as the sample says."""
    where = f"{file.source} on {on}: {found.reason}"
    if file.outcome == "held":
        assert found.state == "held", where
        assert {f"file:{each}" for each in file.findings} <= found.held.keys(), where
        return
    assert found.state == "settled", where
    assert set(file.held_classes) <= found.held.keys() <= {*file.held_classes, "create"}, where
    assert found.rows["rejected"] == len(file.rejected), where
    assert found.rows["read"] == (file.persons or 0) + len(file.rejected), where


def scenes_without_a_row(place: Workplace, days: list[PatronDay]) -> list[str]:
    rules: dict[str, set[str]] = defaultdict(set)
    for primary_id, rule in rows(place.warehouse, "SELECT lower(primary_id), rule FROM out_patron_change"):
        rules[primary_id].add(rule)
    return [
        f"{note.on} {note.scene}: {note.outcome}"
        for day in days
        for note in day.scenes
        if note.source in ("NORUPERS", "VESTSTUD", "SJUKHUS")
        and note.outcome in SAYS
        and note.persons
        and note.scene not in ("protected_by_the_desk", "edited_before_samkat")
        and not any(note.outcome in rules[each.lower()] for each in note.persons)
    ]
