"""Which files for local systems carried a bib: judged anew, by each file's window and the profile as it is now.

What is in a file is not kept bib by bib: a file may hold half a million. Its window of changes is, and the choice of a
past window's bibs can be made again (`choosing.py`), for one bib of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.export_profiles import ExportProfile
from schemas.warehouse.core import core_bib, core_bib_version, core_holding, core_holding_version
from schemas.warehouse.exports import core_export, core_export_file
from tasks.exports.choosing import Reason, changed_bibs, fits, holdings_ever, is_mine
from tasks.exports.window import Window
from tasks.warehouse.ids import current

MOST_FILES = 20


@dataclass(frozen=True)
class CarriedIn:
    """A file that carried a bib. `what`: written, deleted, merged, unheld (its libraries hold it no more)."""

    export_id: int
    profile: str
    name: str
    uri: str
    what: str
    delivered_at: datetime


def files_with_bib(connection: Connection, profiles: Mapping[str, ExportProfile], bib_id: int) -> tuple[CarriedIn, ...]:
    """The last files that carried the bib, the newest first. Those of profiles that are gone cannot be judged."""
    last = current(connection, "change")
    found = []
    for row in _candidates(connection, bib_id):
        profile = profiles.get(row.profile)
        if profile is None:
            continue
        window = Window(row.after_change_no, row.to_change_no, is_past=row.to_change_no < last)
        what = (_in_first_file if window.is_whole else _in_changes)(connection, profile, window, bib_id)
        if what is not None:
            found.append(CarriedIn(row.export_id, row.profile, row.name, row.uri or "", what, row.delivered_at))
    return tuple(found)


def _in_changes(connection: Connection, profile: ExportProfile, window: Window, bib_id: int) -> str | None:
    """What a file of changes said of the bib; None where it was not about it."""
    chosen = changed_bibs(profile, window).subquery("chosen")
    return connection.execute(sa.select(chosen.c.reason).where(chosen.c.bib_id == bib_id).limit(1)).scalar_one_or_none()


def _in_first_file(connection: Connection, profile: ExportProfile, window: Window, bib_id: int) -> str | None:
    """Whether a profile's first file had the bib: it was there at the end of the window, and one of theirs held it."""
    fitting = sa.select(core_bib.c.bib_id).where(core_bib.c.bib_id == bib_id, fits(profile))
    if connection.execute(fitting).scalar() is None:
        return None
    bib = _as_of(connection, core_bib, core_bib_version, "bib_id", sa.select(sa.literal(bib_id)), window.to)
    if not bib:
        return None
    if profile.is_everything:
        return Reason.WRITTEN.value
    mine = sa.select(core_holding.c.holding_id).where(
        core_holding.c.holding_id.in_(holdings_ever(bib_id)), is_mine(profile)
    )
    held = _as_of(connection, core_holding, core_holding_version, "holding_id", mine, window.to)
    return Reason.WRITTEN.value if any(row.bib == bib_id for row in held) else None


def _as_of(
    connection: Connection, now: sa.Table, then: sa.Table, key: str, ids: sa.Select[tuple[int]], change_no: int
) -> list[sa.Row[Any]]:
    """Those of `ids` that were there when this change was made, as they were then."""
    parts = [
        sa.select(table.c[key].label("id"), table.c.bib_id.label("bib"), table.c.version, table.c.is_deleted).where(
            table.c[key].in_(ids), table.c.change_no <= change_no
        )
        for table in (now, then)
    ]
    newest: dict[int, sa.Row[Any]] = {}
    for row in connection.execute(sa.union_all(*parts)):
        known = newest.get(row.id)
        if known is None or known.version < row.version:
            newest[row.id] = row
    return [row for row in newest.values() if not row.is_deleted]


def _candidates(connection: Connection, bib_id: int) -> list[sa.Row[Any]]:
    """Files whose window holds a change of the bib or of a holding that it has or had, the newest first."""
    of_it = holdings_ever(bib_id)
    changes = sa.union(
        sa.select(core_bib.c.change_no).where(core_bib.c.bib_id == bib_id),
        sa.select(core_bib_version.c.change_no).where(core_bib_version.c.bib_id == bib_id),
        sa.select(core_holding.c.change_no).where(core_holding.c.holding_id.in_(of_it)),
        sa.select(core_holding_version.c.change_no).where(core_holding_version.c.holding_id.in_(of_it)),
    ).subquery("changes")
    in_window = sa.exists().where(
        changes.c.change_no > core_export.c.after_change_no, changes.c.change_no <= core_export.c.to_change_no
    )
    names = ("export_id", "profile", "name", "after_change_no", "to_change_no", "delivered_at")
    file = core_export_file
    return list(
        connection.execute(
            sa.select(*(core_export.c[name] for name in names), file.c.uri)
            .outerjoin(file, sa.and_(file.c.export_id == core_export.c.export_id, file.c.kind == "records"))
            .where(core_export.c.state == "delivered", core_export.c.name.is_not(None), in_window)
            .order_by(core_export.c.export_id.desc())
            .limit(MOST_FILES)
        )
    )
