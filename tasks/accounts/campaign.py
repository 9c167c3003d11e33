"""The yearly renewal: who expires at the end of the year is listed for the library managers, and they say who goes on.

Each day the campaign does what is due: open and list, remind, report who has not answered, settle. A day that was
missed is made up for by the latest step that is due, so nobody gets three letters at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.register.account_rules import AccountSystem, Campaign
from schemas.warehouse.accounts import core_account, core_account_campaign, core_account_renewal
from tasks.accounts.changing import Occasion, change_accounts, renewed_values
from tasks.accounts.csv_files import Row
from tasks.accounts.ending import add_years, end_of, renewed
from tasks.accounts.intake import TAKERS, Intake, known_accounts, refuse
from tasks.accounts.letters import Letter, Line, Post, Table
from tasks.accounts.store import facts_of
from tasks.warehouse.ids import take_id

Step: TypeAlias = Literal["renewal", "reminder", "unanswered"]
LIST_COLUMNS: Final = ("login", "account_id", "expires_on", "decision", "until", "remark")
"""Of the file that managers send back."""


@dataclass(frozen=True)
class CampaignDays:
    """The days of the campaign of a year."""

    year: int
    ends_on: date
    opens_on: date
    answers_by: date
    reminds_on: tuple[date, ...]

    def step_on(self, day: date) -> tuple[Step, date] | None:
        """The latest step that is due on `day`, and since when; None before the campaign and after its end."""
        if not self.opens_on <= day <= self.ends_on:
            return None
        steps: list[tuple[date, Step]] = [(self.opens_on, "renewal"), (self.answers_by, "unanswered")]
        steps += [(each, "reminder") for each in self.reminds_on]
        due, step = max(each for each in steps if each[0] <= day)
        return step, due


def campaign_days(rules: Campaign, day: date) -> CampaignDays:
    """The campaign that `day` is in or before: the next `ends_on`, that day included."""
    ends_on = date.fromisoformat(f"{day.year}-{rules.ends_on}")
    return days_of_year(rules, day.year if day <= ends_on else day.year + 1)


def days_of_year(rules: Campaign, year: int) -> CampaignDays:
    """The campaign of a year."""
    ends_on = date.fromisoformat(f"{year}-{rules.ends_on}")
    answers_by = ends_on - timedelta(rules.decide_days)
    return CampaignDays(
        year,
        ends_on,
        ends_on - timedelta(rules.prepare_days),
        answers_by,
        tuple(answers_by - timedelta(each) for each in rules.remind_days),
    )


def open_campaign(connection: Connection, system: AccountSystem, days: CampaignDays, now: datetime) -> int:
    """Open the campaign of a year, and list every account that expires then; again adds those that are new."""
    table = core_account_campaign.c
    found = connection.execute(
        sa.select(table.campaign_id).where(table.system == system.code, table.year == days.year)
    ).scalar_one_or_none()
    if found is None:
        found = take_id(connection, "account_campaign")
        connection.execute(
            sa.insert(core_account_campaign).values(
                campaign_id=found,
                system=system.code,
                year=days.year,
                ends_on=days.ends_on,
                state="open",
                created_at=now,
            )
        )
    assert system.campaign is not None
    account, renewal = core_account.c, core_account_renewal.c
    there = sa.exists().where(renewal.campaign_id == found, renewal.account_id == account.account_id)
    chosen = sa.select(
        sa.literal(found, sa.BigInteger), account.account_id, account.library, account.expires_on, sa.literal("asked")
    ).where(
        account.system == system.code,
        account.kind == "personal",
        account.status.in_(["active", "waiting"]),
        account.employment.in_(system.campaign.employments),
        account.expires_on.between(days.ends_on - timedelta(system.campaign.window_days), days.ends_on),
        sa.not_(account.is_end_pinned),
        sa.not_(there),
    )
    columns = ["campaign_id", "account_id", "library", "expires_on", "outcome"]
    connection.execute(sa.insert(core_account_renewal).from_select(columns, chosen))
    return found


def asked(connection: Connection, campaign_id: int, *, unanswered: bool = False) -> Sequence[sa.Row[Any]]:
    """The accounts of a campaign with their answers, by library; only those without one where asked for."""
    renewal, account = core_account_renewal.c, core_account.c
    statement = (
        sa.select(
            core_account_renewal, account.login, account.login_key, account.name, account.employment,
            account.expires_on.label("expires_now"),
        )
        .join(core_account, account.account_id == renewal.account_id)
        .where(renewal.campaign_id == campaign_id)
        .order_by(renewal.library, account.login_key)
    )  # fmt: skip
    if unanswered:
        statement = statement.where(renewal.decision.is_(None), renewal.outcome == "asked")
    return connection.execute(statement).all()


def run_campaign(connection: Connection, post: Post, day: date) -> Counter[str]:
    """Do what the campaign of a system has to do on `day`, under `ACCOUNTS_LOCK`; again does nothing.

    On the last day those without an answer are renewed, where the rules say so; after it the campaign is closed.
    """
    system = post.system
    if system.campaign is None:
        return Counter()
    counts = _close_older(connection, post, day)
    days = campaign_days(system.campaign, day)
    due = days.step_on(day)
    if due is None:
        return counts
    campaign_id = open_campaign(connection, system, days, post.now)
    step, since = due
    rows = asked(connection, campaign_id, unanswered=step != "renewal")
    counts += post.send(connection, _letters(post, step, days, rows, f"{days.year}|{since}"))
    if day == days.ends_on and system.campaign.no_answer == "renew":
        counts += _renew_unanswered(connection, system, campaign_id, day, post.now)
    return counts


def _letters(post: Post, step: Step, days: CampaignDays, rows: Sequence[sa.Row[Any]], key: str) -> list[Letter]:
    lines = [Line(row.library, row.login, row.name, row.expires_on) for row in rows]
    if step == "unanswered":
        # Escalated: the support desk sees what no library has answered.
        letters = post.to_libraries(step, days.answers_by, lines, key)
        return letters + post.to_support(step, days.answers_by, lines, key)
    tables = {
        sigel: [Table(f"renewals-{post.system.code}-{sigel}-{days.year}.csv", LIST_COLUMNS, _list_rows(rows, sigel))]
        for sigel in {row.library for row in rows}
    }
    return post.to_libraries(step, days.answers_by, lines, key, tables)


def _list_rows(rows: Sequence[sa.Row[Any]], sigel: str) -> list[tuple[object, ...]]:
    return [
        (
            row.login,
            row.account_id,
            row.expires_on,
            row.decision or "",
            row.until or "",
            f"{row.name} ({row.employment})",
        )
        for row in rows
        if row.library == sigel
    ]


def _renew_unanswered(
    connection: Connection, system: AccountSystem, campaign_id: int, day: date, now: datetime
) -> Counter[str]:
    rows = asked(connection, campaign_id, unanswered=True)
    occasion = Occasion(system, day, now, f"campaign:{day.year}")
    for row in rows:
        _renew(connection, occasion, row.account_id, campaign_id, None)
    return Counter({"renewed without an answer": len(rows)} if rows else {})


def _renew(
    connection: Connection, occasion: Occasion, account_id: int, campaign_id: int | None, until: date | None
) -> date | None:
    """Renew an account now; returns its new last valid day. Raises `UsageError` where that cannot be."""
    row = connection.execute(sa.select(core_account).where(core_account.c.account_id == account_id)).one()
    after = renewed(facts_of(row), occasion.system.ends, occasion.day, until)
    change_accounts(connection, occasion, [(row, renewed_values(row, after))])
    end = end_of(after, occasion.system.ends).day
    if campaign_id is not None:
        connection.execute(
            sa.update(core_account_renewal)
            .where(core_account_renewal.c.campaign_id == campaign_id, core_account_renewal.c.account_id == account_id)
            .values(outcome="renewed", renewed_until=end)
        )
    return end


def _close_older(connection: Connection, post: Post, day: date) -> Counter[str]:
    """Settle every open campaign whose day is over: renewed, expired as decided, unanswered; and tell the desk."""
    table = core_account_campaign.c
    over = connection.execute(
        sa.select(core_account_campaign).where(
            table.system == post.system.code, table.state == "open", table.ends_on < day
        )
    ).all()
    counts: Counter[str] = Counter()
    for each in over:
        mine, renewal = core_account_renewal.c.campaign_id == each.campaign_id, core_account_renewal.c
        connection.execute(
            sa.update(core_account_renewal)
            .where(mine, renewal.outcome == "asked")
            .values(outcome=sa.case((renewal.decision == "end", "expired"), else_="unanswered"))
        )
        connection.execute(
            sa.update(core_account_campaign)
            .where(table.campaign_id == each.campaign_id)
            .values(state="closed", closed_at=post.now)
        )
        rows = asked(connection, each.campaign_id)
        counts += Counter(row.outcome for row in rows)
        rule = {"renewed": "renewed", "expired": "ended", "unanswered": "unanswered"}
        lines = [Line(row.library, row.login, row.name, row.expires_now, rule[row.outcome]) for row in rows]
        key = f"{each.year}|settled"
        letters = post.to_libraries("settled", each.ends_on, lines, key)
        counts += post.send(connection, letters + post.to_support("settled", each.ends_on, lines, key))
    return counts


def _take_renewals(intake: Intake, rows: Sequence[Row]) -> None:
    """Answers: in the open campaign where there is one, and at any other time of the year."""
    open_ones = _open_rows(intake)
    for row, account in known_accounts(intake, rows):
        decision, until = row.values.get("decision"), row.values.get("until")
        if decision is None:
            intake.report.counts["unchanged"] += 1
            continue
        campaign = open_ones.get(account.account_id)
        try:
            did = _answer(intake, account, campaign, decision, until)
        except UsageError as error:
            refuse(intake, row.line, "decision", error.cause, error.remedy or "")
        else:
            intake.report.counts["changed" if did else "unchanged"] += 1


def _open_rows(intake: Intake) -> dict[int, sa.Row[Any]]:
    campaign = core_account_campaign.c
    rows = intake.connection.execute(
        sa.select(core_account_renewal)
        .join(core_account_campaign, campaign.campaign_id == core_account_renewal.c.campaign_id)
        .where(campaign.system == intake.occasion.system.code, campaign.state == "open")
    )
    return {row.account_id: row for row in rows}


def _answer(
    intake: Intake, account: sa.Row[Any], asked_row: sa.Row[Any] | None, decision: str, until: date | None
) -> bool:
    """Take an answer; whether it said something new."""
    occasion, connection = intake.occasion, intake.connection
    if asked_row is None:
        return decision == "renew" and _renew_any_time(intake, account, until)
    if (asked_row.decision, asked_row.until) == (decision, until):
        return False
    if asked_row.outcome == "renewed" and decision == "end":
        raise UsageError("it has been renewed already", remedy="report the person as a leaver instead")
    if decision == "renew" and asked_row.outcome == "renewed" and until is None:
        return False
    renewal = core_account_renewal.c
    connection.execute(
        sa.update(core_account_renewal)
        .where(renewal.campaign_id == asked_row.campaign_id, renewal.account_id == account.account_id)
        .values(decision=decision, until=until, decided_by=occasion.source, decided_at=occasion.now)
    )
    if decision == "renew":
        _renew(connection, occasion, account.account_id, asked_row.campaign_id, until)
    return True


def _renew_any_time(intake: Intake, account: sa.Row[Any], until: date | None) -> bool:
    """Outside a campaign. An account that is valid for more than a year already was renewed: once more says nothing."""
    ends, day = intake.occasion.system.ends, intake.occasion.day
    end = end_of(facts_of(account), ends).day
    if until is None and end is not None and end > add_years(day, ends.renewal_years):
        return False
    if until is not None and until in (account.granted_until, account.mission_end_on):
        return False
    _renew(intake.connection, intake.occasion, account.account_id, None, until)
    return True


TAKERS["renewals"] = _take_renewals
