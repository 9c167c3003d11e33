"""What is told of an import profile's records: in words for an import, in every language, and never of a supplier."""

from __future__ import annotations

import re
import string

import pytest

from schemas.outcomes import HoldingOutcome, RecordType
from tasks.notices.corrections import CorrectionEffect, CorrectionLine, compose_correction
from tasks.notices.digest import compose_library_digest
from tasks.notices.message import Message
from tasks.notices.rejects import compose_supplier_rejects
from tasks.notices.wording import Reason, standard_book
from tests.unit.notices_samples import (
    CATALOGUE,
    REJECTED_FILE,
    SENDER,
    correction,
    digest,
    digest_line,
    rejected,
    rejects,
)

LANGUAGES = standard_book().languages
BASE = {"supplier_code": "solberg-koha", "supplier_name": "Solbergs Koha"}
SUPPLIER = re.compile(r"supplier|levera[nt]|delivery|\b(?:customer|kund(?:er)?|order(?:ed)?)\b")
REASONS = {
    HoldingOutcome.CREATED: ["new_holding", "merged", "review_deadline"],
    HoldingOutcome.UPDATED: ["lines_added", "own_lines_deleted"],
    HoldingOutcome.UNCHANGED: ["nothing_to_delete", "lines_equal"],
    HoldingOutcome.DELETED: ["deleted"],
    HoldingOutcome.WAITING: ["bib_in_review"],
    HoldingOutcome.REFUSED: ["library_before_agreement", "not_in_import_profile", "bib_not_in_catalogue"],
    HoldingOutcome.REJECTED: ["holding_unfit", "no_bib", "bib_rejected", "delivery_rejected", "decided_reject"],
}
"""By outcome the rules that an import's holdings can end by."""


def said(message: Message | None) -> str:
    """All that a reader sees of it: subject, both forms, and the tables."""
    assert message is not None
    tables = [each.content.decode("utf-8", "replace") for each in message.attachments]
    return "\n".join([message.subject, message.text, message.html, *tables])


def lines_of_all_endings() -> list[object]:
    return [
        digest_line(title="Husdjur", file_name="koha.mrc", outcome=outcome, reason=Reason(rule, "as it is"))
        for outcome, rules in REASONS.items()
        for rule in rules
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("has_waited", [False, True])
def test_a_digest_of_an_import_speaks_of_no_supplier(language: str, has_waited: bool) -> None:
    about = {**BASE, "sender_kind": "import", "language": language, "has_waited": has_waited}
    message = compose_library_digest(digest(*lines_of_all_endings(), **about), CATALOGUE, SENDER, max_rows=3)  # type: ignore[arg-type]
    assert "Solbergs Koha" in message.subject
    assert SUPPLIER.findall(said(message).lower()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_correction_of_an_import_speaks_of_no_supplier(language: str) -> None:
    kept = Reason("changed_later", "x")
    lines = [CorrectionLine("Husdjur", "", "", "Qm", effect, kept) for effect in CorrectionEffect]
    made = correction(*lines, supplier_name="Solbergs Koha", sender_kind="import", language=language)
    message = compose_correction(made, CATALOGUE, SENDER, max_rows=1)
    assert "Solbergs Koha" in message.subject
    assert SUPPLIER.findall(said(message).lower()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_rejects_of_an_import_speak_of_no_supplier(language: str) -> None:
    records = [
        rejected(position=place, record_type=kind, reason=Reason(rule, "x"), file_name="koha.mrc")
        for place, (kind, rule) in enumerate(
            [
                (RecordType.BIB, "bib_unfit"),
                (RecordType.HOLDING, "not_in_import_profile"),
                (RecordType.HOLDING, "bib_not_in_catalogue"),
            ]
        )
    ]
    whole = [REJECTED_FILE, REJECTED_FILE.__class__("koha.mrc", 1, "cd" * 32, Reason("delivery_rejected", "x"))]
    made = rejects(*records, files=tuple(whole), sender_kind="import", language=language, **BASE)
    assert SUPPLIER.findall(said(compose_supplier_rejects(made, CATALOGUE, SENDER)).lower()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_suppliers_digest_still_names_whom_to_ask_about_the_order(language: str) -> None:
    of_supplier = compose_library_digest(digest(language=language), CATALOGUE, SENDER)
    assert standard_book().language(language).say("ask.supplier", supplier="Nordbok") in of_supplier.text
    of_import = compose_library_digest(digest(language=language, sender_kind="import", **BASE), CATALOGUE, SENDER)
    assert standard_book().language(language).say("ask.supplier", supplier="Solbergs Koha") not in of_import.text


def places(phrase: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_otherwise_of_an_import_takes_the_place_of_a_phrase_with_its_values(language: str) -> None:
    plain = standard_book().language(language)
    otherwise = {key.removeprefix("import."): text for key, text in plain.phrases.items() if key.startswith("import.")}
    assert len(otherwise) >= 15
    assert {key for key, text in otherwise.items() if places(text) > places(plain.phrases[key])} == set()
    assert plain.about("import").phrases.items() >= otherwise.items()
    assert plain.about("supplier").phrases == plain.phrases
