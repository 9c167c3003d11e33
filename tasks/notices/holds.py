"""To the operator: a delivery waits for approval. Says what went over which limit, and the command that decides."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Message, NoticeKind, one_line
from tasks.notices.wording import PhraseBook, Phrases, Reason, standard_book


@dataclass(frozen=True, slots=True)
class HeldClass:
    """A class of change, or an expectation (`quality:...`), that went over its limit: `planned` of `population`."""

    change_class: str
    planned: int
    population: int
    limit: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """A delivery of which something waits. `is_whole`: nothing of it has been loaded; else the safe part has.

    `words` is the section of the phrases that is spoken from: `held` of records, `held_import` of another base's,
    `held_persons` of persons, `held_plan` of persons and `held_accounts` of accounts whose plan comes from no file;
    then `asked` says when it was asked, and names the question.
    """

    recipient: str
    language: str
    delivery_id: int
    supplier_name: str
    file_name: str
    plan_hash: str
    is_whole: bool
    classes: tuple[HeldClass, ...]
    words: Literal["held", "held_import", "held_persons", "held_plan", "held_accounts"] = "held"
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages of Prefect's UI: the run that held something, and where the form that decides is started; None: unknown."""

    run: str | None = None
    form: str | None = None

    def form_for(self, plan_hash: str) -> str | None:
        """The form with the plan filled in."""
        return f"{self.form}?parameters={quote(json.dumps({'plan_hash': plan_hash}))}" if self.form else None


NO_PAGES = Pages()


def compose_held(
    held: HeldDelivery, catalogue_name: str, sender: str, pages: Pages = NO_PAGES, book: PhraseBook | None = None
) -> Message:
    """The e-mail to the operator. The same plan is told once; a changed plan has another hash and is told again."""
    phrases = (book or standard_book()).language(held.language)
    subject = phrases.say(
        f"{held.words}.subject", delivery=held.delivery_id, supplier=held.supplier_name, file=held.file_name
    )
    commands, links = decisions(held.plan_hash, pages)
    values = {
        "subject": subject,
        "held": held,
        "classes": [
            (each, _name(each, phrases, held.words), phrases.reason(each.reason, "held_reason"))
            for each in held.classes
        ],
        "commands": commands,
        "links": links,
        "limit": phrases.limit,
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    return Message(
        kind=NoticeKind.HELD,
        recipient=held.recipient,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("held", phrases, **values),
        html=render_html("held", phrases, **values),
        attachments=(),
        dedup_key=f"{NoticeKind.HELD}|{held.asked or held.delivery_id}|{held.plan_hash}",
    )


def decisions(plan_hash: str, pages: Pages) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """How the operator decides about a plan: (what, command), and (what, page) of Prefect's UI."""
    # As it must be typed: who decides is kept with the decision, and the command insists on it.
    asked = {"show": "", "approve": " --by NAME", "reject": " --by NAME"}
    commands = [(action, f"samkat plans {action} {plan_hash}{by}") for action, by in asked.items()]
    links = [(name, page) for name, page in (("form", pages.form_for(plan_hash)), ("run", pages.run)) if page]
    return commands, links


def _name(held: HeldClass, phrases: Phrases, words: str) -> str:
    """The class in words, its id behind it: the operator needs both."""
    section = {"held": "held_class", "held_import": "held_class", "held_accounts": "account_class"}.get(
        words, "person_class"
    )
    known = phrases.say_if_known(f"{section}.{held.change_class.removeprefix('quality:')}")
    return f"{known} ({held.change_class})" if known else held.change_class
