"""The yearly renewal, the rotation and the retirement: who is told when, once; what an answer does, once."""

from __future__ import annotations

import io
import shutil
from datetime import date, timedelta
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa

from schemas.register.account_rules import AccountSystem, Rotation
from schemas.warehouse.accounts import core_account, core_account_campaign, core_account_renewal
from schemas.warehouse.core import core_notice
from tasks.accounts.all_files import take_file
from tasks.accounts.campaign import campaign_days, run_campaign
from tasks.accounts.letters import Post
from tasks.accounts.shared import (
    retirement_report,
    rotation_report,
    rotation_step,
    run_retirement,
    run_rotation,
    tell_of_retirement,
)
from tasks.accounts.store import ACCOUNTS_LOCK
from tasks.notices.message import attachments_from
from tasks.warehouse.engine import Warehouse
from tests.unit.account_samples import ALMA, LEGIMUS, REGISTER, day, system
from tests.warehouse.account_night import NOW, made, occasion, one, statuses, sweep, temp

VOLUNTEER = {"employment": "volunteer"}


@pytest.fixture
def warehouse_url(sqlite_template: Path, tmp_path: Path) -> str:
    """SQLite alone: test_sample_accounts.py goes the same ways on both engines."""
    file = tmp_path / "warehouse.db"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite:///{file}"


def campaign(warehouse: Warehouse, on: str, rules: AccountSystem = ALMA) -> dict[str, int]:
    """A day of the campaign."""
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        return dict(run_campaign(connection, Post(REGISTER, rules, NOW), day(on)))


def answer(warehouse: Warehouse, text: str, on: str = "2026-12-01", kind: str = "renewals") -> dict[str, int]:
    """Take an answer in; counts without what was read."""
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        said = occasion(on, "command:Anna Berg")
        report = take_file(connection, io.BytesIO(text.encode()), "answers.csv", said, frozenset({"SOLB"}), kind)
    return {name: number for name, number in report.counts.items() if number and name != "read"}


def letters(warehouse: Warehouse) -> list[tuple[str, str]]:
    """(recipient, subject) of everything that was queued, in order."""
    with warehouse.read() as connection:
        rows = connection.execute(
            sa.select(core_notice.c.recipient, core_notice.c.subject).order_by(core_notice.c.notice_id)
        )
        return [tuple(row) for row in rows]


def ends(warehouse: Warehouse) -> dict[str, date | None]:
    """Last valid days by login."""
    with warehouse.read() as connection:
        return dict(connection.execute(sa.select(core_account.c.login, core_account.c.expires_on)).tuples().all())


def outcomes(warehouse: Warehouse) -> list[str]:
    """Outcomes of the renewal, by account."""
    with warehouse.read() as connection:
        rows = connection.execute(sa.select(core_account_renewal.c.outcome).order_by(core_account_renewal.c.account_id))
        return list(rows.scalars())


def test_the_days_of_a_campaign_are_counted_back_from_its_end() -> None:
    assert ALMA.campaign is not None
    days = campaign_days(ALMA.campaign, day("2026-06-01"))
    assert (days.opens_on, days.answers_by, days.ends_on) == (
        date(2026, 11, 16), date(2026, 12, 13), date(2026, 12, 31),
    )  # fmt: skip
    assert days.reminds_on == (date(2026, 12, 2), date(2026, 12, 10))
    assert campaign_days(ALMA.campaign, day("2026-12-31")).year == 2026
    assert campaign_days(ALMA.campaign, day("2027-01-01")).year == 2027


def test_each_library_gets_its_list_once_with_a_file_to_send_back(warehouse: Warehouse) -> None:
    made(warehouse, VOLUNTEER, {**VOLUNTEER, "library": "LUNV"}, {}, temp("2026-11-20"), temp("2026-06-20"))
    assert campaign(warehouse, "2026-11-15") == {}
    assert campaign(warehouse, "2026-11-16") == {"told renewal": 2}
    assert campaign(warehouse, "2026-11-17") == {}
    with warehouse.read() as connection:
        rows = connection.execute(
            sa.select(core_notice.c.recipient, core_notice.c.attachments).order_by(core_notice.c.recipient)
        ).all()
    assert [row.recipient for row in rows] == ["inkop@lundviken.example", "medier@solberg.example"]
    (file,) = attachments_from(orjson.loads(rows[1].attachments))
    assert file.name == "renewals-alma-SOLB-2026.csv"
    lines = file.content.decode("utf-8-sig").splitlines()
    # The volunteer, and the temp whose account ends on 20 December; not the one who ended in July.
    assert [line.split(";")[0] for line in lines] == ["login", "user1", "user4"]


def test_the_file_that_was_sent_out_can_be_sent_back_as_it_is(warehouse: Warehouse) -> None:
    made(warehouse, VOLUNTEER)
    campaign(warehouse, "2026-11-16")
    with warehouse.read() as connection:
        (file,) = attachments_from(orjson.loads(connection.execute(sa.select(core_notice.c.attachments)).scalar_one()))
    sent = file.content.decode("utf-8-sig")
    assert answer(warehouse, sent) == {"unchanged": 1}
    assert answer(warehouse, sent.replace("2026-12-31;;", "2026-12-31;ja;")) == {"changed": 1}
    assert ends(warehouse) == {"user1": date(2027, 12, 31)}


def test_a_missed_day_is_made_up_for_by_the_latest_step_alone(warehouse: Warehouse) -> None:
    made(warehouse, VOLUNTEER)
    assert campaign(warehouse, "2026-12-11") == {"told reminder": 1}
    assert campaign(warehouse, "2026-12-12") == {}


def test_reminders_go_to_those_who_have_not_answered_and_silence_is_escalated(warehouse: Warehouse) -> None:
    made(warehouse, VOLUNTEER, {**VOLUNTEER, "library": "LUNV"})
    campaign(warehouse, "2026-11-16")
    answer(warehouse, "login,decision\nuser1,renew\n")
    assert campaign(warehouse, "2026-12-02") == {"told reminder": 1}
    assert letters(warehouse)[-1][0] == "inkop@lundviken.example"
    assert campaign(warehouse, "2026-12-13") == {"told unanswered": 2}
    assert [to for to, _ in letters(warehouse)[-2:]] == ["inkop@lundviken.example", ALMA.support]


def test_on_the_day_it_is_settled_renewed_expired_unanswered(warehouse: Warehouse) -> None:
    made(warehouse, VOLUNTEER, VOLUNTEER, VOLUNTEER)
    sweep(warehouse, "2026-11-16")
    campaign(warehouse, "2026-11-16")
    answer(warehouse, "login,decision\nuser1,renew\nuser2,end\nuser3,\n")
    sweep(warehouse, "2027-01-01")
    assert statuses(warehouse) == {"user1": "active", "user2": "expired", "user3": "expired"}
    found = campaign(warehouse, "2027-01-01")
    assert (found["renewed"], found["expired"], found["unanswered"]) == (1, 1, 1)
    assert outcomes(warehouse) == ["renewed", "expired", "unanswered"]
    with warehouse.read() as connection:
        assert connection.execute(sa.select(core_account_campaign.c.state)).scalar_one() == "closed"
    assert campaign(warehouse, "2027-01-02") == {}


def test_without_an_answer_an_account_goes_on_where_the_rules_say_so(warehouse: Warehouse) -> None:
    assert ALMA.campaign is not None
    kind = system(campaign=ALMA.campaign.model_copy(update={"no_answer": "renew"}))
    made(warehouse, VOLUNTEER)
    campaign(warehouse, "2026-11-16", kind)
    assert campaign(warehouse, "2026-12-31", kind)["renewed without an answer"] == 1
    assert campaign(warehouse, "2026-12-31", kind) == {}
    assert ends(warehouse) == {"user1": date(2027, 12, 31)}


def test_an_answer_counts_once_however_often_it_is_sent(warehouse: Warehouse) -> None:
    made(warehouse, VOLUNTEER, temp("2026-11-20"))
    campaign(warehouse, "2026-11-16")
    for extra in ("", "user2,renew,2027-03-31\n"):
        answer(warehouse, f"login,decision,until\nuser1,renew,\n{extra}")
    assert ends(warehouse) == {"user1": date(2027, 12, 31), "user2": date(2027, 4, 30)}


def test_outside_a_campaign_a_renewal_counts_once_too(warehouse: Warehouse) -> None:
    made(warehouse, VOLUNTEER)
    for extra in ("", "\n"):
        answer(warehouse, f"login,decision\nuser1,renew\n{extra}", on="2026-05-04")
    assert ends(warehouse) == {"user1": date(2027, 12, 31)}


def test_an_answer_that_cannot_be_is_left_behind(warehouse: Warehouse) -> None:
    made(warehouse, {}, VOLUNTEER)
    campaign(warehouse, "2026-11-16")
    assert answer(warehouse, "login,decision\nuser1,renew\n") == {"quarantined": 1}
    answer(warehouse, "login,decision\nuser2,renew\n")
    assert answer(warehouse, "login,decision\nuser2,end\n") == {"quarantined": 1}
    assert ends(warehouse)["user2"] == date(2027, 12, 31)


# --- rotation


@pytest.mark.parametrize(
    ("on", "variant", "rotation_day"),
    [
        ("2026-08-01", None, None), ("2026-08-02", "rotation", "2026-09-01"), ("2026-08-30", "rotation", "2026-09-01"),
        ("2026-09-01", "rotation", "2026-09-01"), ("2026-09-02", "overdue", "2026-09-01"),
        ("2026-09-15", "overdue", "2026-09-01"), ("2026-09-16", None, None),
    ],
)  # fmt: skip
def test_the_rotation_is_announced_before_its_day_and_reminded_of_after_it(
    on: str, variant: str | None, rotation_day: str | None
) -> None:
    assert ALMA.rotation is not None
    step = rotation_step(ALMA.rotation, day(on))
    assert (step and step.variant, step and step.on.isoformat()) == (variant, rotation_day)


def test_a_rotation_at_the_turn_of_the_year_is_announced_in_the_old_one() -> None:
    step = rotation_step(Rotation(on="01-02", announce_days=(30, 7)), day("2026-12-27"))
    assert step is not None
    assert (step.variant, step.on) == ("rotation", date(2027, 1, 2))


def test_overdue_shared_accounts_are_listed_until_they_are_recorded(warehouse: Warehouse) -> None:
    shared = {"kind": "shared", "roles": "[]"}
    made(warehouse, {**shared, "login": "desk"}, {**shared, "login": "van"}, {})

    def rotation(on: str) -> dict[str, int]:
        with warehouse.write() as connection:
            return dict(run_rotation(connection, Post(REGISTER, ALMA, NOW), day(on)))

    assert rotation("2026-08-02") == {"rotation accounts": 2, "told rotation": 1}
    assert rotation("2026-08-03") == {"rotation accounts": 2}
    answer(warehouse, "login,rotated_on\ndesk,2026-09-01\n", on="2026-09-01", kind="rotations")
    assert rotation("2026-09-02") == {"overdue accounts": 1, "told overdue": 2}
    assert standings(warehouse, "2026-09-02") == {"desk": "done", "van": "overdue"}
    answer(warehouse, "login,rotated_on\nvan,2026-09-03\n", on="2026-09-03", kind="rotations")
    assert rotation("2026-09-08") == {}
    assert standings(warehouse, "2027-08-01") == {"desk": "done", "van": "done"}
    assert standings(warehouse, "2027-08-02") == {"desk": "to do", "van": "to do"}


def standings(warehouse: Warehouse, on: str) -> dict[str, str]:
    assert ALMA.rotation is not None
    with warehouse.read() as connection:
        return {each.login: each.standing for each in rotation_report(connection, "alma", ALMA.rotation, day(on))}


# --- retirement of shared logins


def test_lists_of_shared_logins_reach_their_library_before_the_switch(warehouse: Warehouse) -> None:
    made(warehouse, {"kind": "shared", "login": "solberg"}, {"login": "eva"}, system=LEGIMUS)

    def retirement(on: str) -> dict[str, int]:
        with warehouse.write(ACCOUNTS_LOCK) as connection:
            return dict(run_retirement(connection, Post(REGISTER, LEGIMUS, NOW), day(on)))

    def lists(text: str) -> None:
        with warehouse.write(ACCOUNTS_LOCK) as connection:
            said = occasion("2027-02-01", "import:lists.csv", LEGIMUS)
            report = take_file(connection, io.BytesIO(text.encode()), "lists.csv", said, frozenset({"SOLB"}))
        assert report.counts["quarantined"] == 1

    lists("login,list,title_number,title\nsolberg,Summer,C12,Sea\nsolberg,Summer,C13,Sun\neva,Mine,C1,Secret\n")
    assert retirement("2027-01-31") == {}
    assert retirement("2027-02-02") == {"told retirement": 1, "lists exported": 2}
    assert retirement("2027-02-03") == {}
    lists("login,list,title_number,title\nsolberg,Winter,C14,Snow\neva,Mine,C2,Secret\n")
    assert retirement("2027-02-05") == {"told retirement": 1, "lists exported": 1}
    with warehouse.read() as connection:
        (line,) = retirement_report(connection, "legimus")
        bodies = connection.execute(sa.select(core_notice.c.attachments).order_by(core_notice.c.notice_id)).scalars()
        files = [each.content.decode() for body in bodies for each in attachments_from(orjson.loads(body))]
    assert (line.login, line.personal, line.lists, line.lists_left) == ("solberg", 1, 3, 0)
    assert "Snow" in files[1]
    assert not any("Secret" in each for each in files)
    # A list that comes when the login is gone already is not lost either.
    with warehouse.write() as connection:
        connection.execute(sa.update(core_account).where(core_account.c.kind == "shared").values(status="retired"))
    assert retirement("2027-05-03") == {}
    lists("login,list,title_number,title\nsolberg,Last,C15,Ice\neva,Mine,C3,Secret\n")
    assert retirement("2027-05-04") == {"told retirement": 1, "lists exported": 1}


def test_shared_logins_are_switched_off_on_the_day_and_personal_accounts_go_on(warehouse: Warehouse) -> None:
    made(warehouse, {"kind": "shared", "login": "solberg"}, {"login": "eva"}, system=LEGIMUS)
    for on in (date(2027, 5, 2), date(2027, 5, 3)):
        one(warehouse, on, LEGIMUS)
    assert statuses(warehouse) == {"solberg": "active", "eva": "active"}
    assert one(warehouse, date(2027, 5, 3), LEGIMUS, purpose="retirement")["retire"] == 1
    assert statuses(warehouse) == {"solberg": "retired", "eva": "active"}
    with warehouse.write() as connection:
        told = tell_of_retirement(connection, Post(REGISTER, LEGIMUS, NOW), 3, date(2027, 5, 3))
    assert told == {"told retired": 2}
    assert not one(warehouse, date(2027, 5, 4) + timedelta(3), LEGIMUS)["retire"]
