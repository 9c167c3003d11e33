"""What the gate judged of a delivery, kept in the ledger as a short text: Data Docs can be made from it at any time.

The stage tables go when a delivery is settled, and the register changes. So the counted rows are kept, and with them
by what they were judged: the limits, and which values were refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.expectations import EXPECTATIONS, ROW_SET_COLUMNS, Expectation, RowSet
from schemas.warehouse.raw import raw_delivery
from tasks.quality.tally import Tally, Values

LONGEST_VALUE = 60
"""Longer values are cut. No allowed value is as long, so this never changes what is judged."""
MOST_REFUSED = 100
"""So many different refused sigels are kept by name, the most frequent ones; the rest counts as one value."""
FURTHER = "(further values)"
BY_REGISTER = tuple(each for each in EXPECTATIONS if isinstance(each.allowed, str))
"""The expectations whose allowed values are the register's: another day it allows others."""

Pairs = list[tuple[list[str | float | None], int]]
"""A row's values, and how many rows have them."""


@dataclass(frozen=True)
class Judged:
    """The judged rows of a delivery, and by what they were judged.

    `counts` holds pairs by row set. `limits` and `refused` go by key of the expectation; `refused` has the values that
    were not allowed, for the expectations of `BY_REGISTER`.
    """

    counts: dict[str, Pairs]
    limits: dict[str, float]
    refused: dict[str, list[str]]
    min_records_to_judge: int

    @property
    def is_small(self) -> bool:
        """Whether the delivery was too small to be held for a share."""
        return sum(number for _, number in self.counts.get(RowSet.PIECES.value, [])) < self.min_records_to_judge

    def accepted(self) -> dict[str, set[str]]:
        """The values that the register allowed then, as far as the delivery has them, by key as `refused`."""
        return {each.key: _seen(self.counts, each).difference(self.refused[each.key]) for each in BY_REGISTER}

    def as_text(self) -> str:
        """As JSON; the same rows judged by the same give the same text."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS).decode()


def read_judged(text: str) -> Judged:
    """What `Judged.as_text` wrote."""
    return Judged(**orjson.loads(text))


def judged(
    tally: Tally, limits: Mapping[str, float], allowed: Mapping[str, frozenset[str]], min_records_to_judge: int
) -> Judged:
    """What is kept of a tally that was judged by these limits and allowed values, both by key of the expectation."""
    counts = {row_set: _shortened(counted) for row_set, counted in tally.counts.items()}
    if RowSet.HOLDINGS in counts:
        counts[RowSet.HOLDINGS] = _gathered(counts[RowSet.HOLDINGS], allowed["sigel"])
    pairs: dict[str, Pairs] = {
        row_set.value: sorted(((list(values), number) for values, number in counted.items()), key=orjson.dumps)
        for row_set, counted in counts.items()
    }
    refused = {each.key: sorted(_seen(pairs, each) - allowed[each.key]) for each in BY_REGISTER}
    return Judged(pairs, dict(limits), refused, min_records_to_judge)


def _seen(counts: Mapping[str, Pairs], expectation: Expectation) -> set[str]:
    """The different values of the column that `expectation` judges."""
    index = list(ROW_SET_COLUMNS[expectation.row_set]).index(expectation.column)
    return {str(values[index]) for values, _ in counts.get(expectation.row_set.value, []) if values[index] is not None}


def _shortened(counted: Mapping[Values, int]) -> Counter[Values]:
    made: Counter[Values] = Counter()
    for values, number in counted.items():
        made[tuple(_short(each) for each in values)] += number
    return made


def _short(value: str | float | None) -> str | float | None:
    is_long = isinstance(value, str) and len(value) > LONGEST_VALUE
    return f"{str(value)[:LONGEST_VALUE]}..." if is_long else value


def _gathered(counted: Counter[Values], allowed: frozenset[str]) -> Counter[Values]:
    """Rare refused values as one: a supplier that puts barcodes into 852 $b must not swell the ledger."""
    made: Counter[Values] = Counter()
    named = 0
    for values, number in sorted(counted.items(), key=lambda item: (-item[1], str(item[0]))):
        is_refused = values[0] not in allowed
        named += is_refused
        made[(FURTHER,) if is_refused and named > MOST_REFUSED else values] += number
    return made


def keep_judged(connection: Connection, kept: Mapping[int, Judged]) -> None:
    """Keep what was judged, by delivery id. Pages about something else than that are no longer those of a delivery."""
    if not kept:
        return
    text = sa.bindparam("text", type_=sa.Text)
    connection.execute(
        sa.update(raw_delivery)
        .where(raw_delivery.c.delivery_id == sa.bindparam("judged_id"))
        .values(
            docs_uri=sa.case((raw_delivery.c.check_tally == text, raw_delivery.c.docs_uri), else_=None),
            check_tally=text,
        ),
        [{"judged_id": delivery_id, "text": each.as_text()} for delivery_id, each in kept.items()],
    )
