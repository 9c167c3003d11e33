"""A library system of the sample, as far as Samkat sees it: it takes in what was sent, staff edit, it exports users.

It does what Alma's synchronise job does: a user who is sent replaces the one who is there, what is absent goes, and
only the internal segment and the roles stay.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from deployments.sample.patrons.alma import AFTER_SCALARS, SCALARS
from deployments.sample.patrons.stage import StaffEdit

Document: TypeAlias = bytes | Path
"""Alma's user XML, or a zip of several: its bytes, or where it lies."""

_LISTS_OF_CONTACTS = ("addresses", "emails", "phones")
_ITEM_LISTS = (*_LISTS_OF_CONTACTS, "user_identifiers", "user_notes", "user_blocks", "user_statistics")
_SAYS = {"emails": "email_address", "phones": "phone_number", "user_identifiers": "value", "user_notes": "note_text"}
"""List: the element of an item that says it."""


def read_back_export(
    previous: Document | Iterable[Document], edits: Iterable[StaffEdit] = (), sent: Iterable[Document] = ()
) -> bytes:
    """What a library system exports of its users, as Alma's user XML.

    `previous` is what it held (its last export, or `initial_stock`; several files count as one), `sent` what Samkat has
    sent since, oldest first, and `edits` what staff did after that. Raises `ValueError` for an edit of a user who is
    not there, or of a list that staff do not edit here.
    """
    system = _System()
    for document in [previous] if isinstance(previous, bytes | Path) else previous:
        for user in _users(document):
            system.put(user)
    for document in sent:
        for user in _users(document):
            system.synchronise(user)
    for edit in edits:
        system.edit(edit)
    return system.export()


class _System:
    """Users by primary id, compared without regard to case."""

    def __init__(self) -> None:
        self._users: dict[str, Element] = {}
        self._by_identifier: dict[tuple[str, str], str] = {}

    def put(self, user: Element) -> None:
        key = _text(user, "primary_id").casefold()
        self._users[key] = user
        for kind in _identifiers(user):
            self._by_identifier[kind] = key

    def synchronise(self, sent: Element) -> None:
        """Take in one user; one whose primary id is new is found by an identifier, which is how a rekey arrives."""
        key = _text(sent, "primary_id").casefold()
        if key not in self._users:
            found = {self._by_identifier[each] for each in _identifiers(sent) if each in self._by_identifier}
            known = [each for each in found if each in self._users]
            if len(known) == 1:
                self._users = {key if each == known[0] else each: user for each, user in self._users.items()}
        held = self._users.get(key)
        user = deepcopy(sent)
        if held is not None:
            _keep_internal(held, user)
        self.put(user)

    def edit(self, edit: StaffEdit) -> None:
        key = edit.primary_id.casefold()
        if edit.kind == "open":
            self.put(_opened(edit))
            return
        if key not in self._users:
            raise ValueError(f"{edit.institution} has no user {edit.primary_id} whom staff could edit on {edit.on}")
        _EDITS[edit.kind](self._users[key], edit)

    def export(self) -> bytes:
        root = Element("users")
        root.text = "\n  "
        for user in self._users.values():
            user.tail = "\n  "
            root.append(user)
        exported: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        return exported + b"\n"


def _users(document: Document) -> Iterator[Element]:
    content = document.read_bytes() if isinstance(document, Path) else document
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in sorted(archive.namelist()):
                yield from _users(archive.read(name))
        return
    root = ElementTree.fromstring(content)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    yield from [root] if root.tag == "user" else root.iter("user")


def _keep_internal(held: Element, user: Element) -> None:
    """Move what synchronise leaves alone from the user who was there to the one who came."""
    roles = held.find("user_roles")
    if roles is not None and user.find("user_roles") is None:
        _inserted(user, roles)
    for path in _ITEM_LISTS:
        there = _list_of(held, path)
        for item in list(there) if there is not None else []:
            if item.get("segment_type", "").casefold() != "internal":
                continue
            place = _list_of(user, path, is_needed=True)
            if place is not None and _said(path, item) not in [_said(path, each) for each in place]:
                place.append(item)


def _set(user: Element, edit: StaffEdit) -> None:
    element = user.find(edit.path)
    if element is None:
        element = Element(edit.path)
        _inserted(user, element)
    element.text = edit.value


def _clear(user: Element, edit: StaffEdit) -> None:
    element = user.find(edit.path)
    if element is not None:
        user.remove(element)


def _add(user: Element, edit: StaffEdit) -> None:
    place = _list_of(user, edit.path, is_needed=True)
    if place is None or edit.path not in ("emails", "phones", "user_notes"):
        raise ValueError(f"{edit.path} is no list that staff add to here")
    one = edit.path.removesuffix("s")
    item = SubElement(place, one, {"segment_type": "Internal"})
    if edit.path == "user_notes":
        SubElement(item, "note_type").text = edit.item_type
    SubElement(item, _SAYS[edit.path]).text = edit.value
    if edit.path != "user_notes":
        SubElement(SubElement(item, f"{one}_types"), f"{one}_type").text = edit.item_type


def _remove(user: Element, edit: StaffEdit) -> None:
    place = _list_of(user, edit.path)
    for item in list(place) if place is not None else []:
        if item.findtext(_SAYS[edit.path]) == edit.value:
            place.remove(item)  # type: ignore[union-attr]


_EDITS: dict[str, Callable[[Element, StaffEdit], None]] = {
    "set": _set,
    "clear": _clear,
    "add": _add,
    "remove": _remove,
}


def _opened(edit: StaffEdit) -> Element:
    """A new account, made at the desk: a name, a group, and as its id the card that was handed out."""
    user = Element("user")
    given, _, family = (edit.value or "").partition(" ")
    scalars = (("record_type", "PUBLIC"), ("primary_id", edit.primary_id), ("first_name", given))
    for name, text in (*scalars, ("last_name", family), ("user_group", "guest"), ("account_type", "INTERNAL")):
        SubElement(user, name).text = text
    return user


def _list_of(user: Element, path: str, *, is_needed: bool = False) -> Element | None:
    """The element of a list, made where it is needed."""
    above = user
    if path in _LISTS_OF_CONTACTS:
        contacts = user.find("contact_info")
        if contacts is None:
            if not is_needed:
                return None
            contacts = Element("contact_info")
            _inserted(user, contacts)
        above = contacts
    found = above.find(path)
    if found is None and is_needed:
        found = Element(path)
        if above is user:
            _inserted(user, found)
        else:
            above.insert(sum(each.tag in _LISTS_OF_CONTACTS[: _LISTS_OF_CONTACTS.index(path)] for each in above), found)
    return found


def _inserted(user: Element, element: Element) -> None:
    """Put an element where Alma has it."""
    order = (*SCALARS, *AFTER_SCALARS)
    before = order[: order.index(element.tag)]
    place = max((number for number, each in enumerate(user, start=1) if each.tag in before), default=0)
    user.insert(place, element)


def _identifiers(user: Element) -> list[tuple[str, str]]:
    return [(_text(each, "id_type"), _text(each, "value").casefold()) for each in user.iter("user_identifier")]


def _said(path: str, item: Element) -> str:
    """What an item says, to tell whether two are the same."""
    if path in _SAYS:
        return _text(item, _SAYS[path]).casefold()
    return "|".join(each.text or "" for each in item.iter() if not len(each)).casefold()


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()
