"""What the services around the catalogue did last: files for local systems, snapshots for analysts. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_run
from schemas.warehouse.exports import core_export
from tasks.warehouse.bulk import text_set
from tasks.warehouse.nights import Night

MARTS_FLOW = "marts"
FAILED = "failed"


@dataclass(frozen=True)
class LocalFile:
    """An export of a profile. `delivered_at`: when a file of it, this one or an earlier, reached its place last."""

    profile: str
    kind: str
    state: str
    name: str | None
    records: int
    created_at: datetime
    delivered_at: datetime | None
    reason: str

    @property
    def is_wrong(self) -> bool:
        """Whether a person should look."""
        return self.state == FAILED


def newest_files(connection: Connection, profiles: Collection[str]) -> tuple[LocalFile, ...]:
    """The last nightly export of each of these profiles, by name; those that never ran are left out."""
    wanted = text_set(connection, sorted(profiles))
    newest = (
        sa.select(sa.func.max(core_export.c.export_id))
        .where(core_export.c.kind == "changes", core_export.c.profile.in_(sa.select(wanted.c.value)))
        .group_by(core_export.c.profile)
    )
    return _files(connection, core_export.c.export_id.in_(newest))


def files_of_night(connection: Connection, night: Night) -> tuple[LocalFile, ...]:
    """Every export of a night, asked for or by schedule, by profile."""
    return _files(connection, sa.and_(core_export.c.created_at >= night.begins, core_export.c.created_at < night.ends))


def _files(connection: Connection, condition: sa.ColumnElement[bool]) -> tuple[LocalFile, ...]:
    earlier = core_export.alias("earlier")
    delivered = (
        sa.select(sa.func.max(earlier.c.delivered_at))
        .where(earlier.c.profile == core_export.c.profile)
        .scalar_subquery()
    )  # fmt: skip
    names = ("profile", "kind", "state", "name", "records", "created_at")
    rows = connection.execute(
        sa.select(
            *(core_export.c[name] for name in names),
            sa.type_coerce(delivered, core_export.c.delivered_at.type).label("delivered_at"),
            sa.func.coalesce(core_export.c.reason, "").label("reason"),
        )
        .where(condition)
        .order_by(core_export.c.profile, core_export.c.export_id)
    )
    return tuple(LocalFile(**row._mapping) for row in rows)


def last_marts_at(connection: Connection) -> datetime | None:
    """When the last snapshot for analysts was finished; None where none ever was."""
    last = sa.func.max(core_run.c.finished_at)
    return connection.execute(
        sa.select(sa.type_coerce(last, core_run.c.finished_at.type)).where(
            core_run.c.flow == MARTS_FLOW, core_run.c.state == "done"
        )
    ).scalar()
