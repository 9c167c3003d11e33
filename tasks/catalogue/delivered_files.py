"""A delivery's file, opened member by member and handed to the staging in lists of pieces."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from schemas.errors import DeliveryRejectedError
from schemas.marc import StagedPiece
from tasks.catalogue.side_by_side import is_plain_iso, rows_side_by_side
from tasks.catalogue.staged_rows import BatchColumns, RowBatch, StagedMember, StagingRules, row_batches
from tasks.landing.unpack import Member, UnpackLimits, members_of
from tasks.marc.reading import ReadingRules, open_delivery
from tasks.second_process import in_second_process

BATCH = 2_000
UNREADABLE_MEMBER_BYTES = 1024 * 1024


def rows_of_stream(
    stream: BinaryIO, name: str, delivery_id: int, reading: ReadingRules, rules: StagingRules, limits: UnpackLimits,
    size: int,
) -> Iterator[RowBatch]:  # fmt: skip
    """The rows of a delivery's file, in batches of about `size` pieces."""
    return row_batches(delivery_id, staged_members(stream, name, reading, limits), rules, size)


def columns_of_file(
    path: Path, name: str, delivery_id: int, reading: ReadingRules, rules: StagingRules, limits: UnpackLimits, size: int
) -> Iterator[BatchColumns]:
    """As `rows_of_stream`, of a file that this process opens itself: what a second process runs."""
    with path.open("rb") as stream:
        for batch in rows_of_stream(stream, name, delivery_id, reading, rules, limits, size):
            yield batch.columns()


def rows_of_file(
    path: Path, name: str, delivery_id: int, reading: ReadingRules, rules: StagingRules, limits: UnpackLimits, size: int
) -> Generator[RowBatch]:
    """As `rows_of_stream`, of a large file, which two processes read: two cores are busy until its end.

    A plain ISO2709 file is read block by block, some here and some there; any other one as a whole there, while its
    rows are written here.
    """
    if is_plain_iso(path, name, reading):
        yield from rows_side_by_side(path, name, delivery_id, reading, rules)
        return
    with closing(in_second_process(columns_of_file, path, name, delivery_id, reading, rules, limits, size)) as there:
        for columns in there:
            yield columns.rows()


def staged_members(stream: BinaryIO, name: str, rules: ReadingRules, limits: UnpackLimits) -> Iterator[StagedMember]:
    """The members of a delivery with their pieces; positions run on through them.

    A delivery of one member that is no MARC is rejected (`DeliveryRejectedError`). In a zip of several such a member
    is one unreadable piece, so that its neighbours come in; only where no member is MARC the delivery is rejected.
    """
    position = 1
    good = 0
    first_refusal: DeliveryRejectedError | None = None
    members = 0
    for member in members_of(stream, name, limits):
        members += 1
        counted = _Counted(position)
        try:
            opened = open_delivery(
                member.stream,
                member_no=member.member_no,
                first_position=position,
                rules=rules,
                file=member.member_name,
            )
            lists = counted.lists(opened.pieces)
            # The first list as well: a member that looks like MARC and holds no record is refused only then.
            first = next(lists)
        except DeliveryRejectedError as refusal:
            first_refusal = first_refusal or refusal
            yield _unreadable(member, position, refusal)
            position += 1
            continue
        good += 1
        yield StagedMember(member.member_no, member.member_name, opened.format, chain([first], lists))
        position = counted.next_position
    if not good and first_refusal is not None:
        raise first_refusal


class _Counted:
    """Lists of pieces, and the position that comes after them."""

    def __init__(self, first_position: int) -> None:
        self.next_position = first_position

    def lists(self, pieces: Iterable[StagedPiece]) -> Iterator[list[StagedPiece]]:
        iterator = iter(pieces)
        while some := list(islice(iterator, BATCH)):
            self.next_position = some[-1].position + 1
            yield some


def _unreadable(member: Member, position: int, refusal: DeliveryRejectedError) -> StagedMember:
    """A member that is no MARC, as one piece; the whole file is in the archive."""
    piece = StagedPiece(
        position=position,
        member_no=member.member_no,
        byte_offset=0,
        content=member.stream.read(UNREADABLE_MEMBER_BYTES),
        record_type="unreadable",
        charset="",
        findings=(),
        reason=str(refusal),
        normalised=None,
        bib=None,
        holdings=(),
    )
    return StagedMember(member.member_no, member.member_name, "", [[piece]])
