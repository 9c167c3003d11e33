"""The record that results when an incoming record replaces an existing one.

The main id, all identifiers, the 035s and the original creator (040 $a) are kept, and by the keep list every field
that other libraries put there (docs/register.md, levels: keep). The keep list is configuration:

* `6XX`, `082`: fields with that tag; X stands for any digit
* `$5`, `$0`: data fields that carry that subfield
* `240?`: only where the new record has none
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from schemas.marc import Field, MarcRecord, Record, data_field

_IDENTIFIERS = frozenset({"020", "022", "024", "035"})
_OWN_NUMBER = frozenset({"001", "003"})

KeepRule = Callable[[Field, MarcRecord], bool]
"""(field of the existing record, incoming record) -> whether the field survives."""


def overlay(existing: MarcRecord, incoming: MarcRecord, keep: Sequence[str]) -> Record:
    """The incoming record with what must survive of the existing one, in tag order.

    A field that stands in both to the letter is taken once.
    """
    rules = _rules(tuple(keep))
    kept = [each for each in existing.fields() if _survives(each, incoming, rules)]
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


def _survives(each: Field, incoming: MarcRecord, rules: list[KeepRule]) -> bool:
    if each.tag in _OWN_NUMBER or each.tag in _IDENTIFIERS:
        return True
    return any(rule(each, incoming) for rule in rules)


@lru_cache(maxsize=64)
def _rules(keep: tuple[str, ...]) -> list[KeepRule]:
    return [_rule(each) for each in keep]


def _rule(text: str) -> KeepRule:
    if text.startswith("$"):
        code = text[1]
        return lambda each, _incoming: each.first(code) is not None
    if text.endswith("?"):
        tag = text[:-1]
        return lambda each, incoming: each.tag == tag and not incoming.fields(tag)
    pattern = re.compile(text.replace("X", r"\d"))
    return lambda each, _incoming: pattern.fullmatch(each.tag) is not None


def _with_creator(each: Field, existing: MarcRecord) -> Field:
    """040 of the new record with the original cataloguing agency ($a) of the existing one."""
    if each.tag != "040":
        return each
    creator = next((field.first("a") for field in existing.fields("040") if field.first("a")), None)
    if creator is None:
        return each
    rest = [(code, value) for code, value in each.subfields if code != "a"]
    return data_field("040", each.indicators, [("a", creator), *rest])
