"""Files about accounts in the warehouse: requests are answered, values remember their origin, again is harmless."""

from __future__ import annotations

import io
import shutil
from datetime import date
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa

from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import (
    core_account,
    core_account_history,
    core_account_import,
    core_account_reject,
    core_account_request,
)
from tasks.accounts.intake import ImportReport, take_file
from tasks.accounts.store import ACCOUNTS_LOCK, roles_of
from tasks.warehouse.engine import Warehouse
from tests.unit.account_samples import ALMA, LEGIMUS
from tests.warehouse.account_night import content, made, occasion, statuses, sweep, temp

LIBRARIES = frozenset({"SOLB", "LUNV"})


@pytest.fixture
def warehouse_url(sqlite_template: Path, tmp_path: Path) -> str:
    """SQLite alone: test_sample_accounts.py goes the same ways on both engines."""
    file = tmp_path / "warehouse.db"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite:///{file}"


def take(
    warehouse: Warehouse, text: str, on: str = "2026-03-02", system: AccountSystem = ALMA, again: bool = False
) -> ImportReport:
    """Take a CSV in."""
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        said = occasion(on, "import:file.csv", system)
        return take_file(connection, io.BytesIO(text.encode()), "file.csv", said, LIBRARIES, again=again)


def _account(warehouse: Warehouse, login: str) -> sa.Row[tuple[object, ...]]:
    with warehouse.read() as connection:
        return connection.execute(sa.select(core_account).where(core_account.c.login_key == login)).one()


def test_a_whole_request_makes_an_account_and_one_that_lacks_something_is_answered(warehouse: Warehouse) -> None:
    report = take(
        warehouse,
        "login,library,employment,name,email,supporter,mission_end,tasks,roles\n"
        "Eva.Lind,SOLB,temporary,Eva Lind,eva@solberg.example,bo@solberg.example,2026-08-31,loans,fulfilment\n"
        "bo,SOLB,temporary,Bo Ek,bo@solberg.example,,,loans,fulfilment\n",
    )
    assert (report.counts["created"], report.counts["incomplete"]) == (1, 1)
    (answer,) = report.answers
    assert answer[:2] == (3, "bo")
    assert "a permanent colleague who supports them; the last day of the mission" in answer[2]
    eva = _account(warehouse, "eva.lind")
    assert (eva.login, eva.status, eva.expires_on, eva.expiry_rule) == (
        "Eva.Lind", "active", date(2026, 9, 30), "after_mission",
    )  # fmt: skip
    assert orjson.loads(eva.roles) == [{"role": "fulfilment", "scope": "", "since": "2026-03-02"}]
    with warehouse.read() as connection:
        states = connection.execute(sa.select(core_account_request.c.login_key, core_account_request.c.state)).all()
    assert sorted(map(tuple, states)) == [("bo", "open"), ("eva.lind", "granted")]


def test_a_role_that_is_refused_for_another_library_is_given_for_the_own_one(warehouse: Warehouse) -> None:
    text = "login,library,name,email,tasks,roles\nmia,SOLB,Mia Ek,mia@solberg.example,loans,mediator|mediator@LUNV\n"
    report = take(warehouse, text, system=LEGIMUS)
    assert report.answers == [(2, "mia", "not given: mediator (it reaches beyond the account's own library)")]
    assert [each.code for each in roles_of(_account(warehouse, "mia").roles)] == ["mediator"]


def test_a_request_that_is_made_whole_takes_the_place_of_the_open_one(warehouse: Warehouse) -> None:
    take(warehouse, "login,library,name,email,tasks\nbo,SOLB,Bo Ek,bo@solberg.example,\n")
    take(warehouse, "login,library,name,email,tasks\nbo,SOLB,Bo Ek,bo@solberg.example,loans\n")
    with warehouse.read() as connection:
        states = connection.execute(
            sa.select(core_account_request.c.state).order_by(core_account_request.c.request_id)
        ).scalars()
        assert list(states) == ["superseded", "granted"]
    assert statuses(warehouse) == {"bo": "active"}


def test_an_account_whose_mission_has_not_begun_waits(warehouse: Warehouse) -> None:
    take(
        warehouse,
        "login,library,name,email,tasks,mission_start\nbo,SOLB,Bo Ek,bo@solberg.example,loans,2026-05-01\n",
    )
    assert statuses(warehouse) == {"bo": "waiting"}
    assert sweep(warehouse, "2026-05-01")["activate"] == 1


def test_the_same_file_again_has_no_effect_under_whatever_name(warehouse: Warehouse) -> None:
    text = "login,library,name,email,tasks\nbo,SOLB,Bo Ek,bo@solberg.example,loans\n"
    first = take(warehouse, text)
    before = content(warehouse)
    again = take(warehouse, text, on="2026-04-01")
    assert (again.is_repeat, again.import_id) == (True, first.import_id)
    assert content(warehouse) == before


def test_a_file_that_was_taken_back_by_another_can_be_taken_again_on_purpose(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "bo"})
    for text in ("login,tasks\nbo,loans\n", "login,tasks\nbo,buying\n"):
        take(warehouse, text)
    assert take(warehouse, "login,tasks\nbo,loans\n").is_repeat
    assert take(warehouse, "login,tasks\nbo,loans\n", again=True).counts["changed"] == 1


def test_a_value_remembers_where_it_came_from_and_what_it_replaced(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "bo", "tasks": "loans"})
    assert take(warehouse, "login,tasks,contact\nBO,buying,\n").counts["changed"] == 1
    bo = _account(warehouse, "bo")
    assert bo.version == 2
    assert orjson.loads(bo.origins)["tasks"] == ["import:file.csv", "2026-03-02"]
    with warehouse.read() as connection:
        (row,) = connection.execute(sa.select(core_account_history)).all()
    assert (row.field, row.old, row.new, row.source, row.said_on) == (
        "tasks", "loans", "buying", "import:file.csv", date(2026, 3, 2),
    )  # fmt: skip


def test_a_new_mission_end_moves_the_last_valid_day_and_the_status_only_in_a_sweep(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "bo", **temp("2026-01-31")})
    sweep(warehouse, "2026-03-01")
    take(warehouse, "login,mission_end\nbo,2026-05-31\n")
    assert (_account(warehouse, "bo").expires_on, statuses(warehouse)["bo"]) == (date(2026, 6, 30), "expired")
    assert sweep(warehouse, "2026-03-02")["reactivate"] == 1


def test_a_pinned_end_is_not_overwritten_by_a_file(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "bo", **temp("2026-01-31")})
    take(warehouse, "login,pinned_end\nbo,2026-12-24\n")
    take(warehouse, "login,mission_end\nbo,2026-03-31\n")
    assert _account(warehouse, "bo").expires_on == date(2026, 12, 24)
    take(warehouse, "login,pinned_end\nbo,-\n")
    assert _account(warehouse, "bo").expires_on == date(2026, 4, 30)


def test_a_change_that_ends_a_mission_before_it_starts_is_left_behind(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "bo", **temp("2026-05-31", mission_start_on="2026-04-01")}, {"login": "eva"})
    report = take(warehouse, "login,mission_end,tasks\nbo,2026-03-31,x\neva,,reading\n")
    assert [(each.line, each.field, each.cause) for each in report.rejects] == [
        (2, "mission_end", "the mission ends before it starts")
    ]
    assert (_account(warehouse, "bo").tasks, _account(warehouse, "eva").tasks) == ("", "reading")


def test_rows_that_cannot_be_placed_are_kept_with_line_cause_and_remedy(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "bo"})
    report = take(warehouse, "login,leaver_on\nnobody,2026-05-01\nbo,2026-02-30\nbo,2026-05-01\nBo,2026-06-01\n")
    assert report.counts["quarantined"] == 3
    assert report.counts["changed"] == 1
    with warehouse.read() as connection:
        rows = connection.execute(
            sa.select(core_account_reject.c.line, core_account_reject.c.cause).order_by(core_account_reject.c.line)
        ).all()
        (file,) = connection.execute(sa.select(core_account_import)).all()
    assert [tuple(row) for row in rows] == [
        (2, "'nobody' is not there"), (3, "'2026-02-30' is a day that does not exist"), (5, "line 4 is about the same"),
    ]  # fmt: skip
    assert file.rows_read == file.rows_changed + file.rows_quarantined == 4


def test_a_leaver_is_deactivated_on_the_day_and_can_stay_after_all(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "bo"})
    take(warehouse, "login,leaver_on\nbo,2026-05-01\n")
    sweep(warehouse, "2026-04-30")
    assert statuses(warehouse) == {"bo": "active"}
    sweep(warehouse, "2026-05-01")
    assert statuses(warehouse) == {"bo": "inactive"}
    take(warehouse, "login,leaver_on\nbo,-\n", on="2026-05-02")
    sweep(warehouse, "2026-05-02")
    assert statuses(warehouse) == {"bo": "active"}


def test_training_is_kept_by_course_and_the_latest_day_is_shown(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "bo"}, system=LEGIMUS)
    report = take(
        warehouse,
        "login,course,trained_on\nbo,web-course,2026-02-10\nbo,webinar,2026-02-20\nbo,web-course,2027-01-01\n",
        system=LEGIMUS,
    )
    assert [each.cause for each in report.rejects] == ["2027-01-01 is still to come"]
    bo = _account(warehouse, "bo")
    assert bo.trained_on == date(2026, 2, 20)
    assert orjson.loads(bo.training) == {"web-course": "2026-02-10", "webinar": "2026-02-20"}


def test_roles_that_a_kind_may_not_have_are_not_given_and_that_is_answered(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "desk", "kind": "shared"})
    report = take(warehouse, "login,roles\ndesk,fulfilment|acquisition\n")
    assert [each["role"] for each in orjson.loads(_account(warehouse, "desk").roles)] == ["fulfilment"]
    assert report.answers == [(2, "desk", "not given: acquisition (an account of this kind may not have it)")]


def test_a_rotation_is_recorded_for_shared_accounts_alone(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "desk", "kind": "shared"}, {"login": "bo"})
    report = take(warehouse, "login,rotated_on\ndesk,2026-03-01\nbo,2026-03-01\n")
    assert _account(warehouse, "desk").rotated_on == date(2026, 3, 1)
    assert [each.line for each in report.rejects] == [3]
