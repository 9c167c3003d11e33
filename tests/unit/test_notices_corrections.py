"""The correction after an undo, and the message about a delivery that waits for approval."""

from __future__ import annotations

import csv
import io

import pytest
from lxml import html

from tasks.notices.corrections import CorrectionEffect, CorrectionLine, compose_correction
from tasks.notices.holds import HeldClass, compose_held
from tasks.notices.message import Message, NoticeKind
from tasks.notices.wording import Reason
from tests.unit.notices_samples import CATALOGUE, SENDER, correction, held


def told(*lines: CorrectionLine, max_rows: int = 200, **changes: object) -> Message:
    return compose_correction(correction(*lines, **changes), CATALOGUE, SENDER, max_rows=max_rows)  # type: ignore[arg-type]


def line(title: str, effect: CorrectionEffect, reason: Reason | None = None) -> CorrectionLine:
    return CorrectionLine(title, "Ek, Bo", "9789100000002", "Qm", effect, reason)


def test_a_correction_says_which_delivery_was_undone_and_when() -> None:
    message = told()
    assert message.subject == "Correction: 2 titles from Nordbok taken back (Storstads bibliotek)"
    assert message.text.startswith(
        "The delivery day.mrc from Nordbok, loaded on 20 November 2025, was undone on 21 November 2025."
    )
    assert (message.kind, message.recipient) == (NoticeKind.CORRECTION, "kontakt@storstad.example")


def test_what_could_not_be_taken_back_comes_first_with_its_reason() -> None:
    text = told(
        line("Restored", CorrectionEffect.RESTORED),
        line("Removed", CorrectionEffect.REMOVED),
        line("Kept", CorrectionEffect.KEPT, Reason("changed_later", "x")),
    ).text
    assert text.index("* Kept") < text.index("* Removed") < text.index("* Restored")
    assert (
        "* Kept / Ek, Bo\n  ISBN: 9789100000002. Shelf mark: Qm\n  The holding was changed after the delivery.\n"
        in text
    )


def test_a_reason_only_the_warehouse_has_is_told_in_its_words() -> None:
    kept = line("Kept", CorrectionEffect.KEPT, Reason("odd", "a merge took it"))
    page = html.fromstring(told(kept, language="sv").html)
    assert page.xpath("//table/tbody/tr/td[last()]/text()") == ["A merge took it"]


def test_a_long_correction_attaches_all_of_it() -> None:
    lines = [line(f"Title {number}", CorrectionEffect.REMOVED) for number in range(5)]
    message = told(*lines, max_rows=2, language="no")
    assert message.text.count("\n* ") == 2
    assert "E-posten viser 2 av 5 titler." in message.text
    (attachment,) = message.attachments
    assert attachment.name == "correction-STO-2025-11-21.csv"
    rows = list(csv.reader(io.StringIO(attachment.content.decode("utf-8-sig")), delimiter=";"))
    assert rows[0] == ["Hva som skjedde", "Tittel", "Forfatter", "ISBN", "Hyllesignatur", "Årsak"]
    assert rows[5] == ["Fjernet", "Title 4", "Ek, Bo", "9789100000002", "Qm", ""]


def test_undoing_twice_makes_the_same_message() -> None:
    assert told().dedup_key == "correction|7|STO"
    assert told(delivery_id=8).dedup_key == "correction|8|STO"


def test_a_hold_says_what_went_over_which_limit_and_how_to_decide() -> None:
    message = compose_held(held(), CATALOGUE, SENDER)
    assert message.subject == "Waiting for approval: delivery 7 from Nordbok (day.mrc)"
    assert message.recipient == "drift@samkatalogen.example"
    page = html.fromstring(message.html)
    assert [cell.text_content() for cell in page.xpath("//table/tbody/tr/*")] == [
        "Pieces that cannot be read (quality:readable)",
        "40",
        "120",
        "12",
        "33% of 120 pieces cannot be read",
    ]
    assert page.xpath("//code/text()") == [
        "samkat plans show 9f2c41d0",
        "samkat plans approve 9f2c41d0 --by NAME",
        "samkat plans reject 9f2c41d0 --by NAME",
    ]


@pytest.mark.parametrize(
    ("is_whole", "first_line"),
    [(True, "Nothing of the delivery has been loaded."), (False, "What kept within the limits has been loaded.")],
)
def test_a_hold_says_whether_a_part_went_on(is_whole: bool, first_line: str) -> None:
    assert compose_held(held(is_whole=is_whole), CATALOGUE, SENDER).text.startswith(first_line)


def test_a_class_nobody_named_is_told_by_its_id() -> None:
    classes = (HeldClass("moon_phase", 1, 2, 0.5, Reason("x", "full")),)
    text = compose_held(held(classes=classes), CATALOGUE, SENDER).text
    assert "* moon_phase\n  Found: 1. Out of: 2. Limit: 0.5.\n  Full" in text


def test_a_changed_plan_is_told_again() -> None:
    assert compose_held(held(), CATALOGUE, SENDER).dedup_key == "held|7|9f2c41d0"
    assert compose_held(held(plan_hash="77"), CATALOGUE, SENDER).dedup_key == "held|7|77"
