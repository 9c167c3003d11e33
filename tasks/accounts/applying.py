"""Carrying out the plan of a sweep, as far as the guards let it: chunks of accounts, one statement a kind of change.

An account that was changed since it was planned is left: it is due, and the next sweep decides anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.register.account_guards import AccountChange
from schemas.warehouse.accounts import (
    core_account,
    core_account_action,
    core_account_before,
    core_account_sweep,
    core_account_told,
    stage_account,
)
from tasks.accounts.planning import Sweep
from tasks.accounts.store import ACCOUNTS_LOCK, CHUNK_ACCOUNTS
from tasks.plans.store import mark_applied
from tasks.warehouse.engine import Warehouse, needs_no_wait

_BEFORE: Final = ("status", "status_since", "expires_on", "expiry_rule", "look_on", "judged_on")
_CLASS: Final = stage_account.c["class"]


def apply_sweep(warehouse: Warehouse, sweep: Sweep, held: Collection[AccountChange], *, now: datetime) -> Counter[str]:
    """Carry out what is not of a class in `held`; goes on where a killed run stopped. Returns counts of accounts."""
    counts: Counter[str] = Counter()
    while True:
        with warehouse.write(ACCOUNTS_LOCK) as connection:
            needs_no_wait(connection)
            row = connection.execute(
                sa.select(core_account_sweep).where(core_account_sweep.c.sweep_id == sweep.sweep_id)
            ).one()
            if row.state != "guarded":
                return counts
            ids = connection.execute(
                sa.select(stage_account.c.account_id)
                .where(stage_account.c.sweep_id == sweep.sweep_id, stage_account.c.account_id > row.applied_to)
                .order_by(stage_account.c.account_id)
                .limit(CHUNK_ACCOUNTS)
            ).scalars().all()  # fmt: skip
            if ids:
                mine = sa.and_(
                    stage_account.c.sweep_id == sweep.sweep_id,
                    stage_account.c.account_id.between(ids[0], ids[-1]),
                    _CLASS.not_in(sorted(held)),
                )
                counts += _apply(connection, sweep.sweep_id, sweep.day, mine, (ids[0], ids[-1]), now, None)
            connection.execute(
                sa.update(core_account_sweep)
                .where(core_account_sweep.c.sweep_id == sweep.sweep_id)
                .values(applied_to=ids[-1] if ids else row.applied_to)
            )
            if len(ids) < CHUNK_ACCOUNTS:
                _finish(connection, sweep.sweep_id, held, now)


def _finish(connection: Connection, sweep_id: int, held: Collection[AccountChange], now: datetime) -> None:
    connection.execute(
        sa.delete(stage_account).where(stage_account.c.sweep_id == sweep_id, _CLASS.not_in(sorted(held)))
    )
    connection.execute(
        sa.update(core_account_sweep)
        .where(core_account_sweep.c.sweep_id == sweep_id)
        .values(state="applied", finished_at=now)
    )


def _apply(
    connection: Connection,
    sweep_id: int,
    day: date,
    mine: sa.ColumnElement[bool],
    ids: tuple[int, int],
    now: datetime,
    plan: str | None,
) -> Counter[str]:
    """Carry out the stage rows that `mine` chooses, all of them between `ids`."""
    account, stage = core_account.c, stage_account.c
    _drop_changed(connection, sweep_id, mine)
    same = sa.and_(mine, account.account_id == stage.account_id, account.version == stage.version)
    images = sa.select(
        stage.sweep_id, stage.account_id, account.version + 1, *(account[name] for name in _BEFORE)
    ).where(same, stage.is_change)
    connection.execute(
        sa.insert(core_account_before).from_select(["sweep_id", "account_id", "version_made", *_BEFORE], images)
    )
    looked = connection.execute(
        sa.update(core_account).where(same, sa.not_(stage.is_change)).values(look_on=stage.look_on, judged_on=day)
    ).rowcount
    changed = connection.execute(
        sa.update(core_account)
        .where(same, stage.is_change)
        .values(
            status=stage.status,
            status_since=sa.case(
                (account.status == stage.status, account.status_since), else_=sa.literal(day, sa.Date)
            ),
            expires_on=stage.expires_on,
            expiry_rule=stage.expiry_rule,
            look_on=stage.look_on,
            judged_on=day,
            version=account.version + 1,
            sweep_id=sweep_id,
            is_unsent=True,
            updated_at=now,
        )
    ).rowcount
    counts = _note_told(connection, sweep_id, day, mine, ids, plan)
    return counts + Counter(changed=changed, unchanged=looked)


def _drop_changed(connection: Connection, sweep_id: int, mine: sa.ColumnElement[bool]) -> None:
    """What was planned for an account that is another one by now is not done."""
    action, account, stage = core_account_action.c, core_account.c, stage_account.c
    changed = sa.select(stage.account_id).join(core_account, account.account_id == stage.account_id)
    connection.execute(
        sa.update(core_account_action)
        .where(
            action.sweep_id == sweep_id,
            action.state.in_(["planned", "held"]),
            action.account_id.in_(changed.where(mine, account.version != stage.version)),
        )
        .values(state="dropped")
    )


def _note_told(
    connection: Connection,
    sweep_id: int,
    day: date,
    mine: sa.ColumnElement[bool],
    ids: tuple[int, int],
    plan: str | None,
) -> Counter[str]:
    """Mark the actions as applied, and remember what they tell. A step that is held leaves its tellings free."""
    action = core_account_action.c
    chosen = [action.sweep_id == sweep_id, action.account_id.between(*ids)]
    if plan is None:
        chosen.append(action.state == "planned")
    else:
        # Approved: only the steps of this class, which were held.
        chosen += [action.state == "held", action.account_id.in_(sa.select(stage_account.c.account_id).where(mine))]
    telling = sa.select(
        action.account_id, action.rule, action.due_on, sa.literal(sweep_id, sa.BigInteger), sa.literal(day, sa.Date)
    ).where(*chosen, action.action.in_(["notify", "flag"]))
    there = sa.exists().where(
        core_account_told.c.account_id == action.account_id,
        core_account_told.c.rule == action.rule,
        core_account_told.c.about_on == action.due_on,
    )
    columns = ["account_id", "rule", "about_on", "sweep_id", "told_on"]
    connection.execute(sa.insert(core_account_told).from_select(columns, telling.where(sa.not_(there))))
    done = connection.execute(sa.select(action.action, sa.func.count()).where(*chosen).group_by(action.action))
    counts = Counter(dict(done.tuples().all()))
    under = {} if plan is None else {"plan_hash": plan}
    connection.execute(sa.update(core_account_action).where(*chosen).values(state="applied", **under))
    return counts


def apply_approved(connection: Connection, plan: str, approved: AccountChange, *, now: datetime) -> Counter[str]:
    """Carry out a class that a person has approved, in the caller's transaction, under `ACCOUNTS_LOCK`.

    Raises `UsageError` where a newer sweep has planned since; its plan waits under a hash of its own.
    """
    sweep = connection.execute(
        sa.select(core_account_sweep)
        .where(core_account_sweep.c.plan_hash == plan, core_account_sweep.c.state == "applied")
        .order_by(core_account_sweep.c.sweep_id.desc())
        .limit(1)
    ).one_or_none()
    mine = sa.and_(stage_account.c.sweep_id == (sweep.sweep_id if sweep else -1), _CLASS.in_([approved]))
    first, last = connection.execute(
        sa.select(sa.func.min(stage_account.c.account_id), sa.func.max(stage_account.c.account_id)).where(mine)
    ).one()
    if sweep is None or first is None:
        raise UsageError(
            "a newer sweep has planned since, and this plan is gone", remedy="`samkat plans list` shows what waits now"
        )
    counts = _apply(connection, sweep.sweep_id, sweep.swept_on, mine, (first, last), now, plan)
    connection.execute(sa.delete(stage_account).where(mine))
    mark_applied(connection, plan, approved)
    return counts


def sweep_of_plan(connection: Connection, plan: str) -> int | None:
    """The newest sweep that was carried out and left classes to this plan."""
    return connection.execute(
        sa.select(sa.func.max(core_account_sweep.c.sweep_id)).where(
            core_account_sweep.c.plan_hash == plan, core_account_sweep.c.state == "applied"
        )
    ).scalar()
