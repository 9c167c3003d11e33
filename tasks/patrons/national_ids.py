"""National ids (FR, GR of BUPS 1) are cut out on receipt, before anything is written, and the cut is proved.

A record's national id also goes where it stands in another line of that record: an id that was put into the wrong
field is still a national id. What has lost a mandatory line by that is quarantined by the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from schemas.errors import DeliveryRejectedError
from tasks.patrons.pieces import CHUNK_BYTES, MAX_PERSON_BYTES

SEPARATOR = re.compile(rb"\s*-{10,}\s*")
_NATIONAL = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:FR|GR)\s*:(.*)", re.IGNORECASE | re.DOTALL)
_LINE_END = re.compile(rb"\r\n|\n|\r")
_NOT_DIGIT = re.compile(rb"\D+")
_LEAST_DIGITS = 6
"""Fewer digits are no national id, and would be found in any barcode."""


class CutCount(NamedTuple):
    """What was cut out."""

    lines: int
    """FR and GR lines."""
    strayed: int
    """Other lines, in which the national id of their record stood."""


class NationalIdCutter:
    """Streams a BUPS 1 file without national ids; `count` and the proof are there when it was read to its end."""

    def __init__(self) -> None:
        self.lines = 0
        self.strayed = 0
        self._seen: set[bytes] = set()
        self._lengths: set[int] = set()

    @property
    def count(self) -> CutCount:
        """Lines that were cut out so far."""
        return CutCount(self.lines, self.strayed)

    def cut(self, stream: BinaryIO) -> Iterator[bytes]:
        """The file, a record at a time, byte for byte but for the lines that were cut out.

        Raises `DeliveryRejectedError` for a record or line that has no end.
        """
        record: list[bytes] = []
        size = 0
        for line in lines_of(stream):
            record.append(line)
            size += len(line)
            if SEPARATOR.fullmatch(line):
                yield self._without(record)
                record, size = [], 0
            elif size > MAX_PERSON_BYTES:
                raise DeliveryRejectedError(
                    f"no line of 10 minus signs within {MAX_PERSON_BYTES:,} bytes",
                    remedy="it is no BUPS 1 file, or was damaged: send it again",
                )
        if record:
            yield self._without(record)

    def remaining(self, cut: Iterable[bytes]) -> int:
        """The proof: lines of what was written in which digits of any id that was cut out stand; 0 is the proof.

        Digits that other characters separate count as well, and every record is searched for the ids of all.
        """
        return sum(self._holds(line, self._seen) for chunk in cut for line in _LINE_END.split(chunk))

    def _without(self, record: list[bytes]) -> bytes:
        own: set[bytes] = set()
        kept = []
        for line in record:
            match = _NATIONAL.fullmatch(line)
            if match is None:
                kept.append(line)
                continue
            self.lines += 1
            digits = _NOT_DIGIT.sub(b"", match[1])
            if len(digits) >= _LEAST_DIGITS:
                own.add(digits)
        if own:
            self._seen |= own
            self._lengths |= {len(each) for each in own}
            clean = [line for line in kept if not self._holds(line, own)]
            self.strayed += len(kept) - len(clean)
            kept = clean
        return b"".join(kept)

    def _holds(self, line: bytes, ids: set[bytes]) -> bool:
        digits = _NOT_DIGIT.sub(b"", line)
        return any(
            digits[start : start + length] in ids
            for length in self._lengths
            for start in range(len(digits) - length + 1)
        )


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream with their ends (LF, CR LF, CR). Raises `DeliveryRejectedError` for one without an end."""
    rest = b""
    while chunk := stream.read(CHUNK_BYTES):
        rest += chunk
        if rest.endswith(b"\r"):  # a line feed may follow
            more = stream.read(1)
            rest += more
        start = 0
        for end in _LINE_END.finditer(rest):
            yield rest[start : end.end()]
            start = end.end()
        rest = rest[start:]
        if len(rest) > MAX_PERSON_BYTES:
            raise DeliveryRejectedError(
                f"a line has more than {MAX_PERSON_BYTES:,} bytes", remedy="it is no file of lines: send it again"
            )
    if rest:
        yield rest
