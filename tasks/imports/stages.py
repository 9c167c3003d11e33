"""Stages of imports from other bases: by which profile they are read, and the plan that a person approves."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import orjson
import sqlalchemy as sa
from prefect.artifacts import create_markdown_artifact

from schemas.outcomes import DeliveryState, PlanState
from tasks.batch import each_delivery, rows_in_state
from tasks.catalogue.delivery_loading import loading_of
from tasks.catalogue.load_bibs import load_bib_range
from tasks.catalogue.preview import preview_delivery
from tasks.catalogue.small_deliveries import rules_of
from tasks.imports import planning
from tasks.imports.planning import Planned
from tasks.imports.report import as_markdown
from tasks.imports.samples import samples_of
from tasks.imports.shown import CLASS
from tasks.plans.store import decision
from tasks.stage import run_id, stage
from tasks.warehouse.engine import CATALOGUE_LOCK
from tasks.warehouse.ids import current
from tasks.warehouse.ledger import is_stage_done, set_state
from tasks.workplace import Workplace, workplace


@stage()
def read_by_profile(profile: str, deliveries: list[int], *, dry_run: bool = False) -> Counter[str]:
    """Note the profile that each file is read by; one that was read by another, and not approved, is read anew."""
    place = workplace()
    with place.warehouse.write() as connection:
        known = place.import_profile(profile)
        anew = planning.note_profile(connection, deliveries, known, place.now, dry_run=dry_run)
    return Counter({"read anew": anew})


@stage()
def plan_imports(profile: str, deliveries: list[int], *, dry_run: bool = False) -> dict[int, dict[str, int]]:
    """Decide everything as the load would, roll it back, and hold the plan until a person has approved it.

    Returns the counts by delivery. A dry run holds nothing. What is approved goes on, if its decisions are still the
    same; else it waits under its new plan.
    """
    place = workplace()
    counts: dict[int, dict[str, int]] = {}
    plans: dict[str, Planned] = {}

    def work(row: sa.Row[Any]) -> Counter[str]:
        planned = _planned(place, row, dry_run=dry_run)
        if planned is not None:
            counts[row.delivery_id], plans[row.name] = planned.counts, planned
        return Counter({} if planned is None else {planned.state: 1})

    waiting = [DeliveryState.MATCHED, DeliveryState.HELD]
    rows = [row for row in rows_in_state(place.warehouse, deliveries, waiting) if row.is_preview or not dry_run]
    each_delivery(rows, work)
    if plans and run_id() is not None:
        title = f"{profile}: dry run, nothing settled" if dry_run else f"{profile}: what the import would do"
        key = re.sub(r"[^a-z0-9-]", "-", f"import-{profile}")
        create_markdown_artifact(as_markdown(title, plans), key=key, description="What an import would do")
    return counts


def _planned(place: Workplace, row: sa.Row[Any], *, dry_run: bool) -> Planned | None:
    """The delivery's plan, made now where there is none that still fits; None where it is being loaded already."""
    loading = loading_of(place, row)
    with place.warehouse.read() as connection:
        noted = planning.noted_import(connection, row.delivery_id)
        assert noted is not None, "read_by_profile comes first"
        is_approved = is_stage_done(connection, row.delivery_id, planning.APPROVED)
        said = decision(connection, noted.plan_hash, CLASS) if noted.plan_hash else None
        is_as_planned = noted.planned_change_no == current(connection, "change")
        by = planning.decided_by(connection, noted.plan_hash) if said == PlanState.REJECTED else ""
    if is_approved:
        return None
    if said == PlanState.REJECTED:
        with place.warehouse.write(CATALOGUE_LOCK) as connection:
            planning.reject_import(connection, loading, by)
        return None
    planned = planning.read_planned(noted) if is_as_planned and said is not None else _plan_anew(place, row, noted)
    if dry_run:
        return planned
    with place.warehouse.write() as connection:
        if said == PlanState.APPROVED and planned.plan_hash == noted.plan_hash:
            planning.let_through(connection, loading, planned.plan_hash)
            return planned
        is_overtaken = said == PlanState.APPROVED
        planning.hold_plan(connection, loading, planned, run_id(), noted.plan_hash, is_overtaken=is_overtaken)
    return planned


def _plan_anew(place: Workplace, row: sa.Row[Any], noted: sa.Row[Any]) -> Planned:
    """A dry run of the delivery, its counts and samples kept beside it."""
    loading = loading_of(place, row)
    with place.warehouse.read() as connection:
        change_no = current(connection, "change")
    counts = preview_delivery(place.warehouse, loading, load_bib_range, chunk_records=place.settings.chunk_records)
    warnings = orjson.loads(noted.planned)["warnings"] if noted.planned else planning.warnings_in(row.hold_reason)
    assert loading.profile is not None
    with place.warehouse.write() as connection:
        reading, _staging = rules_of(place, row)
        samples = samples_of(connection, loading, reading, loading.profile.samples)
        made = planning.planned_import(connection, loading, counts, warnings, samples, noted.rules_sha256)
        planning.note_plan(connection, row.delivery_id, made, change_no, place.now)
        if row.is_preview:
            set_state(connection, row.delivery_id, DeliveryState.MATCHED, hold_reason=made.reason)
    return made
