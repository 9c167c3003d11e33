"""What a file's name promised, held against what was staged of it: the sigel, and one bib and one holding an order."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import DeliveryRejectedError
from schemas.register.suppliers import FileRules
from schemas.warehouse.stage import stage_bib, stage_holding
from tasks.landing.names import check_name, check_promise


class BrokenPromiseError(DeliveryRejectedError):
    """A delivery that was read whole, but is not what its file name says: all its records are rejected."""


def require_promises(connection: Connection, delivery_id: int, name: str, rules: FileRules) -> None:
    """Raise `BrokenPromiseError` unless the staged delivery keeps what its name promises (technical annex of 2010)."""
    promise = check_name(name, rules)
    if not (promise.sigel or promise.one_order):
        return
    bibs = connection.execute(
        sa.select(sa.func.count()).select_from(stage_bib).where(stage_bib.c.delivery_id == delivery_id)
    ).scalar_one()
    by_sigel = connection.execute(
        sa.select(stage_holding.c.sigel, sa.func.count())
        .where(stage_holding.c.delivery_id == delivery_id)
        .group_by(stage_holding.c.sigel)
    ).all()
    broken = check_promise(promise, bibs, sum(number for _sigel, number in by_sigel), (sigel for sigel, _ in by_sigel))
    if broken:
        raise BrokenPromiseError("; ".join(broken), file=name, remedy="send it again as it is agreed")
