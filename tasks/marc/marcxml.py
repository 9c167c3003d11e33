"""MARCXML: a document into pieces, one a record element, in constant memory.

The document is never parsed as a whole: record elements are found in the bytes and each is read alone
(`marcxml_record.py`), so that one bad record does not end the file. A document type declaration is not read, so the
entities it declares are unknown.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Protocol

from schemas.errors import DeliveryRejectedError
from tasks.marc.iso2709 import CHUNK_BYTES, MAX_PIECE_BYTES, Piece

_NAME = rb"(?:[A-Za-z_][\w.-]*:)?"
_MARK = re.compile(rb"<(?:!--|!\[CDATA\[|/?" + _NAME + rb"record(?=[\s/>]))")
_WORD = re.compile(rb"record(?=[\s/>])")
_FIELDS = re.compile(rb"<" + _NAME + rb"(?:leader|controlfield|datafield)[\s/>]")
_DECLARED = re.compile(rb"""<\?xml[^>]*?\bencoding\s*=\s*["']([\w.-]+)["']""")
_LONGEST_MARK = 256
"""A mark that is cut at the end of what has been read is looked for again from this many bytes before it."""
_CUT_OFF = "the record is not closed: the file breaks off here"
_NOT_CLOSED = "the record is not closed: the next one begins inside it"


class Document(NamedTuple):
    """What the head of a document says about it."""

    encoding: str
    has_doctype: bool


def document_of(head: bytes, *, file: str | None = None) -> Document:
    """Encoding and doctype of a document, from its first bytes.

    Raises `DeliveryRejectedError` where it declares an encoding that nobody knows.
    """
    if head.startswith((b"\xff\xfe", b"<\x00")):
        encoding = "utf-16-le"
    elif head.startswith((b"\xfe\xff", b"\x00<")):
        encoding = "utf-16-be"
    else:
        declared = _DECLARED.match(head.removeprefix(b"\xef\xbb\xbf").lstrip())
        encoding = _known_encoding(declared.group(1).decode("ascii"), file) if declared else "utf-8"
    text = head.decode(encoding, "replace") if encoding.startswith("utf-16") else head.decode("latin-1")
    return Document(encoding, "<!DOCTYPE" in text)


def split_elements(
    stream: BinaryIO, encoding: str = "utf-8", *, max_piece_bytes: int = MAX_PIECE_BYTES
) -> Iterator[Piece]:
    """The record elements of a document; offsets count from where the stream stands.

    Each `<record>`, of any prefix, up to its end tag. A record in which another one begins, or that is never closed,
    comes out with a `defect`. What surrounds records (OAI-PMH wraps one `record` in another) belongs to none.
    """
    if encoding.startswith("utf-16"):
        source = _Utf8Stream(stream, encoding)
        for offset, content, defect in _Elements(source, max_piece_bytes):
            yield Piece(source.original_offset(offset), source.original(content), defect)
    else:
        yield from _Elements(stream, max_piece_bytes)


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Elements:
    """The search for record elements: a buffer that slides over the stream."""

    def __init__(self, stream: _Source, max_piece_bytes: int) -> None:
        self._stream = stream
        self._limit = max_piece_bytes
        self._buffer = b""
        self._offset = 0  # of the buffer in the stream
        self._place = 0  # in the buffer: everything before it has been searched
        self._open: int | None = None  # in the buffer: where the record that is being read begins
        self._markup = -1  # in the buffer: the next `<!`, or -1 where none lies ahead
        self._skip_to = b""  # end of the comment or CDATA section that is being passed over
        self._defect = ""  # of the record that is being read

    def __iter__(self) -> Iterator[Piece]:
        while chunk := self._stream.read(CHUNK_BYTES):
            self._buffer += chunk
            self._markup = self._buffer.find(b"<!", self._place)
            yield from self._closed_elements()
            while self._open is not None and len(self._buffer) - self._open > self._limit:
                self._defect = f"no end of the record within {self._limit:,} bytes"
                yield self._piece(self._open + self._limit, self._defect)
                self._open = self._place = max(self._open + self._limit, self._place)
            self._forget()
        if self._open is not None and self._buffer[self._open :].strip():
            yield self._piece(len(self._buffer), self._defect or _CUT_OFF)

    def _closed_elements(self) -> Iterator[Piece]:
        """Every element that is closed in the buffer."""
        while True:
            if self._skip_to:
                end = self._buffer.find(self._skip_to, self._place)
                if end < 0:
                    self._place = max(self._place, len(self._buffer) - len(self._skip_to))
                    return
                self._place = end + len(self._skip_to)
                self._skip_to = b""
            if 0 <= self._markup < self._place:
                self._markup = self._buffer.find(b"<!", self._place)
            mark = self._next_mark()
            if mark is None:
                self._place = max(self._place, len(self._buffer) - _LONGEST_MARK)
                return
            start, kind = mark.start(), mark.group()
            if kind.startswith(b"<!"):
                self._skip_to = b"-->" if kind == b"<!--" else b"]]>"
                self._place = mark.end()
                continue
            end = self._buffer.find(b">", mark.end()) + 1
            if not end:
                self._place = start
                return
            if not kind.startswith(b"</"):
                yield from self._begun(start)
                yield from self._plain_elements(kind)
                if self._open != start:
                    continue
            if self._open is not None and (kind.startswith(b"</") or self._buffer[end - 2 : end] == b"/>"):
                yield self._piece(end, self._defect)
                self._open = None
            self._place = end

    def _plain_elements(self, start_tag: bytes) -> Iterator[Piece]:
        """The record that has begun and those that follow it, as long as nothing in them needs a closer look.

        Records stand one after the other in most of a file; to look at each mark would take three times as long.
        """
        end_tag = b"</" + start_tag[1:] + b">"
        buffer = self._buffer
        start = self._open
        while start is not None:
            end = buffer.find(end_tag, start)
            if end < 0 or 0 <= self._markup < end or buffer.count(b"record", start + len(start_tag), end):
                return
            end += len(end_tag)
            yield Piece(self._offset + start, buffer[start:end])
            start = self._open = self._following(start_tag, end)
            self._place = end if start is None else start + len(start_tag)

    def _following(self, start_tag: bytes, place: int) -> int | None:
        """Where a record with this start tag begins, if only blanks stand before it; None where that needs a look."""
        buffer = self._buffer
        start = buffer.find(start_tag, place, place + _LONGEST_MARK)
        if start < 0 or buffer[place:start].strip():
            return None
        after = start + len(start_tag)
        close = buffer.find(b">", after)
        is_plain = close >= 0 and buffer[close - 1] != 0x2F and buffer[after : after + 1] in (b">", b" ", b"\n")
        return start if is_plain else None

    def _begun(self, start: int) -> Iterator[Piece]:
        """A record begins; what was open until now was either a wrapper around it or has lost its end."""
        if self._open is not None and (self._defect or _FIELDS.search(self._buffer, self._open, start)):
            yield self._piece(start, self._defect or _NOT_CLOSED)
        self._open = start
        self._defect = ""

    def _next_mark(self) -> re.Match[bytes] | None:
        """The next tag of a record, or begin of a comment or CDATA section.

        Where none of the latter lies ahead in the buffer a plain word is looked for, which takes a tenth of the time.
        """
        buffer = self._buffer
        if self._markup >= 0:
            return _MARK.search(buffer, self._place)
        for word in _WORD.finditer(buffer, self._place):
            tag = buffer.rfind(b"<", self._place, word.start())
            mark = _MARK.match(buffer, tag) if tag >= 0 else None
            if mark is not None:
                return mark
        return None

    def _piece(self, end: int, defect: str) -> Piece:
        start = self._open or 0
        content = self._buffer[start:end]
        return Piece(self._offset + start, content.rstrip() if defect else content, defect)

    def _forget(self) -> None:
        """Drop what is behind."""
        behind = self._place if self._open is None else self._open
        self._buffer = self._buffer[behind:]
        self._offset += behind
        self._place -= behind
        if self._open is not None:
            self._open = 0


class _Utf8Stream:
    """A UTF-16 stream as UTF-8, and the way back from its offsets to those of the original."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._chunks: deque[tuple[int, int, bytes]] = deque()
        self._size = self._original_size = 0

    def read(self, size: int, /) -> bytes:
        text = ""
        while not text:
            chunk = self._stream.read(size)
            if not chunk:
                return b""
            text = self._decoder.decode(chunk)
        content = text.encode("utf-8", "surrogatepass")
        self._chunks.append((self._size, self._original_size, content))
        self._size += len(content)
        self._original_size += len(text.encode(self._encoding, "surrogatepass"))
        return content

    def original(self, content: bytes) -> bytes:
        """The bytes of the original for bytes that were read."""
        return content.decode("utf-8", "surrogatepass").encode(self._encoding, "surrogatepass")

    def original_offset(self, offset: int) -> int:
        """Offset in the original; offsets are asked for in rising order."""
        while len(self._chunks) > 1 and self._chunks[1][0] <= offset:
            self._chunks.popleft()
        start, original_start, content = self._chunks[0]
        return original_start + len(self.original(content[: offset - start]))


def _known_encoding(name: str, file: str | None) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise DeliveryRejectedError(
            f"the XML declaration names an unknown encoding, {name!r}",
            file=file,
            remedy="send it in UTF-8 and declare that",
        ) from None
