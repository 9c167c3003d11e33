"""The trail a row leaves: deliveries, pieces with their byte offsets, outcomes, candidates, reviews, plans, notices.

What belongs here is reading what other modules wrote, a few statements for many rows, as plain data. Nothing is
decided and nothing is changed. tasks/catalogue/why.py puts the pieces together.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_bib, core_match, core_notice, core_outcome, core_plan, core_review
from schemas.warehouse.merging import core_bib_merge
from schemas.warehouse.raw import raw_delivery, raw_delivery_name, raw_member, raw_record
from tasks.warehouse.bulk import id_set

Place = tuple[int, int]
"""(delivery_id, position)"""
_PLACES_A_STATEMENT = 400


@dataclass(frozen=True)
class Delivery:
    """A file that came: whose, which content, where it is now, how far it has got. `other_names`: sent again as."""

    delivery_id: int
    kind: str
    sender: str
    name: str
    uri: str
    sha256: str
    bytes: int
    state: str
    received_at: datetime
    finished_at: datetime | None
    reverted_at: datetime | None
    hold_reason: str | None
    docs_uri: str | None
    flow_run_id: str | None
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A record as it was delivered. `byte_offset` counts from 0 in the (unpacked) file `member`; `length` in bytes."""

    delivery_id: int
    position: int
    member: str
    byte_offset: int
    length: int
    record_type: str
    charset: str
    bib_position: int | None
    control_number: str
    title: str
    isbn13: str | None
    findings: tuple[str, ...]


@dataclass(frozen=True)
class Considered:
    """A candidate that a delivered bib was held against; `evidence` says in words what spoke for and against it."""

    bib_id: int
    control_number: str
    title: str
    verdict: str
    score: float
    rule: str
    evidence: tuple[str, ...]
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True)
class Review:
    """A delivered bib that waits, or waited, for a cataloguer."""

    review_id: int
    delivery_id: int
    position: int
    state: str
    rule: str
    reason: str
    owner: str
    opened_at: datetime
    due_on: date
    provisional_bib_id: int | None
    decision: str | None
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True)
class Step:
    """One outcome, with everything it came from. `version` is what it made; None where nothing changed."""

    record_type: str
    outcome: str
    rule: str
    reason: str
    sigel: str | None
    bib_id: int | None
    holding_id: int | None
    version: int | None
    part: int
    is_latest: bool
    decided_at: datetime
    delivery: Delivery
    piece: Piece
    candidates: tuple[Considered, ...]
    review: Review | None


@dataclass(frozen=True)
class HeldPlan:
    """A class of change of one of the deliveries that a guard held."""

    plan_hash: str
    delivery_id: int | None
    change_class: str
    planned: int
    population: int
    state: str
    reason: str
    created_at: datetime
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True)
class Merge:
    """Two bibs that were made one, and how that was undone, where it was."""

    merge_id: int
    survivor_id: int
    merged_id: int
    rule: str
    reason: str
    objections: tuple[str, ...]
    score: float | None
    evidence: tuple[str, ...]
    by: str
    run_id: str | None
    merged_at: datetime
    split_at: datetime | None
    split_by: str | None
    split_reason: str | None
    left_as_is: tuple[str, ...]


def read_merges(connection: Connection, bib_id: int) -> tuple[Merge, ...]:
    """The merges that a bib survived or ended in, in order."""
    table = core_bib_merge.c
    as_json = ("objections", "left_as_is")
    rows = connection.execute(
        sa.select(*(table[name] for name in Merge.__dataclass_fields__))
        .where(sa.or_(table.survivor_id == bib_id, table.merged_id == bib_id))
        .order_by(table.merge_id)
    )
    return tuple(
        Merge(
            **{
                **row._mapping,
                **{name: tuple(json.loads(row._mapping[name])) for name in as_json},
                "evidence": evidence_in_words(row.evidence) if row.evidence else (),
            }
        )
        for row in rows
    )


@dataclass(frozen=True)
class Notice:
    """An e-mail about one of the deliveries, or about a run that took one of them."""

    notice_id: int
    kind: str
    recipient: str
    subject: str
    state: str
    created_at: datetime
    sent_at: datetime | None
    delivery_id: int | None


def read_deliveries(connection: Connection, delivery_ids: Collection[int]) -> dict[int, Delivery]:
    """Deliveries by id."""
    wanted = id_set(connection, set(delivery_ids))
    names: dict[int, list[str]] = defaultdict(list)
    for delivery_id, name in connection.execute(
        sa.select(raw_delivery_name.c.delivery_id, raw_delivery_name.c.name)
        .join(wanted, wanted.c.value == raw_delivery_name.c.delivery_id)
        .order_by(raw_delivery_name.c.seen_at, raw_delivery_name.c.name)
    ):
        names[delivery_id].append(name)
    columns = [raw_delivery.c[name] for name in Delivery.__dataclass_fields__ if name != "other_names"]
    rows = connection.execute(sa.select(*columns).join(wanted, wanted.c.value == raw_delivery.c.delivery_id))
    return {row.delivery_id: _delivery(row, names[row.delivery_id]) for row in rows}


def _delivery(row: sa.Row[Any], names: Iterable[str]) -> Delivery:
    others = tuple(dict.fromkeys(each for each in names if each != row.name))
    return Delivery(**{**row._mapping, "other_names": others})


def read_pieces(connection: Connection, places: Collection[Place]) -> dict[Place, Piece]:
    """Pieces by (delivery_id, position)."""
    statement = sa.select(
        raw_record.c.delivery_id,
        raw_record.c.position,
        sa.func.coalesce(raw_member.c.name, "").label("member"),
        raw_record.c.byte_offset,
        sa.func.length(raw_record.c.content).label("length"),
        raw_record.c.record_type,
        raw_record.c.charset,
        raw_record.c.bib_position,
        sa.func.coalesce(raw_record.c.supplier_control_number, "").label("control_number"),
        sa.func.coalesce(raw_record.c.title, "").label("title"),
        raw_record.c.isbn13,
        raw_record.c.findings,
    ).outerjoin(
        raw_member,
        sa.and_(raw_member.c.delivery_id == raw_record.c.delivery_id, raw_member.c.member_no == raw_record.c.member_no),
    )
    found: dict[Place, Piece] = {}
    for row in _at_places(connection, statement, raw_record, places):
        facts = {**row._mapping, "findings": _finding_texts(row.findings)}
        found[row.delivery_id, row.position] = Piece(**facts)
    return found


def read_candidates(connection: Connection, places: Collection[Place]) -> dict[Place, list[Considered]]:
    """Candidates that were considered, best first, by the place of the delivered bib."""
    statement = sa.select(
        core_match.c.delivery_id,
        core_match.c.position,
        core_match.c.bib_id,
        sa.func.coalesce(core_bib.c.control_number, "").label("control_number"),
        sa.func.coalesce(core_bib.c.title, "").label("title"),
        core_match.c.verdict,
        core_match.c.score,
        core_match.c.rule,
        core_match.c.evidence,
        core_match.c.decided_by,
        core_match.c.decided_at,
    ).outerjoin(core_bib, core_bib.c.bib_id == core_match.c.bib_id)
    found: dict[Place, list[Considered]] = defaultdict(list)
    for row in _at_places(connection, statement, core_match, places):
        facts = {**row._mapping, "evidence": evidence_in_words(row.evidence)}
        place = (facts.pop("delivery_id"), facts.pop("position"))
        found[place].append(Considered(**facts))
    for each in found.values():
        each.sort(key=lambda candidate: (-candidate.score, candidate.bib_id))
    return found


def read_reviews(connection: Connection, places: Collection[Place]) -> dict[Place, Review]:
    """Reviews by the place of the bib."""
    statement = sa.select(*(core_review.c[name] for name in Review.__dataclass_fields__))
    rows = _at_places(connection, statement, core_review, places)
    return {(row.delivery_id, row.position): Review(*row) for row in rows}


def read_steps(connection: Connection, condition: sa.ColumnElement[bool], limit: int) -> tuple[Step, ...]:
    """Outcomes that `condition` selects, the newest `limit` of them, oldest first, each with where it came from."""
    rows = connection.execute(
        sa.select(core_outcome)
        .where(condition)
        .order_by(
            core_outcome.c.decided_at.desc(), core_outcome.c.delivery_id.desc(), core_outcome.c.position.desc(),
            core_outcome.c.part.desc(), core_outcome.c.seq.desc(),
        )
        .limit(limit)
    ).all()  # fmt: skip
    return _steps(connection, list(reversed(rows)))


def _steps(connection: Connection, rows: Sequence[sa.Row[Any]]) -> tuple[Step, ...]:
    places = {(row.delivery_id, row.position) for row in rows}
    bib_places = {(row.delivery_id, row.position) for row in rows if row.record_type == "bib"}
    deliveries = read_deliveries(connection, {row.delivery_id for row in rows})
    pieces = read_pieces(connection, places)
    candidates = read_candidates(connection, bib_places)
    reviews = read_reviews(connection, bib_places)
    steps = []
    for row in rows:
        place = (row.delivery_id, row.position)
        is_bib = row.record_type == "bib"
        steps.append(
            Step(
                record_type=row.record_type,
                outcome=row.outcome,
                rule=row.rule,
                reason=row.reason,
                sigel=row.sigel,
                bib_id=row.bib_id,
                holding_id=row.holding_id,
                version=row.version,
                part=row.part,
                is_latest=row.is_latest,
                decided_at=row.decided_at,
                delivery=deliveries[row.delivery_id],
                piece=pieces[place],
                candidates=tuple(candidates.get(place, ())) if is_bib else (),
                review=reviews.get(place) if is_bib else None,
            )
        )
    return tuple(steps)


def read_plans(connection: Connection, delivery_ids: Collection[int]) -> tuple[HeldPlan, ...]:
    """Held classes of change of these deliveries, decided or not, oldest first."""
    wanted = id_set(connection, set(delivery_ids))
    columns = [
        core_plan.c["class" if name == "change_class" else name].label(name) for name in HeldPlan.__dataclass_fields__
    ]
    rows = connection.execute(
        sa.select(*columns)
        .where(core_plan.c.delivery_id.in_(sa.select(wanted.c.value)))
        .order_by(core_plan.c.created_at, core_plan.c.plan_id)
    )
    return tuple(HeldPlan(*row) for row in rows)


def read_notices(connection: Connection, deliveries: Iterable[Delivery]) -> tuple[Notice, ...]:
    """E-mails about these deliveries or about the runs that took them, oldest first."""
    taken = list(deliveries)
    wanted = id_set(connection, {each.delivery_id for each in taken})
    runs = sorted({each.flow_run_id for each in taken if each.flow_run_id})
    about = core_notice.c.delivery_id.in_(sa.select(wanted.c.value))
    of_run = sa.and_(core_notice.c.delivery_id.is_(None), core_notice.c.run_id.in_(runs))
    rows = connection.execute(
        sa.select(*(core_notice.c[name] for name in Notice.__dataclass_fields__))
        .where(sa.or_(about, of_run))
        .order_by(core_notice.c.notice_id)
    )
    return tuple(Notice(*row) for row in rows)


def evidence_in_words(evidence: str) -> tuple[str, ...]:
    """The evidence of a candidate (`tasks.matching.evidence`), a line each: vetoes, doubts, then features by weight."""
    found = json.loads(evidence)
    features = sorted(found["features"], key=lambda each: (-abs(each["points"]), each["feature"]))
    return (
        *(f"veto, {each['name']}: {each['text']}" for each in found["vetoes"]),
        *(f"doubt, {each['name']}: {each['text']}" for each in found["doubts"]),
        *(f"{each['points']:+.2f} {each['feature'].replace('_', ' ')}: {each['text']}" for each in features),
    )


def _finding_texts(findings: str | None) -> tuple[str, ...]:
    return tuple(f"{field}: {text}" if field else text for _code, text, field in json.loads(findings or "[]"))


def _at_places(
    connection: Connection, statement: sa.Select[Any], table: sa.Table, places: Collection[Place]
) -> Iterable[sa.Row[Any]]:
    """The rows of `statement` at these (delivery_id, position), some hundred places a statement."""
    ordered = sorted(places)
    key = sa.tuple_(table.c.delivery_id, table.c.position)
    for start in range(0, len(ordered), _PLACES_A_STATEMENT):
        some = ordered[start : start + _PLACES_A_STATEMENT]
        yield from connection.execute(statement.where(key.in_(some)).order_by(table.c.delivery_id, table.c.position))
