"""The fast gate: judges staged deliveries by the declared expectations, with two SQL statements for a whole batch.

Great Expectations judges the same rows by the same declaration after the load (data_docs.py); a test holds that both
come to the same figures. Decision: docs/decisions/0001-quality-gate.md.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.expectations import EXPECTATIONS, Expectation, RowSet
from schemas.register.register import Register
from schemas.register.senders import Sender
from schemas.warehouse.raw import raw_check
from tasks.quality.judged import Judged, judged, keep_judged
from tasks.quality.tally import Tally, read_tallies
from tasks.warehouse.bulk import bulk_insert, id_set

MOST_NAMED = 3
LONGEST_NAMED = 20


@dataclass(frozen=True)
class CheckResult:
    """What the gate found about one expectation of one delivery.

    `observed` is the share of rows that satisfy the rule (0 to 1) or the factor; None where there was nothing to judge,
    and then the expectation is met. `is_binding` is False where the delivery is too small to be held for it.
    `let_through` is the largest `planned` that is not a breach, both in rows (records for a factor). `reason` says
    in words what is wrong; empty where it is met.
    """

    delivery_id: int
    expectation: Expectation
    observed: float | None
    limit: float
    elements: int
    unexpected: int
    is_met: bool
    is_binding: bool
    planned: int
    population: int
    let_through: int
    reason: str = ""

    @property
    def is_breach(self) -> bool:
        """Whether the delivery has to be held for it."""
        return self.is_binding and not self.is_met


@dataclass(frozen=True)
class Judgement:
    """What a delivery is judged by: the supplier's limits, and the values that the register allows."""

    supplier: Sender
    sigels: frozenset[str]
    levels: frozenset[str]

    def allowed(self, expectation: Expectation) -> frozenset[str]:
        """The allowed values of an `in_set` expectation."""
        if expectation.allowed == "sigels":
            return self.sigels
        if expectation.allowed == "levels":
            return self.levels
        return frozenset(expectation.allowed)

    def limit(self, expectation: Expectation) -> float:
        """The supplier's limit."""
        return float(getattr(self.supplier.quality, expectation.limit))


def judgement_for(supplier: Sender, register: Register) -> Judgement:
    """What the deliveries of `supplier` are judged by."""
    table = register.levels.tables[supplier.level_table or "default"]
    levels = {*table.replaces, *"".join(table.replaces.values()), *table.read_as}
    return Judgement(supplier, frozenset(register.library_by_sigel), frozenset(levels))


def check_deliveries(
    connection: Connection, delivery_ids: Collection[int], supplier: Sender, register: Register
) -> dict[int, list[CheckResult]]:
    """Judge staged deliveries of one supplier and store the results in `raw_check`; the same again changes nothing.

    Needs the stage tables of the deliveries; what Data Docs need later is kept in the ledger. Whether a delivery is
    held is decided by `tasks.quality.hold`.
    """
    judgement = judgement_for(supplier, register)
    tallies = read_tallies(connection, delivery_ids)
    results = {delivery_id: judge(tally, judgement) for delivery_id, tally in tallies.items()}
    _store(connection, results)
    keep_judged(connection, {delivery_id: _kept(tally, judgement) for delivery_id, tally in tallies.items()})
    return results


def _kept(tally: Tally, judgement: Judgement) -> Judged:
    return judged(
        tally,
        {each.key: judgement.limit(each) for each in EXPECTATIONS},
        {each.key: judgement.allowed(each) for each in EXPECTATIONS},
        judgement.supplier.quality.min_records_to_judge,
    )


def check_delivery(connection: Connection, delivery_id: int, supplier: Sender, register: Register) -> list[CheckResult]:
    """Judge one staged delivery; see `check_deliveries`."""
    return check_deliveries(connection, [delivery_id], supplier, register)[delivery_id]


def judge(tally: Tally, judgement: Judgement) -> list[CheckResult]:
    """The results of one delivery, in the order of the declaration. Pure."""
    return [
        _judge_size(tally, each, judgement) if each.kind == "factor" else _judge_share(tally, each, judgement)
        for each in EXPECTATIONS
    ]


def _judge_share(tally: Tally, expectation: Expectation, judgement: Judgement) -> CheckResult:
    counted = tally.of_column(expectation)
    allowed = judgement.allowed(expectation)
    wrong = {
        value: number
        for value, number in counted.items()
        if (value is None if expectation.rule == "present" else value not in allowed)
    }
    elements, unexpected = sum(counted.values()), sum(wrong.values())
    limit = judgement.limit(expectation)
    observed = (elements - unexpected) / elements if elements else None
    is_met = observed is None or observed >= limit
    return CheckResult(
        delivery_id=tally.delivery_id,
        expectation=expectation,
        observed=observed,
        limit=limit,
        elements=elements,
        unexpected=unexpected,
        is_met=is_met,
        is_binding=tally.pieces >= judgement.supplier.quality.min_records_to_judge,
        planned=unexpected,
        population=elements,
        # The small amount undoes binary fractions: 1 - 0.9 of 340 rows are 34, not 33.99999.
        let_through=math.floor(elements * (1 - limit) + 1e-9),
        reason="" if is_met else _share_words(expectation, wrong, elements, limit, judgement.supplier.code),
    )


def _judge_size(tally: Tally, expectation: Expectation, judgement: Judgement) -> CheckResult:
    limit = judgement.limit(expectation)
    counted = tally.counts.get(RowSet.DELIVERY, {})
    observed = next((float(values[0] or 0) for values in counted), None)
    median = max(tally.median or 0.0, 1.0)
    is_met = observed is None or observed <= limit
    words = expectation.breach.format(
        records=tally.records,
        factor=f"{observed or 0:.1f}".removesuffix(".0"),
        median=f"{median:g}",
        limit=f"{limit:g}",
        supplier=judgement.supplier.code,
    )
    return CheckResult(
        delivery_id=tally.delivery_id,
        expectation=expectation,
        observed=observed,
        limit=limit,
        elements=len(counted),
        unexpected=0 if is_met else 1,
        is_met=is_met,
        is_binding=True,
        planned=tally.records,
        population=round(median) if counted else 0,
        let_through=math.floor(limit * median + 1e-9) if counted else tally.records,
        reason="" if is_met else words,
    )


def _share_words(
    expectation: Expectation, wrong: Mapping[str | float | None, int], elements: int, limit: float, supplier: str
) -> str:
    failed = sum(wrong.values()) / elements
    share, allowed = _percentages(failed, 1 - limit)
    words = expectation.breach.format(share=share, rows=elements, limit=allowed, supplier=supplier)
    if expectation.rule != "in_set" or isinstance(expectation.allowed, tuple):
        return words
    # Here the values themselves tell what is wrong: an unknown sigel, a level that is not in the table.
    most = sorted(wrong.items(), key=lambda item: (-item[1], str(item[0])))[:MOST_NAMED]
    named = ", ".join(f"{str(value)[:LONGEST_NAMED]!r}: {number}" for value, number in most)
    more = ", ..." if len(wrong) > MOST_NAMED else ""
    return f"{words} ({named}{more})"


def _percentages(failed: float, allowed: float) -> tuple[str, str]:
    """Both shares as percentages, with as few decimals as tell them apart."""
    for decimals in range(4):
        texts = (f"{failed:.{decimals}%}", f"{allowed:.{decimals}%}")
        if texts[0] != texts[1]:
            break
    return texts


def _store(connection: Connection, results: Mapping[int, Sequence[CheckResult]]) -> None:
    if not results:
        return
    wanted = id_set(connection, list(results))
    connection.execute(sa.delete(raw_check).where(raw_check.c.delivery_id.in_(sa.select(wanted.c.value))))
    columns = (
        "delivery_id",
        "expectation",
        "observed",
        "limit",
        "elements",
        "unexpected",
        "is_met",
        "is_binding",
    )
    rows = [
        (
            delivery_id,
            each.expectation.key,
            each.observed,
            each.limit,
            each.elements,
            each.unexpected,
            each.is_met,
            each.is_binding,
        )
        for delivery_id, found in results.items()
        for each in found
    ]
    bulk_insert(connection, raw_check, columns, rows)
