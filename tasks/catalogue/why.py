"""Why is it so? From a bib, a holding or an ISBN back to the byte of the delivery that each decision came from.

What belongs here is putting a trail together (tasks/catalogue/trail.py reads its parts) and saying where an order is.
Read-only, plain data; the command line renders it, and `--json` prints it as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.marc import HoldingLine
from schemas.warehouse.core import (
    core_bib,
    core_bib_identifier,
    core_bib_isbn,
    core_bib_version,
    core_holding,
    core_holding_line,
    core_holding_version,
    core_outcome,
)
from tasks.catalogue.trail import (
    Delivery,
    HeldPlan,
    Merge,
    Notice,
    Step,
    read_merges,
    read_notices,
    read_plans,
    read_steps,
)
from tasks.warehouse.bulk import id_set

MAX_STEPS = 500
"""A bib that three hundred libraries bought has a long trail; the newest steps are the ones asked for."""


@dataclass(frozen=True)
class BibVersion:
    """A bib as it was, or is (`ended_at` None), and the delivered record that made it so."""

    bib_id: int
    control_number: str
    version: int
    title: str
    author: str
    year: int | None
    encoding_level: str
    carrier: str
    source: str
    last_editor: str
    is_national_bibliography: bool
    is_provisional: bool
    is_deleted: bool
    merged_into: int | None
    origin_delivery_id: int | None
    origin_position: int | None
    updated_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class HoldingVersion:
    """A holding as it was, or is (`ended_at` None), with all its lines and whose they are."""

    holding_id: int
    bib_id: int
    sigel: str
    version: int
    is_visible: bool
    is_deleted: bool
    delivery_id: int | None
    updated_at: datetime
    ended_at: datetime | None
    lines: tuple[HoldingLine, ...]

    @property
    def shelf_mark(self) -> str:
        """Of the first line that has one."""
        return next((line.shelf_mark for line in self.lines if line.shelf_mark), "")


@dataclass(frozen=True)
class BibExplanation:
    """A bib now, what it was before, which numbers lead to it, who holds it, and every outcome that touched it."""

    bib: BibVersion
    isbns: tuple[str, ...]
    identifiers: tuple[str, ...]
    earlier: tuple[BibVersion, ...]
    steps: tuple[Step, ...]
    holdings: tuple[HoldingVersion, ...]
    plans: tuple[HeldPlan, ...]
    notices: tuple[Notice, ...]
    merges: tuple[Merge, ...] = ()


@dataclass(frozen=True)
class HoldingExplanation:
    """A holding now, what it was before, every outcome that touched it, and how its bib was found each time."""

    holding: HoldingVersion
    bib: BibVersion
    earlier: tuple[HoldingVersion, ...]
    steps: tuple[Step, ...]
    bib_steps: tuple[Step, ...]
    plans: tuple[HeldPlan, ...]
    notices: tuple[Notice, ...]


def why_bib(connection: Connection, bib_id: int) -> BibExplanation:
    """The trail of a bib. Raises `UsageError` where there is none with this id."""
    bib = _bib(connection, bib_id)
    steps = read_steps(
        connection, sa.and_(core_outcome.c.bib_id == bib_id, core_outcome.c.record_type == "bib"), MAX_STEPS
    )
    isbns = connection.execute(
        sa.select(core_bib_isbn).where(core_bib_isbn.c.bib_id == bib_id).order_by(core_bib_isbn.c.seq)
    )
    identifiers = connection.execute(
        sa.select(core_bib_identifier)
        .where(core_bib_identifier.c.bib_id == bib_id)
        .order_by(core_bib_identifier.c.scheme, core_bib_identifier.c.value)
    )
    plans, notices = _around(connection, steps)
    return BibExplanation(
        bib=bib,
        isbns=tuple(_isbn_in_words(row) for row in isbns),
        identifiers=tuple(f"{row.scheme} {row.value} (from {row.source})" for row in identifiers),
        earlier=_earlier_bibs(connection, bib),
        steps=steps,
        holdings=holdings_of(connection, [bib_id]),
        plans=plans,
        notices=notices,
        merges=read_merges(connection, bib_id),
    )


def why_holding(connection: Connection, holding_id: int) -> HoldingExplanation:
    """The trail of a holding. Raises `UsageError` where there is none with this id."""
    row = connection.execute(
        sa.select(core_holding.c.bib_id).where(core_holding.c.holding_id == holding_id)
    ).one_or_none()
    if row is None:
        raise UsageError(f"there is no holding {holding_id}", remedy="`samkat why isbn ISBN` finds holdings by book")
    holding = next(
        each for each in holdings_of(connection, [row.bib_id], with_deleted=True) if each.holding_id == holding_id
    )
    earlier = _earlier_holdings(connection, holding)
    # Outcomes are found by bib, which has an index; a holding that moved has outcomes under its former bibs as well.
    bibs = {holding.bib_id, *(each.bib_id for each in earlier)}
    steps = read_steps(
        connection,
        sa.and_(core_outcome.c.bib_id.in_(bibs), core_outcome.c.holding_id == holding_id),
        MAX_STEPS,
    )
    plans, notices = _around(connection, steps)
    return HoldingExplanation(
        holding=holding,
        bib=_bib(connection, holding.bib_id),
        earlier=earlier,
        steps=steps,
        bib_steps=_bib_steps(connection, steps),
        plans=plans,
        notices=notices,
    )


def bib_id_of(connection: Connection, text: str) -> int:
    """The id of a bib that a person names by its id or by its control number. Raises `UsageError` for neither."""
    wanted = text.strip()
    by_number = connection.execute(
        sa.select(core_bib.c.bib_id).where(core_bib.c.control_number == wanted)
    ).scalar_one_or_none()
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 19:
        # A catalogue's own numbers may be digits too; the id is what every other command shows.
        by_id = connection.execute(sa.select(core_bib.c.bib_id).where(core_bib.c.bib_id == int(wanted))).scalar()
        if by_id is not None:
            return int(by_id)
    if by_number is None:
        raise UsageError(
            f"there is no bib with the id or control number {wanted!r}",
            remedy="`samkat why isbn ISBN` finds bibs by book",
        )
    return int(by_number)


def read_bibs(connection: Connection, bib_ids: Iterable[int]) -> tuple[BibVersion, ...]:
    """Bibs as they are now, in order of their ids."""
    wanted = id_set(connection, set(bib_ids))
    rows = connection.execute(
        sa.select(*_bib_columns(core_bib), sa.null().label("ended_at"))
        .join(wanted, wanted.c.value == core_bib.c.bib_id)
        .order_by(core_bib.c.bib_id)
    )
    return tuple(BibVersion(**row._mapping) for row in rows)


def holdings_of(
    connection: Connection, bib_ids: Iterable[int], sigel: str | None = None, *, with_deleted: bool = False
) -> tuple[HoldingVersion, ...]:
    """Holdings of these bibs as they are now, by sigel; of one library where `sigel` is given."""
    wanted = id_set(connection, set(bib_ids))
    statement = sa.select(core_holding).join(wanted, wanted.c.value == core_holding.c.bib_id)
    if sigel is not None:
        statement = statement.where(core_holding.c.sigel == sigel)
    if not with_deleted:
        statement = statement.where(sa.not_(core_holding.c.is_deleted))
    rows = connection.execute(statement.order_by(core_holding.c.sigel, core_holding.c.holding_id)).all()
    lines = _lines(connection, [row.holding_id for row in rows])
    return tuple(
        HoldingVersion(
            holding_id=row.holding_id,
            bib_id=row.bib_id,
            sigel=row.sigel,
            version=row.version,
            is_visible=row.is_visible,
            is_deleted=row.is_deleted,
            delivery_id=row.delivery_id,
            updated_at=row.updated_at,
            ended_at=None,
            lines=lines.get(row.holding_id, ()),
        )
        for row in rows
    )


def _bib(connection: Connection, bib_id: int) -> BibVersion:
    found = read_bibs(connection, [bib_id])
    if not found:
        raise UsageError(f"there is no bib {bib_id}", remedy="`samkat why isbn ISBN` finds bibs by book")
    return found[0]


def _bib_columns(table: sa.Table) -> list[sa.Column[Any]]:
    elsewhere = {"ended_at"} if table is core_bib else {"control_number"}
    return [table.c[name] for name in BibVersion.__dataclass_fields__ if name not in elsewhere]


def _earlier_bibs(connection: Connection, bib: BibVersion) -> tuple[BibVersion, ...]:
    rows = connection.execute(
        sa.select(*_bib_columns(core_bib_version))
        .where(core_bib_version.c.bib_id == bib.bib_id)
        .order_by(core_bib_version.c.version)
    )
    # The control number is kept through every replacement.
    return tuple(BibVersion(**{**row._mapping, "control_number": bib.control_number}) for row in rows)


def _lines(connection: Connection, holding_ids: Sequence[int]) -> dict[int, tuple[HoldingLine, ...]]:
    wanted = id_set(connection, holding_ids)
    rows = connection.execute(
        sa.select(core_holding_line.c.holding_id, *(core_holding_line.c[name] for name in HoldingLine._fields))
        .join(wanted, wanted.c.value == core_holding_line.c.holding_id)
        .order_by(core_holding_line.c.holding_id, core_holding_line.c.line_no)
    )
    lines: dict[int, tuple[HoldingLine, ...]] = {}
    for holding_id, *line in rows:
        lines[holding_id] = (*lines.get(holding_id, ()), HoldingLine(*line))
    return lines


def _earlier_holdings(connection: Connection, holding: HoldingVersion) -> tuple[HoldingVersion, ...]:
    rows = connection.execute(
        sa.select(core_holding_version)
        .where(core_holding_version.c.holding_id == holding.holding_id)
        .order_by(core_holding_version.c.version)
    )
    return tuple(
        HoldingVersion(
            holding_id=row.holding_id,
            bib_id=row.bib_id,
            sigel=holding.sigel,
            version=row.version,
            is_visible=row.is_visible,
            is_deleted=row.is_deleted,
            delivery_id=row.delivery_id,
            updated_at=row.updated_at,
            ended_at=row.ended_at,
            lines=tuple(HoldingLine(*line) for line in json.loads(row.lines)),
        )
        for row in rows
    )


def _bib_steps(connection: Connection, steps: Sequence[Step]) -> tuple[Step, ...]:
    """What became of the bibs that these delivered holdings belong to."""
    places = {(each.delivery.delivery_id, each.piece.bib_position or each.piece.position) for each in steps}
    if not places:
        return ()
    key = sa.tuple_(core_outcome.c.delivery_id, core_outcome.c.position)
    condition = sa.and_(key.in_(sorted(places)), core_outcome.c.part == 0, core_outcome.c.record_type == "bib")
    return read_steps(connection, condition, MAX_STEPS)


def _around(connection: Connection, steps: Sequence[Step]) -> tuple[tuple[HeldPlan, ...], tuple[Notice, ...]]:
    """Plans held and e-mails sent about the deliveries of these steps."""
    deliveries: dict[int, Delivery] = {each.delivery.delivery_id: each.delivery for each in steps}
    return read_plans(connection, deliveries.keys()), read_notices(connection, deliveries.values())


def _isbn_in_words(row: sa.Row[Any]) -> str:
    number = row.isbn13 or row.raw
    about = [f"020 ${row.subfield}", row.status, *([row.qualifier] if row.qualifier else [])]
    return f"{number} ({', '.join(about)})"
