"""Where is my order? From a number on the back of a book to what every delivery that brought it came to.

What belongs here is finding the delivered records of an ISBN, loaded or not, and saying in words what became of a
library's copy. Read-only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_bib, core_bib_isbn, core_outcome
from schemas.warehouse.raw import raw_record
from schemas.warehouse.stage import stage_holding, stage_isbn
from tasks.catalogue.trail import (
    Considered,
    Delivery,
    HeldPlan,
    Notice,
    Piece,
    Place,
    Review,
    read_candidates,
    read_deliveries,
    read_notices,
    read_pieces,
    read_plans,
    read_reviews,
)
from tasks.catalogue.why import BibVersion, HoldingVersion, holdings_of, read_bibs

MAX_ORDERS = 500
"""The newest ones: a title that three hundred libraries ordered came in as many files."""
DONE = frozenset({"created", "updated", "unchanged"})


@dataclass(frozen=True)
class OrderedHolding:
    """A holding as delivered. `outcome` is None until it is decided."""

    position: int
    part: int
    sigel: str
    outcome: str | None
    rule: str
    reason: str
    holding_id: int | None


@dataclass(frozen=True)
class Order:
    """A delivered bib with its holdings. `outcome` is that of the bib, None until it is decided."""

    delivery: Delivery
    piece: Piece
    outcome: str | None
    rule: str
    reason: str
    bib_id: int | None
    candidates: tuple[Considered, ...]
    review: Review | None
    holdings: tuple[OrderedHolding, ...]


@dataclass(frozen=True)
class IsbnExplanation:
    """Everything known about a number, and `answer`: where the order of the library `sigel` is, line by line."""

    number: str
    sigel: str | None
    answer: tuple[str, ...]
    bibs: tuple[BibVersion, ...]
    holdings: tuple[HoldingVersion, ...]
    orders: tuple[Order, ...]
    plans: tuple[HeldPlan, ...]
    notices: tuple[Notice, ...]


def why_isbn(connection: Connection, number: str, sigel: str | None = None) -> IsbnExplanation:
    """Bibs, holdings and deliveries of a number; those of one library where `sigel` is given.

    `number` is the key of 13 digits (tasks/marc/isbn.py), or for an invalid number the text as it stands in a record:
    it is compared as it is, since a wrong check digit is never repaired.
    """
    bib_ids = _bibs_with(connection, number)
    orders = _orders(connection, _loaded_places(connection, bib_ids) | _staged_places(connection, number), sigel)
    if not any(order.holdings for order in orders):
        # Rejected records are in no index: the raw layer is read through only for a number that is nowhere else.
        orders = _orders(connection, _raw_places(connection, number), sigel) or orders
        bib_ids |= {order.bib_id for order in orders if order.bib_id is not None}
    bibs = read_bibs(connection, bib_ids)
    holdings = holdings_of(connection, bib_ids, sigel)
    deliveries = {order.delivery.delivery_id: order.delivery for order in orders}
    return IsbnExplanation(
        number=number,
        sigel=sigel,
        answer=tuple(_answer(number, sigel, bibs, holdings, orders)),
        bibs=bibs,
        holdings=holdings,
        orders=orders,
        plans=read_plans(connection, deliveries.keys()),
        notices=read_notices(connection, deliveries.values()),
    )


def _bibs_with(connection: Connection, number: str) -> set[int]:
    """Bibs that have the number in 020 $a or $z, and those that took the place of one."""
    is_invalid = sa.and_(core_bib_isbn.c.raw == number, sa.text("core_bib_isbn.status = 'invalid'"))
    rows = connection.execute(
        sa.select(core_bib.c.bib_id, core_bib.c.merged_into)
        .join(core_bib_isbn, core_bib_isbn.c.bib_id == core_bib.c.bib_id)
        .where(sa.or_(core_bib_isbn.c.isbn13 == number, is_invalid))
    )
    return {bib_id for row in rows for bib_id in row if bib_id is not None}


def _loaded_places(connection: Connection, bib_ids: Collection[int]) -> set[Place]:
    rows = connection.execute(
        sa.select(core_outcome.c.delivery_id, core_outcome.c.position)
        .where(core_outcome.c.bib_id.in_(sorted(bib_ids)), core_outcome.c.record_type == "bib")
        .where(core_outcome.c.is_latest)
        .order_by(core_outcome.c.decided_at.desc())
        .limit(MAX_ORDERS)
    )
    return {(row.delivery_id, row.position) for row in rows}


def _staged_places(connection: Connection, number: str) -> set[Place]:
    """Records that are not loaded yet: what waits in the working set, bibs in review among them."""
    is_invalid = sa.and_(stage_isbn.c.raw == number, stage_isbn.c.status == "invalid")
    rows = connection.execute(
        sa.select(stage_isbn.c.delivery_id, stage_isbn.c.position)
        .where(sa.or_(stage_isbn.c.isbn13 == number, is_invalid))
        .limit(MAX_ORDERS)
    )
    return {(row.delivery_id, row.position) for row in rows}


def _raw_places(connection: Connection, number: str) -> set[Place]:
    rows = connection.execute(
        sa.select(raw_record.c.delivery_id, raw_record.c.position)
        .where(raw_record.c.isbn13 == number, raw_record.c.record_type == "bib")
        .order_by(raw_record.c.delivery_id.desc(), raw_record.c.position.desc())
        .limit(MAX_ORDERS)
    )
    return {(row.delivery_id, row.position) for row in rows}


def _orders(connection: Connection, places: set[Place], sigel: str | None) -> tuple[Order, ...]:
    """The delivered bibs at these places, newest delivery first; their holdings are those of `sigel` where given."""
    pieces = read_pieces(connection, places)
    deliveries = read_deliveries(connection, {delivery_id for delivery_id, _ in places})
    candidates, reviews = read_candidates(connection, places), read_reviews(connection, places)
    orders = []
    for place in sorted(pieces, reverse=True):
        bib = _latest_bib_outcome(connection, place)
        orders.append(
            Order(
                delivery=deliveries[place[0]],
                piece=pieces[place],
                outcome=bib.outcome if bib else None,
                rule=bib.rule if bib else "",
                reason=bib.reason if bib else "",
                bib_id=bib.bib_id if bib else None,
                candidates=tuple(candidates.get(place, ())),
                review=reviews.get(place),
                holdings=tuple(_holdings(connection, place, sigel)),
            )
        )
    return tuple(orders)


def _latest_bib_outcome(connection: Connection, place: Place) -> sa.Row[Any] | None:
    return connection.execute(
        sa.select(core_outcome).where(
            core_outcome.c.delivery_id == place[0],
            core_outcome.c.position == place[1],
            core_outcome.c.part == 0,
            core_outcome.c.record_type == "bib",
            core_outcome.c.is_latest,
        )
    ).one_or_none()


def _holdings(connection: Connection, place: Place, sigel: str | None) -> list[OrderedHolding]:
    """Holdings that were delivered with the bib, decided ones first told by their latest outcome."""
    delivery_id, position = place
    end = _next_bib(connection, place)
    decided = connection.execute(
        sa.select(core_outcome)
        .join(
            raw_record,
            sa.and_(
                raw_record.c.delivery_id == core_outcome.c.delivery_id,
                raw_record.c.position == core_outcome.c.position,
            ),
        )
        .where(core_outcome.c.delivery_id == delivery_id, core_outcome.c.position >= position)
        .where(core_outcome.c.position < end, raw_record.c.bib_position == position)
        .where(core_outcome.c.record_type == "holding", core_outcome.c.is_latest)
    )
    found = {
        (row.position, row.part): OrderedHolding(
            row.position, row.part, row.sigel or "", row.outcome, row.rule, row.reason, row.holding_id
        )
        for row in decided
    }
    staged = connection.execute(
        sa.select(stage_holding.c.position, stage_holding.c.part, stage_holding.c.sigel)
        .where(stage_holding.c.delivery_id == delivery_id, stage_holding.c.position >= position)
        .where(stage_holding.c.position < end, stage_holding.c.bib_position == position)
    )
    for row in staged:
        found.setdefault(
            (row.position, row.part), OrderedHolding(row.position, row.part, row.sigel, None, "", "", None)
        )
    return [each for _, each in sorted(found.items()) if sigel is None or each.sigel == sigel]


def _next_bib(connection: Connection, place: Place) -> int:
    """Where the holdings of this bib end: one bib, then its holdings, then the next bib."""
    following = connection.execute(
        sa.select(raw_record.c.position)
        .where(raw_record.c.delivery_id == place[0], raw_record.c.position > place[1])
        .where(raw_record.c.record_type == "bib")
        .order_by(raw_record.c.position)
        .limit(1)
    ).scalar()
    return int(following) if following is not None else 2**31 - 1


def _answer(
    number: str,
    sigel: str | None,
    bibs: Sequence[BibVersion],
    holdings: Sequence[HoldingVersion],
    orders: Sequence[Order],
) -> Iterable[str]:
    """What a librarian wants to hear, most useful first."""
    standing = [bib for bib in bibs if not bib.is_deleted]
    for holding in holdings if sigel is not None else ():
        mark = f", shelf mark {holding.shelf_mark}" if holding.shelf_mark else ""
        hidden = "" if holding.is_visible else ", not shown to the public (limited participation)"
        yield f"{sigel} has it: holding {holding.holding_id} of bib {holding.bib_id}{mark}{hidden}."
    if sigel is None:
        yield f"{_counted(len(standing), 'bib')} of the catalogue with {number}; {_held_by(holdings)}."
    yield from (line for order in orders for line in _open_ends(order))
    if sigel is not None and not any(order.holdings for order in orders):
        yield f"No delivery brought {number} for {sigel}."
    if not orders and not standing:
        yield f"Neither a delivery nor the catalogue has {number}; has the supplier sent it yet?"


def _open_ends(order: Order) -> Iterable[str]:
    """What of an order has not become a holding, and why."""
    whose = f"delivery {order.delivery.delivery_id} of {order.delivery.sender} ({order.delivery.name})"
    if order.delivery.reverted_at is not None:
        yield f"It came with {whose}, which has been reverted."
        return
    for each in order.holdings:
        if each.outcome in DONE:
            continue
        if each.outcome is None:
            why = order.delivery.hold_reason or f"the delivery is {order.delivery.state}"
            yield f"{each.sigel}: came with {whose}, not decided yet: {why}."
        else:
            review = order.review
            is_open = each.outcome == "waiting" and review is not None and review.state == "open"
            due = f"; review {review.review_id}, due on {review.due_on}" if is_open and review is not None else ""
            yield f"{each.sigel}: came with {whose}, {each.outcome}: {each.reason}{due}."


def _held_by(holdings: Sequence[HoldingVersion]) -> str:
    sigels = sorted({each.sigel for each in holdings})
    return f"held by {', '.join(sigels)}" if sigels else "no library holds it"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
