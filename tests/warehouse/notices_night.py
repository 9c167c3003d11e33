"""Runs that tell: the stages of the flows with the notices among them, and what lies in the outbox afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from schemas.warehouse.core import core_notice
from tasks.catalogue.stages import settle
from tasks.landing.stages import receive
from tasks.notices.stages import notify_libraries
from tasks.warehouse.engine import Warehouse
from tasks.workplace import Workplace
from tests.warehouse.pipeline import TO_THE_SHELVES, land, load_catalogue

SAMPLES = Path(__file__).parents[1] / "data"
BEFORE_SETTLING = TO_THE_SHELVES[:-1]
CATALOGUE = "samkatalogen-01.mrc"


def to_the_shelves(supplier: str, uris: Sequence[str] = ()) -> list[int]:
    """A run of `supplier-ingest` that is killed before anybody is told; returns its deliveries."""
    deliveries = receive.fn(supplier, list(uris))
    for stage in BEFORE_SETTLING:
        stage(deliveries)
    return deliveries


def ingest_and_tell(supplier: str, uris: Sequence[str] = ()) -> list[int]:
    """A whole run of `supplier-ingest`, but for the sending; returns its deliveries."""
    deliveries = to_the_shelves(supplier, uris)
    notify_libraries.fn(deliveries)
    settle.fn(deliveries)
    return deliveries


def sweep_and_tell(place: Workplace) -> None:
    """Everything that waits in the landing zone, one run a supplier."""
    by_sender: dict[str, list[str]] = {}
    for each in place.zone.waiting():
        by_sender.setdefault(each.sender, []).append(each.uri)
    for sender, uris in by_sender.items():
        ingest_and_tell(sender, uris)


def sample(place: Workplace, supplier: str, ending: str) -> str:
    """Land the committed sample file of `supplier` whose name ends so; returns its URI."""
    (path,) = (SAMPLES / "incoming" / supplier).glob(f"*{ending}")
    return land(place, supplier, path.name, path.read_bytes())


def load_sample_catalogue(place: Workplace) -> list[int]:
    """The part of the union catalogue that the samples meet."""
    return load_catalogue(place, [SAMPLES / "catalogue" / CATALOGUE])


def notices(warehouse: Warehouse, **where: Any) -> list[sa.Row[Any]]:
    """Rows of the outbox in their order; `where` gives columns and their values."""
    statement = sa.select(core_notice).order_by(core_notice.c.notice_id)
    for name, value in where.items():
        statement = statement.where(core_notice.c[name] == value)
    with warehouse.read() as connection:
        return list(connection.execute(statement))


def emails(place: Workplace) -> list[EmailMessage]:
    """The .eml files in the outbox's folder, read as a mail program reads them, in the order of their names."""
    return read_folder(place.settings.outbox)


def read_folder(folder: Path) -> list[EmailMessage]:
    """The .eml files of a folder, in the order of their names."""
    return [message_from_bytes(path.read_bytes(), policy=default) for path in sorted(folder.glob("*.eml"))]


def text_of(email: EmailMessage) -> str:
    """The text part, with plain line ends."""
    body = email.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def html_of(email: EmailMessage) -> str:
    """The HTML part."""
    body = email.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def attached(email: EmailMessage) -> dict[str, bytes]:
    """Attached files by name."""
    return {str(part.get_filename()): part.get_payload(decode=True) for part in email.iter_attachments()}  # type: ignore[misc]
