"""From the warehouse to the libraries' corrections: what the undoing of a delivery means for each library's holdings.

Read from the outcomes: an undone one is succeeded by one with the rule `reverted`, what others changed since is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import HoldingLine
from schemas.outcomes import DeliveryState, HoldingOutcome
from schemas.register.register import Register
from schemas.register.senders import RECORD_KINDS
from schemas.warehouse.core import core_bib, core_holding_version, core_outcome
from schemas.warehouse.raw import raw_record
from schemas.warehouse.stage import stage_holding_line
from tasks.catalogue.holding_store import lines_of
from tasks.notices.corrections import CorrectionEffect, CorrectionLine, LibraryCorrection
from tasks.notices.gathering_digests import supplier_name
from tasks.notices.wording import Reason
from tasks.warehouse.bulk import text_set
from tasks.warehouse.ledger import delivery

REVERTED = "reverted"
_CHANGED = (HoldingOutcome.CREATED, HoldingOutcome.UPDATED, HoldingOutcome.DELETED)
_KEPT_BECAUSE = Reason("changed_later", "the holding was changed after the delivery")


def library_corrections(
    connection: Connection, register: Register, zone: ZoneInfo, delivery_id: int
) -> list[LibraryCorrection]:
    """One for each library that a reverted delivery had changed something for, or had let wait; ordered by sigel.

    Empty for a delivery that is not reverted, and for an export of the catalogue itself. `zone` is the consortium's
    time zone, in which days are told.
    """
    row = delivery(connection, delivery_id)
    if row.state != DeliveryState.REVERTED or row.kind not in RECORD_KINDS:
        return []
    holdings = _holdings(connection, register, delivery_id)
    marks = ShelfMarks(connection, row.sender, holdings)
    return [
        LibraryCorrection(
            library_name=register.library_by_sigel[sigel].name,
            sigel=sigel,
            recipient=register.library_by_sigel[sigel].contact,
            language=register.library_by_sigel[sigel].language,
            delivery_id=delivery_id,
            supplier_name=supplier_name(register, row.sender),
            file_name=row.name,
            delivered_on=row.received_at.astimezone(zone).date(),
            reverted_on=row.reverted_at.astimezone(zone).date(),
            lines=tuple(_line(each, marks) for each in some),
            sender_kind=row.kind,
        )
        for sigel, some in groupby(holdings, key=lambda each: str(each.sigel))
    ]


def _holdings(connection: Connection, register: Register, delivery_id: int) -> Sequence[sa.Row[Any]]:
    """The delivery's holdings with their outcome before it was undone; `is_undone` is false for what others changed."""
    latest, before = core_outcome.alias("latest"), core_outcome.alias("before")
    piece, bib_piece = raw_record.alias("piece"), raw_record.alias("bib_piece")
    is_undone = latest.c.rule == REVERTED
    outcome = sa.case((is_undone, before.c.outcome), else_=latest.c.outcome)
    version = sa.case((is_undone, before.c.version), else_=latest.c.version)
    known = sa.select(text_set(connection, set(register.library_by_sigel)).c.value)
    image = core_holding_version
    return connection.execute(
        sa.select(
            latest.c.position,
            latest.c.part,
            latest.c.sigel,
            latest.c.holding_id,
            outcome.label("outcome"),
            version.label("version"),
            is_undone.label("is_undone"),
            bib_piece.c.title,
            bib_piece.c.isbn13,
            core_bib.c.author,
            image.c.lines,
            staged_mark(latest).label("staged_mark"),
        )
        .select_from(latest)
        .join(piece, sa.and_(piece.c.delivery_id == latest.c.delivery_id, piece.c.position == latest.c.position))
        .outerjoin(before, sa.and_(same_holding(before, latest), before.c.seq == latest.c.seq - 1))
        .outerjoin(
            bib_piece,
            sa.and_(bib_piece.c.delivery_id == piece.c.delivery_id, bib_piece.c.position == piece.c.bib_position),
        )
        .outerjoin(core_bib, core_bib.c.bib_id == latest.c.bib_id)
        .outerjoin(
            core_holding_version,
            sa.and_(
                core_holding_version.c.holding_id == latest.c.holding_id, core_holding_version.c.version == version
            ),
        )
        .where(
            latest.c.delivery_id == delivery_id,
            latest.c.record_type == "holding",
            latest.c.is_latest,
            latest.c.sigel.in_(known),
            sa.or_(
                sa.and_(outcome.in_(_CHANGED), version.is_not(None)),
                sa.and_(is_undone, outcome == HoldingOutcome.WAITING),
            ),
        )
        .order_by(latest.c.sigel, latest.c.position, latest.c.part)
    ).all()


def same_holding(one: sa.FromClause, other: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether two rows are of the same holding of the same delivery."""
    return sa.and_(*(one.c[name] == other.c[name] for name in ("delivery_id", "position", "part")))


def staged_mark(latest: sa.FromClause) -> sa.ScalarSelect[Any]:
    """The shelf mark as it was delivered, while the holding still waits in the working set."""
    return (
        sa.select(stage_holding_line.c.shelf_mark)
        .where(same_holding(stage_holding_line, latest), stage_holding_line.c.tag == "852")
        .order_by(stage_holding_line.c.line_no)
        .limit(1)
        .scalar_subquery()
    )


class ShelfMarks:
    """The supplier's shelf mark of a holding: as it was delivered, else as it stands now."""

    def __init__(self, connection: Connection, sender: str, holdings: Sequence[sa.Row[Any]]) -> None:
        self._sender = sender
        self._now = lines_of(connection, {each.holding_id for each in holdings if each.holding_id is not None})

    def of(self, holding: sa.Row[Any]) -> str:
        """Of a row with `lines` (an image as JSON), `holding_id` and `staged_mark`; each may be None."""
        delivered = [HoldingLine(*line) for line in orjson.loads(holding.lines)] if holding.lines else []
        return self._first(delivered) or self._first(self._now.get(holding.holding_id, [])) or holding.staged_mark or ""

    def _first(self, lines: Sequence[HoldingLine]) -> str:
        marked = [line for line in lines if line.tag == "852" and line.shelf_mark]
        own = [line for line in marked if line.owner == self._sender]
        return next((line.shelf_mark for line in (*own, *marked)), "")


def _line(holding: sa.Row[Any], marks: ShelfMarks) -> CorrectionLine:
    if not holding.is_undone:
        effect = CorrectionEffect.KEPT
    elif holding.outcome in (HoldingOutcome.CREATED, HoldingOutcome.WAITING):
        effect = CorrectionEffect.REMOVED
    else:
        effect = CorrectionEffect.RESTORED
    return CorrectionLine(
        title=holding.title or "",
        author=holding.author or "",
        isbn=holding.isbn13 or "",
        shelf_mark=marks.of(holding),
        effect=effect,
        reason=None if holding.is_undone else _KEPT_BECAUSE,
    )
