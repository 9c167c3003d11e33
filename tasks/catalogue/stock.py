"""The stock of joining libraries as a delivery: how its file is read, and what it may do to the catalogue.

It goes through the same engine as a supplier's delivery, under a profile that creates and replaces nothing. Its
holdings wait for approval; then lines are added to the libraries' holdings, and none is taken away.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import HoldingLine
from schemas.outcomes import HoldingOutcome, PlanState
from schemas.register.import_profiles import ImportProfile
from schemas.register.register import Register
from schemas.warehouse.collections import raw_collection
from schemas.warehouse.core import core_plan
from schemas.warehouse.raw import raw_delivery
from tasks.catalogue.holding_lines import LIBRARY, LineChange
from tasks.marc.stock import StockRules, is_bare

COLLECTION = "collection"
"""Kind of the delivery, and what bibs that are made of it are said to come from."""
FLOW = "collection-match"
ATTACH = "holding_attach"
CREATE = "bib_create"
CREATES_MISSING = "create"
"""`mode` of a delivery whose missing bibs are asked for."""


class StockProfile(ImportProfile):
    """A joining library's stock as a sender: every library of it joins, nothing of the catalogue is replaced."""


def stock_profile(sender: str, mode: str, register: Register) -> StockProfile:
    """The profile that a collection is loaded by; `mode` as in its ledger row."""
    return StockProfile.model_construct(
        code=COLLECTION,
        name=f"the stock of {sender}",
        contact=register.catalogue.operator,
        language=register.catalogue.language,
        # Who joins was asked when the file came; other sigels never get so far.
        libraries=tuple(register.library_by_sigel),
        create="with_number" if mode == CREATES_MISSING else "none",
        overlay=False,
    )


def enter_collection(connection: Connection, delivery_id: int, rules: StockRules) -> None:
    """Note how a collection's file is read; what is noted already stays."""
    connection.execute(
        sa.text(
            "INSERT INTO raw_collection (delivery_id, libraries, columns) VALUES (:d, :l, :c) ON CONFLICT DO NOTHING"
        ),
        {
            "d": delivery_id,
            "l": orjson.dumps(rules.libraries).decode(),
            "c": orjson.dumps(dict(rules.columns), option=orjson.OPT_SORT_KEYS).decode(),
        },
    )


def stock_rules(connection: Connection, delivery_id: int) -> StockRules:
    """How a collection's file is read."""
    table = raw_collection.c
    libraries, columns = connection.execute(
        sa.select(table.libraries, table["columns"]).where(table.delivery_id == delivery_id)
    ).one()
    return StockRules(tuple((sigel, called) for sigel, called in orjson.loads(libraries)), orjson.loads(columns))


def held_now(connection: Connection, delivery_id: int) -> frozenset[str]:
    """The classes of a collection that nobody has approved: its holdings, and bibs where they were asked for."""
    change_class = core_plan.c["class"]
    free = connection.execute(
        sa.select(change_class).where(
            core_plan.c.delivery_id == delivery_id,
            core_plan.c.flow == FLOW,
            core_plan.c.state.in_([PlanState.APPROVED, PlanState.APPLIED]),
        )
    ).scalars()
    return frozenset({ATTACH, CREATE}) - frozenset(free)


def of_collections() -> sa.Select[tuple[int]]:
    """Deliveries that are the stock of joining libraries: no book of theirs waits to be lent, and there are many."""
    return sa.select(raw_delivery.c.delivery_id).where(raw_delivery.c.kind == COLLECTION)


def joined_lines(is_delete: bool, existing: Sequence[HoldingLine], incoming: Sequence[HoldingLine]) -> LineChange:
    """The rule for a collection: a line that says something new is added; nothing is replaced.

    A library may have the same bib twice in its stock, and lines of its own in the catalogue: all of them stay. A line
    that names no place says nothing beside one that does: it is not added, and goes where one comes.
    """
    there = {(each.tag, each.content) for each in existing}
    marks = {each.shelf_mark for each in existing if each.tag == "852"}
    added = [
        each
        for each in incoming
        if (each.tag, each.content) not in there
        and not (each.tag == "852" and marks and (not each.shelf_mark or each.shelf_mark in marks))
    ]
    if not added:
        reason = "the library's holding is there, and says as much"
        return LineChange(HoldingOutcome.UNCHANGED, "lines_equal", reason, tuple(existing))
    stays = [each for each in existing if not (is_bare(each) and each.owner == LIBRARY)]
    return LineChange(
        HoldingOutcome.UPDATED, "lines_added", "lines were added to the library's holding", (*stays, *added)
    )
