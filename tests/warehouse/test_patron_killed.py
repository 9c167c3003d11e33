"""A patron sync that is killed right before or after any commit and run again: the same persons as undisturbed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.patrons import applying, planning, staging
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.patron_runs import approve_all, content, rows, sync
from tests.warehouse.pipeline import everything, land, restore
from tests.warehouse.test_killed import Commits, KilledError

FIRST, SECOND = "2025-03-03", "2025-03-04"


def bups1(*persons: tuple[str, str, str, str]) -> bytes:
    """A file of NORUPERS: (id, family name, given name, category)."""
    records = [
        f"LT:{number}\nRS:NORU001\nEN:{family}\nFN:{given}\nKA:{category}\nFI:{number.lower()}@nordhavet.example\n"
        for number, family, given, category in persons
    ]
    return "------------\n".join(records).encode("iso8859-1")


def before() -> bytes:
    return bups1(*((f"NH{number}", f"Asp{number}", "Bo", "20") for number in range(11)))


def after() -> bytes:
    """A change, a person who is not there any more, a new one, one row that cannot be read, one that comes twice."""
    persons = [(f"NH{number}", f"Asp{number}", "Bo", "20") for number in range(1, 11)]
    persons[0] = ("NH1", "Lind", "Bo", "20")
    persons += [("NH20", "Ek", "Ada", "10"), ("NH21", "", "Ada", "10"), ("NH2", "Alm", "Bo", "20")]
    return bups1(*persons)


def end_of(place: Workplace) -> dict[str, Any]:
    """What must be the same: persons, decisions, counts of the file, and where the files are."""
    zone = Path(place.settings.landing_url)
    return {
        "persons": content(place.warehouse),
        "changes": sorted(
            tuple(str(cell) for cell in row)
            for row in rows(
                place.warehouse,
                "SELECT institution, primary_id, path, old, new, source, rule, class, decision FROM out_patron_change",
            )
        ),
        "files": rows(
            place.warehouse,
            "SELECT rows_read, rows_unchanged, rows_created, rows_changed, rows_kept, rows_held, rows_quarantined,"
            " rows_rejected, persons_missing, persons_moved, is_used, findings FROM out_patron_file ORDER BY 1",
        ),
        "refused": rows(place.warehouse, "SELECT record_no, kind, rule FROM raw_patron_reject ORDER BY 1, 2"),
        "states": rows(place.warehouse, "SELECT state, hold_reason FROM out_delivery ORDER BY delivery_id"),
        "left": rows(place.warehouse, "SELECT count(*) FROM stage_patron"),
        "kept": sorted((file.parts[len(zone.parts)], file.name) for file in zone.rglob("*") if file.is_file()),
    }


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_killed_at_any_commit_and_run_again(
    open_place: OpenPlace, monkeypatch: pytest.MonkeyPatch, is_after: bool
) -> None:
    for module, name in ((staging, "CHUNK_PERSONS"), (planning, "CHUNK_PLANS"), (applying, "CHUNK_PLANS")):
        monkeypatch.setattr(module, name, 6)
    place = open_place(today=FIRST)
    sync(place, "NORUPERS", [land(place, "NORUPERS", "NORUPERS_20250303.txt", before())])
    approve_all(place)
    begun = everything(place.warehouse)
    place = open_place(today=SECOND)
    commits = Commits(place.warehouse)
    begin(place, begun)
    commits.number = 0
    run(place)
    total, undisturbed = commits.number, end_of(place)
    assert total >= 12
    assert undisturbed["files"][1][:8] == (13, 9, 1, 1, 0, 0, 1, 1)
    for number in range(1, total + 1):
        begin(place, begun)
        with commits.killing(number, is_after=is_after), pytest.raises(KilledError):
            run(place)
        run(place)
        assert end_of(place) == undisturbed, f"killed at commit {number} of {total}"


def begin(place: Workplace, begun: dict[str, Any]) -> None:
    restore(place.warehouse, begun)
    for file in Path(place.settings.landing_url).rglob("*"):
        if file.is_file():
            file.unlink()
    land(place, "NORUPERS", "NORUPERS_20250304.txt", after())


def run(place: Workplace) -> None:
    """What waits in the landing zone, and what an earlier run left."""
    sync(place, "NORUPERS", [each.uri for each in place.zone.waiting("NORUPERS")])
