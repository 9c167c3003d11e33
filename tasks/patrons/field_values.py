"""One text of a sender as a value of ours: days, flags, text. Strict: what is not surely right is refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime

from schemas.register.patron_sources import FLAG_WORDS

ISO_DAY = "%Y-%m-%d"
_XML_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(?:Z|[+-]\d{2}:\d{2})?")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class BadValueError(ValueError):
    """A text that cannot be what it should be. Its message never holds the text."""


def text_of(text: str) -> str:
    """`text` in NFC, trimmed. Raises `BadValueError` for control characters: signs of a wrong character set."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not text.isprintable() and _CONTROL.search(text):
        raise BadValueError("holds a control character")
    return text.strip()


def day_of(text: str, formats: Sequence[str] = (ISO_DAY,)) -> date:
    """`text` as a calendar day, by the first of `formats` that fits. Raises `BadValueError`."""
    for each in formats:
        if each == ISO_DAY:
            # strptime takes 2025-3-4 as well, fromisoformat weeks: both are refused.
            if len(text) != 10 or text[4] != "-" or text[7] != "-" or not text.isascii():
                continue
            parsed = _iso_day(text)
            if parsed:
                return parsed
            continue
        try:
            return datetime.strptime(text, each).date()
        except ValueError:
            continue
    raise BadValueError("is no date as it was agreed")


def xml_day_of(text: str) -> date:
    """An `xs:date`; the time zone that Alma writes behind it says nothing about a calendar day."""
    match = _XML_DAY.fullmatch(text)
    parsed = _iso_day(match[1]) if match else None
    if parsed is None:
        raise BadValueError("is no date YYYY-MM-DD")
    return parsed


def flag_of(text: str) -> bool:
    """`text` as yes or no. Raises `BadValueError`."""
    flag = FLAG_WORDS.get(text.strip().casefold())
    if flag is None:
        raise BadValueError("is neither yes nor no")
    return flag


def _iso_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
