"""Records to bytes: ISO2709 in UTF-8, ISO 8859-1 or MARC-8, and MARCXML. Nothing here can read.

Written for the sample alone, so that what the pipeline's reader is tested with was not made by that reader's own hand.
"""

from __future__ import annotations

import io
import unicodedata
import zipfile
import zlib
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from schemas.marc import Record

Charset = Literal["utf-8", "iso8859-1", "marc-8"]
RECORD_END = b"\x1d"
FIELD_END = "\x1e"
SUBFIELD = "\x1f"
LONGEST = 99_999
_NS = "http://www.loc.gov/MARC21/slim"

# ANSEL's combining marks stand before their letter; the rest are letters of their own. Source: MARC 21 specifications,
# code table Extended Latin.
_ANSEL_MARKS = {
    "\u0300": 0xE1,
    "\u0301": 0xE2,
    "\u0302": 0xE3,
    "\u0303": 0xE4,
    "\u0308": 0xE8,
    "\u030a": 0xEA,
    "\u0327": 0xF0,
}
_ANSEL_LETTERS = {"Ø": 0xA2, "ø": 0xB2, "Æ": 0xA5, "æ": 0xB5, "Đ": 0xA3, "đ": 0xB3, "ß": 0xC7, "ı": 0xB8}


def iso2709(record: Record, charset: Charset = "utf-8", charset_code: str | None = None) -> bytes:
    """One ISO2709 record. leader/09 tells the truth unless `charset_code` says otherwise.

    A record over 99,999 bytes gets the length field 99999 and starts over 99,999 are capped too, as the field's systems
    write them. Raises `UnicodeEncodeError` for a letter that the character set does not have.
    """
    directory, body = [], bytearray()
    for field in record.all_fields:
        if field.subfields:
            text = field.indicators + "".join(f"{SUBFIELD}{code}{value}" for code, value in field.subfields)
        else:
            text = field.value
        content = _encoded(text + FIELD_END, charset)
        directory.append(f"{field.tag}{min(len(content), 9_999):04d}{min(len(body), LONGEST):05d}")
        body += content
    base = 24 + 12 * len(directory) + 1
    length = min(base + len(body) + 1, LONGEST)
    code = charset_code if charset_code is not None else ("a" if charset == "utf-8" else " ")
    leader = f"{length:05d}{record.leader[5:9]}{code}22{base:05d}{record.leader[17:24]}"
    return (leader + "".join(directory) + FIELD_END).encode("ascii") + bytes(body) + RECORD_END


def marcxml_record(record: Record) -> str:
    """One `record` element, with a `type` that tells bibs from holdings."""
    kind = "Holdings" if record.leader[6] in "uvxy" else "Bibliographic"
    lines = [f'  <record type="{kind}">', f"    <leader>{escape(record.leader)}</leader>"]
    for field in record.all_fields:
        if field.subfields:
            first, second = (quoteattr(each) for each in field.indicators)
            lines.append(f'    <datafield tag="{field.tag}" ind1={first} ind2={second}>')
            lines += [
                f"      <subfield code={quoteattr(code)}>{escape(value)}</subfield>" for code, value in field.subfields
            ]
            lines.append("    </datafield>")
        else:
            lines.append(f'    <controlfield tag="{field.tag}">{escape(field.value)}</controlfield>')
    lines.append("  </record>")
    return "\n".join(lines) + "\n"


XML_HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<collection xmlns="{_NS}">\n'
XML_TAIL = "</collection>\n"


def marcxml(records: list[Record]) -> bytes:
    """A MARCXML collection in UTF-8."""
    return (XML_HEAD + "".join(marcxml_record(each) for each in records) + XML_TAIL).encode()


def gzipped(content: bytes) -> bytes:
    """A gzip file without name and time. Stored, not deflated: zlib's output differs from build to build."""
    blocks = []
    for start in range(0, len(content), 65_535) or [0]:
        block = content[start : start + 65_535]
        is_last = start + 65_535 >= len(content)
        blocks.append(
            bytes([is_last]) + len(block).to_bytes(2, "little") + (len(block) ^ 0xFFFF).to_bytes(2, "little") + block
        )
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    return head + b"".join(blocks) + zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")


def zipped(members: list[tuple[str, bytes]]) -> bytes:
    """A zip file of these members, stored, all of one time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            member = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, content)
    return buffer.getvalue()


def _encoded(text: str, charset: Charset) -> bytes:
    return _ansel(text) if charset == "marc-8" else text.encode(charset)


def _ansel(text: str) -> bytes:
    out = bytearray()
    for letter in text:
        if ord(letter) < 128:
            out.append(ord(letter))
        elif letter in _ANSEL_LETTERS:
            out.append(_ANSEL_LETTERS[letter])
        else:
            base, *marks = list(unicodedata.normalize("NFD", letter))
            if not marks or ord(base) > 127 or any(mark not in _ANSEL_MARKS for mark in marks):
                raise UnicodeEncodeError("marc-8", letter, 0, 1, "no Extended Latin code for this letter")
            out += bytes(_ANSEL_MARKS[mark] for mark in marks)
            out.append(ord(base))
    return bytes(out)
