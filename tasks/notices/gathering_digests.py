"""From the warehouse to the libraries' digests: what became of each library's holdings in the deliveries of a run.

A few statements a run, whatever the number of records. Only so many titles of a library are fetched as an e-mail can
use; the counts are of all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import BibOutcome, HoldingOutcome
from schemas.register.register import Register
from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_delivery, raw_member, raw_record
from schemas.warehouse.stage import stage_bib, stage_holding, stage_holding_line, stage_isbn
from tasks.marc.holdings import SIGEL_MISSING
from tasks.notices.digest import ORDER, DigestLine, LibraryDigest
from tasks.notices.wording import Reason
from tasks.warehouse.bulk import id_set, text_set

MAX_LINES = 2_000
"""Titles of a digest with the attached list: some 300 kB. What needs attention comes first."""
ROWS_AT_ONCE = 500

Key = tuple[str, str]
"""(supplier code, sigel)"""


@dataclass
class Totals:
    """All holdings of a library in a supplier's deliveries, and all bibs they belong to, by outcome."""

    holdings: Counter[HoldingOutcome] = field(default_factory=Counter)
    bibs: Counter[BibOutcome] = field(default_factory=Counter)


def library_digests(
    connection: Connection,
    register: Register,
    deliveries: Collection[int],
    *,
    run_keys: Mapping[str, str],
    run_date: date,
    max_lines: int = MAX_LINES,
) -> Iterator[LibraryDigest]:
    """One digest for each library and supplier, ordered by supplier, then sigel; read them before the next statement
    that could change the outcomes.

    `run_keys` gives the key of the run by supplier code. Holdings for sigels that the register does not know are told
    to nobody here: the supplier hears of them. Needs the stage tables of the deliveries, so it comes before settling.
    """
    totals = _totals(connection, deliveries, set(register.library_by_sigel))
    if any(each.holdings.total() > max_lines for each in totals.values()):
        _count_bibs(connection, deliveries, totals)
    rows = connection.execute(
        _lines(connection, deliveries, {sigel for _, sigel in totals}, max_lines),
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    for (sender, sigel), some in groupby(rows, key=lambda row: (row.sender, row.sigel)):
        library, found = register.library_by_sigel[sigel], totals[sender, sigel]
        yield LibraryDigest(
            library_name=library.name,
            sigel=sigel,
            recipient=library.contact,
            supplier_code=sender,
            supplier_name=supplier_name(register, sender),
            language=library.language,
            run_key=run_keys[sender],
            run_date=run_date,
            lines=tuple(_line(row) for row in some),
            counts=found.holdings,
            bib_counts=found.bibs,
            sender_kind=sender_kind(register, sender),
        )


def supplier_name(register: Register, code: str) -> str:
    """The supplier's name; its code where the register no longer has it."""
    found = register.sender_by_code.get(code)
    return found.name if found else code


def sender_kind(register: Register, code: str) -> str:
    """In whose words a sender's records are told of: `import`, or `supplier`, also where the register forgot it."""
    return "import" if code in register.import_profile_by_code else "supplier"


def file_name(delivery_name: str, member_name: str | None) -> str:
    """The file as a person would look for it: `packed.zip (day.mrc)` where it came inside another."""
    return delivery_name if member_name in (None, "", delivery_name) else f"{delivery_name} ({member_name})"


def lacks_bib(row: sa.Row[Any]) -> bool:
    """Whether an outcome (`rule`, `reason`) is of a holding of which nobody can say what it is a holding of.

    The bib that the ledger names for it is then only the last one that could be read before it.
    """
    return bool(row.rule == "no_bib" or (row.rule == "holding_unfit" and row.reason != SIGEL_MISSING))


def reason_of(row: sa.Row[Any]) -> Reason:
    """The reason of an outcome. That no bib precedes a holding has a rule of its own for the reader, who can do
    something else about it than about an unfit record.
    """
    return Reason("no_bib" if lacks_bib(row) else row.rule, row.reason)


def _is_ours(connection: Connection, deliveries: Collection[int], sigels: Collection[str]) -> sa.ColumnElement[bool]:
    """Latest outcomes of holdings of these libraries in these deliveries."""
    return sa.and_(
        core_outcome.c.delivery_id.in_(sa.select(id_set(connection, deliveries).c.value)),
        core_outcome.c.record_type == "holding",
        core_outcome.c.is_latest,
        core_outcome.c.sigel.in_(sa.select(text_set(connection, sigels).c.value)),
    )


def _totals(connection: Connection, deliveries: Collection[int], sigels: Collection[str]) -> dict[Key, Totals]:
    totals: dict[Key, Totals] = defaultdict(Totals)
    rows = connection.execute(
        sa.select(raw_delivery.c.sender, core_outcome.c.sigel, core_outcome.c.outcome, sa.func.count())
        .join(raw_delivery, raw_delivery.c.delivery_id == core_outcome.c.delivery_id)
        .where(_is_ours(connection, deliveries, sigels))
        .group_by(raw_delivery.c.sender, core_outcome.c.sigel, core_outcome.c.outcome)
    )
    for sender, sigel, outcome, number in rows:
        totals[sender, sigel].holdings[HoldingOutcome(outcome)] = number
    return totals


def _count_bibs(connection: Connection, deliveries: Collection[int], totals: Mapping[Key, Totals]) -> None:
    """Bibs of all holdings, for digests that do not list all of them. Such deliveries are staged still."""
    bib = core_outcome.alias("bib")
    staged = sa.and_(same_place(stage_holding, core_outcome), stage_holding.c.part == core_outcome.c.part)
    rows = connection.execute(
        sa.select(raw_delivery.c.sender, core_outcome.c.sigel, bib.c.outcome, sa.func.count())
        .select_from(core_outcome)
        .join(raw_delivery, raw_delivery.c.delivery_id == core_outcome.c.delivery_id)
        .join(stage_holding, staged)
        .join(bib, is_bib_of(bib, stage_holding))
        .where(_is_ours(connection, deliveries, {sigel for _, sigel in totals}))
        .group_by(raw_delivery.c.sender, core_outcome.c.sigel, bib.c.outcome)
    )
    for sender, sigel, outcome, number in rows:
        totals[sender, sigel].bibs[BibOutcome(outcome)] = number


def same_place(one: sa.FromClause, other: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether two rows are of the same record of the same delivery."""
    return sa.and_(one.c.delivery_id == other.c.delivery_id, one.c.position == other.c.position)


def is_bib_of(bib: sa.FromClause, piece: sa.FromClause) -> sa.ColumnElement[bool]:
    """The latest outcome of the bib that a piece belongs to."""
    return sa.and_(
        bib.c.delivery_id == piece.c.delivery_id,
        bib.c.position == piece.c.bib_position,
        bib.c.part == 0,
        bib.c.record_type == "bib",
        bib.c.is_latest,
    )


def _lines(
    connection: Connection, deliveries: Collection[int], sigels: Collection[str], max_lines: int
) -> sa.Select[Any]:
    """The first `max_lines` holdings of each (supplier, library), in the order of a digest, with what they are of."""
    place = {str(outcome): number for number, outcome in enumerate(ORDER)}
    in_order = (
        sa.case(place, value=core_outcome.c.outcome),
        sa.func.coalesce(raw_delivery.c.sent_at_name, ""),
        core_outcome.c.delivery_id,
        core_outcome.c.position,
        core_outcome.c.part,
    )
    numbered = (
        sa.select(
            raw_delivery.c.sender,
            raw_delivery.c.name.label("delivery_name"),
            *(core_outcome.c[name] for name in ("delivery_id", "position", "part", "sigel", "outcome", "rule")),
            core_outcome.c.reason,
            sa.func.row_number()
            .over(partition_by=(raw_delivery.c.sender, core_outcome.c.sigel), order_by=in_order)
            .label("number"),
        )
        .join(raw_delivery, raw_delivery.c.delivery_id == core_outcome.c.delivery_id)
        .where(_is_ours(connection, deliveries, sigels))
        .subquery("numbered")
    )
    piece, bib_piece, bib = raw_record.alias("piece"), raw_record.alias("bib_piece"), core_outcome.alias("bib")
    of_bib = sa.and_(bib_piece.c.delivery_id == piece.c.delivery_id, bib_piece.c.position == piece.c.bib_position)
    return (
        sa.select(
            numbered,
            raw_member.c.name.label("member_name"),
            bib.c.outcome.label("bib_outcome"),
            bib_piece.c.title,
            sa.func.coalesce(bib_piece.c.isbn13, _first_number(piece)).label("isbn"),
            stage_bib.c.author,
            _shelf_mark(numbered).label("shelf_mark"),
        )
        .select_from(numbered)
        .join(piece, same_place(piece, numbered))
        .outerjoin(bib_piece, of_bib)
        .outerjoin(bib, is_bib_of(bib, piece))
        .outerjoin(stage_bib, same_place(stage_bib, bib_piece))
        .outerjoin(
            raw_member,
            sa.and_(raw_member.c.delivery_id == piece.c.delivery_id, raw_member.c.member_no == piece.c.member_no),
        )
        .where(numbered.c.number <= max_lines)
        .order_by(numbered.c.sender, numbered.c.sigel, numbered.c.number)
    )


def _first_number(piece: sa.FromClause) -> sa.ScalarSelect[Any]:
    """The first 020 of the bib as it came, for bibs without a valid one: the library may know its order by it."""
    return (
        sa.select(stage_isbn.c.raw)
        .where(stage_isbn.c.delivery_id == piece.c.delivery_id, stage_isbn.c.position == piece.c.bib_position)
        .order_by(stage_isbn.c.seq)
        .limit(1)
        .scalar_subquery()
    )


def _shelf_mark(numbered: sa.FromClause) -> sa.ScalarSelect[Any]:
    """The shelf mark of the first 852 that was delivered."""
    return (
        sa.select(stage_holding_line.c.shelf_mark)
        .where(
            same_place(stage_holding_line, numbered),
            stage_holding_line.c.part == numbered.c.part,
            stage_holding_line.c.tag == "852",
        )
        .order_by(stage_holding_line.c.line_no)
        .limit(1)
        .scalar_subquery()
    )


def _line(row: sa.Row[Any]) -> DigestLine:
    title, author, isbn = ("", "", "") if lacks_bib(row) else (row.title, row.author, row.isbn)
    return DigestLine(
        title=title or "",
        author=author or "",
        isbn=isbn or "",
        shelf_mark=row.shelf_mark or "",
        outcome=HoldingOutcome(row.outcome),
        bib_outcome=BibOutcome(row.bib_outcome) if row.bib_outcome and not lacks_bib(row) else None,
        reason=reason_of(row),
        position=row.position,
        file_name=file_name(row.delivery_name, row.member_name),
    )
