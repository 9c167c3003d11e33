"""From the warehouse to the suppliers' rejects: what was not accepted of their deliveries, with its bytes.

A record is not accepted when it cannot be read, when it is rejected, or when a rule of the register refuses its
holding. A file that was rejected as a whole, or whose every record ended by one rule, is told as a file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import Finding
from schemas.outcomes import BibOutcome, DeliveryState, HoldingOutcome, RecordType
from schemas.register.register import Register
from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_delivery, raw_member, raw_record
from schemas.warehouse.stage import stage_preview
from tasks.landing.archive import QuarantinedPiece
from tasks.notices.gathering_digests import file_name, lacks_bib, reason_of, sender_kind, supplier_name
from tasks.notices.rejects import RejectedFile, RejectedRecord, SupplierRejects
from tasks.notices.wording import Reason
from tasks.warehouse.bulk import id_set

MAX_RECORDS = 1_000
"""Records of a delivery that are told one by one; the others are counted."""
MAX_BYTES = 50_000_000
"""Bytes of records that are held at a time, of all deliveries of a run together."""
ROWS_AT_ONCE = 50

WHOLE_FILE_RULES = (
    "delivery_rejected",
    "name_promise_broken",
    "supplier_before_agreement",
    "supplier_without_agreement",
)
"""Rules that end every record of a delivery alike."""


@dataclass
class DeliveryRejects:
    """What was not accepted of one delivery. `rejected` counts all records, also those that are not in `records`."""

    delivery_id: int
    sender: str
    pieces: int
    rejected: int = 0
    records: list[RejectedRecord] = field(default_factory=list)
    files: list[RejectedFile] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether all of it was accepted."""
        return not self.records and not self.files


def rejects_of(
    connection: Connection,
    register: Register,
    deliveries: Collection[int],
    max_records: int = MAX_RECORDS,
    *,
    is_preview: bool = False,
) -> list[DeliveryRejects]:
    """What was not accepted of loaded and of rejected deliveries, in the order of `delivery_id`.

    With `is_preview` what would not be accepted, as a dry run of them found.
    """
    ledger = _ledger(connection, deliveries)
    found = {row.delivery_id: DeliveryRejects(row.delivery_id, row.sender, int(row.pieces or 0)) for row in ledger}
    loaded = [row.delivery_id for row in ledger if row.state != DeliveryState.REJECTED]
    whole = _rejected_by_rule(connection, deliveries)
    for row in ledger:
        reason, remedy = whole.get(row.delivery_id), ""
        if reason is None and row.state == DeliveryState.REJECTED:
            supplier = register.sender_by_code.get(row.sender)
            example = supplier.file.example if supplier else None
            reason, remedy = reason_of_file(row.hold_reason or "", row.name, example)
        if reason is not None:
            found[row.delivery_id].files.append(RejectedFile(row.name, row.bytes, row.sha256, reason, remedy))
    _add_records(found, _rejected_records(connection, loaded, max_records, is_preview))
    return list(found.values())


def for_supplier(
    register: Register, sender: str, found: Sequence[DeliveryRejects], *, run_key: str, run_date: date
) -> SupplierRejects:
    """What one supplier is told about these deliveries of its."""
    supplier = register.sender_by_code[sender]
    return SupplierRejects(
        supplier_code=sender,
        supplier_name=supplier_name(register, sender),
        recipient=supplier.contact,
        language=supplier.language,
        run_key=run_key,
        run_date=run_date,
        records_read=sum(each.pieces for each in found),
        records=tuple(record for each in found for record in each.records),
        files=tuple(file for each in found for file in each.files),
        rejected=sum(each.rejected for each in found),
        kept_days=register.retention.rejects_days,
        sender_kind=sender_kind(register, sender),
    )


def _ledger(connection: Connection, deliveries: Collection[int]) -> Sequence[sa.Row[Any]]:
    pieces = (
        sa.select(sa.func.sum(raw_member.c.pieces))
        .where(raw_member.c.delivery_id == raw_delivery.c.delivery_id)
        .scalar_subquery()
    )
    # Of a file that was rejected as a whole nothing was read, whatever the reader left behind.
    read = sa.case((raw_delivery.c.state == DeliveryState.REJECTED, 0), else_=pieces)
    names = ("delivery_id", "sender", "name", "state", "hold_reason", "bytes", "sha256")
    return connection.execute(
        sa.select(*(raw_delivery.c[name] for name in names), read.label("pieces"))
        .where(raw_delivery.c.delivery_id.in_(sa.select(id_set(connection, deliveries).c.value)))
        .order_by(raw_delivery.c.delivery_id)
    ).all()


def _rejected_by_rule(connection: Connection, deliveries: Collection[int]) -> dict[int, Reason]:
    rows = connection.execute(
        sa.select(core_outcome.c.delivery_id, core_outcome.c.rule, sa.func.min(core_outcome.c.reason))
        .where(
            core_outcome.c.delivery_id.in_(sa.select(id_set(connection, deliveries).c.value)),
            core_outcome.c.is_latest,
            core_outcome.c.rule.in_(WHOLE_FILE_RULES),
        )
        .group_by(core_outcome.c.delivery_id, core_outcome.c.rule)
    )
    return {delivery_id: Reason(rule, reason) for delivery_id, rule, reason in rows}


def _is_not_accepted(decided: sa.Table) -> sa.ColumnElement[bool]:
    """Records to be told one by one. A holding inside a bib that was rejected goes back with its bib."""
    goes_with_bib = sa.and_(decided.c.part > 0, decided.c.rule == "bib_rejected")
    return sa.and_(
        core_outcome.c.is_latest if decided is core_outcome else sa.true(),
        decided.c.rule.not_in(WHOLE_FILE_RULES),
        sa.or_(
            sa.and_(decided.c.record_type == "bib", decided.c.outcome == BibOutcome.REJECTED),
            sa.and_(
                decided.c.record_type == "holding",
                decided.c.outcome.in_([HoldingOutcome.REJECTED, HoldingOutcome.REFUSED]),
                sa.not_(goes_with_bib),
            ),
        ),
    )


def _numbered(connection: Connection, deliveries: Collection[int], is_preview: bool) -> sa.Subquery:
    """Rejected, refused and unreadable pieces, each with its number and their total in its delivery."""
    wanted = sa.select(id_set(connection, deliveries).c.value)
    columns = ("delivery_id", "position", "part", "record_type", "rule", "reason")
    source = stage_preview if is_preview else core_outcome
    decided = sa.select(*(source.c[name] for name in columns)).where(
        source.c.delivery_id.in_(wanted), _is_not_accepted(source)
    )
    unreadable = sa.select(
        raw_record.c.delivery_id,
        raw_record.c.position,
        sa.literal(0),
        raw_record.c.record_type,
        sa.literal("unreadable"),
        sa.func.coalesce(raw_record.c.reason, ""),
    ).where(raw_record.c.delivery_id.in_(wanted), raw_record.c.record_type == RecordType.UNREADABLE)
    both = sa.union_all(decided, unreadable).subquery("both")
    in_order = (both.c.position, both.c.part)
    return sa.select(
        both,
        sa.func.row_number().over(partition_by=both.c.delivery_id, order_by=in_order).label("number"),
        sa.func.count().over(partition_by=both.c.delivery_id).label("rejected"),
    ).subquery("numbered")


def _rejected_records(
    connection: Connection, deliveries: Collection[int], max_records: int, is_preview: bool
) -> Iterable[sa.Row[Any]]:
    """The first `max_records` of each delivery that were not accepted, in the order of the file, with their bytes."""
    numbered = _numbered(connection, deliveries, is_preview)
    bib = raw_record.alias("bib")
    return connection.execute(
        sa.select(
            numbered,
            raw_delivery.c.name.label("delivery_name"),
            raw_member.c.name.label("member_name"),
            raw_member.c.format,
            raw_record.c.byte_offset,
            raw_record.c.charset,
            raw_record.c.supplier_control_number,
            raw_record.c.findings,
            raw_record.c.content,
            sa.func.coalesce(raw_record.c.title, bib.c.title, "").label("title"),
        )
        .select_from(numbered)
        .join(raw_delivery, raw_delivery.c.delivery_id == numbered.c.delivery_id)
        .join(raw_record, _at(raw_record, numbered.c.delivery_id, numbered.c.position))
        .outerjoin(
            bib,
            # What is unreadable may have been a bib of its own: it does not take the title of the one before it.
            sa.and_(
                _at(bib, raw_record.c.delivery_id, raw_record.c.bib_position),
                raw_record.c.record_type == RecordType.HOLDING,
            ),
        )
        .outerjoin(
            raw_member,
            sa.and_(
                raw_member.c.delivery_id == raw_record.c.delivery_id, raw_member.c.member_no == raw_record.c.member_no
            ),
        )
        .where(numbered.c.number <= max_records)
        .order_by(numbered.c.delivery_id, numbered.c.number),
        execution_options={"yield_per": ROWS_AT_ONCE},
    )


def _at(
    record: sa.FromClause, delivery_id: sa.ColumnElement[Any], position: sa.ColumnElement[Any]
) -> sa.ColumnElement[bool]:
    return sa.and_(record.c.delivery_id == delivery_id, record.c.position == position)


def _add_records(found: dict[int, DeliveryRejects], rows: Iterable[sa.Row[Any]]) -> None:
    """Fill in the records, one a piece: further holdings of the same piece become findings of the first."""
    held = 0
    for row in rows:
        delivery = found[row.delivery_id]
        delivery.rejected = delivery.rejected or row.rejected
        last = delivery.records[-1] if delivery.records else None
        if last is not None and last.position == row.position:
            delivery.rejected -= 1
            further = Finding(row.rule, row.reason)
            if further not in last.findings and (last.reason.rule, last.reason.text) != (row.rule, row.reason):
                delivery.records[-1] = replace(last, findings=(*last.findings, further))
        elif held + len(row.content) <= MAX_BYTES:
            held += len(row.content)
            delivery.records.append(_record(row))


def _record(row: sa.Row[Any]) -> RejectedRecord:
    findings = tuple(Finding(*each) for each in orjson.loads(row.findings)) if row.findings else ()
    file_format: Literal["iso2709", "marcxml"] = "marcxml" if row.format == "marcxml" else "iso2709"
    return RejectedRecord(
        file_name=file_name(row.delivery_name, row.member_name),
        format=file_format,
        position=row.position,
        byte_offset=row.byte_offset,
        record_type=RecordType(row.record_type),
        content=bytes(row.content),
        charset=row.charset,
        control_number=row.supplier_control_number or "",
        title="" if lacks_bib(row) else row.title,
        reason=reason_of(row),
        findings=findings,
    )


def reason_of_file(hold_reason: str, name: str, example: str | None = None) -> tuple[Reason, str]:
    """Why a file was rejected, and the remedy, from the words that the ledger keeps of it (`SamkatError.__str__`).

    The ledger keeps no rule for a file; the commonest faults are known by their words, so that they can be said in the
    supplier's language. What is not known is told in the words that there are.
    """
    text = hold_reason.removeprefix(name).removeprefix(", file name").removeprefix(": ")
    cause, remedy = _cause_and_remedy(text)
    parameters = {"example": example} if example else {}
    # Where a phrase says all that the words say, the words are left out: they would stand there twice.
    if cause in ("the file is empty", "the file holds no record"):
        return Reason("empty"), remedy
    if cause.endswith(", not MARC"):
        return Reason("not_marc", cause), remedy
    if cause == "the file name is not as agreed":
        return Reason("file_name", parameters=parameters), remedy
    return Reason("file", cause), remedy


def _cause_and_remedy(text: str) -> tuple[str, str]:
    """`cause (remedy)` in its two parts; brackets inside either belong to it."""
    if not text.endswith(")"):
        return text, ""
    depth = 0
    for index in range(len(text) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(text[index], 0)
        if depth == 0:
            return text[:index].rstrip(), text[index + 1 : -1]
    return text, ""


def unreadable_pieces(connection: Connection, deliveries: Collection[int]) -> Iterator[tuple[int, QuarantinedPiece]]:
    """(delivery_id, piece) of everything that could not be read in deliveries that were not rejected as a whole."""
    names = ("position", "member_no", "byte_offset", "content", "reason")
    rows = connection.execute(
        sa.select(raw_record.c.delivery_id, *(raw_record.c[name] for name in names))
        .join(raw_delivery, raw_delivery.c.delivery_id == raw_record.c.delivery_id)
        .where(
            raw_record.c.delivery_id.in_(sa.select(id_set(connection, deliveries).c.value)),
            raw_record.c.record_type == RecordType.UNREADABLE,
            raw_delivery.c.state != DeliveryState.REJECTED,
        )
        .order_by(raw_record.c.delivery_id, raw_record.c.position),
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    for delivery_id, position, member_no, byte_offset, content, reason in rows:
        yield delivery_id, QuarantinedPiece(position, member_no, byte_offset, bytes(content), reason or "")
