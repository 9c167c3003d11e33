"""Keys: the form in which values of persons are compared. What came is kept beside them and is never changed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from schemas.patrons import KEY_FIELDS

_NOT_DIALLED = re.compile(r"[\s()./\-\u2010-\u2015]+")


def text_key(value: str) -> str:
    """NFC, casefolded, trimmed, each run of blanks one blank. `text_key(text_key(x)) == text_key(x)`."""
    if not value.isascii():
        # Case folding can undo NFC and the other way round: twice is enough (Unicode 3.13, D145).
        value = unicodedata.normalize("NFC", value).casefold()
        value = unicodedata.normalize("NFC", unicodedata.normalize("NFD", value).casefold())
        return " ".join(value.split())
    return " ".join(value.lower().split())


def email_key(value: str) -> str:
    """An e-mail address as a key: a blank has no place in it."""
    return text_key("".join(value.split()))


def phone_key(value: str) -> str:
    """A telephone number as it is dialled: no blanks, brackets, dots, slashes and dashes; 00 at its beginning is +."""
    number = text_key(_NOT_DIALLED.sub("", value))
    return f"+{number[2:]}" if number.startswith("00") and len(number) > 2 else number


def type_key(types: Iterable[str]) -> str:
    """The type codes of a list item as one text: sorted, joined with a comma, in the case in which they came."""
    kinds = {each.strip() for each in types} - {""}
    return next(iter(kinds), "") if len(kinds) < 2 else ",".join(sorted(kinds))


def item_key(path: str, fields: Mapping[str, str]) -> str:
    """The key of a list item, from the fields of `KEY_FIELDS`; empty where all of them are empty."""
    names = KEY_FIELDS[path]
    if len(names) == 1:
        value = fields.get(names[0], "")
        if path == "emails":
            return email_key(value)
        return phone_key(value) if path == "phones" else text_key(value)
    return "|".join([text_key(fields[name]) if name in fields else "" for name in names]).strip("|")
