"""A file for a local system, composed from one snapshot of the warehouse: the same moment for every record in it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from schemas.register.catalogue import CatalogueRules
from schemas.register.export_profiles import ExportProfile
from tasks.exports.choosing import Reason, chosen_bibs
from tasks.exports.dressing import Dress, dressed
from tasks.exports.encoding import LeftOutError, encoder_of, head_of, tail_of
from tasks.exports.gathering import BibRow, Gathered, HoldingRow, gather
from tasks.exports.holding_records import Shelf, number_of
from tasks.exports.letters import Replaced
from tasks.exports.plain_records import is_plain, plain_bib, plain_record
from tasks.exports.spool import Spool, Table
from tasks.exports.window import Window
from tasks.marc.records import LazyRecord

BIBS_AT_ONCE = 5_000
DELETED_COLUMNS = ("control_number", "reason", "successor")
LEFT_OUT_COLUMNS = ("record", "control_number", "field", "problem", "character", "code_point", "written")


@dataclass
class Composed:
    """The files of an export, and how many of what they hold. `counts` has the columns of `core_export`."""

    window: Window
    records: Spool
    deleted: Table
    left_out: Table
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to tell the receiver."""
        return not (self.counts["records"] or self.deleted.rows or self.left_out.rows)

    def close(self) -> None:
        """Let go of the files."""
        for each in (self.records, self.deleted, self.left_out):
            each.close()


def compose(
    connection: Connection,
    profile: ExportProfile,
    catalogue: CatalogueRules,
    window: Window,
    *,
    is_kept: bool = True,
    at_once: int = BIBS_AT_ONCE,
) -> Composed:
    """Compose the file of `window` for `profile`; `connection` is a snapshot (`Warehouse.snapshot`).

    Memory does not grow with the catalogue. With `is_kept` False everything is decided and counted, nothing kept.
    """
    files = Composed(
        window,
        Spool(is_kept=is_kept),
        Table(DELETED_COLUMNS, is_kept=is_kept),
        Table(LEFT_OUT_COLUMNS, is_kept=is_kept),
    )
    composer = _Composer(profile, catalogue, files, is_kept)
    files.records.write(head_of(profile))
    for chosen in chosen_bibs(connection, profile, window, at_once=at_once):
        composer.add(gather(connection, profile, window, chosen))
    composer.finish()
    files.records.write(tail_of(profile))
    return files


class _Composer:
    """Puts bibs and holdings into the files, in the order that the profile wants."""

    def __init__(self, profile: ExportProfile, catalogue: CatalogueRules, files: Composed, is_kept: bool) -> None:
        self._profile = profile
        self._dress = Dress(profile, catalogue)
        self._shelf = Shelf(profile, self._dress.prefix, catalogue.origin_note)
        self._encode = encoder_of(profile)
        self._plain = is_plain(profile)
        self._files = files
        self._written: list[bytes] = []
        """Records of this chunk, to be written at once."""
        self._behind = Spool(is_kept=is_kept) if profile.holdings == "after" else None
        """Holdings that stand behind all bibs."""
        self._written_behind: list[bytes] = self._written if self._behind is None else []

    def add(self, gathered: Gathered) -> None:
        """The next bibs, with their holdings."""
        for reason, row in gathered.bibs:
            if reason is Reason.WRITTEN:
                self._write(row, gathered.holdings.get(row.bib_id, ()))
            else:
                self._remove(row, reason)
        self._flush()

    def _flush(self) -> None:
        self._files.records.write(b"".join(self._written))
        self._written.clear()
        if self._behind is not None:
            self._behind.write(b"".join(self._written_behind))
            self._written_behind.clear()

    def finish(self) -> None:
        """Put what had to wait behind the rest."""
        if self._behind is not None:
            self._files.records.take(self._behind)

    def _write(self, row: BibRow, holdings: Sequence[HoldingRow]) -> None:
        plain = plain_bib(row, self._dress.prefix) if self._plain else None
        if plain is not None:
            self._add(self._written, plain)
        else:
            record = dressed(row, Reason.WRITTEN, self._dress)
            if self._profile.holdings == "embedded":
                record = self._shelf.embed(record, holdings)
            if not self._put(self._written, "bib", row.control_number, record):
                return
        counts = self._files.counts
        counts["bibs_written"] += 1
        if self._profile.holdings == "embedded":
            counts["holdings_written"] += len(holdings)
            return
        for holding in holdings:
            if holding.is_deleted and self._profile.no_longer_held != "export":
                continue
            if self._write_holding(holding, row.control_number):
                counts["holdings_deleted" if holding.is_deleted else "holdings_written"] += 1

    def _write_holding(self, holding: HoldingRow, bib_number: str) -> bool:
        record = self._shelf.record(holding, bib_number)
        plain = plain_record(record.leader, tuple(record.tags), record.texts) if self._plain else None
        if plain is None:
            return self._put(self._written_behind, "holding", number_of(holding, bib_number), record)
        self._add(self._written_behind, plain)
        return True

    def _remove(self, row: BibRow, reason: Reason) -> None:
        how = self._profile.no_longer_held if reason is Reason.UNHELD else self._profile.deleted
        if how == "ignore":
            return
        if how == "list":
            self._files.deleted.add((row.control_number, reason, row.successor or ""))
        elif not self._put(self._written, "bib", row.control_number, dressed(row, reason, self._dress)):
            return
        self._files.counts[f"bibs_{reason}"] += 1

    def _put(self, into: list[bytes], kind: str, number: str, record: LazyRecord) -> bool:
        """Write a record; False where the form cannot carry it, which is listed."""
        try:
            content, replaced = self._encode(record)
        except LeftOutError as error:
            self._files.left_out.add((kind, number, "", f"left out: {error}", "", "", ""))
            self._files.counts["left_out"] += 1
            return False
        self._add(into, content)
        if replaced:
            self._tell(kind, number, replaced)
        return True

    def _add(self, into: list[bytes], content: bytes) -> None:
        into.append(content)
        self._files.counts["records"] += 1

    def _tell(self, kind: str, number: str, replaced: Iterable[Replaced]) -> None:
        for (tag, character, written), times in Counter(replaced).items():
            name = unicodedata.name(character, "control character")
            problem = f"{name.lower()}, {times} times" if times > 1 else name.lower()
            shown = character if character.isprintable() else ""
            self._files.left_out.add((kind, number, tag, problem, shown, f"U+{ord(character):04X}", written))
            self._files.counts["characters_replaced"] += times
