"""MARC-8, as far as it is not pymarc's: where it drops something, and whether bytes are MARC-8 or ISO 8859-1.

pymarc decodes; it puts a space for a byte that it has no character for and leaves control characters out, without a
word to the caller. Here each such loss is found, so that it can be told.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

_ESCAPE = re.compile(rb"\x1b(?:[(,)\-][\x21-\x7e]|\$[,)\-]?[\x21-\x7e]|[gbps])")
_EAST_ASIAN = re.compile(rb"\x1b\$[,)\-]?1([^\x1b]*)")
_DROPPED = re.compile(rb"[\x00-\x1a\x1c-\x1e\x80-\x9f]")
_HIGH = re.compile(rb"([\x00-\x7f]?)([\x80-\xff])([\x00-\xff]?)")
_FIRST_COMBINING = 0xE0
_LIGATURE_HALVES = frozenset({0xEB, 0xEC, 0xFA, 0xFB})
"""They join two letters and make no letter that exists."""


class _AskedQuietly:
    """pymarc asks `quiet` only when it has no character for a byte: asking is counted, and answered with yes."""

    def __init__(self) -> None:
        self.times = 0

    def __bool__(self) -> bool:
        self.times += 1
        return True


def marc8_fields(field: bytes) -> tuple[str, str]:
    """A field (with its 0x1F) in MARC-8 as text, and what could not be decoded: empty where all could.

    Escape sequences end with the subfield, as the standard has it.
    """
    first, *chunks = field.split(b"\x1f")
    problems: list[str] = []
    text = _decoded(first, problems)
    for chunk in chunks:
        text += "\x1f" + chunk[:1].decode("latin-1") + _decoded(chunk[1:], problems)
    return text, "; ".join(dict.fromkeys(problems))


def _decoded(value: bytes, problems: list[str]) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    from pymarc.marc8 import MARC8ToUnicode  # only records in MARC-8 pay for the import

    if b"\x1b" in value:
        if len(_ESCAPE.findall(value)) != value.count(b"\x1b"):
            problems.append("an escape sequence is incomplete or unknown")
        if any(len(part.replace(b" ", b"")) % 3 for part in _EAST_ASIAN.findall(value)):
            problems.append("East Asian characters are cut: their bytes do not come in threes")
            return value.decode("latin-1").replace("\x1b", "")
    if dropped := _DROPPED.findall(value):
        problems.append(f"control characters were left out ({_hex(dropped)})")
    if value[-1] >= _FIRST_COMBINING and b"\x1b" not in value:
        problems.append(f"a diacritic without its letter was left out ({_hex([value[-1:]])})")
    converter: Any = MARC8ToUnicode()
    listener = converter.quiet = _AskedQuietly()
    try:
        text = str(converter.translate(value))
    except (IndexError, TypeError):
        problems.append("a multibyte character is incomplete")
        return value.decode("latin-1").replace("\x1b", "")
    if listener.times:
        problems.append("bytes that have no character in MARC-8 became spaces")
    return text


def looks_like_marc8(fields: Iterable[bytes], *, is_expected: bool) -> bool:
    """Whether bytes above 0x7F make better sense as MARC-8 than as ISO 8859-1.

    In MARC-8 a diacritic (0xE0 to 0xFE) stands before its letter, so nearly every pair makes a letter that exists. In
    ISO 8859-1 the same bytes are whole letters, and what follows is any letter or none: many pairs make nothing.
    Points for either reading are added up; a tie, or a small lead, goes to the one that the leader says
    (`is_expected`).
    """
    points = 2 if is_expected else -2
    for field in fields:
        if _ESCAPE.search(field):
            points += 10
        for before, byte, after in _HIGH.findall(field):
            code = byte[0]
            if code >= _FIRST_COMBINING:
                points += _diacritic_points(code, after)
            else:
                points += _sign_points(code, before, after)
    return points >= 0


@lru_cache(maxsize=4096)
def _diacritic_points(code: int, after: bytes) -> int:
    """0xE0 to 0xFE and the byte after it: above 0 for MARC-8, below for ISO 8859-1."""
    known = _codes().get(code)
    if known is None:
        return -3
    if not after.isalpha():
        return 0 if after and after[0] >= _FIRST_COMBINING else -2
    if code in _LIGATURE_HALVES:
        return 0
    composed = unicodedata.normalize("NFC", after.decode("ascii") + chr(known[0]))
    if len(composed) > 1:
        return -2
    return 2 if after.lower() in b"aeiouy" else 1


@lru_cache(maxsize=4096)
def _sign_points(code: int, before: bytes, after: bytes) -> int:
    """0x80 to 0xDF between its neighbours: letters and signs of their own in MARC-8, signs and capitals in 8859-1."""
    known = _codes().get(code)
    if known is None or code < 0xA0:
        return -3
    is_inside = before.isalpha() and after.isalpha()
    if code < 0xC0:
        return 2 if is_inside else (-1 if before.isdigit() else 0)
    return -2 if is_inside else (0 if after.isalpha() else 1)


@lru_cache(maxsize=1)
def _codes() -> dict[int, tuple[int, int]]:
    """ANSEL: byte to (code point, whether it combines)."""
    from pymarc import marc8_mapping

    return dict(marc8_mapping.CODESETS[0x45])


def _hex(values: Iterable[bytes]) -> str:
    return ", ".join(dict.fromkeys(f"0x{each.hex().upper()}" for each in values))
