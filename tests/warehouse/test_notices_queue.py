"""The outbox: a message is queued once, claimed by one, sent, and tried again; kills and bad addresses stop nobody."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller

from schemas.warehouse.core import core_notice
from tasks.notices.message import Attachment, Message, NoticeKind
from tasks.notices.queue import (
    CLAIM_LASTS,
    PASSING_IN_A_ROW,
    claim_next,
    mark_failed,
    mark_sent,
    queue_messages,
    send_waiting,
)
from tasks.notices.sending import EmlFolder, MailSender, SmtpSender
from tasks.warehouse.engine import Warehouse
from tests.unit.test_notices_sending import Server, address, running
from tests.warehouse.notices_night import attached, notices, read_folder
from tests.warehouse.shut import shut

NOW = datetime(2025, 3, 14, 22, 0, tzinfo=UTC)
LATER = NOW + CLAIM_LASTS + timedelta(seconds=1)
SENDER = "catalogue@samkatalogen.example"


def message(number: int, recipient: str = "", **changes: object) -> Message:
    values: dict[str, object] = {
        "kind": NoticeKind.DIGEST,
        "recipient": recipient or f"library{number}@storstad.example",
        "subject": f"{number} titlar från Nordbok",
        "language": "sv",
        "text": "Åska över Öxnö\n",
        "html": "<p>Åska över Öxnö</p>",
        "attachments": (Attachment("alla.csv", "text/csv", "räksmörgås\r\n".encode()),),
        "dedup_key": f"digest|run|{number}",
        **changes,
    }
    return Message(**values)  # type: ignore[arg-type]


def queue(warehouse: Warehouse, *messages: Message, now: datetime = NOW) -> Counter[str]:
    with warehouse.write() as connection:
        return queue_messages(connection, messages, sender=SENDER, now=now, run_id="run-1")


def send(warehouse: Warehouse, mail: MailSender, now: datetime = NOW) -> Counter[str]:
    return send_waiting(warehouse, mail, catalogue_name="Samkatalogen", sender=SENDER, clock=lambda: now)


def states(warehouse: Warehouse) -> list[tuple[str, int]]:
    return [(row.state, row.attempts) for row in notices(warehouse)]


class SendsAndShuts:
    """Takes a message; the first time the database then refuses everybody for some seconds."""

    def __init__(self, server_url: str, database: str) -> None:
        self._server_url, self._database = server_url, database
        self.sent = 0

    def send(self, _message: EmailMessage) -> None:
        self.sent += 1
        if self.sent == 1:
            shut(self._server_url, self._database, 2)


class TestQueueing:
    def test_a_message_is_stored_as_it_is_and_comes_back_whole(self, warehouse: Warehouse) -> None:
        assert queue(warehouse, message(1)) == {"digest": 1}
        (row,) = notices(warehouse)
        assert (row.state, row.attempts, row.run_id, row.created_at) == ("queued", 0, "run-1", NOW)
        with warehouse.write() as connection:
            claimed = claim_next(connection, NOW)
        assert claimed is not None
        assert claimed.message() == message(1)

    def test_the_same_key_is_queued_once_in_a_batch_and_in_the_next_run(self, warehouse: Warehouse) -> None:
        assert queue(warehouse, message(1), message(2), message(1)) == {"digest": 2}
        assert queue(warehouse, message(2), message(3), now=LATER) == {"digest": 1}
        assert [row.dedup_key[-1] for row in notices(warehouse)] == ["1", "2", "3"]

    def test_a_run_that_fails_leaves_nothing_in_the_outbox(self, warehouse: Warehouse) -> None:
        with pytest.raises(RuntimeError), warehouse.write() as connection:
            queue_messages(connection, [message(1)], sender=SENDER, now=NOW)
            raise RuntimeError
        assert notices(warehouse) == []

    def test_more_messages_than_a_batch_are_all_queued(self, warehouse: Warehouse) -> None:
        assert queue(warehouse, *(message(number) for number in range(120))) == {"digest": 120}


class TestClaiming:
    def test_a_claimed_message_is_nobody_elses_until_the_claim_is_old(self, warehouse: Warehouse) -> None:
        queue(warehouse, message(1), message(2))
        with warehouse.write() as connection:
            claimed = [claim_next(connection, NOW) for _ in range(3)]
        assert [each and each.notice_id for each in claimed] == [1, 2, None]
        with warehouse.write() as connection:
            assert claim_next(connection, NOW + CLAIM_LASTS) is None
            again = claim_next(connection, LATER)
        assert again is not None
        assert (again.notice_id, states(warehouse)[0]) == (1, ("sending", 2))

    def test_a_sent_or_failed_message_is_never_claimed_and_a_passing_fault_frees_it(self, warehouse: Warehouse) -> None:
        queue(warehouse, message(1), message(2), message(3))
        with warehouse.write() as connection:
            for _ in range(3):
                claim_next(connection, NOW)
            mark_sent(connection, 1, NOW)
            mark_failed(connection, 2, "refused for good", is_passing=False)
            mark_failed(connection, 3, "come back later", is_passing=True)
            claimed = claim_next(connection, LATER)
            assert claim_next(connection, LATER) is None
        assert claimed is not None
        assert claimed.notice_id == 3
        assert [(row.state, row.last_error) for row in notices(warehouse)] == [
            ("sent", None),
            ("failed", "refused for good"),
            ("sending", "come back later"),
        ]

    def test_the_least_tried_comes_first(self, warehouse: Warehouse) -> None:
        queue(warehouse, message(1), message(2))
        with warehouse.write() as connection:
            claim_next(connection, NOW)
            mark_failed(connection, 1, "later", is_passing=True)
            claimed = claim_next(connection, NOW)
        assert claimed is not None
        assert claimed.notice_id == 2


class KilledBeforeSending:
    """A run that dies when it is about to hand the message over."""

    def send(self, message: EmailMessage) -> None:
        raise KeyboardInterrupt


class KilledAfterSending:
    """A run that dies when the message has been handed over and nothing of that is written down."""

    def __init__(self, mail: MailSender) -> None:
        self.mail = mail

    def send(self, message: EmailMessage) -> None:
        self.mail.send(message)
        raise KeyboardInterrupt


class TestKilled:
    def test_a_message_that_was_claimed_by_a_killed_run_goes_out_later(
        self, warehouse: Warehouse, tmp_path: Path
    ) -> None:
        queue(warehouse, message(1), message(2))
        with pytest.raises(KeyboardInterrupt):
            send(warehouse, KilledBeforeSending())
        assert send(warehouse, EmlFolder(tmp_path)) == {"sent": 1}
        assert states(warehouse) == [("sending", 1), ("sent", 1)]
        assert send(warehouse, EmlFolder(tmp_path), LATER) == {"sent": 1}
        assert states(warehouse) == [("sent", 2), ("sent", 1)]
        assert len(list(tmp_path.glob("*.eml"))) == 2

    def test_an_eml_file_is_written_once_even_when_the_run_died_right_after_it(
        self, warehouse: Warehouse, tmp_path: Path
    ) -> None:
        queue(warehouse, message(1))
        for at in (NOW, LATER):
            with pytest.raises(KeyboardInterrupt):
                send(warehouse, KilledAfterSending(EmlFolder(tmp_path)), at)
        assert send(warehouse, EmlFolder(tmp_path), LATER + CLAIM_LASTS * 2) == {"sent": 1}
        assert len(list(tmp_path.glob("*.eml"))) == 1

    def test_over_smtp_it_goes_out_twice_at_most_and_is_the_same_message(
        self, warehouse: Warehouse, server: tuple[Server, Controller]
    ) -> None:
        handler, controller = server
        queue(warehouse, message(1))
        with SmtpSender(address(controller)) as mail:
            with pytest.raises(KeyboardInterrupt):
                send(warehouse, KilledAfterSending(mail))
            assert send(warehouse, mail) == {}
            assert send(warehouse, mail, LATER) == {"sent": 1}
            assert send(warehouse, mail, LATER + CLAIM_LASTS * 2) == {}
        first, second = handler.envelopes
        assert first.content == second.content


@pytest.fixture
def server() -> Iterator[tuple[Server, Controller]]:
    yield from running(Server())


class TestSending:
    def test_bad_addresses_stop_nobody(self, warehouse: Warehouse, server: tuple[Server, Controller]) -> None:
        handler, controller = server
        recipients = ["gone@storstad.example", "not an address", "full@storstad.example", "a@storstad.example"]
        queue(warehouse, *(message(number, each) for number, each in enumerate([*recipients, "b@storstad.example"])))
        with SmtpSender(address(controller)) as mail:
            assert send(warehouse, mail) == {"failed": 2, "later": 1, "sent": 2}
        assert [state for state, _ in states(warehouse)] == ["failed", "failed", "queued", "sent", "sent"]
        assert [each.rcpt_tos for each in handler.envelopes] == [["a@storstad.example"], ["b@storstad.example"]]
        errors = [row.last_error for row in notices(warehouse)]
        assert errors[0] == "the mail server refused the recipient: 550 5.1.1 (address): no such user (address)"
        assert errors[1] == "the recipient's address is not an e-mail address (correct it in the register)"
        assert "storstad" not in "".join(each or "" for each in errors)

    def test_a_passing_fault_is_tried_again_by_the_next_run_and_a_permanent_one_is_not(
        self, warehouse: Warehouse, server: tuple[Server, Controller]
    ) -> None:
        queue(warehouse, message(1, "full@storstad.example"), message(2, "gone@storstad.example"))
        with SmtpSender(address(server[1])) as mail:
            send(warehouse, mail)
            assert send(warehouse, mail, LATER) == {"later": 1}
        assert states(warehouse) == [("queued", 2), ("failed", 1)]

    def test_what_arrives_is_what_was_queued_under_its_message_id(self, warehouse: Warehouse, tmp_path: Path) -> None:
        queue(warehouse, message(1))
        send(warehouse, EmlFolder(tmp_path), LATER)
        (email,) = read_folder(tmp_path)
        (row,) = notices(warehouse)
        assert email["Message-ID"] == row.message_id
        assert email["Date"].datetime == NOW
        assert attached(email) == {"alla.csv": "räksmörgås\r\n".encode()}
        assert row.sent_at == LATER

    def test_another_address_of_the_catalogue_does_not_change_the_message_id(
        self, warehouse: Warehouse, tmp_path: Path
    ) -> None:
        queue(warehouse, message(1))
        with warehouse.write() as connection:
            connection.execute(sa.update(core_notice).values(message_id="<queued-before@old.example>"))
        send(warehouse, EmlFolder(tmp_path))
        assert read_folder(tmp_path)[0]["Message-ID"] == "<queued-before@old.example>"

    def test_a_row_that_cannot_be_read_is_set_aside_and_the_others_go(
        self, warehouse: Warehouse, tmp_path: Path
    ) -> None:
        queue(warehouse, message(1), message(2))
        with warehouse.write() as connection:
            connection.execute(
                sa.update(core_notice).where(core_notice.c.notice_id == 1).values(attachments='[{"name": "x"}]')
            )
        assert send(warehouse, EmlFolder(tmp_path)) == {"failed": 1, "sent": 1}
        assert notices(warehouse)[0].last_error == "the message could not be made ready: KeyError"

    def test_a_server_that_is_away_is_left_alone_and_nothing_is_lost(self, warehouse: Warehouse) -> None:
        queue(warehouse, *(message(number) for number in range(8)))
        assert send(warehouse, SmtpSender("smtp://127.0.0.1:1", timeout_seconds=1)) == {"later": 8}
        assert [attempts for _, attempts in states(warehouse)] == [1] * PASSING_IN_A_ROW + [0] * 3
        send(warehouse, SmtpSender("smtp://127.0.0.1:1", timeout_seconds=1))
        assert [attempts for _, attempts in states(warehouse)] == [2, 2, 1, 1, 1, 1, 1, 1]

    @pytest.mark.parametrize("warehouse_url", ["postgresql"], indirect=True)
    def test_what_was_sent_is_noted_when_the_warehouse_was_away_just_then(
        self, warehouse: Warehouse, warehouse_url: str, postgresql_url: str
    ) -> None:
        queue(warehouse, message(1), message(2))
        mail = SendsAndShuts(postgresql_url, str(sa.make_url(warehouse_url).database))
        assert send(warehouse, mail) == {"sent": 2}
        assert mail.sent == 2
        assert states(warehouse) == [("sent", 1), ("sent", 1)]

    def test_two_runs_at_once_share_the_work_and_send_nothing_twice(self, warehouse: Warehouse) -> None:
        queue(warehouse, *(message(number) for number in range(30)))
        sent: list[str] = []
        both = threading.Barrier(2)

        class Slow:
            def send(self, message: EmailMessage) -> None:
                sent.append(str(message["Message-ID"]))

        def run() -> None:
            both.wait()
            send(warehouse, Slow())

        runs = [threading.Thread(target=run) for _ in range(2)]
        for each in runs:
            each.start()
        for each in runs:
            each.join()
        assert len(sent) == len(set(sent)) == 30
        assert set(states(warehouse)) == {("sent", 1)}

    def test_a_folder_that_cannot_be_written_is_tried_again(self, warehouse: Warehouse, tmp_path: Path) -> None:
        queue(warehouse, message(1))
        (tmp_path / "outbox").write_text("a file in its place")
        assert send(warehouse, EmlFolder(tmp_path / "outbox")) == {"later": 1}
        (tmp_path / "outbox").unlink()
        assert send(warehouse, EmlFolder(tmp_path / "outbox")) == {"sent": 1}
