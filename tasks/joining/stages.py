"""Stages of libraries that join, and of the monthly look at holdings that stand still."""

from __future__ import annotations

import re
from collections import Counter
from zoneinfo import ZoneInfo

from prefect.artifacts import create_markdown_artifact

from config.applications import read_application
from config.settings import SAMPLE_REGISTER
from schemas.applications import Application
from schemas.errors import UsageError
from tasks.catalogue.showing import show_holdings, shown_otherwise
from tasks.joining import admitting, applicants
from tasks.joining.applicants import Sent
from tasks.joining.freshness import freshness_of, keep_freshness
from tasks.joining.letters import compose_freshness
from tasks.joining.report import ApplicantReport, as_markdown, freshness_markdown
from tasks.notices.queue import queue_messages
from tasks.stage import run_id, stage
from tasks.workplace import Workplace, workplace

_SIGEL = re.compile(r"\S{1,10}")


@stage()
def check_applicant(application: str, name: str, dry_run: bool = False) -> ApplicantReport:
    """Hold an application against the rules of its participation; keep it with its checklist, but in a dry run."""
    place = workplace()
    sent = _sent(place, application, name)
    return admitting.assess(_desk(place), sent, _read(sent), keep=not dry_run)


@stage()
def admit_applicant(
    report: ApplicantReport, application: str, name: str, by: str, dry_run: bool = False
) -> ApplicantReport:
    """Write the register's entry of an applicant that meets every rule, and queue its welcome; once."""
    place = workplace()
    read = _read(_sent(place, application, name))
    if dry_run:
        return admitting.would_admit(_desk(place), report, read, by)
    _require_own_register(place)
    return admitting.admit(_desk(place), report, read, by)


@stage()
def withdraw_applicant(sigel: str, by: str, reason: str, dry_run: bool = False) -> ApplicantReport:
    """Take an admission back: the entry goes, holdings stay and are hidden, the library is told; once."""
    place = workplace()
    if not dry_run:
        _require_own_register(place)
    return admitting.withdraw(_desk(place), sigel.strip(), by, reason, dry_run=dry_run)


@stage()
def show_applicant(report: ApplicantReport) -> ApplicantReport:
    """Leave the checklist and the entry as an artifact."""
    if run_id() is not None:
        # Keys of artifacts are small letters, digits and dashes; a sigel may have others.
        key = re.sub(r"[^a-z0-9]+", "-", f"library-{report.sigel.lower()}").strip("-")
        create_markdown_artifact(as_markdown(report), key=key, description="Checklist of a library that joins")
    return report


@stage()
def check_freshness() -> Counter[str]:
    """See of every registering library when its holdings last moved, and list those that stand still; one e-mail."""
    place = workplace()
    zone, on, months = ZoneInfo(place.settings.timezone), place.today, place.register.participation.freshness_months
    with place.warehouse.read() as connection:
        found = freshness_of(connection, place.register, on, zone)
    stale = [each for each in found if each.is_stale]
    counts = Counter(libraries=len(found), stale=len(stale))
    with place.warehouse.write() as connection:
        keep_freshness(connection, found, months, on, place.now)
        if stale:
            message = compose_freshness(stale, place.register, on)
            sender = place.register.catalogue.sender
            told = queue_messages(connection, [message], sender=sender, now=place.now, run_id=run_id())
            counts["told"] += told.total()
    if run_id() is not None:
        said = "Registering libraries and how long nothing has moved"
        create_markdown_artifact(freshness_markdown(found, months), key="holdings-freshness", description=said)
    return counts


@stage()
def show_as_registered() -> Counter[str]:
    """Show or hide holdings of libraries whose participation was changed in the register since they came."""
    place = workplace()
    with place.warehouse.read() as connection:
        changed = shown_otherwise(connection, place.register.libraries)
    counts: Counter[str] = Counter()
    for each in changed:
        number = show_holdings(place.warehouse, each.sigel, each.is_visible, place.now, place.settings.chunk_records)
        counts["holdings_shown" if each.is_visible else "holdings_hidden"] += number
    return counts


def _desk(place: Workplace) -> admitting.Desk:
    return admitting.Desk(
        place.warehouse, place.register, place.settings.register_folder, place.read_register_again, place.today,
        place.now, place.settings.chunk_records, run_id(),
    )  # fmt: skip


def _sent(place: Workplace, application: str, name: str) -> Sent:
    """The application as it came; of a bare sigel the latest one that came for it."""
    sigel = application.strip()
    if "=" in sigel or not _SIGEL.fullmatch(sigel):
        return Sent(application, name)
    with place.warehouse.read() as connection:
        row = applicants.latest_of(connection, sigel)
    if row is None:
        library = place.register.library_by_sigel.get(sigel)
        known = f"{library.name} is in the register without one; " if library else ""
        raise UsageError(
            f"nobody has applied for the sigel {sigel}",
            remedy=f"{known}`samkat libraries check FILE` takes an application, `samkat libraries list` shows them",
        )
    return Sent(row.content, row.file_name)


def _read(sent: Sent) -> Application:
    return read_application(sent.text, sent.name)


def _require_own_register(place: Workplace) -> None:
    """Raises `UsageError` where the register is the one that is part of the program: an update would undo it all."""
    folder = place.settings.register_folder
    if folder == SAMPLE_REGISTER:
        raise UsageError(
            "is the register of the sample consortium, a part of the program",
            file=str(folder),
            remedy="copy it to a folder of your own and set SAMKAT_REGISTER to that",
        )
