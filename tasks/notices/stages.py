"""Stages of the notices: who is told of a run, and the sending of what waits in the outbox.

Queueing and sending are apart: what is told is settled with the work it tells of, what is sent may have to wait for a
mail server.
"""

from __future__ import annotations

from collections import Counter
from zoneinfo import ZoneInfo

from prefect.runtime import task_run

from schemas.outcomes import DeliveryState
from tasks import orchestrator
from tasks.batch import STOPPED, proved_rows, rows_in_state
from tasks.landing.looking import look
from tasks.landing.strays import of_refused, of_strangers
from tasks.notices import telling
from tasks.notices.filing import file_worklist
from tasks.notices.gathering_decided import maybe_untold
from tasks.notices.holds import NO_PAGES, Pages
from tasks.notices.patron_telling import tell_of_patron_files, tell_of_patron_plan, tell_of_read_backs
from tasks.notices.queue import send_waiting
from tasks.notices.sending import SmtpSender, mail_sender
from tasks.stage import run_id, stage, stage_logger
from tasks.workplace import Workplace, workplace

SEND_RETRIES = 2
DECIDE = "decide/decide"
"""A short break in the mail server is waited out; after a longer one the next run sends what is left."""


def teller_of(place: Workplace) -> telling.Teller:
    """What everything that is told from this workplace shares."""
    zone = ZoneInfo(place.settings.timezone)
    return telling.Teller(place.register, zone, place.today, place.now, run_id(), clock=lambda: place.now)


def pages_of(flow_run_id: str | None) -> Pages:
    """Where the operator finds a run, and the form that decides what it held, in Prefect's UI."""
    if flow_run_id is None:
        return NO_PAGES
    return Pages(orchestrator.run_page(flow_run_id), orchestrator.form_page(DECIDE))


@stage()
def notify_libraries(deliveries: list[int]) -> Counter[str]:
    """Queue what libraries, suppliers, cataloguers and the operator are told of these deliveries; each once.

    Also puts what could not be read into quarantine, and what was not accepted where the supplier finds it.
    """
    place = workplace()
    teller = teller_of(place)
    loaded = {row.delivery_id for row in rows_in_state(place.warehouse, deliveries, [DeliveryState.LOADED])}
    unproved = loaded - {row.delivery_id for row in proved_rows(place.warehouse, deliveries)}
    told = telling.tell_of_deliveries(
        place.warehouse, place.zone, teller, [each for each in deliveries if each not in unproved]
    )
    held = telling.tell_of_holds(place.warehouse, teller, deliveries, pages_of(run_id()))
    return told + held + _tell_cataloguers(place, teller)


@stage()
def notify_rejected(deliveries: list[int]) -> Counter[str]:
    """Queue what suppliers are told of files that were rejected as a whole; each file once."""
    place = workplace()
    only = [DeliveryState.REJECTED]
    return telling.tell_of_deliveries(place.warehouse, place.zone, teller_of(place), deliveries, only)


@stage()
def notify_held(deliveries: list[int]) -> Counter[str]:
    """Queue what the operator is told of deliveries that wait for approval; each plan once."""
    place = workplace()
    return telling.tell_of_holds(place.warehouse, teller_of(place), deliveries, pages_of(run_id()))


@stage()
def notify_patrons(deliveries: list[int], source: str = "") -> Counter[str]:
    """Queue what sources, libraries and the operator are told of these files of persons; each file once.

    Of the institution of `source` also a read-back that was not used. What was not taken, and what staff have to
    decide, is put where the institution finds it.
    """
    place = workplace()
    teller = teller_of(place)
    told = tell_of_patron_files(place.warehouse, place.zone, teller, deliveries, pages_of(run_id()))
    if source:
        told += tell_of_read_backs(place.warehouse, teller, place.patron_source(source).institution)
    return told


@stage()
def notify_patron_plan(plan_hash: str) -> Counter[str]:
    """Queue a digest to each library of what was done to its persons once a plan was approved; a plan once."""
    place = workplace()
    return tell_of_patron_plan(place.warehouse, teller_of(place), plan_hash)


@stage()
def notify_decided(deliveries: list[int]) -> Counter[str]:
    """Queue a digest to each library of what was decided about its titles that waited; each decision once.

    What a run that was killed had decided and not told comes along. A delivery that did not add up afterwards is told
    of when a person has looked at it.
    """
    place = workplace()
    with place.warehouse.read() as connection:
        untold = maybe_untold(connection, deliveries)
    rows = rows_in_state(place.warehouse, untold, [DeliveryState.LOADED, DeliveryState.SETTLED])
    proved = sorted(row.delivery_id for row in rows if not (row.hold_reason or "").startswith(STOPPED))
    return telling.tell_of_decided(place.warehouse, teller_of(place), proved)


@stage()
def notify_feeds() -> Counter[str]:
    """Queue what the operator is told of feeds that did not come as expected today; one e-mail a day."""
    place = workplace()
    return telling.tell_of_feeds(place.warehouse, teller_of(place))


@stage()
def notify_reverted(delivery_id: int) -> Counter[str]:
    """Queue a correction to each library that the undoing of a delivery concerns; once."""
    place = workplace()
    return telling.tell_of_revert(place.warehouse, teller_of(place), delivery_id)


@stage()
def send_worklist(on_request: bool = False) -> Counter[str]:
    """Queue the cataloguers' worklist when it has changed since the last one, or on request; file page and CSV."""
    place = workplace()
    return _tell_cataloguers(place, teller_of(place), on_request=on_request)


def _tell_cataloguers(place: Workplace, teller: telling.Teller, *, on_request: bool = False) -> Counter[str]:
    with place.warehouse.write(telling.NOTICES_LOCK) as connection:
        worklist = telling.open_worklist(connection, teller)
        counts = telling.tell_cataloguers(connection, teller, worklist, on_request=on_request)
    file_worklist(place.zone, worklist, place.register)
    return Counter(cases=len(worklist.cases)) + counts


@stage()
def report_strays() -> Counter[str]:
    """Put away what unknown senders dropped, and tell the operator of it and of what can never be taken; once each."""
    place = workplace()
    files = place.register.files_by_sender
    strangers = look(place.zone.waiting(), files, place.now, place.settings.stable_seconds).strangers
    strays = of_strangers(place.zone, strangers, files) + of_refused(place.zone.refused())
    return telling.tell_of_strays(place.warehouse, place.zone, teller_of(place), strays)


@stage(retries=SEND_RETRIES)
def send_notices() -> Counter[str]:
    """Send what waits in the outbox: by SMTP where a server is set, else as .eml files. One bad address stops nobody.

    What passing faults leave is tried again, here and in the next run; it never fails the run.
    """
    place = workplace()
    url = place.settings.smtp_url
    mail = mail_sender(url.get_secret_value() if url else None, place.settings.outbox)
    catalogue = place.register.catalogue
    try:
        counts = send_waiting(
            place.warehouse,
            mail,
            catalogue_name=catalogue.name,
            sender=catalogue.sender,
            clock=lambda: place.now,
            log=stage_logger(),
        )
    finally:
        if isinstance(mail, SmtpSender):
            mail.close()
    if counts["later"] and 0 < (task_run.run_count or 0) <= SEND_RETRIES:
        # Not a SamkatError: this is what a stage's retries are for.
        raise ConnectionError(f"{counts['later']} e-mails could not be sent yet")
    return counts
