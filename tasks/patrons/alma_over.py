"""A composed person laid over the user that Alma has now: what an update through the API has to send.

The API swaps a whole user, unlike the synchronise job, which leaves internal segments alone. So what is not Samkat's is
taken over from the user as it is: internal items, roles, proxies, and every element that no path stands for.
"""

from __future__ import annotations

from lxml import etree

from schemas.alma_users import NOT_IN_ALMA, AlmaUser, OutRules
from schemas.patrons import LIST_PATHS, PREFERRED_LISTS, SCALAR_PATHS
from tasks.patrons.alma_answers import AlmaAnswerError, local_name, parsed, primary_id_of
from tasks.patrons.alma_compose import CONTACT_INFO, DEFAULT_RULES, compose_user
from tasks.patrons.alma_shown import WITHOUT_TYPE
from tasks.patrons.keys import text_key


def compose_over(current: bytes, user: AlmaUser, rules: OutRules = DEFAULT_RULES) -> bytes:
    """The document for `AlmaApi.replace_user`, from the one that `AlmaApi.user` has just given.

    Raises `AlmaAnswerError` where `current` is no user, or another one, and `NotComposableError` as the composer does.
    """
    there = parsed(current)
    if there is None or local_name(there) != "user":
        raise AlmaAnswerError("what is to be updated is no user")
    if text_key(primary_id_of(there)) != text_key(str(user.values.get("primary_id", ""))):
        raise AlmaAnswerError("what is to be updated is another user", remedy="an id changes by a rekey only")
    told = etree.fromstring(compose_user(user, rules).content)
    for path in SCALAR_PATHS - NOT_IN_ALMA:
        # A path that exports leave out may have a value there that Samkat never saw.
        if path in user.values or path not in rules.not_exported:
            _replace(there, told, path)
    if user.roles is not None:
        _replace(there, told, "user_roles")
    contact_info = _child(there, "contact_info")
    if contact_info is None:
        contact_info = etree.SubElement(there, "contact_info")
    for path in LIST_PATHS:
        if path in user.lists or path not in rules.not_exported:
            is_contact = path in CONTACT_INFO
            _replace_items(contact_info if is_contact else there, told, path)
    return etree.tostring(there, encoding="UTF-8", xml_declaration=True)


def _child(parent: etree._Element, name: str) -> etree._Element | None:
    return next((each for each in parent if local_name(each) == name), None)


def _replace(there: etree._Element, told: etree._Element, name: str) -> None:
    """One element in the place of the old one; none where nothing is told, since the document is complete."""
    old, new = _child(there, name), _child(told, name)
    if old is not None and new is not None:
        there.replace(old, new)
    elif old is not None:
        there.remove(old)
    elif new is not None:
        there.append(new)


def _replace_items(parent: etree._Element, told: etree._Element, path: str) -> None:
    new = next(told.iter(path))
    old = _child(parent, path)
    if old is None:
        parent.append(new)
        return
    kept = [] if path in WITHOUT_TYPE else [each for each in old if _is_internal(each)]
    if path in PREFERRED_LISTS and any(each.get("preferred") == "true" for each in new):
        for each in kept:
            each.set("preferred", "false")
    parent.replace(old, new)
    new.extend(kept)


def _is_internal(item: etree._Element) -> bool:
    return item.get("segment_type", "").casefold() == "internal"
