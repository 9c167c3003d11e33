"""The digest of merged records and the correction of split ones: how they read, and which are the same message."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from lxml import html

from tasks.notices.merged_titles import JoinedMarks, MergedTitle, MergeEffect, MergeNews, NamedBib, compose_merge_news
from tasks.notices.message import Message, NoticeKind
from tasks.notices.wording import standard_book
from tests.unit.notices_samples import CATALOGUE, SENDER, merge_news

OLD = NamedBib("SK02", "Husdjur", "Ek, Bo", "9789100999995")
NEW = NamedBib("SK01", "Våra husdjur", "Ek, Bo", "")
MOVED = MergedTitle(MergeEffect.MOVED, OLD, NEW, ("Qm", "Qm", ""))
RULES = ("given_up", "moved_on", "changed_since", "double_gone", "double_changed", "came_since")


def told(*titles: MergedTitle, max_rows: int = 200, **changes: Any) -> Message:
    return compose_merge_news(merge_news(*titles, **changes), CATALOGUE, SENDER, max_rows=max_rows)


def test_a_title_stands_with_both_records_and_its_shelf_marks() -> None:
    message = told(MOVED)
    title = "\N{LEFT DOUBLE QUOTATION MARK}Husdjur\N{RIGHT DOUBLE QUOTATION MARK}"
    assert message.subject == "1 title now stands under another record (Storstads bibliotek)"
    assert (
        "* Våra husdjur / Ek, Bo\n"
        f"  Record before: SK02, ISBN 9789100999995, {title}\n"
        "  Record now: SK01\n"
        "  Shelf mark: Qm (2), no shelf mark\n"
    ) in message.text
    cells = html.fromstring(message.html).xpath("//table/tbody/tr/td/text()")
    assert cells[-2:] == ["SK01", "Qm (2), no shelf mark"]


@pytest.mark.parametrize(
    ("joined", "said"),
    [
        (JoinedMarks(("Hc",), ("Qm",), ("Ref",)), "Kept from SK01: Hc. Added from SK02: Qm. On both, kept once: Ref."),
        (JoinedMarks((), (), ("Ref",)), "On both, kept once: Ref. There was nothing to add from SK02."),
        (JoinedMarks(("Hc",), ("Qm",), ()), "Kept from SK01: Hc. Added from SK02: Qm."),
    ],
)
def test_of_two_holdings_that_became_one_it_says_what_was_kept_of_each(joined: JoinedMarks, said: str) -> None:
    text = told(MOVED, replace(MOVED, effect=MergeEffect.JOINED, joined=joined)).text
    assert f"  {said}\n" in text
    assert text.index("TWO HOLDINGS BECAME ONE (1)") < text.index("UNDER ANOTHER RECORD (1)")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rule": "asked"}, "Ada Kvist decided this, and gave no reason."),
        ({"rule": "forced", "reason": "{by}"}, "Ada Kvist decided this, with the reason: {by}"),
        ({"rule": "duplicate", "reason": "D3"}, "Ada Kvist decided this, from the cataloguers' list of records"),
        ({"rule": "split", "is_split": True}, "Ada Kvist decided this, and gave no reason."),
        ({"rule": "reverted", "is_split": True, "by": "samkat revert"}, "The merge had been made by mistake"),
    ],
)
def test_it_says_who_decided_and_why(changes: dict[str, Any], said: str) -> None:
    text = told(**changes).text
    assert f"\n{said}" in text
    assert "samkat revert" not in text


@pytest.mark.parametrize("code", standard_book().languages)
def test_every_effect_rule_and_way_of_deciding_has_its_words(code: str) -> None:
    lines = [replace(MOVED, effect=effect, rule=rule) for effect in MergeEffect for rule in RULES]
    for rule in ("asked", "forced", "duplicate", "split", "reverted"):
        assert compose_merge_news(merge_news(*lines, language=code, rule=rule), CATALOGUE, SENDER).language == code


def test_a_long_one_attaches_all_of_it() -> None:
    titles = [replace(MOVED, effect=effect) for effect in (MergeEffect.BACK, MergeEffect.CHECK, MergeEffect.BACK)]
    message = told(*titles, max_rows=1, is_split=True, rule="split", language="sv")
    assert message.text.count("\n* ") == 1
    (attachment,) = message.attachments
    assert attachment.name == "split-STO-2025-11-21.csv"
    rows = list(csv.reader(io.StringIO(attachment.content.decode("utf-8-sig")), delimiter=";"))
    assert rows[0] == ["Vad som hände", "Titel", "Författare", "Post före", "Post nu", "Hyllsignum", "Anmärkning"]
    assert [row[0] for row in rows[1:]] == ["Kontrollera gärna", *["Åter på den tidigare posten"] * 2]


def test_the_key_is_of_what_was_merged_and_of_the_library() -> None:
    first: MergeNews = merge_news(key="k1")
    merged, parted = told(key="k1"), told(key="k1", rule="split", is_split=True)
    assert (merged.kind, merged.dedup_key) == (NoticeKind.DIGEST, "digest|merge|k1|STO")
    assert (parted.kind, parted.dedup_key) == (NoticeKind.CORRECTION, "correction|merge|k1|STO")
    later = compose_merge_news(replace(first, on=date(2026, 1, 1)), CATALOGUE, SENDER)
    assert later.dedup_key == merged.dedup_key
