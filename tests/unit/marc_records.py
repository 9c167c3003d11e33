"""Records for the tests of tasks/marc, written by hand so that they do not depend on what is under test."""

from __future__ import annotations

import io
from xml.sax.saxutils import escape, quoteattr

from schemas.marc import StagedPiece
from tasks.marc.reading import ReadingRules, read_delivery

BIB_LEADER = "00000nam a22000007a 4500"
HOLDING_LEADER = "00000nx  a2200000zn 4500"
US = "\x1f"

Fields = list[tuple[str, str]]
"""Tag and field text; `$` stands for the subfield mark."""


def iso(leader: str, fields: Fields, encoding: str = "utf-8") -> bytes:
    """One ISO2709 record; lengths are filled in, the rest of the leader stays as it is given."""
    directory = b""
    body = b""
    for tag, text in fields:
        content = text.replace("$", US).encode(encoding) + b"\x1e"
        directory += b"%s%04d%05d" % (tag.encode(), len(content), len(body))
        body += content
    base = 25 + len(directory)
    size = base + len(body) + 1
    head = f"{min(size, 99_999):05d}{leader[5:12]}{base:05d}{leader[17:]}".encode("latin-1")
    return head + directory + b"\x1e" + body + b"\x1d"


def xml(leader: str, fields: Fields, prefix: str = "") -> str:
    """One MARCXML record element, as programs write it."""
    lines = [f"<{prefix}record>", f"  <{prefix}leader>{leader}</{prefix}leader>"]
    for tag, text in fields:
        if "$" not in text:
            lines.append(f'  <{prefix}controlfield tag="{tag}">{escape(text)}</{prefix}controlfield>')
            continue
        indicators, *chunks = text.split("$")
        lines.append(
            f'  <{prefix}datafield tag="{tag}" ind1={quoteattr(indicators[0])} ind2={quoteattr(indicators[1])}>'
        )
        for chunk in chunks:
            value = escape(chunk[1:])
            lines.append(f'    <{prefix}subfield code="{chunk[0]}">{value}</{prefix}subfield>')
        lines.append(f"  </{prefix}datafield>")
    lines.append(f"</{prefix}record>")
    return "\n".join(lines)


def document(*records: str, prefix: str = "", encoding: str = "UTF-8", declare: bool = True) -> bytes:
    """A MARCXML document around record elements."""
    name = f":{prefix.rstrip(':')}" if prefix else ""
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n' if declare else ""
    body = "\n".join(records)
    text = f'{head}<{prefix}collection xmlns{name}="http://www.loc.gov/MARC21/slim">\n{body}\n</{prefix}collection>\n'
    return text.encode(encoding)


def bib_fields(number: int = 1, title: str = "Havet om natten", isbn: str = "9789100123451") -> Fields:
    """A small bib of a fictional supplier."""
    return [
        ("001", f"bok{number:06d}"),
        ("003", "NORDBOK"),
        ("008", "240102s2023    sw ||||||||||||000 ||swe| "),
        ("020", f"  $a{isbn}$qinbunden"),
        ("100", "1 $aVinterdal, Asta,$d1961-"),
        ("245", f"10$a{title} :$broman /$cAsta Vinterdal"),
        ("264", " 1$aStockholm :$bNordlyset,$c2023"),
        ("300", "  $a212 sidor ;$c22 cm"),
    ]


def bib(number: int = 1, leader: str = BIB_LEADER, **changes: str) -> bytes:
    """`bib_fields` as ISO2709."""
    return iso(leader, bib_fields(number, **changes))


def holding_fields(sigel: str = "Abc", shelf_mark: str = "Hc Vin") -> Fields:
    """A small holding."""
    return [("001", "bes000001"), ("852", f"8 $b{sigel}$h{shelf_mark}$zNy bok$xkontrollera")]


def holding(sigel: str = "Abc", leader: str = HOLDING_LEADER) -> bytes:
    """`holding_fields` as ISO2709."""
    return iso(leader, holding_fields(sigel))


def read(content: bytes, rules: ReadingRules | None = None, **more: int) -> list[StagedPiece]:
    """All pieces of a delivery."""
    return list(read_delivery(io.BytesIO(content), rules=rules or ReadingRules(), **more))


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a socket may."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content = io.BytesIO(content)
        self._size = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._content.read(self._size)
