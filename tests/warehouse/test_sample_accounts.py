"""Two years of the sample's accounts: every scene ends as it must, and the sample night has something to show."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from deployments.sample import SAMPLE_NIGHT
from deployments.sample.accounts import account_years, play
from deployments.sample.accounts.playing import sweep_until
from deployments.sample.accounts.scenes import SCENES
from schemas.warehouse.accounts import core_account, core_account_reject, core_account_request
from tasks.accounts.showing import renewal_list
from tasks.warehouse.engine import Warehouse
from tests.unit.account_samples import ALMA, LEGIMUS, REGISTER
from tests.warehouse.account_night import actions


def test_two_years_end_as_their_scenes_say(warehouse: Warehouse) -> None:
    """One playing for all: it takes seconds, and passes every way into the warehouse on both engines."""
    play(warehouse, REGISTER, account_years())
    for system in (ALMA, LEGIMUS):
        sweep_until(warehouse, system, SAMPLE_NIGHT)
    _every_scene_ends_as_it_says(warehouse)
    _there_are_accounts_of_all_kinds_for_two_years(warehouse)
    _tonight_something_expires_and_the_year_end_list_is_coming(warehouse)


def _every_scene_ends_as_it_says(played: Warehouse) -> None:
    with played.read() as connection:
        rows = {row.login: row for row in connection.execute(sa.select(core_account))}
    assert {each.login: (rows[each.login].status, rows[each.login].expires_on) for each in SCENES} == {
        each.login: (each.status, each.expires_on) for each in SCENES
    }
    assert "halv" not in rows


def _there_are_accounts_of_all_kinds_for_two_years(played: Warehouse) -> None:
    with played.read() as connection:
        account = core_account.c
        kinds = connection.execute(sa.select(account.system, account.kind, account.employment).distinct()).all()
        first, last = connection.execute(sa.select(sa.func.min(account.made_on), sa.func.max(account.made_on))).one()
        open_requests = connection.execute(
            sa.select(core_account_request.c.login_key).where(core_account_request.c.state == "open")
        ).scalars()
        assert list(open_requests) == ["halv"]
        rejects = connection.execute(sa.select(core_account_reject.c.cause)).scalars().all()
    assert {(kind, employment) for system, kind, employment in kinds if system == "alma"} >= {
        ("personal", "permanent"), ("personal", "temporary"), ("personal", "volunteer"), ("shared", "permanent"),
    }  # fmt: skip
    assert (first, last) == (date(2023, 3, 1), date(2025, 3, 1))
    assert "'2024-06-31' is a day that does not exist" in rejects


def _tonight_something_expires_and_the_year_end_list_is_coming(played: Warehouse) -> None:
    tonight = [each for each in actions(played) if each[0] == SAMPLE_NIGHT]
    assert (SAMPLE_NIGHT, "tonight", "expire", "end_over") in tonight
    with played.read() as connection:
        coming = renewal_list(connection, ALMA, 2025, SAMPLE_NIGHT)
    assert {"helper", "newyear", "waits"} <= {row["login"] for row in coming}
