"""The union catalogue by content: a fingerprint without surrogate ids, instants and attempt counts.

Two warehouses with the same fingerprint hold the same bibs, numbers, holdings and lines, whatever the order in which
they got them. 035 are compared as numbers that lead to the bib, not by the field they stand in.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_bib, core_bib_identifier, core_bib_isbn, core_holding, core_holding_line
from schemas.warehouse.raw import raw_record, record_taken
from tasks.catalogue.bib_store import FACTS
from tasks.marc.encode import decode

_OWN_TAGS = ("001", "003", "005", "035")


def fingerprint(connection: Connection) -> str:
    """sha256 over everything that the catalogue says now; deleted bibs and holdings say nothing."""
    return hashlib.sha256(orjson.dumps(content(connection))).hexdigest()


def content(connection: Connection) -> list[Any]:
    """What is fingerprinted: one entry a bib, sorted. Shown by tests when two warehouses differ."""
    isbns = _rows_by_bib(connection, core_bib_isbn, ("isbn13", "raw", "subfield", "qualifier", "status"))
    identifiers = _rows_by_bib(connection, core_bib_identifier, ("scheme", "value"))
    holdings = _holdings(connection)
    rows = connection.execute(
        sa.select(
            core_bib.c.bib_id,
            *(core_bib.c[name] for name in FACTS),
            core_bib.c.source,
            core_bib.c.last_editor,
            core_bib.c.is_provisional,
            sa.func.coalesce(core_bib.c.content, record_taken),
        )
        .outerjoin(
            raw_record,
            sa.and_(
                raw_record.c.delivery_id == core_bib.c.origin_delivery_id,
                raw_record.c.position == core_bib.c.origin_position,
            ),
        )
        .where(sa.not_(core_bib.c.is_deleted))
    )
    entries = []
    for bib_id, *facts, record in rows:
        fields = [list(each) for each in decode(bytes(record)).fields() if each.tag not in _OWN_TAGS]
        entries.append([facts, fields, sorted(isbns[bib_id], key=str), sorted(identifiers[bib_id]), holdings[bib_id]])
    return sorted(entries, key=orjson.dumps)


def _rows_by_bib(connection: Connection, table: sa.Table, names: tuple[str, ...]) -> dict[int, list[list[Any]]]:
    grouped: dict[int, list[list[Any]]] = defaultdict(list)
    for bib_id, *row in connection.execute(sa.select(table.c.bib_id, *(table.c[name] for name in names))):
        grouped[bib_id].append(row)
    return grouped


def _holdings(connection: Connection) -> dict[int, list[Any]]:
    """Sigel, visibility and lines by bib."""
    lines: dict[int, list[list[Any]]] = defaultdict(list)
    line_names = ("line_no", "tag", "owner", "content")
    for holding_id, *line in connection.execute(
        sa.select(core_holding_line.c.holding_id, *(core_holding_line.c[name] for name in line_names))
    ):
        lines[holding_id].append(line)
    grouped: dict[int, list[Any]] = defaultdict(list)
    rows = connection.execute(
        sa.select(
            core_holding.c.bib_id, core_holding.c.holding_id, core_holding.c.sigel, core_holding.c.is_visible
        ).where(sa.not_(core_holding.c.is_deleted))
    )
    for bib_id, holding_id, sigel, is_visible in rows:
        # Lines of two suppliers stand in the order of arrival; by content that order does not count.
        shown = sorted([line[1:] for line in sorted(lines[holding_id])])
        grouped[bib_id].append([sigel, is_visible, shown])
    return defaultdict(list, {bib_id: sorted(entries) for bib_id, entries in grouped.items()})
