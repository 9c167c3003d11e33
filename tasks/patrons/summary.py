"""The summary of a run over files of persons: counts by institution and day, and a chart. Never a person."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pygal
import sqlalchemy as sa
from pygal.style import Style
from sqlalchemy.engine import Connection

from schemas.outcomes import PlanState
from schemas.summaries import PATRON_COUNTS, PatronSummary, totals
from schemas.warehouse.core import core_plan
from schemas.warehouse.patrons import raw_patron_file
from schemas.warehouse.raw import raw_delivery
from tasks.plans.plan import GuardedClass
from tasks.warehouse.bulk import id_set
from tasks.warehouse.read_backs import HeldReadBack

_COLOURS = {
    "created": "#2e7d32", "changed": "#1565c0", "kept": "#78909c", "held": "#f9a825", "quarantined": "#d84315",
    "rejected": "#b71c1c",
}  # fmt: skip


def summaries(connection: Connection, deliveries: Sequence[int]) -> list[PatronSummary]:
    """The files as the ledger has them, in the order given."""
    wanted = id_set(connection, deliveries)
    rows = {
        row.delivery_id: row
        for row in connection.execute(
            sa.select(
                raw_patron_file,
                *(raw_delivery.c[name] for name in ("name", "state", "hold_reason", "is_preview")),
            )
            .join(raw_delivery, raw_delivery.c.delivery_id == raw_patron_file.c.delivery_id)
            .join(wanted, wanted.c.value == raw_patron_file.c.delivery_id)
        )
    }
    waits = _waiting(connection, deliveries)
    return [_summary(rows[each], waits.get(each, [])) for each in deliveries if each in rows]


def _waiting(connection: Connection, deliveries: Sequence[int]) -> dict[int, list[sa.Row[Any]]]:
    wanted = id_set(connection, deliveries)
    rows = connection.execute(
        sa.select(core_plan)
        .join(wanted, wanted.c.value == core_plan.c.delivery_id)
        .where(core_plan.c.state == PlanState.HELD)
        .order_by(core_plan.c.plan_id)
    )
    found: dict[int, list[sa.Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.delivery_id, []).append(row)
    return found


def _summary(row: sa.Row[Any], waits: Sequence[sa.Row[Any]]) -> PatronSummary:
    counts = {name: row._mapping[f"rows_{name}"] for name in PATRON_COUNTS}
    return PatronSummary(
        delivery_id=row.delivery_id,
        source=row.source,
        institution=row.institution,
        name=row.name,
        business_date=row.business_date,
        state=row.state,
        reason="; ".join(filter(None, [row.hold_reason, *(each.reason for each in waits if not row.hold_reason)])),
        is_preview=row.is_preview,
        rows=counts,
        missing=row.persons_missing,
        moved=row.persons_moved,
        held={each._mapping["class"]: each.planned for each in waits},
        plan_hash=waits[0].plan_hash if waits else "",
    )


def previewed(summary: PatronSummary, guarded: Sequence[GuardedClass]) -> PatronSummary:
    """The summary of a dry run, with what the guards would hold."""
    held = [each for each in guarded if each.is_held]
    reason = "; ".join(filter(None, [summary.reason, *(f"would be held: {each.reason}" for each in held)]))
    return PatronSummary(
        **{name: getattr(summary, name) for name in PatronSummary.__dataclass_fields__}
        | {"reason": reason, "held": {each.planned.change_class: each.planned.planned for each in held}}
    )


def as_markdown(title: str, found: Sequence[PatronSummary], read_backs: Sequence[HeldReadBack] = ()) -> str:
    """The artifact of a run: a chart, a table of files, and why the last read-backs could not be used."""
    lines = [
        *(f"# {title}", ""),
        *(f"![What became of the rows]({chart_uri(totals(found))})", ""),
        "| file | institution | day | state | rows | as before | new | changed | kept | held | quarantined | unreadable"
        " | missing | moved |",
        "|--:|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(_row(each) for each in found),
    ]
    reasons = [f"* {each.source}, {each.business_date}: {each.reason}" for each in found if each.reason]
    reasons += [
        f"* read-back of {each.institution} as of {each.as_of:%Y-%m-%d %H:%M} UTC was not used: {each.reason}"
        for each in read_backs
    ]
    return "\n".join([*lines, *(["", "## What waits, or was not taken", "", *reasons] if reasons else [])])


def _row(each: PatronSummary) -> str:
    counts = [each.rows.get(name, 0) for name in PATRON_COUNTS]
    cells = [each.delivery_id, each.institution, each.business_date, each.state, *counts, each.missing, each.moved]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def chart_uri(counts: dict[str, int]) -> str:
    """A small bar chart of what became of rows that were not as before, as a data URI."""
    chart = pygal.HorizontalBar(
        width=760,
        height=220,
        legend_at_bottom=True,
        legend_at_bottom_columns=6,
        margin=8,
        style=Style(colors=tuple(_COLOURS.values()), background="white", plot_background="white", legend_font_size=11),
        disable_xml_declaration=True,
        js=[],
    )
    for name in _COLOURS:
        chart.add(name, counts.get(f"rows {name}", 0) or None)
    return "data:image/svg+xml;base64," + base64.b64encode(chart.render(is_unicode=True).encode()).decode()
