"""From the warehouse to what is told of files of persons: files, counts of changes by path, what waits.

No value and no name of a person is read here, and but for the list that staff decide from (patron_lists.py) no id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState, PlanState
from schemas.register.libraries import Library
from schemas.register.patron_sources import PatronSource
from schemas.register.register import Register
from schemas.warehouse.core import core_notice, core_plan
from schemas.warehouse.patrons import core_patron_change, raw_patron_file, raw_patron_reject
from schemas.warehouse.raw import raw_delivery, raw_progress
from tasks.notices.gathering_holds import PATRON, WHOLE_FILE, sender_name, waits_as_whole_file
from tasks.notices.patron_digest import PathCounts, PatronDigest
from tasks.notices.patron_holds import FileFault, HeldPatronFile, held_key
from tasks.plans.store import SUPERSEDED_BY
from tasks.warehouse.bulk import id_set, text_set

TOLD = "notify-patrons"
"""Stage of the progress that says that a file of persons has been told of."""
LATER = "/changes"
"""Ends the identity of a file that is held for what it would change: it may have been held, and approved, before."""
TOLD_STATES = (DeliveryState.SETTLED, DeliveryState.REJECTED)
PERSON, STATE = "person", "state"
"""Paths of changes that are about a person as a whole: made or erased, and steps of the lifecycle."""
PROTECTED_RULES = ("pinned", "pinned_by_policy")
TAKEN_RULE = "conflict_taken"
HAPPENED_BY_RULE = {
    "created": "created",
    "activated": "activated",
    "went_missing": "missing",
    "grace_began": "left",
    "expired": "expired",
    "deactivated": "deactivated",
    "became_erasable": "erasable",
    "kept_longer": "prolonged",
    "prolonged": "prolonged",
    "returned_from_missing": "returned",
    "returned_from_expired": "returned",
    "returned_from_inactive": "returned",
    "erased": "erased",
}
"""What a change of a person as a whole, or a step of the lifecycle, is called in the digest, by its rule."""


@dataclass(frozen=True, slots=True)
class PatronFile:
    """A file of persons, as far as it is told of."""

    delivery_id: int
    sender: str
    name: str
    business_date: date
    sha256: str
    generation: int
    is_rejected: bool
    reason: str
    """Why it was rejected, with what was found in it; in English, and nothing about any person."""
    rows_read: int
    rejected: int
    quarantined: int

    @property
    def identity(self) -> str:
        """Names the file by what it is: the same in every warehouse."""
        return identity_of(self.sender, self.business_date, self.sha256, self.generation)


def identity_of(sender: str, business_date: date, sha256: str, generation: int) -> str:
    """Names a file of persons by what it is: the same in every warehouse."""
    return f"{sender}/{business_date}/{sha256}/{generation}"


def untold_files(connection: Connection, deliveries: Collection[int]) -> list[PatronFile]:
    """Files among `deliveries` that are settled or rejected and were not told of yet, by sender and day.

    What a killed run of the same senders has left untold comes along. What only a dry run has seen is told to nobody.
    """
    wanted = sa.select(id_set(connection, deliveries).c.value)
    senders = sa.select(raw_delivery.c.sender).where(
        raw_delivery.c.kind == PATRON, raw_delivery.c.delivery_id.in_(wanted)
    )
    is_told = sa.exists().where(
        raw_progress.c.delivery_id == raw_delivery.c.delivery_id,
        raw_progress.c.stage == TOLD,
        raw_progress.c.done_at.is_not(None),
    )
    return _files(
        connection,
        raw_delivery.c.sender.in_(senders),
        raw_delivery.c.state.in_(TOLD_STATES),
        sa.not_(is_told),
    )


def _files(connection: Connection, *where: sa.ColumnElement[bool]) -> list[PatronFile]:
    names = ("delivery_id", "sender", "name", "sha256", "generation", "state", "hold_reason")
    rows = connection.execute(
        sa.select(
            *(raw_delivery.c[name] for name in names),
            raw_patron_file.c.business_date,
            raw_patron_file.c.rows_read,
            raw_patron_file.c.findings,
            _rows_of_kind("rejected"),
            _rows_of_kind("quarantined"),
        )
        .join(raw_patron_file, raw_patron_file.c.delivery_id == raw_delivery.c.delivery_id)
        .where(raw_delivery.c.kind == PATRON, sa.not_(raw_delivery.c.is_preview), *where)
        .order_by(raw_delivery.c.sender, raw_patron_file.c.business_date, raw_delivery.c.delivery_id)
    )
    return [
        PatronFile(
            delivery_id=row.delivery_id,
            sender=row.sender,
            name=row.name,
            business_date=row.business_date,
            sha256=row.sha256,
            generation=row.generation,
            is_rejected=row.state == DeliveryState.REJECTED,
            reason=_reason(row.hold_reason or "", row.findings),
            rows_read=row.rows_read,
            rejected=row.rejected,
            quarantined=row.quarantined,
        )
        for row in rows
    ]


def _reason(said: str, findings: str) -> str:
    texts = [text for _, text, _ in orjson.loads(findings)]
    return "; ".join(filter(None, [said, *(text for text in texts if text not in said)]))


def told_as_held(connection: Connection, files: Collection[PatronFile]) -> frozenset[int]:
    """Those of `files` whose senders know already that they wait, and that nobody has rejected since.

    A newer file has taken their place: that repairs everything, and is no news.
    """
    keys = {held_key(each.identity, for_sender=True): each.delivery_id for each in files}
    keys |= {held_key(f"{each.identity}{LATER}", for_sender=True): each.delivery_id for each in files}
    known = sa.select(text_set(connection, keys.keys()).c.value)
    told = connection.execute(sa.select(core_notice.c.dedup_key).where(core_notice.c.dedup_key.in_(known))).scalars()
    ids = {keys[each] for each in told}
    by_a_person = connection.execute(
        sa.select(core_plan.c.delivery_id).where(
            core_plan.c.delivery_id.in_(sa.select(id_set(connection, ids).c.value)),
            core_plan.c["class"].startswith(WHOLE_FILE, autoescape=True),
            core_plan.c.state == PlanState.REJECTED,
            core_plan.c.decided_by != SUPERSEDED_BY,
        )
    ).scalars()
    return frozenset(ids - set(by_a_person))


def _rows_of_kind(kind: str) -> sa.Label[int]:
    rows = raw_patron_reject
    counted = sa.select(sa.func.count()).where(rows.c.delivery_id == raw_delivery.c.delivery_id, rows.c.kind == kind)
    return counted.scalar_subquery().label(kind)


def library_of(register: Register, source: PatronSource) -> Library | None:
    """The library whose persons a source sends: its own, else that of another source of the institution.

    The sources are asked in the order of their precedence. None where no source of the institution names one.
    """
    others = [each for each in register.patron_sources if each.institution == source.institution]
    named = [source, *sorted(others, key=lambda each: (each.precedence, each.code))]
    found = (register.library_by_sigel.get(each.library) for each in named if each.library)
    return next((each for each in found if each is not None), register.library_by_sigel.get(source.institution))


def patron_digest(
    connection: Connection,
    register: Register,
    source: PatronSource,
    files: Sequence[PatronFile],
    run_key: str,
    *,
    plan_hash: str | None = None,
    lists: Sequence[str] = (),
    reviews: Sequence[str] = (),
) -> PatronDigest:
    """The digest of some files of one source to the institution's library; where it has none, to the source's contact.

    Without `plan_hash` what was done unasked, asked or held; with it what was done once a person had approved it.
    """
    library = library_of(register, source)
    changes = _Changes(connection, [each.delivery_id for each in files], plan_hash)
    is_first = plan_hash is None
    return PatronDigest(
        library_name=library.name if library else source.institution,
        recipient=library.for_patrons if library else source.contact,
        language=library.language if library else source.language,
        source_code=source.code,
        source_name=source.name,
        run_key=run_key,
        dates=tuple(sorted({each.business_date for each in files})),
        happened=changes.happened(),
        paths=changes.by_path(),
        held=changes.held() if is_first else {},
        rows_rejected=sum(each.rejected for each in files) if is_first else 0,
        rows_quarantined=sum(each.quarantined for each in files) if is_first else 0,
        lists=tuple(lists),
        reviews=tuple(reviews),
        was_held=not is_first,
    )


class _Changes:
    """Counts of the changes that some files made."""

    def __init__(self, connection: Connection, deliveries: Collection[int], plan_hash: str | None) -> None:
        self._connection = connection
        table = core_patron_change
        self._where = (
            table.c.delivery_id.in_(sa.select(id_set(connection, deliveries).c.value)),
            table.c.plan_hash.is_(None) if plan_hash is None else table.c.plan_hash == plan_hash,
            table.c.reverted_at.is_(None),
        )

    def happened(self) -> dict[str, int]:
        """Persons by what became of them, by the names of the digest."""
        table = core_patron_change
        persons = sa.func.count(table.c.person_id.distinct())
        is_whole = table.c.path.in_([PERSON, STATE])
        applied = table.c.decision == "applied"
        steps = self._connection.execute(
            sa.select(table.c.rule, persons).where(*self._where, applied, is_whole).group_by(table.c.rule)
        )
        counts: Counter[str] = Counter()
        for rule, number in steps:
            if rule in HAPPENED_BY_RULE:
                counts[HAPPENED_BY_RULE[rule]] += number
        changed = self._connection.execute(sa.select(persons).where(*self._where, applied, sa.not_(is_whole)))
        counts["changed"] = changed.scalar_one()
        return dict(counts)

    def by_path(self) -> tuple[PathCounts, ...]:
        """Persons by path, those of which staff have to decide first."""
        table = core_patron_change
        is_protected = sa.case((table.c.rule.in_(PROTECTED_RULES), 1), else_=0)
        is_taken = sa.case((table.c.rule == TAKEN_RULE, 1), else_=0)
        rows = self._connection.execute(
            sa.select(
                table.c.path, table.c.decision, is_protected, is_taken, sa.func.count(table.c.person_id.distinct())
            )
            .where(*self._where, table.c.decision.in_(["applied", "review"]), table.c.path.not_in([PERSON, STATE]))
            .group_by(table.c.path, table.c.decision, is_protected, is_taken)
        )
        found: dict[str, Counter[str]] = {}
        for path, decision, protected, taken, number in rows:
            counts = found.setdefault(path, Counter())
            if decision == "review":
                counts["protected" if protected else "asked"] += number
            else:
                counts["changed"] += number
                counts["taken"] += number if taken else 0
        paths = [PathCounts(path, **counts) for path, counts in found.items()]
        return tuple(sorted(paths, key=lambda each: (-(each.protected + each.asked), -each.changed, each.path)))

    def held(self) -> dict[str, int]:
        """Persons by class of change that waits. A person who was not made has no id, and counts by the row."""
        table = core_patron_change
        who = sa.func.coalesce(table.c.person_id, -table.c.change_id)
        change_class = table.c["class"]
        rows = self._connection.execute(
            sa.select(change_class, sa.func.count(who.distinct()))
            .where(*self._where, table.c.decision == "held")
            .group_by(change_class)
            .order_by(change_class)
        )
        return {name: number for name, number in rows if name}


def files_of_plan(connection: Connection, plan_hash: str) -> list[PatronFile]:
    """The files of persons that a plan is about."""
    about = sa.select(core_plan.c.delivery_id).where(core_plan.c.plan_hash == plan_hash)
    return _files(connection, raw_delivery.c.delivery_id.in_(about))


def held_files(connection: Connection, register: Register, deliveries: Collection[int]) -> list[HeldPatronFile]:
    """For each file of persons that waits as a whole what the operator is told, and then what its sender is."""
    wanted = sa.select(id_set(connection, deliveries).c.value)
    names = ("delivery_id", "sender", "name", "sha256", "generation")
    rows = connection.execute(
        sa.select(
            *(raw_delivery.c[name] for name in names),
            raw_patron_file.c.business_date,
            raw_patron_file.c.findings,
            core_plan.c.plan_hash,
            core_plan.c["class"].label("change_class"),
        )
        .join(raw_delivery, raw_delivery.c.delivery_id == core_plan.c.delivery_id)
        .join(raw_patron_file, raw_patron_file.c.delivery_id == core_plan.c.delivery_id)
        .where(
            core_plan.c.delivery_id.in_(wanted),
            core_plan.c.state == PlanState.HELD,
            sa.not_(raw_delivery.c.is_preview),
            waits_as_whole_file(),
        )
        .order_by(core_plan.c.delivery_id, core_plan.c.plan_id)
    ).all()
    found: list[HeldPatronFile] = []
    for _, some in groupby(rows, key=lambda row: row.delivery_id):
        found += _held_file(register, next(some))
    return found


def _held_file(register: Register, row: sa.Row[Any]) -> list[HeldPatronFile]:
    def told(recipient: str, language: str, plan_hash: str) -> HeldPatronFile:
        return HeldPatronFile(
            recipient=recipient,
            language=language,
            source_name=sender_name(register, PATRON, row.sender),
            file_name=row.name,
            business_date=row.business_date,
            identity=identity_of(row.sender, row.business_date, row.sha256, row.generation)
            + (LATER if row.change_class == f"{WHOLE_FILE}change_rate" else ""),
            faults=tuple(FileFault(rule, text, path or "") for rule, text, path in orjson.loads(row.findings)),
            plan_hash=plan_hash,
        )

    source = register.patron_source_by_code.get(row.sender)
    to_operator = told(register.catalogue.operator, register.catalogue.language, row.plan_hash)
    return [to_operator, told(source.contact, source.language, "")] if source else [to_operator]
