"""Stages of the marts: the day's snapshot, and old ones that go."""

from __future__ import annotations

from collections import Counter

from prefect.artifacts import create_markdown_artifact

from schemas.warehouse.out import OUT_VIEWS
from tasks.marts.snapshot import is_copied, mart_key
from tasks.marts.snapshot import write_marts as write_snapshot
from tasks.stage import run_id, stage
from tasks.workplace import workplace


@stage()
def write_marts() -> Counter[str]:
    """Write today's snapshot of the promised views to `marts/` of the landing zone; returns rows by view."""
    place = workplace()
    counts = write_snapshot(place.warehouse, place.zone, place.today, place.register.catalogue.name)
    if run_id() is not None:
        copied = {view.name for view in OUT_VIEWS if is_copied(view)}
        lines = [
            f"| `{name}` | {rows:,} | {'' if name in copied else 'counted only'} |" for name, rows in counts.items()
        ]
        where = place.zone.uri_for(mart_key(place.today, "data-dictionary.json"))
        text = "\n".join([f"`{where}`", "", "| view | rows | |", "|---|---|---|", *lines])
        create_markdown_artifact(text, key="marts", description="The day's snapshot of the promised views")
    return counts
