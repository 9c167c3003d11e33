"""A delivery of the landing zone becomes changes of accounts: the ledger, the accounts and the answers in one go.

Killed at any instant, a delivery is either as it was or done; a file that a command took before has no effect.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import DeliveryRejectedError, UsageError
from schemas.outcomes import DeliveryState
from schemas.register.account_rules import AccountSystem
from schemas.register.account_sources import AccountSource
from schemas.register.register import Register
from schemas.warehouse.raw import raw_delivery
from tasks.account_files.answering import tell_of_refused_file, tell_of_rows
from tasks.accounts.all_files import ImportReport, take_file
from tasks.accounts.changing import Occasion
from tasks.accounts.letters import Post
from tasks.accounts.store import ACCOUNTS_LOCK
from tasks.accounts.telling import tell_of_requests
from tasks.landing.feeds import ACCOUNT
from tasks.landing.left_behind import UNFINISHED
from tasks.landing.receiving import original, reject
from tasks.landing.zone import LandingZone
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import delivery, set_state


@dataclass(frozen=True)
class Taking:
    """What all files of a run share."""

    register: Register
    source: AccountSource
    now: datetime
    run_id: str | None = None

    @property
    def system(self) -> AccountSystem:
        """The system that the files are about."""
        return self.register.account_system_by_code[self.source.system]

    @property
    def post(self) -> Post:
        """Letters of this run."""
        return Post(self.register, self.system, self.now, self.run_id)


def left_of(connection: Connection, source: str) -> list[int]:
    """Deliveries of a source that a killed run left on the way."""
    row = raw_delivery.c
    return list(
        connection.execute(
            sa.select(row.delivery_id)
            .where(row.kind == ACCOUNT, row.sender == source, row.state.in_(UNFINISHED), sa.not_(row.is_preview))
            .order_by(row.delivery_id)
        ).scalars()
    )


def take_delivery(warehouse: Warehouse, zone: LandingZone, delivery_id: int, taking: Taking) -> Counter[str]:
    """Take a received file in and answer its sender; one that is no file about accounts goes to quarantine.

    Counts of rows by what became of them; empty for a delivery that was done before.
    """
    with warehouse.read() as connection:
        row = delivery(connection, delivery_id)
        if row.state not in UNFINISHED:
            return Counter()
        uri = original(zone, connection, row)
    try:
        return _taken(warehouse, zone, row, uri, taking)
    except UsageError as error:
        # What a person at the command line is told to do is of no use to who dropped the file.
        remedy = "send it with the columns of one kind of file" if error.position == 1 else error.remedy
        why = DeliveryRejectedError(error.cause, file=row.name, remedy=remedy)
    reject(warehouse, zone, delivery_id, why, taking.now)
    tell_rejected(warehouse, delivery_id, taking)
    return Counter({"files refused": 1})


def tell_rejected(warehouse: Warehouse, delivery_id: int, taking: Taking) -> None:
    """Tell the sender of a file that was refused as a whole; once."""
    with warehouse.write() as connection:
        tell_of_refused_file(connection, taking.post, taking.source, delivery(connection, delivery_id))


def _taken(warehouse: Warehouse, zone: LandingZone, row: sa.Row[Any], uri: str, taking: Taking) -> Counter[str]:
    source = taking.source
    day = row.business_date or taking.now.astimezone(taking.system.tz).date()
    occasion = Occasion(taking.system, day, taking.now, f"import:{source.code}/{row.name}")
    libraries = frozenset(taking.register.library_by_sigel)
    with zone.open(uri) as stream, warehouse.write(ACCOUNTS_LOCK) as connection:
        report = take_file(
            connection, stream, row.name, occasion, libraries,
            again=row.generation > 0, own=source.library, kinds=source.kinds,
        )  # fmt: skip
        if not report.is_repeat:
            tell_of_requests(connection, taking.post, report.import_id, day)
            tell_of_rows(connection, taking.post, source, row, report)
        _settle(connection, row.delivery_id, report, taking)
    return report.counts + Counter({"files taken before": 1} if report.is_repeat else {})


def _settle(connection: Connection, delivery_id: int, report: ImportReport, taking: Taking) -> None:
    set_state(
        connection,
        delivery_id,
        DeliveryState.SETTLED,
        only_from=UNFINISHED,
        finished_at=taking.now,
        flow_run_id=taking.run_id,
        records_read=report.counts["read"] - report.counts["quarantined"],
        records_unreadable=report.counts["quarantined"],
    )
