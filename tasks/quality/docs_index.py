"""The page that leads to all Data Docs of a home: the newest deliveries, what was not met, where their pages are."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.expectations import EXPECTATION_BY_KEY
from schemas.warehouse.raw import raw_check, raw_delivery
from tasks.quality.data_docs import on_the_clock
from tasks.quality.docs_shelf import DocsShelf
from tasks.warehouse.bulk import id_set

TEMPLATES = Path(__file__).parent / "templates"
INDEX = "index.html"
MOST_LISTED = 1_000


def write_index(connection: Connection, shelf: DocsShelf, zone: ZoneInfo) -> Path:
    """Write `index.html` in the shelf's folder anew and return it.

    It lists the newest deliveries that have pages, at most `MOST_LISTED`, and says how many there are. Raises `OSError`
    where it cannot be written.
    """
    has_page = raw_delivery.c.docs_uri.is_not(None)
    columns = ("delivery_id", "sender", "name", "received_at", "docs_uri")
    rows = connection.execute(
        sa.select(*(raw_delivery.c[name] for name in columns))
        .where(has_page)
        .order_by(raw_delivery.c.received_at.desc(), raw_delivery.c.delivery_id.desc())
        .limit(MOST_LISTED)
    ).all()
    number = connection.execute(sa.select(sa.func.count()).select_from(raw_delivery).where(has_page)).scalar_one()
    not_met = _not_met(connection, [row.delivery_id for row in rows])
    import jinja2  # where no page is made, a run starts sooner without

    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    text = environment.get_template("data_docs_overview.html").render(
        number=number,
        rows=[
            {
                "received_at": on_the_clock(row.received_at, zone),
                "supplier": row.sender,
                "name": row.name,
                "link": shelf.link(row.docs_uri),
                "not_met": [EXPECTATION_BY_KEY[key].title for key in not_met.get(row.delivery_id, {})],
                "is_small": not any(not_met.get(row.delivery_id, {}).values()),
            }
            for row in rows
        ],
    )
    page = shelf.folder / INDEX
    unfinished = page.with_suffix(".html.part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(page)
    return page


def _not_met(connection: Connection, delivery_ids: list[int]) -> dict[int, dict[str, bool]]:
    """By delivery the keys of what is not met, in the order of the declaration, and whether that holds a delivery."""
    rows = connection.execute(
        sa.select(raw_check.c.delivery_id, raw_check.c.expectation, raw_check.c.is_binding).where(
            raw_check.c.delivery_id.in_(sa.select(id_set(connection, delivery_ids).c.value)),
            sa.not_(raw_check.c.is_met),
        )
    ).all()
    order = list(EXPECTATION_BY_KEY)
    found: dict[int, dict[str, bool]] = {}
    for row in sorted(rows, key=lambda row: order.index(row.expectation)):
        found.setdefault(row.delivery_id, {})[row.expectation] = row.is_binding
    return found
