"""What an import's profile says about bibs that the catalogue lacks: which of them are created."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.stage import stage_identifier, stage_isbn
from tasks.catalogue.loading import Loading
from tasks.warehouse.bulk import position_set

NOT_CREATED = ("not_in_catalogue", "the catalogue lacks it, and the import creates no such bibs")
"""Rule and reason of a bib that is neither met nor made."""
_NUMBERS = ("issn", "ean")


def not_created(connection: Connection, loading: Loading, positions: Collection[int]) -> frozenset[int]:
    """Those of `positions`, which the catalogue lacks, that the profile does not want as new bibs.

    None where the delivery is no import. A number is a valid ISBN in 020 $a, an ISSN or an EAN.
    """
    if loading.profile is None or loading.profile.create == "all" or not positions:
        return frozenset()
    if loading.profile.create == "none":
        return frozenset(positions)
    wanted = position_set(connection, loading.delivery_id, positions)
    isbn, other = stage_isbn, stage_identifier
    found: set[int] = set()
    for table, is_number in (
        (isbn, sa.and_(isbn.c.status == "valid", isbn.c.subfield == "a")),
        (other, other.c.scheme.in_(_NUMBERS)),
    ):
        same = sa.and_(wanted.c.delivery_id == table.c.delivery_id, wanted.c.value == table.c.position)
        found.update(connection.execute(sa.select(table.c.position).join(wanted, same).where(is_number)).scalars())
    return frozenset(positions) - found
