"""The ledger of exports: how far each profile has got, which files were made, and where they are.

A file is in the ledger before its place has it (*composed*), with its name and sha256. So a run that was killed between
the two leaves something that the next one can judge. The watermark moves in the transaction that notes that the place
has the file, and in no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.exports import core_export, core_export_file, core_export_watermark
from tasks.exports.window import Window
from tasks.warehouse.ids import take_id

Kind = Literal["changes", "window"]
FileKind = Literal["records", "deleted", "left_out", "manifest"]
COUNTS = (
    "records", "bibs_written", "bibs_deleted", "bibs_merged", "bibs_unheld", "holdings_written", "holdings_deleted",
    "left_out", "characters_replaced",
)  # fmt: skip


class MadeFile(NamedTuple):
    """One of the files of an export."""

    kind: FileKind
    uri: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Made:
    """An export as it is entered: its window, name and files, and what is in them."""

    profile: str
    kind: Kind
    window: Window
    name: str | None
    counts: Mapping[str, int]
    files: Sequence[MadeFile]
    run_id: str | None
    now: datetime


def watermark(connection: Connection, profile: str) -> int | None:
    """The change up to which the receiver has everything; None where nothing was ever sent."""
    table = core_export_watermark
    return connection.execute(sa.select(table.c.change_no).where(table.c.profile == profile)).scalar_one_or_none()


def open_exports(connection: Connection, profile: str) -> list[sa.Row[Any]]:
    """Exports that were composed and of which nobody knows whether their place has them."""
    return list(
        connection.execute(
            sa.select(core_export)
            .where(core_export.c.profile == profile, core_export.c.state == "composed")
            .order_by(core_export.c.export_id)
        )
    )


def files_of(connection: Connection, export_id: int) -> dict[FileKind, MadeFile]:
    """The files of an export by kind."""
    table = core_export_file
    rows = connection.execute(
        sa.select(table.c.kind, table.c.uri, table.c.sha256, table.c.bytes).where(table.c.export_id == export_id)
    )
    return {row.kind: MadeFile(*row) for row in rows}


def made_by(connection: Connection, profile: str, kind: Kind, run_id: str | None) -> int | None:
    """What this run has made of the profile already, before it was tried again."""
    if run_id is None:
        return None
    return connection.execute(
        sa.select(sa.func.max(core_export.c.export_id)).where(
            core_export.c.profile == profile,
            core_export.c.kind == kind,
            core_export.c.run_id == run_id,
            core_export.c.state.in_(["delivered", "nothing", "failed"]),
        )
    ).scalar()


def note_composed(connection: Connection, made: Made) -> int:
    """Enter a file before its place has it; returns the export's id."""
    export_id = _enter(connection, made, "composed")
    connection.execute(
        sa.insert(core_export_file),
        [
            {"export_id": export_id, "kind": each.kind, "uri": each.uri, "sha256": each.sha256, "bytes": each.size}
            for each in made.files
        ],
    )
    return export_id


def note_nothing(connection: Connection, made: Made) -> int:
    """Enter that there was nothing to send, and move the watermark."""
    export_id = _enter(connection, made, "nothing")
    if made.kind == "changes":
        move_watermark(connection, made.profile, made.window.to, export_id, made.now)
    return export_id


def note_failed(
    connection: Connection, profile: str, kind: Kind, reason: str, run_id: str | None, now: datetime
) -> int:
    """Enter that a profile could not be exported, and why."""
    at = watermark(connection, profile) or 0
    made = Made(profile, kind, Window(at, at), None, Counter(), (), run_id, now)
    return _enter(connection, made, "failed", reason)


def _enter(connection: Connection, made: Made, state: str, reason: str | None = None) -> int:
    export_id = take_id(connection, "export")
    connection.execute(
        sa.insert(core_export).values(
            export_id=export_id,
            profile=made.profile,
            kind=made.kind,
            state=state,
            after_change_no=made.window.after,
            to_change_no=made.window.to,
            name=made.name,
            **{name: made.counts.get(name, 0) for name in COUNTS},
            reason=reason,
            run_id=made.run_id,
            created_at=made.now,
        )
    )
    return export_id


def note_delivered(connection: Connection, export_id: int, manifest: MadeFile, now: datetime) -> None:
    """Note that the place has the file, and move the watermark where it was a file of changes."""
    row = connection.execute(sa.select(core_export).where(core_export.c.export_id == export_id)).one()
    _set(connection, export_id, state="delivered", delivered_at=now)
    connection.execute(
        sa.insert(core_export_file).values(
            export_id=export_id, kind=manifest.kind, uri=manifest.uri, sha256=manifest.sha256, bytes=manifest.size
        )
    )
    if row.kind == "changes":
        move_watermark(connection, row.profile, row.to_change_no, export_id, now)


def note_withdrawn(connection: Connection, export_id: int, reason: str) -> None:
    """Note that the place never got the file: its window goes out with the next one."""
    _set(connection, export_id, state="withdrawn", reason=reason)


def _set(connection: Connection, export_id: int, **values: Any) -> None:
    connection.execute(sa.update(core_export).where(core_export.c.export_id == export_id).values(**values))


def move_watermark(connection: Connection, profile: str, change_no: int, export_id: int, now: datetime) -> None:
    """Move a profile's watermark forward; it never goes back."""
    table = core_export_watermark
    values = {"change_no": change_no, "export_id": export_id, "updated_at": now}
    there = watermark(connection, profile)
    if there is None:
        connection.execute(sa.insert(table).values(profile=profile, **values))
    elif there <= change_no:
        connection.execute(sa.update(table).where(table.c.profile == profile).values(**values))


def export_rows(connection: Connection, export_ids: Collection[int]) -> list[sa.Row[Any]]:
    """Exports by id, in that order."""
    return list(
        connection.execute(
            sa.select(core_export, core_export_file.c.uri, core_export_file.c.sha256, core_export_file.c.bytes)
            .outerjoin(
                core_export_file,
                sa.and_(core_export_file.c.export_id == core_export.c.export_id, core_export_file.c.kind == "records"),
            )
            .where(core_export.c.export_id.in_(list(export_ids)))
            .order_by(core_export.c.export_id)
        )
    )
