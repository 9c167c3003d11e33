"""One profile's export from end to end: what was left is judged, the file is composed, put, read back, and noted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa

from schemas.errors import SamkatError
from schemas.register.catalogue import CatalogueRules
from schemas.register.export_profiles import ExportProfile
from schemas.warehouse.exports import core_export
from tasks.exports import ledger
from tasks.exports.composing import Composed, compose
from tasks.exports.ledger import COUNTS, FileKind, Kind, Made, MadeFile
from tasks.exports.places import base_name, free_name, is_there, key_of
from tasks.exports.spool import Spool
from tasks.exports.window import Window, window_between, window_since
from tasks.landing.fingerprint import fingerprint_of
from tasks.landing.zone import KeyTakenError, LandingZone
from tasks.warehouse.engine import Warehouse

MOST_TRIES = 5
"""Names that somebody else may take before our own file is there."""
SIDE_FILES: dict[FileKind, str] = {"deleted": "deleted.csv", "left_out": "left-out.csv"}


@dataclass(frozen=True)
class Asked:
    """What is to be exported: everything since the watermark, or a past window by instants."""

    today: date
    now: datetime
    zone: ZoneInfo
    run_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def kind(self) -> Kind:
        """Changes since the watermark, or a window."""
        return "changes" if self.since is None and self.until is None else "window"

    @property
    def days(self) -> tuple[date, ...]:
        """The days in the name of the file."""
        if self.kind == "changes":
            return (self.today,)
        first = self.since.astimezone(self.zone).date() if self.since else date.min
        return (first, self.until.astimezone(self.zone).date() if self.until else self.today)


@dataclass(frozen=True)
class Export:
    """A profile being exported: the warehouse, the place of its files, and what is asked."""

    warehouse: Warehouse
    place: LandingZone
    profile: ExportProfile
    catalogue: CatalogueRules
    asked: Asked

    def run(self) -> list[int]:
        """Send the file; returns the export's id, and before it what an earlier run had sent without noting it.

        What this same run has sent before it was tried again is not sent twice.
        """
        found = self.take_up()
        with self.warehouse.read() as connection:
            before = ledger.made_by(connection, self.profile.name, self.asked.kind, self.asked.run_id)
        if before is not None:
            return sorted({*found, before})
        composed = self.compose()
        try:
            if composed.is_nothing and self.profile.when_nothing == "no_file":
                return [*found, self._note_nothing(composed)]
            return [*found, self._deliver(composed)]
        finally:
            composed.close()

    def compose(self, *, is_kept: bool = True) -> Composed:
        """The file, from one snapshot. With `is_kept` False only what would be in it."""
        with self.warehouse.snapshot() as connection:
            window = self._window(connection)
            return compose(connection, self.profile, self.catalogue, window, is_kept=is_kept)

    def _window(self, connection: sa.Connection) -> Window:
        if self.asked.kind == "window":
            return window_between(connection, self.asked.since, self.asked.until)
        reached = ledger.watermark(connection, self.profile.name)
        window = window_since(connection, reached or 0)
        if reached is None and self.profile.first == "changes":
            return window._replace(after=window.to)
        return window

    def take_up(self) -> list[int]:
        """Judge what a killed run left: a file that its place has is delivered, any other is withdrawn.

        Returns the ids of what was found to be delivered.
        """
        with self.warehouse.read() as connection:
            left = ledger.open_exports(connection, self.profile.name)
            files = {row.export_id: ledger.files_of(connection, row.export_id) for row in left}
        delivered = []
        for row in left:
            if is_there(self.place, files[row.export_id]["records"]):
                self._finish(row.export_id)
                delivered.append(row.export_id)
            else:
                self._withdraw(row.export_id, files[row.export_id])
        return delivered

    def _withdraw(self, export_id: int, files: Mapping[FileKind, MadeFile]) -> None:
        for kind in SIDE_FILES:
            if kind in files and is_there(self.place, files[kind]):
                self.place.delete(files[kind].uri)
        with self.warehouse.write() as connection:
            reason = "the run ended before the file was in its place; what was in it goes out with the next one"
            ledger.note_withdrawn(connection, export_id, reason)

    def _note_nothing(self, composed: Composed) -> int:
        with self.warehouse.write() as connection:
            return ledger.note_nothing(connection, self._made(composed, None, ()))

    def _made(self, composed: Composed, name: str | None, files: tuple[MadeFile, ...]) -> Made:
        asked = self.asked
        return Made(
            self.profile.name, asked.kind, composed.window, name, composed.counts, files, asked.run_id, asked.now
        )

    def _deliver(self, composed: Composed) -> int:
        spools: dict[FileKind, Spool] = {"records": composed.records}
        if composed.deleted.rows:
            spools["deleted"] = composed.deleted
        if composed.left_out.rows:
            spools["left_out"] = composed.left_out
        for _ in range(MOST_TRIES):
            name = free_name(self.place, self.profile, base_name(self.profile, self.asked.days))
            files = {kind: self._file(kind, name, spool) for kind, spool in spools.items()}
            with self.warehouse.write() as connection:
                export_id = ledger.note_composed(connection, self._made(composed, name, tuple(files.values())))
            try:
                # The records last: when they are there, the lists beside them are.
                for kind in sorted(spools, key=lambda each: each == "records"):
                    spool, file = spools[kind], files[kind]
                    self.place.put(self.place.key_of(file.uri), spool.opened(), sha256=file.sha256)
            except KeyTakenError:
                self._withdraw(export_id, files)
                continue
            self._prove(files["records"])
            self._finish(export_id)
            return export_id
        raise SamkatError(
            "somebody else takes the names of our files",
            file=key_of(self.profile, name),
            remedy="give the profile a place of its own",
        )

    def _file(self, kind: FileKind, name: str, spool: Spool) -> MadeFile:
        full = name if kind == "records" else f"{name}.{SIDE_FILES[kind]}"
        return MadeFile(kind, self.place.uri_for(key_of(self.profile, full)), spool.sha256, spool.size)

    def _prove(self, file: MadeFile) -> None:
        """Raise unless the place has the file as it was made."""
        if not is_there(self.place, file):
            raise SamkatError(
                "the file is not in its place as it was written",
                file=file.uri,
                remedy="look at the disk or store; the next run sends it again",
            )

    def _finish(self, export_id: int) -> None:
        """The place has the file: it gets its manifest, and the watermark moves."""
        with self.warehouse.read() as connection:
            row = connection.execute(sa.select(core_export).where(core_export.c.export_id == export_id)).one()
            files = ledger.files_of(connection, export_id)
        content = manifest(self.profile, row, files)
        key = key_of(self.profile, f"{row.name}.manifest.json")
        found = fingerprint_of(content)
        uri = self.place.put(key, content)
        with self.warehouse.write() as connection:
            made = MadeFile("manifest", uri, found.sha256, found.size)
            ledger.note_delivered(connection, export_id, made, self.asked.now)


def manifest(profile: ExportProfile, row: sa.Row[Any], files: Mapping[FileKind, MadeFile]) -> bytes:
    """What the receiver can check a file by: sha256, size and counts. The same for the same export, whenever made."""
    document = {
        "profile": profile.name,
        "file": row.name,
        "kind": row.kind,
        "after_change_no": row.after_change_no,
        "to_change_no": row.to_change_no,
        "created_at": row.created_at.isoformat(timespec="seconds"),
        "format": profile.format,
        "charset": profile.charset,
        "counts": {name: getattr(row, name) for name in COUNTS},
        "files": [
            {"name": each.uri.rpartition("/")[2], "kind": kind, "sha256": each.sha256, "bytes": each.size}
            for kind, each in sorted(files.items())
            if kind != "manifest"
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
