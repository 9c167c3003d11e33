"""E-mails about onboarding: to a supplier about its test deliveries and its list of customers, to the consortium about
customers that do not agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from schemas.outcomes import BibOutcome, HoldingOutcome
from schemas.register.register import Register
from schemas.register.suppliers import Supplier
from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Message, NoticeKind, one_line
from tasks.notices.rejects import SupplierRejects, reject_forms
from tasks.notices.telling import key_of
from tasks.notices.wording import PhraseBook, Phrases, standard_book
from tasks.suppliers.checklist import Check, is_ready
from tasks.suppliers.comparing import Finding
from tasks.suppliers.customers_file import CustomersFile
from tasks.suppliers.trials import Trial

MOST_FILES = 50
MOST_FINDINGS = 100
MOST_FAULTS = 100


@dataclass(frozen=True)
class TrialLetter:
    """What a supplier is told about the test files of a run: `checks` are those of all files together.

    `digests` name what was found about each file: the same found again is told once.
    """

    supplier: Supplier
    trials: tuple[Trial, ...]
    checks: tuple[Check, ...]
    counts: Mapping[str, int]
    rejects: SupplierRejects
    digests: tuple[str, ...]
    on: date


def compose_trial(letter: TrialLetter, catalogue_name: str, sender: str, book: PhraseBook | None = None) -> Message:
    """The report to the supplier: what came, what would have become of it, the checklist, and the three forms."""
    phrases = (book or standard_book()).language(letter.supplier.language)
    ready = is_ready(letter.checks)
    subject = phrases.say(
        f"trial.subject.{'ready' if ready else 'not_ready'}",
        supplier=letter.supplier.name,
        date=phrases.day(letter.on),
    )
    forms = reject_forms(letter.rejects, phrases)
    values = {
        "subject": subject,
        "is_ready": ready,
        "came": _came(letter, phrases),
        "would": [_would(letter.counts, things, phrases) for things in ("bibs", "holdings")],
        "checks": [(_mark(each, phrases), each.words(phrases), each.is_met) for each in letter.checks],
        "rejects": letter.rejects,
        "records": forms.records,
        "files": forms.files,
        "not_listed": letter.rejects.total() - len(letter.rejects.records),
        "attachments": forms.about,
        "left_out": forms.left_out,
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    return Message(
        kind=NoticeKind.TRIAL,
        recipient=letter.supplier.contact,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("trial", phrases, **values),
        html=render_html("trial", phrases, **values),
        attachments=forms.attachments,
        dedup_key=f"{NoticeKind.TRIAL}|{letter.supplier.code}|{key_of(letter.digests)}",
    )


def _came(letter: TrialLetter, phrases: Phrases) -> list[str]:
    """A line a file; of many the first, and how many there are."""
    lines = [
        phrases.say(
            "trial.file",
            file=each.name,
            read=phrases.count("records", each.found.counts["records_read"]),
            unreadable=phrases.count("trial.unreadable", each.found.counts["records_unreadable"]),
        )
        for each in letter.trials[:MOST_FILES]
    ]
    if len(letter.trials) > MOST_FILES:
        lines.append(phrases.count("files", len(letter.trials)))
    return lines


def _would(counts: Mapping[str, int], things: str, phrases: Phrases) -> str:
    outcomes = BibOutcome if things == "bibs" else HoldingOutcome
    words = "bib_count" if things == "bibs" else "outcome_count"
    said = [
        phrases.count(f"{words}.{each}", counts[f"{things}_{each}"]) for each in outcomes if counts[f"{things}_{each}"]
    ]
    return phrases.say(f"trial.{things}", counts=", ".join(said) or phrases.say("trial.nothing"))


def _mark(check: Check, phrases: Phrases) -> str:
    if check.is_met:
        return phrases.say("trial.met")
    return phrases.say("trial.not_met" if check.is_needed else "trial.remark")


def compose_findings(
    register: Register, found: Sequence[Finding], never: Sequence[str], on: date, book: PhraseBook | None = None
) -> Message:
    """To the consortium: what does not agree about customers. The same findings are told once."""
    catalogue = register.catalogue
    phrases = (book or standard_book()).language(catalogue.language)
    subject = phrases.count("customers.subject", len(found))
    by_supplier: dict[str, list[tuple[str, str]]] = {}
    for each in found[:MOST_FINDINGS]:
        library = register.library_by_sigel.get(each.sigel)
        name = phrases.say("customers.row", library=library.name, sigel=each.sigel) if library else each.sigel
        words = phrases.say(f"customers.rule.{each.rule}", **_numbers(each, phrases))
        by_supplier.setdefault(register.supplier_by_code[each.supplier].name, []).append((name, words))
    values = {
        "subject": subject,
        "date": phrases.day(on),
        "suppliers": list(by_supplier.items()),
        "more": max(0, len(found) - MOST_FINDINGS),
        "never": ", ".join(register.supplier_by_code[each].name for each in never),
        "catalogue_name": catalogue.name,
        "sender": catalogue.sender,
    }
    return Message(
        kind=NoticeKind.CUSTOMERS,
        recipient=catalogue.operator,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("customers", phrases, **values),
        html=render_html("customers", phrases, **values),
        attachments=(),
        dedup_key=f"{NoticeKind.CUSTOMERS}|{key_of(f'{each.supplier} {each.sigel} {each.rule}' for each in found)}",
    )


def _numbers(finding: Finding, phrases: Phrases) -> dict[str, object]:
    return {"holdings": phrases.number(finding.holdings)} if finding.rule == "holdings_without_customer" else {}


def compose_row_faults(
    register: Register, supplier: Supplier, name: str, sha256: str, found: CustomersFile, book: PhraseBook | None = None
) -> Message | None:
    """To the supplier: the rows of its list of customers that were not taken; None where all were."""
    if not found.faults:
        return None
    catalogue = register.catalogue
    phrases = (book or standard_book()).language(supplier.language)
    subject = phrases.count("customer_rows.subject", found.rejected)
    rows = []
    for each in found.faults[:MOST_FAULTS]:
        place = "place" if each.field else "whole"
        where = phrases.say(f"customer_rows.{place}", line=each.line, **({"column": each.field} if each.field else {}))
        fault, remedy = phrases.say(f"customer_fault.{each.rule}"), phrases.say(f"customer_remedy.{each.rule}")
        rows.append((where, each.value, fault, remedy))
    values = {
        "subject": subject,
        "file": name,
        "taken": phrases.number(found.rows - found.rejected if found.rows else 0),
        "total": phrases.number(found.rows),
        "rows": rows,
        "more": max(0, len(found.faults) - MOST_FAULTS),
        "catalogue_name": catalogue.name,
        "sender": catalogue.sender,
    }
    return Message(
        kind=NoticeKind.CUSTOMERS,
        recipient=supplier.contact,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("customer_rows", phrases, **values),
        html=render_html("customer_rows", phrases, **values),
        attachments=(),
        dedup_key=f"{NoticeKind.CUSTOMERS}|{supplier.code}|{sha256}",
    )
