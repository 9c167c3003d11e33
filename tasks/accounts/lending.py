"""Legimus: readers of registrars, downloads as statistics, and whether what is lent is catalogued at title level.

What anybody reads is never kept: of a download by a person only its count in the library's month stays; of a title
that is lent on disc or card, that the library lends it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from schemas.warehouse.accounts import core_account, core_account_download, core_account_lending, core_account_reader
from schemas.warehouse.core import core_bib, core_bib_isbn
from tasks.accounts.csv_files import Row
from tasks.accounts.intake import TAKERS, Intake, refuse
from tasks.accounts.intake import by_login as login_of
from tasks.accounts.letters import Line, Post, Table
from tasks.accounts.roles import roles_in_force
from tasks.accounts.store import facts_of, login_key
from tasks.marc.isbn import isbn_fact
from tasks.warehouse.bulk import bulk_insert, text_set
from tasks.warehouse.ids import take_ids

MISSING_COLUMNS: Final = ("title_number", "isbn", "first_on", "last_on", "downloads")


def _take_downloads(intake: Intake, rows: Sequence[Row]) -> None:
    there = intake.accounts({login_of(each) for each in rows})
    months: Counter[tuple[str, date, str]] = Counter()
    lent: dict[tuple[str, str], list[Row]] = {}
    used: dict[int, date] = {}
    for row in rows:
        account, day = there.get(login_of(row)), row.values["day"]
        if account is None:
            refuse(intake, row.line, "login", f"{row.values['login']!r} is not there", "enter the account first")
            continue
        months[account.library, day.replace(day=1), row.values["purpose"]] += 1
        if account.kind == "shared":
            used[account.account_id] = max(day, used.get(account.account_id, day))
        if row.values["purpose"] == "lending":
            lent.setdefault((account.library, row.values["title_number"]), []).append(row)
    intake.report.counts["created"] += sum(months.values())
    _add(intake, months)
    _note_lent(intake, lent)
    for account_id, day in used.items():
        intake.connection.execute(
            sa.update(core_account)
            .where(
                core_account.c.account_id == account_id,
                sa.or_(core_account.c.last_used_on.is_(None), core_account.c.last_used_on < day),
            )
            .values(last_used_on=day)
        )


def _add(intake: Intake, months: Counter[tuple[str, date, str]]) -> None:
    table = core_account_download
    insert = _insert(intake.connection)(table)
    keys = ["system", "library", "month", "purpose"]
    statement = insert.on_conflict_do_update(
        index_elements=keys, set_={"downloads": table.c.downloads + insert.excluded.downloads}
    )
    rows = [
        {"system": intake.occasion.system.code, "library": library, "month": month, "purpose": purpose, "downloads": n}
        for (library, month, purpose), n in sorted(months.items())
    ]
    if rows:
        intake.connection.execute(statement, rows)


def _note_lent(intake: Intake, lent: dict[tuple[str, str], list[Row]]) -> None:
    table = core_account_lending
    insert = _insert(intake.connection)(table)
    new = insert.excluded
    # Which of two days is the earlier one, alike on both engines.
    first = sa.case((new.first_on < table.c.first_on, new.first_on), else_=table.c.first_on)
    last = sa.case((new.last_on > table.c.last_on, new.last_on), else_=table.c.last_on)
    statement = insert.on_conflict_do_update(
        index_elements=["system", "library", "title_number"],
        set_={
            "first_on": first,
            "last_on": last,
            "downloads": table.c.downloads + new.downloads,
            "isbn13": sa.func.coalesce(new.isbn13, table.c.isbn13),
        },
    )
    rows = []
    for (library, number), mine in sorted(lent.items()):
        days = [each.values["day"] for each in mine]
        isbn = next((each.values["isbn"] for each in mine if "isbn" in each.values), None)
        rows.append(
            {
                "system": intake.occasion.system.code, "library": library, "title_number": number,
                "isbn13": isbn_fact(isbn, "a", "").isbn13 if isbn else None,
                "first_on": min(days), "last_on": max(days), "downloads": len(days),
            }
        )  # fmt: skip
    if rows:
        intake.connection.execute(statement, rows)


def _insert(connection: Connection) -> Any:
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def check_lending(connection: Connection, post: Post, day: date) -> Counter[str]:
    """Ask the catalogue for every title that is lent, by ISBN; tell each library what it lacks, once a month."""
    table, isbn, bib = core_account_lending.c, core_bib_isbn.c, core_bib.c
    mine = table.system == post.system.code
    found = (
        sa.select(sa.func.min(isbn.bib_id))
        .join(core_bib, bib.bib_id == isbn.bib_id)
        .where(isbn.isbn13 == table.isbn13, sa.not_(bib.is_deleted))
        .scalar_subquery()
    )
    connection.execute(sa.update(core_account_lending).where(mine).values(bib_id=found, checked_on=day))
    rows = connection.execute(
        sa.select(core_account_lending).where(mine, table.bib_id.is_(None)).order_by(table.library, table.title_number)
    ).all()
    lines = [Line(row.library, row.title_number, about=row.isbn13 or "") for row in rows]
    tables = {
        sigel: [
            Table(
                f"not-catalogued-{sigel}-{day:%Y-%m}.csv", MISSING_COLUMNS,
                [(row.title_number, row.isbn13, row.first_on, row.last_on, row.downloads)
                 for row in rows if row.library == sigel],
            )
        ]
        for sigel in {row.library for row in rows}
    }  # fmt: skip
    letters = post.to_libraries("lending", day, lines, f"{day:%Y-%m}", tables)
    return Counter({"not catalogued": len(rows)} if rows else {}) + post.send(connection, letters)


def _take_readers(intake: Intake, rows: Sequence[Row]) -> None:
    """A reader belongs to the library of the registrar, who must be one on that day."""
    system = intake.occasion.system
    there = intake.accounts({login_key(each.values["registrar"]) for each in rows})
    managing = {each.code for each in system.roles if each.manages_readers}
    known = _known_readers(intake, rows)
    new: dict[str, tuple[Any, ...]] = {}
    for row in rows:
        registrar, key = there.get(login_key(row.values["registrar"])), login_key(row.values["reader"])
        ended_on = row.values.get("ended_on")
        if registrar is None:
            refuse(intake, row.line, "registrar", "is not there", "enter the account first")
        elif row.values["library"] != registrar.library:
            refuse(
                intake, row.line, "library", "is not the registrar's own", "a registrar has readers of the own library"
            )
        elif not managing & {each.code for each in roles_in_force(facts_of(registrar), system, row.values["made_on"])}:
            refuse(
                intake, row.line, "registrar", "is no registrar on that day", "enter the role and its training first"
            )
        elif key in known and known[key].library != registrar.library:
            refuse(
                intake, row.line, "reader", f"belongs to {known[key].library}", "the home library manages its readers"
            )
        elif key in known or key in new:
            intake.report.counts["unchanged" if not ended_on or key in new else "changed"] += 1
            _end_reader(intake, key, ended_on)
        else:
            new[key] = (key, registrar.library, registrar.account_id, row.values["made_on"], ended_on)
    ids = take_ids(intake.connection, "account_reader", len(new))
    columns = ("reader_id", "reader_key", "library", "made_by", "made_on", "ended_on")
    made = [(number, *values) for number, values in zip(ids, new.values(), strict=True)]
    bulk_insert(intake.connection, core_account_reader, columns, made, {"system": system.code})
    intake.report.counts["created"] += len(new)


def _known_readers(intake: Intake, rows: Sequence[Row]) -> dict[str, sa.Row[Any]]:
    reader = core_account_reader.c
    wanted = sa.select(text_set(intake.connection, {login_key(each.values["reader"]) for each in rows}).c.value)
    found = intake.connection.execute(
        sa.select(core_account_reader).where(
            reader.system == intake.occasion.system.code, reader.reader_key.in_(wanted)
        )
    )
    return {row.reader_key: row for row in found}


def _end_reader(intake: Intake, key: str, ended_on: date | None) -> None:
    if ended_on is not None:
        intake.connection.execute(
            sa.update(core_account_reader)
            .where(core_account_reader.c.system == intake.occasion.system.code, core_account_reader.c.reader_key == key)
            .values(ended_on=ended_on)
        )


TAKERS |= {"downloads": _take_downloads, "readers": _take_readers}
