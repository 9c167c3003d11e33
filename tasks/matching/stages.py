"""The stage of matching: each bib of a delivery against the catalogue, with its evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from schemas.outcomes import DeliveryState
from tasks.batch import each_delivery, rows_in_state
from tasks.matching.judging import match_delivery
from tasks.matching.small_deliveries import match_small
from tasks.stage import stage
from tasks.workplace import workplace


@stage()
def match_on_isbn(deliveries: list[int]) -> Counter[str]:
    """Find candidates by ISBN and other numbers, score the evidence, and keep every candidate considered."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        return match_delivery(
            place.warehouse,
            row.delivery_id,
            place.register.for_sender(row.sender).matching,
            chunk_records=place.settings.chunk_records,
            now=place.now,
            second_process=place.settings.second_process,
        )

    def together(rows: Sequence[sa.Row[Any]]) -> tuple[frozenset[int], Counter[str]]:
        return match_small(
            place.warehouse,
            {row.delivery_id: row.received_at for row in rows},
            place.register.for_sender(rows[0].sender).matching,  # a run takes one sender's deliveries
            chunk_records=place.settings.chunk_records,
            now=place.now,
        )

    return each_delivery(rows_in_state(place.warehouse, deliveries, [DeliveryState.STAGED]), work, together)
