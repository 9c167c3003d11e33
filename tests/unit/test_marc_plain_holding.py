"""The short way for holdings says what the general way says, of every holding that it takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.marc.holdings import holding_facts
from tasks.marc.plain_holding import plain_holding
from tasks.marc.reading import ReadingRules
from tasks.marc.staging import read_iso
from tests.unit.marc_records import HOLDING_LEADER, holding, iso

RULES = ReadingRules()


def agree(content: bytes, rules: ReadingRules = RULES) -> bool:
    """Whether the short way takes a piece; where it does, the general way finds the same and nothing to tell."""
    found = plain_holding(content, rules)
    if found is None:
        return False
    general = read_iso(content, rules)
    facts = holding_facts(general.record, origin_note=rules.origin_note, takes_owner=rules.takes_owner)
    assert (found.facts, found.link) == (facts, (general.record.control("004") or "").strip())
    assert (general.charset, general.findings, general.is_clean) == ("utf-8", [], True)
    return True


def test_a_faultless_holding_takes_the_short_way() -> None:
    assert agree(holding())
    assert agree(iso(HOLDING_LEADER, [("001", "h1"), ("004", "bok1"), ("852", "8 $bAbc$hHylla å$xorigin: Nordbok")]))


@pytest.mark.parametrize(
    "fields",
    [
        [("001", "h1"), ("852", "8 $bAbc$hHylla å")],
        [("001", "h1"), ("852", "8 $bAbc$hHylla \u00c3\u00a5")],
        [("001", "h1"), ("852", "8 $bAbc$hHylla \ufffd")],
        [("001", "h1"), ("852", "8 $bAbc$hHylla \uffff")],
        [("001", "h1"), ("852", "8 $bAbc$hHylla \x07")],
        [("001", "h1"), ("852", "8 $bAbc$$hHylla")],
        [("001", "h1"), ("852", "8$bAbc")],
        [("852", "8 $bAbc"), ("004", "bok000001")],
        [("001", " "), ("004", " "), ("852", "8 $b "), ("852", "8 $bDef"), ("856", "40$uhttp"), ("024", "8 $a1")],
        [("001", "h1"), ("852", "8 $xorigin: Nordbok$bAbc$xorigin: $x")],
        [("001", "h1")],
    ],
)
@pytest.mark.parametrize("rules", [RULES, ReadingRules(charset="iso8859-1"), ReadingRules(takes_owner=True)])
def test_both_ways_say_the_same(fields: list[tuple[str, str]], rules: ReadingRules) -> None:
    agree(iso(HOLDING_LEADER, fields), rules)


@pytest.mark.parametrize(
    "text",
    [
        "8 $bAbc$hHylla \u00c3\u00a5",
        "8 $bAbc$hHylla \ufffd",
        "8 $bAbc\uffff",
        "8 $bAbc\x07",
        "8 $bAbc$$hHylla",
        "8$bAbc",
    ],
)
def test_what_has_to_be_told_or_put_right_is_left_to_the_general_way(text: str) -> None:
    assert not agree(iso(HOLDING_LEADER, [("001", "h1"), ("852", text)]))


@given(
    place=st.integers(0, len(holding()) - 1),
    byte=st.sampled_from(b"\x00\x1b\x1d\x1e\x1f 019adxu$\xc3\xa5\xff"),
    length=st.integers(0, 2),
)
def test_a_damaged_holding_is_taken_only_where_both_agree(place: int, byte: int, length: int) -> None:
    whole = holding()
    agree(whole[:place] + bytes([byte] * length) + whole[place + 1 :])
