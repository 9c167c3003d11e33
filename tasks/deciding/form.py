"""The form: one question a held class and a review, and what a person's answers mean. Pure, no Prefect.

The model is made anew for what waits now, so that its fields offer what can be chosen and nothing else; Prefect's UI
draws it, and its server refuses what does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from tasks.deciding.waiting import HASH_SHOWN, HeldClass, Waiting
from tasks.notices.worklist import DuplicateCase, ReviewCase

LEAVE = "leave"
Word = Literal["approve", "reject"]
_WORDS: dict[str, Word] = {"approve": "approve", "reject": "reject"}
MOST_CANDIDATES = 5
MOST_COMMENT = 500


@dataclass(frozen=True)
class PlanChoice:
    """A person's word on a held plan, or on one class of it where `change_class` is set."""

    plan_hash: str
    decision: Word
    change_class: str | None = None


@dataclass(frozen=True)
class Entry:
    """What a person entered: decisions on plans, on reviews (`match:7`, `new`, `reject` by review id), and a name.

    `pairs` are decisions on pairs of bibs (`same:7`, `different` by number). A comment is about all of them.
    """

    by: str
    plans: tuple[PlanChoice, ...] = ()
    reviews: tuple[tuple[int, str], ...] = ()
    pairs: tuple[tuple[int, str], ...] = ()
    comment: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether everything was left as it is."""
        return not self.plans and not self.reviews and not self.pairs


def form(waiting: Waiting) -> type[BaseModel]:
    """A model with a field for each question, `leave` unless something is chosen, and the person's name."""
    fields: dict[str, Any] = {
        name: (Literal[(LEAVE, "approve", "reject")], Field(LEAVE, title=_plan_title(each), description=each.reason))
        for name, each in _by_field(waiting).items()
    }
    for case in waiting.cases:
        options = (LEAVE, *(f"match:{each.bib_id}" for each in case.candidates[:MOST_CANDIDATES]), "new", "reject")
        title = f"Review {case.review_id}: {case.incoming.get('title') or '[no title]'}"
        fields[f"review_{case.review_id}"] = (
            Literal[options],
            Field(LEAVE, title=title, description=_candidates(case)),
        )
    for pair in waiting.pairs:
        title = f"{pair.key}: {pair.incoming.get('title') or '[no title]'}"
        fields[f"pair_{pair.duplicate_id}"] = (
            Literal[(LEAVE, *pair.choices)],
            Field(LEAVE, title=title, description=_pair(pair)),
        )
    about = "Why, in your words; it is kept with what is decided here, and may stay empty"
    fields["comment"] = (str, Field("", title="Comment", description=about, max_length=MOST_COMMENT))
    fields["by"] = (str, Field(title="Who decides", description="Your name; it is kept with the decision"))
    return create_model("Decision", **fields)


def entry(waiting: Waiting, answers: Mapping[str, Any]) -> Entry:
    """What the answers to the form mean. One word on every class of a plan is one decision on the plan."""
    by_plan: dict[str, dict[str, str]] = {}
    for name, each in _by_field(waiting).items():
        by_plan.setdefault(each.plan_hash, {})[each.change_class] = str(answers.get(name, LEAVE))
    plans: list[PlanChoice] = []
    for plan_hash, words in by_plan.items():
        is_one = len(set(words.values())) == 1
        for change_class, word in list(words.items())[: 1 if is_one else None]:
            if word in _WORDS:
                plans.append(PlanChoice(plan_hash, _WORDS[word], None if is_one else change_class))
    reviews = ((case.review_id, str(answers.get(f"review_{case.review_id}", LEAVE))) for case in waiting.cases)
    pairs = ((pair.duplicate_id, str(answers.get(f"pair_{pair.duplicate_id}", LEAVE))) for pair in waiting.pairs)
    return Entry(
        str(answers.get("by", "")).strip(),
        tuple(plans),
        tuple((number, word) for number, word in reviews if word != LEAVE),
        tuple((number, word) for number, word in pairs if word != LEAVE),
        " ".join(str(answers.get("comment", "")).split()),
    )


def _by_field(waiting: Waiting) -> dict[str, HeldClass]:
    """Held classes by the name of their field."""
    numbered: dict[str, HeldClass] = {}
    for number, each in enumerate(waiting.classes):
        numbered[f"plan_{number}_{each.plan_hash[:HASH_SHOWN]}"] = each
    return numbered


def _plan_title(each: HeldClass) -> str:
    return f"Plan {each.plan_hash[:HASH_SHOWN]}: {each.change_class} of {each.delivery}"


def _candidates(case: ReviewCase) -> str:
    found = [
        f"match:{each.bib_id} is {each.card.get('title')}, {each.card.get('year')} ({each.score:.1f} points)"
        for each in case.candidates[:MOST_CANDIDATES]
    ]
    return "; ".join([case.reason.text, *found])


def _pair(pair: DuplicateCase) -> str:
    """What the two are, and which of them each answer keeps."""
    found = [
        f"same:{bib_id} keeps {card.get('title')}, {card.get('year')}, held by {' '.join(held) or 'no library'}"
        for bib_id, card, held in (
            (pair.candidate.bib_id, pair.candidate.card, pair.held_candidate),
            (pair.bib_id, pair.incoming, pair.held),
        )
    ]
    return "; ".join([pair.reason.text, *found])
