"""Rejected records as files: the bytes as they came, in a shape the sender's own tools can open.

Readable records go into one ISO2709 file and one MARCXML collection. What cannot be read goes into a file of its own,
so that it does not make the others unreadable; offset and length of each piece stand in the table that goes with it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from tasks.notices.message import Attachment

RECORD_TERMINATOR = b"\x1d"
MARCXML_NAMESPACE = "http://www.loc.gov/MARC21/slim"
_READABLE_LIMIT = 4_000
_MEDIA_TYPES = {"mrc": "application/marc", "xml": "application/xml", "bin": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class PieceBytes:
    """A piece of a delivery. `charset` is what its bytes were read as."""

    content: bytes
    format: Literal["iso2709", "marcxml"]
    charset: str
    is_readable: bool


@dataclass(frozen=True, slots=True)
class PlacedPiece:
    """Where a piece can be found: file name and offset. `attached_in` is empty where it did not fit."""

    attached_in: str
    at_byte: int


@dataclass(frozen=True, slots=True)
class CollectedPieces:
    """The files, and the place of each piece by its number in the sequence given."""

    attachments: tuple[Attachment, ...]
    places: Mapping[int, PlacedPiece]


def collect_pieces(
    pieces: Sequence[PieceBytes], stem: str, max_bytes: int, names: Mapping[str, str] | None = None
) -> CollectedPieces:
    """Up to three files, together at most `max_bytes` of records; later pieces are left out.

    They are named after `stem`, or as `names` says for each extension (`mrc`, `xml`, `bin`).
    """
    xml_charset = next((each.charset for each in pieces if each.format == "marcxml" and each.is_readable), "utf-8")
    head, tail = _collection(xml_charset)
    files = {"mrc": io.BytesIO(), "xml": io.BytesIO(head), "bin": io.BytesIO()}
    if names is None:
        names = {"mrc": f"rejected-{stem}.mrc", "xml": f"rejected-{stem}.xml", "bin": f"unreadable-{stem}.bin"}
    files["xml"].seek(0, io.SEEK_END)
    places: dict[int, PlacedPiece] = {}
    left = max_bytes
    for number, piece in enumerate(pieces):
        if len(piece.content) > left:
            places[number] = PlacedPiece("", 0)
            continue
        left -= len(piece.content)
        extension = _home_of(piece, xml_charset)
        places[number] = PlacedPiece(names[extension], files[extension].tell())
        files[extension].write(piece.content + (b"\n" if extension == "xml" else b""))
    used = {place.attached_in for place in places.values()}
    files["xml"].write(tail)
    attachments = tuple(
        Attachment(names[extension], _MEDIA_TYPES[extension], stream.getvalue())
        for extension, stream in files.items()
        if names[extension] in used
    )
    return CollectedPieces(attachments, places)


def readable_record(content: bytes) -> str:
    """A record's bytes as text for people: delimiters as symbols, bytes that are not UTF-8 as `\\xNN`, cut if long."""
    text = content[: _READABLE_LIMIT + 4].decode("utf-8", "backslashreplace")
    return f"{text[:_READABLE_LIMIT]} [...]" if len(content) > _READABLE_LIMIT else text


def _home_of(piece: PieceBytes, xml_charset: str) -> str:
    if not piece.is_readable:
        return "bin"
    if piece.format == "iso2709":
        # Without its terminator a record would swallow the next one in a file.
        return "mrc" if piece.content.endswith(RECORD_TERMINATOR) else "bin"
    return "xml" if _is_whole_xml(piece.content, xml_charset) else "bin"


def _is_whole_xml(content: bytes, charset: str) -> bool:
    head, tail = _collection(charset)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        etree.fromstring(head + content + tail, parser)
    except (etree.XMLSyntaxError, LookupError, ValueError):
        return False
    return True


def _collection(charset: str) -> tuple[bytes, bytes]:
    """Start and end of a collection. Prefixes `marc` and `marcxml` are declared: pieces may use what their file's root
    declared.
    """
    start = (
        f'<?xml version="1.0" encoding="{charset}"?>\n<collection xmlns="{MARCXML_NAMESPACE}" '
        f'xmlns:marc="{MARCXML_NAMESPACE}" xmlns:marcxml="{MARCXML_NAMESPACE}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
    )
    return start.encode("ascii", "replace"), b"</collection>\n"
