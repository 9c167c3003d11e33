"""The entry: a delivery's bytes into `StagedPiece`s, one for every piece, in order, in constant memory.

Whatever is wrong with a piece stays with that piece. Only a file that is no MARC at all is refused, with what it looks
like. Nothing is left out: pieces = bibs + holdings + unreadable, and `count_pieces` counts them without reading them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

from schemas.errors import DeliveryRejectedError
from schemas.marc import Finding, StagedPiece
from tasks.marc.iso2709 import Piece, split_pieces
from tasks.marc.marcxml import document_of, split_elements
from tasks.marc.rules import ReadingRules
from tasks.marc.sniffing import HEAD_BYTES, Format, format_of
from tasks.marc.staging import Stager
from tasks.marc.table_rows import is_table, table_pieces

__all__ = ["OpenedDelivery", "ReadingRules", "count_pieces", "open_delivery", "read_delivery", "reread_piece"]

_DOCTYPE = Finding(
    "doctype_ignored", "the document has a document type declaration, which is not read: its entities are unknown"
)


class OpenedDelivery(NamedTuple):
    """A delivery whose first bytes have been looked at: its format, and its pieces, which are read on the way."""

    format: Format | Literal["csv"]
    encoding: str
    """Of a MARCXML document; empty for ISO2709, where each record has its own."""
    pieces: Iterator[StagedPiece]


def open_delivery(
    stream: BinaryIO,
    *,
    member_no: int = 0,
    first_position: int = 1,
    rules: ReadingRules,
    file: str | None = None,
) -> OpenedDelivery:
    """Look at the beginning of a member of a delivery, and make ready to read it.

    `stream` is read from where it stands and need not seek; one that can stands there again after a refusal.
    Raises `DeliveryRejectedError` (with `file`) where it is no MARC or not in a format of the agreement; taking the
    pieces raises it where the file holds none at all.
    """
    start = stream.tell() if stream.seekable() else None
    try:
        if rules.stock is not None:
            whole, found = _looked_for_table(stream)
            if found:
                rows = table_pieces(
                    whole, member_no=member_no, first_position=first_position, rules=rules.stock,
                    own_prefix=rules.normalisation.own_prefix, file=file,
                )  # fmt: skip
                return OpenedDelivery("csv", "", rows)
            kind, encoding, findings, split = _opened(whole, file)
        else:
            kind, encoding, findings, split = _opened(stream, file)
        _check_format(kind, rules, file)
    except DeliveryRejectedError:
        if start is not None:
            stream.seek(start)
        raise
    return OpenedDelivery(kind, encoding, _staged(split, encoding, findings, member_no, first_position, rules, file))


def read_delivery(
    stream: BinaryIO,
    *,
    member_no: int = 0,
    first_position: int = 1,
    rules: ReadingRules,
    file: str | None = None,
) -> Iterator[StagedPiece]:
    """The pieces of one member of a delivery, positions counted from `first_position`; see `open_delivery`."""
    return open_delivery(stream, member_no=member_no, first_position=first_position, rules=rules, file=file).pieces


def count_pieces(stream: BinaryIO, *, file: str | None = None) -> int:
    """How many pieces `read_delivery` gives for this stream, from the terminators alone (about 10 times as fast)."""
    return sum(1 for _ in _opened(stream, file).split)


def reread_piece(
    content: bytes,
    *,
    position: int,
    rules: ReadingRules,
    member_no: int = 0,
    byte_offset: int = 0,
    charset: str = "",
    reject_reason: str = "",
) -> StagedPiece:
    """Stage one stored piece again, on its own: after a change of rules, or to show what became of it.

    `charset` is the piece's, as it was staged: the encoding of the MARCXML document that is no longer there.
    `reject_reason` is for a holding what the pieces before it would say (see `Stager`).
    """
    is_xml = content.lstrip()[:1] == b"<" or content[:2] in (b"<\x00", b"\x00<")
    stager = Stager(rules, member_no, position, encoding=(charset or "utf-8") if is_xml else "")
    return stager.stage_alone(Piece(byte_offset, content), reject_reason)


class _Opened(NamedTuple):
    format: Format
    encoding: str
    findings: tuple[Finding, ...]
    split: Iterator[Piece]


_TITLES = {"iso2709": "ISO2709", "marcxml": "MARCXML"}


def _opened(stream: BinaryIO, file: str | None) -> _Opened:
    head = _head(stream)
    kind = format_of(head, file=file)
    whole = io.BufferedReader(_Rejoined(head, stream), 1024 * 1024)
    if kind == "iso2709":
        return _Opened(kind, "", (), split_pieces(whole))
    document = document_of(head, file=file)
    findings = (_DOCTYPE,) if document.has_doctype else ()
    return _Opened(kind, document.encoding, findings, split_elements(whole, document.encoding))


def _looked_for_table(stream: BinaryIO) -> tuple[BinaryIO, bool]:
    """Whether it is a table and no MARC, and the stream from its beginning, since it may not be able to seek."""
    head = _head(stream)
    whole = io.BufferedReader(_Rejoined(head, stream), 1024 * 1024)
    try:
        format_of(head)
    except DeliveryRejectedError:
        return whole, is_table(head)
    return whole, False


def _check_format(kind: Format, rules: ReadingRules, file: str | None) -> None:
    if kind not in rules.formats:
        raise DeliveryRejectedError(
            f"it is {_TITLES[kind]}, and the agreement is for {' or '.join(_TITLES[each] for each in rules.formats)}",
            file=file,
            remedy="send another format, or change `formats` of the supplier in the register",
        )


def _staged(
    split: Iterator[Piece],
    encoding: str,
    findings: tuple[Finding, ...],
    member_no: int,
    first_position: int,
    rules: ReadingRules,
    file: str | None,
) -> Iterator[StagedPiece]:
    stager = Stager(rules, member_no, first_position, encoding=encoding)
    is_empty = True
    for staged in stager.staged(split):
        if is_empty and findings:
            staged = staged._replace(findings=findings + staged.findings)
        is_empty = False
        yield staged
    if is_empty:
        raise DeliveryRejectedError("the file holds no record", file=file, remedy="send it again with its records")


def _head(stream: BinaryIO) -> bytes:
    """The first bytes; a stream may give fewer at a time than it is asked for."""
    head = b""
    while len(head) < HEAD_BYTES:
        more = stream.read(HEAD_BYTES - len(head))
        if not more:
            break
        head += more
    return head


class _Rejoined(io.RawIOBase):
    """Bytes that were read ahead, and the rest of the stream: it need not be able to seek."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = io.BytesIO(head)
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        content = self._head.read(len(buffer)) or self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)
