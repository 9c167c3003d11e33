"""Fictional users for the tests of what goes to a library system and comes back."""

from __future__ import annotations

import string
from datetime import date
from typing import Any

from hypothesis import strategies as st

from schemas.alma_users import AlmaUser, CurrentPerson
from schemas.patrons import ITEM_FIELDS, KEY_FIELDS, PATHS, PREFERRED_LISTS, ListItem
from tasks.patrons.alma_packing import HEAD, TAIL
from tasks.patrons.keys import item_key, type_key
from tests.unit.patron_samples import source

READS = source(format="bups2")
"""How the reader of BUPS 2 reads what the composer wrote."""


def item(path: str, kind: str = "", *, preferred: bool = False, internal: bool = False, **fields: str) -> ListItem:
    """An item as a reader or the merge makes it."""
    return ListItem(kind, item_key(path, fields), fields, preferred, "internal" if internal else "external")


def aase(**more: Any) -> AlmaUser:
    """A student of the fictional college, with one of most things."""
    values = {
        "primary_id": "V-1@vestmark.example",
        "first_name": "Åse",
        "middle_name": None,
        "last_name": "Vik & Lund",
        "pref_first_name": "Åsa",
        "user_group": "student",
        "birth_date": date(2001, 2, 3),
        "expiry_date": date(2027, 6, 30),
        "purge_date": None,
        "status": "ACTIVE",
        "is_researcher": False,
        "department": "Historie",
    }
    lists = {
        "addresses": (item("addresses", "home", preferred=True, line1="Storgata 1", postal_code="1234"),),
        "emails": (
            item("emails", "school,work", preferred=True, email_address="Aase@vestmark.example"),
            item("emails", "personal", email_address="aase@hjemme.example"),
        ),
        "phones": (item("phones", "mobile", preferred=True, phone_number="+47 00 00 00 01", preferred_sms="true"),),
        "user_identifiers": (item("user_identifiers", "feide", value="aase@vestmark.example", status="ACTIVE"),),
        "user_statistics": (item("user_statistics", "DEPT", statistic_category="HIST", category_type="DEPT"),),
        "user_notes": (item("user_notes", "LIBRARY", note_text="speaks <Norwegian>", popup_note="false"),),
    }
    return AlmaUser(values | more.pop("values", {}), lists | more.pop("lists", {}), **more)


def export(*contents: bytes) -> bytes:
    """Users as one document."""
    return HEAD + b"".join(contents) + TAIL


def outline(person: CurrentPerson) -> str:
    """The key of its primary id."""
    return person.primary_id.key


_LETTERS = string.ascii_letters + string.digits + "åäöæøÅÄÖÆØéüß 'ǰ&<>\"-_.@/\t\n\r\u00a0\u2028한𝒜"
# Marks that combine: a text that is not in NFC yet.
TEXTS = st.text(_LETTERS + "\u0301\u030a", min_size=1, max_size=20).filter(lambda each: bool(each.strip()))
CODES = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=8)
DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))
_VALUES: dict[str, st.SearchStrategy[Any]] = {"text": TEXTS, "code": CODES, "day": DAYS, "flag": st.booleans()}


@st.composite
def list_items(draw: st.DrawFn, path: str) -> ListItem:
    """One item of a list, of any fields, with its key."""
    names = draw(st.sets(st.sampled_from(ITEM_FIELDS[path]), min_size=1))
    fields = {name: draw(TEXTS) for name in sorted(names)}
    for name in ("valid_from", "valid_to"):
        if name in fields:
            fields[name] = draw(DAYS).isoformat()
    fields[KEY_FIELDS[path][0]] = draw(TEXTS)
    if path in PREFERRED_LISTS:
        kind = type_key(draw(st.sets(CODES, max_size=3)))
    else:
        kind = draw(st.one_of(st.just(""), CODES))
    segment = draw(st.sampled_from(("external", "external", "external", "internal")))
    return ListItem(kind, item_key(path, fields), fields, draw(st.booleans()), segment)


@st.composite
def item_lists(draw: st.DrawFn, path: str) -> tuple[ListItem, ...]:
    """A list as the merge leaves it: no item twice, and of what can be preferred exactly one."""
    found = draw(st.lists(list_items(path), max_size=4))
    unique = list({(each.type, each.key): each for each in found if each.key}.values())
    if path not in PREFERRED_LISTS:
        return tuple(_marked(each, False) for each in unique)
    chosen = draw(st.integers(0, max(len(unique) - 1, 0)))
    return tuple(_marked(each, number == chosen) for number, each in enumerate(unique))


def _marked(each: ListItem, is_preferred: bool) -> ListItem:
    return ListItem(each.type, each.key, each.fields, is_preferred, each.segment)


@st.composite
def users(draw: st.DrawFn) -> AlmaUser:
    """A complete document of any person."""
    paths = draw(st.sets(st.sampled_from(sorted(PATHS))))
    values: dict[str, Any] = {}
    lists = {}
    for path in sorted(paths):
        if PATHS[path].kind == "list":
            lists[path] = draw(item_lists(path))
        else:
            values[path] = draw(st.one_of(st.none(), _VALUES[PATHS[path].value_type]))
    values["primary_id"] = draw(TEXTS)
    values["account_type"] = "EXTERNAL"
    return AlmaUser(values, lists)
