"""The record that results when an incoming record replaces an existing one.

The main id, all identifiers, the 035s and the original creator (040 $a) are kept, and by the keep list every field
that other libraries put there (docs/register.md, levels: keep). The keep list is configuration:

* `6XX`, `082`: fields with that tag; X stands for any digit
* `$5`, `$0`: data fields that carry that subfield
* `240?`: only where the new record has none
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from schemas.marc import Field, MarcRecord, Record, data_field

_IDENTIFIERS = frozenset({"020", "022", "024", "035"})
_OWN_NUMBER = frozenset({"001", "003"})


def overlay(existing: MarcRecord, incoming: MarcRecord, keep: Sequence[str]) -> Record:
    """The incoming record with what must survive of the existing one, in tag order.

    A field that stands in both to the letter is taken once.
    """
    keep_list = _keep_list(tuple(keep))
    kept = [each for each in existing.fields() if keep_list.keeps(each, incoming)]
    present = {_identity(each) for each in kept}
    fresh = [
        _with_creator(each, existing)
        for each in incoming.fields()
        if each.tag not in _OWN_NUMBER and _identity(each) not in present
    ]
    if not any(each.tag == "040" for each in fresh):
        fresh += list(existing.fields("040"))
    return Record(incoming.leader, sorted([*kept, *fresh], key=lambda each: each.tag))


def _identity(each: Field) -> tuple[str, str, str]:
    """What makes two fields the same: tag, indicators and content; an identifier's by its number alone."""
    if each.tag in ("020", "022", "024"):
        number = "".join(char for char in (each.first("a") or each.first("z") or "") if char.isalnum())
        return each.tag, "a" if each.first("a") else "z", number
    return each.tag, each.indicators, each.value or "\x1f".join(f"{code}{value}" for code, value in each.subfields)


class KeepList:
    """A keep list, read once: what of an existing record survives a replacement."""

    def __init__(self, keep: Sequence[str]) -> None:
        plain = [each for each in keep if not each.startswith("$") and not each.endswith("?")]
        self._pattern = re.compile("|".join(each.replace("X", r"\d") for each in plain) or r"(?!)")
        self._codes = frozenset(each[1] for each in keep if each.startswith("$"))
        self._only_where_missing = frozenset(each[:-1] for each in keep if each.endswith("?"))
        self._tags: dict[str, bool] = {}

    def keeps(self, each: Field, incoming: MarcRecord) -> bool:
        """Whether this field of the existing record survives `incoming`."""
        tag = each.tag
        by_tag = self._tags.get(tag)
        if by_tag is None:
            is_identifier = tag in _OWN_NUMBER or tag in _IDENTIFIERS
            by_tag = self._tags[tag] = is_identifier or self._pattern.fullmatch(tag) is not None
        if by_tag or (tag in self._only_where_missing and not incoming.fields(tag)):
            return True
        codes = self._codes
        return any(code in codes for code, _value in each.subfields)


@lru_cache(maxsize=64)
def _keep_list(keep: tuple[str, ...]) -> KeepList:
    return KeepList(keep)


def _with_creator(each: Field, existing: MarcRecord) -> Field:
    """040 of the new record with the original cataloguing agency ($a) of the existing one."""
    if each.tag != "040":
        return each
    creator = next((field.first("a") for field in existing.fields("040") if field.first("a")), None)
    if creator is None:
        return each
    rest = [(code, value) for code, value in each.subfields if code != "a"]
    return data_field("040", each.indicators, [("a", creator), *rest])
