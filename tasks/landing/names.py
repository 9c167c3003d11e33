"""What a supplier's file name promises, and whether the file keeps it.

The form comes from the technical annex of 2010 (one file per library and day, or one per ordered title):
`SUPPLIER_[SIGEL]_[YYYYMMDDhhmmss]_SE-LIBR[ONR].FORMAT`. Each supplier's own pattern is in the register; its named
groups `sigel`, `stamp` and `format` say what the name promises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal, NamedTuple

from schemas.errors import DeliveryRejectedError
from schemas.register.suppliers import FileRules

_STAMP_FORMS = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M", 8: "%Y%m%d"}
_PACKING_SUFFIX = re.compile(r"\.(gz|zip)$", re.IGNORECASE)
_GROUPS_IN_WORDS = {
    "sigel": "the library's sigel",
    "stamp": "the time as YYYYMMDDhhmmss",
    "format": "the format",
}
_CHOICES = re.compile(r"\(\?P<format>([A-Za-z0-9|]+)\)")
_FORMATS: dict[str, tuple[Literal["iso2709", "marcxml", ""], str]] = {
    "xml": ("marcxml", ""),
    "marcxml": ("marcxml", ""),
    "iso88591": ("iso2709", "iso8859-1"),
    "iso2709": ("iso2709", ""),
    "mrc": ("iso2709", ""),
    "marc": ("iso2709", ""),
}


class NamePromise(NamedTuple):
    """What a file name says about the file; a part is empty where the name says nothing of it."""

    sigel: str = ""
    stamp: datetime | None = None
    """The supplier's own clock, without a time zone."""
    format: Literal["iso2709", "marcxml", ""] = ""
    charset: str = ""
    """`iso8859-1` where the extension names it (2010: `.iso88591`)."""
    one_order: bool = False
    """Exactly one bib and one holding."""


def check_name(name: str, rules: FileRules) -> NamePromise:
    """Read a file name by the supplier's rules. A supplier without a pattern promises nothing by its names.

    `.gz` and `.zip` at the end belong to the packing and are left out unless the pattern asks for them. Raises
    `DeliveryRejectedError` for a name that breaks the pattern or holds a stamp that is no time: the sigel in the name
    is what the content is checked against, so a name that cannot be read is no smaller fault than a wrong record.
    """
    if rules.pattern is None:
        return NamePromise(one_order=rules.one_order)
    pattern = re.compile(rules.pattern)
    found = pattern.fullmatch(name) or pattern.fullmatch(_PACKING_SUFFIX.sub("", name))
    if found is None:
        raise DeliveryRejectedError(
            "the file name is not as agreed", file=name, field="file name", remedy=_agreed(rules, pattern)
        )
    groups = {group: value or "" for group, value in found.groupdict().items()}
    stamp = _read_stamp(groups.get("stamp", ""), name, rules, pattern)
    file_format, charset = _FORMATS.get(groups.get("format", "").lower(), ("", ""))
    return NamePromise(groups.get("sigel", ""), stamp, file_format, charset, rules.one_order)


def check_promise(promise: NamePromise, bibs: int, holdings: int, sigels: Iterable[str]) -> list[str]:
    """What the content of a file breaks of its name's promise, in words; empty where it keeps it.

    `bibs` and `holdings` count what was read (embedded 852 included), `sigels` are the 852 $b. Upper and lower case
    are one: some systems write file names in capitals. A holding without 852 $b is a fault of its own, not told here.
    """
    broken = []
    if promise.one_order and bibs != 1:
        broken.append(f"one file per ordered title is agreed: it must hold exactly one bib, it holds {bibs}")
    if promise.one_order and holdings != 1:
        broken.append(f"one file per ordered title is agreed: it must hold exactly one holding, it holds {holdings}")
    if promise.sigel:
        others = sorted({each for each in sigels if each and each.casefold() != promise.sigel.casefold()})
        if others:
            broken.append(f"the file name says {promise.sigel}, but 852 $b says {', '.join(others)}")
    return broken


def business_date(promise: NamePromise, received_on: date) -> date:
    """The sender's own day for a delivery: the date in its name, else the day on which it was received."""
    return promise.stamp.date() if promise.stamp else received_on


def _read_stamp(digits: str, name: str, rules: FileRules, pattern: re.Pattern[str]) -> datetime | None:
    if not digits:
        return None
    try:
        # isascii: strptime also takes other scripts' digits. The length is checked, for strptime fills up short ones.
        if digits.isascii() and digits.isdigit():
            return datetime.strptime(digits, _STAMP_FORMS[len(digits)])
    except (KeyError, ValueError):
        pass
    raise DeliveryRejectedError(
        f"{digits!r} is no date or time", file=name, field="file name", remedy=_agreed(rules, pattern)
    )


def _agreed(rules: FileRules, pattern: re.Pattern[str]) -> str:
    """The agreed form in words, with an example where the register has one."""
    ordered = sorted(pattern.groupindex, key=pattern.groupindex.__getitem__)
    words_of = {**_GROUPS_IN_WORDS, "format": _format_in_words(pattern)}
    parts = [words_of.get(group, group.replace("_", " ")) for group in ordered]
    words = f"rename it: the agreed pattern is {pattern.pattern}"
    if parts:
        words += f", that is, in this order: {', '.join(parts)}"
    return f"{words}; for example {rules.example}" if rules.example else words


def _format_in_words(pattern: re.Pattern[str]) -> str:
    """The endings that this supplier's own pattern allows, where it simply lists them."""
    found = _CHOICES.search(pattern.pattern)
    if found is None:
        return _GROUPS_IN_WORDS["format"]
    return f"{_GROUPS_IN_WORDS['format']}, {' or '.join(f'`{each}`' for each in found[1].split('|'))}"
