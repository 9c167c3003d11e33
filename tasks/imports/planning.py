"""The plan of an import: everything it would do, under one hash, held until a person approves it.

The plan is the dry run (tasks/catalogue/preview.py) of a matched delivery. Its hash stands for the profile and for
every decision: where the catalogue has moved on so that one of them differs, the approval no longer fits, and the
import waits under its new hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState, PlanState
from schemas.register.import_profiles import ImportProfile
from schemas.summaries import BIB_COUNTS, HOLDING_COUNTS
from schemas.warehouse.core import core_bib, core_plan
from schemas.warehouse.imports import raw_import
from schemas.warehouse.stage import stage_preview
from tasks.catalogue.loading import Loading
from tasks.catalogue.planning import IMPORTS, reject_delivery, scope_of
from tasks.imports.samples import Sample
from tasks.imports.shown import CLASS
from tasks.plans.plan import GuardedClass, PlannedClass, digest_of, plan_hash
from tasks.plans.store import CHANGED, SUPERSEDED_BY, hold, mark_applied, withdraw
from tasks.warehouse.forgetting import forget_records
from tasks.warehouse.ledger import delivery, is_stage_done, note_done, set_state

APPROVED = "import_approved"
"""Not a stage: its row in the progress says that a person has approved the plan, and that loading may have begun."""
_CHANGES = ("bibs_created", "bibs_replaced", "holdings_created", "holdings_updated", "holdings_deleted")
_OPEN = (DeliveryState.RECEIVED, DeliveryState.STAGED, DeliveryState.MATCHED, DeliveryState.HELD)
_HASH_SHOWN = 12


def rules_of_profile(profile: ImportProfile) -> tuple[str, str]:
    """The profile as JSON, and its sha256."""
    text = orjson.dumps(profile.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS).decode()
    return text, hashlib.sha256(text.encode()).hexdigest()


def note_profile(
    connection: Connection, delivery_ids: Sequence[int], profile: ImportProfile, now: datetime, *, dry_run: bool = False
) -> int:
    """Note by which profile deliveries are read; one that was read by another and not approved yet is read anew.

    Returns how many are read anew. A dry run touches none that a real run has taken.
    """
    text, digest = rules_of_profile(profile)
    anew = 0
    for delivery_id in delivery_ids:
        row, noted = delivery(connection, delivery_id), noted_import(connection, delivery_id)
        if (
            row.state not in _OPEN
            or (dry_run and not row.is_preview)
            or (noted is not None and noted.rules_sha256 == digest)
        ):
            continue
        if noted is not None:
            if is_stage_done(connection, delivery_id, APPROVED):
                continue
            withdraw(connection, delivery_id, "the profile has changed", now)
            forget_records(connection, [delivery_id])
            set_state(connection, delivery_id, DeliveryState.RECEIVED, only_from=[row.state], hold_reason=None)
            anew += 1
        connection.execute(
            sa.insert(raw_import).values(delivery_id=delivery_id, profile=profile.code, rules_sha256=digest, rules=text)
        )
    return anew


def noted_import(connection: Connection, delivery_id: int) -> sa.Row[Any] | None:
    """The row of an import; None where there is none yet."""
    return connection.execute(sa.select(raw_import).where(raw_import.c.delivery_id == delivery_id)).one_or_none()


@dataclass(frozen=True)
class Planned:
    """What a dry run found: counts by `bibs_<outcome>` and `holdings_<outcome>`, warnings, and some of the records."""

    change: PlannedClass
    counts: dict[str, int]
    warnings: str
    samples: tuple[Sample, ...]
    state: str = "planned"

    @property
    def plan_hash(self) -> str:
        """By which it is approved."""
        return plan_hash([self.change])

    @property
    def reason(self) -> str:
        """In words."""
        return in_words(self.counts, self.warnings)


def planned_import(
    connection: Connection,
    loading: Loading,
    counts: Mapping[str, int],
    warnings: str,
    samples: Sequence[Sample],
    rules: str,
) -> Planned:
    """The plan of what a dry run found; `counts` are its outcomes, `rules` the sha256 of the profile."""
    changes = sum(counts.get(name, 0) for name in _CHANGES)
    detail = digest_of([f"rules {rules}", f"decisions {_decisions_digest(connection, loading.delivery_id)}"])
    scope = scope_of(connection, loading.delivery_id)
    change = PlannedClass(IMPORTS, scope, CLASS, changes, sum(counts.values()), detail)
    return Planned(change, dict(counts), warnings, tuple(samples))


def warnings_in(hold_reason: str | None) -> str:
    """What the quality gate said of the file, as a part of the plan's reason."""
    return (hold_reason or "").replace("would be held", "below the profile's limits", 1)


def read_planned(noted: sa.Row[Any]) -> Planned:
    """The plan as it was noted."""
    kept = orjson.loads(noted.planned)
    samples = tuple(Sample(**each) for each in orjson.loads(noted.samples))
    return Planned(PlannedClass(*kept["change"]), kept["counts"], kept["warnings"], samples)


def decided_by(connection: Connection, full_hash: str) -> str:
    """Who decided on a plan."""
    found = connection.execute(
        sa.select(core_plan.c.decided_by).where(core_plan.c.plan_hash == full_hash, core_plan.c["class"] == CLASS)
    ).scalar_one()
    return str(found)


def _decisions_digest(connection: Connection, delivery_id: int) -> str:
    """SHA-256 over every decision of the dry run, in the order of the file; it names no surrogate ids."""
    names = ("position", "part", "record_type", "outcome", "rule", "sigel")
    rows = connection.execute(
        sa.select(*(stage_preview.c[name] for name in names), core_bib.c.control_number)
        .outerjoin(core_bib, core_bib.c.bib_id == stage_preview.c.bib_id)
        .where(stage_preview.c.delivery_id == delivery_id)
        .order_by(stage_preview.c.position, stage_preview.c.part),
        execution_options={"yield_per": 10_000},
    )
    digest = hashlib.sha256()
    for row in rows:
        digest.update(orjson.dumps(list(row)))
    return digest.hexdigest()


def in_words(counts: Mapping[str, int], warnings: str = "") -> str:
    """`bibs: 12 created, 3 kept; holdings: 15 created`, and what falls short of the profile's limits."""
    parts = []
    for thing, names in (("bib", BIB_COUNTS), ("holding", HOLDING_COUNTS)):
        found = [f"{counts[f'{thing}s_{name}']} {name}" for name in names if counts.get(f"{thing}s_{name}")]
        parts += [f"{thing}s: {', '.join(found)}"] if found else []
    return "; ".join([*parts, *filter(None, [warnings])]) or "nothing would change"


def note_plan(connection: Connection, delivery_id: int, planned: Planned, change_no: int, now: datetime) -> None:
    """Keep what was planned beside the delivery; `change_no` is the catalogue's last change before it was planned."""
    kept = {"change": astuple(planned.change), "counts": planned.counts, "warnings": planned.warnings}
    connection.execute(
        sa.update(raw_import)
        .where(raw_import.c.delivery_id == delivery_id)
        .values(
            plan_hash=planned.plan_hash,
            planned_change_no=change_no,
            planned=orjson.dumps(kept).decode(),
            samples=orjson.dumps([each._asdict() for each in planned.samples]).decode(),
            planned_at=now,
        )
    )


def hold_plan(
    connection: Connection,
    loading: Loading,
    planned: Planned,
    run_id: str | None,
    former: str | None,
    *,
    is_overtaken: bool,
) -> None:
    """Hold the delivery under the plan's hash; a `former` one is out of date. `is_overtaken`: that one was approved."""
    if former is not None and former != planned.plan_hash:
        connection.execute(
            sa.update(core_plan)
            .where(core_plan.c.plan_hash == former, core_plan.c.state.in_([PlanState.HELD, PlanState.APPROVED]))
            .values(state=PlanState.REJECTED, reason=CHANGED, decided_by=SUPERSEDED_BY, decided_at=loading.now)
        )
    since = "the catalogue has changed since the approval; " if is_overtaken else ""
    held = GuardedClass(planned.change, 0.0, True, f"{since}{planned.reason}")
    hold(connection, planned.plan_hash, [held], delivery_id=loading.delivery_id, run_id=run_id, now=loading.now)
    said = f"the import waits for approval (plan {planned.plan_hash[:_HASH_SHOWN]}): {held.reason}"
    set_state(connection, loading.delivery_id, DeliveryState.HELD, hold_reason=said)


def let_through(connection: Connection, loading: Loading, full_hash: str) -> None:
    """Let an approved import be loaded, also by a run that goes on after a kill."""
    mark_applied(connection, full_hash, CLASS)
    note_done(connection, [loading.delivery_id], APPROVED, loading.now)
    set_state(connection, loading.delivery_id, DeliveryState.MATCHED, hold_reason=None)


def reject_import(connection: Connection, loading: Loading, by: str) -> None:
    """End an import whose plan a person has rejected: each of its records is rejected and told."""
    why = f"{by} has rejected the import"
    reject_delivery(connection, loading, "delivery_rejected", why)
    set_state(connection, loading.delivery_id, DeliveryState.REJECTED, hold_reason=why, finished_at=loading.now)
