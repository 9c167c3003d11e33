"""Many small deliveries matched in one transaction: the same judgements, in a hundredth of the statements.

What belongs here is the set-based form of `judging.match_delivery`, for deliveries of one range each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from schemas.outcomes import DeliveryState
from schemas.register.matching import MatchingPolicy
from tasks.matching.candidates import find_candidates_of
from tasks.matching.judging import RANGES_A_CHUNK, SNAPSHOT, STAGE, JudgedRows, judged_rows, write_rows
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ids import current
from tasks.warehouse.ledger import close_taken, last_positions, note_reached, set_states, take_untouched


def match_small(
    warehouse: Warehouse,
    received_at: Mapping[int, datetime],
    policy: MatchingPolicy,
    *,
    chunk_records: int,
    now: datetime,
) -> tuple[frozenset[int], Counter[str]]:
    """Judge the bibs of deliveries (id: received at) together; returns those done, and counts by ending.

    One that was begun before, or is larger than one range, is left to `match_delivery`.
    """
    with warehouse.write() as connection:
        # Before anything is looked up: what changes in the catalogue after this is matched again.
        note_reached(connection, received_at, SNAPSHOT, current(connection, "change"))
        last = last_positions(connection, take_untouched(connection, received_at, STAGE))
        most = max(1, chunk_records // RANGES_A_CHUNK)
        small = {each: position for each, position in last.items() if position <= most}
        rows = JudgedRows([], [])
        for delivery_id, found in find_candidates_of(connection, small, policy.serial_levels).items():
            its = judged_rows(connection, delivery_id, found, policy)
            rows.verdicts.extend(its.verdicts)
            rows.candidates.extend(its.candidates)
        write_rows(connection, rows)
        close_taken(connection, small, STAGE, now)
        set_states(connection, small, DeliveryState.MATCHED, only_from=DeliveryState.STAGED)
    return frozenset(small), rows.endings()
