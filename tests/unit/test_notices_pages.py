"""What every kind of e-mail keeps in every language: sound and accessible HTML, nothing fetched, nothing injected."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import pytest
from lxml import html

from schemas.outcomes import HoldingOutcome
from tasks.notices.corrections import CorrectionEffect, CorrectionLine, compose_correction
from tasks.notices.digest import compose_library_digest
from tasks.notices.feed_report import FeedReport, WrongFeed, compose_feed_report
from tasks.notices.holds import HeldClass, compose_held
from tasks.notices.merged_titles import JoinedMarks, MergedTitle, MergeEffect, NamedBib, compose_merge_news
from tasks.notices.message import Message
from tasks.notices.patron_digest import compose_patron_digest
from tasks.notices.patron_holds import FileFault, compose_held_file
from tasks.notices.patron_rejects import FileNotTaken, FileRows, compose_patron_rejects
from tasks.notices.rejects import RejectedFile, compose_supplier_rejects
from tasks.notices.wording import Reason
from tasks.notices.worklist import compose_worklist
from tests.unit.notices_samples import (
    CATALOGUE,
    HOSTILE,
    SENDER,
    book_card,
    correction,
    digest,
    digest_line,
    duplicate_case,
    held,
    held_patron_file,
    merge_news,
    patron_digest,
    patron_rejects,
    rejected,
    rejects,
    review_case,
    worklist,
)


def a_digest(language: str, text: str = "Husdjur") -> Message:
    lines = [
        digest_line(title=text, author=text, isbn=text, shelf_mark=text, outcome=outcome, reason=Reason("odd", text))
        for outcome in HoldingOutcome
    ]
    made = digest(*lines, language=language, library_name=text, supplier_name=text)
    return compose_library_digest(made, CATALOGUE, SENDER)


def some_rejects(language: str, text: str = "Husdjur") -> Message:
    record = rejected(title=text, control_number=text, file_name=text, reason=Reason("odd", text))
    made = rejects(
        record, language=language, supplier_name=text, files=(RejectedFile(text, 5, "ab" * 32, Reason("odd", text)),)
    )
    message = compose_supplier_rejects(made, CATALOGUE, SENDER)
    assert message is not None
    return message


def a_worklist(language: str, text: str = "Husdjur") -> Message:
    case = review_case(incoming=book_card(title=text, author=text), supplier_name=text, file_name=text, owner=text)
    pair = duplicate_case(incoming=book_card(title=text, author=text), control_number=text, held=(text,), owner=text)
    message = compose_worklist(worklist(case, pairs=(pair,), language=language), CATALOGUE, SENDER)
    assert message is not None
    return message


def a_hold(language: str, text: str = "Husdjur") -> Message:
    classes = (HeldClass(text, 40, 120, 0.9, Reason("odd", text)),)
    return compose_held(held(language=language, supplier_name=text, file_name=text, classes=classes), CATALOGUE, SENDER)


def a_correction(language: str, text: str = "Husdjur") -> Message:
    lines = [CorrectionLine(text, text, text, text, effect, Reason("odd", text)) for effect in CorrectionEffect]
    return compose_correction(correction(*lines, language=language, library_name=text), CATALOGUE, SENDER)


def a_feed_report(language: str, text: str = "Husdjur") -> Message:
    at = datetime(2026, 3, 2, 6, tzinfo=UTC)
    feeds = (
        WrongFeed(text, text, at, None, 3, Reason("feed_missing")),
        WrongFeed(text, text, at, at, 0, Reason("odd", text)),
    )
    return compose_feed_report(FeedReport("drift@x.example", language, at.date(), feeds), CATALOGUE, SENDER)


def a_patron_digest(language: str, text: str = "Husdjur") -> Message:
    message = compose_patron_digest(
        patron_digest(language=language, library_name=text, source_name=text), CATALOGUE, SENDER
    )
    assert message is not None
    return message


def some_patron_rejects(language: str, text: str = "Husdjur") -> Message:
    rows = (FileRows(text, 1200, 2, 1, f"rejects/{text}/7/errors.csv"),)
    files = (FileNotTaken(text, date(2026, 3, 2), text),)
    message = compose_patron_rejects(
        patron_rejects(language=language, source_name=text, rows=rows, files=files), CATALOGUE, SENDER
    )
    assert message is not None
    return message


def a_held_patron_file(language: str, text: str = "Husdjur") -> Message:
    faults = (FileFault("null_rate", text, "emails"), FileFault(text, text, text))
    made = held_patron_file(language=language, source_name=text, file_name=text, faults=faults)
    return compose_held_file(made, CATALOGUE, SENDER)


def held_patron_changes(language: str, text: str = "Husdjur") -> Message:
    classes = (HeldClass("deactivate", 40, 120, 10.0, Reason("odd", text)), HeldClass(text, 1, 2, 0.0, Reason(text)))
    made = held(language=language, supplier_name=text, file_name=text, classes=classes, words="held_persons")
    return compose_held(replace(made, is_whole=False), CATALOGUE, SENDER)


def merged_titles(language: str, text: str = "Husdjur") -> Message:
    bib, joined = NamedBib(text, text, text, text), JoinedMarks((text,), (text,), (text,))
    titles = [MergedTitle(effect, bib, bib, (text,), joined) for effect in MergeEffect]
    made = merge_news(*titles, language=language, library_name=text, by=text, reason=text)
    return compose_merge_news(made, CATALOGUE, SENDER)


def split_titles(language: str, text: str = "Husdjur") -> Message:
    bib = NamedBib(text, text, text, text)
    titles = [MergedTitle(effect, bib, bib, (text,), rule="came_since") for effect in MergeEffect]
    return compose_merge_news(merge_news(*titles, language=language, rule="split", is_split=True), CATALOGUE, SENDER)


KINDS = [
    *(a_digest, some_rejects, a_worklist, a_hold, a_correction, a_feed_report),
    *(a_patron_digest, some_patron_rejects, a_held_patron_file, held_patron_changes),
    *(merged_titles, split_titles),
]
LANGUAGES = ["da", "en", "no", "sv"]
every_kind = pytest.mark.parametrize("compose", KINDS, ids=lambda each: each.__name__)
every_language = pytest.mark.parametrize("language", LANGUAGES)
Compose = Callable[..., Message]

VOID = {"meta", "br", "hr", "wbr"}


class Balance(HTMLParser):
    """Fails on a tag that is closed in the wrong order; `open` must be empty at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


@every_kind
@every_language
def test_the_page_is_balanced_and_says_its_language_twice(compose: Compose, language: str) -> None:
    message = compose(language)
    balance = Balance()
    balance.feed(message.html)
    assert balance.open == []
    code = {"no": "nb"}.get(language, language)
    page = html.fromstring(message.html)
    assert message.language == code
    assert page.xpath("/html/@lang") == [code]
    assert page.xpath("/html/body/div/@lang") == [code]


@every_kind
def test_tables_have_headers_that_screen_readers_can_announce(compose: Compose) -> None:
    page = html.fromstring(compose("en").html)
    tables = page.xpath("//table")
    assert tables
    for table in tables:
        columns = table.xpath("thead/tr/th[@scope='col']")
        assert len(columns) >= 4
        for row in table.xpath("tbody/tr"):
            assert len(row.xpath("th[@scope='row']")) == 1
            assert len(row.xpath("th | td")) == len(columns)
    assert len(page.xpath("//h1")) == 1


@every_kind
def test_nothing_is_fetched_run_or_tracked(compose: Compose) -> None:
    page = html.fromstring(compose("en").html)
    assert page.xpath("//img | //script | //link | //iframe | //style | //a | //form | //input") == []
    assert page.xpath("//@src | //@href | //@background | //@*[starts-with(name(), 'on')]") == []
    assert "url(" not in compose("en").html


@every_kind
def test_no_text_or_background_colour_fights_the_readers_dark_mode(compose: Compose) -> None:
    styles = " ; ".join(html.fromstring(compose("en").html).xpath("//@style"))
    assert re.findall(r"(?:^|[;\s])(?:color|background[a-z-]*)\s*:", styles) == []
    assert '<meta name="color-scheme" content="light dark">' in compose("en").html


@every_kind
@every_language
def test_hostile_text_stays_text(compose: Compose, language: str) -> None:
    message = compose(language, HOSTILE)
    page = html.fromstring(message.html)
    assert page.xpath("//img") == []
    assert 'onerror="alert(1)"' in page.text_content()
    assert not re.search(r"[\r\n]", message.subject)


@every_kind
@every_language
def test_text_part_and_subject_are_filled_in(compose: Compose, language: str) -> None:
    message = compose(language)
    assert "Husdjur" in message.text
    assert not re.search(r"[{}]|\n\n\n|None|Undefined", message.text + message.subject)
    assert SENDER in message.text
    assert CATALOGUE in message.text
    assert len(message.subject) <= 120


@every_kind
def test_control_characters_are_shown_not_sent(compose: Compose) -> None:
    message = compose("en", "a\x00b\x1bc\x85d\ud800e \x98Der\x9c Tag")
    assert "a␀b␛c\\u0085d\\ud800e Der Tag" in message.text
    for part in (message.text, message.html):
        assert part.encode("utf-8")
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", part)


@every_kind
def test_the_same_notice_gives_the_same_message(compose: Compose) -> None:
    assert compose("sv") == compose("sv")
