"""The counts of a delivery that its row in the ledger keeps: the figures of its proof, so that no view has to count."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import BibOutcome, HoldingOutcome
from schemas.warehouse.raw import raw_delivery
from tasks.quality.conservation import Conservation, prove_all
from tasks.warehouse.bulk import id_set


def prove_and_count(connection: Connection, delivery_ids: Collection[int]) -> list[Conservation]:
    """Prove the deliveries and write the stored counts of their rows in the ledger.

    Their rows are held meanwhile: of two proofs at once, as after a decision, the one that stores last has seen all
    that the other one has. Raises `ConservationError` for the first that does not add up.
    """
    wanted = sa.select(id_set(connection, delivery_ids).c.value)
    connection.execute(
        sa.select(raw_delivery.c.delivery_id)
        .where(raw_delivery.c.delivery_id.in_(wanted))
        .order_by(raw_delivery.c.delivery_id)
        .with_for_update()
    ).all()
    proofs = list(prove_all(connection, delivery_ids).values())
    store_counts(connection, proofs)
    return proofs


def store_counts(connection: Connection, proofs: Collection[Conservation]) -> None:
    """Write the stored counts of deliveries as they were proved."""
    if proofs:
        connection.execute(_STORE, [_figures(each) for each in proofs])


def _figures(proof: Conservation) -> dict[str, int]:
    """The stored counts, named as the columns of raw_delivery."""
    return {
        "of_delivery": proof.delivery_id,
        "records_read": proof.bib_records + proof.holding_records,
        "records_unreadable": proof.unreadable,
        "bibs_read": proof.bibs_read,
        "holdings_read": proof.holdings_read,
        **{f"bibs_{name}": proof.bibs[name] for name in BibOutcome},
        **{f"holdings_{name}": proof.holdings[name] for name in HoldingOutcome},
    }


_COUNTED = (
    "records_read", "records_unreadable", "bibs_read", "holdings_read",
    *(f"bibs_{name}" for name in BibOutcome), *(f"holdings_{name}" for name in HoldingOutcome),
)  # fmt: skip
_STORE = (
    sa.update(raw_delivery)
    .where(raw_delivery.c.delivery_id == sa.bindparam("of_delivery"))
    .values({name: sa.bindparam(name) for name in _COUNTED})
)
