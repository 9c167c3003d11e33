"""What loading a delivery would do to what is there, counted before anything is written, and guarded.

A class over its limit is held by the plan's hash; the others go on. When it is approved, what was left is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import takewhile

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.outcomes import BibOutcome, HoldingOutcome, PlanState
from schemas.warehouse.core import core_bib, core_holding, core_holding_line, core_outcome, core_plan
from schemas.warehouse.raw import raw_delivery
from schemas.warehouse.stage import stage_bib, stage_holding, stage_verdict
from tasks.catalogue.levels import ExistingBib, may_replace
from tasks.catalogue.load_bibs import load_anew
from tasks.catalogue.load_holdings import load_holdings_of
from tasks.catalogue.load_union import absent_bibs, delete_absent
from tasks.catalogue.loading import Loading, guard_rule
from tasks.catalogue.outcomes import OutcomeRow, write_outcomes
from tasks.catalogue.staging import forget_staged
from tasks.plans.plan import GuardedClass, PlannedClass, digest_of, guard, plan_hash
from tasks.plans.store import hold, mark_applied
from tasks.warehouse.bulk import id_set
from tasks.warehouse.ledger import is_stage_done, note_done, stages_done

FLOW = "supplier-ingest"
IMPORTS = "bib-import"
"""The flow whose plans are approved as a whole, so that no guard asks again."""
GUARDED = ("bib_create", "bib_replace", "holding_delete")
CATALOGUE_FLOW = "catalogue-load"


def scope_of(connection: Connection, delivery_id: int) -> str:
    """What a plan about this delivery is about; the same in every warehouse."""
    row = connection.execute(
        sa.select(raw_delivery.c.sender, raw_delivery.c.sha256, raw_delivery.c.generation).where(
            raw_delivery.c.delivery_id == delivery_id
        )
    ).one()
    again = f"/{row.generation}" if row.generation else ""
    return f"delivery:{row.sender}/{row.sha256[:12]}{again}"


def planned_changes(connection: Connection, loading: Loading) -> list[PlannedClass]:
    """The guarded classes of change of a matched delivery: bibs created, bibs replaced, holdings deleted.

    None of a delivery that no guard would hold even in an empty catalogue: most are so small, and counting what they
    are a share of takes longer than loading them.
    """
    if _is_let_through(connection, loading):
        return []
    scope = scope_of(connection, loading.delivery_id)
    bibs = connection.execute(
        sa.select(sa.func.count()).select_from(core_bib).where(sa.not_(core_bib.c.is_deleted))
    ).scalar_one()
    created = connection.execute(
        sa.select(sa.func.count())
        .select_from(stage_bib)
        .outerjoin(
            stage_verdict,
            sa.and_(
                stage_verdict.c.delivery_id == stage_bib.c.delivery_id,
                stage_verdict.c.position == stage_bib.c.position,
            ),
        )
        .where(
            stage_bib.c.delivery_id == loading.delivery_id,
            stage_bib.c.reject_reason == "",
            sa.func.coalesce(stage_verdict.c.ending, "new") == "new",
        )
    ).scalar_one()
    replaced = _replacements(connection, loading)
    deleted, lines_of_supplier = _deletions(connection, loading)
    return [
        PlannedClass(FLOW, scope, "bib_create", created, bibs, str(created)),
        PlannedClass(FLOW, scope, "bib_replace", len(replaced), bibs, digest_of(replaced)),
        PlannedClass(FLOW, scope, "holding_delete", len(deleted), lines_of_supplier, digest_of(deleted)),
    ]


def _is_let_through(connection: Connection, loading: Loading) -> bool:
    return loading.delivery_id in _let_through(connection, [loading])


def _let_through(connection: Connection, loadings: Sequence[Loading]) -> frozenset[int]:
    """Deliveries that have too few bibs and deletions for any guard, whatever the catalogue."""
    wanted = sa.select(id_set(connection, [each.delivery_id for each in loadings]).c.value)

    def counted(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> Counter[int]:
        rows = connection.execute(
            sa.select(table.c.delivery_id, sa.func.count())
            .where(table.c.delivery_id.in_(wanted), *conditions)
            .group_by(table.c.delivery_id)
        )
        return Counter({row[0]: row[1] for row in rows})

    bibs, deletions = counted(stage_bib), counted(stage_holding, stage_holding.c.is_delete)
    of_class = {"bib_create": bibs, "bib_replace": bibs, "holding_delete": deletions}

    def is_let_through(loading: Loading) -> bool:
        limits = {each: loading.register.guards.limit_for(FLOW, each) for each in GUARDED}
        return loading.profile is not None or all(
            limit is None or of_class[each][loading.delivery_id] <= limit.at_least for each, limit in limits.items()
        )

    return frozenset(each.delivery_id for each in loadings if is_let_through(each))


def _replacements(connection: Connection, loading: Loading) -> list[str]:
    """Control numbers of the bibs that the level table would let this delivery replace."""
    if loading.supplier is None:
        return []
    columns = ("encoding_level", "source", "last_editor", "is_national_bibliography", "sent_at_name")
    rows = connection.execute(
        sa.select(
            stage_bib.c.encoding_level,
            core_bib.c.control_number,
            *(core_bib.c[name].label(f"b_{name}") for name in columns),
        )
        .join(
            stage_verdict,
            sa.and_(
                stage_verdict.c.delivery_id == stage_bib.c.delivery_id,
                stage_verdict.c.position == stage_bib.c.position,
            ),
        )
        .join(core_bib, core_bib.c.bib_id == stage_verdict.c.bib_id)
        .where(stage_bib.c.delivery_id == loading.delivery_id, stage_verdict.c.ending == "match")
    )
    return [
        number
        for level, number, *existing in rows
        if may_replace(
            level, loading.sent_at_name, ExistingBib(*existing), loading.supplier, loading.register.levels
        ).replaces
    ]


def _deletions(connection: Connection, loading: Loading) -> tuple[list[str], int]:
    """The holdings that leader/05 = d names, and how many holdings have lines of this supplier."""
    rows = connection.execute(
        sa.select(stage_holding.c.sigel, stage_holding.c.position, stage_holding.c.part).where(
            stage_holding.c.delivery_id == loading.delivery_id, stage_holding.c.is_delete
        )
    )
    population = connection.execute(
        sa.select(sa.func.count(sa.distinct(core_holding_line.c.holding_id)))
        .join(core_holding, core_holding.c.holding_id == core_holding_line.c.holding_id)
        .where(core_holding_line.c.owner == loading.source, sa.not_(core_holding.c.is_deleted))
    ).scalar_one()
    return [f"{row.sigel} {row.position} {row.part}" for row in rows], int(population)


GUARD = "guard"
"""Not a stage: its row in the progress says that the plan was made."""


def guard_delivery(connection: Connection, loading: Loading, run_id: str | None) -> frozenset[str]:
    """Guard the delivery's plan, once; returns the classes that are held now.

    Loading changes what a plan is counted from: a run that goes on after a kill must find the first answer, not plan
    anew with half of the work done.
    """
    delivery_id = loading.delivery_id
    if not is_stage_done(connection, delivery_id, GUARD):
        guarded = [
            each for each in guard(planned_changes(connection, loading), loading.register.guards) if each.is_held
        ]
        if guarded:
            plan = plan_hash(each.planned for each in guarded)
            hold(connection, plan, guarded, delivery_id=delivery_id, run_id=run_id, now=loading.now)
        note_done(connection, [delivery_id], GUARD, loading.now)
    return _held_classes(connection, [delivery_id]).get(delivery_id, frozenset())


def guard_small(connection: Connection, loadings: Sequence[Loading]) -> list[Loading]:
    """As `guard_delivery`, of many deliveries at once; returns each with the classes that are held now.

    Ends before the first that has to be counted against the catalogue, which may have changed by then.
    """
    ids = [each.delivery_id for each in loadings]
    guarded = stages_done(connection, ids, GUARD)
    new = [each for each in loadings if each.delivery_id not in guarded]
    free = guarded | (_let_through(connection, new) if new else frozenset())
    some = list(takewhile(lambda each: each.delivery_id in free, loadings))
    if not some:
        return []
    held = _held_classes(connection, ids)
    note_done(connection, [each.delivery_id for each in some], GUARD, some[0].now)
    return [replace(each, held_classes=held.get(each.delivery_id, frozenset())) for each in some]


def _held_classes(connection: Connection, delivery_ids: Collection[int]) -> dict[int, frozenset[str]]:
    """The guarded classes of deliveries that are held now, or were rejected."""
    change_class = core_plan.c["class"]
    rows = connection.execute(
        sa.select(core_plan.c.delivery_id, change_class).where(
            core_plan.c.delivery_id.in_(sa.select(id_set(connection, delivery_ids).c.value)),
            core_plan.c.flow == FLOW,
            change_class.in_(GUARDED),
            core_plan.c.state.in_([PlanState.HELD, PlanState.REJECTED]),
        )
    )
    held: dict[int, frozenset[str]] = {}
    for delivery_id, each in rows:
        held[delivery_id] = held.get(delivery_id, frozenset()) | {each}
    return held


def planned_absence(connection: Connection, delivery_ids: Collection[int]) -> PlannedClass:
    """The deletions that a full export, in one file or several, would mean if its gaps were believed."""
    absent = id_set(connection, absent_bibs(connection, delivery_ids))
    numbers = list(
        connection.execute(
            sa.select(core_bib.c.control_number).join(absent, absent.c.value == core_bib.c.bib_id)
        ).scalars()
    )
    population = connection.execute(
        sa.select(sa.func.count()).select_from(core_bib).where(sa.not_(core_bib.c.is_deleted))
    ).scalar_one()
    files = connection.execute(
        sa.select(raw_delivery.c.sha256).where(raw_delivery.c.delivery_id.in_(list(delivery_ids)))
    ).scalars()
    scope = _EXPORT + "+".join(sorted(sha256[:12] for sha256 in files))
    return PlannedClass(CATALOGUE_FLOW, scope, "bib_absent", len(numbers), population, digest_of(numbers))


_EXPORT = "export:"


def _files_of(connection: Connection, scope: str) -> list[int]:
    """The deliveries of the export that a plan about absent bibs is about; a reloaded file by its last delivery."""
    beginnings = scope.removeprefix(_EXPORT).split("+")
    rows = connection.execute(
        sa.select(raw_delivery.c.sha256, raw_delivery.c.delivery_id)
        .where(
            raw_delivery.c.kind == "catalogue",
            sa.func.substr(raw_delivery.c.sha256, 1, 12).in_(beginnings),
            sa.not_(raw_delivery.c.is_preview),
        )
        .order_by(raw_delivery.c.generation)
    )
    return list({row.sha256: row.delivery_id for row in rows}.values())


def hold_absent(connection: Connection, delivery_ids: Sequence[int], run_id: str | None, now: datetime) -> int:
    """Hold the deletion of what a full export lacks, whatever its size; returns how many bibs that is."""
    planned = planned_absence(connection, delivery_ids)
    if planned.planned:
        reason = f"{planned.planned} of {planned.population} bibs are not in the full export; absence never deletes"
        held = GuardedClass(planned, 0, True, reason)
        hold(connection, plan_hash([planned]), [held], delivery_id=delivery_ids[-1], run_id=run_id, now=now)
    return planned.planned


def held_by_guard(connection: Connection, delivery_id: int, change_class: str) -> list[int]:
    """Positions of the bibs whose records, or whose holdings, a guard has left as they were."""
    rows = connection.execute(
        sa.select(core_outcome.c.position, core_outcome.c.record_type)
        .where(
            core_outcome.c.delivery_id == delivery_id,
            core_outcome.c.is_latest,
            core_outcome.c.rule == guard_rule(change_class),
        )
        .order_by(core_outcome.c.position)
    ).all()
    bibs = {row.position for row in rows if row.record_type == "bib"}
    holdings = [row.position for row in rows if row.record_type == "holding"]
    if holdings:
        bibs |= set(
            connection.execute(
                sa.select(stage_holding.c.bib_position).where(
                    stage_holding.c.delivery_id == delivery_id, stage_holding.c.position.in_(holdings)
                )
            ).scalars()
        )
    return sorted(bibs)


def apply_approved(connection: Connection, loading: Loading, plan: str, change_class: str, most: int) -> int:
    """Load what the guard had left, after approval: at most so many bibs, in the caller's transaction.

    Returns how many were looked at again; 0 when nothing is left, and then the plan is applied. The catalogue has moved
    on since: the bibs are matched again before anything is created or replaced.
    """
    if change_class == "bib_absent":
        return _apply_absence(connection, loading, plan)
    positions = held_by_guard(connection, loading.delivery_id, change_class)[:most]
    if not positions:
        mark_applied(connection, plan, change_class)
        return 0
    if change_class != "holding_delete":
        load_anew(connection, loading, positions)
    load_holdings_of(connection, loading, positions, only_rule=guard_rule(change_class))
    return len(positions)


def leave_rejected(connection: Connection, loading: Loading, change_class: str, by: str) -> int:
    """A person has rejected a class: what the guard had left stays so for good; returns how many records.

    The rows keep the guard's rule and the working set stays, since a rejected plan may still be approved.
    """
    final = {"bib": BibOutcome.REJECTED, "holding": HoldingOutcome.REFUSED}
    if change_class == "bib_create":
        final["holding"] = HoldingOutcome.REJECTED
    waiting = connection.execute(
        sa.select(core_outcome).where(
            core_outcome.c.delivery_id == loading.delivery_id,
            core_outcome.c.is_latest,
            core_outcome.c.rule == guard_rule(change_class),
            core_outcome.c.outcome.in_([BibOutcome.REVIEW, HoldingOutcome.WAITING]),
        )
    ).all()
    rows = [
        OutcomeRow(
            row.position, row.part, row.record_type, final[row.record_type], row.rule,
            f"{by} has rejected the plan; it was held because {row.reason}", sigel=row.sigel, bib_id=row.bib_id,
        )
        for row in waiting
    ]  # fmt: skip
    write_outcomes(connection, loading.delivery_id, rows, loading.now, succeeds=True)
    return len(rows)


def _apply_absence(connection: Connection, loading: Loading, plan: str) -> int:
    """Delete the absent bibs, if they are still the ones that were approved."""
    scope = connection.execute(
        sa.select(core_plan.c.scope).where(core_plan.c.plan_hash == plan, core_plan.c["class"] == "bib_absent")
    ).scalar_one()
    files = _files_of(connection, scope)
    if plan_hash([planned_absence(connection, files)]) != plan:
        raise UsageError(
            "the catalogue has changed since the plan was made",
            remedy="load a full export again and decide on its plan",
        )
    deleted = delete_absent(connection, loading, absent_bibs(connection, files))
    mark_applied(connection, plan, "bib_absent")
    return deleted


def reject_delivery(connection: Connection, loading: Loading, rule: str, reason: str) -> None:
    """Reject every record of a staged delivery, and drop its working set.

    For one that a person has rejected (rule `delivery_rejected`), or that is not what its name promised.
    """
    bibs = connection.execute(
        sa.select(stage_bib.c.position).where(stage_bib.c.delivery_id == loading.delivery_id)
    ).scalars()
    outcomes = [OutcomeRow(position, 0, "bib", "rejected", rule, reason) for position in bibs]
    holdings = connection.execute(
        sa.select(stage_holding.c.position, stage_holding.c.part, stage_holding.c.sigel).where(
            stage_holding.c.delivery_id == loading.delivery_id
        )
    )
    outcomes += [
        OutcomeRow(row.position, row.part, "holding", "rejected", rule, reason, sigel=row.sigel or None)
        for row in holdings
    ]
    write_outcomes(connection, loading.delivery_id, outcomes, loading.now, succeeds=True)
    forget_staged(connection, loading.delivery_id)
