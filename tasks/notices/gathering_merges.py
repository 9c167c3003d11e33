"""From the warehouse to what libraries are told of merges and splits: which of their holdings stand where now.

Read inside the transaction that merged or split. A library hears of holdings that moved or were joined; one whose
holding stood under the record that stays, and still does, hears nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.marc import HoldingLine
from schemas.register.register import Register
from schemas.warehouse.core import core_bib, core_bib_isbn, core_holding
from schemas.warehouse.merging import core_bib_merge, core_bib_merge_part
from tasks.catalogue.holding_store import lines_of
from tasks.catalogue.merging import images_of, line_key
from tasks.catalogue.splitting import Split
from tasks.notices.merged_titles import JoinedMarks, MergedTitle, MergeEffect, MergeNews, NamedBib
from tasks.notices.telling import key_of
from tasks.warehouse.bulk import id_set

_LEFT_AS_IT_IS = ("given_up", "moved_on", "double_gone", "came_since")
"""Rules of holdings that a split did not put back, or of which nobody can say where they belong."""


_Lines = Mapping[int, Sequence[HoldingLine]]
"""Lines of holdings, by holding."""


def merge_news(connection: Connection, register: Register, merges: Collection[int], on: date) -> list[MergeNews]:
    """One for each library of the register that these merges moved or joined a holding of; ordered by sigel."""
    rows = _merges(connection, merges)
    if not rows:
        return []
    found: dict[str, list[MergedTitle]] = defaultdict(list)
    bibs, parts = _Bibs(connection, rows), _parts(connection, merges)
    lines = lines_of(connection, [each.entity_id for some in parts.values() for each in some])
    for row in rows:
        for sigel, title in _merged_titles(connection, row, parts[row.merge_id], lines, bibs):
            found[sigel].append(title)
    first = rows[0]
    key = _key(rows, "version_made")
    return _by_library(register, found, MergeNews(on, first.by, first.rule, first.reason.strip(), key))


def split_news(
    connection: Connection, register: Register, splits: Sequence[Split], on: date, *, is_undone: bool
) -> list[MergeNews]:
    """One for each library of the register that the splits of a run concern; `is_undone` of `samkat revert`."""
    rows = _merges(connection, [each.merge_id for each in splits])
    if not rows:
        return []
    splits_by_id = {each.merge_id: each for each in splits}
    found: dict[str, list[MergedTitle]] = defaultdict(list)
    bibs, parts = _Bibs(connection, rows), _parts(connection, list(splits_by_id))
    came = [each.holding_id for split in splits for each in split.changed]
    lines = lines_of(connection, {*came, *(each.entity_id for some in parts.values() for each in some)})
    for row in rows:
        for sigel, title in _split_titles(row, splits_by_id[row.merge_id], parts[row.merge_id], lines, bibs):
            found[sigel].append(title)
    rule = "reverted" if is_undone else "split"
    by, reason, key = rows[0].split_by, rows[0].split_reason.strip(), _key(rows, "split_version")
    return _by_library(register, found, MergeNews(on, by, rule, reason, key, is_split=True))


def _merges(connection: Connection, merges: Collection[int]) -> Sequence[sa.Row[Any]]:
    """Merges with the version of the merged bib that the merge made, and the one that the split made."""
    wanted, part = id_set(connection, merges), core_bib_merge_part
    is_of_bib = sa.and_(part.c.merge_id == core_bib_merge.c.merge_id, part.c.entity == "bib")
    return connection.execute(
        sa.select(core_bib_merge, part.c.version_made, part.c.split_version)
        .join(wanted, wanted.c.value == core_bib_merge.c.merge_id)
        .join(part, is_of_bib)
        .order_by(core_bib_merge.c.merge_id)
    ).all()


class _Bibs:
    """The bibs of some merges as people know them; a merged one leads to the bib that has its place now."""

    def __init__(self, connection: Connection, rows: Iterable[sa.Row[Any]]) -> None:
        ids = {bib_id for row in rows for bib_id in (row.survivor_id, row.merged_id)}
        wanted, bib, isbn = id_set(connection, ids), core_bib.c, core_bib_isbn.c
        into = sa.select(bib.merged_into).join(wanted, wanted.c.value == bib.bib_id).where(bib.merged_into.is_not(None))
        ids |= set(connection.execute(into).scalars())
        wanted = id_set(connection, ids)
        numbers = connection.execute(
            sa.select(isbn.bib_id, isbn.isbn13)
            .join(wanted, wanted.c.value == isbn.bib_id)
            .where(isbn.isbn13.is_not(None))
            .order_by(isbn.bib_id, isbn.subfield, isbn.seq)
        )
        first: dict[int, str] = {}
        for bib_id, isbn13 in numbers:
            first.setdefault(bib_id, isbn13)
        found = connection.execute(
            sa.select(bib.bib_id, bib.control_number, bib.title, bib.author, bib.merged_into).join(
                wanted, wanted.c.value == bib.bib_id
            )
        ).all()
        self.named = {
            row.bib_id: NamedBib(row.control_number, row.title, row.author, first.get(row.bib_id, "")) for row in found
        }
        self._into = {row.bib_id: row.merged_into for row in found if row.merged_into is not None}

    def now(self, bib_id: int) -> NamedBib:
        """The bib, or the one that it is part of."""
        return self.named[self._into.get(bib_id, bib_id)]


def _parts(connection: Connection, merges: Collection[int]) -> Mapping[int, Sequence[sa.Row[Any]]]:
    """The holdings that each merge changed, with their library."""
    wanted, part = id_set(connection, merges), core_bib_merge_part.c
    rows = connection.execute(
        sa.select(core_bib_merge_part, core_holding.c.sigel)
        .join(wanted, wanted.c.value == part.merge_id)
        .join(core_holding, core_holding.c.holding_id == part.entity_id)
        .where(part.entity == "holding")
        .order_by(core_holding.c.sigel, part.entity_id)
    )
    found: dict[int, list[sa.Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.merge_id].append(row)
    return found


def _merged_titles(
    connection: Connection, merge: sa.Row[Any], parts: Sequence[sa.Row[Any]], lines: _Lines, bibs: _Bibs
) -> list[tuple[str, MergedTitle]]:
    """Sigel and title of each holding that moved, or was joined with the library's other one."""
    # Asked for by merge, since two of a run may have changed the same holding; only where holdings were joined.
    joins = any(each.role == "emptied" for each in parts)
    before = images_of(connection, {each.entity_id: each.version_made - 1 for each in parts}) if joins else {}
    own, now = bibs.named[merge.merged_id], bibs.now(merge.survivor_id)
    found = []
    for part in parts:
        if part.role == "moved":
            title = MergedTitle(MergeEffect.MOVED, own, now, _marks(lines.get(part.entity_id, ())))
        elif part.role == "emptied":
            joined = _joined(_lines(before[part.joined_id]), _lines(before[part.entity_id]))
            title = MergedTitle(MergeEffect.JOINED, own, now, _marks(lines.get(part.joined_id, ())), joined)
        else:
            continue
        found.append((part.sigel, title))
    return found


def _split_titles(
    merge: sa.Row[Any], split: Split, parts: Sequence[sa.Row[Any]], lines: _Lines, bibs: _Bibs
) -> list[tuple[str, MergedTitle]]:
    """Sigel and title of each holding that came back, did not, or came to the joint bib in between."""
    rules = {each.holding_id: each for each in split.changed}
    joint, own = bibs.named[merge.survivor_id], bibs.named[merge.merged_id]
    came = [each for each in split.changed if each.rule == "came_since"]
    found = []
    for part in (each for each in parts if each.role != "joined"):
        rule = rules[part.entity_id].rule if part.entity_id in rules else ""
        effect = MergeEffect.BACK if part.role == "moved" else MergeEffect.PARTED
        if rule in _LEFT_AS_IT_IS:
            effect = MergeEffect.CHECK
        marks = _marks(lines.get(part.entity_id, ()))
        now = joint if rule in _LEFT_AS_IT_IS else own
        found.append((part.sigel, MergedTitle(effect, joint, now, marks, rule=rule)))
    for each in came:
        marks = _marks(lines.get(each.holding_id, ()))
        found.append((each.sigel, MergedTitle(MergeEffect.CHECK, joint, joint, marks, rule=each.rule)))
    return found


def _joined(kept: Sequence[HoldingLine], other: Sequence[HoldingLine]) -> JoinedMarks:
    """What each of two holdings gave to the one that they became (`joined_lines` of tasks/catalogue/merging.py)."""
    mine, theirs = {line_key(each) for each in kept}, {line_key(each) for each in other}
    return JoinedMarks(
        kept=_marks(each for each in kept if line_key(each) not in theirs),
        added=_marks(each for each in other if line_key(each) not in mine),
        same=_marks(each for each in kept if line_key(each) in theirs),
    )


def _lines(image: sa.Row[Any]) -> list[HoldingLine]:
    return [HoldingLine(*each) for each in orjson.loads(image.lines)]


def _marks(lines: Iterable[HoldingLine]) -> tuple[str, ...]:
    """The shelf marks of lines that say where a copy stands; empty where a line has none."""
    return tuple(line.shelf_mark for line in lines if line.tag == "852")


def _key(rows: Sequence[sa.Row[Any]], version: str) -> str:
    """A name for what was merged or split together: another one when the same two are merged, or split, once more."""
    return key_of(f"{row.merged_id}/{getattr(row, version)}/{row.survivor_id}" for row in rows)


def _by_library(register: Register, found: Mapping[str, Sequence[MergedTitle]], news: MergeNews) -> list[MergeNews]:
    """`news` for each library of the register that has titles."""
    libraries = register.library_by_sigel
    return [
        replace(
            news,
            library_name=libraries[sigel].name,
            sigel=sigel,
            recipient=libraries[sigel].contact,
            language=libraries[sigel].language,
            titles=tuple(titles),
        )
        for sigel, titles in sorted(found.items())
        if sigel in libraries
    ]
