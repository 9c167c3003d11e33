"""The stock of joining libraries: whose row it is, and what its holding says, from whatever the local system writes.

A local system names branches, not sigels, and keeps shelf marks where it likes. What belongs here is the way from that
to holdings with our sigels; a table's rows (table_rows.py) come the same way, with their cells as fields of a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import orjson

from schemas.errors import UsageError
from schemas.marc import BibFacts, Field, HoldingFacts, HoldingLine, StagedPiece
from tasks.marc.holdings import holding_line
from tasks.marc.records import LazyRecord

TABLE_MEANINGS = ("isbn", "title", "author", "year", "shelf_mark", "local_id", "library", "control_number")
"""What a column of a table can say. `control_number` is the union catalogue's own number."""
RECORD_MEANINGS = ("shelf_mark", "library")
"""What a MARC file may say elsewhere than in 852."""
DELETED = "the library's own system has deleted the record (leader/05 = d)"
_PLACE = re.compile(r"([0-9A-Za-z]{3})\$?([!-~])")
_SEVERAL = re.compile(r"[;|,]")
_SHELF_MARK_CODE = "j"
_FIRST_B = re.compile(r'\["b",("(?:[^"\\]|\\.)*")\]')
"""In the content of a line."""
_new = tuple.__new__
"""Makes a named tuple in half the time."""
_BARE = re.compile(r'\["  ",\[\["b","[^"]*"\]\]\]')


@dataclass(frozen=True)
class StockRules:
    """How a file of joining libraries is read."""

    libraries: tuple[tuple[str, str], ...]
    """(sigel, what the file calls the library), at least one."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Meaning: name of a table's column, or `tag$code` of a record."""

    @cached_property
    def sole(self) -> str:
        """The sigel that every row is of where one library joins and nobody said where its rows are named."""
        return self.libraries[0][0] if len(self.libraries) == 1 and "library" not in self.columns else ""

    @cached_property
    def _sigels(self) -> dict[str, str]:
        called = {name.casefold(): sigel for sigel, name in self.libraries}
        return {sigel.casefold(): sigel for sigel, _name in self.libraries} | called

    @cached_property
    def places(self) -> dict[str, tuple[str, str]]:
        """(tag, code) by meaning, for MARC. Raises `UsageError` for what is no `tag$code`."""
        found = {}
        for meaning, text in self.columns.items():
            place = _PLACE.fullmatch(text.strip())
            if place is None or meaning not in RECORD_MEANINGS:
                known = ", ".join(f"{each}=852$j" for each in RECORD_MEANINGS)
                raise UsageError(
                    f"{meaning}={text} says nothing about a MARC file",
                    field="--columns",
                    remedy=f"what can be said of MARC: {known}",
                )
            found[meaning] = (place[1], place[2])
        return found

    def sigel_of(self, called: str) -> str:
        """The sigel of the library that the file calls so; empty where it is none of those that join."""
        return self.sole or self._sigels.get(called.strip().casefold(), "")

    def stranger(self, called: str) -> str:
        """Why a holding of a library that does not join is not taken."""
        if not called.strip():
            return "it does not say which of the joining libraries has it"
        return f"{called.strip()!r} is none of the libraries that join"


def stock_of_bib(record: LazyRecord, rules: StockRules) -> tuple[HoldingFacts, ...]:
    """The holdings that a bib of a local system carries, one a library, in order of first appearance.

    Read from 852, or from where `rules.places` says. The stock of one library needs no word of whose it is, and no
    field at all. Of several libraries a record that names none of them has a holding with the reason.
    """
    tag, code = rules.places.get("library", ("852", "b"))
    mark = rules.places.get("shelf_mark")
    if mark is not None and "library" not in rules.places:
        tag = mark[0]
    if rules.sole and mark is None and "852" not in record.tags:
        number = (record.control("001") or "").strip()
        reason = DELETED if record.leader[5] == "d" else ""
        return (_new(HoldingFacts, (1, rules.sole, False, number, (_made(rules.sole, ""),), reason)),)
    lines: dict[str, list[HoldingLine]] = {}
    strangers: dict[str, None] = {}
    shared_mark = _first(record, mark) if mark is not None and mark[0] != tag else ""
    for each in record.fields(tag):
        called = (each.first(code) or "").strip()
        for one in _SEVERAL.split(called) if tag != "852" else [called]:
            sigel = rules.sigel_of(one)
            if not sigel:
                strangers[one] = None
                continue
            shelf_mark = (each.first(mark[1]) or "").strip() if mark is not None and mark[0] == tag else shared_mark
            line = _of_852(each, sigel, called) if tag == "852" and mark is None else _made(sigel, shelf_mark)
            if line not in lines.setdefault(sigel, []):
                lines[sigel].append(line)
    if not lines and not strangers:
        if rules.sole:
            lines[rules.sole] = [_made(rules.sole, shared_mark)]
        else:
            strangers[""] = None
    reason = DELETED if record.leader[5] == "d" else ""
    number = (record.control("001") or "").strip()
    return _facts(number, reason, lines, [rules.stranger(each) for each in strangers])


def stock_of_holding(facts: HoldingFacts, rules: StockRules) -> HoldingFacts:
    """A holding record of a local system, its sigel in place of the branch."""
    sigel = rules.sigel_of(facts.sigel)
    if facts.is_delete or not sigel:
        reason = DELETED if facts.is_delete else rules.stranger(facts.sigel)
        return facts._replace(sigel=sigel, is_delete=False, lines=(), reject_reason=reason)
    lines = [(_moved_before if len(each.content) <= _SHORT else _moved)(each, sigel) for each in facts.lines]
    return _new(HoldingFacts, (facts.part, sigel, False, facts.control_number, tuple(lines), ""))


def _moved(line: HoldingLine, sigel: str) -> HoldingLine:
    """A line as it was read, with our sigel in 852 $b; what stood there becomes $c."""
    if line.tag != "852":
        return line
    found = _FIRST_B.search(line.content)
    ours = orjson.dumps(["b", sigel]).decode()
    if found is None:
        start = line.content.index("[", 1) + 1
        more = "," if line.content[start] == "[" else ""
        return line._replace(content=f"{line.content[:start]}{ours}{more}{line.content[start:]}")
    place = f',["c",{found[1]}]' if found[0] != ours else ""
    return line._replace(content=f"{line.content[: found.start()]}{ours}{place}{line.content[found.end() :]}")


_moved_before = lru_cache(maxsize=4096)(_moved)
"""A library's titles stand on few shelves: most lines have been seen before."""
_SHORT = 1_000
"""Characters of a line that is remembered: what is remembered must not fill the memory."""


def without_bare(pieces: Iterable[StagedPiece]) -> Iterator[StagedPiece]:
    """The pieces, where a holding record follows its bib without the holding that the bib has for want of a word."""
    before: StagedPiece | None = None
    for each in pieces:
        if before is not None:
            if before.record_type == "bib" and each.record_type == "holding" and len(before.holdings) == 1:
                (only,) = before.holdings
                if len(only.lines) == 1 and is_bare(only.lines[0]):
                    before = before._replace(holdings=())
            yield before
        before = each
    if before is not None:
        yield before


def is_bare(line: HoldingLine) -> bool:
    """Whether a line is 852 with its $b alone, as what names no place makes it."""
    return _BARE.fullmatch(line.content) is not None


def bib_of_stock(record: LazyRecord, facts: BibFacts) -> BibFacts:
    """Facts of a bib of a local system: what it has deleted is nobody's stock."""
    return facts._replace(reject_reason=DELETED) if record.leader[5] == "d" else facts


def stock_of_cells(called: str, shelf_mark: str, number: str, rules: StockRules) -> tuple[HoldingFacts, ...]:
    """The holdings of a table's row: its libraries as the file calls them, and one shelf mark."""
    lines: dict[str, list[HoldingLine]] = {}
    strangers: dict[str, None] = {}
    for each in _SEVERAL.split(called):
        sigel = rules.sigel_of(each)
        if sigel:
            lines[sigel] = [_made(sigel, shelf_mark)]
        else:
            strangers[each] = None
    return _facts(number, "", lines, [rules.stranger(each) for each in strangers])


def _facts(
    number: str, reason: str, lines: Mapping[str, list[HoldingLine]], strange: Iterable[str]
) -> tuple[HoldingFacts, ...]:
    found = [(sigel, tuple(some), reason) for sigel, some in lines.items()]
    found += [("", (), each) for each in strange]
    return tuple(
        HoldingFacts(part, sigel, False, number, some, why) for part, (sigel, some, why) in enumerate(found, 1)
    )


def _of_852(each: Field, sigel: str, called: str) -> HoldingLine:
    return holding_line(_with_sigel(each, sigel, called))


def _with_sigel(each: Field, sigel: str, called: str | None = None) -> Field:
    """852 with our sigel as its first $b; what the local system had there stays as a place in the library ($c)."""
    if each.tag != "852":
        return each
    called = (each.first("b") or "").strip() if called is None else called
    rest = [pair for pair in each.subfields if pair != ("b", called) and not (pair[0] == "b" and not called)]
    place = [("c", called)] if called and called != sigel else []
    return each._replace(subfields=(("b", sigel), *place, *rest))


@lru_cache(maxsize=4096)
def _made(sigel: str, shelf_mark: str) -> HoldingLine:
    """The same shelf marks stand in many rows."""
    subfields = [("b", sigel)] + ([(_SHELF_MARK_CODE, shelf_mark)] if shelf_mark else [])
    return holding_line(Field("852", "  ", tuple(subfields)))


def _first(record: LazyRecord, place: tuple[str, str]) -> str:
    values = (each.first(place[1]) for each in record.fields(place[0]))
    return next((value.strip() for value in values if value and value.strip()), "")
