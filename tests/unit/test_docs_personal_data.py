"""docs/personal-data.md names every column of the tables of patrons: what is of a person, and what says nothing.

A new column fails here until somebody has said which it is; one of a person fails until erasing clears it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from tasks.privacy.disclosing import SECTIONS
from tasks.privacy.erasing import NOTHING_OF_A_PERSON, OF_A_PERSON
from tasks.warehouse.all_tables import metadata

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "personal-data.md").read_text("utf-8")
PATRON_TABLES = sorted(each for each in metadata.tables if "patron" in each or each == "core_intake_token")
CLEARED_BY_COLUMN = {
    "core_patron": frozenset(NOTHING_OF_A_PERSON),
    "core_patron_change": frozenset({"primary_id", "old", "new"}),
    "raw_patron_receipt": frozenset({"content", "idempotency_key", "request_hash"}),
}
"""Tables whose rows stay when a person is erased, and the columns that do not."""
CLEARED_BY_ROW = {each.name for each in OF_A_PERSON} | {"stage_patron", "core_patron_merge"}


def columns_of(header: str) -> dict[str, frozenset[str]]:
    """Table: the columns that a table of the page names; of several words in backquotes those that are columns."""
    table = re.search(rf"^\| table \| {header}.*\n\|[-|]+\n((?:\|.*\n)*)", PAGE, re.MULTILINE)
    assert table, header
    found = {}
    for line in table[1].splitlines():
        cells = line.strip("| ").split(" | ")
        found[cells[0].strip("`")] = frozenset(re.findall(r"`([a-z_0-9]+)`", cells[1]))
    return found


PERSONAL = columns_of("what of a person")
PLAIN = columns_of("says nothing")


@pytest.mark.parametrize("name", PATRON_TABLES)
def test_every_column_is_either_of_a_person_or_says_nothing(name: str) -> None:
    personal, plain = PERSONAL.get(name, frozenset()), PLAIN.get(name, frozenset())
    assert not personal & plain
    assert personal | plain == set(metadata.tables[name].columns.keys())


@pytest.mark.parametrize("name", sorted(PERSONAL))
def test_what_is_of_a_person_is_cleared_by_erasing(name: str) -> None:
    if name == "core_patron_tombstone":
        return  # a keyed hash: it is what erasing leaves
    assert name in CLEARED_BY_ROW or PERSONAL[name] <= CLEARED_BY_COLUMN[name]


def test_a_disclosure_has_every_table_with_persons() -> None:
    of_persons = {each.name for each in metadata.tables.values() if _is_about_a_patron(each)}
    assert of_persons == {table.name for table, _ in SECTIONS.values()}


def _is_about_a_patron(table: sa.Table) -> bool:
    return table.name in PATRON_TABLES and "person_id" in table.columns
