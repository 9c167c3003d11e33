"""Who is told what, and when: each delivery once, in one transaction with the mark that it has been told.

Everything a run has to tell is composed and queued together with the progress of the stage `notify` of each delivery.
So a run that is killed and done again tells nothing twice and leaves nothing untold. What is decided later is told
later, up to an instant that the progress keeps. Sending is queue.py's.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState
from schemas.register.register import Register
from schemas.register.senders import RECORD_KINDS
from schemas.warehouse.core import core_notice
from schemas.warehouse.raw import raw_delivery, raw_progress
from tasks.landing.strays import Stray, enter_new, put_away
from tasks.landing.zone import LandingZone
from tasks.notices.cases import review_cases
from tasks.notices.corrections import compose_correction
from tasks.notices.digest import compose_library_digest
from tasks.notices.failures import FailedRun, compose_failed
from tasks.notices.feed_report import compose_feed_report, feed_report
from tasks.notices.filing import file_rejects, quarantine_unreadable
from tasks.notices.gathering_corrections import library_corrections
from tasks.notices.gathering_decided import FIRST_TOLD, LATER_TOLD, decided_digests
from tasks.notices.gathering_digests import library_digests
from tasks.notices.gathering_holds import held_deliveries
from tasks.notices.gathering_patrons import held_files
from tasks.notices.gathering_rejects import DeliveryRejects, for_supplier, rejects_of
from tasks.notices.holds import NO_PAGES, Pages, compose_held
from tasks.notices.message import Message, NoticeKind
from tasks.notices.pair_cases import duplicate_cases
from tasks.notices.patron_holds import compose_held_file
from tasks.notices.queue import queue_messages
from tasks.notices.rejects import compose_supplier_rejects
from tasks.notices.strays import compose_strays
from tasks.notices.worklist import DuplicateCase, ReviewCase, Worklist, compose_worklist
from tasks.warehouse.bulk import id_set
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse

STAGE = FIRST_TOLD
NOTICES_LOCK = "notices"
TOLD_STATES = (DeliveryState.LOADED, DeliveryState.REJECTED)


@dataclass(frozen=True)
class Teller:
    """What everything that is told in a run shares. `zone` is the consortium's time zone, for days.

    `now` dates the messages. `clock` is asked under the catalogue's lock, where decisions take their time as well: so
    what was decided before it has been seen, and what was not seen is decided after it.
    """

    register: Register
    zone: ZoneInfo
    today: date
    now: datetime
    run_id: str | None = None
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    @property
    def catalogue_name(self) -> str:
        """As it stands in e-mails."""
        return self.register.catalogue.name

    @property
    def sender(self) -> str:
        """The address that e-mails come from."""
        return self.register.catalogue.sender

    def queue(self, connection: Connection, messages: Iterable[Message | None], **about: Any) -> Counter[str]:
        """Put what there is to say into the outbox; counts by kind of what is new."""
        said = (each for each in messages if each is not None)
        return queue_messages(connection, said, sender=self.sender, now=self.now, run_id=self.run_id, **about)


def tell_of_deliveries(
    warehouse: Warehouse,
    landing: LandingZone,
    teller: Teller,
    deliveries: Collection[int],
    states: Collection[DeliveryState] = TOLD_STATES,
) -> Counter[str]:
    """Tell libraries and suppliers of what became of `deliveries` that are in one of `states` and were not told of yet.

    Files of their senders that were rejected as a whole and that a killed run left untold come along. Exports of the
    catalogue itself and what only a dry run has seen are told to nobody. Returns counts of messages by kind.
    """
    with warehouse.read() as connection:
        untold = _untold(connection, deliveries, states)
        rejects = rejects_of(connection, teller.register, [row.delivery_id for row in untold])
    if not untold:
        return Counter()
    counts = Counter(quarantined=quarantine_unreadable(warehouse, landing, [row.delivery_id for row in untold]))
    known = [each for each in rejects if each.sender in teller.register.sender_by_code]
    file_rejects(landing, teller.register, known, teller.today)
    with warehouse.write(CATALOGUE_LOCK) as connection:
        claimed = set(_claim(connection, [row.delivery_id for row in untold]))
        for sender in sorted({row.sender for row in untold}):
            batch = [row for row in untold if row.sender == sender and row.delivery_id in claimed]
            if batch:
                counts += _tell_of_batch(connection, teller, batch, [each for each in known if each.sender == sender])
        _mark_told(connection, claimed, teller.clock())
    return counts


def _tell_of_batch(
    connection: Connection, teller: Teller, batch: Sequence[sa.Row[Any]], rejects: Sequence[DeliveryRejects]
) -> Counter[str]:
    """Queue the digests and the rejects of one supplier's deliveries."""
    ids = [row.delivery_id for row in batch]
    about = {"delivery_id": ids[0]} if len(ids) == 1 else {}
    run_key = key_of_run(batch)
    sender = batch[0].sender
    digests = library_digests(connection, teller.register, ids, run_keys={sender: run_key}, run_date=teller.today)
    messages: Iterator[Message | None] = (
        compose_library_digest(each, teller.catalogue_name, teller.sender) for each in digests
    )
    counts = teller.queue(connection, messages, **about)
    mine = [each for each in rejects if each.delivery_id in ids]
    if mine:
        told = for_supplier(teller.register, sender, mine, run_key=run_key, run_date=teller.today)
        counts += teller.queue(
            connection, [compose_supplier_rejects(told, teller.catalogue_name, teller.sender)], **about
        )
    return counts


def key_of_run(batch: Iterable[sa.Row[Any]]) -> str:
    """A name for these deliveries told together: the same in every warehouse, and when a killed run is done again."""
    return key_of(f"{row.sender}/{row.sha256}/{row.generation}" for row in batch)


def key_of(identities: Iterable[str]) -> str:
    """A short name for things told together, whatever their order."""
    identities = sorted(identities)
    return hashlib.sha256("\n".join(identities).encode()).hexdigest()[:16]


def _untold(
    connection: Connection, deliveries: Collection[int], states: Collection[DeliveryState]
) -> Sequence[sa.Row[Any]]:
    wanted = sa.select(id_set(connection, deliveries).c.value)
    senders = sa.select(raw_delivery.c.sender).where(raw_delivery.c.delivery_id.in_(wanted))
    is_asked_for = sa.and_(raw_delivery.c.delivery_id.in_(wanted), raw_delivery.c.state.in_(list(states)))
    is_left_behind = sa.and_(raw_delivery.c.state == DeliveryState.REJECTED, raw_delivery.c.sender.in_(senders))
    is_told = sa.exists().where(
        raw_progress.c.delivery_id == raw_delivery.c.delivery_id,
        raw_progress.c.stage == STAGE,
        raw_progress.c.done_at.is_not(None),
    )
    return connection.execute(
        sa.select(raw_delivery)
        .where(
            raw_delivery.c.kind.in_(RECORD_KINDS),
            sa.not_(raw_delivery.c.is_preview),
            sa.or_(is_asked_for, is_left_behind),
            sa.not_(is_told),
        )
        .order_by(raw_delivery.c.delivery_id)
    ).all()


def _claim(connection: Connection, deliveries: Sequence[int]) -> list[int]:
    """Lock the progress of these deliveries; returns those that nobody else has told of meanwhile."""
    _open_progress(connection, deliveries, STAGE)
    wanted = id_set(connection, deliveries)
    return list(
        connection.execute(
            sa.select(raw_progress.c.delivery_id)
            .where(
                raw_progress.c.delivery_id.in_(sa.select(wanted.c.value)),
                raw_progress.c.stage == STAGE,
                raw_progress.c.done_at.is_(None),
            )
            .order_by(raw_progress.c.delivery_id)
            .with_for_update()
        ).scalars()
    )


def _open_progress(connection: Connection, deliveries: Sequence[int], stage: str) -> None:
    connection.execute(
        sa.text("INSERT INTO raw_progress (delivery_id, stage, reached) VALUES (:d, :s, 0) ON CONFLICT DO NOTHING"),
        [{"d": delivery_id, "s": stage} for delivery_id in deliveries],
    )


def _mark_told(connection: Connection, deliveries: Collection[int], now: datetime, stage: str = STAGE) -> None:
    wanted = id_set(connection, deliveries)
    connection.execute(
        sa.update(raw_progress)
        .where(raw_progress.c.delivery_id.in_(sa.select(wanted.c.value)), raw_progress.c.stage == stage)
        .values(reached=1, done_at=now)
    )


def tell_of_decided(warehouse: Warehouse, teller: Teller, deliveries: Sequence[int]) -> Counter[str]:
    """Tell libraries what was decided about holdings of `deliveries` since they were told that these wait; once.

    Returns counts of messages by kind.
    """
    counts: Counter[str] = Counter()
    if not deliveries:
        return counts
    about = {"delivery_id": deliveries[0]} if len(deliveries) == 1 else {}
    with warehouse.write(CATALOGUE_LOCK) as connection:
        digests = decided_digests(connection, teller.register, deliveries, run_date=teller.today)
        messages = (compose_library_digest(each, teller.catalogue_name, teller.sender) for each in digests)
        counts += teller.queue(connection, messages, **about)
        _open_progress(connection, deliveries, LATER_TOLD)
        _mark_told(connection, deliveries, teller.clock(), LATER_TOLD)
    return counts


def tell_of_holds(
    warehouse: Warehouse, teller: Teller, deliveries: Collection[int], pages: Pages = NO_PAGES
) -> Counter[str]:
    """Tell the operator of what waits for approval, each plan once, and of a file of persons its sender as well.

    Returns counts of messages by kind.
    """
    with warehouse.write() as connection:
        counts: Counter[str] = Counter()
        for held in held_deliveries(connection, teller.register, deliveries):
            message = compose_held(held, teller.catalogue_name, teller.sender, pages)
            counts += teller.queue(connection, [message], delivery_id=held.delivery_id)
        files = held_files(connection, teller.register, deliveries)
        messages = (compose_held_file(each, teller.catalogue_name, teller.sender, pages) for each in files)
        return counts + teller.queue(connection, messages)


def tell_of_feeds(warehouse: Warehouse, teller: Teller) -> Counter[str]:
    """Tell the operator of what today's check of the feeds found wrong, once a day. Returns counts by kind."""
    with warehouse.write() as connection:
        report = feed_report(connection, teller.register, teller.zone, teller.today)
        messages = [compose_feed_report(report, teller.catalogue_name, teller.sender)] if report else []
        return teller.queue(connection, messages)


def tell_of_strays(warehouse: Warehouse, landing: LandingZone, teller: Teller, strays: Sequence[Stray]) -> Counter[str]:
    """Enter what can become no delivery, tell the operator of what is new, and put away what can be moved.

    Returns counts: `strays` that are new, files `quarantined`, messages by kind.
    """
    with warehouse.write(NOTICES_LOCK) as connection:
        new = enter_new(connection, landing, strays, teller.now)
        to = teller.register.catalogue
        messages = [compose_strays(new, to.operator, to.language, to.name, to.sender)] if new else []
        counts = teller.queue(connection, messages)
    return counts + Counter(strays=len(new), quarantined=put_away(landing, strays))


def tell_of_failure(warehouse: Warehouse, teller: Teller, failed: FailedRun) -> Counter[str]:
    """Tell the operator of a run that failed, once. Returns counts of messages by kind."""
    with warehouse.write() as connection:
        message = compose_failed(failed, teller.catalogue_name, teller.sender)
        return teller.queue(connection, [message])


def tell_of_revert(warehouse: Warehouse, teller: Teller, delivery_id: int) -> Counter[str]:
    """Tell each library what the undoing of a delivery means for it, once. Returns counts of messages by kind."""
    with warehouse.write() as connection:
        corrections = library_corrections(connection, teller.register, teller.zone, delivery_id)
        messages = (compose_correction(each, teller.catalogue_name, teller.sender) for each in corrections)
        return teller.queue(connection, messages, delivery_id=delivery_id)


def open_worklist(connection: Connection, teller: Teller) -> Worklist:
    """Everything that waits for a cataloguer now, whoever has it: for the page and the CSV in the landing zone."""
    policy = teller.register.matching
    cases = review_cases(connection, teller.register, teller.zone)
    pairs = duplicate_cases(connection, teller.zone, most=policy.duplicates_in_worklist)
    return Worklist(policy.review_owner, policy.review_language, "", teller.today, cases, pairs)


def tell_cataloguers(
    connection: Connection, teller: Teller, worklist: Worklist, *, on_request: bool = False
) -> Counter[str]:
    """Send each cataloguer the open cases, when something has changed since the last time, or `on_request`.

    A case whose owner is no e-mail address goes to the review owner of the register. Belongs under `NOTICES_LOCK`.
    Returns counts of messages by kind.
    """
    by_recipient: dict[str, list[ReviewCase]] = {}
    pairs: dict[str, list[DuplicateCase]] = {}
    for case in worklist.cases:
        by_recipient.setdefault(case.owner if "@" in case.owner else worklist.recipient, []).append(case)
    for pair in worklist.pairs:
        pairs.setdefault(pair.owner if "@" in pair.owner else worklist.recipient, []).append(pair)
    counts: Counter[str] = Counter()
    for recipient in sorted({*by_recipient, *pairs}):
        cases, theirs = by_recipient.get(recipient, []), pairs.get(recipient, [])
        number, last = _last_worklist(connection, recipient)
        now = _state_of(cases, theirs, worklist.today)
        if now == last and not on_request:
            continue
        key = f"{number + 1}.{now}"
        part = Worklist(recipient, worklist.language, key, worklist.today, tuple(cases), tuple(theirs))
        counts += teller.queue(connection, [compose_worklist(part, teller.catalogue_name, teller.sender)])
    return counts


def _state_of(cases: Iterable[ReviewCase], pairs: Iterable[DuplicateCase], today: date) -> str:
    """What a cataloguer would call a change: cases come and go, become late or provisional, or libraries wait."""
    states = sorted(pair.key for pair in pairs)
    states += sorted(
        f"{case.review_id} {case.due_on < today} {case.is_provisional} {sorted(each.sigel for each in case.waiting)}"
        for case in cases
    )
    return hashlib.sha256("\n".join(states).encode()).hexdigest()[:16]


def _last_worklist(connection: Connection, recipient: str) -> tuple[int, str]:
    """Number and state of the last worklist that was queued for a recipient; 0 and empty where there was none."""
    key = connection.execute(
        sa.select(core_notice.c.dedup_key)
        .where(core_notice.c.kind == NoticeKind.WORKLIST, core_notice.c.recipient == recipient)
        .order_by(core_notice.c.notice_id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if key is None:
        return 0, ""
    number, _, state = key.split("|")[1].partition(".")
    return int(number), state
