"""BUPS 2: Alma's user XML into persons, with our own protection extension (docs/patron-formats.md).

An element that is not there says nothing; an empty one says that there is nothing (`empty_elements` of the source).
Roles, passwords and proxies are never taken.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import BinaryIO

from lxml import etree

from schemas.patrons import (
    ITEM_FIELDS,
    PATHS,
    Identifier,
    IncomingPerson,
    ListItem,
    Position,
    ProtectionOrder,
    RejectedRow,
)
from schemas.register.patron_sources import PatronSource
from tasks.patrons.alma_pieces import Frame, UserElements, hardened_parser
from tasks.patrons.field_values import BadValueError, flag_of, text_of, xml_day_of
from tasks.patrons.keys import item_key, text_key, type_key
from tasks.patrons.person_draft import PersonDraft, RowRejectedError
from tasks.patrons.pieces import PersonPiece, hash_of, hashing, make_tuple, rejected_piece

NAMESPACE = "urn:samkat:patron:1"
"""Of our own elements: `protection`, `confidential`, `old_id`. Others ignore them."""
BATCH = 200
"""Persons that are parsed as one document: a document of its own for each costs as much again."""

ITEM_TAGS = {
    "address": "addresses",
    "email": "emails",
    "phone": "phones",
    "user_identifier": "user_identifiers",
    "user_note": "user_notes",
    "user_block": "user_blocks",
    "user_statistic": "user_statistics",
    "rs_library": "rs_libraries",
    "library_notice": "library_notices",
}
"""Element of an item: its list."""
_TYPE_TAGS = frozenset({"id_type", "note_type", "block_type"})
_TYPES_TAGS = frozenset({"address_types", "email_types", "phone_types"})
_DAY_FIELDS = frozenset({"valid_from", "valid_to"})
_NOT_TAKEN = frozenset({"user_roles", "password", "force_password_change", "proxy_for_users", "roles", "linked_id"})


class AlmaXmlReader:
    """Reads Alma's user XML of one source."""

    def __init__(self, source: PatronSource, addressed: Identifier | None = None) -> None:
        """`addressed`: as in `PersonDraft`."""
        self.ignored: Counter[str] = Counter()
        self.defects: list[str] = []
        self._source = source
        self._addressed = addressed
        self._empty_is_null = source.empty_elements == "null"
        self._frame = Frame(b"", b"", False)
        self._scalars = {path.name: _reader_of(path.value_type) for path in PATHS.values() if path.kind == "scalar"}
        self._constants = {path: self._scalars[path](text) for path, text in source.constants.items()}

    def pieces(self, stream: BinaryIO, member: str = "", first_no: int = 1) -> Iterator[PersonPiece]:
        """The users of one document; finish one before the next is begun.

        Raises `DeliveryRejectedError` for what is no document of users, and for one with a DOCTYPE.
        """
        elements = UserElements(stream, member or None)
        hash_in_frame = hashing(b"")
        for number, element in enumerate(elements, start=first_no):
            if number == first_no:
                self._frame = elements.frame
                hash_in_frame = hashing(hash_of(elements.frame.before))
                if elements.encoding != codecs.lookup(self._source.charset).name:
                    self.defects.append(f"it declares {elements.encoding}, agreed is {self._source.charset}")
            line, byte_offset, content, defect = element
            position = make_tuple(Position, (number, line, byte_offset, member))
            if defect:
                yield rejected_piece(RejectedRow(position, "unreadable", defect, remedy="send it again, whole"))
            else:
                yield make_tuple(PersonPiece, (position, content, hash_in_frame(content), None))
        if elements.defect:
            self.defects.append(elements.defect)

    def persons(self, pieces: Iterable[PersonPiece]) -> Iterator[IncomingPerson | RejectedRow]:
        """One person or rejected row for each piece."""
        waiting = iter(pieces)
        while batch := list(islice(waiting, BATCH if self._frame.is_open else 1)):
            users = iter(self._parsed([each for each in batch if not each.rejected]))
            for piece in batch:
                yield piece.rejected or self._person(piece, next(users))

    def _parsed(self, pieces: list[PersonPiece]) -> list[etree._Element | None]:
        """The element of each piece, None for one that is not well-formed: then each is parsed alone."""
        if not pieces:
            return []
        users = self._parse(b"".join(each.content for each in pieces))
        if len(users) == len(pieces):
            return list(users)
        return [next(iter(self._parse(each.content)), None) for each in pieces]

    def _parse(self, content: bytes) -> list[etree._Element]:
        try:
            root = etree.fromstring(self._frame.before + content + self._frame.after, hardened_parser())
        except etree.XMLSyntaxError:  # its words may quote the person
            return []
        if not self._frame.is_open:
            return [root]
        place = root
        while len(place) and _local(place[-1].tag) != "user":
            place = place[-1]
        return [each for each in place if _local(each.tag) == "user"]

    def _person(self, piece: PersonPiece, user: etree._Element | None) -> IncomingPerson | RejectedRow:
        try:
            if user is None:
                raise RowRejectedError("unreadable", "is not well-formed XML", remedy="correct it; neighbours are read")
            draft = PersonDraft(self._source, self._addressed)
            draft.values.update(self._constants)
            self._read(draft, user)
            if isinstance(group := draft.values.get("user_group"), str):
                draft.affiliation["category"] = group
            return draft.finished(piece.position, piece.content_hash, "user_group")
        except RowRejectedError as error:
            return error.row(piece.position)

    def _read(self, draft: PersonDraft, user: etree._Element) -> None:
        scalars, values = self._scalars, draft.values
        for element in user:
            tag = _local(element.tag)
            read = scalars.get(tag)
            if read is not None:
                text = element.text
                if text and (text := text.strip()):
                    try:
                        values[tag] = read(text)
                    except BadValueError as error:
                        raise RowRejectedError("bad_value", str(error), tag, "correct it") from None
                elif self._empty_is_null:
                    values[tag] = None
            elif tag in PATHS:
                self._read_list(draft, tag, element)
            elif tag == "contact_info":
                for each in element:
                    if _local(each.tag) in PATHS:
                        self._read_list(draft, _local(each.tag), each)
            elif not self._read_own(draft, element):
                self.ignored[tag] += 1

    def _read_list(self, draft: PersonDraft, path: str, element: etree._Element) -> None:
        found: dict[tuple[str, str], ListItem] = {}
        for each in element:
            if ITEM_TAGS.get(_local(each.tag)) == path and (item := self._item(path, each)):
                found.setdefault((item.type, item.key), item)
        if found or self._empty_is_null:
            draft.lists[path] = tuple(found.values())

    def _item(self, path: str, element: etree._Element) -> ListItem | None:
        known = ITEM_FIELDS[path]
        kinds: list[str] = []
        fields: dict[str, str] = {}
        for each in element:
            tag = _local(each.tag)
            if tag in _TYPES_TAGS:
                kinds += [kind.text for kind in each if kind.text]
                continue
            text = each.text.strip() if each.text else ""
            if not text:
                continue
            if tag in _TYPE_TAGS:
                kinds.append(text)
            elif tag in known:
                fields[tag] = _field_text(tag, text)
        attributes = element.attrib
        if path == "phones" and "preferred_sms" in attributes:
            fields["preferred_sms"] = str(attributes["preferred_sms"])
        key = item_key(path, fields)
        if not key:
            return None
        if path == "user_statistics" and "category_type" in fields:
            kinds.append(fields["category_type"])
        is_internal = str(attributes.get("segment_type", "")).casefold() == "internal"
        is_preferred = attributes.get("preferred") == "true"
        return ListItem(type_key(kinds), key, fields, is_preferred, "internal" if is_internal else "external")

    def _read_own(self, draft: PersonDraft, element: etree._Element) -> bool:
        """Whether it is an element of our own namespace, which then is taken. Raises `RowRejectedError`."""
        name = etree.QName(element)
        if name.namespace != NAMESPACE:
            return False
        try:
            if name.localname == "confidential":
                draft.values["is_confidential"] = flag_of(element.text or "")
            elif name.localname == "protection":
                draft.orders += tuple(_order(each) for each in element)
            elif name.localname == "old_id":
                value = (element.text or "").strip()
                if not value:
                    raise BadValueError("is empty")
                kind = str(element.get("type", "primary_id"))
                draft.rekeyed_from.append(Identifier(kind, value, text_key(value)))
            else:
                raise BadValueError("is no element of this namespace")
        except BadValueError as error:
            raise RowRejectedError("bad_value", str(error), name.localname, "see docs/patron-formats.md") from None
        return True


@lru_cache(maxsize=1024)
def _local(tag: str) -> str:
    """Alma's own files have no namespace, other exports put one on every element."""
    return tag.rpartition("}")[2]


def _order(element: etree._Element) -> ProtectionOrder:
    name, path = etree.QName(element), str(element.get("path", ""))
    if name.namespace != NAMESPACE or name.localname not in ("protect", "release"):
        raise BadValueError("holds an element that is neither protect nor release")
    if path not in PATHS:
        raise BadValueError("names a path that there is not")
    kind = element.get("type")
    if kind is not None and PATHS[path].kind != "list":
        raise BadValueError("names a type for a path that is no list")
    until = element.get("until")
    return ProtectionOrder(
        "protect" if name.localname == "protect" else "release",
        path,
        None if kind is None else str(kind),
        text_of(str(element.get("reason", ""))),
        None if until is None else xml_day_of(str(until)),
    )


def _reader_of(value_type: str) -> Callable[[str], str | date | bool]:
    if value_type == "day":
        return xml_day_of
    return flag_of if value_type == "flag" else text_of


def _field_text(tag: str, text: str) -> str:
    try:
        return xml_day_of(text).isoformat() if tag in _DAY_FIELDS else text_of(text)
    except BadValueError as error:
        raise RowRejectedError("bad_value", str(error), tag, "correct it") from None
