"""Normalising rules of a supplier, applied to a bib before it is matched (2010 rules; docs/normalisation.md).

The rules work on undivided field texts, because most fields of most records are only looked at. What a rule drops or
moves is policy of the register and no fault of the record; only a 020 $a without a number is told to the supplier.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from schemas.marc import Finding
from schemas.register.suppliers import NormalisationRules
from tasks.marc.isbn import has_number
from tasks.marc.records import LazyRecord, all_values, first_value

_Fields = list[tuple[str, str]]
_Rule = Callable[[str, str], _Fields | None]
"""Tag and text of a field to what stands in its place: None where it stays as it is, empty where it goes."""

_HEADING_LINK = re.compile("\x1f0[^\x1f]*")
_MACHINE = re.compile(r"(?i)machine[ -]generated")
_NUMBER = re.compile("\x1fa([^\x1f]*)")
_CLASSIFICATION = ("082", "084")
_SERIES_HEADINGS = ("800", "810", "811", "830")
_TEMPORARY_LEVELS = "58"


class Normalised(NamedTuple):
    """The record after the rules; `is_changed` says whether it differs from before."""

    record: LazyRecord
    is_changed: bool
    findings: list[Finding]


class Normaliser:
    """The rules of one supplier, made ready once for all its records."""

    def __init__(self, rules: NormalisationRules) -> None:
        self._rules = rules
        self._rule_by_tag = _RuleByTag(rules)

    def __call__(self, record: LazyRecord) -> Normalised:
        """Apply the rules to a bib; the record that came in stays as it is.

        852 with $b goes: it has become a holding (`holdings.embedded_holdings`).
        """
        rules = self._rules
        number = self._foreign_number(record) if rules.move_foreign_control_number else ""
        edits = self._edits(record, number)
        leader = record.leader
        if rules.force_level is not None:
            leader = leader[:17] + rules.force_level + leader[18:]
        added = _added_number(record, number) if number else []
        if rules.note_temporary_levels and leader[17] in _TEMPORARY_LEVELS:
            added += _added_note(record, rules.temporary_note)
        if not (edits or added or leader != record.leader):
            return Normalised(record, False, [])
        tags, texts = record.tags.copy(), record.texts.copy()
        findings = []
        for place, fields in reversed(edits):
            if not fields:
                del tags[place], texts[place]
                continue
            findings += [_without_number(text) for tag, text in fields if tag == "024"]
            tags[place : place + 1] = [tag for tag, _ in fields]
            texts[place : place + 1] = [text for _, text in fields]
        for tag, text in added:
            place = _place_for(tag, tags)
            tags.insert(place, tag)
            texts.insert(place, text)
        return Normalised(LazyRecord(leader, tags, texts), True, findings)

    def _edits(self, record: LazyRecord, foreign_number: str) -> list[tuple[int, _Fields]]:
        """Where fields change, and into what."""
        texts, rule_by_tag = record.texts, self._rule_by_tag
        drops_owned = self._rules.drop_institution_fields
        edits: list[tuple[int, _Fields]] = []
        for place, tag in enumerate(record.tags):
            text = texts[place]
            rule = rule_by_tag[tag]
            if drops_owned and "\x1f5" in text:
                edits.append((place, []))
            elif rule is not None:
                fields = rule(tag, text)
                if fields is not None:
                    edits.append((place, fields))
            elif foreign_number and (tag == "001" or tag == "003"):
                edits.append((place, []))
        return edits

    def _foreign_number(self, record: LazyRecord) -> str:
        """`(003)001` where 003 is not ours; a 001 alone means nothing elsewhere, and is left where it is."""
        prefix = (record.control("003") or "").strip()
        number = (record.control("001") or "").strip()
        return f"({prefix}){number}" if prefix and number and prefix != self._rules.own_prefix else ""


class _RuleByTag(dict[str, "_Rule | None"]):
    """The rule for a tag, found once."""

    def __init__(self, rules: NormalisationRules) -> None:
        super().__init__()
        self._rules = rules

    def __missing__(self, tag: str) -> _Rule | None:
        rule = self[tag] = self._rule_for(tag)
        return rule

    def _rule_for(self, tag: str) -> _Rule | None:
        rules = self._rules
        if tag == "852":
            return _embedded_holding
        if tag[0] == "9" and rules.drop_local_fields:
            return _dropped
        if tag == "020" and rules.move_non_isbn_to_024:
            return _number_moved
        if tag in _CLASSIFICATION and rules.drop_machine_classification:
            return _machine_dropped
        if rules.drop_heading_links and (tag[0] in "167" or tag in _SERIES_HEADINGS):
            return _unlinked
        return None


def _place_for(tag: str, tags: list[str]) -> int:
    """Before the first field with a higher tag."""
    for place, other in enumerate(tags):
        if other > tag:
            return place
    return len(tags)


def _added_number(record: LazyRecord, number: str) -> _Fields:
    if "035" in record.tags:
        for tag, text in zip(record.tags, record.texts, strict=True):
            if tag == "035" and number in text and number in all_values(text, "a"):
                return []
    return [("035", f"  \x1fa{number}")]


def _added_note(record: LazyRecord, note: str) -> _Fields:
    added = ("599", f"  \x1fa{note}")
    return [] if added in zip(record.tags, record.texts, strict=True) else [added]


def _dropped(tag: str, text: str) -> _Fields | None:
    return []


def _embedded_holding(tag: str, text: str) -> _Fields | None:
    return [] if "\x1fb" in text else None


def _machine_dropped(tag: str, text: str) -> _Fields | None:
    if "\x1f2" not in text:
        return None
    return [] if any(_MACHINE.search(source) for source in all_values(text, "2")) else None


def _unlinked(tag: str, text: str) -> _Fields | None:
    return [(tag, _HEADING_LINK.sub("", text))] if "\x1f0" in text else None


def _number_moved(tag: str, text: str) -> _Fields | None:
    """020 $a that holds no number becomes 024 with first indicator 8; a $z stays behind in 020."""
    found = first_value(text, "a")
    if not found or has_number(found):
        return None
    number = _NUMBER.search(text)
    if number is None:
        return None
    if "\x1fz" not in text:
        return [("024", "8 " + text[2:])]
    rest = text[: number.start()] + text[number.end() :]
    return [("020", rest), ("024", f"8 {number.group()}")]


def _without_number(text: str) -> Finding:
    shown = ", ".join(all_values(text, "a"))
    return Finding("isbn_missing", f"020 $a holds no ISBN: {shown!r}; kept as 024", "020")
