"""Undo of a delivery: bibs and holdings go back to what they were; later changes by others survive and are listed.

The rule: a bib or holding whose current version is the one this delivery made gets its before-image back. Where
others changed a holding since, only the supplier's own lines are put back. Nothing is erased: an undo is a new
version, and each outcome row is succeeded by one that says so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import HoldingLine
from schemas.outcomes import BibOutcome, DeliveryState, HoldingOutcome
from schemas.warehouse.core import (
    core_bib,
    core_bib_identifier,
    core_bib_isbn,
    core_bib_version,
    core_holding,
    core_holding_version,
    core_outcome,
    core_review,
)
from schemas.warehouse.raw import raw_delivery
from tasks.catalogue.bib_store import ISBN_COLUMNS, VERSIONED, keep_before_images
from tasks.catalogue.holding_lines import merge_lines
from tasks.catalogue.holding_store import HoldingVersion, lines_of, write_holding_versions
from tasks.catalogue.outcomes import OutcomeRow, write_outcomes
from tasks.warehouse.bulk import bulk_insert, id_set
from tasks.warehouse.ids import take_id
from tasks.warehouse.ledger import delivery, set_state


@dataclass(frozen=True)
class Survivor:
    """Something the undo left as it is, and why."""

    entity: str
    entity_id: int
    position: int
    why: str


@dataclass
class RevertReport:
    """What an undo did: counts, what survived, and the libraries that have to be told."""

    delivery_id: int
    was_reverted: bool = False
    bibs: int = 0
    holdings: int = 0
    reviews: int = 0
    survivors: list[Survivor] = field(default_factory=list)
    sigels: dict[str, list[int]] = field(default_factory=dict)
    """Positions of the holdings taken back, by library."""


def revert_delivery(connection: Connection, delivery_id: int, now: datetime) -> RevertReport:
    """Undo a delivery, inside the caller's transaction and catalogue lock. A second call reports and does nothing."""
    row = delivery(connection, delivery_id)
    report = RevertReport(delivery_id)
    if row.state == DeliveryState.REVERTED:
        report.was_reverted = True
        return report
    owner = row.sender if row.kind == "supplier" else None
    _revert_holdings(connection, delivery_id, owner, now, report)
    _revert_bibs(connection, delivery_id, now, report)
    report.reviews = connection.execute(
        sa.update(core_review)
        .where(core_review.c.delivery_id == delivery_id, core_review.c.state == "open")
        .values(state="withdrawn", decided_at=now)
    ).rowcount
    set_state(connection, delivery_id, DeliveryState.REVERTED, reverted_at=now)
    return report


def _latest(connection: Connection, delivery_id: int, record_type: str) -> Sequence[sa.Row[Any]]:
    return connection.execute(
        sa.select(core_outcome)
        .where(
            core_outcome.c.delivery_id == delivery_id,
            core_outcome.c.record_type == record_type,
            core_outcome.c.is_latest,
        )
        .order_by(core_outcome.c.position, core_outcome.c.part)
    ).all()


def _reverted(row: sa.Row[Any], outcome: str) -> OutcomeRow:
    reason = f"the delivery was reverted (was: {row.outcome}, {row.reason})"
    return OutcomeRow(
        row.position, row.part, row.record_type, outcome, "reverted", reason,
        sigel=row.sigel, bib_id=row.bib_id, holding_id=row.holding_id,
    )  # fmt: skip


def _revert_holdings(
    connection: Connection, delivery_id: int, owner: str | None, now: datetime, report: RevertReport
) -> None:
    rows = [
        row
        for row in _latest(connection, delivery_id, "holding")
        if row.outcome not in (HoldingOutcome.REFUSED, HoldingOutcome.REJECTED)
    ]
    changed = {row.holding_id: row for row in rows if row.version is not None}
    versions = _holding_versions(connection, delivery_id, changed, owner, report)
    write_holding_versions(connection, None, versions, now)
    survived = {each.entity_id for each in report.survivors if each.entity == "holding"}
    taken_back = [row for row in rows if row.version is None or row.holding_id not in survived]
    write_outcomes(
        connection,
        delivery_id,
        [_reverted(row, HoldingOutcome.REJECTED) for row in taken_back],
        now,
        succeeds=True,
    )
    report.holdings = len(versions)
    for row in taken_back:
        if row.version is not None and row.sigel:
            report.sigels.setdefault(row.sigel, []).append(row.position)


def _holding_versions(
    connection: Connection,
    delivery_id: int,
    changed: dict[int, sa.Row[Any]],
    owner: str | None,
    report: RevertReport,
) -> list[HoldingVersion]:
    """The next version of each holding that can go back; the others are noted as survivors."""
    wanted = id_set(connection, changed)
    standing = {
        row.holding_id: row
        for row in connection.execute(sa.select(core_holding).join(wanted, wanted.c.value == core_holding.c.holding_id))
    }
    images = _holding_images(connection, changed)
    lines = lines_of(connection, changed)
    newer = _changed_by_same_sender(connection, delivery_id, changed)
    taken = _live_keys(connection, [row for row in standing.values() if row.is_deleted])
    versions: list[HoldingVersion] = []
    for holding_id, row in changed.items():
        now_there = standing[holding_id]
        before = images.get(holding_id, [])
        why = ""
        if now_there.version == row.version:
            after = before
        elif owner is None or holding_id in newer:
            why, after = "a later delivery of the same sender changed it", []
        else:
            own = [line for line in before if line.owner == owner]
            after = list(merge_lines(lines[holding_id], owner, own).lines)
        if after and now_there.is_deleted and (now_there.bib_id, now_there.sigel) in taken:
            why = "the library has a new holding of this bib since"
        if why:
            report.survivors.append(Survivor("holding", holding_id, row.position, why))
        else:
            versions.append(HoldingVersion(holding_id, after))
    return versions


def _holding_images(connection: Connection, changed: dict[int, sa.Row[Any]]) -> dict[int, list[HoldingLine]]:
    """Lines of each holding as they were before this delivery; created ones have none."""
    wanted = id_set(connection, changed)
    rows = connection.execute(
        sa.select(core_holding_version.c.holding_id, core_holding_version.c.version, core_holding_version.c.lines).join(
            wanted, wanted.c.value == core_holding_version.c.holding_id
        )
    )
    return {
        row.holding_id: [HoldingLine(*line) for line in orjson.loads(row.lines)]
        for row in rows
        if row.version == changed[row.holding_id].version - 1
    }


def _changed_by_same_sender(connection: Connection, delivery_id: int, changed: dict[int, sa.Row[Any]]) -> set[int]:
    """Holdings that another delivery of the same sender changed after this one."""
    wanted = id_set(connection, changed)
    mine = raw_delivery.alias("mine")
    rows = connection.execute(
        sa.select(core_outcome.c.holding_id, core_outcome.c.version)
        .join(wanted, wanted.c.value == core_outcome.c.holding_id)
        .join(raw_delivery, raw_delivery.c.delivery_id == core_outcome.c.delivery_id)
        .join(mine, sa.and_(mine.c.delivery_id == delivery_id, mine.c.sender == raw_delivery.c.sender))
        .where(core_outcome.c.delivery_id != delivery_id, core_outcome.c.is_latest)
    )
    return {row.holding_id for row in rows if row.version and row.version > changed[row.holding_id].version}


def _live_keys(connection: Connection, deleted: Sequence[sa.Row[Any]]) -> set[tuple[int, str]]:
    bibs = id_set(connection, {row.bib_id for row in deleted})
    rows = connection.execute(
        sa.select(core_holding.c.bib_id, core_holding.c.sigel)
        .join(bibs, bibs.c.value == core_holding.c.bib_id)
        .where(sa.not_(core_holding.c.is_deleted))
    )
    return {(row.bib_id, row.sigel) for row in rows}


def _revert_bibs(connection: Connection, delivery_id: int, now: datetime, report: RevertReport) -> None:
    rows = [row for row in _latest(connection, delivery_id, "bib") if row.outcome != BibOutcome.REJECTED]
    made = [row for row in rows if row.version is not None]
    why = _why_bibs_survive(connection, delivery_id, made)
    report.survivors += [
        Survivor("bib", row.bib_id, row.position, why[row.bib_id]) for row in made if row.bib_id in why
    ]
    going = [row for row in made if row.bib_id not in why]
    change_no = take_id(connection, "change")
    keep_before_images(connection, [row.bib_id for row in going], now)
    _delete_created(connection, [row.bib_id for row in going if row.outcome == BibOutcome.CREATED], change_no, now)
    _restore_replaced(
        connection,
        {row.bib_id: row.version for row in going if row.outcome == BibOutcome.REPLACED},
        change_no,
        now,
    )
    _forget_identifiers(connection, delivery_id, set(why))
    taken_back = [row for row in rows if row.version is None or row.bib_id not in why]
    write_outcomes(
        connection, delivery_id, [_reverted(row, BibOutcome.REJECTED) for row in taken_back], now, succeeds=True
    )
    report.bibs = len(going)


def _why_bibs_survive(connection: Connection, delivery_id: int, made: Sequence[sa.Row[Any]]) -> dict[int, str]:
    """Bibs that stay: changed since, still held by a library, or met by another delivery."""
    wanted = id_set(connection, {row.bib_id for row in made})
    versions = dict(
        tuple(row)
        for row in connection.execute(
            sa.select(core_bib.c.bib_id, core_bib.c.version).join(wanted, wanted.c.value == core_bib.c.bib_id)
        )
    )
    created = id_set(connection, {row.bib_id for row in made if row.outcome == BibOutcome.CREATED})
    held = set(
        connection.execute(
            sa.select(core_holding.c.bib_id)
            .join(created, created.c.value == core_holding.c.bib_id)
            .where(sa.not_(core_holding.c.is_deleted))
        ).scalars()
    )
    met = set(
        connection.execute(
            sa.select(core_outcome.c.bib_id)
            .join(created, created.c.value == core_outcome.c.bib_id)
            .where(
                core_outcome.c.delivery_id != delivery_id,
                core_outcome.c.is_latest,
                core_outcome.c.record_type == "bib",
                core_outcome.c.outcome != BibOutcome.REJECTED,
            )
        ).scalars()
    )
    why: dict[int, str] = {}
    for row in made:
        if versions[row.bib_id] != row.version:
            why[row.bib_id] = "it was changed since"
        elif row.bib_id in held:
            why[row.bib_id] = "a library still holds it"
        elif row.bib_id in met:
            why[row.bib_id] = "another delivery brought the same title since"
    return why


def _delete_created(connection: Connection, bib_ids: Collection[int], change_no: int, now: datetime) -> None:
    wanted = id_set(connection, bib_ids)
    connection.execute(
        sa.update(core_bib)
        .where(core_bib.c.bib_id.in_(sa.select(wanted.c.value)))
        .values(is_deleted=True, version=core_bib.c.version + 1, change_no=change_no, updated_at=now)
    )


def _restore_replaced(connection: Connection, versions: dict[int, int], change_no: int, now: datetime) -> None:
    """Give bibs back the state they had before the version made by this delivery."""
    wanted = id_set(connection, versions)
    names = [name for name in VERSIONED if name not in ("bib_id", "version", "updated_at")]
    images = [
        row
        for row in connection.execute(
            sa.select(core_bib_version).join(wanted, wanted.c.value == core_bib_version.c.bib_id)
        )
        if row.version == versions[row.bib_id] - 1
    ]
    if not images:
        return
    connection.execute(
        sa.update(core_bib).where(core_bib.c.bib_id == sa.bindparam("b_bib_id")),
        [
            {
                "b_bib_id": row.bib_id,
                **{name: row._mapping[name] for name in names},
                "version": versions[row.bib_id] + 1,
                "change_no": change_no,
                "updated_at": now,
            }
            for row in images
        ],
    )
    restored = sa.select(id_set(connection, [row.bib_id for row in images]).c.value)
    connection.execute(sa.delete(core_bib_isbn).where(core_bib_isbn.c.bib_id.in_(restored)))
    bulk_insert(
        connection,
        core_bib_isbn,
        ("bib_id", *ISBN_COLUMNS),
        [(row.bib_id, *isbn) for row in images for isbn in orjson.loads(row.isbns)],
    )


def _forget_identifiers(connection: Connection, delivery_id: int, surviving: set[int]) -> None:
    """Numbers that this delivery brought no longer lead anywhere, except to bibs that survive."""
    kept = sa.select(id_set(connection, surviving).c.value)
    connection.execute(
        sa.delete(core_bib_identifier).where(
            core_bib_identifier.c.delivery_id == delivery_id, core_bib_identifier.c.bib_id.not_in(kept)
        )
    )
