"""One piece at a time: read the record in it, normalise it, take its facts.

What belongs here is the order of these steps, and what a piece needs to know of those before it: which bib precedes a
holding, and whether that is certain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.marc import Finding, HoldingFacts, StagedPiece
from tasks.marc.charset import check_texts, decode_body, decode_document
from tasks.marc.encode import assemble
from tasks.marc.facts import HOLDING_TYPES, bib_facts
from tasks.marc.holdings import embedded_holdings, holding_facts
from tasks.marc.iso2709 import Piece, slice_regular
from tasks.marc.marcxml_record import record_from_xml
from tasks.marc.plain_holding import plain_holding
from tasks.marc.records import LazyRecord, UnreadableError, UnwritableError
from tasks.marc.recovery import careful_slices
from tasks.marc.repairs import has_control_characters, joined, needs_repair, repaired
from tasks.marc.rules import ReadingRules
from tasks.marc.stock import bib_of_stock, stock_of_bib, stock_of_holding, without_bare

KNOWN_LEVELS = frozenset(" 12345678" + "4eijklmuz" + "fghn")
"""leader/17 in MARC 21 and its national forms; any other code is told to the supplier."""

_LEADER_IN_XML = re.compile(rb"leader\s*>.{6}([a-z])", re.DOTALL)
NO_BIB = "no bib precedes it"
_DOUBT = "the piece before it (position {}) cannot be read and may be its bib"
_DOUBTFUL_POSITION = re.compile(re.escape(_DOUBT).replace(r"\{\}", "([0-9]+)"))
_HOLDING_TYPES = frozenset(kind.encode() for kind in HOLDING_TYPES)
_new = tuple.__new__
"""Makes a named tuple in half the time."""


class ReadRecord(NamedTuple):
    """A record and how it was read; `is_clean`: its bytes are what `encode` would write."""

    record: LazyRecord
    charset: str
    findings: list[Finding]
    is_clean: bool


class Before(NamedTuple):
    """What the pieces before a piece say about a holding: the bib it belongs to, and whether that is certain."""

    bib_number: str | None = None
    """001 of the last bib; None where there was none."""
    doubtful_position: int | None = None
    """Of a piece behind that bib which cannot be read and may be a bib."""

    def moved(self, by: int) -> Before:
        """The same where every position is higher by so many."""
        return self if self.doubtful_position is None else self._replace(doubtful_position=self.doubtful_position + by)


NOTHING_BEFORE = Before()


class Stager:
    """Stages the pieces of one member of a delivery, in order.

    A holding belongs to the bib before it. Where the piece between them could not be read and may have been its bib,
    the holding is not given to the wrong one: it keeps a `reject_reason`, unless its 004 names the bib it follows.
    """

    def __init__(
        self,
        rules: ReadingRules,
        member_no: int,
        first_position: int,
        *,
        encoding: str = "",
        before: Before = NOTHING_BEFORE,
    ) -> None:
        self._rules = rules
        self._normaliser = rules.normaliser
        self._rewriting = rules.rewriting
        self._takes_short_way = not encoding and self._rewriting is None
        self._member_no = member_no
        self._position = first_position
        self._encoding = encoding
        self._bib_number, self._doubtful_position = before

    @property
    def before(self) -> Before:
        """What the pieces so far say about the next one."""
        return Before(self._bib_number, self._doubtful_position)

    def stage(self, piece: Piece) -> StagedPiece:
        """The next piece, read, normalised, with its facts; an unreadable one with its reason."""
        try:
            if self._takes_short_way and piece.content[6:7] in _HOLDING_TYPES and not piece.defect:
                plain = plain_holding(piece.content, self._rules)
                if plain is not None:
                    staged = self._placed(piece, self._restocked(plain.facts), plain.link, "utf-8", (), None)
                    self._position += 1
                    return staged
            read = self._rewritten(self._read(piece))
            kind = read.record.leader[6]
            staged = self._holding(piece, read) if kind in HOLDING_TYPES else self._bib(piece, read)
        except (UnreadableError, UnwritableError) as error:
            if _may_be_bib(piece.content):
                self._doubtful_position = self._position
            staged = self._unreadable(piece, str(error))
        self._position += 1
        return staged

    def staged(self, pieces: Iterable[Piece]) -> Iterator[StagedPiece]:
        """These pieces, the next ones, staged."""
        staged = map(self.stage, pieces)
        return staged if self._rules.stock is None else without_bare(staged)

    def stage_alone(self, piece: Piece, reject_reason: str = "") -> StagedPiece:
        """A piece without its neighbours: what they would say about a holding is `reject_reason`."""
        self._bib_number = ""
        staged = self.stage(piece)
        if reject_reason and staged.record_type == "holding":
            (holding,) = staged.holdings
            return staged._replace(holdings=(holding._replace(reject_reason=reject_reason),))
        return staged

    def _read(self, piece: Piece) -> ReadRecord:
        if piece.defect:
            raise UnreadableError(piece.defect)
        return _read_xml(piece.content, self._encoding) if self._encoding else read_iso(piece.content, self._rules)

    def _rewritten(self, read: ReadRecord) -> ReadRecord:
        """The record as MARC 21 has it, where an import's profile says how."""
        if self._rewriting is None:
            return read
        is_holding = read.record.leader[6] in HOLDING_TYPES
        record, is_changed, told = (self._rewriting.holding if is_holding else self._rewriting.bib)(read.record)
        return read._replace(record=record, findings=read.findings + told, is_clean=read.is_clean and not is_changed)

    def _bib(self, piece: Piece, read: ReadRecord) -> StagedPiece:
        record, findings = read.record, read.findings
        rules = self._rules
        number = (record.control("001") or "").strip()
        holdings = (
            embedded_holdings(record, origin_note=rules.origin_note, takes_owner=rules.takes_owner)
            if rules.stock is None
            else stock_of_bib(record, rules.stock)
        )
        after, is_changed, told = self._normaliser(record)
        if not after.tags:
            after, is_changed = record, False  # nothing but what the rules drop: it is rejected in any case
        facts = bib_facts(after, own_prefix=rules.normalisation.own_prefix, control_number=number)
        if rules.stock is not None:
            facts = bib_of_stock(record, facts)
        if facts.encoding_level not in KNOWN_LEVELS:
            told.append(Finding("leader_level_unknown", f"leader/17 is {facts.encoding_level!r}", "LDR"))
        if told:
            findings = findings + told
        self._bib_number, self._doubtful_position = number, None
        normalised = None if read.is_clean and not is_changed else assemble(after)
        staged = (
            self._position, self._member_no, piece.byte_offset, piece.content, "bib", read.charset, tuple(findings),
            "", normalised, facts, holdings,
        )  # fmt: skip
        return _new(StagedPiece, staged)

    def _holding(self, piece: Piece, read: ReadRecord) -> StagedPiece:
        record, rules = read.record, self._rules
        facts = self._restocked(holding_facts(record, origin_note=rules.origin_note, takes_owner=rules.takes_owner))
        link = (record.control("004") or "").strip()
        normalised = None if read.is_clean else assemble(record)
        return self._placed(piece, facts, link, read.charset, tuple(read.findings), normalised)

    def _restocked(self, facts: HoldingFacts) -> HoldingFacts:
        return facts if self._rules.stock is None else stock_of_holding(facts, self._rules.stock)

    def _placed(
        self,
        piece: Piece,
        facts: HoldingFacts,
        link: str,
        charset: str,
        findings: tuple[Finding, ...],
        normalised: bytes | None,
    ) -> StagedPiece:
        """A holding with what the pieces before it say about it."""
        if reason := self._placing_fault(link):
            facts = facts._replace(reject_reason=reason)
        elif link and self._bib_number and link != self._bib_number:
            text = f"004 names the bib {link!r}, the bib before it has 001 {self._bib_number!r}; the order decides"
            findings = (*findings, Finding("link_differs", text, "004"))
        staged = (
            self._position, self._member_no, piece.byte_offset, piece.content, "holding", charset, findings, "",
            normalised, None, (facts,),
        )  # fmt: skip
        return _new(StagedPiece, staged)

    def _placing_fault(self, link: str) -> str:
        """Why it is not known which bib a holding belongs to; empty where it is."""
        if self._doubtful_position is not None and not (link and link == self._bib_number):
            return _DOUBT.format(self._doubtful_position)
        return NO_BIB if self._bib_number is None else ""

    def _unreadable(self, piece: Piece, reason: str) -> StagedPiece:
        return StagedPiece(
            self._position, self._member_no, piece.byte_offset, piece.content, "unreadable", "", (), reason, None, None,
            (),
        )  # fmt: skip


def moved_reason(reason: str | None, by: int) -> str | None:
    """A holding's `reject_reason` where every position is higher by so many: it may name one."""
    found = _DOUBTFUL_POSITION.fullmatch(reason or "")
    return _DOUBT.format(int(found[1]) + by) if found else reason


def read_iso(content: bytes, rules: ReadingRules) -> ReadRecord:
    """A record from ISO2709, whatever its faults. Raises `UnreadableError` with the reason."""
    slices = slice_regular(content)
    is_clean = slices is not None
    findings: list[Finding] = []
    if slices is None:
        slices, findings = careful_slices(content)
    leader, tags, body = slices
    texts, charset, told = decode_body(leader, tags, body, rules.charset)
    if told:
        findings += told
        is_clean = False
    if charset != "utf-8" or leader[9] != "a" or leader[10:12] != "22" or leader[20:] != "4500":
        is_clean = False
    if has_control_characters(body) or needs_repair(tags, texts, body):
        texts, told = repaired(tags, texts, rules.divided)
        findings += told
        is_clean = False
    return ReadRecord(LazyRecord(leader, tags, texts), charset, findings, is_clean)


def _read_xml(content: bytes, encoding: str) -> ReadRecord:
    text, charset, findings = decode_document(content, encoding)
    record, told = record_from_xml(text)
    findings += told
    body = joined(record.texts)
    findings += check_texts(record.tags, record.texts, body)
    if has_control_characters(body.encode()):
        texts, told = repaired(record.tags, record.texts)
        findings += told
        record = LazyRecord(record.leader, record.tags, texts)
    return ReadRecord(record, charset, findings, is_clean=False)


def _may_be_bib(content: bytes) -> bool:
    """Whether an unreadable piece may be a bib: not where its leader, as far as it goes, says holding."""
    if content[:5].isdigit():
        kind = content[6:7]
    else:
        found = _LEADER_IN_XML.search(content)
        kind = found.group(1) if found else b""
    return not kind or kind not in b"uvxy"
