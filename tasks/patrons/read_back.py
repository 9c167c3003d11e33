"""Read-back: what the library system holds now, from an export of its users or from its API. The C of the merge.

Staff edit there, so this is where their edits are seen. Three things an export never means:

* that a path is cleared for which it has no element (`not_exported`, `NOT_IN_ALMA`): `as_current` fills these with W;
* that somebody edited what Alma refuses, drops or adds by itself: `as_current` compares by what Alma can show;
* that a user is gone whom it holds but who cannot be read: such a one is an `UnreadUser`.

Whether an export may be used at all says export_guards.py.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import islice
from typing import BinaryIO, TypeAlias
from xml.sax.saxutils import unescape

from schemas.alma_users import NOT_IN_ALMA, AlmaUser, CurrentPerson, CurrentState, OutRules, SeenUser, UnreadUser
from schemas.patrons import (
    ITEM_FIELDS,
    PREFERRED_LISTS,
    SCALAR_PATHS,
    IncomingPerson,
    ListItem,
    RejectedRow,
    Value,
)
from schemas.register.patron_sources import PatronSource
from tasks.patrons.alma_compose import SET_BY_COMPOSER
from tasks.patrons.alma_shown import ALMA_FIELDS, OutgoingItem, SplitList, split_lists, without_filled
from tasks.patrons.alma_xml import AlmaXmlReader
from tasks.patrons.file_guards import FieldTally, FileFacts, filled_paths
from tasks.patrons.keys import text_key
from tasks.patrons.merge import same
from tasks.patrons.pieces import PersonPiece, Reader
from tasks.patrons.reading import FileTotals, read_members

_PRIMARY_ID = re.compile(rb"<(?:[\w.-]+:)?primary_id[^>]*>([^<]{1,1020})</")
_FILLED = re.compile(rb"<(?:[\w.-]+:)?(\w+)(?:\s[^>]*)?>\s*[^<\s]")
_PATH_OF_ITEM = {
    **{"line1": "addresses", "city": "addresses", "email_address": "emails", "phone_number": "phones"},
    **{"id_type": "user_identifiers", "note_text": "user_notes", "block_description": "user_blocks"},
    **{"statistic_category": "user_statistics"},
}
"""Element that says an item: its list."""
BATCH = 5_000
"""Users whose hashes are looked up at once."""
BackUser: TypeAlias = CurrentPerson | UnreadUser | SeenUser
_FILLED_SCALARS: Mapping[str, Value] = {"is_researcher": False}
"""What Alma puts there where nothing was sent."""
_EXPORT = PatronSource(
    code="READBACK",
    name="library system",
    contact="nobody@library.example",
    institution="READBACK",
    format="bups2",
    empty_elements="absent",
)
"""How an export is read: user groups are ours already, and an empty element says what a missing one does."""


class ReadBackTotals(FileTotals):
    """What was seen while an export was read; filled in as far as it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.tally = FieldTally()
        self.unread = 0
        self.unplaced = 0
        """Of the unread: users whose primary id cannot be read either."""

    def facts(self, name: str, sha256: str, size: int) -> FileFacts:
        """As the guards want it; `sha256` and `size` (bytes) are of the file as it came."""
        filled = dict(self.tally.filled)
        return FileFacts(name, sha256, size, self.tally.persons, self.unread, tuple(self.defects), filled)


def read_export(
    stream: BinaryIO,
    name: str,
    rules: OutRules,
    totals: ReadBackTotals | None = None,
    seen: Callable[[Set[bytes]], Set[bytes]] | None = None,
) -> Iterator[BackUser]:
    """Every user of an export (Alma's user XML, plain, gzip or zip), in its order; `stream` stands at its beginning.

    `seen` gets the hashes of some users at a time, and gives those that the last read-back held: these are not parsed,
    and come as `SeenUser`. Raises `DeliveryRejectedError` for what is no such file.
    """
    totals = totals or ReadBackTotals()
    for member in read_members(stream, name, _EXPORT, totals):
        if seen is None:
            yield from _users(member.reader, member.pieces, rules, totals)
            continue
        while batch := list(islice(member.pieces, BATCH)):
            known = seen({each.content_hash for each in batch if not each.rejected})
            yield from _new_and_seen(member.reader, batch, known, rules, totals)


def read_documents(
    documents: Iterable[bytes], rules: OutRules, totals: ReadBackTotals | None = None
) -> Iterator[CurrentPerson | UnreadUser]:
    """Every user of an API's answers, one `user` document each. Raises `DeliveryRejectedError` for what is none."""
    totals = totals or ReadBackTotals()
    reader = AlmaXmlReader(_EXPORT)
    for number, document in enumerate(documents, start=1):
        totals.records += 1
        yield from _users(reader, reader.pieces(io.BytesIO(document), "", number), rules, totals)
    totals.defects += reader.defects
    totals.ignored.update(reader.ignored)


def as_current(person: CurrentPerson, written: AlmaUser, rules: OutRules) -> CurrentState:
    """C of the merge, beside W: what is there now, with what the library system cannot show taken from W.

    `written` is what the library system was told last and has taken; for a person it was never told of, an `AlmaUser`
    without values. A scalar that is no key is empty there: with a W it was cleared (merge.py reads it so), without one
    it was never there. Raises `NotComposableError` where W itself could not have gone out.
    """
    values = dict(person.values)
    for path in NOT_IN_ALMA | rules.not_exported:
        values.pop(path, None)
        if path in written.values:
            values[path] = written.values[path]
    for path, filled in _FILLED_SCALARS.items():
        told = written.values.get(path)
        if values.get(path, filled) == filled and told in (None, filled):
            values.pop(path, None)
            if path in written.values:
                values[path] = told
    own_id = written.values.get("primary_id")
    if isinstance(own_id, str) and text_key(own_id) == person.primary_id.key:
        values["primary_id"] = own_id
    lists = {}
    for path, split in split_lists(written, rules).items():
        if path in rules.not_exported:
            lists[path] = tuple(written.lists.get(path, ()))
        else:
            lists[path] = _current_list(path, person.lists.get(path, ()), split)
    return CurrentState(values, lists)


def edited_paths(state: CurrentState, written: AlmaUser) -> frozenset[str]:
    """Paths on which C (made by `as_current`) is not W; none: the library system holds what it was told."""
    now, then = state.values, written.values
    compared = now.keys() | then.keys()
    edited = {path for path in compared if not same(now.get(path), then.get(path))}
    edited -= {path for path in SET_BY_COMPOSER if then.get(path) is None}
    for path, items in state.lists.items():
        if _content(path, items) != _content(path, written.lists.get(path, ())):
            edited.add(path)
    return frozenset(edited)


def _current_list(path: str, there: tuple[ListItem, ...], split: SplitList) -> tuple[ListItem, ...]:
    # What was left out may be there all the same, from before it was.
    hidden = [OutgoingItem(each.item, each.shown) for each in split.left_out if each.shown is not None]
    known = {(each.shown.type, each.shown.key): each for each in (*hidden, *split.internal, *split.outgoing)}
    found = {}
    for item in there:
        told = known.get((item.type, item.key))
        current = item if told is None else _as_told(path, item, told)
        found[current.type, current.key] = current
    keys = {item.key for item in there}
    for each in split.left_out:
        # A twin stands and falls with the one that is shown in its place.
        if each.rule != "twin" or each.item.key in keys:
            found.setdefault((each.item.type, each.item.key), each.item)
    return tuple(found[each] for each in sorted(found))


def _as_told(path: str, item: ListItem, told: OutgoingItem) -> ListItem:
    """An item of the export that Samkat knows, in Samkat's words where nobody edited it."""
    if without_filled(path, item.fields) == without_filled(path, told.shown.fields):
        fields = told.item.fields
    else:
        own = told.item.fields
        hidden = {name: text for name, text in own.items() if name not in ALMA_FIELDS[path]}
        plain = without_filled(path, item.fields)
        fields = {name: text for name, text in item.fields.items() if name in plain or name in own} | hidden
    return ListItem(told.item.type, told.item.key, fields, item.is_preferred, item.segment)


def _content(path: str, items: Iterable[ListItem]) -> dict[tuple[str, str], tuple[dict[str, str], bool]]:
    marks = path in PREFERRED_LISTS
    return {(each.type, each.key): (dict(each.fields), marks and each.is_preferred) for each in items}


def _new_and_seen(
    reader: Reader, batch: Sequence[PersonPiece], known: Set[bytes], rules: OutRules, totals: ReadBackTotals
) -> Iterator[BackUser]:
    new = _users(reader, iter([each for each in batch if each.content_hash not in known]), rules, totals, counts=False)
    for piece in batch:
        user = SeenUser(piece.position, piece.content_hash) if piece.content_hash in known else next(new)
        if not isinstance(user, UnreadUser):
            # Seen or not, all are counted in one way: else a path would seem to empty as users are edited.
            totals.tally.add(_filled(piece.content))
        yield user


def _filled(content: bytes) -> set[str]:
    """The paths that have a value, told by the bytes: enough to count them, at a fraction of the work of parsing."""
    tags = {each.decode() for each in _FILLED.findall(content)}
    return {_PATH_OF_ITEM.get(tag, tag) for tag in tags if tag in SCALAR_PATHS or tag in _PATH_OF_ITEM}


def _users(
    reader: Reader, pieces: Iterator[PersonPiece], rules: OutRules, totals: ReadBackTotals, *, counts: bool = True
) -> Iterator[CurrentPerson | UnreadUser]:
    # The reader yields a row for each piece, in their order; a piece is kept until its row is there.
    passing: deque[PersonPiece] = deque()

    def kept() -> Iterator[PersonPiece]:
        for piece in pieces:
            passing.append(piece)
            yield piece

    for row in reader.persons(kept()):
        piece = passing.popleft()
        if isinstance(row, RejectedRow):
            key = _primary_key(piece.content)
            totals.unread += 1
            totals.unplaced += key is None
            yield UnreadUser(row, key)
        else:
            if counts:
                totals.tally.add(filled_paths(row))
            yield _current(row, rules)


def _current(row: IncomingPerson, rules: OutRules) -> CurrentPerson:
    silent = NOT_IN_ALMA | rules.not_exported
    return CurrentPerson(
        row.position,
        row.content_hash,
        row.source_ids[0],
        row.search_ids,
        {path: value for path, value in row.values.items() if value is not None and path not in silent},
        {path: row.lists.get(path, ()) for path in ITEM_FIELDS if path not in silent},
    )


def _primary_key(content: bytes) -> str | None:
    """Key of the primary id of a user that is no whole XML, as far as it can be found."""
    found = _PRIMARY_ID.search(content)
    if found is None:
        return None
    try:
        return text_key(unescape(found[1].decode())) or None
    except UnicodeDecodeError:
        return None
