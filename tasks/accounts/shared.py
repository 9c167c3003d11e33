"""Shared accounts: the yearly new password, and the end of shared logins in a system. Never a password is kept here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.account_rules import Rotation
from schemas.warehouse.accounts import core_account, core_account_list
from tasks.accounts.csv_files import Row
from tasks.accounts.intake import TAKERS, Intake, refuse
from tasks.accounts.intake import by_login as login_of
from tasks.accounts.letters import Letter, Line, Post, Table
from tasks.warehouse.bulk import bulk_insert, id_set

LIST_COLUMNS = ("login", "list", "title_number", "title")


@dataclass(frozen=True)
class RotationStep:
    """What the rotation has to tell on a day: of which rotation day, and whether it is over."""

    on: date
    variant: Literal["rotation", "overdue"]
    since: date


def rotation_step(rules: Rotation, day: date) -> RotationStep | None:
    """The latest step that is due: an announcement before the day, a reminder after it. None where none is."""
    steps = []
    for year in (day.year, day.year + 1):
        on = date.fromisoformat(f"{year}-{rules.on}")
        steps += [RotationStep(on, "rotation", on - timedelta(each)) for each in rules.announce_days]
        steps += [RotationStep(on, "overdue", on + timedelta(each)) for each in rules.remind_days]
    last_reminder = max(rules.remind_days, default=0)
    due = [each for each in steps if each.since <= day <= each.on + timedelta(last_reminder)]
    due = [each for each in due if each.variant == "overdue" or day <= each.on]
    return max(due, key=lambda each: each.since, default=None)


@dataclass(frozen=True)
class RotationLine:
    """A shared account, and whether it has the new password of a rotation day."""

    library: str
    login: str
    owner: str | None
    contact: str | None
    rotated_on: date | None
    rotation_day: date
    standing: Literal["done", "to do", "overdue"]


def nearest_rotation(rules: Rotation, day: date) -> date:
    """The rotation day that a list is about: the next one once it is announced, else the one that was last."""
    years = [date.fromisoformat(f"{year}-{rules.on}") for year in (day.year - 1, day.year, day.year + 1)]
    announced = timedelta(max(rules.announce_days, default=0))
    return max(each for each in years if each - announced <= day)


def rotation_report(connection: Connection, system: str, rules: Rotation, day: date) -> list[RotationLine]:
    """Every active shared account of a system, by library: who has the new password, who is late."""
    on = nearest_rotation(rules, day)
    without = {row.account_id for row in not_rotated(connection, system, on, day)}
    account = core_account.c
    rows = connection.execute(
        sa.select(core_account)
        .where(account.system == system, account.kind == "shared", account.status == "active")
        .order_by(account.library, account.login_key)
    )
    late: Literal["to do", "overdue"] = "overdue" if day > on else "to do"
    return [
        RotationLine(
            row.library, row.login, row.owner, row.contact, row.rotated_on, on,
            late if row.account_id in without else "done",
        )
        for row in rows
    ]  # fmt: skip


def not_rotated(connection: Connection, system: str, on: date, day: date) -> Sequence[sa.Row[Any]]:
    """Shared accounts that have not got the new password of the day `on`: none since a month before it."""
    account = core_account.c
    return connection.execute(
        sa.select(core_account)
        .where(
            account.system == system,
            account.kind == "shared",
            account.status == "active",
            account.made_on <= min(on, day),
            sa.or_(account.rotated_on.is_(None), account.rotated_on < on - timedelta(days=30)),
        )
        .order_by(account.library, account.login_key)
    ).all()


def run_rotation(connection: Connection, post: Post, day: date) -> Counter[str]:
    """Announce the rotation, or remind of those that are overdue; each step once."""
    rules = post.system.rotation
    step = rotation_step(rules, day) if rules else None
    if step is None:
        return Counter()
    rows = not_rotated(connection, post.system.code, step.on, day)
    lines = [Line(row.library, row.login, row.owner) for row in rows]
    key = f"{step.on}|{step.since}"
    letters = post.to_libraries(step.variant, step.on, lines, key)
    if step.variant == "overdue":
        letters += post.to_support("overdue", step.on, lines, key)
    return Counter({f"{step.variant} accounts": len(rows)} if rows else {}) + post.send(connection, letters)


@dataclass(frozen=True)
class RetirementLine:
    """A shared login that goes: how long it was used, what replaces it, what of it was saved."""

    library: str
    login: str
    status: str
    last_used_on: date | None
    personal: int
    """Personal accounts of the library that are active."""
    lists: int
    lists_left: int
    """Titles on lists that the library has not got yet."""


def retirement_report(connection: Connection, system: str) -> list[RetirementLine]:
    """Every shared login of a system, by library."""
    account, title = core_account.c, core_account_list.c
    mine = account.system == system
    personal = dict(
        connection.execute(
            sa.select(account.library, sa.func.count())
            .where(mine, account.kind == "personal", account.status == "active")
            .group_by(account.library)
        ).tuples().all()
    )  # fmt: skip
    lists = {
        row.account_id: (row.titles, row.exported)
        for row in connection.execute(
            sa.select(
                title.account_id, sa.func.count().label("titles"), sa.func.count(title.exported_on).label("exported")
            ).group_by(title.account_id)
        )
    }
    rows = connection.execute(
        sa.select(core_account).where(mine, account.kind == "shared").order_by(account.library, account.login_key)
    )
    found = []
    for row in rows:
        titles, exported = lists.get(row.account_id, (0, 0))
        found.append(
            RetirementLine(
                row.library, row.login, row.status, row.last_used_on, personal.get(row.library, 0),
                titles, titles - exported,
            )
        )  # fmt: skip
    return found


def run_retirement(connection: Connection, post: Post, day: date) -> Counter[str]:
    """Before the switch date: tell the libraries, with their lists, on the days set and when lists have come since."""
    rules = post.system.retirement
    if rules is None:
        return Counter()
    due = [rules.on - timedelta(each) for each in rules.announce_days if rules.on - timedelta(each) <= day < rules.on]
    lists = _lists_left(connection, post.system.code)
    if not due and not (lists and day >= rules.on):
        return Counter()
    # A login that is gone already is told of where lists of it have come since.
    has_lists = sa.exists().where(
        core_account_list.c.account_id == core_account.c.account_id, core_account_list.c.exported_on.is_(None)
    )
    rows = connection.execute(
        sa.select(core_account)
        .where(
            core_account.c.system == post.system.code,
            core_account.c.kind == "shared",
            sa.or_(core_account.c.status != "retired", has_lists),
        )
        .order_by(core_account.c.library, core_account.c.login_key)
    ).all()
    lines = [Line(row.library, row.login, row.owner) for row in rows]
    tables = {
        sigel: [Table(f"lists-{post.system.code}-{sigel}.csv", LIST_COLUMNS, titles)] for sigel, titles in lists.items()
    }
    step = max(due, default=rules.on)
    letters: list[Letter] = []
    for letter in post.to_libraries("retirement", rules.on, lines, f"{rules.on}|{step}", tables):
        if not post.is_told(connection, letter):
            letters.append(letter)
        elif letter.tables:
            # Lists that came after the library had been told: it is told again, with them.
            letters.append(replace(letter, key=f"{letter.key}|lists {day}"))
    counts = post.send(connection, letters)
    _note_exported(connection, post.system.code, day)
    return counts + Counter({"lists exported": sum(map(len, lists.values()))} if lists else {})


def _lists_left(connection: Connection, system: str) -> dict[str, list[tuple[object, ...]]]:
    title, account = core_account_list.c, core_account.c
    rows = connection.execute(
        sa.select(account.library, account.login, title.list_name, title.title_number, title.title)
        .join(core_account, account.account_id == title.account_id)
        .where(account.system == system, title.exported_on.is_(None))
        .order_by(account.library, account.login_key, title.list_name, title.title_number)
    )
    found: dict[str, list[tuple[object, ...]]] = defaultdict(list)
    for library, *rest in rows:
        found[library].append(tuple(rest))
    return found


def _note_exported(connection: Connection, system: str, day: date) -> None:
    mine = sa.select(core_account.c.account_id).where(core_account.c.system == system)
    connection.execute(
        sa.update(core_account_list)
        .where(core_account_list.c.exported_on.is_(None), core_account_list.c.account_id.in_(mine))
        .values(exported_on=day)
    )


def tell_of_retirement(connection: Connection, post: Post, sweep_id: int, day: date) -> Counter[str]:
    """Tell the support desk and the libraries which shared logins have been switched off; once a sweep."""
    rows = connection.execute(
        sa.select(core_account)
        .where(core_account.c.sweep_id == sweep_id, core_account.c.status == "retired")
        .order_by(core_account.c.library, core_account.c.login_key)
    ).all()
    lines = [Line(row.library, row.login, row.owner) for row in rows]
    key = f"sweep {sweep_id}"
    letters = post.to_libraries("retired", day, lines, key) + post.to_support("retired", day, lines, key)
    return post.send(connection, letters)


def _take_lists(intake: Intake, rows: Sequence[Row]) -> None:
    """Lists of shared logins. Those of persons are theirs, and are not taken."""
    there = intake.accounts({login_of(each) for each in rows})
    new: dict[tuple[int, str, str], tuple[object, ...]] = {}
    for row in rows:
        account = there.get(login_of(row))
        if account is None:
            refuse(intake, row.line, "login", f"{row.values['login']!r} is not there", "enter the account first")
        elif account.kind != "shared":
            refuse(intake, row.line, "login", "is a personal account", "a person's lists stay where they are")
        else:
            key = (account.account_id, row.values["list"], row.values["title_number"])
            new[key] = (*key, row.values.get("title", ""))
    table = core_account_list.c
    wanted = sa.select(id_set(intake.connection, {key[0] for key in new}).c.value)
    known = intake.connection.execute(
        sa.select(table.account_id, table.list_name, table.title_number).where(table.account_id.in_(wanted))
    )
    for account_id, list_name, title_number in known:
        if new.pop((account_id, list_name, title_number), None) is not None:
            intake.report.counts["unchanged"] += 1
    columns = ("account_id", "list_name", "title_number", "title")
    intake.report.counts["created"] += bulk_insert(intake.connection, core_account_list, columns, list(new.values()))


TAKERS["lists"] = _take_lists
