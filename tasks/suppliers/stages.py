"""Stages of onboarding: test deliveries tried and reported, lists of customers taken in and compared."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from prefect.artifacts import create_markdown_artifact

from schemas.errors import SamkatError
from schemas.outcomes import DeliveryState
from schemas.warehouse.raw import raw_delivery
from tasks.batch import rows_in_state
from tasks.catalogue import load_bibs as bib_loading
from tasks.catalogue import planning, preview
from tasks.catalogue.delivery_loading import loading_of
from tasks.landing.archive import tried_key
from tasks.landing.fingerprint import fingerprint
from tasks.landing.keys import Area
from tasks.landing.receiving import Receiving, receive_file
from tasks.landing.zone import NotLandedError
from tasks.notices.gathering_rejects import for_supplier, rejects_of
from tasks.notices.rejects import SupplierRejects
from tasks.notices.stages import teller_of
from tasks.notices.telling import key_of
from tasks.stage import run_id, stage, stage_logger
from tasks.suppliers import comparing, customers
from tasks.suppliers.checklist import checklist
from tasks.suppliers.customers_file import MAX_BYTES, RowFault, read_customers
from tasks.suppliers.letters import TrialLetter, compose_findings, compose_row_faults, compose_trial
from tasks.suppliers.report import CustomersReport, TrialReport, customers_as_markdown, line_of, trial_as_markdown
from tasks.suppliers.trials import Trial, digest_of, keep_trial, read_trials, together
from tasks.warehouse.forgetting import forget_looked_at
from tasks.warehouse.ledger import delivery
from tasks.workplace import Workplace, workplace

ENDED = (DeliveryState.MATCHED, DeliveryState.REJECTED)
"""Where a preview ends: decided, or rejected as a whole."""


@dataclass(frozen=True)
class TrialFiles:
    """Test files as the ledger knows them: previews by id, and names of files that were loaded for real before."""

    deliveries: list[int]
    known: dict[str, int]


@stage(name="receive")
def receive_tests(supplier: str, uris: list[str]) -> TrialFiles:
    """Enter test files in the ledger as previews; a file that was loaded for real before is not tried."""
    place = workplace()
    known = place.supplier(supplier)
    receiving = Receiving(
        kind="supplier",
        sender=supplier,
        rules=known.file,
        limits=place.unpack_limits,
        now=place.now,
        today=place.today,
        again=True,
        is_preview=True,
    )
    previews: list[int] = []
    loaded: dict[str, int] = {}
    refused: list[SamkatError] = []
    for uri in uris:
        try:
            registered = receive_file(place.warehouse, place.zone, uri, receiving)
        except SamkatError as error:
            # One that is gone was tried by a run before this one.
            level = stage_logger().warning if isinstance(error, NotLandedError) else stage_logger().error
            level("%s could not be received: %s", uri, error)
            refused.append(error)
            continue
        with place.warehouse.read() as connection:
            row = delivery(connection, registered.delivery_id)
        if row.is_preview:
            previews.append(row.delivery_id)
        else:
            loaded[uri.rsplit("/", 1)[-1]] = row.delivery_id
    if refused and not previews and not loaded:
        raise refused[0]
    return TrialFiles(list(dict.fromkeys(previews)), loaded)


@stage()
def try_loading(supplier: str, deliveries: list[int]) -> dict[int, list[str]]:
    """Decide everything as the load would, as if the agreement were in force, and roll it back.

    Returns the classes of change that a guard would hold, by delivery.
    """
    place = workplace()
    known = place.supplier(supplier)
    # Whether the agreement is in force is a line of the checklist; here it would refuse every record alike.
    in_force = known.model_copy(update={"agreement_from": min(known.agreement_from, place.today), "agreement_to": None})
    guards: dict[int, list[str]] = {}
    for row in rows_in_state(place.warehouse, deliveries, [DeliveryState.MATCHED]):
        loading = replace(loading_of(place, row), supplier=in_force)
        with preview.rolled_back(place.warehouse) as connection:
            held = planning.guard_delivery(connection, loading, run_id())
        loading = replace(loading, held_classes=held)
        chunk = place.settings.chunk_records
        preview.preview_delivery(place.warehouse, loading, bib_loading.load_bib_range, chunk_records=chunk)
        guards[row.delivery_id] = sorted(held)
    return guards


@stage()
def report_tests(
    supplier: str, files: TrialFiles, guards: dict[int, list[str]], *, dry_run: bool = False
) -> TrialReport:
    """Judge the test files by the checklist, keep what was found, and queue the report to the supplier.

    What was read for it goes. A dry run keeps and queues nothing. Raises `SamkatError` where an error has stopped a
    file on its way; the others are reported first.
    """
    place = workplace()
    known = place.supplier(supplier)
    with place.warehouse.read() as connection:
        rows = _rows(connection, files.deliveries)
        trials = read_trials(connection, known, rows, guards, place.today)
        digests = [digest_of(connection, each) for each in trials]
        rejects = _rejects(connection, place, supplier, trials)
        stopped = _stopped(connection, files.deliveries)
    found = together(trials)
    checks = checklist(known, found, place.today)
    ids: list[int | None] = [None] * len(trials)
    letter = TrialLetter(known, trials, checks, found.counts, rejects, tuple(digests), place.today)
    if trials and not dry_run:
        ids = [_keep(place, row, trial, digest) for row, trial, digest in zip(rows, trials, digests, strict=True)]
        catalogue = place.register.catalogue
        message = compose_trial(letter, catalogue.name, catalogue.sender)
        with place.warehouse.write() as connection:
            teller_of(place).queue(connection, [message])
    report = TrialReport(map(line_of, trials, ids), checks if trials else (), files.known)
    if run_id() is not None:
        key = f"trial-{supplier.lower()}"
        text = trial_as_markdown(supplier, report)
        create_markdown_artifact(text, key=key, description="What a test delivery would come to")
    with place.warehouse.write() as connection:
        # Last: all that came before can be done again as long as the previews are there.
        forget_looked_at(connection, [each.delivery_id for each in trials])
    if stopped:
        remedy = "the files stay where they are: run it again when that is put right"
        raise SamkatError(f"not every file could be tried: {'; '.join(stopped)}", remedy=remedy)
    return report


def _keep(place: Workplace, row: sa.Row[Any], trial: Trial, digest: str) -> int:
    """Keep one file's trial in a transaction of its own; a run that is killed in between keeps the same ones again."""
    about = {"uri": _uri(place, row), "run_id": run_id(), "tried_at": place.now}
    with place.warehouse.write() as connection:
        return keep_trial(connection, row.sender, trial, digest, about)


def _rows(connection: sa.Connection, deliveries: Sequence[int]) -> list[sa.Row[Any]]:
    """Previews that came to an end, in the order in which they were received."""
    statement = sa.select(raw_delivery).where(
        raw_delivery.c.delivery_id.in_(list(deliveries)), raw_delivery.c.is_preview, raw_delivery.c.state.in_(ENDED)
    )
    return list(connection.execute(statement.order_by(raw_delivery.c.delivery_id)))


def _stopped(connection: sa.Connection, deliveries: Sequence[int]) -> list[str]:
    """What is left of these previews once those that came to an end are reported and forgotten: why, in words."""
    rows = connection.execute(
        sa.select(raw_delivery.c.name, raw_delivery.c.hold_reason).where(
            raw_delivery.c.delivery_id.in_(list(deliveries)), raw_delivery.c.is_preview,
            raw_delivery.c.state.not_in(ENDED),
        )
    )  # fmt: skip
    return [f"{row.name}: {row.hold_reason or 'it was not read'}" for row in rows]


def _uri(place: Workplace, row: sa.Row[Any]) -> str | None:
    """Where a test file that was dropped will be; None of one that was handed over."""
    if not place.zone.key_of(row.uri).startswith(f"{Area.INCOMING}/"):
        return None
    return place.zone.uri_for(tried_key(row.sender, row.sha256, row.name))


def _rejects(connection: sa.Connection, place: Workplace, supplier: str, trials: Sequence[Trial]) -> SupplierRejects:
    found = rejects_of(connection, place.register, [each.delivery_id for each in trials], is_preview=True)
    run_key = key_of(each.sha256 for each in trials)
    return for_supplier(place.register, supplier, found, run_key=run_key, run_date=place.today)


@stage()
def put_away(supplier: str, uris: list[str], *, only_copies: bool = False) -> Counter[str]:
    """Move files that were dropped to the archive, and remove copies that were handed over. Again is harmless.

    `only_copies` leaves what was dropped where it is: a dry run has only looked at it.
    """
    place = workplace()
    counts: Counter[str] = Counter()
    for uri in uris:
        if not place.zone.exists(uri):
            continue
        if place.zone.key_of(uri).startswith(f"{Area.HANDED}/"):
            place.zone.delete(uri)
            counts["copies removed"] += 1
            continue
        if only_copies:
            continue
        with place.zone.open(uri) as stream:
            sha256 = fingerprint(stream).sha256
        place.zone.move(uri, tried_key(supplier, sha256, uri.rsplit("/", 1)[-1]), sha256=sha256)
        counts["archived"] += 1
    return counts


@stage()
def take_customers(supplier: str | None, uris: list[str], *, dry_run: bool = False) -> CustomersReport:
    """Take in lists of customers row by row, compare everything with register and holdings, and queue what is to tell.

    A dry run does the same and keeps nothing.
    """
    place = workplace()
    sources = _sent_files(place, supplier, uris)
    if dry_run:
        with preview.rolled_back(place.warehouse) as connection:
            taken = _take(connection, place, sources)
            findings, never = _compare(connection, place)
    else:
        with place.warehouse.write(customers.CUSTOMERS_LOCK) as connection:
            taken = _take(connection, place, sources)
        with place.warehouse.read() as connection:
            findings, never = _compare(connection, place)
        with place.warehouse.write(customers.CUSTOMERS_LOCK) as connection:
            comparing.keep_findings(connection, findings, place.now)
            if findings:
                teller_of(place).queue(connection, [compose_findings(place.register, findings, never, place.today)])
    report = CustomersReport(taken.counts, taken.faults, findings, never, taken.reports)
    if run_id() is not None:
        text = customers_as_markdown(report)
        create_markdown_artifact(text, key="customers", description="Where customers, register and holdings disagree")
    return report


@dataclass
class _Taken:
    """What lists of customers came to."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[str, tuple[RowFault, ...]] = field(default_factory=dict)
    reports: list[int] = field(default_factory=list)


def _take(connection: sa.Connection, place: Workplace, sources: Sequence[customers.SentFile]) -> _Taken:
    """Enter each list, and queue what its supplier is told of rows that were not taken."""
    taken = _Taken()
    for source in sources:
        found = read_customers(source.content, place.register.library_by_sigel)
        reported = customers.take_report(connection, source, found, place.now, run_id())
        taken.counts.update({f"rows {name}": number for name, number in reported.counts.items()})
        taken.reports += [] if reported.report_id is None else [reported.report_id]
        taken.faults[source.name] = found.faults
        key = hashlib.sha256(source.content).hexdigest()
        letter = compose_row_faults(place.register, place.supplier(source.supplier), source.name, key, found)
        teller_of(place).queue(connection, [letter])
    return taken


def _compare(connection: sa.Connection, place: Workplace) -> tuple[list[comparing.Finding], list[str]]:
    found = comparing.compare(connection, place.register, place.today)
    return found, comparing.never_reported(connection, place.register)


def _sent_files(place: Workplace, supplier: str | None, uris: Sequence[str]) -> list[customers.SentFile]:
    """The files with their content; one that is gone was taken by a run before this one."""
    if supplier is None:
        return []
    place.supplier(supplier)
    found = []
    for uri in uris:
        if place.zone.exists(uri):
            with place.zone.open(uri) as stream:
                content = stream.read(MAX_BYTES + 1)
            found.append(customers.SentFile(supplier, uri.rsplit("/", 1)[-1], content))
    return found


@stage()
def take_customers_back(report_id: int) -> Counter[str]:
    """Undo a list of customers: what a later one said survives."""
    place = workplace()
    with place.warehouse.write(customers.CUSTOMERS_LOCK) as connection:
        return customers.take_back(connection, report_id, place.now)
