"""From the warehouse to the libraries' later digests: what was decided about holdings that they were told wait.

Read from the outcomes: what a library knows is the last one before the delivery was last told of, what it does not know
yet is the latest. The working set of what was decided is gone by then; the shelf marks are those of the catalogue.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import BibOutcome, DeliveryState, HoldingOutcome
from schemas.register.register import Register
from schemas.warehouse.core import core_bib, core_holding_version, core_outcome, core_plan, core_review
from schemas.warehouse.raw import raw_delivery, raw_member, raw_progress, raw_record
from schemas.warehouse.stage import stage_bib
from tasks.notices.digest import ADDED, NEEDS_ATTENTION, NOT_LOADED, ORDER, DigestLine, LibraryDigest
from tasks.notices.gathering_corrections import REVERTED, ShelfMarks, same_holding, staged_mark
from tasks.notices.gathering_digests import (
    MAX_LINES,
    file_name,
    is_bib_of,
    reason_of,
    same_place,
    sender_kind,
    supplier_name,
)
from tasks.notices.wording import Reason
from tasks.warehouse.bulk import id_set, text_set

FIRST_TOLD = "notify"
LATER_TOLD = "notify_decided"
"""Stages of the progress: when a delivery was told of, and up to when what was decided about it later was."""
GUARD = "guard:"
_PLACE = {outcome: number for number, outcome in enumerate(ORDER)}


def maybe_untold(connection: Connection, deliveries: Collection[int]) -> list[int]:
    """Those of `deliveries` that were told of, and what a killed run decided about others and left untold."""
    first, later, told_at = _told_at()
    is_asked_for = raw_delivery.c.delivery_id.in_(sa.select(id_set(connection, deliveries).c.value))
    review = core_review.c.delivery_id == raw_delivery.c.delivery_id
    is_provisional = sa.and_(core_review.c.provisional_bib_id.is_not(None), core_review.c.decided_at.is_(None))
    plan = core_plan.c.delivery_id == raw_delivery.c.delivery_id
    is_left_behind = sa.or_(
        sa.exists().where(review, sa.or_(core_review.c.decided_at > told_at, is_provisional)),
        sa.exists().where(plan, core_plan.c.decided_at > told_at),
    )
    return list(
        connection.execute(
            sa.select(raw_delivery.c.delivery_id)
            .join(first, sa.and_(first.c.delivery_id == raw_delivery.c.delivery_id, first.c.stage == FIRST_TOLD))
            .outerjoin(later, sa.and_(later.c.delivery_id == raw_delivery.c.delivery_id, later.c.stage == LATER_TOLD))
            .where(
                first.c.done_at.is_not(None),
                raw_delivery.c.state.in_([DeliveryState.LOADED, DeliveryState.SETTLED]),
                sa.or_(is_asked_for, is_left_behind),
            )
            .order_by(raw_delivery.c.delivery_id)
        ).scalars()
    )


def _told_at() -> tuple[sa.FromClause, sa.FromClause, sa.ColumnElement[Any]]:
    """The two rows of progress, and the instant up to which a delivery has been told of."""
    first, later = raw_progress.alias("first_told"), raw_progress.alias("later_told")
    return first, later, sa.func.coalesce(later.c.done_at, first.c.done_at)


def decided_digests(
    connection: Connection,
    register: Register,
    deliveries: Collection[int],
    *,
    run_date: date,
    max_lines: int = MAX_LINES,
) -> list[LibraryDigest]:
    """One digest for each library and supplier over what was decided since `deliveries` were told of; by supplier,
    then sigel.

    Told is what the library knows as waiting, refused or rejected and what is something else now. What was undone is
    not: corrections tell it. The key of a digest is made of its outcomes, so that they are told once.
    """
    rows = _decided(connection, deliveries, set(register.library_by_sigel))
    by_supplier: list[LibraryDigest] = []
    for sender, some in groupby(sorted(rows, key=_place_of), key=lambda row: str(row.sender)):
        mine = list(some)
        marks = ShelfMarks(connection, sender, mine)
        for sigel, holdings in groupby(mine, key=lambda row: str(row.sigel)):
            by_supplier.append(_digest(register, sender, sigel, list(holdings), marks, run_date, max_lines))
    return by_supplier


def _place_of(row: sa.Row[Any]) -> tuple[Any, ...]:
    when = row.sent_at_name or ""
    return row.sender, row.sigel, _PLACE[row.outcome], when, row.delivery_id, row.position, row.part


def _digest(
    register: Register,
    sender: str,
    sigel: str,
    holdings: Sequence[sa.Row[Any]],
    marks: ShelfMarks,
    run_date: date,
    max_lines: int,
) -> LibraryDigest:
    library = register.library_by_sigel[sigel]
    return LibraryDigest(
        library_name=library.name,
        sigel=sigel,
        recipient=library.contact,
        supplier_code=sender,
        supplier_name=supplier_name(register, sender),
        language=library.language,
        run_key=key_of_outcomes(holdings),
        run_date=run_date,
        lines=tuple(_line(row, marks) for row in holdings[:max_lines]),
        counts=Counter(HoldingOutcome(row.outcome) for row in holdings),
        bib_counts=Counter(BibOutcome(row.bib_outcome) for row in holdings if row.bib_outcome),
        has_waited=True,
        sender_kind=sender_kind(register, sender),
    )


def key_of_outcomes(rows: Iterable[sa.Row[Any]]) -> str:
    """A name for these outcomes told together: the same in every warehouse, and when a killed run is done again."""
    identities = sorted(
        f"{row.sender}/{row.sha256}/{row.generation}/{row.position}/{row.part}/{row.seq}" for row in rows
    )
    return hashlib.sha256("\n".join(identities).encode()).hexdigest()[:16]


def _decided(connection: Connection, deliveries: Collection[int], sigels: Collection[str]) -> Sequence[sa.Row[Any]]:
    latest, bib = core_outcome.alias("latest"), core_outcome.alias("bib")
    piece, bib_piece = raw_record.alias("piece"), raw_record.alias("bib_piece")
    first, later, told_at = _told_at()
    # The lines of a holding that was deleted are those of the version before.
    version = latest.c.version - sa.case((latest.c.outcome == HoldingOutcome.DELETED, 1), else_=0)
    image = sa.and_(core_holding_version.c.holding_id == latest.c.holding_id, core_holding_version.c.version == version)
    member = sa.and_(raw_member.c.delivery_id == piece.c.delivery_id, raw_member.c.member_no == piece.c.member_no)
    of_bib = sa.and_(bib_piece.c.delivery_id == piece.c.delivery_id, bib_piece.c.position == piece.c.bib_position)
    return connection.execute(
        sa.select(
            *(raw_delivery.c[name] for name in ("sender", "sha256", "generation", "sent_at_name")),
            raw_delivery.c.name.label("delivery_name"),
            *(latest.c[name] for name in ("delivery_id", "position", "part", "seq", "sigel", "outcome", "rule")),
            *(latest.c[name] for name in ("reason", "holding_id")),
            bib.c.outcome.label("bib_outcome"),
            bib.c.rule.label("bib_rule"),
            bib.c.reason.label("bib_reason"),
            bib_piece.c.title,
            bib_piece.c.isbn13,
            sa.func.coalesce(stage_bib.c.author, core_bib.c.author).label("author"),
            raw_member.c.name.label("member_name"),
            core_holding_version.c.lines,
            staged_mark(latest).label("staged_mark"),
        )
        .select_from(latest)
        .join(raw_delivery, raw_delivery.c.delivery_id == latest.c.delivery_id)
        .join(first, sa.and_(first.c.delivery_id == latest.c.delivery_id, first.c.stage == FIRST_TOLD))
        .outerjoin(later, sa.and_(later.c.delivery_id == latest.c.delivery_id, later.c.stage == LATER_TOLD))
        .join(piece, same_place(piece, latest))
        .outerjoin(bib_piece, of_bib)
        .outerjoin(bib, is_bib_of(bib, piece))
        .outerjoin(stage_bib, same_place(stage_bib, bib_piece))
        .outerjoin(core_bib, core_bib.c.bib_id == latest.c.bib_id)
        .outerjoin(core_holding_version, image)
        .outerjoin(raw_member, member)
        .where(
            latest.c.delivery_id.in_(sa.select(id_set(connection, deliveries).c.value)),
            _is_news(latest, told_at),
            latest.c.sigel.in_(sa.select(text_set(connection, sigels).c.value)),
        )
    ).all()


def _is_news(latest: sa.FromClause, told_at: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Holdings that the library knows as not loaded (yet), and of which something else is true now."""
    known = _known_outcome(latest, told_at)
    return sa.and_(
        latest.c.record_type == "holding",
        latest.c.is_latest,
        latest.c.seq > 1,
        latest.c.decided_at > told_at,
        latest.c.outcome != HoldingOutcome.WAITING,
        latest.c.rule != REVERTED,
        known.in_(NEEDS_ATTENTION),
        known != latest.c.outcome,
    )


def _known_outcome(latest: sa.FromClause, told_at: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    """The outcome that the library was told of last."""
    known = core_outcome.alias("known")
    return (
        sa.select(known.c.outcome)
        .where(same_holding(known, latest), known.c.decided_at <= told_at)
        .order_by(known.c.seq.desc())
        .limit(1)
        .scalar_subquery()
    )


def _line(row: sa.Row[Any], marks: ShelfMarks) -> DigestLine:
    return DigestLine(
        title=row.title or "",
        author=row.author or "",
        isbn=row.isbn13 or "",
        shelf_mark=marks.of(row),
        outcome=HoldingOutcome(row.outcome),
        bib_outcome=BibOutcome(row.bib_outcome) if row.bib_outcome else None,
        reason=_reason(row),
        position=row.position,
        file_name=file_name(row.delivery_name, row.member_name),
    )


def _reason(row: sa.Row[Any]) -> Reason:
    """Why, as the library should hear it: what a person decided is not what the record lacks or waits for."""
    if row.outcome in NOT_LOADED and row.rule.startswith(GUARD):
        return Reason(f"plan_rejected:{row.rule.removeprefix(GUARD)}", row.reason)
    says_it_of_the_bib = {"decided_reject": NOT_LOADED, "review_deadline": ADDED}
    if row.outcome in says_it_of_the_bib.get(row.bib_rule, ()):
        return Reason(row.bib_rule, row.bib_reason)
    return reason_of(row)
