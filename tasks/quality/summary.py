"""The summary of a run that a person wants to see: a table of deliveries and a small chart of outcomes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import pygal
import sqlalchemy as sa
from pygal.style import Style
from sqlalchemy.engine import Connection

from schemas.summaries import BIB_COUNTS, HOLDING_COUNTS, DeliverySummary, totals
from schemas.warehouse.raw import raw_delivery
from tasks.warehouse.bulk import id_set

_COLOURS = {
    "created": "#2e7d32", "replaced": "#1565c0", "updated": "#1565c0", "kept": "#78909c", "unchanged": "#78909c",
    "review": "#f9a825", "waiting": "#f9a825", "deleted": "#6a1b9a", "refused": "#d84315", "rejected": "#b71c1c",
}  # fmt: skip
MOST_ROWS = 100


def summaries(
    connection: Connection, deliveries: Sequence[int], previews: Mapping[int, Mapping[str, int]] | None = None
) -> list[DeliverySummary]:
    """The deliveries as the ledger has them, in the order given; counts of a preview come from `previews`."""
    wanted = id_set(connection, deliveries)
    rows = {
        row.delivery_id: row
        for row in connection.execute(
            sa.select(raw_delivery).join(wanted, wanted.c.value == raw_delivery.c.delivery_id)
        )
    }
    return [_summary(rows[each], (previews or {}).get(each)) for each in deliveries if each in rows]


def _summary(row: sa.Row[Any], preview: Mapping[str, int] | None) -> DeliverySummary:
    def counted(kind: str, names: Sequence[str]) -> dict[str, int]:
        if preview is None:
            return {name: row._mapping[f"{kind}s_{name}"] for name in names}
        found = {name: preview.get(f"{kind}s_{name}", 0) for name in names if name != "read"}
        return {"read": sum(found.values()), **found}

    return DeliverySummary(
        delivery_id=row.delivery_id,
        sender=row.sender,
        name=row.name,
        state=row.state,
        reason=row.hold_reason or "",
        is_preview=preview is not None,
        docs_uri=row.docs_uri or "",
        records_unreadable=row.records_unreadable,
        bibs=counted("bib", BIB_COUNTS),
        holdings=counted("holding", HOLDING_COUNTS),
    )


def as_markdown(title: str, found: Sequence[DeliverySummary], docs_index: str = "") -> str:
    """The artifact of a run: chart and table. Long runs show the first deliveries and say how many there are.

    A file's name leads to its Data Docs, where they have been made; `docs_index` leads to those that come later.
    """
    counts = totals(found)
    lines = [
        f"# {title}",
        "",
        f"{len(found)} deliveries, {counts.get('bibs read', 0)} bibs, {counts.get('holdings read', 0)} holdings,"
        f" {counts.get('unreadable', 0)} unreadable pieces.",
        "",
        f"![Outcomes]({chart_uri(counts)})",
        "",
        "| delivery | file | state | bibs | new | replaced | kept | review | rejected | holdings | on the shelf |"
        " waiting | refused | rejected | unreadable |",
        "|--:|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_row(each) for each in found[:MOST_ROWS]]
    if len(found) > MOST_ROWS:
        lines.append(f"\nThe first {MOST_ROWS} of {len(found)}; the others are in `out_delivery`.")
    reasons = [f"* {each.name}: {each.reason}" for each in found if each.reason][:MOST_ROWS]
    if reasons:
        lines += ["", "## Why something waits or was rejected", "", *reasons]
    if docs_index:
        lines += ["", f"[Data Docs]({docs_index}) of the deliveries; new ones are there soon after the run."]
    return "\n".join(lines)


def _row(each: DeliverySummary) -> str:
    bibs, holdings = each.bibs, each.holdings
    shelved = sum(holdings.get(name, 0) for name in ("created", "updated", "unchanged", "deleted"))
    cells = [
        each.delivery_id, _linked(each), each.state, bibs.get("read", 0), bibs.get("created", 0),
        bibs.get("replaced", 0), bibs.get("kept", 0), bibs.get("review", 0), bibs.get("rejected", 0),
        holdings.get("read", 0), shelved, holdings.get("waiting", 0), holdings.get("refused", 0),
        holdings.get("rejected", 0), each.records_unreadable,
    ]  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _linked(each: DeliverySummary) -> str:
    """The file's name, as a link where its Data Docs are there. A name can never end the cell or the link."""
    name = "".join(f"\\{letter}" if letter in "\\|[]`<>" else letter for letter in each.name)
    return f"[{name}]({each.docs_uri})" if each.docs_uri else name


def chart_uri(counts: Mapping[str, int]) -> str:
    """A small bar chart of outcomes as a data URI, so that the artifact needs no other file."""
    names = list(dict.fromkeys([*BIB_COUNTS[1:], *HOLDING_COUNTS[1:]]))
    chart = pygal.HorizontalStackedBar(
        width=760,
        height=240,
        show_legend=True,
        legend_at_bottom=True,
        legend_at_bottom_columns=6,
        margin=8,
        style=Style(
            colors=tuple(_COLOURS[name] for name in names),
            background="white",
            plot_background="white",
            legend_font_size=11,
        ),
        disable_xml_declaration=True,
        js=[],
    )
    chart.x_labels = ["bibs", "holdings"]
    for name in names:
        chart.add(name, [counts.get(f"bibs {name}", 0) or None, counts.get(f"holdings {name}", 0) or None])
    return "data:image/svg+xml;base64," + base64.b64encode(chart.render(is_unicode=True).encode()).decode()
