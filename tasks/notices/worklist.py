"""The review worklist: bibs that wait for a cataloguer, and pairs that look like one, side by side, as HTML and as CSV.

The CSV has a `decision` column to fill in and send back; decisions.py reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from schemas.outcomes import Verdict
from tasks.notices.cards import ComparedField, RecordCard, compare_cards
from tasks.notices.evidence_words import evidence_in_words
from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Attachment, Message, NoticeKind, one_line
from tasks.notices.spreadsheet import csv_bytes
from tasks.notices.wording import PhraseBook, Phrases, Reason, standard_book

MAX_CASES_IN_MAIL = 15
MAX_PAIRS_IN_MAIL = 10
CSV_CANDIDATES = 5
CSV_COLUMNS = (
    "review_id",
    "decision",
    "comment",
    "due_on",
    "age_days",
    "owner",
    "libraries_waiting",
    "supplier",
    "file",
    "record",
    "why",
    "title",
    "author",
    "edition",
    "publication",
    "year",
    "isbn",
    "encoding_level",
    *(f"candidate_{number}" for number in range(1, CSV_CANDIDATES + 1)),
    "further_candidates",
)
"""English in every language: the file is read back by program. `review_id` and `decision` are enough to send back."""


class EvidenceKind(StrEnum):
    """How a piece of evidence works: a veto forbids a match by itself, a doubt asks a person, a feature has points."""

    VETO = "veto"
    DOUBT = "doubt"
    FEATURE = "feature"


_FIRST = (EvidenceKind.VETO, EvidenceKind.DOUBT, EvidenceKind.FEATURE)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that speaks for or against a candidate. Phrase key: `evidence.<name>`; `text` is the English detail."""

    name: str
    points: float
    text: str = ""
    kind: EvidenceKind = EvidenceKind.FEATURE


def evidence_from(stored: Mapping[str, Any]) -> tuple[Evidence, ...]:
    """What `out_match.evidence` holds (JSON already read), as evidence. Unknown keys are passed over."""
    objections = ((EvidenceKind.VETO, stored.get("vetoes", ())), (EvidenceKind.DOUBT, stored.get("doubts", ())))
    found = [
        Evidence(each["name"], 0.0, each.get("text", ""), kind) for kind, several in objections for each in several
    ]
    found += [Evidence(each["feature"], each["points"], each.get("text", "")) for each in stored.get("features", ())]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bib of the catalogue that may be the same."""

    bib_id: int
    control_number: str
    card: RecordCard
    score: float
    verdict: Verdict
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class WaitingHolding:
    """A library whose book waits for the decision."""

    sigel: str
    library_name: str
    shelf_mark: str = ""


@dataclass(frozen=True, slots=True)
class ReviewCase:
    """One incoming bib to decide. After `due_on` it is loaded as provisional, and can still be decided then."""

    review_id: int
    supplier_name: str
    file_name: str
    position: int
    incoming: RecordCard
    candidates: tuple[Candidate, ...]
    reason: Reason
    owner: str
    opened_on: date
    due_on: date
    waiting: tuple[WaitingHolding, ...] = ()
    is_provisional: bool = False


@dataclass(frozen=True, slots=True)
class DuplicateCase:
    """Two bibs of the catalogue that look like one. `incoming` is the later one, `candidate` the earlier one."""

    duplicate_id: int
    bib_id: int
    control_number: str
    incoming: RecordCard
    candidate: Candidate
    reason: Reason
    owner: str
    found_on: date
    held: tuple[str, ...] = ()
    """Sigels of the libraries that hold the later one."""
    held_candidate: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """As it is named wherever people decide: D4."""
        return f"D{self.duplicate_id}"

    @property
    def choices(self) -> tuple[str, ...]:
        """What can be decided: which of the two stays, or that they are two."""
        return f"same:{self.candidate.bib_id}", f"same:{self.bib_id}", "different"


@dataclass(frozen=True, slots=True)
class Worklist:
    """What waits for one recipient on a day. `run_key` as in the digest."""

    recipient: str
    language: str
    run_key: str
    today: date
    cases: tuple[ReviewCase, ...]
    pairs: tuple[DuplicateCase, ...] = ()

    @property
    def total(self) -> int:
        """How many decisions it asks for."""
        return len(self.cases) + len(self.pairs)


@dataclass(frozen=True, slots=True)
class ShownEvidence:
    """A piece of evidence in the reader's language. `is_english`: nobody has its detail in that language."""

    kind: EvidenceKind
    points: float
    name: str
    text: str
    is_english: bool


@dataclass(frozen=True, slots=True)
class ShownCandidate:
    """A candidate with the comparison and its evidence in words: vetoes, doubts, then the strongest."""

    candidate: Candidate
    fields: tuple[ComparedField, ...]
    differing: tuple[str, ...]
    evidence: tuple[ShownEvidence, ...]


@dataclass(frozen=True, slots=True)
class ShownCase:
    """A case with everything its page shows."""

    case: ReviewCase
    why: str
    age_days: int
    is_overdue: bool
    candidates: tuple[ShownCandidate, ...]


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A pair with everything its page shows."""

    case: DuplicateCase
    why: str
    age_days: int
    candidate: ShownCandidate


def compose_worklist(
    worklist: Worklist, catalogue_name: str, sender: str, book: PhraseBook | None = None
) -> Message | None:
    """The e-mail to the cataloguers, or None when nothing waits.

    The CSV is always attached. The first cases stand in the mail; with more of them, all are attached as a page too.
    """
    if not worklist.total:
        return None
    phrases = (book or standard_book()).language(worklist.language)
    attachments = [Attachment("worklist.csv", "text/csv", worklist_csv(worklist, book))]
    if len(worklist.cases) > MAX_CASES_IN_MAIL or len(worklist.pairs) > MAX_PAIRS_IN_MAIL:
        page = worklist_html(worklist, catalogue_name, sender, book)
        attachments.append(Attachment("worklist.html", "text/html", page.encode("utf-8")))
    values = _values(worklist, phrases, catalogue_name, sender, (MAX_CASES_IN_MAIL, MAX_PAIRS_IN_MAIL))
    return Message(
        kind=NoticeKind.WORKLIST,
        recipient=worklist.recipient,
        subject=one_line(_subject(worklist, phrases)),
        language=phrases.code,
        text=render_text("worklist", phrases, **values),
        html=render_html("worklist", phrases, **values),
        attachments=tuple(attachments),
        dedup_key=f"{NoticeKind.WORKLIST}|{worklist.run_key}|{worklist.recipient}",
    )


def worklist_html(worklist: Worklist, catalogue_name: str, sender: str, book: PhraseBook | None = None) -> str:
    """All cases side by side, as a page of its own."""
    phrases = (book or standard_book()).language(worklist.language)
    most = len(worklist.cases), len(worklist.pairs)
    return render_html("worklist", phrases, **_values(worklist, phrases, catalogue_name, sender, most))


def worklist_csv(worklist: Worklist, book: PhraseBook | None = None) -> bytes:
    """One row a case, the `decision` and `comment` columns empty. See docs/notices.md for the columns."""
    phrases = (book or standard_book()).language(worklist.language)
    rows = [_row(_shown(case, worklist.today, phrases), phrases) for case in worklist.cases]
    rows += [_pair_row(_shown_pair(pair, worklist.today, phrases), phrases) for pair in worklist.pairs]
    return csv_bytes(CSV_COLUMNS, rows, phrases.grammar.csv_separator)


def _values(
    worklist: Worklist, phrases: Phrases, catalogue_name: str, sender: str, most: tuple[int, int]
) -> dict[str, object]:
    """`most`: how many cases and how many pairs are shown."""
    return {
        "subject": _subject(worklist, phrases),
        "cases": [_shown(case, worklist.today, phrases) for case in worklist.cases[: most[0]]],
        "pairs": [_shown_pair(pair, worklist.today, phrases) for pair in worklist.pairs[: most[1]]],
        "all_pairs": len(worklist.pairs),
        "total": len(worklist.cases),
        "libraries": len({each.sigel for case in worklist.cases for each in case.waiting}),
        "catalogue_name": catalogue_name,
        "sender": sender,
    }


def _subject(worklist: Worklist, phrases: Phrases) -> str:
    overdue = sum(case.due_on < worklist.today for case in worklist.cases)
    subject = phrases.count("worklist.subject", worklist.total)
    return f"{subject}, {phrases.count('worklist.overdue', overdue)}" if overdue else subject


def _shown(case: ReviewCase, today: date, phrases: Phrases) -> ShownCase:
    return ShownCase(
        case=case,
        why=why_it_waits(case.reason, phrases),
        age_days=max(0, (today - case.opened_on).days),
        is_overdue=case.due_on < today,
        candidates=tuple(
            _shown_candidate(case.incoming, candidate, phrases)
            for candidate in sorted(case.candidates, key=lambda each: (-each.score, each.bib_id))
        ),
    )


def _shown_pair(case: DuplicateCase, today: date, phrases: Phrases) -> ShownPair:
    return ShownPair(
        case=case,
        why=phrases.say("review.alike") if "+" in case.reason.rule else why_it_waits(case.reason, phrases),
        age_days=max(0, (today - case.found_on).days),
        candidate=_shown_candidate(case.incoming, case.candidate, phrases),
    )


def _shown_candidate(incoming: RecordCard, candidate: Candidate, phrases: Phrases) -> ShownCandidate:
    fields = compare_cards(incoming, candidate.card)
    ordered = sorted(candidate.evidence, key=lambda each: (_FIRST.index(each.kind), -abs(each.points), each.name))
    return ShownCandidate(
        candidate=candidate,
        fields=fields,
        differing=tuple(phrases.say(f"card.{field.name}") for field in fields if _tells(field)),
        evidence=tuple(_shown_evidence(each, phrases) for each in ordered),
    )


def _shown_evidence(evidence: Evidence, phrases: Phrases) -> ShownEvidence:
    said = evidence_in_words(evidence.text, phrases)
    name = evidence_name(evidence.name, phrases)
    return ShownEvidence(evidence.kind, evidence.points, name, said or evidence.text, is_english=said is None)


def _tells(field: ComparedField) -> bool:
    """Whether a difference says that two books are two: who made the record, and how fully, does not."""
    return field.relation == "differs" and field.name not in ("source", "encoding_level")


def evidence_name(name: str, phrases: Phrases) -> str:
    """What a feature, a veto or a doubt is about."""
    return phrases.say_if_known(f"evidence.{name}") or name


def why_it_waits(reason: Reason, phrases: Phrases) -> str:
    """Why a person has to look. Rules of matching come in families: `veto:edition`, `isbn_a_unconfirmed`."""
    family, _, what = reason.rule.partition(":")
    for ending in ("unconfirmed", "low_score"):
        if reason.rule.endswith(f"_{ending}"):
            family = ending
    said = phrases.say_if_known(f"review.{family}", what=evidence_name(what, phrases))
    return said or phrases.reason(reason, "review")


def _row(shown: ShownCase, phrases: Phrases) -> tuple[object, ...]:
    case, card = shown.case, shown.case.incoming
    candidates = [_candidate_cell(each, phrases) for each in shown.candidates[:CSV_CANDIDATES]]
    further = "; ".join(f"match:{each.candidate.bib_id}" for each in shown.candidates[CSV_CANDIDATES:])
    return (
        case.review_id,
        "",
        "",
        case.due_on.isoformat(),
        shown.age_days,
        case.owner,
        "; ".join(f"{each.library_name} ({each.sigel})" for each in case.waiting),
        case.supplier_name,
        case.file_name,
        case.position,
        shown.why,
        *(card.get(name) for name in ("title", "author", "edition", "publication", "year", "isbn", "encoding_level")),
        *candidates,
        *[""] * (CSV_CANDIDATES - len(candidates)),
        further,
    )


def _pair_row(shown: ShownPair, phrases: Phrases) -> tuple[object, ...]:
    """A pair in the columns of a case: the later bib as the new record, the earlier one as its candidate."""
    case, card = shown.case, shown.case.incoming
    return (
        case.key,
        *("", "", ""),
        shown.age_days,
        case.owner,
        *("", "", "", ""),
        shown.why,
        *(card.get(name) for name in ("title", "author", "edition", "publication", "year", "isbn", "encoding_level")),
        _candidate_cell(shown.candidate, phrases, "same"),
        *[""] * (CSV_CANDIDATES - 1),
        f"same:{case.bib_id}; different",
    )


def _candidate_cell(shown: ShownCandidate, phrases: Phrases, choice: str = "match") -> str:
    """What to write to choose it comes first, then what it is, then what speaks against it."""
    card = shown.candidate.card
    about = " / ".join(filter(None, (card.get(name) for name in ("title", "author", "edition", "publication"))))
    words = [f"{choice}:{shown.candidate.bib_id}", about, phrases.points(shown.candidate.score)]
    words += [
        f"{phrases.say(each.kind)}: {each.name}: {each.text}"
        for each in shown.evidence
        if each.kind is not EvidenceKind.FEATURE
    ]
    if shown.differing:
        words.append(phrases.say("worklist.differs_in", fields=", ".join(shown.differing)))
    return " | ".join(filter(None, words))
