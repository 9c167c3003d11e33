"""Staging a file of persons: a row a person, of which only those are understood that are not as they were merged last.

A person is passed by when the record has the hash that was merged last, nothing has touched the person since, the
policy is the same, and no day of theirs is due. So a quiet night costs a look-up of hashes.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any, BinaryIO, cast

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.patrons import IncomingPerson, RejectedRow
from schemas.register.patron_sources import PatronSource
from schemas.warehouse.patrons import raw_patron_file, raw_patron_reject, stage_patron
from tasks.patrons.documents import incoming_to_json
from tasks.patrons.file_guards import ByteTally, filled_bits, filled_paths, paths_of_bits
from tasks.patrons.passing_by import Passing, pass_by
from tasks.patrons.pieces import PersonPiece, Reader
from tasks.patrons.reading import FileTotals, read_members
from tasks.warehouse.bulk import bulk_insert
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import chunk

STAGE = "stage"
CHUNK_PERSONS = 10_000
"""In a transaction; twice as many are in memory."""
REJECTED = "rejected"
_ROW = ("delivery_id", "record_no", "content_hash", "person_id", "stable_key", "incoming", "outcome")
_REJECT = ("delivery_id", "record_no", "member", "line", "byte_offset", "kind", "rule", "cause", "field", "remedy")


@dataclass(frozen=True)
class StagingFile:
    """A file that is staged: whose it is, under which policy, and on which day."""

    delivery_id: int
    name: str
    source: PatronSource
    policy_version: str
    day: date


class TalliedStream(io.RawIOBase):
    """A stream whose bytes are tallied as they are read: its character set is known at its end.

    XML says its own character set, which its reader judges; of a packed file nothing can be said from outside.
    """

    def __init__(self, stream: BinaryIO, *, is_tallied: bool = True) -> None:
        self._stream = stream
        self._is_tallied = is_tallied
        self.tally = ByteTally()
        self.is_packed = False

    def read(self, size: int = -1) -> bytes:
        """As of the stream."""
        content = self._stream.read(size)
        if not self._is_tallied:
            return content
        if not self.tally.size:
            self.is_packed = content.startswith((b"PK\x03\x04", b"\x1f\x8b"))
        self.tally.feed(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of the stream; back at its beginning, the tally begins anew."""
        if (offset, whence) == (0, io.SEEK_SET):
            self.tally = ByteTally()
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """As of the stream."""
        return self._stream.tell()

    def seekable(self) -> bool:
        """As of the stream."""
        return self._stream.seekable()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As of the stream."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def stage_file(warehouse: Warehouse, stream: BinaryIO, file: StagingFile, now: datetime) -> Counter[str]:
    """Stage every person of a file, a chunk a transaction; goes on where a killed run stopped.

    Returns counts of rows. Raises `DeliveryRejectedError` for what is no file of the source's format.
    """
    charset = file.source.charset
    is_xml = file.source.format == "bups2"
    totals, tallied = FileTotals(), TalliedStream(stream, is_tallied=not is_xml)
    counts: Counter[str] = Counter()
    with closing(_batches(tallied, file, totals)) as batches:
        for reader, pieces in batches:
            with chunk(warehouse, file.delivery_id, STAGE) as each:
                if each.is_done:
                    return counts
                if pieces[-1].position.record_no > each.reached:
                    counts += _stage_batch(each.connection, reader, pieces, file)
                    each.advance(pieces[-1].position.record_no)
            del pieces
    with chunk(warehouse, file.delivery_id, STAGE) as each:
        if not each.is_done:
            judged = [] if tallied.is_packed or is_xml else tallied.tally.judged(charset)
            findings = [[one.rule, one.text, one.field] for one in judged]
            findings += [["broken", text, None] for text in totals.defects]
            _set_file(each.connection, file.delivery_id, findings=orjson.dumps(findings).decode())
            each.advance(totals.records, done_at=now)
    return counts


def _batches(
    stream: io.RawIOBase, file: StagingFile, totals: FileTotals
) -> Generator[tuple[Reader, Sequence[PersonPiece]], None, None]:
    """The pieces in batches; none goes over the end of a member, since each member has a reader of its own.

    While the database looks a batch up, the next one is cut out of the file: by one thread, and never of the member
    that follows.
    """
    with ThreadPoolExecutor(1, "read ahead") as reading:
        for member in read_members(cast(BinaryIO, stream), file.name, file.source, totals):
            coming = reading.submit(_next_batch, member.pieces)
            while batch := coming.result():
                coming = reading.submit(_next_batch, member.pieces)
                yield member.reader, batch
                del batch  # or a third one stands beside the two in memory


def _next_batch(pieces: Iterator[PersonPiece]) -> list[PersonPiece]:
    return list(islice(pieces, CHUNK_PERSONS))


def _stage_batch(
    connection: Connection, reader: Reader, pieces: Sequence[PersonPiece], file: StagingFile
) -> Counter[str]:
    delivery_id, source = file.delivery_id, file.source
    passing = Passing(delivery_id, source.code, source.institution, file.policy_version, file.day)
    known = pass_by(connection, pieces, passing)
    new = [piece for piece in pieces if piece.position.record_no in known.left] if known.left else []
    filled = Counter(known.filled)
    rows: list[tuple[Any, ...]] = []
    rejects: list[tuple[Any, ...]] = []
    for piece, person in zip(new, reader.persons(new), strict=True):
        number, content_hash = piece.position.record_no, piece.content_hash
        if isinstance(person, RejectedRow):
            rejects.append(reject_row(delivery_id, person, REJECTED))
            rows.append((delivery_id, number, content_hash, None, None, None, REJECTED))
            continue
        filled[filled_bits(filled_paths(person))] += 1
        rows.append((delivery_id, number, content_hash, None, _stable_key(person), incoming_to_json(person), ""))
    bulk_insert(connection, stage_patron, _ROW, rows)
    bulk_insert(connection, raw_patron_reject, _REJECT, rejects)
    _add_up(connection, delivery_id, filled, len(pieces), len(rejects))
    return Counter(rows=len(pieces), unchanged=len(pieces) - len(new), rejected=len(rejects))


def reject_row(delivery_id: int, row: RejectedRow, kind: str) -> tuple[Any, ...]:
    """A row of raw_patron_reject, in the order of its columns."""
    place = row.position
    return (
        *(delivery_id, place.record_no, place.member, place.line, place.byte_offset),
        *(kind, row.rule, row.cause, row.field, row.remedy),
    )


def _stable_key(person: IncomingPerson) -> str:
    first = person.source_ids[0]
    return f"{first.type}:{first.key}"


def _add_up(connection: Connection, delivery_id: int, filled: Counter[int], rows: int, rejected: int) -> None:
    """Add a chunk to what was counted of the file; in its transaction, so that no chunk counts twice."""
    before = connection.execute(
        sa.select(raw_patron_file.c.filled).where(raw_patron_file.c.delivery_id == delivery_id)
    ).scalar_one()
    counts = Counter(orjson.loads(before))
    for bits, persons in filled.items():
        counts.update(dict.fromkeys(paths_of_bits(bits), persons))
    _set_file(
        connection,
        delivery_id,
        filled=orjson.dumps(counts, option=orjson.OPT_SORT_KEYS).decode(),
        rows_read=raw_patron_file.c.rows_read + rows,
        rows_rejected=raw_patron_file.c.rows_rejected + rejected,
    )


def _set_file(connection: Connection, delivery_id: int, **values: Any) -> None:
    connection.execute(sa.update(raw_patron_file).where(raw_patron_file.c.delivery_id == delivery_id).values(**values))
