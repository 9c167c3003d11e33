"""Applications in the warehouse: entered once a text, their checklists kept, how far each has come.

A checklist that says the same as the last one is not stored again; one that differs gets the next number.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.applications import Application
from schemas.warehouse.core import core_notice
from schemas.warehouse.joining import core_library_application as applications
from schemas.warehouse.joining import core_library_check as checks
from tasks.joining.rules import Check, Verdict, is_eligible
from tasks.warehouse.ids import take_id

OPEN = ("refused", "eligible", "replaced")
"""States in which a checklist decides the next one; what a person has decided stays so whatever it says."""


class Sent(NamedTuple):
    """An application as it came."""

    text: str
    name: str

    @property
    def sha256(self) -> str:
        """Of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def latest_of(connection: Connection, sigel: str) -> sa.Row[Any] | None:
    """The latest application for a sigel that was not replaced by another; None where there is none."""
    return connection.execute(
        sa.select(applications)
        .where(applications.c.sigel == sigel, applications.c.state != "replaced")
        .order_by(applications.c.application_id.desc())
        .limit(1)
    ).one_or_none()


def decided_of(connection: Connection, sigel: str) -> sa.Row[Any] | None:
    """The application that was admitted with a sigel, else the latest that was withdrawn; None where there is none."""
    is_in = applications.c.state.in_(["admitting", "admitted"])
    return connection.execute(
        sa.select(applications)
        .where(applications.c.sigel == sigel, sa.or_(is_in, applications.c.state == "withdrawn"))
        .order_by(sa.case((is_in, 0), else_=1), applications.c.decided_at.desc(), applications.c.application_id.desc())
        .limit(1)
    ).one_or_none()


def row_of(connection: Connection, application_id: int) -> sa.Row[Any]:
    """An application by its id."""
    return connection.execute(sa.select(applications).where(applications.c.application_id == application_id)).one()


def same_text(connection: Connection, sigel: str, sha256: str) -> sa.Row[Any] | None:
    """The application with this very text; None where it never came."""
    return connection.execute(
        sa.select(applications).where(applications.c.sigel == sigel, applications.c.sha256 == sha256)
    ).one_or_none()


def other_applicant(connection: Connection, sigel: str, name: str) -> str | None:
    """Name of another library that has applied for this sigel, or was admitted with it, capitals aside."""
    return connection.execute(
        sa.select(applications.c.name)
        .where(
            sa.func.lower(applications.c.sigel) == sigel.lower(),
            applications.c.state.in_(["refused", "eligible", "admitting", "admitted"]),
            applications.c.name != name,
        )
        .limit(1)
    ).scalar_one_or_none()


def mail_error(connection: Connection, address: str) -> str | None:
    """What the last e-mail to an address ended in; None where it was sent, still waits, or there was none."""
    last = connection.execute(
        sa.select(core_notice.c.state, core_notice.c.last_error)
        .where(core_notice.c.recipient == address)
        .order_by(core_notice.c.notice_id.desc())
        .limit(1)
    ).one_or_none()
    return (last.last_error or "it was refused") if last is not None and last.state == "failed" else None


def enter(connection: Connection, sent: Sent, application: Application, on: date, now: datetime) -> int:
    """Enter an application, or find it; one that replaces another of the same library marks that one so."""
    there = same_text(connection, application.sigel, sent.sha256)
    connection.execute(
        sa.update(applications)
        .where(
            applications.c.sigel == application.sigel,
            applications.c.name == application.name,
            applications.c.sha256 != sent.sha256,
            applications.c.state.in_(["refused", "eligible"]),
        )
        .values(state="replaced")
    )
    if there is not None:
        return int(there.application_id)
    application_id = take_id(connection, "library_application")
    connection.execute(
        sa.insert(applications).values(
            application_id=application_id,
            sigel=application.sigel,
            name=application.name,
            kind=application.kind,
            participation=application.participation,
            state="refused",
            file_name=sent.name,
            sha256=sent.sha256,
            content=sent.text,
            contact=application.contact.email,
            language=application.language,
            agreement_from=application.agreement.starts_on,
            agreement_to=application.agreement.ends_on,
            checked_on=on,
            checked_at=now,
            created_at=now,
        )
    )
    return application_id


def note_checklist(
    connection: Connection, application_id: int, made: Sequence[Check], on: date, now: datetime, run_id: str | None
) -> None:
    """Store a checklist where it differs from the last one, and what it means for the application."""
    row = row_of(connection, application_id)
    check_no = row.check_no
    if list(made) != checklist_of(connection, application_id):
        check_no += 1
        lines = [
            {"application_id": application_id, "check_no": check_no, "seq": seq, "checked_on": on, **each._asdict()}
            for seq, each in enumerate(made, start=1)
        ]
        connection.execute(sa.insert(checks), [{**each, "verdict": str(each["verdict"])} for each in lines])
    state = row.state
    if state in OPEN:
        state = "eligible" if is_eligible(made) else "refused"
    counts = Counter(each.verdict for each in made)
    note(
        connection, application_id,
        check_no=check_no, state=state, checked_on=on, checked_at=now, run_id=run_id,
        rules_met=counts[Verdict.MET], rules_unmet=counts[Verdict.UNMET],
    )  # fmt: skip


def checklist_of(connection: Connection, application_id: int) -> list[Check]:
    """The latest checklist of an application."""
    rows = connection.execute(
        sa.select(checks.c.rule, checks.c.verdict, checks.c.reason, checks.c.remedy)
        .join(
            applications,
            sa.and_(
                applications.c.application_id == checks.c.application_id, applications.c.check_no == checks.c.check_no
            ),
        )
        .where(checks.c.application_id == application_id)
        .order_by(checks.c.seq)
    )
    return [Check(row.rule, Verdict(row.verdict), row.reason, row.remedy) for row in rows]


def note(connection: Connection, application_id: int, **values: Any) -> None:
    """Note something of an application."""
    connection.execute(sa.update(applications).where(applications.c.application_id == application_id).values(**values))
