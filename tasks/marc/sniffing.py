"""What a delivery is, told from its first bytes: ISO2709, MARCXML, or something else that is named in the refusal."""

from __future__ import annotations

import re
from typing import Literal

from schemas.errors import DeliveryRejectedError
from tasks.marc.iso2709 import BETWEEN_RECORDS, UTF8_BOM

Format = Literal["iso2709", "marcxml"]

HEAD_BYTES = 64 * 1024
"""Enough to find the first record element behind a long comment or an OAI-PMH envelope."""

_REMEDY = "send the records as MARCXML in UTF-8, or as ISO2709"
_LEADER = re.compile(rb"[0-9 ]{5}[\x20-\x7e]{5}[0-9 ]{7}[\x20-\x7e]{7}")
_XML_RECORD = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?(?:record|collection)[\s/>]")
_ROOT = re.compile(rb"<([A-Za-z_][\w.:-]*)")
_BINARY = (
    (b"PK\x03\x04", "a zip file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"7z\xbc\xaf", "a 7-Zip file"),
    (b"Rar!", "a RAR file"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
)


def format_of(head: bytes, *, file: str | None = None) -> Format:
    """The format of a delivery that begins with `head` (up to `HEAD_BYTES`).

    Raises `DeliveryRejectedError` that says what it looks like where it is neither.
    """
    for sign, name in _BINARY:
        if head.startswith(sign):
            raise DeliveryRejectedError(f"{name}, not MARC", file=file, remedy=_REMEDY)
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")):
        head = head.decode("utf-16-be" if head[:1] in (b"\xfe", b"\x00") else "utf-16-le", "replace").encode()
        head = head.removeprefix(UTF8_BOM)
    text = head.removeprefix(UTF8_BOM).lstrip(BETWEEN_RECORDS)
    if not text:
        raise DeliveryRejectedError("the file is empty", file=file, remedy="send it again with its records")
    if text[:1] == b"<":
        if _XML_RECORD.search(text) and not _is_html(text):
            return "marcxml"
    elif _LEADER.match(text) or b"\x1e" in text or b"\x1d" in text:
        return "iso2709"
    raise DeliveryRejectedError(f"{_name_of(text)}, not MARC", file=file, remedy=_REMEDY)


def _is_html(text: bytes) -> bool:
    return re.match(rb"(?i)(?:<\?xml[^>]*\?>\s*)?(?:<!doctype\s+html|<html[\s>])", text) is not None


def _name_of(text: bytes) -> str:
    shown = f"starts `{text[:40].split(b'>')[0].splitlines()[0].decode('latin-1')}`"
    if text[:1] == b"<":
        if _is_html(text) or re.match(rb"(?i)<(?:head|body|title|script)\b", text):
            return f"an HTML page ({shown})"
        root = _ROOT.search(text)
        return f"XML without MARC records (root element <{root.group(1).decode('ascii')}>)" if root else "broken XML"
    if text[:1] in b"{[":
        return f"JSON ({shown})"
    if text.startswith(b"=LDR") or text.startswith(b"=00"):
        return "MarcEdit's mnemonic text (mrk)"
    if b"\x00" in text[:1024]:
        return "a binary file of an unknown kind"
    return f"a text file ({shown})"
