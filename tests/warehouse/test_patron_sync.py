"""The patron sync over the sample's files, on both engines: what each night does, and what it does not do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from deployments.sample.patrons import DAYS, PatronDay, Sizes, patron_fortnight
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.patron_runs import approve_all, content, persons, preview, rows, sync, sync_file
from tests.warehouse.pipeline import land

SMALL = Sizes(norupers=130, sjukhus=20, veststud=120, fjorkomm=60)
FIRST, SECOND = DAYS[0], DAYS[1]
Night = Callable[[date], Workplace]


@pytest.fixture(scope="module")
def fortnight(tmp_path_factory: pytest.TempPathFactory) -> dict[date, PatronDay]:
    return {each.on: each for each in patron_fortnight(tmp_path_factory.mktemp("fortnight"), sizes=SMALL)}


@pytest.fixture
def night(open_place: OpenPlace) -> Night:
    """The workplace on a day."""
    return lambda on: open_place(today=on.isoformat())


def file_of(day: PatronDay, source: str) -> tuple[Path, Path | None]:
    return next((each.path, each.manifest) for each in day.files if each.source == source)


def test_a_first_load_waits_for_approval_and_then_everybody_is_there(
    night: Night, fortnight: dict[date, PatronDay]
) -> None:
    place = night(FIRST)
    found = sync_file(place, "FJORKOMM", *file_of(fortnight[FIRST], "FJORKOMM"))
    assert (found.state, found.rows["held"], found.held) == (
        "settled",
        found.rows["read"],
        {"create": found.rows["read"]},
    )
    assert persons(place.warehouse, "FJOR") == {}
    approve_all(place)
    assert len(persons(place.warehouse, "FJOR")) == found.rows["read"]
    (told,) = rows(
        place.warehouse, "SELECT count(*) FROM out_patron_change WHERE path = 'person' AND decision = 'applied'"
    )
    assert told[0] == found.rows["read"]


def test_the_same_persons_on_the_next_night_are_passed_by(night: Night, fortnight: dict[date, PatronDay]) -> None:
    place = night(FIRST)
    path, _ = file_of(fortnight[FIRST], "FJORKOMM")
    sync_file(place, "FJORKOMM", path)
    approve_all(place)
    before = content(place.warehouse)
    again = sync_file(place, "FJORKOMM", path)
    assert again.rows["unchanged"] == 0 or again.state == "settled"
    place = night(SECOND)
    renamed = path.with_name(path.name.replace(f"{FIRST:%Y%m%d}", f"{SECOND:%Y%m%d}"))
    (found,) = sync(place, "FJORKOMM", [land(place, "FJORKOMM", renamed.name, path.read_bytes() + b"\r\n")])
    assert (found.state, found.rows["unchanged"]) == ("settled", found.rows["read"])
    assert content(place.warehouse) == before
