"""The plan of a sweep: which accounts are due, and what would be done with each, stored before anything is done.

Only accounts whose next day to look has come are looked at, all of them where the rules have changed. Nights that were
missed are caught up day by day: each day on which something was due gets a sweep of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import core_account, core_account_action, core_account_sweep, stage_account
from tasks.accounts.deciding import STEPS, Action, Decision, decide
from tasks.accounts.store import (
    ACCOUNTS_LOCK,
    CHUNK_ACCOUNTS,
    FACT_COLUMNS,
    FORGOTTEN,
    facts_of,
    rules_version,
    told_of,
)
from tasks.warehouse.bulk import bulk_insert
from tasks.warehouse.engine import Warehouse, needs_no_wait
from tasks.warehouse.ids import take_id

Purpose: TypeAlias = Literal["nightly", "retirement"]
UNFINISHED: Final = ("planning", "planned", "guarded")
_STAGE: Final = (
    *("account_id", "version", "status", "expires_on", "expiry_rule", "look_on", "class", "is_change", "is_planned"),
)
_ACTION: Final = ("account_id", "seq", "action", "rule", "reason", "due_on", "used")


@dataclass(frozen=True)
class Sweep:
    """A sweep that is worked on."""

    sweep_id: int
    system: AccountSystem
    day: date
    purpose: Purpose
    state: str
    is_preview: bool = False
    until: date | None = None
    """Last of the days that are caught up; None: there is this one only. The last tells the nearest notice."""

    @property
    def tells(self) -> bool:
        """Whether notices are planned."""
        return self.until in (None, self.day)

    @property
    def scope(self) -> str:
        """As its held plans name it."""
        return f"system:{self.system.code}"


def next_day(connection: Connection, system: str, until: date) -> date:
    """The next day to sweep: the first one since the last sweep on which something is due, and at last `until`."""
    last = last_sweep(connection, system)
    if last is None or last.swept_on >= until:
        return until
    look_on = core_account.c.look_on
    due = connection.execute(
        sa.select(sa.func.min(look_on)).where(core_account.c.system == system, look_on > last.swept_on, look_on < until)
    ).scalar()
    return due or until


def last_sweep(connection: Connection, system: str) -> sa.Row[Any] | None:
    """The sweep of the latest day that was carried out."""
    sweep = core_account_sweep
    return connection.execute(
        sa.select(sweep)
        .where(
            sweep.c.system == system,
            sweep.c.purpose == "nightly",
            sweep.c.state == "applied",
            sa.not_(sweep.c.is_preview),
        )
        .order_by(sweep.c.swept_on.desc(), sweep.c.sweep_id.desc())
        .limit(1)
    ).one_or_none()


def open_sweep(
    warehouse: Warehouse,
    system: AccountSystem,
    day: date,
    *,
    now: datetime,
    run_id: str | None,
    purpose: Purpose = "nightly",
    is_preview: bool = False,
    until: date | None = None,
) -> Sweep:
    """A sweep of this day: one that a killed run left is taken up, otherwise a new one, with the accounts that are due.

    What was left of another day is abandoned: its accounts are still due.
    """
    sweep = core_account_sweep
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        left = connection.execute(
            sa.select(sweep)
            .where(
                sweep.c.system == system.code,
                sweep.c.purpose == purpose,
                sweep.c.state.in_(UNFINISHED),
                sweep.c.is_preview == is_preview,
            )
            .order_by(sweep.c.sweep_id)
        ).all()
        version = rules_version(system)
        mine = [each for each in left if each.swept_on == day and each.rules_version == version and not is_preview]
        for each in left:
            if each.is_preview:
                forget_preview(connection, each.sweep_id)
            elif each not in mine[-1:]:
                _abandon(connection, each.sweep_id)
        if mine:
            return Sweep(mine[-1].sweep_id, system, day, purpose, mine[-1].state, is_preview, until)
        sweep_id = take_id(connection, "account_sweep")
        values = {"system": system.code, "swept_on": day, "purpose": purpose, "state": "planning", "run_id": run_id}
        connection.execute(
            sa.insert(sweep).values(
                sweep_id=sweep_id, is_preview=is_preview, rules_version=version, created_at=now, **values
            )
        )
        opened = Sweep(sweep_id, system, day, purpose, "planning", is_preview, until)
        looked_at = _enter_due(connection, opened, version)
        connection.execute(sa.update(sweep).where(sweep.c.sweep_id == sweep_id).values(looked_at=looked_at))
        return opened


def forget_preview(connection: Connection, sweep_id: int) -> None:
    """A dry run leaves nothing."""
    for table in (stage_account, core_account_action, core_account_sweep):
        connection.execute(sa.delete(table).where(table.c.sweep_id == sweep_id))


def _abandon(connection: Connection, sweep_id: int) -> None:
    action = core_account_action
    connection.execute(
        sa.update(action).where(action.c.sweep_id == sweep_id, action.c.state == "planned").values(state="dropped")
    )
    connection.execute(sa.delete(stage_account).where(stage_account.c.sweep_id == sweep_id))
    connection.execute(
        sa.update(core_account_sweep).where(core_account_sweep.c.sweep_id == sweep_id).values(state="abandoned")
    )


def _enter_due(connection: Connection, sweep: Sweep, version: str) -> int:
    account = core_account.c
    chosen = sa.select(
        sa.literal(sweep.sweep_id, sa.BigInteger),
        account.account_id,
        account.version,
        account.status,
        account.expiry_rule,
        sa.literal(""),
        sa.false(),
        sa.false(),
    ).where(account.system == sweep.system.code, _is_due(connection, sweep, version))
    columns = ["sweep_id", "account_id", "version", "status", "expiry_rule", "class", "is_change", "is_planned"]
    entered = sa.insert(stage_account).from_select(columns, chosen).execution_options(preserve_rowcount=True)
    return connection.execute(entered).rowcount


def _is_due(connection: Connection, sweep: Sweep, version: str) -> sa.ColumnElement[bool]:
    known = sa.not_(core_account.c.login_key.startswith(FORGOTTEN))
    if sweep.purpose == "retirement":
        return sa.and_(known, core_account.c.kind == "shared", core_account.c.status != "retired")
    return sa.and_(known, _has_come(connection, sweep, version))


def _has_come(connection: Connection, sweep: Sweep, version: str) -> sa.ColumnElement[bool]:
    last = last_sweep(connection, sweep.system.code)
    if last is not None and last.rules_version != version:
        return sa.true()
    due = core_account.c.look_on <= sweep.day
    if last is not None and last.swept_on > sweep.day:
        # A day that is past: what later sweeps decided is decided again for that day.
        return sa.or_(due, core_account.c.judged_on > sweep.day)
    return due


def plan_sweep(warehouse: Warehouse, sweep: Sweep) -> Counter[str]:
    """Plan each account that is due; goes on where a killed run stopped. Returns counts of actions."""
    counts: Counter[str] = Counter()
    while True:
        with warehouse.write(ACCOUNTS_LOCK) as connection:
            needs_no_wait(connection)
            row = connection.execute(_OF_SWEEP, {"sweep": sweep.sweep_id}).one()
            if row.state != "planning":
                return counts
            rows = _rows_after(connection, sweep.sweep_id, row.planned_to)
            counts += _plan_chunk(connection, sweep, rows)
            is_last = len(rows) < CHUNK_ACCOUNTS
            connection.execute(
                sa.update(core_account_sweep)
                .where(core_account_sweep.c.sweep_id == sweep.sweep_id)
                .values(
                    planned_to=rows[-1].account_id if rows else row.planned_to,
                    state="planned" if is_last else "planning",
                )
            )


_OF_SWEEP: Final = sa.select(core_account_sweep).where(core_account_sweep.c.sweep_id == sa.bindparam("sweep"))


def _rows_after(connection: Connection, sweep_id: int, reached: int) -> Sequence[sa.Row[Any]]:
    return connection.execute(
        sa.select(*(core_account.c[name] for name in FACT_COLUMNS))
        .join(stage_account, stage_account.c.account_id == core_account.c.account_id)
        .where(stage_account.c.sweep_id == sweep_id, stage_account.c.account_id > reached)
        .order_by(stage_account.c.account_id)
        .limit(CHUNK_ACCOUNTS)
    ).all()


def _plan_chunk(connection: Connection, sweep: Sweep, rows: Sequence[sa.Row[Any]]) -> Counter[str]:
    if not rows:
        return Counter()
    told = told_of(connection, [row.account_id for row in rows])
    counts: Counter[str] = Counter()
    stage: list[tuple[Any, ...]] = []
    actions: list[tuple[Any, ...]] = []
    for row in rows:
        decision = decide(facts_of(row), sweep.system, sweep.day, told.get(row.account_id, frozenset()))
        chosen = [each for each in decision.actions if _belongs(each, sweep)]
        stage.append(_stage_row(row, decision, chosen, sweep))
        for seq, each in enumerate(chosen, start=1):
            counts[each.action] += 1
            used = orjson.dumps(dict(each.used)).decode()
            actions.append((row.account_id, seq, each.action, each.rule, each.reason, each.due_on, used))
    connection.execute(
        sa.delete(stage_account).where(
            stage_account.c.sweep_id == sweep.sweep_id,
            stage_account.c.account_id.between(rows[0].account_id, rows[-1].account_id),
        )
    )
    bulk_insert(connection, stage_account, _STAGE, stage, {"sweep_id": sweep.sweep_id})
    bulk_insert(connection, core_account_action, _ACTION, actions, {"sweep_id": sweep.sweep_id, "state": "planned"})
    return counts


def _belongs(action: Action, sweep: Sweep) -> bool:
    """Shared logins are retired by a flow of its own, which looks after their lists first."""
    if sweep.purpose == "retirement" or action.action == "retire":
        return sweep.purpose == "retirement" and action.action == "retire"
    return sweep.tells or action.action in STEPS


def _stage_row(row: sa.Row[Any], decision: Decision, chosen: Sequence[Action], sweep: Sweep) -> tuple[Any, ...]:
    step = next((each for each in chosen if each.action in STEPS), None)
    end = decision.standing.end
    status = decision.standing.status if step else row.status
    is_change = step is not None or (row.expires_on, row.expiry_rule) != (end.day, end.rule)
    look_on = decision.look_on
    if len(chosen) < len(decision.actions):
        # What is left to another sweep (a notice to the last day, a retirement to its flow) is looked at there.
        left_to = sweep.day + timedelta(days=1) if sweep.tells else sweep.until
        look_on = min(each for each in (look_on, left_to) if each is not None)
    change = step.change if step else None
    return (row.account_id, row.version, status, end.day, end.rule, look_on, change or "", is_change, True)
