"""What notices leave in the landing zone: unreadable pieces in quarantine, rejects in three forms, the worklist.

Names follow from the delivery and every writing can be repeated, so it may come before the transaction that settles
that the e-mails are queued.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from schemas.register.register import Register
from schemas.warehouse.raw import raw_delivery
from tasks.landing.archive import RejectForm, quarantine_piece, rejects_key, report_key
from tasks.landing.zone import LandingZone
from tasks.notices.gathering_rejects import DeliveryRejects, for_supplier, unreadable_pieces
from tasks.notices.message import Message
from tasks.notices.rejects import compose_supplier_rejects
from tasks.notices.worklist import Worklist, worklist_csv, worklist_html
from tasks.warehouse.engine import Warehouse

MAX_FILED_BYTES = 1_000_000_000
"""No e-mail's limit holds here."""
FILED_NAMES = {"csv": "errors.csv", "mrc": "records.mrc", "xml": "records.xml", "bin": "records.bin"}
WORKLIST_KEYS = {form: report_key("worklist", f"worklist.{form}") for form in ("html", "csv")}


@dataclass(frozen=True)
class WorklistFiles:
    """Where the worklist stands, as URIs of the landing zone, and how many cases it has."""

    html: str
    csv: str
    cases: int


def quarantine_unreadable(warehouse: Warehouse, zone: LandingZone, deliveries: Collection[int]) -> int:
    """Write every piece that could not be read into quarantine, with a text beside it; returns how many."""
    number = 0
    with warehouse.read() as connection:
        ledger = {
            row.delivery_id: row
            for row in connection.execute(
                sa.select(raw_delivery.c.delivery_id, raw_delivery.c.sender, raw_delivery.c.name).where(
                    raw_delivery.c.delivery_id.in_(list(deliveries))
                )
            )
        }
        for delivery_id, piece in unreadable_pieces(connection, deliveries):
            row = ledger[delivery_id]
            quarantine_piece(zone, row.sender, delivery_id, row.name, piece)
            number += 1
    return number


def file_rejects(
    zone: LandingZone, register: Register, found: Iterable[DeliveryRejects], run_date: date
) -> dict[int, list[str]]:
    """Write what was not accepted into `rejects/<sender>/<delivery>/`: `records`, `errors.csv`, `list.txt`.

    The same as the e-mail, one delivery at a time and without an e-mail's limit on size. A delivery that was rejected
    as a whole has a list only: its file is in quarantine. Returns the URIs by delivery; where all was accepted, none.
    """
    return {each.delivery_id: _file(zone, register, each, run_date) for each in found if not each.is_empty}


def _file(zone: LandingZone, register: Register, each: DeliveryRejects, run_date: date) -> list[str]:
    rejects = for_supplier(register, each.sender, [each], run_key=str(each.delivery_id), run_date=run_date)
    catalogue = register.catalogue
    message = compose_supplier_rejects(
        rejects, catalogue.name, catalogue.sender, max_attached_bytes=MAX_FILED_BYTES, names=FILED_NAMES
    )
    if message is None:
        return []
    return [
        zone.put(rejects_key(each.sender, each.delivery_id, form, extension), content, overwrite=True)
        for form, extension, content in _forms(message)
    ]


def _forms(message: Message) -> list[tuple[RejectForm, str, bytes]]:
    """(form, extension, bytes) of each file."""
    forms: list[tuple[RejectForm, str, bytes]] = [("list", "txt", message.text.encode())]
    for attachment in message.attachments:
        stem, _, extension = attachment.name.rpartition(".")
        forms.append(("errors" if stem == "errors" else "records", extension, attachment.content))
    return forms


def file_worklist(zone: LandingZone, worklist: Worklist, register: Register) -> WorklistFiles:
    """Write the worklist as a page and as CSV to `reports/worklist/`, in place of the one before."""
    catalogue = register.catalogue
    page = worklist_html(worklist, catalogue.name, catalogue.sender).encode("utf-8")
    return WorklistFiles(
        html=zone.put(WORKLIST_KEYS["html"], page, overwrite=True),
        csv=zone.put(WORKLIST_KEYS["csv"], worklist_csv(worklist), overwrite=True),
        cases=len(worklist.cases),
    )
