"""An applicant's way: assessed, admitted when every rule of its participation is met, taken back.

The warehouse learns of an entry before the register has it (*admitting*), so a run that was killed between the two is
taken up by the next one. Whatever is done twice is done once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.applications import Application
from schemas.errors import SamkatError, UsageError
from schemas.register.libraries import Library
from schemas.register.register import Register
from schemas.warehouse.core import core_holding
from tasks.catalogue.showing import show_holdings
from tasks.joining import applicants
from tasks.joining.applicants import Sent
from tasks.joining.entry import FOLDER, entry_text, library_in, library_of, remove_entry, text_there, write_entry
from tasks.joining.letters import Welcome, compose_welcome, compose_withdrawn
from tasks.joining.report import ApplicantReport
from tasks.joining.rules import Known, checklist
from tasks.notices.message import Message, one_line
from tasks.notices.queue import queue_messages
from tasks.warehouse.engine import Warehouse


@dataclass(frozen=True)
class Desk:
    """Where applicants are dealt with, and when. `reread` reads the register anew; it raises where that is wrong."""

    warehouse: Warehouse
    register: Register
    folder: Path
    reread: Callable[[], object]
    on: date
    now: datetime
    chunk: int
    run_id: str | None = None

    def queue(self, connection: Connection, message: Message) -> None:
        """Put an e-mail into the outbox."""
        sender = self.register.catalogue.sender
        queue_messages(connection, [message], sender=sender, now=self.now, run_id=self.run_id)


def assess(desk: Desk, sent: Sent, application: Application, *, keep: bool) -> ApplicantReport:
    """The checklist of an applicant as of today; with `keep` application and checklist are stored."""
    with desk.warehouse.read() as connection:
        known = _known(connection, desk, sent, application)
    made = checklist(application, known)
    if not keep:
        report = ApplicantReport(application.sigel, application.name, "eligible", made)
        return report if report.is_eligible else ApplicantReport(application.sigel, application.name, "refused", made)
    with desk.warehouse.write() as connection:
        application_id = applicants.enter(connection, sent, application, desk.on, desk.now)
        applicants.note_checklist(connection, application_id, made, desk.on, desk.now, desk.run_id)
        state = applicants.row_of(connection, application_id).state
    return ApplicantReport(application.sigel, application.name, state, made, application_id=application_id)


def _known(connection: Connection, desk: Desk, sent: Sent, application: Application) -> Known:
    same = applicants.same_text(connection, application.sigel, sent.sha256)
    return Known(
        libraries=desk.register.library_by_sigel,
        suppliers=desk.register.supplier_by_code.keys(),
        rules=desk.register.participation,
        on=desk.on,
        taken_by=_taken_by(connection, desk, same, application),
        mail_error=applicants.mail_error(connection, application.contact.email),
    )


def _taken_by(connection: Connection, desk: Desk, same: sa.Row[Any] | None, application: Application) -> str | None:
    """Who has the sigel, in words. Capitals aside: `Nylu` and `NYLU` are one to people, and to many file systems."""
    if same is not None and same.state in ("admitting", "admitted"):
        return None
    for each in desk.register.libraries:
        if each.sigel.casefold() == application.sigel.casefold():
            return f"{each.name} in the register"
    other = applicants.other_applicant(connection, application.sigel, application.name)
    return f"{other}, which has applied as well" if other else None


def would_admit(desk: Desk, report: ApplicantReport, application: Application, by: str) -> ApplicantReport:
    """What an admission would write and say; nothing is done."""
    if not report.is_eligible:
        return report
    library = library_of(application)
    if text_there(desk.folder, library.sigel) is not None:
        return report.become("admitted", ["It was admitted before: nothing would be done."])
    text = _entry(library, desk, by)
    message = compose_welcome(_welcome(desk, library, "preview"), desk.register.catalogue)
    remarks = [f"{_file(library.sigel)} would be written, and {library.contact} would get: {message.subject}."]
    return report.become("eligible", remarks, text, _file(library.sigel))


def admit(desk: Desk, report: ApplicantReport, application: Application, by: str) -> ApplicantReport:
    """Write the register's entry of an applicant that meets every rule, show its holdings, and queue its welcome.

    One that does not is left as it is. Raises `UsageError` where another file has the entry's name,
    `ConfigurationError` where the register's folder cannot be written or the register would not read with the entry.
    """
    if not report.is_eligible or report.application_id is None:
        return report
    library = library_of(application)
    row = _begin(desk, report.application_id, library, by)
    if row is None:
        return report.become("admitted", ["It was admitted before: nothing was done."], entry_file=_file(library.sigel))
    try:
        write_entry(desk.folder, library.sigel, row.entry, desk.reread)
    except SamkatError:
        with desk.warehouse.write() as connection:
            applicants.note(connection, report.application_id, state="eligible", entry=None, entry_file=None)
        raise
    shown = show_holdings(desk.warehouse, library.sigel, library.is_visible, desk.now, desk.chunk)
    with desk.warehouse.write() as connection:
        applicants.note(connection, report.application_id, state="admitted", run_id=desk.run_id)
        welcome = _welcome(desk, library, f"{library.sigel}|{report.application_id}|{row.admissions}")
        desk.queue(connection, compose_welcome(welcome, desk.register.catalogue))
    remarks = [f"Admitted by {row.decided_by}; its agreement is in force from {library.agreement_from}."]
    if shown:
        remarks.append(f"{shown} holdings that it had are shown now.")
    return report.become("admitted", remarks, row.entry, _file(library.sigel), welcomed=1, holdings_shown=shown)


def _begin(desk: Desk, application_id: int, library: Library, by: str) -> sa.Row[Any] | None:
    """The application with the entry that is to be written; None where all is done already."""
    with desk.warehouse.write() as connection:
        row = applicants.row_of(connection, application_id)
        if row.state == "admitted" and text_there(desk.folder, library.sigel) is not None:
            return None
        if row.state != "admitting":
            applicants.note(
                connection, application_id,
                state="admitting", entry=_entry(library, desk, by), entry_file=_file(library.sigel),
                admissions=row.admissions + 1, decided_by=by, decided_at=desk.now, reason=None,
            )  # fmt: skip
        return applicants.row_of(connection, application_id)


def withdraw(desk: Desk, sigel: str, by: str, reason: str, *, dry_run: bool = False) -> ApplicantReport:
    """Take an admission back: its entry goes, its holdings stay and are hidden, the library is told.

    Raises `UsageError` where nobody was admitted with this sigel or the entry was changed since, `ConfigurationError`
    where the register would not read without it (another part of it names the library).
    """
    with desk.warehouse.read() as connection:
        row = applicants.decided_of(connection, sigel)
        there = sa.and_(core_holding.c.sigel == sigel, sa.not_(core_holding.c.is_deleted))
        holdings = connection.execute(sa.select(sa.func.count()).select_from(core_holding).where(there)).scalar_one()
    if row is None:
        raise UsageError(
            f"no library was admitted with the sigel {sigel}",
            remedy="`samkat libraries list` shows who was; an entry of libraries.toml is taken away by hand",
        )
    report = ApplicantReport(
        sigel, row.name, row.state, application_id=row.application_id, entry=row.entry, entry_file=row.entry_file
    )
    if row.state == "withdrawn":
        return report.become("withdrawn", ["It was taken back before: nothing was done."])
    stay = f"{holdings} holdings that are there stay, and are not shown." if holdings else "It has no holdings."
    if dry_run:
        return report.become(row.state, [f"{row.entry_file} would be taken away. {stay}"])
    library = library_in(row.entry)
    remove_entry(desk.folder, sigel, row.entry, desk.reread)
    hidden = show_holdings(desk.warehouse, sigel, False, desk.now, desk.chunk)
    with desk.warehouse.write() as connection:
        applicants.note(
            connection, row.application_id,
            state="withdrawn", decided_by=by, decided_at=desk.now, reason=one_line(reason), run_id=desk.run_id,
        )  # fmt: skip
        key = f"{sigel}|{row.application_id}|{row.admissions}"
        desk.queue(connection, compose_withdrawn(library, one_line(reason), desk.register.catalogue, key))
    return report.become("withdrawn", [f"{row.entry_file} is taken away. {stay}"], holdings_hidden=hidden)


def _entry(library: Library, desk: Desk, by: str) -> str:
    told = f"Admitted on {desk.on} by {one_line(by)}: every rule of {library.participation} participation was met."
    return entry_text(library, told, f"To take it back: samkat libraries withdraw {library.sigel}")


def _file(sigel: str) -> str:
    return f"{FOLDER}/{sigel}.toml"


def _welcome(desk: Desk, library: Library, key: str) -> Welcome:
    names = desk.register.supplier_by_code
    suppliers = tuple(names[each].name for each in library.suppliers if each in names)
    return Welcome(library, suppliers, desk.on, desk.register.participation.freshness_months, key)
