"""The outbox in the warehouse: what is queued, claimed, sent, and tried again.

A message is stored in the transaction that did the work it tells of, and sent later. Before sending it is claimed, so
that two senders never take the same one; a claim older than `CLAIM_LASTS` belonged to a run that was killed. The same
dedup key is stored once, whatever happens in between.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from itertools import islice
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_notice
from tasks.notices.message import Message, NoticeKind, attachment_rows, attachments_from, message_id
from tasks.notices.outbox import AddressError, render_email
from tasks.notices.sending import MailSender, PassingMailError, PermanentMailError
from tasks.warehouse.away import patiently
from tasks.warehouse.bulk import text_set
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ids import take_ids

CLAIM_LASTS = timedelta(minutes=10)
"""Longer than a mail server may take over one message."""
PASSING_IN_A_ROW = 5
"""After so many in a row the server is taken to be away; those least tried come first the next time."""

_BATCH = 50
_STATE_AFTER_PASSING = "queued"


@dataclass(frozen=True)
class ClaimedNotice:
    """A message that this process alone sends now: its row in the outbox."""

    row: sa.Row[Any]

    @property
    def notice_id(self) -> int:
        """Its number in the outbox."""
        return int(self.row.notice_id)

    def message(self) -> Message:
        """The message. Raises KeyError or ValueError where the row is not what `queue_messages` wrote."""
        return Message(
            kind=NoticeKind(self.row.kind),
            recipient=self.row.recipient,
            subject=self.row.subject,
            language=self.row.language,
            text=self.row.body_text,
            html=self.row.body_html,
            attachments=attachments_from(orjson.loads(self.row.attachments)),
            dedup_key=self.row.dedup_key,
        )

    def email(self, catalogue_name: str, sender: str) -> EmailMessage:
        """The e-mail, dated when it was queued and under the Message-ID of then: sent twice, it is the same one.

        Raises what `message` raises, and AddressError where the recipient is no address.
        """
        email = render_email(self.message(), catalogue_name, sender, self.row.created_at)
        if email["Message-ID"] != self.row.message_id:
            email.replace_header("Message-ID", self.row.message_id)
        return email


def queue_messages(
    connection: Connection,
    messages: Iterable[Message],
    *,
    sender: str,
    now: datetime,
    run_id: str | None = None,
    delivery_id: int | None = None,
) -> Counter[str]:
    """Store messages in the outbox; returns how many are new, by kind. A dedup key that is there is passed over.

    `sender` is the catalogue's address: the Message-ID is made with it. `delivery_id` where all are about one.
    """
    counts: Counter[str] = Counter()
    waiting = iter(messages)
    while batch := {each.dedup_key: each for each in islice(waiting, _BATCH)}:
        wanted = text_set(connection, batch.keys())
        there = connection.execute(
            sa.select(core_notice.c.dedup_key).where(core_notice.c.dedup_key.in_(sa.select(wanted.c.value)))
        ).scalars()
        for dedup_key in there:
            del batch[dedup_key]
        ids = take_ids(connection, "notice", len(batch))
        shared = {"created_at": now, "run_id": run_id, "delivery_id": delivery_id, "state": "queued"}
        for notice_id, message in zip(ids, batch.values(), strict=True):
            counts[message.kind] += _insert(connection, {"notice_id": notice_id, **_row(message, sender), **shared})
    return counts


def _insert(connection: Connection, row: dict[str, Any]) -> int:
    """1 where the row is new, 0 where another run was faster."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    stored = connection.execute(
        insert(core_notice)
        .values(**row)
        .on_conflict_do_nothing(index_elements=["dedup_key"])
        .returning(core_notice.c.notice_id)
    )
    return len(stored.all())


def _row(message: Message, sender: str) -> dict[str, Any]:
    return {
        "dedup_key": message.dedup_key,
        "kind": str(message.kind),
        "recipient": message.recipient,
        "subject": message.subject,
        "language": message.language,
        "body_text": message.text,
        "body_html": message.html,
        "attachments": orjson.dumps(attachment_rows(message.attachments)).decode(),
        "message_id": message_id(message.dedup_key, sender),
    }


def claim_next(connection: Connection, now: datetime, passed_over: Iterable[int] = ()) -> ClaimedNotice | None:
    """Claim the next message to be sent, or None where nothing waits. Commit before sending.

    Those least tried come first, so that one that always fails holds up nobody; `passed_over` are notices that this
    run has tried.
    """
    is_free = sa.or_(
        core_notice.c.state == "queued",
        sa.and_(core_notice.c.state == "sending", core_notice.c.claimed_at < now - CLAIM_LASTS),
    )
    row = connection.execute(
        sa.select(core_notice)
        .where(is_free, core_notice.c.notice_id.not_in(list(passed_over)))
        .order_by(core_notice.c.attempts, core_notice.c.notice_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    connection.execute(
        sa.update(core_notice)
        .where(core_notice.c.notice_id == row.notice_id)
        .values(state="sending", claimed_at=now, attempts=core_notice.c.attempts + 1)
    )
    return ClaimedNotice(row)


def mark_sent(connection: Connection, notice_id: int, now: datetime) -> None:
    """The message has been handed over."""
    _mark(connection, notice_id, state="sent", sent_at=now, last_error=None)


def mark_failed(connection: Connection, notice_id: int, error: str, *, is_passing: bool) -> None:
    """Sending failed: a passing fault leaves the message queued, any other waits for a person as `failed`.

    `error` must hold no address and nothing of the message (see sending.py).
    """
    _mark(connection, notice_id, state=_STATE_AFTER_PASSING if is_passing else "failed", last_error=error)


def _mark(connection: Connection, notice_id: int, **values: Any) -> None:
    connection.execute(
        sa.update(core_notice).where(core_notice.c.notice_id == notice_id).values(claimed_at=None, **values)
    )


def send_waiting(
    warehouse: Warehouse,
    mail: MailSender,
    *,
    catalogue_name: str,
    sender: str,
    clock: Callable[[], datetime],
    log: logging.Logger | logging.LoggerAdapter[Any] | None = None,
) -> Counter[str]:
    """Send everything that waits, one after the other; returns counts of `sent`, `failed` and `later`.

    `failed` ones wait for a person, `later` ones for the next run. A message that fails stops no other; only when the
    server seems to be away the rest is left alone. A kill at any point loses nothing: a message that was claimed is
    free again after `CLAIM_LASTS`.
    """
    counts: Counter[str] = Counter()
    tried: list[int] = []
    passing_in_a_row = 0
    while passing_in_a_row < PASSING_IN_A_ROW:
        with warehouse.write() as connection:
            claimed = claim_next(connection, clock(), tried)
        if claimed is None:
            return counts
        tried.append(claimed.notice_id)
        ending, error = _send(claimed, mail, catalogue_name, sender)
        # What the mail server took must be noted: a warehouse that is away now would else have it sent twice.
        _note_patiently(warehouse, claimed.notice_id, ending, error, clock())
        counts[ending] += 1
        passing_in_a_row = passing_in_a_row + 1 if ending == "later" else 0
        if error and log is not None:
            log.warning("notice %s (%s) was not sent: %s", claimed.notice_id, claimed.row.kind, error)
    counts["later"] += _still_queued(warehouse, tried)
    return counts


def _note_patiently(warehouse: Warehouse, notice_id: int, ending: str, error: str, now: datetime) -> None:
    def note() -> None:
        with warehouse.write() as connection:
            if ending == "sent":
                mark_sent(connection, notice_id, now)
            else:
                mark_failed(connection, notice_id, error, is_passing=ending == "later")

    patiently(note)


def _send(claimed: ClaimedNotice, mail: MailSender, catalogue_name: str, sender: str) -> tuple[str, str]:
    """How it ended (`sent`, `failed`, `later`) and the error in words, without address or text of the message."""
    try:
        mail.send(claimed.email(catalogue_name, sender))
    except PassingMailError as error:
        return "later", str(error)
    except (PermanentMailError, AddressError) as error:
        return "failed", str(error)
    except Exception as error:
        # Whatever is wrong with this message must not stop the others; its words may repeat the message.
        return "failed", f"the message could not be made ready: {type(error).__name__}"
    return "sent", ""


def _still_queued(warehouse: Warehouse, tried: Iterable[int]) -> int:
    with warehouse.read() as connection:
        return connection.execute(
            sa.select(sa.func.count())
            .select_from(core_notice)
            .where(core_notice.c.state == "queued", core_notice.c.notice_id.not_in(list(tried)))
        ).scalar_one()
