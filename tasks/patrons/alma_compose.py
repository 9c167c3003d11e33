"""The one composer: a complete document of a person becomes a `user` element of Alma's user XML.

Patron sync and the account rules write through this and nothing else. Alma's synchronise job replaces the user's
external part by what the document holds, so a document is always complete: lists that are empty are there as empty
elements, and only external segments are in it. The order of elements is that of docs/patron-formats.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Final

from schemas.alma_users import AlmaUser, ComposedUser, OutRules, StaffRole
from schemas.patrons import LIST_PATHS, PATHS, PREFERRED_LISTS, SCALAR_PATHS, ListItem, Value
from tasks.patrons.alma_shown import (
    ALMA_FIELDS,
    WITHOUT_TYPE,
    NotComposableError,
    OutgoingItem,
    SplitList,
    carried,
    split_lists,
)
from tasks.patrons.alma_xml import ITEM_TAGS
from tasks.patrons.pieces import MAX_PERSON_BYTES

BEFORE_CONTACT_INFO: Final = (
    *("record_type", "primary_id", "first_name", "middle_name", "last_name"),
    *("pref_first_name", "pref_middle_name", "pref_last_name", "pref_name_suffix", "pin_number"),
    *("user_title", "job_category", "job_description", "gender", "user_group", "campus_code", "web_site_url"),
    *("cataloger_level", "preferred_language", "birth_date", "expiry_date", "purge_date"),
    *("account_type", "external_id", "status", "status_date"),
)
CONTACT_INFO: Final = ("addresses", "emails", "phones")
AFTER_CONTACT_INFO: Final = (
    *("is_researcher", "user_identifiers", "user_roles", "user_notes", "user_blocks", "user_statistics"),
    *("rs_libraries", "library_notices"),
)
SET_BY_COMPOSER: Final = frozenset({"record_type", "account_type"})
"""They are in each document, whether or not the person has them."""
DEFAULT_RULES: Final = OutRules()

_TAG_OF: Final = {path: tag for tag, path in ITEM_TAGS.items()}
_TYPE_TAG: Final = {"user_identifiers": "id_type", "user_notes": "note_type", "user_blocks": "block_type"}
_MARKUP = re.compile("[&<>\r]")
_MARKUP_IN_QUOTES = re.compile('[&<>"\t\n\r]')
_ENTITIES = {ord(each): f"&#{ord(each)};" for each in '"\t\n\r'} | {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
}
_ENTITIES_IN_TEXT = {each: name for each, name in _ENTITIES.items() if chr(each) not in '"\t\n'}


def compose_user(user: AlmaUser, rules: OutRules = DEFAULT_RULES) -> ComposedUser:
    """The `user` element of a person, and what of the person is not in it.

    Exactly one address, e-mail and phone each is preferred; where that is an internal one, which Alma keeps itself,
    none of the document is. Raises `NotComposableError` for a person without primary id, an account of the library's
    own, a character that XML cannot carry, and a value of the wrong kind.
    """
    _check(user)
    lists = split_lists(user, rules)
    parts = ["<user>"]
    parts += [_scalar(path, user, rules) for path in BEFORE_CONTACT_INFO]
    parts.append("<contact_info>")
    parts += [_list(path, lists[path]) for path in CONTACT_INFO]
    parts.append("</contact_info>")
    for path in AFTER_CONTACT_INFO:
        if path == "user_roles":
            parts.append("" if user.roles is None else _nested("user_roles", [_role(each) for each in user.roles]))
        else:
            parts.append(_list(path, lists[path]) if path in LIST_PATHS else _scalar(path, user, rules))
    parts.append("</user>\n")
    content = "".join(parts).encode()
    if len(content) > MAX_PERSON_BYTES:
        raise NotComposableError(f"its document has more than {MAX_PERSON_BYTES:,} bytes", remedy="shorten its notes")
    left_out = [reason for path in lists for reason in lists[path].reasons(path)]
    return ComposedUser(content, tuple(left_out))


def _check(user: AlmaUser) -> None:
    unknown = sorted((user.values.keys() - SCALAR_PATHS) | (user.lists.keys() - LIST_PATHS))
    if unknown:
        raise ValueError(f"no paths of a person: {', '.join(unknown)}")
    primary = user.values.get("primary_id")
    if not isinstance(primary, str) or not primary.strip():
        raise NotComposableError("is missing", field="primary_id", remedy="give the person an id first")
    if user.values.get("account_type") not in (None, "EXTERNAL"):
        raise NotComposableError(
            "is an account of the library's own",
            field="account_type",
            remedy="make it external in the library system first",
        )


def _scalar(path: str, user: AlmaUser, rules: OutRules) -> str:
    """The element of a scalar path. Null is an empty element where Alma's schema allows one, else none."""
    if path == "account_type":
        return "<account_type>EXTERNAL</account_type>"
    value = user.values.get(path)
    if value is None:
        if path == "record_type":
            return _element(path, rules.record_type)
        is_typed = PATHS[path].value_type in ("day", "flag")
        return f"<{path}/>" if path in user.values and not is_typed else ""
    return _element(path, _TEXT_OF[PATHS[path].value_type](value, path))


def _day(value: Value, path: str) -> str:
    if not isinstance(value, date):
        raise NotComposableError("is no day", field=path)
    return f"{value.isoformat()}Z"  # as Alma itself writes it


def _flag(value: Value, path: str) -> str:
    if not isinstance(value, bool):
        raise NotComposableError("is neither yes nor no", field=path)
    return "true" if value else "false"


def _text(value: Value, path: str) -> str:
    if not isinstance(value, str):
        raise NotComposableError("is no text", field=path)
    return carried(value, path)


_TEXT_OF: Final[dict[str, Callable[[Value, str], str]]] = {"text": _text, "code": _text, "day": _day, "flag": _flag}


def _list(path: str, split: SplitList) -> str:
    preferred = _preferred(split) if path in PREFERRED_LISTS else None
    return _nested(path, [_item(path, each.shown, each is preferred) for each in split.outgoing])


def _preferred(split: SplitList) -> OutgoingItem | None:
    """The one item that is marked: as the person has it; the first one where nothing is marked at all."""
    marked = [each for each in split.outgoing if each.item.is_preferred]
    if marked:
        return marked[0]
    if any(each.item.is_preferred for each in split.internal):
        return None
    return next(iter(split.outgoing), None)


def _item(path: str, shown: ListItem, is_preferred: bool) -> str:
    tag = _TAG_OF[path]
    attributes = ""
    if path in PREFERRED_LISTS:
        attributes = f' preferred="{"true" if is_preferred else "false"}"'
    if path == "phones" and "preferred_sms" in shown.fields:
        attributes += f' preferred_sms="{_quoted(shown.fields["preferred_sms"])}"'
    if path not in WITHOUT_TYPE:
        attributes += ' segment_type="External"'
    fields = "".join(
        _element(name, shown.fields[name])
        for name in ALMA_FIELDS[path]
        if name in shown.fields and name != "preferred_sms"
    )
    kind = _element(_TYPE_TAG[path], shown.type) if path in _TYPE_TAG and shown.type else ""
    return f"<{tag}{attributes}>{kind}{fields}{_types(path, tag, shown.type)}</{tag}>"


def _types(path: str, tag: str, kind: str) -> str:
    if path not in PREFERRED_LISTS:
        return ""
    return _nested(f"{tag}_types", [_element(f"{tag}_type", each) for each in kind.split(",") if each])


def _role(role: StaffRole) -> str:
    parameters = [
        f"<parameter>{_element('type', carried(each.type, 'user_roles', 'type'))}"
        f"{_element('scope', carried(each.scope, 'user_roles', 'scope'))}"
        f"{_element('value', carried(each.value, 'user_roles', 'value'))}</parameter>"
        for each in role.parameters
    ]
    return (
        f"<user_role>{_element('status', role.status)}{_element('scope', carried(role.scope, 'user_roles', 'scope'))}"
        f"{_element('role_type', carried(role.role_type, 'user_roles', 'role_type'))}"
        + ("" if role.expiry_date is None else _element("expiry_date", f"{role.expiry_date.isoformat()}Z"))
        + f"{_nested('parameters', parameters)}</user_role>"
    )


def _nested(tag: str, inside: list[str]) -> str:
    return f"<{tag}>{''.join(inside)}</{tag}>" if inside else f"<{tag}/>"


def _element(tag: str, text: str) -> str:
    return f"<{tag}>{text.translate(_ENTITIES_IN_TEXT) if _MARKUP.search(text) else text}</{tag}>"


def _quoted(text: str) -> str:
    return text.translate(_ENTITIES) if _MARKUP_IN_QUOTES.search(text) else text
