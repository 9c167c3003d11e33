"""Files about accounts that are dropped: taken in once, whoever sends them again; answered; undone; shredded."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from schemas.warehouse.accounts import core_account, core_account_import
from schemas.warehouse.core import core_notice
from schemas.warehouse.raw import raw_delivery
from tasks.account_files.stages import receive_account_files, take_account_files
from tasks.account_files.taking import left_of
from tasks.accounts.stages import account_runs_of, revert_account_runs
from tasks.landing.feeds import ACCOUNT, feeds_of
from tasks.landing.stages import look_for_work
from tasks.privacy.shredding import shred_files
from tasks.workplace import Workplace
from tests.unit.account_samples import REGISTER, day
from tests.warehouse.conftest import OpenPlace

DESK, LIBRARY = "SUPPORTKONTO", "SOLBKONTO"
STAFF = (
    "login,library,kind,employment,name,email,supporter,mission_end,tasks\n"
    "eva,SOLB,personal,temporary,Eva Lind,eva@solberg.example,bo@solberg.example,2026-05-02,loans\n"
    "ida,LUNV,personal,permanent,Ida Ek,ida@lundviken.example,,,loans\n"
    "olle,SOLB,personal,temporary,Olle,olle@solberg.example,bo@solberg.example,2026-02-30,loans\n"
    "nils,SOLB,personal,temporary,Nils,nils@solberg.example,,,loans\n"
)


@pytest.fixture
def place(open_place: OpenPlace) -> Workplace:
    """A home that takes files as soon as they are there."""
    return open_place(today="2026-01-15", stable_seconds=0)


def drop(place: Workplace, sender: str, name: str, text: str) -> str:
    return place.zone.put(f"incoming/{sender}/{name}", text.encode())


def take(place: Workplace, sender: str, *uris: str, again: bool = False) -> dict[str, int]:
    """What a run of `account-import` does."""
    found = receive_account_files.fn(sender, list(uris), again=again)
    return {name: number for name, number in take_account_files.fn(sender, found).items() if number}


def notices(place: Workplace) -> list[sa.Row[tuple[str, ...]]]:
    with place.warehouse.read() as connection:
        return list(connection.execute(sa.select(core_notice).order_by(core_notice.c.notice_id)))


def test_a_dropped_file_is_taken_once_and_its_sender_and_who_asked_are_answered(place: Workplace) -> None:
    uri = drop(place, DESK, "staff.csv", STAFF)
    (start,) = look_for_work.fn()
    assert (start.flow, start.parameters) == ("account-import", {"source": DESK, "uris": [uri]})
    assert take(place, DESK, uri) == {"read": 4, "created": 2, "incomplete": 1, "quarantined": 1}
    assert look_for_work.fn() == []
    told = {row.recipient: row for row in notices(place)}
    assert told.keys() == {"support@samkatalogen.example", "nils@solberg.example"}
    answer = told["support@samkatalogen.example"]
    assert answer.subject == "1 rad om konton i Alma togs inte emot"
    assert "rad 4, mission_end" in answer.body_text
    assert "'2026-02-30' är en dag som inte finns" in answer.body_text
    again = drop(place, DESK, "staff-again.csv", STAFF)
    assert take(place, DESK, again) == {}
    assert len(notices(place)) == 2
    with place.warehouse.read() as connection:
        (row,) = connection.execute(sa.select(raw_delivery)).all()
        assert (row.kind, row.state, row.records_read, row.records_unreadable) == (ACCOUNT, "settled", 3, 1)
        assert len(connection.execute(sa.select(core_account_import)).all()) == 1


def test_a_run_that_was_killed_is_taken_up_without_any_new_file(place: Workplace) -> None:
    receive_account_files.fn(DESK, [drop(place, DESK, "staff.csv", STAFF)])
    (start,) = look_for_work.fn()
    assert (start.flow, start.uris) == ("account-import", ())
    assert take(place, DESK)["created"] == 2
    with place.warehouse.read() as connection:
        assert left_of(connection, DESK) == []


def test_a_library_sends_about_its_own_accounts_alone(place: Workplace) -> None:
    assert take(place, LIBRARY, drop(place, LIBRARY, "staff.csv", STAFF))["created"] == 1
    take(place, DESK, drop(place, DESK, "all.csv", STAFF.replace("nils", "nina")))
    leavers = "login,leaver_on\neva,2026-02-01\nida,2026-02-01\n"
    assert take(place, LIBRARY, drop(place, LIBRARY, "leavers.csv", leavers)) == {
        "read": 2, "changed": 1, "quarantined": 1,
    }  # fmt: skip
    moved = "login,library\nida,SOLB\neva,LUNV\n"
    assert take(place, LIBRARY, drop(place, LIBRARY, "moved.csv", moved)) == {"read": 2, "quarantined": 2}
    with place.warehouse.read() as connection:
        rows = connection.execute(
            sa.select(core_account.c.login, core_account.c.library, core_account.c.leaver_on)
            .order_by(core_account.c.login)
        ).all()  # fmt: skip
    assert [tuple(row) for row in rows] == [("eva", "SOLB", day("2026-02-01")), ("ida", "LUNV", None)]


def test_what_is_no_file_about_accounts_goes_to_quarantine_and_is_told_its_neighbour_goes_on(place: Workplace) -> None:
    shoes = drop(place, LIBRARY, "shoes.csv", "shoe,size\n1,42\n")
    loans = drop(place, LIBRARY, "downloads.csv", "login,title_number,purpose,day\neva,1,own,2026-01-01\n")
    good = drop(place, LIBRARY, "staff.csv", STAFF)
    done = take(place, LIBRARY, shoes, loans, good)
    assert (done["files refused"], done["created"]) == (2, 1)
    with place.warehouse.read() as connection:
        states = dict(connection.execute(sa.select(raw_delivery.c.name, raw_delivery.c.state)).tuples().all())
    assert states == {"shoes.csv": "rejected", "downloads.csv": "rejected", "staff.csv": "settled"}
    refused = [row.body_text for row in notices(place) if row.subject == "En fil om konton i Alma togs inte emot"]
    assert len(refused) == 2
    assert "is about downloads, and this sender sends accounts" in refused[1]


def test_a_dropped_file_is_taken_back_by_its_number_and_taken_again_on_purpose(place: Workplace) -> None:
    take(place, DESK, drop(place, DESK, "staff.csv", STAFF))
    with place.warehouse.read() as connection:
        (delivery_id,) = connection.execute(sa.select(raw_delivery.c.delivery_id)).scalars()
    runs = account_runs_of(delivery_id)
    assert [each.kind for each in runs] == ["import"]
    assert revert_account_runs.fn(runs)["removed"] == 2
    with place.warehouse.read() as connection:
        assert connection.execute(sa.select(raw_delivery.c.state)).scalar() == "reverted"
    assert take(place, DESK, drop(place, DESK, "staff.csv", STAFF)) == {}
    assert take(place, DESK, drop(place, DESK, "staff.csv", STAFF), again=True)["created"] == 2


def test_what_came_is_shredded_after_the_days_of_its_sender(place: Workplace) -> None:
    take(place, DESK, drop(place, DESK, "staff.csv", STAFF))
    with place.warehouse.read() as connection:
        (row,) = connection.execute(sa.select(raw_delivery)).all()
    for days, shredded in ((89, {}), (91, {"files received": 1}), (92, {})):
        now = place.now + timedelta(days=days)
        assert shred_files(place.warehouse, place.zone, place.register, now=now, as_of=now) == shredded
    assert not place.zone.exists(row.uri)


def test_a_sender_with_a_rhythm_is_a_feed_from_the_day_that_the_register_names() -> None:
    assert not [each for each in feeds_of(REGISTER) if each.kind == ACCOUNT]
    sources = tuple(each.model_copy(update={"expected_from": day("2026-01-01")}) for each in REGISTER.account_sources)
    (feed,) = [
        each for each in feeds_of(REGISTER.model_copy(update={"account_sources": sources})) if each.kind == ACCOUNT
    ]
    assert (feed.sender, feed.name) == ("LEGIMUSDATA", "Legimus, statistik")
