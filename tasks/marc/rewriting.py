"""A record of another base as MARC 21 has it: its fields mapped, its local fields turned into 852 (docs/bib-import.md).

What belongs here runs before the normalising rules and before embedded holdings are read: what comes out is a record
like any supplier's, and the rest of the pipeline knows nothing of where it came from. Nothing is lost unsaid: what a
rule of the profile drops is policy, what no rule can place is a finding.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import NamedTuple

from schemas.marc import Field, Finding, data_field
from schemas.register.import_profiles import FieldRule, HoldingRule, ImportProfile, RecordRules
from tasks.marc.facts import BIB_TYPES
from tasks.marc.records import SUBFIELD_MARK, LazyRecord, field_of, first_value, text_of

NO_SIGEL = "?"
"""Stands in 852 $b where nothing says whose a holding is: no library has it, so the holding is refused and counted."""
_FOUR_DIGITS = re.compile(r"[12][0-9]{3}")

TaggedText = tuple[str, str]


class Rewritten(NamedTuple):
    """The record in MARC 21; `is_changed` says whether it differs from what came."""

    record: LazyRecord
    is_changed: bool
    findings: list[Finding]


class Rewriting:
    """The rules of one profile, made ready once for all its records."""

    def __init__(self, profile: ImportProfile) -> None:
        self._record_rules = profile.record
        self._own_prefix = profile.normalisation.own_prefix
        self._fields: dict[str, list[_FieldMapper]] = defaultdict(list)
        for rule in profile.fields:
            self._fields[rule.tag].append(_FieldMapper(rule))
        self._holdings = {rule.tag: _HoldingMapper(rule) for rule in profile.holdings}
        self._sigels = {name: sigel for rule in profile.holdings for name, sigel in rule.sigels.items()}

    def bib(self, record: LazyRecord) -> Rewritten:
        """A bib, with its holdings as 852 $b in front of the fields that follow; what came stays as it is."""
        findings: list[Finding] = []
        leader = self._leader(record)
        numbers = self._numbers(record)
        fixed = _fixed(record, self._record_rules)
        if not (numbers or fixed or leader != record.leader or self._touches(record)):
            return Rewritten(record, False, findings)
        kept: list[TaggedText] = []
        items: dict[str, list[Field]] = defaultdict(list)
        for tag, text in zip(record.tags, record.texts, strict=True):
            if (numbers and tag in ("001", "003")) or (fixed and tag == "008"):
                continue
            if tag in self._holdings:
                items[tag].append(field_of(tag, text))
            elif tag in self._fields:
                kept += _mapped(self._fields[tag], tag, text)
            else:
                kept.append((tag, text))
        for tag, fields in items.items():
            lines, told = self._holdings[tag].lines(fields)
            kept += [("852", text_of(line)) for line in lines]
            findings += told
        whole = sorted([*numbers, *fixed, *kept], key=itemgetter(0))
        return Rewritten(LazyRecord(leader, [tag for tag, _ in whole], [text for _, text in whole]), True, findings)

    def holding(self, record: LazyRecord) -> Rewritten:
        """A holding record: the sigels in 852 $b as the profile's holdings name them."""
        if not self._sigels or "852" not in record.tags:
            return Rewritten(record, False, [])
        texts = [
            self._with_our_sigel(text) if tag == "852" else text
            for tag, text in zip(record.tags, record.texts, strict=True)
        ]
        return Rewritten(LazyRecord(record.leader, record.tags, texts), texts != record.texts, [])

    def _with_our_sigel(self, text: str) -> str:
        field = field_of("852", text)
        ours = [(code, self._sigels.get(value.strip(), value) if code == "b" else value) for code, value in field[2]]
        return text_of(data_field("852", field.indicators, ours)) if ours else text

    def _touches(self, record: LazyRecord) -> bool:
        return any(tag in self._fields or tag in self._holdings for tag in record.tags)

    def _leader(self, record: LazyRecord) -> str:
        """leader/06 and 07 where the source tells them elsewhere or not at all; leader/17 where it tells it so."""
        rules, leader = self._record_rules, record.leader
        told = rules.kinds.get(_value_at(record, rules.kind) if rules.kind else leader[6:8])
        if told is None and leader[6] not in BIB_TYPES:
            told = rules.default_kind
        if told:
            leader = leader[:6] + told + leader[8:]
        level = rules.levels.get(_value_at(record, rules.level) if rules.level else leader[17])
        return leader if level is None else leader[:17] + level + leader[18:]

    def _numbers(self, record: LazyRecord) -> list[TaggedText]:
        """001 and 003 as they ought to be; empty where they are so."""
        rules = self._record_rules
        number, agency = _value_at(record, rules.number), _value_at(record, rules.agency)
        if rules.number_prefix and agency != self._own_prefix and (rules.prefix_when == "always" or not agency):
            agency = rules.number_prefix
        found = [("001", number)] if number else []
        if agency and number:
            found.append(("003", agency))
        there = [(tag, text) for tag, text in zip(record.tags, record.texts, strict=True) if tag in ("001", "003")]
        return [] if found == there else found


def divided_control_fields(profile: ImportProfile) -> frozenset[str]:
    """Tags below 010 in which the profile looks for subfields."""
    rules = profile.record
    places = (rules.number, rules.agency, rules.kind, rules.level, rules.year, rules.country, rules.language)
    tags = {place[:3] for place in places if place and "$" in place} | {rule.tag for rule in profile.fields}
    return frozenset(tag for tag in tags if tag < "010")


def _value_at(record: LazyRecord, place: str) -> str:
    """The first subfield `tag$code`, or the control field `tag`, stripped; empty where there is none."""
    tag, _, code = place.partition("$")
    for text in record.index.get(tag, ()):
        value = first_value(text, code) if code else "" if SUBFIELD_MARK in text else text.strip()
        if value:
            return value
    return ""


def _fixed(record: LazyRecord, rules: RecordRules) -> list[TaggedText]:
    """008 of what the profile says where year, country and language stand; empty where it does not say."""
    if not (rules.year or rules.country or rules.language):
        return []
    values = [_value_at(record, place) if place else "" for place in (rules.year, rules.country, rules.language)]
    found = _FOUR_DIGITS.search(values[0])
    country, language = (each.lower() if each.isascii() and each.isalpha() else "" for each in values[1:])
    year = found.group() if found else ""
    dates = f"s{year}    " if year else "n        "
    return [("008", f"{'':6}{dates}{country[:3]:3}{'':17}{language[:3]:3}{'':2}")]


def _mapped(mappers: Iterable[_FieldMapper], tag: str, text: str) -> list[TaggedText]:
    """What the field becomes by the first rule that is for it; itself where none is."""
    field = field_of(tag, text)
    for mapper in mappers:
        if _matches(field, mapper.when):
            return mapper.made_of(field)
    return [(tag, text)]


def _matches(field: Field, patterns: Mapping[str, re.Pattern[str]]) -> bool:
    """Whether for each code one of its subfields matches in full."""
    return all(
        any(code == wanted and pattern.fullmatch(value.strip()) for code, value in field.subfields)
        for wanted, pattern in patterns.items()
    )


def _skips(field: Field, patterns: Mapping[str, re.Pattern[str]]) -> bool:
    return any(code in patterns and patterns[code].fullmatch(value.strip()) for code, value in field.subfields)


class _FieldMapper:
    """One `FieldRule`, its patterns compiled."""

    def __init__(self, rule: FieldRule) -> None:
        self.when = {code: re.compile(pattern) for code, pattern in rule.when.items()}
        self._rule = rule

    def made_of(self, field: Field) -> list[TaggedText]:
        """The field of MARC 21; none where the rule drops it, or nothing of it has a place there."""
        rule = self._rule
        if rule.to is None:
            return []
        subfields = _recoded(field.subfields, rule) if rule.subfields else list(field.subfields)
        indicators = rule.indicators or f"{field.indicators[:2]:2}"
        return [(rule.to, text_of(data_field(rule.to, indicators, subfields)))] if subfields else []


def _recoded(subfields: Iterable[tuple[str, str]], rule: FieldRule) -> list[tuple[str, str]]:
    """Subfields under their new codes, in the order of the source; those of one code joined where the rule says so."""
    found: list[tuple[str, str]] = []
    place_of: dict[str, int] = {}
    for code, value in subfields:
        new = rule.subfields.get(code)
        if new is None or not value:
            continue
        if rule.join is not None and new in place_of:
            found[place_of[new]] = (new, f"{found[place_of[new]][1]}{rule.join}{value}")
        else:
            place_of[new] = len(found)
            found.append((new, value))
    return found


class _HoldingMapper:
    """One `HoldingRule`: fields of a bib as lines of holdings."""

    def __init__(self, rule: HoldingRule) -> None:
        self._rule = rule
        self._skip = {code: re.compile(pattern) for code, pattern in rule.skip.items()}
        named = rule.call_number + rule.shelf_mark + rule.location + rule.public_note + rule.internal_note
        self._keeps_all = rule.tag == "852" and not named

    def lines(self, fields: Iterable[Field]) -> tuple[list[Field], list[Finding]]:
        """852s, one for each library, call number, shelf mark, place and note; and what could not be placed."""
        rule = self._rule
        items: Counter[tuple[tuple[str, str], ...]] = Counter()
        skipped = unplaced = 0
        for field in fields:
            if _skips(field, self._skip):
                skipped += 1
                continue
            subfields = self._subfields(field)
            unplaced += subfields[0] == ("b", NO_SIGEL)
            items[subfields] += self._count(field)
        findings = []
        if unplaced:
            text = f"{unplaced} {rule.tag} without ${rule.sigel}: nothing says which library they belong to"
            findings.append(Finding("holding_without_sigel", text, rule.tag))
        if skipped:
            findings.append(Finding("holding_skipped", f"{skipped} {rule.tag} are no holdings (skip)", rule.tag))
        made = [
            data_field("852", "  ", [*each, ("x", f"{number} items")] if number > 1 else each)
            for each, number in items.items()
        ]
        return made, findings

    def _subfields(self, field: Field) -> tuple[tuple[str, str], ...]:
        rule = self._rule
        code = (field.first(rule.sigel) or "").strip() if rule.sigel else ""
        sigel = rule.sigels.get(code, code) if code else rule.default_sigel or NO_SIGEL
        if self._keeps_all:
            return (("b", sigel), *(each for each in field.subfields if each[0] not in (rule.sigel, rule.item_count)))
        parts = (
            ("c", rule.location), ("h", rule.call_number), ("j", rule.shelf_mark), ("z", rule.public_note),
            ("x", rule.internal_note),
        )  # fmt: skip
        texts = [(to, _joined(field, codes)) for to, codes in parts]
        return (("b", sigel), *((to, text) for to, text in texts if text))

    def _count(self, field: Field) -> int:
        found = (field.first(self._rule.item_count) or "").strip() if self._rule.item_count else ""
        return int(found) if found.isascii() and found.isdigit() and len(found) < 6 else 1


def _joined(field: Field, codes: str) -> str:
    """Subfields with these codes, in the order of `codes`, a blank between them."""
    return " ".join(value.strip() for wanted in codes for code, value in field.subfields if code == wanted and value)
