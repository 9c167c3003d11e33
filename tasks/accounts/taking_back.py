"""Undo of files and campaigns: values go back to what they were, where nobody has changed them since.

A value goes back from its history, field by field, and that is a change like any other: it has its source
(`revert:import-7`) and leaves its row. A file's new accounts go again; one that its system knows by now is ended by the
next sweep instead. What was told stays told. Sweeps are reverting.py's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.outcomes import DeliveryState
from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import (
    core_account,
    core_account_action,
    core_account_campaign,
    core_account_history,
    core_account_import,
    core_account_renewal,
    core_account_request,
    core_account_sweep,
)
from schemas.warehouse.raw import raw_delivery
from tasks.accounts.changing import Occasion, change_accounts
from tasks.accounts.past_runs import AccountRun
from tasks.accounts.reverting import revert_sweep
from tasks.accounts.store import FORGOTTEN
from tasks.landing.feeds import ACCOUNT
from tasks.plans.revert import Survivor
from tasks.warehouse.bulk import bulk_insert, id_set
from tasks.warehouse.ids import take_ids

ADDED_UP: Final = ("downloads", "readers", "lists")
"""Kinds of files of which nothing remembers what was before."""


@dataclass(frozen=True)
class TakenBack:
    """What became of a run that was taken back."""

    was_reverted: bool = False
    accounts: int = 0
    """Put back."""
    removed: int = 0
    """Made by it, and gone again."""
    ended: int = 0
    """Made by it and known to their system: the next sweep deactivates them."""
    answers: int = 0
    """Answers of a campaign that count no more."""
    survivors: tuple[Survivor, ...] = ()


@dataclass(frozen=True)
class TakingBack:
    """What everything that is taken back shares."""

    systems: Mapping[str, AccountSystem]
    now: datetime
    today: date | None = None
    """As set; None: the calendar's, in each system's zone."""

    def occasion(self, system: str, run: AccountRun) -> Occasion:
        """The day and source of the changes. Raises `UsageError` where the register has no such system any more."""
        rules = self.systems.get(system)
        if rules is None:
            raise UsageError(f"the register has no system {system!r} any more", remedy="enter it again, then revert")
        day = self.today or self.now.astimezone(rules.tz).date()
        return Occasion(rules, day, self.now, f"revert:{run.name}")


def take_back(connection: Connection, run: AccountRun, taking: TakingBack) -> TakenBack:
    """Take a sweep, a file or a campaign back, under `ACCOUNTS_LOCK`; doing it twice changes nothing.

    Raises `UsageError` where there is no such run, or it cannot be taken back.
    """
    if run.kind == "sweep":
        return _sweep(connection, run, taking)
    return (_import if run.kind == "import" else _campaign)(connection, run, taking)


def _sweep(connection: Connection, run: AccountRun, taking: TakingBack) -> TakenBack:
    state = connection.execute(
        sa.select(core_account_sweep.c.state).where(core_account_sweep.c.sweep_id == run.number)
    ).scalar()
    report = revert_sweep(connection, run.number, taking.now)
    return TakenBack(state == "reverted", accounts=report.reverted, survivors=report.survived)


def _import(connection: Connection, run: AccountRun, taking: TakingBack) -> TakenBack:
    taken = connection.execute(
        sa.select(core_account_import).where(core_account_import.c.import_id == run.number)
    ).one_or_none()
    if taken is None:
        raise UsageError(f"there is no file {run.name}", remedy="`samkat accounts runs` lists them")
    if taken.kind in ADDED_UP:
        raise UsageError(
            f"a file of {taken.kind} adds to what is there, and cannot be told apart from it",
            remedy="send a file that puts it right",
        )
    occasion = taking.occasion(taken.system, run)
    if _was_reverted(connection, occasion.source):
        return TakenBack(was_reverted=True)
    history, account = core_account_history.c, core_account.c
    restored, survivors = _restore(
        connection,
        occasion,
        sa.select(core_account_history)
        .join(core_account, account.account_id == history.account_id)
        .where(account.system == taken.system, history.changed_at == taken.created_at),
    )
    removed, ended = _unmake(connection, occasion, taken)
    connection.execute(
        sa.update(core_account_request)
        .where(core_account_request.c.import_id == run.number, core_account_request.c.state == "granted")
        .values(state="superseded")
    )
    answers = _withdraw_answers(connection, taken.system, core_account_renewal.c.decided_at == taken.created_at)
    _note_delivery(connection, taken, taking.now)
    return TakenBack(False, restored, removed, ended, answers, tuple(survivors))


def _campaign(connection: Connection, run: AccountRun, taking: TakingBack) -> TakenBack:
    """Every renewal that it gave, asked or unasked; it is open again, so that right answers can be sent."""
    campaign = core_account_campaign.c
    row = connection.execute(sa.select(core_account_campaign).where(campaign.campaign_id == run.number)).one_or_none()
    if row is None:
        raise UsageError(f"there is no {run.name}", remedy="`samkat accounts runs` lists them")
    occasion = taking.occasion(row.system, run)
    history, renewal = core_account_history.c, core_account_renewal.c
    moved = core_account_history.alias("moved").c
    renewed_then = sa.exists().where(
        moved.account_id == history.account_id,
        moved.changed_at == history.changed_at,
        moved.field.in_(["renewed_on", "granted_until"]),
    )
    restored, survivors = _restore(
        connection,
        occasion,
        sa.select(core_account_history)
        .join(core_account_renewal, renewal.account_id == history.account_id)
        .where(
            renewal.campaign_id == run.number,
            renewal.outcome == "renewed",
            history.changed_at >= row.created_at,
            history.source != occasion.source,
            sa.or_(renewed_then, history.changed_at == renewal.decided_at),
        ),
    )
    connection.execute(
        sa.update(core_account_campaign).where(campaign.campaign_id == run.number).values(state="open", closed_at=None)
    )
    mine = renewal.campaign_id == run.number
    answers = _withdraw_answers(connection, row.system, sa.and_(mine, renewal.decision.is_not(None)))
    connection.execute(sa.update(core_account_renewal).where(mine).values(outcome="asked", renewed_until=None))
    return TakenBack(False, restored, answers=answers, survivors=tuple(survivors))


def _was_reverted(connection: Connection, source: str) -> bool:
    found = sa.select(sa.literal(1)).where(core_account_history.c.source == source).limit(1)
    return connection.execute(found).scalar() is not None


def _restore(connection: Connection, occasion: Occasion, lines: sa.Select[Any]) -> tuple[int, list[Survivor]]:
    """Put back the values of these lines of history, but those that were changed later."""
    history = core_account_history.c
    mine = {row.history_id: row for row in connection.execute(lines)}
    wanted = sa.select(id_set(connection, {row.account_id for row in mine.values()}).c.value)
    there = {
        row.account_id: row
        for row in connection.execute(sa.select(core_account).where(core_account.c.account_id.in_(wanted)))
    }
    by_field: dict[tuple[int, str], list[sa.Row[Any]]] = {}
    for row in connection.execute(
        sa.select(core_account_history).where(history.account_id.in_(wanted)).order_by(history.history_id.desc())
    ):
        by_field.setdefault((row.account_id, row.field), []).append(row)
    values: dict[int, dict[str, Any]] = {}
    survivors = []
    for (account_id, field), newest_first in by_field.items():
        if account_id in there and there[account_id].login_key.startswith(FORGOTTEN):
            survivors.append(Survivor("account", account_id, f"{field}: it is forgotten whose it was"))
            continue
        for row in newest_first:
            if row.history_id in mine:
                values.setdefault(account_id, {})[field] = _value(field, row.old)
                continue
            is_left = any(each.history_id in mine for each in newest_first if each.history_id < row.history_id)
            if is_left and row.source != occasion.source:
                survivors.append(Survivor("account", account_id, f"{field} was changed later, by {row.source}"))
            break
    pairs = [(there[each], found) for each, found in values.items() if each in there]
    return change_accounts(connection, occasion, pairs)["changed"], survivors


def _value(field: str, text: str | None) -> Any:
    """A value from its text in the history."""
    kind = core_account.c[field].type
    if text is None:
        return None
    if isinstance(kind, sa.Date):
        return date.fromisoformat(text)
    return text == "true" if isinstance(kind, sa.Boolean) else text


def _unmake(connection: Connection, occasion: Occasion, taken: sa.Row[Any]) -> tuple[int, int]:
    """Accounts that a file made: gone again, or ended where anybody else knows them by now."""
    account = core_account.c
    made = connection.execute(
        sa.select(core_account).where(account.system == taken.system, account.created_at == taken.created_at)
    ).all()
    wanted = sa.select(id_set(connection, [row.account_id for row in made]).c.value)
    touched = {
        each
        for table in (core_account_action, core_account_history, core_account_renewal)
        for each in connection.execute(
            sa.select(table.c.account_id).where(table.c.account_id.in_(wanted)).distinct()
        ).scalars()
    }
    alone = [row.account_id for row in made if row.is_unsent and row.version == 1 and row.account_id not in touched]
    known = [
        row
        for row in made
        if row.account_id not in alone and row.leaver_on is None and not row.login_key.startswith(FORGOTTEN)
    ]
    change_accounts(connection, occasion, [(row, {"leaver_on": occasion.day}) for row in known])
    connection.execute(
        sa.delete(core_account).where(account.account_id.in_(sa.select(id_set(connection, alone).c.value)))
    )
    # That it was there stays a row, without a word of whom it was about.
    lines = [(number, each, "account", None, None) for number, each in zip(
        take_ids(connection, "account_history", len(alone)), alone, strict=True)]  # fmt: skip
    constants = {"source": occasion.source, "said_on": occasion.day, "changed_at": occasion.now}
    bulk_insert(connection, core_account_history, ("history_id", "account_id", "field", "old", "new"), lines, constants)
    return len(alone), len(known)


def _withdraw_answers(connection: Connection, system: str, chosen: sa.ColumnElement[bool]) -> int:
    """Answers to campaigns that are still open count no more."""
    campaign, renewal = core_account_campaign.c, core_account_renewal.c
    still_open = sa.select(campaign.campaign_id).where(campaign.system == system, campaign.state == "open")
    nothing = {"decision": None, "until": None, "decided_by": None, "decided_at": None, "renewed_until": None}
    return connection.execute(
        sa.update(core_account_renewal)
        .where(chosen, renewal.campaign_id.in_(still_open))
        .values(outcome="asked", **nothing)
    ).rowcount


def _note_delivery(connection: Connection, taken: sa.Row[Any], now: datetime) -> None:
    """The ledger knows it, too, where the file came through the landing zone."""
    row = raw_delivery.c
    connection.execute(
        sa.update(raw_delivery)
        .where(row.kind == ACCOUNT, row.sha256 == taken.sha256, row.finished_at == taken.created_at)
        .values(state=DeliveryState.REVERTED, reverted_at=now)
    )


def as_report(run: Sequence[AccountRun], done: Sequence[TakenBack], *, dry_run: bool) -> dict[str, object]:
    """What `samkat revert` and its flow say: counts over all of them, and what stayed with the reason."""
    return {
        "runs": [each.name for each in run],
        "dry_run": dry_run,
        "was_reverted": all(each.was_reverted for each in done),
        **{name: sum(getattr(each, name) for each in done) for name in ("accounts", "removed", "ended", "answers")},
        "survivors": [f"{one.entity} {one.entity_id}: {one.why}" for each in done for one in each.survivors],
    }
