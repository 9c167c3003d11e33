"""BUPS 2: finding the `user` elements of a document in its bytes, in constant memory.

The document is never parsed as a whole, so that one broken person does not end the file, and a person whose bytes are
those of yesterday costs a search and a hash, no parsing. What stands around the users is kept and parsed by itself: it
says under which declarations they stand, and whether the document is whole.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from lxml import etree

from schemas.errors import DeliveryRejectedError
from tasks.patrons.pieces import CHUNK_BYTES, MAX_PERSON_BYTES, make_tuple

_MARK = re.compile(rb"<!--|<!\[CDATA\[|<\?|<!|</?(?:[A-Za-z_][\w.-]*:)?user(?=[\s/>])")
_NEXT_USER = re.compile(rb"\s*<user(?=[\s>])")
_PLAIN_USER = re.compile(rb"<user[\s/>]")
_ANY_USER = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?user(?=[\s/>])")
_DECLARED = re.compile(rb"""<\?xml[^>]*?\bencoding\s*=\s*["']([\w.-]+)["']""")
_END = b"</user>"
_END_TAG = re.compile(_END)
_ENDS = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_ROOTS = ("users", "userRecords")
"""Roots of a file without a person; any other document without one is something else (an error page, say)."""
MAX_FRAME_BYTES = 1024 * 1024
_CUT_OFF = "is not closed: the file breaks off here"
_NOT_CLOSED = "is not closed: the next person begins inside it"

_SAFE: dict[str, Any] = {
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
"""No DTD, no entity but XML's own five, nothing from the network, no huge text."""


def hardened_parser() -> etree.XMLParser:
    """A parser for what others sent."""
    return etree.XMLParser(**_SAFE)


def _may_hide(buffer: bytes, begin: int, end: int) -> bool:
    """Whether a comment, a CDATA section or an instruction may hide a tag. The one letter is found much sooner."""
    return any(
        buffer.find(sign, begin, end) >= 0 and buffer.find(b"<" + sign, begin, end) >= 0 for sign in (b"!", b"?")
    )


class UserElement(NamedTuple):
    """One `user` element as it stands in the file."""

    line: int
    byte_offset: int
    content: bytes
    defect: str
    """Why it is no whole element; empty: it is one."""

    def __repr__(self) -> str:
        """Without the person: it may stand in a traceback."""
        return f"UserElement(line {self.line}, byte {self.byte_offset}, {len(self.content)} bytes)"


class Frame(NamedTuple):
    """What to put around users, so that they are parsed as they would be in their document."""

    before: bytes
    after: bytes
    is_open: bool
    """Whether several users may stand in it; False: the user itself is the root."""


class UserElements:
    """The users of one document, to be iterated once. `frame` is there with the first user, `defect` at the end."""

    def __init__(self, stream: BinaryIO, file: str | None = None) -> None:
        self.frame = Frame(b"", b"", False)
        self.defect = ""
        """What is wrong with the document around its users, in words; empty: nothing."""
        self.encoding = "utf-8"
        """As its declaration says."""
        self._stream = stream
        self._file = file
        self._buffer = b""
        self._place = 0  # in the buffer: everything before it is done
        self._offset = 0  # of the buffer in the stream
        self._line = 1  # of `_place`
        self._around = b""
        self._has_users = False
        self._at_end = False

    def __iter__(self) -> Iterator[UserElement]:
        """The users in their order. Raises `DeliveryRejectedError` where it is no document of users."""
        self._more()
        self._read_declaration()
        while True:
            yield from self._run()
            found = self._next_plain() or self._next_marked()
            if found is None:
                if self._at_end:
                    break
                self._more()
                continue
            yield self._taken(*found)
        self._around += self._buffer[self._place :]
        self._check_around()

    def _run(self) -> Iterator[UserElement]:
        """All whole users of the buffer at once, where nothing in it needs a closer look; else none.

        Most blocks of a file are such: they cost a few searches of the block, and a slice a person.
        """
        buffer, place = self._buffer, self._place
        last = buffer.rfind(_END)
        if not self._has_users or last < place or _may_hide(buffer, place, last):
            return
        begins = [each.start() for each in _PLAIN_USER.finditer(buffer, place, last)]
        ends = [each.end() for each in _END_TAG.finditer(buffer, place)]
        # As many beginnings as ends, one after the other: no user holds another one.
        if len(begins) != len(ends) or any(begin < end for begin, end in zip(begins[1:], ends, strict=False)):
            return
        for begin, end in zip(begins, ends, strict=True):
            before = buffer[self._place : begin]
            if before != b"\n" and before.strip():
                return
            line = self._line + (1 if before == b"\n" else before.count(b"\n"))
            content = buffer[begin:end]
            self._line, self._place = line + content.count(b"\n"), end
            yield make_tuple(UserElement, (line, self._offset + begin, content, ""))

    def _more(self) -> None:
        chunk = self._stream.read(CHUNK_BYTES)
        self._at_end = not chunk
        self._offset += self._place
        self._buffer = self._buffer[self._place :] + chunk
        self._place = 0

    def _read_declaration(self) -> None:
        head = self._buffer[:4096]
        if head.startswith((b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")):
            raise self._refusal("it is UTF-16", "send it in UTF-8")
        declared = _DECLARED.match(head.removeprefix(codecs.BOM_UTF8).lstrip())
        if declared is None:
            return
        try:
            self.encoding = codecs.lookup(declared[1].decode("ascii")).name
            keeps_ascii = "<user>".encode(self.encoding) == b"<user>"
        except LookupError:
            keeps_ascii = False
        if not keeps_ascii:
            raise self._refusal("its declaration names an encoding that is not supported", "send it in UTF-8")

    def _taken(self, start: int, end: int, defect: str) -> UserElement:
        before = self._buffer[self._place : start]
        if before.strip() or not self._has_users:
            self._around += before
            if len(self._around) > MAX_FRAME_BYTES:
                raise self._refusal("much of it is no person", "send Alma's user XML")
        if not self._has_users:
            self.frame = self._frame()
            self._has_users = True
        content = self._buffer[start:end]
        line = self._line + before.count(b"\n")
        element = UserElement(line, self._offset + start, content, defect)
        self._line = line + content.count(b"\n")
        self._place = end
        return element

    def _next_plain(self) -> tuple[int, int, str] | None:
        """The next user where nothing needs a closer look: it follows at once, and holds elements alone."""
        buffer = self._buffer
        begin = _NEXT_USER.match(buffer, self._place)
        if begin is None:
            return None
        inside = begin.end()
        end = buffer.find(b"</user>", inside)
        if end < 0 or buffer.find(b"<!", inside, end) >= 0 or buffer.find(b"<?", inside, end) >= 0:
            return None
        return None if _PLAIN_USER.search(buffer, inside, end) else (inside - 5, end + 7, "")

    def _next_marked(self) -> tuple[int, int, str] | None:
        """The next user, found mark by mark; None where more of the stream is needed, or it has ended."""
        buffer, search, start = self._buffer, self._place, -1
        while mark := _MARK.search(buffer, search):
            kind = mark.group()
            if kind in _ENDS:
                end = buffer.find(_ENDS[kind], mark.end())
                search = end + len(_ENDS[kind])
            else:
                end = buffer.find(b">", mark.end())
                search = end + 1
            if end < 0:
                break
            if kind == b"<!" and start < 0:
                raise self._refusal("it has a document type declaration", "send it without DOCTYPE")
            if not kind.endswith(b"user"):
                continue
            if kind.startswith(b"</"):
                if start >= 0:
                    return start, search, ""
            elif start >= 0:
                return start, mark.start(), _NOT_CLOSED
            elif buffer[end - 1 : end] == b"/":
                return mark.start(), search, ""
            else:
                start = mark.start()
        return self._unfinished(start)

    def _unfinished(self, start: int) -> tuple[int, int, str] | None:
        size = len(self._buffer)
        if start < 0:
            if size - self._place > 2 * MAX_FRAME_BYTES:
                raise self._refusal("much of it is no person", "send Alma's user XML")
            return None
        if self._at_end:
            return start, size, _CUT_OFF
        if size - start > MAX_PERSON_BYTES:
            following = _ANY_USER.search(self._buffer, start + 1)
            end = following.start() if following else size
            return start, end, f"has no end within {MAX_PERSON_BYTES:,} bytes"
        return None

    def _frame(self) -> Frame:
        """The start tags that are open before the first user, and their end tags."""
        parser = etree.XMLPullParser(events=("start", "end"), **_SAFE)
        tags: list[str] = []
        try:
            parser.feed(self._around)
            events: Iterator[tuple[str, Any]] = parser.read_events()
            for event, element in events:
                name = etree.QName(element).localname
                if event == "start":
                    tags.append(f"{element.prefix}:{name}" if element.prefix else name)
                else:
                    tags.pop()
        except etree.XMLSyntaxError:
            raise self._refusal("what stands before its first person is no XML", "send it again, whole") from None
        after = "".join(f"</{each}>" for each in reversed(tags))
        return Frame(self._around, after.encode(self.encoding), bool(tags))

    def _check_around(self) -> None:
        if self._has_users and not self.frame.is_open:
            if self._around[len(self.frame.before) :].strip():
                self.defect = "something follows its only person"
            return
        try:
            root = etree.fromstring(self._around.strip(), hardened_parser())
        except etree.XMLSyntaxError:
            if not self._has_users:
                raise self._refusal("it is no XML, or breaks off", "send it again, whole") from None
            self.defect = "it breaks off, or is broken between its persons"
            return
        if not self._has_users and etree.QName(root).localname not in _ROOTS:
            raise self._refusal("it holds no person", "send Alma's user XML")

    def _refusal(self, cause: str, remedy: str) -> DeliveryRejectedError:
        return DeliveryRejectedError(cause, file=self._file, remedy=remedy)
