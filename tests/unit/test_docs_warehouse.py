"""docs/warehouse.md is what the metadata and the promised views say: a changed column fails here.

`python -m tests.unit.test_docs_warehouse` writes the generated part of the page anew after a change on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.warehouse.base import UtcInstant
from schemas.warehouse.out import OUT_VIEWS
from schemas.warehouse.out_view import OutView
from tasks.warehouse import all_tables
from tasks.warehouse.all_tables import metadata

PAGE = Path(__file__).resolve().parents[2] / "docs" / "warehouse.md"
MARK = "<!-- From here on the page is generated: python -m tests.unit.test_docs_warehouse -->\n"
MODULES = (
    all_tables.raw,
    all_tables.collections,
    all_tables.imports,
    all_tables.stage,
    all_tables.core,
    all_tables.exports,
    all_tables.merging,
    all_tables.joining,
    all_tables.patrons,
    all_tables.accounts,
    all_tables.suppliers,
)
LAYERS = {
    "raw_": "What came, as it came, and how far each delivery has got.",
    "stage_": "The working set of a delivery until it is settled. What waits for a person stays until it is decided.",
    "core_": "The truth now, and its history.",
}
MEANINGS = {
    "attempts": "How often sending was tried",
    "author": "Main person or body",
    "bib_id": "Bib",
    "body_html": "The HTML part",
    "body_text": "The text part",
    "claimed_at": "When a run took it for sending",
    "control_number": "001",
    "created_at": "When the row was made",
    "decided_at": "When it was decided",
    "decided_by": "Who decided",
    "delivery_id": "Delivery",
    "ended_at": "When the next version took its place",
    "finished_at": "When it ended",
    "holding_id": "Holding",
    "internal_note": "852 $x",
    "last_error": "Of the last attempt",
    "limit": "How much is let through",
    "line_no": "From 1",
    "member_no": "Which file inside the delivery, from 0",
    "message_id": "Message-ID of the e-mail; never changes",
    "name": "File name",
    "next_value": "The next free id",
    "notice_id": "Surrogate id",
    "opened_at": "When it began to wait",
    "origin_position": "Piece of that delivery",
    "part": "0; 1, 2, ... for a holding made from an embedded 852",
    "plan_id": "Surrogate id",
    "position": "Piece of the delivery, from 1",
    "provisional_bib_id": "The bib loaded after the deadline",
    "public_note": "852 $z",
    "qualifier": "What stood around the number, and $q",
    "raw": "As it stands in the record",
    "reason": "In words",
    "received_at": "When it was first seen",
    "recipient": "E-mail address",
    "reject_reason": "Why it cannot be taken in; empty where it can",
    "reverted_at": "When it was undone",
    "review_id": "Surrogate id",
    "run_id": "The run that made the row",
    "score": "Sum of points",
    "seen_at": "When it was seen",
    "sent_at": "When it was handed over",
    "seq": "From 1",
    "shelf_mark": "852 $k $h $i $j $l $m",
    "sigel": "Library of a holding",
    "started_at": "When it began",
    "subject": "Subject line",
    "supplier_control_number": "001 as delivered",
    "title": "245 $a $b $n $p",
    "unexpected": "How many of them fail",
    "updated_at": "Last change",
    "uri": "Where it was seen",
    "value": "The number",
    "version": "Rises with each change",
    "year": "Year of publication",
}
"""What columns mean that have no comment of their own: the same in every table that has them."""


def type_in_words(column: sa.Column[Any]) -> str:
    """What a column holds, alike on both engines."""
    kinds: list[tuple[type[Any], str]] = [
        (UtcInstant, "instant"), (sa.Date, "date"), (sa.Boolean, "boolean"), (sa.LargeBinary, "bytes"),
        (sa.Float, "number"), (sa.Integer, "integer"), (sa.Text, "text"),
    ]  # fmt: skip
    return next(words for kind, words in kinds if isinstance(column.type, kind))


def meaning_of(column: sa.Column[Any]) -> str:
    """The comment of the column, or what a column of that name means everywhere."""
    return column.comment or MEANINGS[column.name]


def cell(text: str) -> str:
    """Text as a cell of a Markdown table."""
    return text.replace("|", r"\|").replace("<", "&lt;")


def table_lines(table: sa.Table) -> Iterator[str]:
    yield from (f"### `{table.name}`", "", f"{table.comment}.", "", "| column | holds | meaning |", "|---|---|---|")
    for column in table.columns:
        key = ", key" if column.primary_key else ""
        empty = ", may be null" if column.nullable else ""
        yield f"| `{column.name}` | {type_in_words(column)}{key}{empty} | {cell(meaning_of(column))} |"
    yield ""


def view_lines(view: OutView) -> Iterator[str]:
    yield from (f"### `{view.name}`", "", view.about, "", "| column | meaning |", "|---|---|")
    yield from (f"| `{name}` | {cell(meaning)} |" for name, meaning in view.columns.items())
    yield ""


def generated() -> str:
    """The page behind the mark."""
    lines = ["", "## Views for people and tools: `out_`", ""]
    lines += [line for view in OUT_VIEWS for line in view_lines(view)]
    for prefix, about in LAYERS.items():
        lines += [f"## Layer `{prefix}`", "", about, ""]
        lines += [line for table in tables(prefix) for line in table_lines(table)]
    return "\n".join(lines).rstrip() + "\n"


def tables(prefix: str) -> list[sa.Table]:
    """The tables of a layer, in the order of their modules and of their declaration, whoever imported what first."""
    declared = [each for module in MODULES for each in vars(module).values() if isinstance(each, sa.Table)]
    return [table for table in dict.fromkeys(declared) if table.name.startswith(prefix)]


def test_the_page_is_what_the_metadata_and_the_views_say() -> None:
    _, _, behind = PAGE.read_text("utf-8").partition(MARK)
    assert behind == generated(), "run `python -m tests.unit.test_docs_warehouse` and look at the difference"


def test_every_table_is_declared_in_one_of_the_modules() -> None:
    assert {each.name for prefix in LAYERS for each in tables(prefix)} == metadata.tables.keys()


def test_every_table_stands_in_one_of_the_layers() -> None:
    assert {table.name for prefix in LAYERS for table in tables(prefix)} == set(metadata.tables)


def test_every_column_has_a_meaning_and_no_meaning_is_left_over() -> None:
    unsaid = {column.name for table in metadata.tables.values() for column in table.columns if not column.comment}
    assert unsaid == set(MEANINGS)


@pytest.mark.parametrize("view", OUT_VIEWS, ids=lambda view: view.name)
def test_every_column_of_a_view_has_a_meaning(view: OutView) -> None:
    assert [name for name, meaning in view.columns.items() if len(meaning) < 3] == []


def test_every_table_says_what_it_is_for() -> None:
    assert [table.name for table in metadata.tables.values() if len(table.comment or "") < 10] == []


def main() -> None:
    """Write the generated part of the page anew; what stands before it is kept."""
    before, mark, _ = PAGE.read_text("utf-8").partition(MARK)
    PAGE.write_text(before + (mark or MARK) + generated(), "utf-8")


if __name__ == "__main__":
    main()
