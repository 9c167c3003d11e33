"""The stages of `patron-sync` in the order of the flow, without Prefect, and what the warehouse says of persons."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from schemas.summaries import PatronSummary
from schemas.warehouse.core import core_plan
from tasks.catalogue.stages import decide_plan
from tasks.patrons import stages as patrons
from tasks.patrons.summary import summaries
from tasks.warehouse.engine import Warehouse
from tasks.workplace import Workplace
from tests.warehouse.pipeline import land

OF_A_FILE: tuple[Callable[[int], Any], ...] = (
    patrons.stage_persons.fn,
    patrons.check_file.fn,
    patrons.plan_changes.fn,
    patrons.check_changes.fn,
    patrons.apply_changes.fn,
    patrons.prove_rows.fn,
    patrons.settle_file.fn,
)
"""What each file goes through, but for the e-mails and the files for library systems."""


def sync(place: Workplace, source: str, uris: Sequence[str] = (), *, again: bool = False) -> list[PatronSummary]:
    """A run of `patron-sync`."""
    files = patrons.receive_files.fn(source, list(uris), again=again)
    for file in files:
        for stage in OF_A_FILE:
            stage(file)
    return summed_up(place.warehouse, files)


def sync_file(place: Workplace, source: str, path: Path, manifest: Path | None = None) -> PatronSummary:
    """A run over one file that was dropped, with its manifest where it has one."""
    beside = [land(place, source, manifest.name, manifest.read_bytes())] if manifest else []
    (found,) = sync(place, source, [land(place, source, path.name, path.read_bytes()), *beside])
    return found


def preview(place: Workplace, source: str, uris: Sequence[str]) -> list[PatronSummary]:
    """A dry run of `patron-sync`."""
    files = patrons.receive_files.fn(source, list(uris), dry_run=True)
    for file in files:
        for stage in OF_A_FILE[:4]:
            stage(file)
    return list(patrons.preview_changes.fn(files))


def summed_up(warehouse: Warehouse, files: Sequence[int]) -> list[PatronSummary]:
    """The files as a run sums them up."""
    with warehouse.read() as connection:
        return summaries(connection, files)


def approve_all(place: Workplace, by: str = "Bo Alm") -> list[str]:
    """Approve every patron plan that waits, and carry it out; returns the classes."""
    with place.warehouse.read() as connection:
        hashes = list(
            connection.execute(
                sa.select(core_plan.c.plan_hash)
                .where(core_plan.c.state == "held", core_plan.c.flow == "patron-sync")
                .distinct()
            ).scalars()
        )
    done: list[str] = []
    for each in hashes:
        decide_plan.fn(each, "approve", by, None)
        carried = patrons.apply_patron_plan.fn(each)
        assert not carried.problems, carried.problems
        done += carried.said
        for source in carried.sources:
            sync(place, source)
    return done


def rows(warehouse: Warehouse, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """Rows of a view."""
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql), values)]


def persons(warehouse: Warehouse, institution: str) -> dict[str, dict[str, Any]]:
    """`out_patron` of an institution by primary id."""
    with warehouse.read() as connection:
        found = connection.execute(
            sa.text("SELECT * FROM out_patron WHERE institution = :institution"), {"institution": institution}
        )
        return {row.primary_id: dict(row._mapping) for row in found}


CONTENT = (
    "SELECT institution, primary_key, state, state_since, expires_on, expiry_rule, purge_on, is_confidential, "
    "affiliations, protected, document FROM core_patron WHERE merged_into IS NULL"
)


def content(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Every person as they are, without surrogate ids, instants and versions."""
    found = [tuple(str(cell) for cell in row) for row in rows(warehouse, CONTENT)]
    locks = [
        tuple(str(cell) for cell in row)
        for row in rows(
            warehouse,
            "SELECT p.institution, p.primary_key, l.path, l.item_type, l.item_key, l.kind, l.held_value, l.until "
            "FROM core_patron_lock l JOIN core_patron p ON p.person_id = l.person_id WHERE l.released_at IS NULL",
        )
    ]
    return sorted(found) + sorted(locks)


def protected(person: dict[str, Any]) -> list[str]:
    """The paths of a person that are protected."""
    return list(json.loads(person["protected"]))
