"""A record as bytes of the file: ISO2709 or MARCXML, in the profile's character set.

Pure. A record that the form cannot carry is a `LeftOutError`; it is listed beside the file, and stops no other.
"""

from __future__ import annotations

from collections.abc import Callable

from schemas.register.export_profiles import ExportProfile
from tasks.exports.letters import Replaced, for_xml, in_latin1, normalised
from tasks.marc.encode import MARCXML_NAMESPACE, MAX_FIELD_BYTES, MAX_RECORD_BYTES, assemble, to_xml
from tasks.marc.iso2709 import directory_of
from tasks.marc.records import FIELD_END, RECORD_END, LazyRecord, UnwritableError

Encoded = tuple[bytes, list[Replaced]]
Encoder = Callable[[LazyRecord], Encoded]

XML_TAIL = b"</collection>\n"


class LeftOutError(Exception):
    """A record that cannot be written in this form; the message is the reason, in words."""


def encoder_of(profile: ExportProfile) -> Encoder:
    """What makes bytes of a record for this profile."""
    is_xml, is_latin1 = profile.format == "marcxml", profile.charset != "utf-8"
    if is_xml:
        return _xml_latin1 if is_latin1 else _xml_decomposed if profile.letters == "decomposed" else _xml_composed
    return _iso_latin1 if is_latin1 else _iso_decomposed if profile.letters == "decomposed" else _iso_composed


def head_of(profile: ExportProfile) -> bytes:
    """What stands before the first record."""
    if profile.format != "marcxml":
        return b""
    charset = "UTF-8" if profile.charset == "utf-8" else "ISO-8859-1"
    return f'<?xml version="1.0" encoding="{charset}"?>\n<collection xmlns="{MARCXML_NAMESPACE}">\n'.encode()


def tail_of(profile: ExportProfile) -> bytes:
    """What stands behind the last record."""
    return XML_TAIL if profile.format == "marcxml" else b""


def _iso_composed(record: LazyRecord) -> Encoded:
    return _iso_utf8(normalised(record, "NFC")), []


def _iso_decomposed(record: LazyRecord) -> Encoded:
    return _iso_utf8(normalised(record, "NFD")), []


def _iso_utf8(record: LazyRecord) -> bytes:
    try:
        content = assemble(record)
    except UnwritableError as error:
        raise LeftOutError(error.cause) from error
    if content[:1] == b"<":
        raise LeftOutError(_too_long(record))
    return content


def _too_long(record: LazyRecord) -> str:
    for tag, text in zip(record.tags, record.texts, strict=True):
        if len(text.encode()) >= MAX_FIELD_BYTES:
            return f"{tag} has more than {MAX_FIELD_BYTES:,} bytes, which ISO2709 cannot say"
    return f"more than {MAX_RECORD_BYTES:,} bytes, which ISO2709 cannot say"


def _iso_latin1(record: LazyRecord) -> Encoded:
    """As `assemble`, with lengths in bytes of Latin-1, and leader/09 blank: `a` would say UTF-8."""
    record, replaced = in_latin1(record)
    texts = [text.encode("iso8859-1") for text in record.texts]
    lengths = [len(text) + 1 for text in texts]
    base = 25 + 12 * len(texts)
    size = base + sum(lengths) + 1
    if size > MAX_RECORD_BYTES or max(lengths) > MAX_FIELD_BYTES:
        raise LeftOutError(_too_long(record))
    if any(FIELD_END in text or RECORD_END in text for text in record.texts):
        raise LeftOutError("a value holds a separator (U+001D or U+001E)")
    leader = record.leader
    head = f"{size:05d}{leader[5:9]:4} 22{base:05d}{leader[17:20]:3}4500{directory_of(record.tags, lengths)}"
    return b"\x1e".join([head.encode("ascii"), *texts, b"\x1d"]), replaced


def _xml_composed(record: LazyRecord) -> Encoded:
    record, replaced = for_xml(normalised(record, "NFC"))
    return f"{to_xml(record)}\n".encode(), replaced


def _xml_decomposed(record: LazyRecord) -> Encoded:
    record, replaced = for_xml(normalised(record, "NFD"))
    return f"{to_xml(record)}\n".encode(), replaced


def _xml_latin1(record: LazyRecord) -> Encoded:
    """XML can name any character by its number, so nothing is lost."""
    record, replaced = for_xml(normalised(record, "NFC"))
    return f"{to_xml(record)}\n".encode("iso8859-1", "xmlcharrefreplace"), replaced
