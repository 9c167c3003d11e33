"""Undo of a delivery's bibs: created ones go, replaced ones get their before-image back, numbers lead away again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import BibOutcome, DeliveryState
from schemas.register.catalogue import CatalogueRules
from schemas.warehouse.core import (
    core_bib,
    core_bib_identifier,
    core_bib_isbn,
    core_bib_version,
    core_holding,
    core_outcome,
)
from schemas.warehouse.merging import core_bib_merge_part
from schemas.warehouse.raw import raw_delivery, raw_record
from tasks.catalogue.bib_store import ISBN_COLUMNS, VERSIONED, keep_before_images
from tasks.catalogue.load_union import former_numbers
from tasks.plans.revert import Reversible, RevertReport, Survivor, sort_for_undo
from tasks.warehouse.bulk import bulk_insert, id_set, text_set
from tasks.warehouse.ids import take_id


class Made(NamedTuple):
    """The versions of a thing that one delivery made: the first, the last, and whether nobody changed it between."""

    first: int
    last: int
    is_unbroken: bool


def made_versions(
    connection: Connection, delivery_id: int, column: sa.Column[int], ids: Collection[int]
) -> dict[int, Made]:
    """What the delivery made of these bibs or holdings (`column` of core_outcome), by all its outcomes until now."""
    wanted = frozenset(ids)
    versions: dict[int, set[int]] = defaultdict(set)
    # Not joined to the ids: SQLite would look through all of them for each outcome of the delivery.
    rows = connection.execute(
        sa.select(column, core_outcome.c.version).where(
            core_outcome.c.delivery_id == delivery_id,
            core_outcome.c.version.is_not(None),
            core_outcome.c.record_type == ("holding" if column is core_outcome.c.holding_id else "bib"),
        )
    )
    for entity_id, version in rows:
        if entity_id in wanted:
            versions[entity_id].add(version)
    return {
        entity_id: Made(min(some), max(some), len(some) == max(some) - min(some) + 1)
        for entity_id, some in versions.items()
    }


def still_as_made(
    connection: Connection,
    delivery_id: int,
    column: sa.Column[int],
    made: dict[int, Made],
    versions: Mapping[int, int],
) -> set[int]:
    """Things that stand as the delivery made them, because all that others did since has been undone.

    An undo makes one version more, whatever number of versions it undid: where the versions since are just those of
    undone deliveries and one for each undo, nothing else has happened. A merge that was split makes two.
    """
    since = id_set(connection, [each for each in made if versions.get(each, 0) > made[each].last])
    rows = connection.execute(
        sa.select(column, core_outcome.c.delivery_id, core_outcome.c.version, raw_delivery.c.state)
        .join(since, since.c.value == column)
        .join(raw_delivery, raw_delivery.c.delivery_id == core_outcome.c.delivery_id)
        .where(
            core_outcome.c.delivery_id != delivery_id,
            core_outcome.c.version.is_not(None),
            core_outcome.c.record_type == ("holding" if column is core_outcome.c.holding_id else "bib"),
        )
    )
    undone: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    parted = _parted(connection, "holding" if column is core_outcome.c.holding_id else "bib", made)
    for entity_id in parted:
        undone[entity_id]  # it has been changed since, if by no delivery
    standing: set[int] = set()
    for entity_id, other, version, state in rows:
        if version > made[entity_id].last:
            undone[entity_id][other].add(version)
            if state != DeliveryState.REVERTED:
                standing.add(entity_id)
    return {
        entity_id
        for entity_id, by_delivery in undone.items()
        if entity_id not in standing
        and versions.get(entity_id, 0) - made[entity_id].last
        == sum(len(some) + 1 for some in by_delivery.values()) + 2 * parted.get(entity_id, 0)
    }


def _parted(connection: Connection, entity: str, made: Mapping[int, Made]) -> Counter[int]:
    """How many merges since have changed each of these bibs or holdings and were split again: two versions each."""
    wanted = id_set(connection, made)
    part = core_bib_merge_part.c
    rows = connection.execute(
        sa.select(part.entity_id, part.version_made)
        .join(wanted, wanted.c.value == part.entity_id)
        .where(part.entity == entity, part.split_version.is_not(None))
    )
    return Counter(row.entity_id for row in rows if row.version_made > made[row.entity_id].last)


def revert_bibs(connection: Connection, delivery_id: int, changed: Collection[int], now: datetime) -> RevertReport:
    """Undo what the delivery made of the bibs `changed`, and the numbers it brought to others."""
    made = made_versions(connection, delivery_id, core_outcome.c.bib_id, changed)
    wanted = id_set(connection, made)
    versions: dict[int, int] = dict(
        tuple(row)
        for row in connection.execute(
            sa.select(core_bib.c.bib_id, core_bib.c.version).join(wanted, wanted.c.value == core_bib.c.bib_id)
        )
    )
    as_made = still_as_made(connection, delivery_id, core_outcome.c.bib_id, made, versions)
    changes = [Reversible("bib", bib_id, each.last) for bib_id, each in sorted(made.items())]
    untouched, survived = sort_for_undo(
        changes, lambda _entity, bib_id: made[bib_id].last if bib_id in as_made else versions.get(bib_id)
    )
    why = _why_they_stay(connection, delivery_id, {each.entity_id: made[each.entity_id] for each in untouched})
    survived += tuple(Survivor("bib", bib_id, reason) for bib_id, reason in sorted(why.items()))
    going = {each.entity_id: made[each.entity_id] for each in untouched if each.entity_id not in why}
    change_no = take_id(connection, "change")
    numbers = keep_before_images(connection, going, now)
    _delete_created(connection, [bib_id for bib_id, each in going.items() if each.first == 1], change_no, now)
    first = {bib_id: each.first for bib_id, each in going.items() if each.first > 1}
    _restore(connection, first, numbers, change_no, now)
    _forget_identifiers(connection, delivery_id, {each.entity_id for each in survived})
    return RevertReport(len(going), survived)


def _why_they_stay(connection: Connection, delivery_id: int, made: dict[int, Made]) -> dict[int, str]:
    """Bibs that stay although nobody has changed them since: others changed them in between, hold or met them."""
    created = {bib_id for bib_id, each in made.items() if each.first == 1}
    held, met = _held(connection, created), _met(connection, delivery_id, created)
    why = dict.fromkeys(made, "others changed it between two changes of this delivery")
    why = {bib_id: reason for bib_id, reason in why.items() if not made[bib_id].is_unbroken}
    why |= dict.fromkeys(met, "another delivery brought the same title since")
    why |= dict.fromkeys(held, "a library still holds it")
    return why


def _held(connection: Connection, bib_ids: Collection[int]) -> set[int]:
    wanted = id_set(connection, bib_ids)
    rows = connection.execute(
        sa.select(core_holding.c.bib_id)
        .join(wanted, wanted.c.value == core_holding.c.bib_id)
        .where(sa.not_(core_holding.c.is_deleted))
    )
    return set(rows.scalars())


def _met(connection: Connection, delivery_id: int, bib_ids: Collection[int]) -> set[int]:
    wanted = id_set(connection, bib_ids)
    rows = connection.execute(
        sa.select(core_outcome.c.bib_id)
        .join(wanted, wanted.c.value == core_outcome.c.bib_id)
        .where(
            core_outcome.c.delivery_id != delivery_id,
            core_outcome.c.is_latest,
            core_outcome.c.record_type == "bib",
            core_outcome.c.outcome != BibOutcome.REJECTED,
        )
    )
    return set(rows.scalars())


def _delete_created(connection: Connection, bib_ids: Collection[int], change_no: int, now: datetime) -> None:
    wanted = id_set(connection, bib_ids)
    connection.execute(
        sa.update(core_bib)
        .where(core_bib.c.bib_id.in_(sa.select(wanted.c.value)))
        .values(is_deleted=True, version=core_bib.c.version + 1, change_no=change_no, updated_at=now)
    )


def _restore(
    connection: Connection, first: dict[int, int], numbers: dict[int, int], change_no: int, now: datetime
) -> None:
    """Give bibs back the state they had before the `first` version that the delivery made; `numbers` are those now."""
    wanted = id_set(connection, first)
    names = [name for name in VERSIONED if name not in ("bib_id", "version", "updated_at")]
    images = [
        row
        for row in connection.execute(
            sa.select(core_bib_version).join(wanted, wanted.c.value == core_bib_version.c.bib_id)
        )
        if row.version == first[row.bib_id] - 1
    ]
    if not images:
        return
    connection.execute(
        sa.update(core_bib).where(core_bib.c.bib_id == sa.bindparam("b_bib_id")),
        [
            {
                "b_bib_id": row.bib_id,
                **{name: row._mapping[name] for name in names},
                "version": numbers[row.bib_id] + 1,
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


def _forget_identifiers(connection: Connection, delivery_id: int, surviving: Collection[int]) -> None:
    """Numbers that this delivery brought no longer lead anywhere, except to bibs that survive.

    A number is stored once, for the delivery that brought it first. Where another delivery of the same sender has met
    the bib, the number becomes that one's: it may well have brought it too, and a number too many only asks for
    evidence, a number too few hides the bib.
    """
    mine, other = raw_delivery.alias("mine"), raw_delivery.alias("other")
    heirs = (
        sa.select(sa.func.max(core_outcome.c.delivery_id))
        .select_from(core_outcome)
        .join(other, other.c.delivery_id == core_outcome.c.delivery_id)
        .join(mine, sa.and_(mine.c.delivery_id == delivery_id, mine.c.sender == other.c.sender))
        .where(
            core_outcome.c.bib_id == core_bib_identifier.c.bib_id,
            core_outcome.c.delivery_id != delivery_id,
            core_outcome.c.is_latest,
            core_outcome.c.record_type == "bib",
            core_outcome.c.outcome.in_([BibOutcome.CREATED, BibOutcome.REPLACED, BibOutcome.KEPT]),
        )
        .correlate(core_bib_identifier)
        .scalar_subquery()
    )
    kept = sa.select(id_set(connection, surviving).c.value)
    leaving = sa.and_(core_bib_identifier.c.delivery_id == delivery_id, core_bib_identifier.c.bib_id.not_in(kept))
    connection.execute(
        sa.update(core_bib_identifier).where(leaving).values(delivery_id=sa.func.coalesce(heirs, delivery_id))
    )
    connection.execute(sa.delete(core_bib_identifier).where(leaving))


def merges_that_stay(connection: Connection, delivery_id: int, rules: CatalogueRules) -> tuple[Survivor, ...]:
    """Merges that an export of the catalogue brought (019 $a by default): they are not taken apart, but listed."""
    rows = connection.execute(
        sa.select(raw_record.c.supplier_control_number, raw_record.c.content).where(
            raw_record.c.delivery_id == delivery_id, raw_record.c.record_type == "bib"
        )
    )
    former = former_numbers(((row[0] or "", bytes(row[1])) for row in rows), rules.merged_from)
    return tuple(_merged(connection, former))


def _merged(connection: Connection, former: dict[str, str]) -> Iterable[Survivor]:
    numbers = text_set(connection, list(former))
    into = core_bib.alias("into")
    rows: Any = connection.execute(
        sa.select(core_bib.c.bib_id, core_bib.c.control_number, into.c.bib_id, into.c.control_number)
        .join(numbers, numbers.c.value == core_bib.c.control_number)
        .join(into, into.c.bib_id == core_bib.c.merged_into)
        .order_by(core_bib.c.bib_id)
    )
    for bib_id, number, into_id, into_number in rows:
        if former[number] == into_number:
            yield Survivor("bib", bib_id, f"the catalogue has merged it into bib {into_id}, which stays so")
