"""The deliveries that were judged and have no Data Docs yet, and making those in one go.

What belongs here is which ones, where their pages are noted, and the page that leads to all of them. How pages are
made is data_docs.py's affair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import SamkatError
from schemas.outcomes import DeliveryState
from schemas.warehouse.raw import raw_delivery
from tasks.quality.data_docs import DataDocs, docs_requests, on_the_clock, write_data_docs
from tasks.quality.docs_index import write_index
from tasks.quality.docs_shelf import DocsShelf
from tasks.warehouse.bulk import id_set
from tasks.warehouse.engine import Warehouse

STATES = (DeliveryState.HELD, DeliveryState.LOADED, DeliveryState.SETTLED, DeliveryState.REJECTED)
"""Where a delivery stands when a run has done with it; what is under way gets its page later."""


@dataclass(frozen=True)
class Backlog:
    """The oldest deliveries without Data Docs: what was judged of each, by delivery id; `left` are not among them."""

    judged: Mapping[int, str]
    left: int


def backlog(connection: Connection, limit: int, among: Collection[int] | None = None) -> Backlog:
    """At most `limit` deliveries that were judged, are done with, and have no Data Docs: the oldest ones.

    `among`: only these deliveries.
    """
    waiting = sa.and_(
        raw_delivery.c.docs_uri.is_(None),
        raw_delivery.c.check_tally.is_not(None),
        raw_delivery.c.state.in_(STATES),
        sa.not_(raw_delivery.c.is_preview),
    )
    if among is not None:
        waiting = sa.and_(waiting, raw_delivery.c.delivery_id.in_(sa.select(id_set(connection, among).c.value)))
    rows = connection.execute(
        sa.select(raw_delivery.c.delivery_id, raw_delivery.c.check_tally)
        .where(waiting)
        .order_by(raw_delivery.c.received_at, raw_delivery.c.delivery_id)
        .limit(limit)
    ).all()
    number = connection.execute(sa.select(sa.func.count()).select_from(raw_delivery).where(waiting)).scalar_one()
    return Backlog({row.delivery_id: row.check_tally for row in rows}, number - len(rows))


@dataclass(frozen=True)
class DocsMade:
    """What a run made: totals, and in words what it could not make."""

    counts: Counter[str]
    problems: tuple[str, ...]


def make_docs(
    warehouse: Warehouse, shelf: DocsShelf, names: Mapping[str, str], zone: ZoneInfo, now: datetime, limit: int
) -> DocsMade:
    """Make Data Docs for the backlog, at most `limit` deliveries, and note where they are.

    `names` are of suppliers, by code. Nothing is raised for what goes wrong with pages; such a delivery stays in the
    backlog. The warehouse is not kept busy meanwhile.
    """
    with warehouse.read() as connection:
        found = backlog(connection, limit)
        requests = docs_requests(connection, list(found.judged), names, zone)
    docs = write_data_docs(requests, shelf.folder, on_the_clock(now, zone))
    problems = [*docs.problems]
    uris = _put_up(shelf, docs, problems)
    with warehouse.write() as connection:
        noted = [each for each, uri in uris.items() if note_page(connection, each, found.judged[each], uri)]
    try:
        with warehouse.read() as connection:
            index = write_index(connection, shelf, zone)
        shelf.put_up(index)
    except (OSError, SamkatError) as error:
        problems.append(f"the index of the Data Docs could not be written: {error}")
    counts = Counter(
        {
            "deliveries": len(noted),
            "pages": len({uris[each] for each in noted}),
            "problems": len(problems),
            "without a page": len(found.judged) - len(noted),
            "left for the next run": found.left,
        }
    )
    return DocsMade(counts, tuple(problems))


def _put_up(shelf: DocsShelf, docs: DataDocs, problems: list[str]) -> dict[int, str]:
    """Put the pages where people find them; returns their URIs there by delivery, and adds what went wrong."""
    uris: dict[int, str] = {}
    for index in docs.index_uris:
        site = _path_of(index).parent
        try:
            shelf.put_up(site)
        except (OSError, SamkatError) as error:
            problems.append(f"Data Docs could not be put into the landing zone: {error}")
            continue
        pages = {each: _path_of(uri) for each, uri in docs.uris.items()}
        uris |= {each: shelf.uri(page) for each, page in pages.items() if page.is_relative_to(site)}
    return uris


def _path_of(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def note_page(connection: Connection, delivery_id: int, judged: str, uri: str) -> bool:
    """Note where a delivery's page is; False where it was judged anew meanwhile: then the page is not about that."""
    noted = connection.execute(
        sa.update(raw_delivery)
        .where(raw_delivery.c.delivery_id == delivery_id, raw_delivery.c.check_tally == judged)
        .values(docs_uri=uri)
    )
    return noted.rowcount == 1
