"""Pairs of bibs and merges as commands and pages list them: read-only, plain data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_bib
from schemas.warehouse.merging import core_bib_merge, core_duplicate
from tasks.catalogue.duplicates import OPEN
from tasks.warehouse.bulk import id_set

MOST_SHOWN = 100


@dataclass(frozen=True)
class ShownPair:
    """A pair of bibs that look like one, in a line."""

    duplicate_id: int
    first_id: int
    second_id: int
    first_title: str
    second_title: str
    state: str
    verdict: str
    score: float
    rule: str
    reason: str
    owner: str
    found_at: datetime
    decided_by: str | None
    merge_id: int | None


@dataclass(frozen=True)
class ShownMerge:
    """A merge, in a line."""

    merge_id: int
    survivor_id: int
    merged_id: int
    title: str
    rule: str
    reason: str
    by: str
    run_id: str | None
    merged_at: datetime
    split_at: datetime | None
    split_by: str | None


def shown_pairs(
    connection: Connection,
    states: Collection[str] = (OPEN,),
    *,
    ids: Collection[int] | None = None,
    most: int = MOST_SHOWN,
) -> list[ShownPair]:
    """Pairs in these states, the most alike first; or those of `ids`, in any state."""
    first, second = core_bib.alias("first"), core_bib.alias("second")
    elsewhere = {"first_title": first.c.title, "second_title": second.c.title}
    names = ShownPair.__dataclass_fields__
    columns = [(elsewhere[name] if name in elsewhere else core_duplicate.c[name]).label(name) for name in names]
    statement = (
        sa.select(*columns)
        .join(first, first.c.bib_id == core_duplicate.c.first_id)
        .join(second, second.c.bib_id == core_duplicate.c.second_id)
        .order_by(core_duplicate.c.verdict, core_duplicate.c.score.desc(), core_duplicate.c.duplicate_id)
        .limit(most)
    )
    if ids is None:
        statement = statement.where(core_duplicate.c.state.in_(list(states)))
    else:
        wanted = id_set(connection, ids)
        statement = statement.where(core_duplicate.c.duplicate_id.in_(sa.select(wanted.c.value)))
    return [ShownPair(**row._mapping) for row in connection.execute(statement)]


def pairs_by_state(connection: Connection) -> dict[str, int]:
    """How many pairs are in each state."""
    number = sa.func.count()
    rows = connection.execute(sa.select(core_duplicate.c.state, number).group_by(core_duplicate.c.state))
    return {state: int(many) for state, many in sorted(tuple(row) for row in rows)}


def shown_merges(connection: Connection, most: int = MOST_SHOWN) -> list[ShownMerge]:
    """The newest merges, the last one first."""
    columns = [
        (core_bib.c.title if name == "title" else core_bib_merge.c[name]).label(name)
        for name in ShownMerge.__dataclass_fields__
    ]
    statement = (
        sa.select(*columns)
        .join(core_bib, core_bib.c.bib_id == core_bib_merge.c.survivor_id)
        .order_by(core_bib_merge.c.merge_id.desc())
        .limit(most)
    )
    return [ShownMerge(**row._mapping) for row in connection.execute(statement)]


def as_markdown(pairs: Sequence[ShownPair], found: Mapping[str, int]) -> str:
    """The page of a run that looked: what it found, and the pairs that wait."""
    totals = ", ".join(f"{name} {number}" for name, number in found.items() if number) or "nothing has changed"
    lines = [totals, "", "| pair | bibs | points | rule | titles |", "|---|---|--:|---|---|"]
    lines += [
        f"| D{each.duplicate_id} | {each.first_id}, {each.second_id} | {each.score:.2f} | {each.rule} "
        f"| {_titles(each)} |"
        for each in pairs
    ]
    return "\n".join(lines)


def _titles(each: ShownPair) -> str:
    titles = dict.fromkeys((each.first_title, each.second_title))
    return " / ".join(" ".join(title.split()).replace("|", "\\|").replace("<", "&lt;") for title in titles)
