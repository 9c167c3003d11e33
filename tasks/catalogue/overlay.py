"""The record that results when an incoming record replaces an existing one.

The main id, all identifiers, the 035s and the original creator (040 $a) are kept, and by the keep list every field
that other libraries put there (docs/register.md, levels: keep). The keep list is configuration:

* `6XX`, `082`: fields with that tag; X stands for any digit
* `$5`, `$0`: data fields that carry that subfield
* `240?`: only where the new record has none
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from operator import itemgetter

from schemas.marc import MarcRecord, data_field
from tasks.marc.records import SUBFIELD_MARK, LazyRecord, field_of, lazy, text_of

_IDENTIFIERS = frozenset({"020", "022", "024", "035"})
_OWN_NUMBER = frozenset({"001", "003"})

TaggedText = tuple[str, str]
"""Tag and undivided text of a field, as `LazyRecord` holds them: most fields are moved, and never looked into."""


def overlay(existing: MarcRecord, incoming: MarcRecord, keep: Sequence[str]) -> LazyRecord:
    """The incoming record with what must survive of the existing one, in tag order.

    A field that stands in both to the letter is taken once.
    """
    old, new = lazy(existing), lazy(incoming)
    keep_list, new_tags = _keep_list(tuple(keep)), frozenset(new.tags)
    kept = [each for each in zip(old.tags, old.texts, strict=True) if keep_list.keeps(*each, new_tags)]
    present = {_identity(each) for each in kept}
    creators = [text for tag, text in zip(old.tags, old.texts, strict=True) if tag == "040"]
    fresh = [
        (each[0], _with_creator(each[1], creators)) if each[0] == "040" else each
        for each in zip(new.tags, new.texts, strict=True)
        if each[0] not in _OWN_NUMBER and _identity(each) not in present
    ]
    if not any(tag == "040" for tag, _text in fresh):
        fresh += [("040", text) for text in creators]
    merged = sorted(kept + fresh, key=itemgetter(0))
    return LazyRecord(new.leader, [tag for tag, _text in merged], [text for _tag, text in merged])


def _identity(each: TaggedText) -> tuple[str, ...]:
    """What makes two fields the same: tag and text; of an identifier its number alone."""
    if each[0] not in ("020", "022", "024"):
        return each
    field = field_of(*each)
    number = "".join(char for char in (field.first("a") or field.first("z") or "") if char.isalnum())
    return each[0], "a" if field.first("a") else "z", number


class KeepList:
    """A keep list, read once: what of an existing record survives a replacement."""

    def __init__(self, keep: Sequence[str]) -> None:
        plain = [each for each in keep if not each.startswith("$") and not each.endswith("?")]
        self._pattern = re.compile("|".join(each.replace("X", r"\d") for each in plain) or r"(?!)")
        self._marks = [SUBFIELD_MARK + each[1] for each in keep if each.startswith("$")]
        self._only_where_missing = frozenset(each[:-1] for each in keep if each.endswith("?"))
        self._tags: dict[str, bool] = {}

    def keeps(self, tag: str, text: str, new_tags: Collection[str]) -> bool:
        """Whether this field of the existing record survives a record that has fields with `new_tags`."""
        by_tag = self._tags.get(tag)
        if by_tag is None:
            is_identifier = tag in _OWN_NUMBER or tag in _IDENTIFIERS
            by_tag = self._tags[tag] = is_identifier or self._pattern.fullmatch(tag) is not None
        if by_tag or (tag in self._only_where_missing and tag not in new_tags):
            return True
        return any(mark in text for mark in self._marks)


@lru_cache(maxsize=64)
def _keep_list(keep: tuple[str, ...]) -> KeepList:
    return KeepList(keep)


def _with_creator(text: str, creators: Sequence[str]) -> str:
    """040 of the new record with the original cataloguing agency ($a) of the existing one."""
    found = (field_of("040", each).first("a") for each in creators)
    creator = next((each for each in found if each), None)
    if creator is None:
        return text
    field = field_of("040", text)
    rest = [(code, value) for code, value in field.subfields if code != "a"]
    return text_of(data_field("040", field.indicators, [("a", creator), *rest]))
