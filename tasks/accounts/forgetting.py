"""Accounts that ended long ago are pseudonymised: who it was is forgotten, that there was an account is not.

An account is forgotten so many months after it became inactive or was retired, when its system knows that and nothing
about it is open. Its days stay, since its status follows from them; its row is left alone from then on. More of them
than the limit wait for approval by the plan's hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import PlanState
from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import (
    core_account,
    core_account_history,
    core_account_import,
    core_account_reject,
    core_account_renewal,
    core_account_request,
    stage_account,
)
from schemas.warehouse.core import core_notice
from tasks.accounts.store import FORGOTTEN
from tasks.months import add_months
from tasks.notices.message import NoticeKind
from tasks.plans.plan import GuardedClass, PlannedClass, digest_of, plan_hash
from tasks.plans.store import decision, hold, mark_applied, supersede
from tasks.warehouse.bulk import bulk_insert, id_set
from tasks.warehouse.ids import take_ids

FLOW: Final = "account-retention"
CLASS: Final = "erase"
UNASKED: Final = "retention"
MOST: Final = 4_000
"""Accounts of a system that a night forgets, in one transaction."""
CLEARED: Final = "The text of this e-mail was cleared: it is older than the accounts that it names are kept."
_CLEARED_NOTICE: Final = {"subject": CLEARED, "body_text": CLEARED, "body_html": "", "attachments": "[]"}
_NOTHING: Final = {
    **dict.fromkeys(("name", "email", "owner", "contact", "supporter", "tasks"), ""),
    **{"training": "{}", "trained_on": None, "roles": "[]", "origins": "{}"},
}


@dataclass(frozen=True)
class Forgotten:
    """What a night forgot, and what waits."""

    counts: Counter[str] = field(default_factory=Counter)
    held: str = ""
    """Why the others wait, in words."""


def forget_accounts(
    connection: Connection,
    system: AccountSystem,
    day: date,
    now: datetime,
    *,
    run_id: str | None = None,
    only_plan: str | None = None,
) -> Forgotten:
    """Forget the accounts of a system that are over for as long as its rules say, under `ACCOUNTS_LOCK`.

    `only_plan`: nothing but what was approved under this hash. Letters and refused rows of that age go unasked.
    """
    before = add_months(day, -system.retention.after_months)
    scope = f"system:{system.code}"
    rows = _over(connection, system.code, before)
    counts = Counter[str]() if only_plan else _old_words(connection, system.code, before, day, now)
    if not rows:
        supersede(connection, FLOW, [scope], now=now)
        return Forgotten(counts)
    guarded = _guarded(connection, system, scope, rows, now)
    plan = plan_hash([guarded.planned])
    if only_plan not in (None, plan):
        return Forgotten(counts)
    under = None
    if guarded.is_held:
        if decision(connection, plan, CLASS) != PlanState.APPROVED:
            hold(connection, plan, [guarded], delivery_id=None, run_id=run_id, now=now)
            return Forgotten(counts + Counter({"accounts held": len(rows)}), guarded.reason)
        under = plan
    supersede(connection, FLOW, [scope], now=now, keep=under)
    _forget(connection, system.code, rows, day, now, f"{UNASKED}:{plan}" if under else UNASKED)
    if under is not None:
        mark_applied(connection, under, CLASS)
    return Forgotten(counts + Counter({"accounts forgotten": len(rows)}))


def _over(connection: Connection, system: str, before: date) -> Sequence[sa.Row[Any]]:
    """Accounts whose time has come and of which nothing is open."""
    account = core_account.c
    is_planned = sa.exists().where(stage_account.c.account_id == account.account_id)
    is_asked = sa.exists().where(
        core_account_renewal.c.account_id == account.account_id, core_account_renewal.c.outcome == "asked"
    )
    return connection.execute(
        sa.select(account.account_id, account.login_key)
        .where(
            account.system == system,
            account.status.in_(["inactive", "retired"]),
            account.status_since < before,
            sa.not_(account.is_unsent),
            sa.not_(is_planned),
            sa.not_(is_asked),
            sa.not_(account.login_key.startswith(FORGOTTEN)),
        )
        .order_by(account.account_id)
        .limit(MOST)
    ).all()


def _guarded(
    connection: Connection, system: AccountSystem, scope: str, rows: Sequence[sa.Row[Any]], now: datetime
) -> GuardedClass:
    """The one class of the plan, measured by the accounts of the system that are not forgotten yet."""
    account, history = core_account.c, core_account_history.c
    population = connection.execute(
        sa.select(sa.func.count()).where(
            account.system == system.code, sa.not_(account.login_key.startswith(FORGOTTEN))
        )
    ).scalar_one()
    limit = system.retention.limit.limit(population)
    days = system.retention.limit.sum_days
    unasked = connection.execute(
        sa.select(sa.func.count())
        .select_from(core_account_history)
        .join(core_account, account.account_id == history.account_id)
        .where(
            account.system == system.code,
            history.source == UNASKED,
            history.changed_at > now - timedelta(days=days),
        )
    ).scalar_one()
    before = unasked if days else 0
    planned = PlannedClass(FLOW, scope, CLASS, len(rows), population, digest_of(row.login_key for row in rows))
    text = f"{len(rows)} of {population} accounts would be forgotten; {limit} are let through unasked"
    text += f" in {days} days, and {before} were" if days else ""
    return GuardedClass(planned, float(max(0, limit - before)), len(rows) + before > limit, text)


def _forget(
    connection: Connection, system: str, rows: Sequence[sa.Row[Any]], day: date, now: datetime, source: str
) -> None:
    ids = [row.account_id for row in rows]
    mine = sa.select(id_set(connection, ids).c.value)
    account, history = core_account.c, core_account_history.c
    connection.execute(
        sa.delete(core_account_request).where(
            core_account_request.c.system == system,
            core_account_request.c.login_key.in_(sa.select(account.login_key).where(account.account_id.in_(mine))),
        )
    )
    connection.execute(
        sa.update(core_account)
        .where(account.account_id == sa.bindparam("forgotten_id"))
        .values(
            login=sa.bindparam("forgotten_name"), login_key=sa.bindparam("forgotten_name"), look_on=None,
            version=account.version + 1, updated_at=now, **_NOTHING,
        ),
        [{"forgotten_id": each, "forgotten_name": f"{FORGOTTEN}{each}"} for each in ids],
    )  # fmt: skip
    connection.execute(sa.update(core_account_history).where(history.account_id.in_(mine)).values(old=None, new=None))
    lines = [
        (number, each, "account", None, None)
        for number, each in zip(take_ids(connection, "account_history", len(ids)), ids, strict=True)
    ]
    constants = {"source": source, "said_on": day, "changed_at": now}
    bulk_insert(connection, core_account_history, ("history_id", "account_id", "field", "old", "new"), lines, constants)


def _old_words(connection: Connection, system: str, before: date, day: date, now: datetime) -> Counter[str]:
    """Letters about accounts and refused rows of files that are as old: they name people."""
    since = now - (day - before)
    notice, taken = core_notice.c, core_account_import.c
    letters = connection.execute(
        sa.update(core_notice)
        .where(
            notice.kind == NoticeKind.ACCOUNTS,
            # As letters.py makes the key: kind, variant, system, occasion.
            notice.dedup_key.like(f"{NoticeKind.ACCOUNTS}|%|{system}|%"),
            notice.created_at < since,
            notice.body_text != CLEARED,
        )
        .values(**_CLEARED_NOTICE)
    ).rowcount
    # Who asked is told by name and address: such a letter keeps neither its recipient nor its key.
    asked_for = f"{NoticeKind.ACCOUNTS}|request|{system}|"
    connection.execute(
        sa.update(core_notice)
        .where(notice.dedup_key.startswith(asked_for), notice.body_text == CLEARED, notice.recipient != "")
        .values(recipient="", dedup_key=sa.literal(asked_for) + sa.cast(notice.notice_id, sa.Text))
    )
    old_files = sa.select(taken.import_id).where(taken.system == system, taken.created_at < since)
    refused = connection.execute(
        sa.delete(core_account_reject).where(core_account_reject.c.import_id.in_(old_files))
    ).rowcount
    asked = connection.execute(
        sa.delete(core_account_request).where(
            core_account_request.c.import_id.in_(old_files), core_account_request.c.state != "granted"
        )
    ).rowcount
    return +Counter({"letters about accounts": letters, "refused rows": refused, "requests": asked})
