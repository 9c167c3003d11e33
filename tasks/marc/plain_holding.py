"""The short way for holdings: more than half of a delivery is holding records, tiny, faultless and nearly alike.

What belongs here is telling that a holding record is one of those, and its facts without making a record of it. Every
other one gets None, and takes the general way (`staging`): what is decided here must be what is decided there, which
tests/unit/test_marc_plain_holding.py holds together.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from schemas.marc import HoldingFacts, HoldingLine
from tasks.marc.charset import decode_body
from tasks.marc.holdings import LINE_TAGS, SIGEL_MISSING, holding_line
from tasks.marc.iso2709 import FIELD_END, directory_of
from tasks.marc.records import field_of, first_value
from tasks.marc.repairs import has_control_characters, needs_repair
from tasks.marc.rules import ReadingRules

MAX_BYTES = 1_000
"""What is remembered of holdings must not fill the memory; most have 200 bytes."""
_new = tuple.__new__


class PlainHolding(NamedTuple):
    """Facts of a holding record whose bytes can be kept as they are; `link` is its 004."""

    facts: HoldingFacts
    link: str


class _Layout(NamedTuple):
    """What leader and directory say; places count fields from 0, -1 where there is none."""

    leader: str
    tags: list[str]
    size: int
    lengths: list[int]
    """Of the fields, without their terminators."""
    number: int
    link: int
    lines: tuple[tuple[int, str], ...]


def plain_holding(content: bytes, rules: ReadingRules) -> PlainHolding | None:
    """The holding in a piece that has no fault and nothing to put right, or None."""
    head_end = content.find(FIELD_END)
    layout = _layout(content[:head_end]) if head_end > 24 and len(content) <= MAX_BYTES else None
    if layout is None or layout.size != len(content) or content[-2:] != b"\x1e\x1d":
        return None
    body = content[head_end + 1 : -2]
    if list(map(len, body.split(FIELD_END))) != layout.lengths:
        return None
    texts, charset, findings = decode_body(layout.leader, layout.tags, body, rules.charset)
    if findings or charset != "utf-8" or has_control_characters(body) or needs_repair(layout.tags, texts, body):
        return None
    return _facts(layout, texts, rules)


def _facts(layout: _Layout, texts: list[str], rules: ReadingRules) -> PlainHolding:
    sigel = ""
    lines = []
    for place, tag in layout.lines:
        line, own_sigel = _line(tag, texts[place], rules.origin_note, rules.takes_owner)
        sigel = sigel or own_sigel
        lines.append(line)
    number = texts[layout.number].strip() if layout.number >= 0 else ""
    link = texts[layout.link].strip() if layout.link >= 0 else ""
    fault = "" if sigel else SIGEL_MISSING
    facts = _new(HoldingFacts, (0, sigel, layout.leader[5] == "d", number, tuple(lines), fault))
    return _new(PlainHolding, (facts, link))


@lru_cache(maxsize=4096)
def _layout(head: bytes) -> _Layout | None:
    """Leader and directory, where they are as `encode` writes them.

    The holdings of a supplier share a few hundred of them, so that looking at one closely costs little.
    """
    directory = head[24:]
    try:
        text = directory.decode("ascii")
        size, base = int(head[:5]), int(head[12:17])
        leader = head[:24].decode("ascii")
        lengths = [int(text[place + 3 : place + 7]) for place in range(0, len(text), 12)]
    except ValueError:
        return None
    tags = [text[place : place + 3] for place in range(0, len(text), 12)]
    if base != len(head) + 1 or size != base + sum(lengths) + 1 or directory_of(tags, lengths) != text:
        return None
    if leader[9:12] != "a22" or leader[20:] != "4500":
        return None
    lines = tuple([(place, tag) for place, tag in enumerate(tags) if tag in LINE_TAGS])
    number, link = (tags.index(tag) if tag in tags else -1 for tag in ("001", "004"))
    return _Layout(leader, tags, size, [each - 1 for each in lengths], number, link, lines)


@lru_cache(maxsize=4096)
def _line(tag: str, text: str, origin_note: str, takes_owner: bool) -> tuple[HoldingLine, str]:
    """A line, and the sigel in it: a library's titles stand on few shelves, so most lines have been seen before."""
    return holding_line(field_of(tag, text), origin_note, takes_owner), first_value(text, "b") if tag == "852" else ""
